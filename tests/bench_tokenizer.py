#!/usr/bin/env python3
"""How fast is `bert tokenize`? Against Hugging Face's tokenizers and flash-tokenizer: same text, one thread, one run.

    python3 tests/bench_tokenizer.py [--rounds N] [--text FILE]         (as `make bench` does)

The others are installed into build/bench-venv, pinned, and needed for nothing else. The texts, one after the other, are
those of tests/texts.py: English, seven more scripts, and a mixed one. The three take turns, and the medians over all rounds count; time is processor
time, as this does not depend on what else the machine does. For `bert` it is that of the whole process, which loads its
vocabulary, reads the file and prints the ids; for the others that of the calls alone, with the lines already in memory.
The ids of all lines are compared as well. No speed is asserted: the exit code is 1 if Hugging Face's ids differ from ours.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys

import texts

ROOT = pathlib.Path(__file__).resolve().parents[1]
VENV = ROOT / "build" / "bench-venv"
VOCAB = ROOT / "weights" / "bert-base-uncased" / "vocab.txt"
PINNED = ["tokenizers==0.23.3", "flash-tokenizer==1.2.0"]

# Runs in the venv: for each line on stdin all texts once; prints the seconds, or for "ids" the ids.
WORKER = """
import sys, time
name, vocab, path = sys.argv[1:]
lines = open(path, encoding="utf-8", newline="\\n").read().split("\\n")[:-1]
if name == "tokenizers":
    from compare_tokenizer import reference
    t = reference(vocab, True)
    run = lambda: t.encode_batch_fast(lines)
    ids = lambda answer: [x.ids for x in answer]
else:
    from flash_tokenizer import BertTokenizerFlash
    t = BertTokenizerFlash(vocab, do_lower_case=True).tokenizer
    run = lambda: [t.encode(line, "longest", 1 << 20) for line in lines]
    ids = lambda answer: answer
for order in sys.stdin:
    start = time.process_time()
    answer = run()
    seconds = time.process_time() - start
    if order == "ids\\n":
        for row in ids(answer):
            print(*row)
        print("end", flush=True)
    else:
        print(seconds, flush=True)
"""


class Other:
    def __init__(self, name, path):
        threads = {"TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "tests")}
        self.process = subprocess.Popen([VENV / "bin" / "python", "-c", WORKER, name, VOCAB, path], text=True, env=os.environ | threads,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, order):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        return self.process.stdout

    def seconds(self):
        return float(self.ask("time").readline())

    def ids(self):
        return list(iter(self.ask("ids").readline, "end\n"))


class Bert:
    def __init__(self, path):
        self.command = [ROOT / "bert", "tokenize", "-m", VOCAB.parent, "--format", "ids", "-f", path]

    def seconds(self):
        process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit("bert tokenize failed")
        return usage.ru_utime + usage.ru_stime

    def ids(self):
        return subprocess.run(self.command, capture_output=True, check=True, text=True).stdout.splitlines(keepends=True)


def install():
    if not (VENV / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", VENV], check=True)
    subprocess.run([VENV / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PINNED], check=True)


def measure(path, rounds):
    """For each tool the medians, and the lines with other ids than ours."""
    tools = {"bert": Bert(path), "tokenizers": Other("tokenizers", path), "flash-tokenizer": Other("flash-tokenizer", path)}
    ids = {name: tool.ids() for name, tool in tools.items()}            # also warms everything up
    seconds = {name: [] for name in tools}
    for _ in range(rounds):
        for name, tool in tools.items():
            seconds[name].append(tool.seconds())
    different = {name: sum(a != b for a, b in zip(ids["bert"], ids[name])) + abs(len(ids["bert"]) - len(ids[name])) for name in tools}
    return {name: statistics.median(times) for name, times in seconds.items()}, different, len(ids["bert"])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--text", type=pathlib.Path)
    args = parser.parse_args()
    paths = [args.text] if args.text else [texts.fetch(name) for name in ["english", *texts.SCRIPTS, "mixed"]]
    install()
    print(f"One thread, processor time, medians of {args.rounds} rounds. Lines: those with other ids than bert's.\n")
    print("| text | MB | bert, MB/s | " + " | ".join(f"{pin.replace('==', ' ')} | lines" for pin in PINNED) + " |")
    print("| --- " * (3 + 2 * len(PINNED)) + "|")
    failed = False
    for path in paths:
        size = path.stat().st_size
        median, different, lines = measure(path.resolve(), args.rounds)
        others = " | ".join(f"{median[name] / median['bert']:.1f}x | {different[name]:,} of {lines:,}" for name in ("tokenizers", "flash-tokenizer"))
        print(f"| {path.stem.capitalize()} | {size / 1e6:.1f} | {size / median['bert'] / 1e6:.0f} | {others} |", flush=True)
        failed |= different["tokenizers"] > 0
    sys.exit(failed)


if __name__ == "__main__":
    main()
