#!/usr/bin/env python3
"""How good is it? The pocket model, bert-base-uncased and a guesser that only counts, on the same tests.

    python3 weights/pocket/judge.py WORK [MODEL ...]
    python3 weights/pocket/judge.py --dev WORK MODEL ...     the words only, in half of dev.txt: to look at while a recipe is sought

WORK is learn.py's; MODEL are directories (default: weights/pocket and weights/bert-base-uncased). Nothing here was
learned from: neither the held-out text nor the sentences of senses.tsv.

    words    held-out text, 15 % of the pieces hidden, all by [MASK]: is the first guess right? The pieces are the pocket
             model's; bert-base has them all, and is asked for the best of them
    counts   the same by counting in train.txt: of the most frequent piece, the most frequent one after the left
             neighbour and the most frequent one before the right neighbour, the one that was most often right there
    pairs    two sentences and the two behind them in the held-out text, or two of another document: is P(IsNext) above
             1/2 for the first kind, and below for the second?
    senses   word, two sentences with one sense of it, a third with another: are the vectors of the first two nearer?
             (`similarity --word`, as the documents sum them; level 0: before any context)
    bank     the documents' sentence, their two numbers
    cloze    five guesses for [MASK] in sentences of the documents

Needs: `make`, Python's standard library.
"""
import collections
import hashlib
import json
import os
import struct
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BERT = os.path.join(ROOT, "bert")
LONGEST = 62  # pieces between [CLS] and [SEP]
BANK = ("After stealing money from the bank vault, the bank robber was seen fishing on the Mississippi river bank.")
CLOZE = ["The cat sat on the [MASK].", "My dog is [MASK].", "The man went to the [MASK]. He bought a gallon of milk.",
         "The capital of France is [MASK].", "She put the money into the [MASK].", "He [MASK] playing the piano."]


def bert(*arguments, text=None):
    done = subprocess.run([BERT, *arguments], input=text, text=True, encoding="utf-8", stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(done.returncode)
    return done.stdout


def lines(path):
    with open(path, encoding="utf-8") as f:
        return f.read().split("\n")[:-1]


def number(*what):
    """A number from 0 to 1 that depends on nothing but its arguments."""
    return int(hashlib.sha256(repr(what).encode()).hexdigest()[:8], 16) / 2 ** 32


def documents(path):
    with open(path, encoding="utf-8") as f:
        return [d.split("\n") for d in f.read().strip("\n").split("\n\n")]


def write_ids(path, rows):
    """input_ids and attention_mask (B,T) as safetensors."""
    T = max(map(len, rows))
    ids = b"".join(struct.pack(f"<{T}q", *(r + [0] * (T - len(r)))) for r in rows)
    mask = b"".join(struct.pack(f"<{T}q", *([1] * len(r) + [0] * (T - len(r)))) for r in rows)
    shape = [len(rows), T]
    head = json.dumps({"input_ids": {"dtype": "I64", "shape": shape, "data_offsets": [0, len(ids)]},
                       "attention_mask": {"dtype": "I64", "shape": shape, "data_offsets": [len(ids), 2 * len(ids)]}}).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(head)) + head + ids + mask)


# ----------------------------------------------------------------------------------------------------------------- words
def exercises(path, pieces, share, of=""):
    """Sequences of pieces from a share of the text, as many sentences as fit; and which places are hidden."""
    text = documents(path)
    flat = [bert("tokenize", "-m", pieces, "--format", "pieces", "--no-add-special", "--no-special", "-f", "-",
                 text="\n".join(d) + "\n").split("\n")[:-1] for d in text]
    rows = []
    for d in flat:
        row = []
        for sentence in d:
            new = sentence.split()[:LONGEST]
            if row and len(row) + len(new) > LONGEST:
                rows.append(row)
                row = []
            row = row + new
        rows.append(row)
    rows = [r for i, r in enumerate(rows) if len(r) >= 8 and number(of + "row", i) < share]
    tasks = [(r, [t for t in range(len(r)) if number(of + "hide", i, t) < 0.15]) for i, r in enumerate(rows)]
    return [(row, places) for row, places in tasks if places]


def guess_words(model, tasks, allowed, scratch):
    place = {p: i for i, p in enumerate(lines(os.path.join(model, "vocab.txt")))}
    path = os.path.join(scratch, "ids.safetensors")
    rows = [[place["[CLS]"]] + [place["[MASK]"] if t in hidden else place[p] for t, p in enumerate(row)] + [place["[SEP]"]]
            for row, hidden in tasks]
    right = total = 0
    for begin in range(0, len(rows), 64):
        write_ids(path, rows[begin:begin + 64])
        answers = bert("fill-mask", "-q", "-m", model, "--format", "json", "--top-k", "40", "--inputs", path).splitlines()
        hidden = [(row, t) for row, places in tasks[begin:begin + 64] for t in places]
        assert len(answers) == len(hidden), (len(answers), len(hidden))
        for answer, (row, t) in zip(answers, hidden):
            names = [p["token_str"] for p in json.loads(answer)["predictions"]]
            right += next((n for n in names if n in allowed), None) == row[t]
            total += 1
    return right, total


