#!/usr/bin/env python3
"""Learns the pocket model, the same one for everybody, byte for byte.

    python3 weights/pocket/learn.py WORK [first | PART]

In WORK it makes, one after the other, whatever is not there yet:

    train.txt, dev.txt, held-out.txt   the text (text.py)
    pieces/                            vocab.txt: 8,192 of bert-base-uncased's pieces
    start/                             the first weights: random, but for what is said below
    stay/, fall/                       two parts of `./bert train`; killed, they go on where they were
    half/                              what they come to, in float16
    again/                             a third part, which begins there
    more/                              what it comes to, in float16
    lower/                             a fourth part, which begins there
    four/                              what it comes to, in float16
    grown/                             the same with a fifth layer on top, that does next to nothing yet
    fifth/                             a fifth part, which begins there
    five/                              what it comes to, in float16
    sixth/                             a sixth part, which begins there
    kept/                              the weights after some steps of all these parts (growth.py looks at them)
    pocket/                            what the last part comes to, in float16; config.json, vocab.txt, tokenizer_config.json

and compares text, pieces, first weights, the weights after 250 steps and what is in float16 with the sha256 that they have
here. With `first` it learns those 250 steps only. PART is one of stay, fall, again, lower, fifth and sixth: that part only.
Whoever has what it begins with, half, more, four or five, can so repeat it without those before. Told to end (Ctrl-C,
SIGTERM), it saves where it is; the same command goes on from there.

THE FIRST WEIGHTS. All of a small model's trouble is at the beginning: from random weights it takes millions of tokens
until it does better than to guess by how frequent a word is, and millions more until it looks at a word's neighbours.
So four things are not random:

    word embeddings       160 of the 192 numbers: bert-base-uncased's of the same pieces, 768 numbers each, projected onto
                          the directions in which they differ most, and turned, so that no unit has more than another
    position embeddings   the other 32: sine and cosine of the position at 16 frequencies
    queries and keys      of four heads of the first layer and two of the second: they see the sines only, turned by so
                          many places that the head looks one or two tokens back, or ahead
    decoder's bias        the logarithm of how frequent a piece is in the text

Everything else is random as `bert train` makes it. The projection is computed in whole numbers, and what libm computes
is rounded to 12 bits behind the point, so the bits do not depend on a machine or on a library.

Needs: `make`, weights/bert-base-uncased (`make weights`), numpy, and what text.py needs. One core.
"""
import collections
import contextlib
import hashlib
import itertools
import json
import math
import os
import shutil
import signal
import struct
import subprocess
import sys

import numpy as np

import text

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BERT = os.path.join(ROOT, "bert")
BASE = os.path.join(ROOT, "weights", "bert-base-uncased")

PIECES = 8192
CONFIG = {"architectures": ["BertForPreTraining"], "model_type": "bert", "vocab_size": PIECES, "hidden_size": 192,
          "num_hidden_layers": 4, "num_attention_heads": 6, "intermediate_size": 768, "hidden_act": "gelu",
          "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "max_position_embeddings": 128,
          "type_vocab_size": 2, "initializer_range": 0.04, "layer_norm_eps": 1e-12, "pad_token_id": 0}
RECIPE = ["--truncate", "--mask", "0.2", "--warmup", "100", "--save-every", "250"]
# The rate stays, then it falls to 0, on longer sequences, which the positions behind the 64th need. From there on each part
# rises and falls again, and begins at weights in float16: a file as large as the result is all that it needs of those before.
# Name: where it begins, the steps whose weights are kept, settings.
PARTS = {"stay": ("start", [250, 2250, 5000, 10000, 15000], ["--max-length", "64", "--batch", "32", "--learning-rate", "1e-3",
                                                             "--schedule", "constant", "--seed", "0"])}
for name, begin, rate, steps, seed in [("fall", "stay", "1e-3", 4500, 1), ("again", "half", "1e-3", 20000, 2),
                                       ("lower", "more", "7e-4", 17000, 4), ("fifth", "grown", "7e-4", 20000, 5),
                                       ("sixth", "five", "6e-4", 20000, 6)]:
    PARTS[name] = (begin, [steps], ["--max-length", "128", "--batch", "16", "--learning-rate", rate, "--schedule", "linear",
                                    "--seed", str(seed)])
