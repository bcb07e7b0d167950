#!/usr/bin/env python3
"""Compares tokenizer.c with Hugging Face's `tokenizers`: ids, types, mask and offsets, on every Unicode character.

    python3 tests/compare_tokenizer.py [--lines N] [--seed S] [--part scalars|lines|pairs] [--file TEXT] [vocab.txt ...]

Default vocabularies: weights/bert-base-uncased/vocab.txt and, if it is there, weights/bert-base-cased/vocab.txt.
  scalars  all 1,112,064 code points but surrogates, each alone, as aXb, and as "a X b"; lower case and cased
  lines    N random lines of pieces, scripts, marks, controls, emoji, special tokens; also with --no-special, and N/10 with
           each other setting of do_lower_case, strip_accents and tokenize_chinese_chars in tokenizer_config.json
  pairs    random pairs, truncated and padded to random lengths
With --file, only the lines of that text, with each vocabulary both in lower case and cased (tests/texts.py fetches one).
Prints the number of texts compared; exit 1 at the first differences. Expected values: tokenizers 0.23.3.
"""
import argparse
import itertools
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

import tokenizers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

ROOT = pathlib.Path(__file__).resolve().parents[1]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PAIR, PLAIN, BARE, PAD = 1, 2, 4, 8


def reference(vocab, lower, accents=None, chinese=True):
    """The tokenizer that transformers builds for BERT."""
    pieces = models.WordPiece.read_file(str(vocab))
    t = Tokenizer(models.WordPiece(pieces, unk_token="[UNK]"))
    t.normalizer = normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=chinese, strip_accents=accents, lowercase=lower)
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    t.add_special_tokens(SPECIAL)
    t.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[(s, t.token_to_id(s)) for s in ("[CLS]", "[SEP]")])
    return t


class Ours:
    """The C tokenizer behind a pipe; a batch goes through a file, so that neither side waits for the other."""

    def __init__(self, program, directory, case):
        self.command = [str(program), str(directory), case]

    def batch(self, requests):
        with tempfile.TemporaryFile() as asked:
            for flags, length, texts in requests:
                asked.write(struct.pack("=II", flags | (PAIR if len(texts) == 2 else 0), length))
                for text in texts:
                    data = text.encode()
                    asked.write(struct.pack("=I", len(data)) + data)
            asked.seek(0)
            got = subprocess.run(self.command, stdin=asked, stdout=subprocess.PIPE, check=True).stdout
        at = 0
        for _ in requests:
            (n,) = struct.unpack_from("=i", got, at)
            rows = struct.unpack_from(f"={5 * max(n, 0)}i", got, at + 4)
            at += 4 + 4 * len(rows)
            yield n, rows


def expected(encoding, texts):
    """The reference's answer as a row of ours; its offsets count characters, ours bytes."""
    ids, offsets = encoding.ids, encoding.offsets
    if not all(text.isascii() for text in texts):
        places = [[0, *itertools.accumulate(len(c.encode()) for c in text)] for text in texts]
        offsets = [(places[s or 0][a], places[s or 0][b]) for (a, b), s in zip(offsets, encoding.sequence_ids)]
    out = []
    for i, t, m, (a, b) in zip(ids, encoding.type_ids, encoding.attention_mask, offsets):
        out += (i, t, m, a, b)
    return tuple(out)


def compare(ours, theirs, requests, flags=0, length=0):
    """Number of differences; the first ones are printed."""
    theirs.encode_special_tokens = bool(flags & PLAIN)
    theirs.enable_truncation(length) if length else theirs.no_truncation()
    theirs.enable_padding(length=length, pad_id=theirs.token_to_id("[PAD]")) if flags & PAD else theirs.no_padding()
    inputs = [texts[0] if len(texts) == 1 else tuple(texts) for texts in requests]
    want = theirs.encode_batch(inputs, add_special_tokens=not flags & BARE)
    wrong = 0
    for texts, w, (n, got) in zip(requests, want, ours.batch([(flags, length, texts) for texts in requests])):
        w = expected(w, texts)
        if w == got and n * 5 == len(got):
            continue
        wrong += 1
        if wrong <= 3:
            print(f"  DIFFERENT flags {flags} length {length} {[ascii(t) for t in texts]}\n    reference {w}\n    ours {n} {got}")
    return wrong


