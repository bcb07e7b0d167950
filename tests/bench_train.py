#!/usr/bin/env python3
"""bench_train.py - how fast does bert.c learn, what does it cost? (`make bench`; tests/SPEED.md has a copy of one run)

    python3 tests/bench_train.py [--quick] [--only steps,memory,growth,tricks]

Writes Markdown to standard output and to build/bench-train.md. As in bench.py: one thread, one core, float32, the same
weights and sequences, one step each in turn, medians, processor time. A step is forward, backward, clipping, AdamW, with
dropout 0.1 and without; the MLM head runs on the 15 % of the tokens that are to be guessed, on both sides. The exit code
is 1 if PyTorch's loss, or the length of its gradient, is not ours.
"""
import argparse
import json
import pathlib
import shutil
import statistics
import sys

import bench
import bench_tricks
from bench import Worker, digits, markdown, python_with

WORK = bench.ROOT / "build" / "bench-training"
PROGRAM = bench.ROOT / "build" / "bench-train-gcc"
# name: layers, H, V, sequences; 128 tokens each
SHAPES = {"bert-base": (12, 768, 30522, 8), "4L/256H, V 8,192": (4, 256, 8192, 32), "4L/128H, V 30,522": (4, 128, 30522, 32)}
T = 128
TRICKS = {
    "the MLM head on the chosen tokens: on all": [
        ("tests/bench_train.c", "if (place != 3 && place != 9 && place != 16) continue;",
         "if (place != 3 && place != 9 && place != 16) { x->rows[x->M] = (int)n; x->labels[x->M++] = -1; continue; }"),
    ],
    "the next panel asked for ahead": [
        ("tensor.c", "left >= PANEL && rows <= PANEL ?", "left == (size_t)-1 ?"),
    ],
    "12 sums at once: one weight row at a time": bench_tricks.TRICKS["12 sums at once: one weight row at a time"],
    "curves on vectors: libm, one number at a time": bench_tricks.TRICKS["curves on vectors: libm, one number at a time"],
    "pages of 2 MB": [("weights/files.c", "void wish_large_pages(void *memory, size_t size)\n{",
                       "void wish_large_pages(void *memory, size_t size)\n{\n    if (memory) return;")],
}


def directory(shape, dropout=0.1, weights=False):
    """A configuration, and for the comparison weights that PyTorch has drawn."""
    L, H, V, _ = shape
    path = WORK / f"{L}-{H}-{V}-{dropout}{'-weights' if weights else ''}"
    path.mkdir(parents=True, exist_ok=True)
    config = {"model_type": "bert", "num_hidden_layers": L, "hidden_size": H, "num_attention_heads": H // 64,
              "intermediate_size": 4 * H, "vocab_size": V, "max_position_embeddings": 512, "type_vocab_size": 2,
              "hidden_act": "gelu", "layer_norm_eps": 1e-12, "hidden_dropout_prob": dropout,
              "attention_probs_dropout_prob": dropout, "initializer_range": 0.02}
    (path / "config.json").write_text(json.dumps(config))
    return path


def workers(path, B, tokens=T):
    ours = Worker("bert.c", [PROGRAM, path, B, tokens])
    theirs = Worker("PyTorch", [python_with("torch", "transformers"), bench.TESTS / "bench_train_peer.py", path, B, tokens])
    return ours, theirs


def close(*some):
    for worker in some:
        worker.close()


def check(report, shape):
    """One loss and one gradient on the same weights. PyTorch's float32 loses digits where it adds up the squares of many
    numbers: with 4 million 1e-4 of the length."""
    path = directory(shape, 0.1, weights=True)
    pair = workers(path, 2)
    pair[1].ask("write")
    close(*pair)
    ours, theirs = workers(path, 2)
    a, b = (list(map(float, w.ask("check"))) for w in (ours, theirs))
    close(ours, theirs)
    report(f"Loss and length of its gradient on the same weights: bert.c {a[0]:.6f} {a[1]:.5f}, PyTorch {b[0]:.6f} {b[1]:.5f}\n")
    return abs(a[0] - b[0]) < 1e-5 * abs(b[0]) and abs(a[1] - b[1]) < 5e-3 * b[1]