FIRST = PARTS["stay"][1][0]  # steps, after which the weights have this sha256:
FIRST_SHA = "5c698c5320e33c552fe1a3bb585b411e3111ad60912d863ef190977153831bcc"
VOCAB_SHA = "50a0f96001dd11c65acc5ae751828d57a657d022b37687f06b4939be055f8d10"
START_SHA = "a9ec836924a62773179bac0146f240c38a5bc3602c1b8910dff0e212be0041a8"
# What is made of a part in float16: its directory, and the sha256 of the weights. A further part begins there.
HALVES = {"fall": ("half", "968003013782f0a023ced6b7d7ca4d7751aa5a6e88ce15e6f64a47f388b35adc"),
          "again": ("more", "3947b21befdcc8ba200fa3f3fb9660e0e97a9687f8d2e1d1d6b4eba88ae3a3e7"),
          "lower": ("four", "a83708607854902fb825dc94d3bb83a1d9f58626af9c2cd69679ab35d8b014a6"),
          "fifth": ("five", "8c5c5bf437489755953f5d1921c88bcf44ab62171bf6196e95b9905b8e1d5aae"),
          "sixth": ("pocket", "eadd1d47296d110c87f51da3aefcdb605007df14734bb29944b678f390f11f48")}
GROWN_SHA = "f8647bc66180e5de3d0aa94397d818d7531aa18b4adf336e1664921cf28ded87"
SCALE = 0.1  # deviation of the word embeddings
WAVE = 0.15  # height of the sines
WAVES = [0.05 + 3 * ((i * 0.6180339887) % 1) for i in range(16)]  # no two fit together within 128 places
GAIN = 1.1  # of the queries and keys that see them
SHIFTS = {0: (-1, 1, -2, 2), 1: (-1, 1)}  # layer: where its first heads look
WORDS = "ca6b51539e1d8c14f11e946a2e6f87a2f547aa0f8d17c15f1c92299d51cd8105"  # sha256 of bert-base's word embeddings

# Sentences of the documents: their pieces are in the vocabulary, so that they come out as printed.
DOCUMENTS = """
After stealing money from the bank vault, the bank robber was seen fishing on the Mississippi river bank.
Here is the sentence I want embeddings for.
This blog post explains pre trained word embeddings. The embedding of the input.
The cat sat on the mat. My dog is cute. He likes playing. How do magnets work?
The man went to the store. He bought a gallon of milk. Penguins are flightless birds.
What is my place of residence? What's your name?
Example sentence 1. Example sentence 2. I went to the bank to deposit money. The capital of France is Paris.
""".strip()
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def run(*command, given=None, **more):
    """What it prints, if `stdout` is a pipe. Told to end while it runs, it ends first, and leaves what it can go on from."""
    child, told = subprocess.Popen(command, stdin=subprocess.PIPE if given is not None else None, **more), []

    def end(number, _):
        if number == signal.SIGTERM:  # Ctrl-C reaches it from the terminal; a second signal would not let it save
            child.terminate()
        told.append(number)
    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    said, _ = child.communicate(given)
    for number, handler in before.items():
        signal.signal(number, handler)
    if told:
        sys.exit("stopped; the same command goes on from here")
    if child.returncode:
        sys.exit(f"{' '.join(command[:2])}: exit code {child.returncode}")
    return said


def lines(path):
    with open(path, encoding="utf-8") as f:
        return f.read().split("\n")[:-1]


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


@contextlib.contextmanager
def whole(target):
    """A directory to make things in; it has its name when all of them are made, and not before."""
    shutil.rmtree(target + ".new", ignore_errors=True)
    os.makedirs(target + ".new")
    yield target + ".new"
    os.rename(target + ".new", target)


def compare(what, got, want):
    print(got, what, flush=True)
    if got != want:
        sys.exit(f"{what}: expected {want}")


def once(directory, file, want, make):
    """make(directory), if it is not there yet; `file` in it must have the sha256 `want`, or it does not get its name."""
    if os.path.exists(directory):
        compare(os.path.join(directory, file), digest(os.path.join(directory, file)), want)
        return
    with whole(directory) as new:
        make(new)
        compare(os.path.join(directory, file), digest(os.path.join(new, file)), want)


def count_pieces(directory, file=None, given=None):
    """How often each piece is in a file, or in a string."""
    out = run(BERT, "tokenize", "-m", directory, "--format", "pieces", "--no-add-special", "--no-special", "-f", file or "-",
              given=given, stdout=subprocess.PIPE, encoding="utf-8")
    return collections.Counter(out.split())