def scalars(ours, theirs):
    count = wrong = 0
    points = list(itertools.chain(range(0xD800), range(0xE000, 0x110000)))
    for at in range(0, len(points), 40000):
        texts = [[form.replace("X", chr(c))] for c in points[at:at + 40000] for form in ("X", "aXb", "a X b")]
        wrong += compare(ours, theirs, texts)
        count += len(texts)
    return count, wrong


MARKS = [*range(0x300, 0x370), *range(0x8D4, 0x903), 0x1E000, 0x1E94A, 0x1E944, 0x1DFB, 0x11442, 0x1E8D0, 0x591, 0x5B0, 0x64B, 0x3099, 0x20E3, 0xF71, 0xF72, 0x344]
RANGES = [(0x20, 0x7F), (0x20, 0x7F), (0xA0, 0x250), (0x370, 0x530), (0x590, 0x700), (0x900, 0xE80), (0xF00, 0xFD0), (0x1100, 0x1200), (0x1E00, 0x2070), (0x20A0, 0x2C00),
          (0x3000, 0x3100), (0x3400, 0x3500), (0x4E00, 0x9FFF), (0xAC00, 0xD7A4), (0xE000, 0xE100), (0xF900, 0xFB10), (0xFF00, 0xFFFF), (0x1D100, 0x1D200), (0x1E000, 0x1E960),
          (0x1F300, 0x1FB00), (0x20000, 0x20100), (0x2B700, 0x2BA00), (0x2F800, 0x2FA20), (0xE0000, 0xE0100), (0, 0x20), (0x80, 0xA0)]


def random_line(rng, pieces, longest):
    """A mix in which every rule of the tokenizer meets every other one."""
    out = []
    for _ in range(rng.randrange(longest)):
        kind = rng.randrange(12)
        if kind < 4:
            out.append(rng.choice(pieces).replace("##", ""))
        elif kind == 4:
            out.append(rng.choice(pieces).upper())
        elif kind == 5:
            out.append(rng.choice(SPECIAL + ["[mask]", "[MASK", "##", "[unused1]", "[[SEP]]", "[MA\u00adSK]"]))
        elif kind == 6:
            out.append(rng.choice("aeo\u00e9\u1e69") + "".join(chr(rng.choice(MARKS)) for _ in range(rng.randrange(6))))
        elif kind == 7:
            out.append(rng.choice("ae\u00e9\u1e69\uac01\u0f73\u0344") * rng.choice([1, 2, 33, 34, 99, 100, 101, 1100]) if rng.random() < 0.1 else "\u200d")
        elif kind < 11:
            low, high = rng.choice(RANGES)
            out.append("".join(chr(rng.randrange(low, high)) for _ in range(rng.randrange(1, 6))))
        else:
            out.append(rng.choice([" ", "  ", "\t", "\n", "\u00a0", "\u3000", "\u2028", "\x0b", "\x00", "."]))
        if rng.random() < 0.4:
            out.append(" ")
    return "".join(out)


def random_lines(ours, theirs, pieces, seed, lines):
    rng = random.Random(seed)
    count = wrong = 0
    for at in range(0, lines, 20000):
        longest = 30 if at % 40000 == 0 else 8
        texts = [[random_line(rng, pieces, longest)] for _ in range(min(20000, lines - at))]
        wrong += compare(ours, theirs, texts, PLAIN if at % 60000 == 20000 else 0)
        count += len(texts)
    long_lines = [[random_line(rng, pieces, 3000)] for _ in range(50)] + [["\u0344\u0323\U0001e94a\u0f73" * 5000], ["x" + "\u0323\u0307" * 20000 + "y"]]
    return count + len(long_lines), wrong + compare(ours, theirs, long_lines)