class Counts:
    def __init__(self, path, pieces):
        self.after, self.before = collections.defaultdict(collections.Counter), collections.defaultdict(collections.Counter)
        alone = collections.Counter()
        for line in bert("tokenize", "-m", pieces, "--format", "pieces", "--no-add-special", "--no-special", "-f",
                         path).splitlines():
            row = line.split()
            alone.update(row)
            for a, b in zip(row, row[1:]):
                self.after[a][b] += 1
                self.before[b][a] += 1
        self.alone = alone.most_common(1)[0][0], alone.most_common(1)[0][1] / sum(alone.values())
        self.after, self.before = ({p: (c.most_common(1)[0][0], c.most_common(1)[0][1] / (sum(c.values()) + 2))
                                    for p, c in table.items()} for table in (self.after, self.before))

    def guess(self, row, hidden, t):
        options = [self.alone]
        if t and t - 1 not in hidden:
            options.append(self.after.get(row[t - 1], self.alone))
        if t + 1 < len(row) and t + 1 not in hidden:
            options.append(self.before.get(row[t + 1], self.alone))
        return max(options, key=lambda o: o[1])[0]


# ----------------------------------------------------------------------------------------------------------------- pairs
def make_pairs(work):
    """Two sentences, and the two behind them or two from elsewhere: about as long as those that were learned from."""
    text = [d for d in documents(os.path.join(work, "held-out.txt")) if len(d) > 4]
    out = []
    for i, d in enumerate(text):
        for s in range(0, len(d) - 3):
            if number("pair", i, s) < 0.04:
                a, b = f"{d[s]} {d[s + 1]}", f"{d[s + 2]} {d[s + 3]}"
                other = text[(i + 1 + int(number("other", i, s) * (len(text) - 1))) % len(text)]
                line = int(number("line", i, s) * (len(other) - 1))
                out += [(a, b, True), (a, f"{other[line]} {other[line + 1]}", False)]
    return [(a, b, n) for a, b, n in out if len(a.split()) + len(b.split()) < 90 and "|||" not in a + b]


def judge_pairs(model, pairs):
    out = bert("next-sentence", "-q", "-m", model, "--format", "json", "--truncate", "--pairs", "-f", "-",
               text="".join(f"{a} ||| {b}\n" for a, b, _ in pairs))
    answers = [json.loads(line)["is_next"] > 0.5 for line in out.splitlines()]
    return sum(a == n for a, (_, _, n) in zip(answers, pairs)) / len(pairs)


# ---------------------------------------------------------------------------------------------------------------- senses
def cosines(model, word, texts, *more):
    """The table of `similarity --word`: each occurrence with each."""
    return json.loads(bert("similarity", "-q", "-m", model, "--format", "json", "--word", word, *more, *texts))["cosines"]


def judge_senses(model, *more):
    right = total = 0
    for line in lines(os.path.join(HERE, "senses.tsv")):
        word, one, same, other = line.split("\t")
        c = cosines(model, word, [one, same, other], *more)
        assert len(c) == 3, line
        right += c[0][1] > c[0][2]
        total += 1
    return right, total


def judge_dev(work, models):
    pieces = os.path.join(work, "pieces")
    allowed = set(lines(os.path.join(pieces, "vocab.txt")))
    tasks = exercises(os.path.join(work, "dev.txt"), pieces, 0.5, "dev")
    with tempfile.TemporaryDirectory() as scratch:
        for model in models:
            right, total = guess_words(model, tasks, allowed, scratch)
            print(f"{model}  words in dev.txt {right / total:.4f} of {total}", flush=True)


def main():
    if len(sys.argv) < 2 or sys.argv[1] == "--dev" and len(sys.argv) < 4:
        sys.exit(__doc__)
    if sys.argv[1] == "--dev":
        return judge_dev(sys.argv[2], sys.argv[3:])
    work = sys.argv[1]
    models = sys.argv[2:] or [HERE, os.path.join(ROOT, "weights", "bert-base-uncased")]
    pieces = os.path.join(work, "pieces")
    allowed = set(lines(os.path.join(pieces, "vocab.txt")))
    tasks, pairs = exercises(os.path.join(work, "held-out.txt"), pieces, 0.25), make_pairs(work)
    counts = Counts(os.path.join(work, "train.txt"), pieces)
    hidden = [(row, set(places), t) for row, places in tasks for t in places]
    right = sum(counts.guess(row, places, t) == row[t] for row, places, t in hidden)
    print(f"counts       words {right / len(hidden):.3f} of {len(hidden)}", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        for model in models:
            right, total = guess_words(model, tasks, allowed, scratch)
            print(f"{model}\n             words {right / total:.3f} of {total}", flush=True)
            print(f"             pairs {judge_pairs(model, pairs):.3f} of {len(pairs)}", flush=True)
            right, total = judge_senses(model)
            before, _ = judge_senses(model, "--layers", "0")
            print(f"             senses {right} of {total}, {right / total:.3f}; before any context {before}")
            c = cosines(model, "bank", [BANK])
            print(f"             bank: vault and robber {c[0][1]:.3f}, robber and river {c[1][2]:.3f}, "
                  f"difference {c[0][1] - c[1][2]:.3f}", flush=True)
            for text in CLOZE:
                answer = json.loads(bert("fill-mask", "-q", "-m", model, "--format", "json", text))
                print(f"             {text}  " + ", ".join(f"{p['token_str']} {p['score']:.2f}"
                                                            for p in answer["predictions"]))


if __name__ == "__main__":
    main()
