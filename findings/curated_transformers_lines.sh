#!/bin/sh
# curated_transformers_lines.sh - curated-transformers' BERT tokenizer: only the space ends a word.
#
# One would guess: a text of several lines has the pieces of each line, as in every BERT tokenizer: white space is white space.
# What happens, where the directory has vocab.txt and no tokenizer.json: a word is cut at U+0020 only. The last word of a line
# and the first one of the next are one word with a line feed in it, and [UNK], both; likewise around a tab, a no-break space
# and an ideographic space. And an uncased directory, whose tokenizer_config.json says nothing about accents, keeps them.
# The vectors look as usual. The model itself computes what transformers computes.
# Seen with curated-transformers 2.0.1 and curated-tokenizers 2.0.1, the newest there are, huggingface_hub 0.36.2 (with 1.0 and
# later the package cannot be imported), torch 2.15.0, 2026-11-30. Exits with 1 if it behaves otherwise. PYTHON: a Python
# that has these versions; without one they are installed into a temporary folder.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PYTHON:-python3}
if ! "$python" -c 'from importlib.metadata import version as v
assert v("curated-transformers") == v("curated-tokenizers") == "2.0.1" and v("huggingface_hub") == "0.36.2"' 2> "$work/missing"; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet curated-transformers==2.0.1 curated-tokenizers==2.0.1 huggingface_hub==0.36.2 torch==2.15.0
    python=$work/venv/bin/python
fi
mkdir "$work/model"
echo '{"model_type": "bert", "vocab_size": 11}' > "$work/model/config.json"
echo '{"do_lower_case": true, "tokenizer_class": "BertTokenizer"}' > "$work/model/tokenizer_config.json"
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' the cat sat on mat cafe > "$work/model/vocab.txt"
cat > "$work/look.py" <<'PYTHON'
import importlib.metadata
import sys
from curated_transformers.tokenizers import AutoTokenizer
from fsspec.implementations.local import LocalFileSystem

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("curated-transformers", "curated-tokenizers", "huggingface_hub")))
tokenizer = AutoTokenizer.from_fsspec(fs=LocalFileSystem(), model_path=sys.argv[1])
found = {text: tokenizer([text]).pieces[0][1:-1] for text in ("the cat sat on the mat", "the cat\nsat on\tthe mat", "the cat\u00a0sat", "café")}
for text, pieces in found.items():
    print(ascii(text), "->", " ".join(pieces))
sys.exit(list(found.values()) != ["the cat sat on the mat".split(), ["the", "[UNK]", "[UNK]", "mat"], ["the", "[UNK]"], ["[UNK]"]])
PYTHON
"$python" -W ignore "$work/look.py" "$work/model"