# ---------------------------------------------------------------------------------------------------------------- pieces
def choose_pieces(work, directory):
    """In the order of the original: special pieces, letters and marks (so that every English word has pieces), those of
    the documents, then the most frequent of the text; of equally frequent ones the first."""
    order = lines(os.path.join(BASE, "vocab.txt"))
    marks = {chr(c) for c in range(33, 127)} - set("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    wanted = set(SPECIAL) | {p for p in order if p in marks or (p[:2] == "##" and p[2:] in marks)}
    wanted |= set(count_pieces(BASE, given=DOCUMENTS + "\n"))
    place = {p: i for i, p in enumerate(order)}
    counts = count_pieces(BASE, os.path.join(work, "train.txt"))
    frequent = (p for p in sorted(counts, key=lambda p: (-counts[p], place[p])) if p not in wanted)
    wanted |= set(itertools.islice(frequent, PIECES - len(wanted)))
    with open(os.path.join(directory, "config.json"), "w") as f:
        json.dump(CONFIG, f, indent=2)
    shutil.copy(os.path.join(BASE, "tokenizer_config.json"), directory)
    with open(os.path.join(directory, "vocab.txt"), "w", encoding="utf-8") as f:
        f.writelines(p + "\n" for p in order if p in wanted)


# --------------------------------------------------------------------------------------------------------- first weights
UNIT = 1 << 14  # what 1 is in whole numbers


def coins(n, m, purpose):
    """(n,m) numbers, each 1 or -1."""
    need = n * m // 8 + 1
    data = b"".join(hashlib.sha256(f"{purpose} {i}".encode()).digest() for i in range(need // 32 + 1))
    bits = np.unpackbits(np.frombuffer(data, np.uint8))[:n * m]
    return bits.reshape(n, m).astype(np.int64) * 2 - 1


def product(a, b):
    """Of whole numbers. In floating point, which is faster, where the sums are below 2^53: then it is exact as well."""
    if int(np.abs(a).max(initial=0)) * int(np.abs(b).max(initial=0)) * a.shape[1] < 1 << 53:
        return (a.astype(np.float64) @ b.astype(np.float64)).astype(np.int64)
    return a @ b


def orthogonal(z):
    """Gram and Schmidt in whole numbers: columns at right angles to each other, each UNIT long."""
    q = np.zeros_like(z)
    while np.abs(z).max() >= 1 << 20:
        z = z >> 1
    for j in range(z.shape[1]):
        v = z[:, j] << 8
        for _ in range(2):
            v = v - product(q[:, :j], product(q[:, :j].T, v) // UNIT) // UNIT
        q[:, j] = (v * UNIT) // math.isqrt(int(v @ v))
    return q


def project(x, dims):
    """(n,dims) <- x (n,m): onto the directions in which the rows differ most, then turned at random.
    Found by repeating directions <- orthogonal(covariance directions). Whole numbers, so in any order the same bits."""
    x = np.rint(x.astype(np.float64) * 1024).astype(np.int64)
    x = x - x.sum(axis=0) // len(x)
    covariance = product(x.T, x) // 64
    q = orthogonal(coins(x.shape[1], dims, "directions") * 4096)
    for _ in range(12):
        q = orthogonal(product(covariance, q))
    return product(product(x, q) // UNIT, orthogonal(coins(dims, dims, "turn") * 4096))


def read_tensors(path):
    """Arrays by name, in the order of their numbers in the file."""
    with open(path, "rb") as f:
        data = f.read()
    at = 8 + struct.unpack("<Q", data[:8])[0]
    header, types, tensors = json.loads(data[8:at]), {"F32": "<f4", "F16": "<f2", "I64": "<i8"}, {}
    header.pop("__metadata__", None)
    for name, x in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = (at + offset for offset in x["data_offsets"])
        tensors[name] = np.frombuffer(data[begin:end], types[x["dtype"]]).reshape(x["shape"])
    return tensors


def base_embeddings(pieces):
    tensors = read_tensors(os.path.join(BASE, "model.safetensors"))
    words = next(x for name, x in tensors.items() if name.endswith("embeddings.word_embeddings.weight"))
    sha = hashlib.sha256(words).hexdigest()
    if sha != WORDS:
        sys.exit(f"{BASE}: the word embeddings have sha256 {sha}, expected {WORDS}")
    place = {p: i for i, p in enumerate(lines(os.path.join(BASE, "vocab.txt")))}
    return words[[place[p] for p in pieces]]


def exact(x):
    """Where the last bit of a sine differs from machine to machine, this one does not."""
    return np.rint(np.asarray(x) * 4096) / 4096


def positions(first):
    """(P,H): zeros, but for sine and cosine of the position from unit `first` on."""
    angles = np.arange(CONFIG["max_position_embeddings"])[:, None] * np.array(WAVES)
    out = np.zeros((len(angles), CONFIG["hidden_size"]))
    out[:, first:] = WAVE * exact(np.hstack([np.sin(angles), np.cos(angles)]))
    return out


def look(query, key, head, shift, first):
    """Head `head` looks `shift` places ahead: sin w(t+s) = sin wt cos ws + cos wt sin ws, and likewise the cosine."""
    n = len(WAVES)
    rows, sines, cosines = head * 2 * n, first + np.arange(n), first + n + np.arange(n)
    turn = exact(np.cos(np.array(WAVES) * shift)), exact(np.sin(np.array(WAVES) * shift))
    query[rows:rows + 2 * n] = key[rows:rows + 2 * n] = 0
    for i in range(n):
        key[rows + i, sines[i]] = key[rows + n + i, cosines[i]] = GAIN
        query[rows + i, sines[i]] = query[rows + n + i, cosines[i]] = GAIN * turn[0][i]
        query[rows + i, cosines[i]], query[rows + n + i, sines[i]] = GAIN * turn[1][i], -GAIN * turn[1][i]


def set_weights(path, change):
    """change(tensors) alters the tensors of a file of float32, a dictionary of arrays by the ends of their names."""
    tensors = {name.removeprefix("bert."): x.astype(np.float64) for name, x in read_tensors(path).items()}
    change(tensors)
    numbers = b"".join(x.astype("<f4").tobytes() for x in tensors.values())
    with open(path, "r+b") as f:
        f.seek(-len(numbers), os.SEEK_END)
        f.write(numbers)


def first_weights(work, start):
    """Random weights by a step at rate 0 (the first of a warm-up), then those that are not random."""
    pieces = os.path.join(work, "pieces")
    run(BERT, "train", "-q", "-o", start, "--config", os.path.join(pieces, "config.json"), "--vocab",
        os.path.join(pieces, "vocab.txt"), "-f", os.path.join(work, "dev.txt"), "--steps", "1", "--warmup", "1",
        "--max-length", "64", "--truncate")
    shutil.rmtree(os.path.join(start, "training"))
    vocabulary, first = lines(os.path.join(pieces, "vocab.txt")), CONFIG["hidden_size"] - 2 * len(WAVES)
    words = project(base_embeddings(vocabulary), first)
    mean_square = sum(int(v) for v in (words * words).sum(axis=1)) // words.size
    counts = count_pieces(pieces, os.path.join(work, "train.txt"))
    total = sum(counts.values()) + len(vocabulary)

    def change(tensors):
        table = tensors["embeddings.word_embeddings.weight"]
        table[:] = 0
        table[:, :first] = words.astype(np.float64) * SCALE / math.isqrt(mean_square)
        tensors["embeddings.position_embeddings.weight"] = positions(first)
        tensors["cls.predictions.bias"] = exact([math.log((counts[p] + 1) / total) for p in vocabulary])
        for layer, shifts in SHIFTS.items():
            of = f"encoder.layer.{layer}.attention.self."
            for head, shift in enumerate(shifts):
                look(tensors[of + "query.weight"], tensors[of + "key.weight"], head, shift, first)

    set_weights(os.path.join(start, "model.safetensors"), change)


# ---------------------------------------------------------------------------------------------------------------- result
def write_halves(path, tensors):
    """Each number as the nearest one in float16."""
    header, offset, blocks = {"__metadata__": {"format": "pt"}}, 0, []
    for name, x in tensors.items():
        blocks.append(x.astype("<f2").tobytes())
        header[name] = {"dtype": "F16", "shape": list(x.shape), "data_offsets": [offset, offset + len(blocks[-1])]}
        offset += len(blocks[-1])
    head = json.dumps(header, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(head)) + head + b"".join(blocks))


def copy_small(source, target):
    for file in ("config.json", "vocab.txt", "tokenizer_config.json"):
        shutil.copy(os.path.join(source, file), target)


def grow(source, target):
    """One layer more, on top. It is the last one once again, but the two matrices whose products are added to the hidden
    state are 0, with their biases, and both LayerNorms have one weight and one bias for all units: the deviation and the mean that the hidden
    state has already. So it passes on what it gets, nearly, and has everything to learn from."""
    tensors, grown = read_tensors(os.path.join(source, "model.safetensors")), {}
    last = CONFIG["num_hidden_layers"] - 1
    weight, bias = (tensors[f"bert.encoder.layer.{last}.output.LayerNorm.{x}"].tolist() for x in ("weight", "bias"))
    mean = math.fsum(bias) / len(bias)
    deviation = math.sqrt(math.fsum(w * w + (b - mean) ** 2 for w, b in zip(weight, bias)) / len(bias))
    for name, x in tensors.items():
        grown[name] = x
        if f".layer.{last}." in name:
            above = name.replace(f".layer.{last}.", f".layer.{last + 1}.")
            grown[above] = np.zeros_like(x) if ".output.dense." in name else x
            if ".LayerNorm." in name:
                grown[above] = np.full_like(x, deviation if name.endswith("weight") else mean)
    copy_small(source, target)
    with open(os.path.join(target, "config.json"), "w") as f:
        json.dump(dict(CONFIG, num_hidden_layers=last + 2), f, indent=2)
    write_halves(os.path.join(target, "model.safetensors"), grown)


def kept(work, part, steps):
    return os.path.join(work, "kept", f"{part}-{steps}")


def learn(work, part, steps):
    """One part of the training up to that step; its weights are kept."""
    begin, _, settings = PARTS[part]
    out, keep = os.path.join(work, part), kept(work, part, steps)
    if not os.path.exists(keep):
        run(BERT, "train", "-o", out, "-m", begin_of(work, begin), "-f", os.path.join(work, "train.txt"), "--steps", str(steps),
            "--resume", *RECIPE, *settings)
        with whole(keep) as new:
            shutil.copytree(out, new, ignore=shutil.ignore_patterns("training"), dirs_exist_ok=True)
    sha, what = digest(os.path.join(keep, "model.safetensors")), f"{part}, after {steps} steps"
    if keep == kept(work, "stay", FIRST):
        compare(what, sha, FIRST_SHA)
    else:
        print(sha, what, flush=True)


def begin_of(work, begin):
    return kept(work, begin, PARTS[begin][1][-1]) if begin in PARTS else os.path.join(work, begin)


def check_begin(work, begin):
    """Is what a part begins with there, and complete? In float16 it is compared."""
    if begin == "grown":
        check_begin(work, "four")
        once(os.path.join(work, begin), "model.safetensors", GROWN_SHA, lambda new: grow(os.path.join(work, "four"), new))
        return
    directory = begin_of(work, begin)
    if not os.path.exists(os.path.join(directory, "model.safetensors")):
        sys.exit(f"{directory}, where this part begins, is not there: README.md of this directory says how to repeat one part")
    halves = dict(HALVES.values())
    if begin in halves:
        compare(f"{begin}/model.safetensors", digest(os.path.join(directory, "model.safetensors")), halves[begin])


def halve(source, target):
    copy_small(source, target)
    write_halves(os.path.join(target, "model.safetensors"), read_tensors(os.path.join(source, "model.safetensors")))


def prepare(work):
    """The pieces and the first weights."""
    if not os.path.exists(os.path.join(BASE, "model.safetensors")):
        sys.exit(f"{BASE} is not there: make weights")
    once(os.path.join(work, "pieces"), "vocab.txt", VOCAB_SHA, lambda new: choose_pieces(work, new))
    once(os.path.join(work, "start"), "model.safetensors", START_SHA, lambda new: first_weights(work, new))


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[2:] and sys.argv[2] not in ("first", *PARTS):
        sys.exit(__doc__)
    work, wanted = sys.argv[1], sys.argv[2] if sys.argv[2:] else "all"
    if not os.path.exists(BERT):
        sys.exit(f"{BERT} is not there: make")
    if not all(os.path.exists(os.path.join(work, name)) for name in text.RESULTS):
        run(sys.executable, os.path.join(HERE, "text.py"), work)
    for name, sha in text.RESULTS.items():
        compare(name, digest(os.path.join(work, name)), sha)
    if wanted in ("all", "first", "stay"):
        prepare(work)
    if wanted == "first":
        learn(work, "stay", FIRST)
        return
    for part, (begin, milestones, _) in PARTS.items():
        if wanted not in ("all", part):
            continue
        check_begin(work, begin)
        for steps in milestones:
            learn(work, part, steps)
        if part in HALVES:
            name, sha = HALVES[part]
            once(os.path.join(work, name), "model.safetensors", sha, lambda new: halve(kept(work, part, milestones[-1]), new))


if __name__ == "__main__":
    main()
