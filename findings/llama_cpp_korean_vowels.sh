#!/bin/sh
# llama.cpp, by node-llama-cpp 3.21.1 (run 2026-11-28): Korean loses its vowels on the way into an uncased BERT.
#
# One would guess: NFD takes a Korean syllable apart into its two or three sounds, all of which are pieces of BERT's vocabulary,
#                  and only accents (category Mn) are dropped then.
# What happens:    of a character that decomposes only the first part is kept. For a letter with an accent that is the letter;
#                  of U+AC00 (ga) it is U+1100 (g). All Korean words with the same first sounds have the same ids.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check gguf==0.19.0 tokenizers==0.23.3
npm init -y > log && npm install --silent --ignore-scripts node-llama-cpp@3.21.1 > log 2>&1
venv/bin/python - <<'END'
import gguf
import tokenizers
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "\u1100", "##\u1161", "##\u1175", "e"]
t = tokenizers.BertWordPieceTokenizer({w: i for i, w in enumerate(words)}, lowercase=True)
print("tokenizers 0.23.3: ga ->", t.encode("\uac00", add_special_tokens=False).ids, " gi ->", t.encode("\uae30", add_special_tokens=False).ids)
w = gguf.GGUFWriter("v.gguf", "bert")
w.add_context_length(16), w.add_embedding_length(8), w.add_feed_forward_length(8), w.add_block_count(1), w.add_head_count(1)
w.add_layer_norm_eps(1e-12), w.add_causal_attention(False), w.add_token_type_count(2)
w.add_tokenizer_model("bert")
w.add_token_list([p if p[0] == "[" else p[2:] if p[:2] == "##" else "\u2581" + p for p in words])
w.add_token_types([gguf.TokenType.CONTROL] * 5 + [gguf.TokenType.NORMAL] * 4)
for key, i in (("bos", 2), ("seperator", 3), ("unknown", 1), ("padding", 0), ("mask", 4)):
    w.add_uint32(f"tokenizer.ggml.{key}_token_id", i)
w.add_bool("tokenizer.ggml.normalizer.lowercase", True), w.add_bool("tokenizer.ggml.normalizer.strip_accents", True)
w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()
END
cat > ask.mjs <<'END'
import {getLlama} from 'node-llama-cpp';
const llama = await getLlama({gpu: false, build: 'never', logLevel: 'disabled'});
const model = await llama.loadModel({modelPath: 'v.gguf', vocabOnly: true});
const [ga, gi, e] = ['\uac00', '\uae30', '\u00e9'].map(text => model.tokenize(text, true).join(' '));
console.log('llama.cpp:         ga ->', ga, ' gi ->', gi, ' e with acute ->', e);
process.exit(ga === '5' && gi === '5' && e === '8' ? 0 : 1);
END
node ask.mjs
