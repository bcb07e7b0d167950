#!/bin/sh
# llama.cpp, by node-llama-cpp 3.21.1, and gguf 0.19.0 (run 2026-11-28): a cased BERT's text is put into lower case.
#
# One would guess: a GGUF file with the vocabulary of a cased BERT gives the pieces of a cased BERT.
# What happens:    llama.cpp lowers and strips accents unless the file has tokenizer.ggml.normalizer.lowercase = false (and
#                  .strip_accents). Files that are older than these two keys have none, and the gguf package on PyPI has no
#                  method that writes them. "The" then is "the", if the vocabulary has that, and other vectors follow.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check gguf==0.19.0
npm init -y > log && npm install --silent --ignore-scripts node-llama-cpp@3.21.1 > log 2>&1
venv/bin/python - <<'END'
import gguf
print("gguf 0.19.0 has a method for the key:", any("normalizer" in n or "lowercase" in n for n in dir(gguf.GGUFWriter)))
pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "\u2581The", "\u2581the", "\u2581cat"]
for name, lower in (("without", None), ("with", False)):
    w = gguf.GGUFWriter(name + ".gguf", "bert")
    w.add_context_length(16), w.add_embedding_length(8), w.add_feed_forward_length(8), w.add_block_count(1), w.add_head_count(1)
    w.add_layer_norm_eps(1e-12), w.add_causal_attention(False), w.add_token_type_count(2)
    w.add_tokenizer_model("bert"), w.add_token_list(pieces)
    w.add_token_types([gguf.TokenType.CONTROL] * 5 + [gguf.TokenType.NORMAL] * 3)
    for key, i in (("bos", 2), ("seperator", 3), ("unknown", 1), ("padding", 0), ("mask", 4)):
        w.add_uint32(f"tokenizer.ggml.{key}_token_id", i)
    if lower is not None:
        w.add_bool("tokenizer.ggml.normalizer.lowercase", lower), w.add_bool("tokenizer.ggml.normalizer.strip_accents", lower)
    w.write_header_to_file(), w.write_kv_data_to_file(), w.write_tensors_to_file(), w.close()
END
cat > ask.mjs <<'END'
import {getLlama} from 'node-llama-cpp';
const llama = await getLlama({gpu: false, build: 'never', logLevel: 'disabled'});
const ids = async name => (await llama.loadModel({modelPath: name + '.gguf', vocabOnly: true})).tokenize('The cat', true).join(' ');
const [without, stays] = [await ids('without'), await ids('with')];
console.log('The cat, file without the key:', without, '(5 is The, 6 is the, 7 is cat)');
console.log('The cat, key lowercase = false:', stays);
process.exit(without === '6 7' && stays === '5 7' ? 0 : 1);
END
node ask.mjs
