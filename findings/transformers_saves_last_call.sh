#!/bin/sh
# transformers_saves_last_call.sh - a saved BERT tokenizer holds the options of its last call.
#
# One would guess: save_pretrained saves the tokenizer, and truncation=True, max_length=8, padding="max_length" are told to one call.
# What happens: the call sets them in the tokenizer beneath, and save_pretrained writes them into tokenizer.json. Who reads that file with
# the library `tokenizers` (or anything built on it that does not set them itself) cuts every text at 8 tokens and fills it up to 8, without
# a word. transformers sets both anew with each call, so there nothing is to be seen; and one more call without options before saving
# takes them out again. So the same program saves another file, depending on the text it looked at last.
# Seen with transformers 5.23.0 and tokenizers 0.23.3, 2026-11-30. Exits with 1 if it is otherwise. PYTHON: a Python that has both; without
# one they are installed into a temporary folder.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${PYTHON:-python3}
pinned='from importlib.metadata import version as v; assert v("transformers") == "5.23.0" and v("tokenizers") == "0.23.3"'
if ! "$python" -c "$pinned" 2> "$folder/missing"; then
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install --quiet transformers==5.23.0 tokenizers==0.23.3
    python=$folder/venv/bin/python
fi
cat > "$folder/run.py" <<'PYTHON'
import importlib.metadata
import os
import sys
import tokenizers
import transformers

print(*(f"{name} {importlib.metadata.version(name)}" for name in ("transformers", "tokenizers")))
folder = sys.argv[1]
TEXT = "one two three four five six seven eight nine ten"
with open(os.path.join(folder, "vocab.txt"), "w") as f:
    f.writelines(piece + "\n" for piece in ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *TEXT.split()])


def lengths(name, *calls):
    """Of TEXT and of one word, by a tokenizer saved after these calls: read by tokenizers, and by transformers."""
    tokenizer = transformers.BertTokenizer(os.path.join(folder, "vocab.txt"))
    for options in calls:
        tokenizer("one", **options)
    saved = os.path.join(folder, name)
    tokenizer.save_pretrained(saved)
    plain, again = tokenizers.Tokenizer.from_file(os.path.join(saved, "tokenizer.json")), transformers.AutoTokenizer.from_pretrained(saved)
    found = [len(plain.encode(t).ids) for t in (TEXT, "one")], [len(again(t)["input_ids"]) for t in (TEXT, "one")]
    print(f"    {name}: tokenizers {found[0][0]} and {found[0][1]} tokens, transformers {found[1][0]} and {found[1][1]}")
    return found


cut = {"truncation": True, "max_length": 8, "padding": "max_length"}
print("a text of ten words and one of one, after")
sys.exit(not (lengths("no call") == ([12, 3], [12, 3]) and lengths("a call with max_length 8", cut) == ([8, 8], [12, 3])
              and lengths("another call without options behind it", cut, {}) == ([12, 3], [12, 3])))
PYTHON
"$python" "$folder/run.py" "$folder" 2> "$folder/noise" && code=0 || code=$?
[ $code = 0 ] || cat "$folder/noise"
exit $code
