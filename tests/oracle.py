#!/usr/bin/env python3
"""oracle.py - the acceptance check: 30 inputs, three real models, every intermediate, against PyTorch.

    python3 tests/oracle.py [--model NAME] [--longest N] [--table]

It needs ./bert, ./bert64 and weights/{bert-base-uncased,bert-base-cased,all-MiniLM-L6-v2}; the inputs are in
tests/golden/inputs.jsonl, 5 to 512 tokens. For each of them it asks

  1  bert64:   is every number of the trace PyTorch's float64 number, within 1e-11 of the tensor's largest?
               Both compute in float64; only the order of the sums differs. One wrong formula anywhere shows.
  2  bert:     is its float32 error against float64 no larger than PyTorch's own float32 error?
               Measured twice: the largest difference of the last hidden state, and the largest of any tensor relative to
               that tensor's largest number. One input proves nothing (errors are noise), so worst and median of all count;
               with --model or --longest the sample may be too small for this question.
  3  for each layer and head: is the median over the inputs of our rms error no larger than PyTorch's? And are our errors
               those of the committed table in tests/golden/ERRORS.md, which --table writes? Not with --model or --longest.

Exit 0: all hold. Exit 1: one does not. One thread, so that PyTorch's sums have one order.
"""
import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
sys.path.insert(0, os.path.join(HERE, "golden"))

import torch
from safetensors import safe_open
from tokenizers.implementations import BertWordPieceTokenizer

import capture

FLOAT64_TOLERANCE = 1e-11           # measured: at most 3e-14 over the 30 inputs
TABLE = os.path.join(HERE, "golden", "ERRORS.md")
INPUTS = ("input_ids", "token_type_ids", "attention_mask")


