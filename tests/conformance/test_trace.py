#!/usr/bin/env python3
"""test_trace.py - every tensor of `bert trace -o` against forward hooks on transformers' BertForPreTraining.

    python3 tests/conformance/test_trace.py         needs ./bert and ./bert64; the real weights are skipped if missing

PyTorch computes in float64. The file is read with the safetensors package, as anyone would read it. Two questions a case:

  bert64: float64 tensors, equal to PyTorch's within 1e-11 of the tensor's largest number (only the order of sums differs);
  bert:   float32 tensors, within FLOAT32 of the tensor's largest number: what single precision loses on the way down.

`bert compare` of the second with the first must find no difference either, at its default tolerance.

The cases: the formula models tiny and odd (one token, all positions, pair, padding, left padding, three segments), and
bert-base-uncased from text, from a pair, padded by --pad, padded on the left, with a hole in the mask, and as a batch;
the pocket model, whose file is float16, at several lengths up to all of its positions.
"""
import os
import sys
import tempfile

from common import (BERT, BERT64, INPUTS, PAIR, REAL, ROOT, Count, capture, formula, formula_cases, formula_model, last_line,
                    padded, real_weights, run, save_inputs, torch)
from safetensors import safe_open

POCKET = os.path.join(ROOT, "weights", "pocket")
FLOAT64 = 1e-11         # measured: 1.3e-14
FLOAT32 = {             # relative to the largest number of the tensor; measured worst, times about 3
    "tiny": 4e-6,                       # 1.3e-6, in the pooler of `full`
    "odd": 1e-5,                        # 4.2e-6, in the pooler of `one`
    "bert-base-uncased": 1.5e-5,        # 4.9e-6, in the MLM head, after twelve blocks
    "pocket": 8e-5,                     # 2.6e-5, in the pooler, of pieces that make no sense; PyTorch's float32: 1.0e-5
}


def read(path):
    """(names in the file, name -> tensor)"""
    with safe_open(path, framework="pt") as f:
        return {name: f.get_tensor(name) for name in f.keys()}


def relative(got, want):
    """Largest difference over largest number. Masked scores are -FLT_MAX on both sides, and not counted."""
    got, want = got.to(torch.float64), want.to(torch.float64)
    masked = want == -capture.FLT_MAX
    if got.shape != want.shape or not torch.equal(got == -capture.FLT_MAX, masked):
        return float("inf")
    d = float((got - want).masked_fill(masked, 0).abs().max())
    return d / float(want.masked_fill(masked, 0).abs().max()) if d == d else float("inf")


def worst(ours, reference, dtype):
    """The largest relative difference and its tensor; infinity for names, types and shapes that are not the same."""
    names = set(ours) - set(INPUTS)
    if names != set(reference):
        return float("inf"), "only one side has " + ", ".join(sorted(names ^ set(reference)))
    wrong_type = [n for n in names if ours[n].dtype != dtype] + [n for n in INPUTS if ours[n].dtype != torch.int64]
    if wrong_type:
        return float("inf"), "type of " + wrong_type[0]
    return max((relative(ours[n], reference[n]), n) for n in reference)


def reference_of(model, ids, types, mask):
    """PyTorch's float64 trace of one sequence, or of a batch: one sequence after another, stacked."""
    if not isinstance(ids[0], list):
        return capture.capture_trace(model, ids, types, mask, torch.float64)
    traces = [capture.capture_trace(model, *row, torch.float64) for row in zip(ids, types, mask)]
    return {name: torch.stack([t[name] for t in traces]) for name in traces[0]}


