#!/usr/bin/env python3
"""What can be learned on top of it: two tasks of the documents, sentiment and parts of speech.

    python3 weights/pocket/tasks.py [MODEL]       default: weights/pocket; needs ./bert, pip, npm, scikit-learn

The sets are those of notebooks/learning_curves.py, which says where they come from; the held-out examples are the same.
All weights learn (`bert train --task`); the models are left in build/tasks. Prints the share that is right in the held-out
examples, beside that of always saying the most frequent label.
"""
import json
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HERE)), "notebooks"))
import learning_curves as sets

OUT = sets.ROOT / "build" / "tasks"
RATE = {"classify": "5e-4", "tag": "1e-3"}
EPOCHS = {"classify": 4, "tag": 8}


def tagged(sentences):
    return [line for s in sentences for line in (*("\t".join(pair) for pair in s), "")]


def learn(model, task, examples, held, count, score):
    """The score of the last step's model on the held-out examples."""
    steps = EPOCHS[task] * count // 16
    shutil.rmtree(OUT / task, ignore_errors=True)  # of the last time
    sets.bert("train", "-q", "-m", model, "-o", OUT / task, "--task", task, "-f", examples, "--dev", held, "--steps", steps,
              "--batch", 16, "--learning-rate", RATE[task], "--warmup", steps // 10, "--max-length", 64)
    log = (OUT / task / "training" / "log.jsonl").read_text().splitlines()
    return json.loads(log[-1])[score]


def most_frequent(labels):
    return max(labels.count(label) for label in set(labels)) / len(labels)


def main():
    model = sys.argv[1] if len(sys.argv) > 1 else HERE
    for directory in (sets.WORK, OUT):
        os.makedirs(directory, exist_ok=True)
    rows, n = sets.sentiment(), sets.HELD_OUT["sentiment"]
    files = [sets.write(f"{name}.tsv", ["\t".join(row) for row in part]) for name, part in (("held", rows[:n]), ("learn", rows[n:]))]
    right = learn(model, "classify", files[1], files[0], len(rows) - n, "dev_classify_accuracy")
    print(f"sentiment  {len(rows) - n} reviews: {right:.3f} of {n} held out; the most frequent label {most_frequent([r[0] for r in rows[:n]]):.3f}", flush=True)
    sentences, n = sets.tagged_sentences(), sets.HELD_OUT["tags"]
    files = [sets.write(f"{name}-tags.tsv", tagged(part)) for name, part in (("held", sentences[:n]), ("learn", sentences[n:]))]
    right = learn(model, "tag", files[1], files[0], len(sentences) - n, "dev_tag_accuracy")
    words = [tag for s in sentences[:n] for _, tag in s]
    print(f"tags       {len(sentences) - n} sentences: {right:.3f} of {len(words)} words held out; the most frequent tag {most_frequent(words):.3f}", flush=True)


if __name__ == "__main__":
    main()