# ----------------------------------------------------------------------------------------------------------------------
# Inputs
# ----------------------------------------------------------------------------------------------------------------------
def read_inputs(path, only, longest):
    """The committed list, the models one after another, so that each is loaded once."""
    with open(path, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    rows = [r for r in rows if only is None or r["model"] == only]
    return rows if longest is None else [r for r in rows if len(r["text"].split()) + len(r.get("pair", "").split()) <= longest]


def lower_case(directory):
    """tokenizer_config.json, else what the vocabulary says: one without capital letters is lower-case."""
    path = os.path.join(directory, "tokenizer_config.json")
    if os.path.exists(path):
        with open(path) as f:
            settings = json.load(f)
        if "do_lower_case" in settings:
            return settings["do_lower_case"]
    with open(os.path.join(directory, "vocab.txt"), encoding="utf-8") as f:
        return not any(line != line.lower() for line in f if not line.startswith("["))


class Model:
    """One model directory: PyTorch in both number types, and the tokenizer of the `tokenizers` package."""

    def __init__(self, directory):
        self.directory = directory
        self.float64 = capture.load_model(directory, torch.float64)
        self.float32 = capture.load_model(directory, torch.float32)
        self.tokenizer = BertWordPieceTokenizer(os.path.join(directory, "vocab.txt"), lowercase=lower_case(directory))

    def encode(self, row):
        e = self.tokenizer.encode(row["text"], row.get("pair"))
        return e.ids, e.type_ids, e.attention_mask


# ----------------------------------------------------------------------------------------------------------------------
# Our side
# ----------------------------------------------------------------------------------------------------------------------
class OurTrace:
    """A trace file that `binary trace` has just written; tensors are read when they are asked for."""

    def __init__(self, binary, model, row, path):
        command = [binary, "trace", "-m", model.directory, "-o", path]
        command += ["--pair", row["pair"]] if "pair" in row else []
        subprocess.run(command + ["--", row["text"]], check=True, stdout=subprocess.DEVNULL)
        self.file = safe_open(path, framework="pt")
        self.names = set(self.file.keys()) - set(INPUTS)

    def __getitem__(self, name):
        return self.file.get_tensor(name)

    def check_inputs(self, wanted):
        for name, want in zip(INPUTS, wanted):
            got = self[name].flatten().tolist()
            assert got == list(want), f"{name}: {got} is not the tokenizers package's {list(want)}"


# ----------------------------------------------------------------------------------------------------------------------
# Comparing
# ----------------------------------------------------------------------------------------------------------------------
def difference(got, want):
    """Largest |got - want| and largest |want|, in float64. Masked scores (-FLT_MAX) must be equal and are not counted."""
    got, want = got.to(torch.float64), want.to(torch.float64)
    assert got.shape == want.shape, (got.shape, want.shape)
    masked = want == -capture.FLT_MAX
    if masked.any():
        assert (got[masked] == -capture.FLT_MAX).all(), "masked scores"
        got, want = got.masked_fill(masked, 0), want.masked_fill(masked, 0)
    worst = float((got - want).abs().max())
    return (worst if worst == worst else float("inf")), float(want.abs().max())


def errors(trace, reference, last):
    """(largest difference of the last hidden state, largest relative difference of any tensor and its name)."""
    relative, name = max((d / largest, n) for n, (d, largest) in
                         ((n, difference(trace[n], reference[n])) for n in reference))
    return difference(trace[last], reference[last])[0], relative, name


def check_float64(ours, reference):
    """Sentences about what bert64 has wrong, in the order of the data; and the largest relative difference."""
    wrong = [f"{n}: only one side has it" for n in sorted(ours.names ^ set(reference))]
    worst = 0
    for name in [n for n in reference if n in ours.names]:
        d, largest = difference(ours[name], reference[name])
        worst = max(worst, d / largest)
        if not d <= FLOAT64_TOLERANCE * largest:
            wrong.append(f"{name}: differs by {d:.3g}, its largest number is {largest:.3g}")
    return wrong, worst


def run_one(args, model, row, work):
    """One input: (tokens, wrong sentences, float64 difference, our two float32 errors, PyTorch's two, the table's rows)."""
    inputs = model.encode(row)
    last = capture.hidden_names(model.float64.config.num_hidden_layers)[-1]
    reference = capture.capture_trace(model.float64, *inputs, torch.float64)
    ours64 = OurTrace(args.bert64, model, row, os.path.join(work, "64.safetensors"))
    ours64.check_inputs(inputs)
    wrong, worst64 = check_float64(ours64, reference)
    ours32 = OurTrace(args.bert, model, row, os.path.join(work, "32.safetensors"))
    ours = errors(ours32, reference, last)
    torch32 = capture.capture_trace(model.float32, *inputs, torch.float32)
    theirs = errors(torch32, reference, last)
    by_row = [(name, measures(ours32[name], reference[name]), measures(torch32[name], reference[name]))
              for name in row_names(reference, model.float64.config.num_hidden_layers)]
    return len(inputs[0]), wrong, worst64, ours, theirs, by_row


# ----------------------------------------------------------------------------------------------------------------------
# The table: one row per layer and head
# ----------------------------------------------------------------------------------------------------------------------
HEADS = {"pooler": "pooled output (14)", "cls.predictions.transform.LayerNorm": "MLM transform (15)",
         "cls.predictions.decoder": "MLM logits (15)", "cls.seq_relationship": "NSP logits (14)"}


def row_names(reference, layers):
    return capture.hidden_names(layers) + [name for name in HEADS if name in reference]


def row_title(name):
    if name == "embeddings.LayerNorm":
        return "hidden state 0, embeddings (6)"
    return HEADS.get(name) or f"hidden state {int(name.split('.')[2]) + 1}"


def measures(got, want):
    """(largest difference, root of the mean square of the differences, that relative to the reference: NMSE in decibel)"""
    d = got.to(torch.float64) - want.to(torch.float64)
    return float(d.abs().max()), float((d * d).mean().sqrt()), 10 * math.log10(float((d * d).sum() / (want * want).sum()))


def table_rows(found):
    """found: one by_row per input. (title, [ours], [PyTorch's]): medians of largest and rms, then worst largest and NMSE."""
    for i, name in enumerate(name for name, _, _ in found[0]):
        sides = []
        for side in (1, 2):
            largest, rms, decibel = zip(*(rows[i][side] for rows in found))
            sides.append((statistics.median(largest), statistics.median(rms), max(largest), max(decibel)))
        yield row_title(name), *sides


def table(models):
    """The Markdown table, and a sentence for everything in which ours is larger: a median of a row, or the median ratio
    over all rows. models: name -> its by_rows."""
    lines, larger = [], []
    for title, found in models.items():
        lines += [f"### {title}, {len(found)} inputs", "",
                  "| | largest: bert.c | PyTorch | rms: bert.c | PyTorch | worst largest: bert.c | PyTorch "
                  "| worst NMSE: bert.c | PyTorch |", "|---|---|---|---|---|---|---|---|---|"]
        for row, ours, theirs in table_rows(found):
            pairs = [f"{a:.2e} | {b:.2e}" for a, b in zip(ours[:3], theirs)] + [f"{ours[3]:.1f} dB | {theirs[3]:.1f} dB"]
            lines.append(f"| {row} | {' | '.join(pairs)} |")
            for column, what in enumerate(("largest", "rms")):
                if ours[column] > theirs[column]:
                    larger.append(f"{title}: {row}: median {what} {ours[column]:.3g}, PyTorch's {theirs[column]:.3g}")
        rows = list(table_rows(found))
        for column, what in enumerate(("largest", "rms")):
            ratio = statistics.median(ours[column] / theirs[column] for _, ours, theirs in rows)
            lines += ["", f"Median over the rows of bert.c's {what} over PyTorch's: {ratio:.2f}"]
            larger += [f"{title}: {what}: {ratio:.3g} times PyTorch's, median over the rows"] if ratio > 1 else []
        lines.append("")
    return "\n".join(lines), larger


def our_columns(markdown):
    """Title and row -> our numbers."""
    title, numbers = "", {}
    for line in markdown.splitlines():
        title = line if line.startswith("### ") else title
        cells = [c.strip() for c in line.split("|")[1:-1]]
        if len(cells) == 9 and re.match(r"\d", cells[1]):
            numbers[title, cells[0]] = [float(c.removesuffix(" dB")) for c in cells[1::2]]
    return numbers


def check_table(markdown):
    """Our numbers in the committed table are these: to 2 % or 0.2 dB, as PyTorch's float64 differs in its last bits between
    processors, and so does the difference to it. PyTorch's float32 columns depend on the machine, and are not
    compared."""
    with open(TABLE, encoding="utf-8") as f:
        committed = our_columns(f.read())
    now = our_columns(markdown)
    close = lambda x, y: abs(x - y) <= (0.02 * y if y > 0 else 0.2)
    same = lambda a, b: len(a) == len(b) and all(map(close, a, b))
    return [f"{TABLE}: {' '.join(key)}: {committed.get(key)}, now {now.get(key)}"
            for key in sorted(committed.keys() | now.keys()) if not same(committed.get(key, []), now.get(key, []))]


TABLE_HEAD = """## Errors of float32, layer by layer

From here on written by `python3 tests/oracle.py --table`, from the 30 inputs of inputs.jsonl, 5 to 512 tokens; checked by
`tests/oracle.py`. An error is the difference to PyTorch's float64 (which bert64 meets within 1e-13). *largest* and *rms*: the largest difference
of the tensor and the root of the mean square, each the median over the inputs; *worst*: the input with the largest. NMSE: the
sum of squared differences over the sum of squares, in decibel, which `bert verify` judges by. No median of bert.c is larger
than PyTorch's, or oracle.py fails. bert.c's columns are the same on every machine; PyTorch's are those of {versions},
one thread, on {cpu}.

"""


def cpu_name():
    with open("/proc/cpuinfo") as f:
        names = {line.split(":")[1].strip() for line in f if line.startswith("model name")}
    return ", ".join(sorted(names)) or "an unknown processor"


# ----------------------------------------------------------------------------------------------------------------------
# The report
# ----------------------------------------------------------------------------------------------------------------------
HEAD = f"{'model':<18}{'tokens':>7}{'bert64':>10}  |{'last: ours':>11}{'PyTorch':>9}  |{'all: ours':>10}{'PyTorch':>9}  text"


def print_row(row, tokens, worst64, ours, theirs):
    text = row["text"] + (" ||| " + row["pair"] if "pair" in row else "")
    text = text if len(text) <= 40 else text[:37] + "..."
    print(f"{row['model']:<18}{tokens:>7}{worst64:>10.1e}  |{ours[0]:>11.2e}{theirs[0]:>9.2e}  |"
          f"{ours[1]:>10.2e}{theirs[1]:>9.2e}  {text}", flush=True)


def verdict(ours, theirs):
    """Worst and median of both measures; True if none of ours is larger. ours, theirs: one (last, all) per input."""
    good = True
    for column, what in enumerate(("last hidden state, largest difference", "any tensor, relative to its largest")):
        for how, of in (("worst", max), ("median", statistics.median)):
            a, b = of(o[column] for o in ours), of(t[column] for t in theirs)
            good = good and a <= b
            print(f"{what + ', ' + how:<50} ours {a:.3g}  PyTorch {b:.3g}  {'ok' if a <= b else 'LARGER'}")
    return good


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bert", default=os.path.join(ROOT, "bert"))
    parser.add_argument("--bert64", default=os.path.join(ROOT, "bert64"))
    parser.add_argument("--weights", default=os.path.join(ROOT, "weights"))
    parser.add_argument("--inputs", default=os.path.join(HERE, "golden", "inputs.jsonl"))
    parser.add_argument("--model", help="only the inputs of this model")
    parser.add_argument("--longest", type=int, help="only the inputs of at most so many words")
    parser.add_argument("--table", action="store_true", help="write tests/golden/ERRORS.md")
    return parser.parse_args()


def finish_table(by_model, write, whole):
    """Prints the table; writes it or compares it with the committed one. A part of the inputs is printed only."""
    markdown, larger = table(by_model)
    print(markdown)
    if not whole:
        return True
    if write:
        versions = ", ".join(f"{name} {version}" for name, version in capture.versions().items() if name != "python")
        with open(TABLE, encoding="utf-8") as f:
            prose = f.read().split(TABLE_HEAD.split("\n")[0])[0]
        with open(TABLE, "w", encoding="utf-8") as f:
            f.write(prose + TABLE_HEAD.format(versions=versions, cpu=cpu_name()) + markdown.rstrip() + "\n")
    changed = check_table(markdown)
    print(*(["LARGER than PyTorch's: " + sentence for sentence in larger] + changed), sep="\n")
    print(f"table: {len(our_columns(markdown))} rows, {len(larger)} that are larger, {len(changed)} unlike the committed ones")
    return not larger and not changed


def main():
    args = arguments()
    rows = read_inputs(args.inputs, args.model, args.longest)
    print("PyTorch", capture.versions(), "threads", torch.get_num_threads())
    print(HEAD)
    complaints, ours, theirs, by_model, model, start = [], [], [], {}, None, time.time()
    with tempfile.TemporaryDirectory() as work:
        for row in rows:
            directory = os.path.join(args.weights, row["model"])
            if model is None or model.directory != directory:
                model = None                        # before the next one is loaded: two would not fit everywhere
                model = Model(directory)
            tokens, wrong, worst64, mine, other, by_row = run_one(args, model, row, work)
            print_row(row, tokens, worst64, mine, other)
            complaints += [f"{row['model']}: {row['text'][:40]}: {sentence}" for sentence in wrong[:3]]
            ours.append(mine)
            theirs.append(other)
            group = "all-MiniLM-L6-v2" if "MiniLM" in row["model"] else "bert-base-uncased and bert-base-cased"
            by_model.setdefault(group, []).append(by_row)
    agreed = f"bert64 is PyTorch's float64 within {FLOAT64_TOLERANCE:g} on {len(rows)} inputs"
    print("\n".join(complaints) if complaints else agreed)
    good = verdict(ours, theirs) and not complaints
    good = finish_table(by_model, args.table, whole=args.model is None and args.longest is None) and good
    print(f"{'agreed' if good else 'NOT agreed'}, {time.time() - start:.0f} s")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