def check(count, kind, directory, model, case, inputs, options, work):
    """One case: both binaries on the same input. `options` say the input to bert; None: an --inputs file."""
    if options is None:
        options = ["--inputs", os.path.join(work, "inputs.safetensors")]
        save_inputs(options[1], *inputs)
    reference = reference_of(model, *inputs)
    line = f"{kind:<18}{case:<22}{torch.tensor(inputs[0]).numel():>7}{len(reference):>9}"
    paths = [os.path.join(work, name) for name in ("32.safetensors", "64.safetensors")]
    for path, binary, dtype, limit in zip(paths, (BERT, BERT64), (torch.float32, torch.float64), (FLOAT32[kind], FLOAT64)):
        code, said = run(binary, "trace", "-m", directory, "-o", path, *options)
        if not count.check(code == 0, f"{case}: {os.path.basename(binary)} trace exits {code}: {said}"):
            continue
        ours = read(path)
        for name, want in zip(INPUTS, inputs):
            count.check(ours[name].tolist() == list(want), f"{kind} {case}: {name} is {ours[name].tolist()}, not {want}")
        d, name = worst(ours, reference, dtype)
        count.check(d <= limit, f"{kind} {case}: {os.path.basename(binary)}: {name}: {d:.3g}, allowed {limit:g}")
        line += f"{d:>12.2e} {name if dtype == torch.float32 else '':<46}" if d < float("inf") else f"{'inf':>12} {name}"
    print(line.rstrip(), flush=True)
    code, said = run(BERT, "compare", paths[1], paths[0])
    count.check(code == 0 and last_line(said) == "no difference", f"{kind} {case}: compare of the two exits {code}: {said}")
    return len(reference)


# The real weights: what is said to bert, and the ids that the sentence must become (no tokenizer of ours has a say).
ROBBER, ROBBER_TYPES = PAIR
REAL_CASES = {
    "text": ((ROBBER[:7], [0] * 7, [1] * 7), ["the bank robber was seen"]),
    "pair": ((ROBBER, ROBBER_TYPES, [1] * 13), ["--pair", "fishing on the river bank", "the bank robber was seen"]),
    "--pad 16": (padded(ROBBER[:7], [0] * 7, after=9), ["--pad", "--max-length", "16", "the bank robber was seen"]),
    "pair, padded": (padded(ROBBER, ROBBER_TYPES, after=3), None),
    "pair, left padding": (padded(ROBBER, ROBBER_TYPES, before=3), None),
    "hole in the mask": ((ROBBER, ROBBER_TYPES, [1] * 4 + [0, 0] + [1] * 7), None),
    "batch of two": (tuple(map(list, zip(padded(ROBBER, ROBBER_TYPES, after=3), padded(ROBBER[:7], [0] * 7, after=9)))), None),
}


def pocket_cases():
    """Any pieces will do: every 61st of the vocabulary, [CLS] in front, [SEP] in the middle and at the end."""
    def pair(T):
        middle = T // 2
        ids = [2] + [5 + 61 * t for t in range(1, T - 1)] + [3]
        ids[middle] = 3
        return ids, [0] * (middle + 1) + [1] * (T - middle - 1)
    short = pair(9)
    return {"pair": (*short, [1] * 9), "all positions": (*pair(128), [1] * 128), "left padding": padded(*short, before=4),
            "right padding": padded(*short, after=3), "hole in the mask": (*short, [1, 1, 0, 0, 1, 1, 1, 1, 1])}


def main():
    count, tensors = Count(), 0
    print("PyTorch", capture.versions())
    print(f"{'model':<18}{'case':<22}{'tokens':>7}{'tensors':>9}{'float32':>12} {'where':<46}{'float64':>12}")
    with tempfile.TemporaryDirectory() as work:
        for kind in (*formula.KINDS, "pocket"):
            directory = POCKET if kind == "pocket" else formula_model(kind, work)
            model = capture.load_model(directory)
            cases = pocket_cases() if kind == "pocket" else formula_cases(kind)
            cases["batch of two"] = tuple([row, row[::-1]] for row in cases["pair"])
            for case, inputs in cases.items():
                tensors += 2 * check(count, kind, directory, model, case, inputs, None, work)
        if real_weights():
            model = capture.load_model(REAL)
            for case, (inputs, options) in REAL_CASES.items():
                tensors += 2 * check(count, "bert-base-uncased", REAL, model, case, inputs, options, work)
        else:
            count.skip(f"{REAL} is missing (make weights)")
    print(f"{tensors} tensors compared")
    return count.end()


if __name__ == "__main__":
    sys.exit(main())
