"""gguf_vocabulary.py - a vocabulary as llama.cpp reads it: GGUF without weights, with what its converter writes for a BertModel.

    python gguf_vocabulary.py VOCAB OUT [cased|uncased]

With the last word, the two keys that say what step 1 does; files that are older have none. A piece that begins a word has U+2581 in front, one that continues a word has its ## taken away.
"""
import sys

from gguf import GGUFWriter, TokenType

SPECIAL = {"[CLS]": "bos", "[SEP]": "seperator", "[UNK]": "unknown", "[PAD]": "padding", "[MASK]": "mask"}


def main():
    vocab, out, *case = sys.argv[1:]
    with open(vocab, encoding="utf-8", newline="\n") as f:
        pieces = f.read().split("\n")[:-1]
    w = GGUFWriter(out, "bert")
    w.add_context_length(512)
    w.add_embedding_length(768)
    w.add_feed_forward_length(3072)
    w.add_block_count(12)
    w.add_head_count(12)
    w.add_layer_norm_eps(1e-12)
    w.add_causal_attention(False)
    w.add_token_type_count(2)
    w.add_tokenizer_model("bert")
    bare = lambda p: p.startswith("[") and p.endswith("]")
    w.add_token_list([p if bare(p) else p[2:] if p.startswith("##") else "\u2581" + p for p in pieces])
    w.add_token_types([TokenType.CONTROL if p in SPECIAL else TokenType.NORMAL for p in pieces])
    if case:
        w.add_bool("tokenizer.ggml.normalizer.lowercase", case == ["uncased"])
        w.add_bool("tokenizer.ggml.normalizer.strip_accents", case == ["uncased"])
    for piece, name in SPECIAL.items():
        w.add_uint32(f"tokenizer.ggml.{name}_token_id", pieces.index(piece))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()


main()