def bench_steps(report, quick):
    rows = []
    for name, shape in SHAPES.items():
        B = shape[3]
        for dropout in (0.1, 0.0):
            ours, theirs = workers(directory(shape, dropout), B)
            found = {w: [] for w in (ours, theirs)}
            for w in found:
                w.ask("step")  # does not count
            for _ in range(3 if quick or B == 8 else 9):
                for w, times in found.items():
                    times.append(list(map(float, w.ask("parts"))))
            close(ours, theirs)
            median = lambda w: [statistics.median(t[i] for t in found[w]) for i in range(3)]
            ratio = statistics.median(sum(b) / sum(a) for a, b in zip(found[ours], found[theirs]))
            for w in found:
                ms = median(w)
                rows.append([name, f"{dropout:g}", w.name, *map(digits, ms), digits(B * T / sum(ms) * 1e3),
                             "" if w is ours else f"{ratio:.2f}x"])
    report("A step, milliseconds; PyTorch's time over ours is the median of the pairs:\n\n" + markdown(
        ["", "dropout", "", "forward", "backward", "clip, AdamW", "tokens/s", "over bert.c"], rows))


def bench_memory(report):
    rows = []
    for name, shape in SHAPES.items():
        pair = workers(directory(shape), shape[3])
        found = []
        for w in pair:
            w.ask("step"), w.ask("step")
            found.append(float(w.ask("memory")[0]))
        close(*pair)
        rows.append([name, *map(digits, found), f"{found[0] / found[1]:.2f}x"])
    report("The most memory of a process from random weights, two steps, MB:\n\n" + markdown(["", "bert.c", "PyTorch", "of PyTorch's"], rows))


def ms_of(path, *arguments, rounds):
    worker = Worker("bert.c", [PROGRAM, path, *arguments])
    worker.ask("step")
    ms = statistics.median(worker.ms("step") for _ in range(rounds))
    memory = float(worker.ask("memory")[0])
    worker.close()
    return ms, memory


def bench_growth(report, quick):
    shape = SHAPES["4L/256H, V 8,192"]
    path, rounds = directory(shape), 3 if quick else 5
    lengths = {t: ms_of(path, 4096 // t, t, rounds=rounds) for t in (32, 64, 128, 256, 512)}
    report("4L/256H, 4,096 tokens in a step, by the length of the sequences:\n\n" + markdown(
        ["tokens of a sequence", *lengths], [["ms", *(digits(ms) for ms, _ in lengths.values())]]))
    batches = {b: ms_of(path, b, T, rounds=rounds) for b in (1, 2, 4, 8, 16, 32, 64)}
    report("Sequences of 128 tokens in a step:\n\n" + markdown(
        ["sequences", *batches], [["ms", *(digits(ms) for ms, _ in batches.values())],
                                  ["ms per sequence", *(digits(ms / b) for b, (ms, _) in batches.items())]]))
    parts = {b: ms_of(path, 32, T, b, rounds=rounds) for b in (1, 2, 4, 8, 16, 32)}
    report("32 sequences in micro-batches: the same bits, less memory:\n\n" + markdown(
        ["sequences at once", *parts], [["ms", *(digits(ms) for ms, _ in parts.values())],
                                        ["MB", *(digits(mb) for _, mb in parts.values())]]))


def bench_tricks_of_training(report, quick):
    path = directory(SHAPES["4L/256H, V 8,192"])
    programs = {"nothing": PROGRAM}
    for number, (name, changes) in enumerate(TRICKS.items()):
        shutil.rmtree(WORK / f"trick-{number}", ignore_errors=True)
        programs[name] = bench_tricks.build(WORK / f"trick-{number}", changes, program="build/bench-train")
    running = {name: Worker(name, [program, path, 32, T]) for name, program in programs.items()}
    times = bench.interleaved(running, ("step",), 2 if quick else 5)
    close(*running.values())
    report("What each trick brings (4L/256H, 32 x 128): milliseconds of a step without it:\n\n" + markdown(
        ["taken away", "ms"], [[name, digits(statistics.median(t))] for name, t in times.items()]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="steps,memory,growth,tricks")
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    file = open(bench.ROOT / "build" / "bench-train.md", "w", encoding="utf-8")

    def report(text):
        print(text, flush=True)
        print(text, file=file, flush=True)

    bench.run(["make", "-s", "CC=gcc", f"BENCH_TRAIN={PROGRAM.relative_to(bench.ROOT)}", PROGRAM.relative_to(bench.ROOT)])
    good = check(report, SHAPES["4L/256H, V 8,192"])
    wanted = options.only.split(",")
    if "steps" in wanted:
        bench_steps(report, options.quick)
    if "memory" in wanted:
        bench_memory(report)
    if "growth" in wanted:
        bench_growth(report, options.quick)
    if "tricks" in wanted:
        bench_tricks_of_training(report, options.quick)
    sys.exit(not good)


if __name__ == "__main__":
    main()