def random_settings(program, vocab, pieces, seed, lines):
    """Every combination of the three settings, by way of tokenizer_config.json."""
    rng = random.Random(seed + 2)
    count = wrong = 0
    for lower, accents, chinese in itertools.product((True, False), (True, False, None), (True, False)):
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            (folder / "vocab.txt").write_bytes(vocab.read_bytes())
            settings = {"do_lower_case": lower, "strip_accents": accents, "tokenize_chinese_chars": chinese}
            (folder / "tokenizer_config.json").write_text(json.dumps(settings))
            texts = [[random_line(rng, pieces, 20)] for _ in range(max(1, lines // 10))]
            texts += [["".join(chr(c) for c in range(at, at + 64) if not 0xD800 <= c < 0xE000)] for at in range(0, 0x20000, 64)]
            wrong += compare(Ours(program, folder, "auto"), reference(vocab, lower, accents, chinese), texts)
            count += len(texts)
    return count, wrong


def random_pairs(ours, theirs, pieces, seed, rounds=400):
    """Pairs and single texts, cut and padded, 50 of each kind."""
    rng = random.Random(seed + 1)
    count = wrong = 0
    for _ in range(rounds):
        size = rng.choice([5, 20, 60])
        texts = [[random_line(rng, pieces, size) for _ in range(rng.choice([1, 2]))] for _ in range(50)]
        flags = rng.choice([0, 0, BARE, PAD, PLAIN, PAD | BARE])
        length = rng.randrange(4, 80) if flags & PAD or rng.random() < 0.8 else 0
        wrong += compare(ours, theirs, texts, flags, length)
        count += len(texts)
    word = lambda n: " ".join(["the"] * n)
    exact = [[word(a), word(b)] for a, b in ((300, 400), (400, 300), (300, 300), (1, 600), (600, 1), (254, 255), (255, 255))]
    exact += [[word(n)] for n in (509, 510, 511, 512)]
    return count + len(exact), wrong + compare(ours, theirs, exact, 0, 512)


def file_lines(ours, theirs, path):
    count = wrong = 0
    with path.open(encoding="utf-8", newline="\n") as text:
        while batch := [[line.rstrip("\n")] for line in itertools.islice(text, 20000)]:
            wrong += compare(ours, theirs, batch)
            count += len(batch)
    return count, wrong


def build():
    subprocess.run(["make", "-s", "build/tokenize_stream"], cwd=ROOT, check=True)
    return pathlib.Path(ROOT) / "build" / "tokenize_stream"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vocab", nargs="*", type=pathlib.Path)
    parser.add_argument("--lines", type=int, default=100000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", choices=["scalars", "lines", "pairs"])
    parser.add_argument("--file", type=pathlib.Path)
    parser.add_argument("--program", type=pathlib.Path, help="tokenize_stream, if it is built already")
    args = parser.parse_args()
    vocabs = args.vocab or [p for p in (ROOT / f"weights/bert-base-{c}/vocab.txt" for c in ("uncased", "cased")) if p.exists()]
    print(f"reference: tokenizers {tokenizers.__version__}", "" if tokenizers.__version__ == "0.23.3" else "(expected 0.23.3)")
    total = failures = 0
    program = args.program or build()
    for vocab, lower in itertools.product(vocabs, (True, False)):
        pieces = vocab.read_text(encoding="utf-8").split("\n")[:-1]
        if not args.file and lower == any(p[:1] != "[" and p.lower() != p for p in pieces):
            continue                            # each vocabulary in its own mode
        ours, theirs = Ours(program, vocab.parent, "uncased" if lower else "cased"), reference(vocab, lower)
        for part, run in ((args.file, lambda: file_lines(ours, theirs, args.file)),
                          ("scalars", lambda: scalars(ours, theirs)),
                          ("lines", lambda: random_lines(ours, theirs, pieces, args.seed, args.lines)),
                          ("lines", lambda: random_settings(program, vocab, pieces, args.seed, args.lines)),
                          ("pairs", lambda: random_pairs(ours, theirs, pieces, args.seed))):
            if part is None or (args.file or args.part or part) != part:
                continue
            count, wrong = run()
            print(f"{vocab.parent.name} {'uncased' if lower else 'cased'} {part.name if args.file else part}: {count:,} texts, {wrong} differences", flush=True)
            total, failures = total + count, failures + wrong
    print(f"{total:,} texts compared, {failures} differences")
    sys.exit(1 if failures or not total else 0)


if __name__ == "__main__":
    main()
