#!/bin/sh
# transformers_whole_word_chinese.sh - transformers 5's whole word masking: a "word" is what stands between two spaces.
#
# One would guess: DataCollatorForLanguageModeling(whole_word_mask=True) hides words as BERT's own whole word masking does,
# a piece with the ## pieces behind it, and so every Chinese character and every punctuation mark alone; or asks the fast
# tokenizer, whose word_ids say the same.
# What happens: the words are found by gaps between the offsets. A full stop or a comma belongs to the word in front,
# well-known is one word, and a line of Chinese (Japanese, Thai), which has no spaces, is ONE word: at mlm_probability 0.15 it
# is left alone 85 times in 100, and else each of its characters is [MASK]. Nothing is left to guess from.
# Texts of unequal length must be padded before: it asks for offset_mapping, but nothing pads that (an error).
# (It says that it hides all of them by [MASK], where BERT hides 80 in 100. The class for this of version 4 is gone.)
# Seen with transformers 5.23.0, tokenizers 0.23.3, 2026-11-30. No torch, no weights. Exits with 1 if it behaves otherwise.
# PYTHON: a Python that has these versions; without one they are installed into a temporary folder.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PYTHON:-python3}
if ! "$python" -c 'import tokenizers, transformers
assert tokenizers.__version__ == "0.23.3" and transformers.__version__ == "5.23.0"' 2> "$work/missing"; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet transformers==5.23.0 tokenizers==0.23.3 numpy
    python=$work/venv/bin/python
fi
cat > "$work/look.py" <<'PYTHON'
import sys
import warnings
import tokenizers
import transformers
from transformers import BertTokenizerFast, DataCollatorForLanguageModeling

warnings.simplefilter("ignore")
print("transformers", transformers.__version__, "tokenizers", tokenizers.__version__)
CHINESE = "今天天气很好我们去公园看花"
ENGLISH = "the cats sat on the mat, well-known."
with open(sys.argv[1], "w", encoding="utf-8") as f:
    for piece in "[PAD] [UNK] [CLS] [SEP] [MASK] the cat ##s sat on mat well known - , .".split() + sorted(set(CHINESE)):
        f.write(piece + "\n")
tokenizer = BertTokenizerFast(sys.argv[1])
collate = DataCollatorForLanguageModeling(tokenizer, whole_word_mask=True, mlm_probability=0.15, return_tensors="np", seed=0)


def hidden(text):
    """Which pieces are hidden together, in 2,000 tries; and how many of them a try hides, in all tries."""
    row = dict(tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True))
    tries = [tuple(int(p) for p in (collate([row])["labels"][0] != -100).nonzero()[0]) for _ in range(2000)]
    pieces = tokenizer.convert_ids_to_tokens(row["input_ids"])
    groups = {p: set.intersection(*(set(t) for t in tries if p in t)) for p in range(1, len(pieces) - 1)}
    return sorted({tuple(pieces[i] for i in sorted(g)) for g in groups.values()}), sorted({len(t) for t in tries})


words, _ = hidden(ENGLISH)
print("English, hidden together:", " | ".join(" ".join(w) for w in words))
runs, sizes = hidden(CHINESE)
print(f"Chinese, {len(CHINESE)} characters: hidden together {[len(r) for r in runs]}; characters hidden in a try: {sizes}")
together = ("mat", ",") in words and ("well", "-", "known", ".") in words and ("cat", "##s") in words
sys.exit(not (together and sizes == [0, len(CHINESE)]))
PYTHON
"$python" -W ignore "$work/look.py" "$work/vocab.txt" 2> "$work/log" || { cat "$work/log"; exit 1; }
