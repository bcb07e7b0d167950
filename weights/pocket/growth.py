#!/usr/bin/env python3
"""How it came to know what it knows: growth.json, which the page shows.

    python3 weights/pocket/growth.py WORK

WORK is learn.py's, which keeps the weights of a few steps in WORK/kept and a line for each step in training/log.jsonl.
For each of these steps: three guesses for [MASK] in judge.py's sentences, and the two cosines of the bank sentence. And
the curve, a point for every 500 steps: loss and accuracy at the hidden words, and of the next sentence, as they were
while it learned.

Needs: `make`, numpy.
"""
import json
import os
import sys

import judge
import learn

POINT = 500  # steps


def log(work, part):
    with open(os.path.join(work, part, "training", "log.jsonl"), encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def curve(steps):
    """Means over POINT steps each."""
    points = [steps[i:i + POINT] for i in range(0, len(steps) - POINT + 1, POINT)]
    mean = lambda name, digits: [round(sum(s[name] for s in p) / POINT, digits) for p in points]
    return {"step": [POINT * (i + 1) for i in range(len(points))], "loss": mean("mlm_loss", 3),
            "accuracy": mean("mlm_accuracy", 4), "next_sentence": mean("nsp_accuracy", 4)}


def stage(step, directory):
    answers = [json.loads(judge.bert("fill-mask", "-q", "-m", directory, "--format", "json", "--top-k", "3", text))
               for text in judge.CLOZE]
    cosines = judge.cosines(directory, "bank", [judge.BANK])
    return {"step": step, "guesses": [[[p["token_str"], round(p["score"], 4)] for p in a["predictions"]] for a in answers],
            "bank": [round(cosines[0][1], 4), round(cosines[1][2], 4)]}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    work = sys.argv[1]
    stages, before = [stage(0, os.path.join(work, "start"))], 0
    for part, (_, milestones, _) in learn.PARTS.items():
        stages += [stage(before + n, learn.kept(work, part, n)) for n in milestones]
        before += milestones[-1]
    steps = [s for part in learn.PARTS for s in log(work, part)]
    out = {"sentences": judge.CLOZE, "stages": stages, "curve": curve(steps)}
    with open(os.path.join(judge.HERE, "growth.json"), "w", encoding="utf-8") as f:
        f.write(json.dumps(out, separators=(",", ":")).replace('},{"step"', '},\n{"step"') + "\n")


if __name__ == "__main__":
    main()
