#!/usr/bin/env python3
"""Writes tokenizer_lines.txt: 4,000 random hard lines with what Hugging Face's `tokenizers` 0.23.3 makes of them.

    python3 tests/golden/make_tokenizer_lines.py

A line of the file is  u or c (lower case, or cased), the text's bytes in hexadecimal, the ids, and the offsets in bytes,
with a tab between. Both modes use the uncased vocabulary, which is in the repository; so `make test` proves exactness on
them without Python or a download. tests/compare_tokenizer.py, from which the lines come, does so on millions.
"""
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from compare_tokenizer import ROOT, expected, random_line, reference

vocab = ROOT / "weights/bert-base-uncased/vocab.txt"
pieces = vocab.read_text(encoding="utf-8").split("\n")[:-1]
rng = random.Random(20)
rows = []
for mode in "uc":
    theirs = reference(vocab, mode == "u")
    for _ in range(2000):
        text = random_line(rng, pieces, rng.choice([3, 6, 12]))
        numbers = expected(theirs.encode(text), [text])
        ids, begins, ends = numbers[0::5], numbers[3::5], numbers[4::5]
        places = " ".join(f"{b} {e}" for b, e in zip(begins, ends))
        rows.append("\t".join([mode, text.encode().hex(), " ".join(map(str, ids)), places]))
path = ROOT / "tests/golden/tokenizer_lines.txt"
path.write_text("\n".join(rows) + "\n")
print(f"{path.name}: {len(rows)} lines, {path.stat().st_size} bytes")
