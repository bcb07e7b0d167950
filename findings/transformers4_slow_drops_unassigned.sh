#!/bin/sh
# transformers 4.57.6 (the last version with both, run 2026-11-28): BertTokenizer and BertTokenizerFast, new characters.
#
# One would guess: two classes of one library for one vocabulary differ in speed alone.
# What happens:    the one in Python asks Python's unicodedata and deletes whatever that Python has not assigned yet: all that is
#                  newer than its Unicode vanishes, so that the ids depend on the version of Python. The fast one keeps it, as an
#                  unknown letter. U+0378 is assigned nowhere yet: "ab" here, [UNK] there.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check transformers==4.57.6
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' ab > vocab.txt
venv/bin/python - 2> log <<'END'
import sys
import unicodedata
import transformers
text = "a\u0378b"
slow = transformers.BertTokenizer("vocab.txt").tokenize(text)
fast = transformers.BertTokenizerFast("vocab.txt").tokenize(text)
print("transformers", transformers.__version__, "Python", sys.version.split()[0], "Unicode", unicodedata.unidata_version)
print("BertTokenizer:    ", slow)
print("BertTokenizerFast:", fast)
assert slow == ["ab"] and fast == ["[UNK]"]
END
