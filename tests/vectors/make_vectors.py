#!/usr/bin/env python3
"""make_vectors.py - writes the vectors: small BERTs' traces, computed in float64, rounded to float32.

    python3 tests/vectors/make_vectors.py [OUTDIR]      default: the directory of this file
    python3 tests/vectors/make_vectors.py --check       the committed files against the formula and tests/golden; no PyTorch

The models are those of tests/golden/formula.py and a third one, `seven`, with heads of seven features. The inputs are those of
tests/golden/make_tiny.py. A vector is an ordinary `bert trace -o` file: all rows of all tensors, and the ids.
"""
import glob
import os
import re
import sys
import tempfile

import numpy as np
from safetensors.numpy import load_file

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(os.path.dirname(HERE), "golden")
sys.path.insert(0, GOLDEN)

import formula

# One block, so that it can be followed with pencil and paper; D = 7, F is not 4H, nothing is a multiple of 8.
formula.KINDS["seven"] = dict(L=1, H=35, A=5, F=83, V=67, P=24, S=2, act="gelu", scale=1.0)

CASES = {                                           # `odd` over all its 160 positions would be 5 MB: tests/golden has rows of it
    "tiny": ("one", "full", "pair", "padded", "left", "segments3"),
    "odd": ("one", "pair", "padded", "left"),
    "seven": ("one", "full", "pair", "padded", "left"),
}
COMMITTED_MODELS = ("tiny", "seven")                # `odd` is 2 MB: the formula writes it


def make(out):
    import torch
    import capture
    import make_tiny
    for kind in CASES:
        directory = os.path.join(out, "models", kind)
        with tempfile.TemporaryDirectory() as work:
            directory = directory if kind in COMMITTED_MODELS else work
            formula.write_model(kind, directory)
            model = capture.load_model(directory)
            cases = make_tiny.cases(formula.KINDS[kind])
            for case in CASES[kind]:
                ids, types, mask, _ = cases[case]
                trace = capture.capture_trace(model, ids, types, mask, torch.float64)
                tensors = {n: t.to(torch.float32).contiguous() for n, t in trace.items()}
                tensors |= {n: torch.tensor(list(v), dtype=torch.int64) for n, v in
                            (("input_ids", ids), ("token_type_ids", types), ("attention_mask", mask))}
                about = {"model": kind, "case": case, "computed": "float64, rounded to float32", **capture.versions()}
                capture.write_safetensors(os.path.join(out, f"{kind}-{case}.safetensors"), tensors, about)


def readme_formula():
    """The twenty lines of README.md, run: do they give the tensors of tests/golden/formula.py? A list of what they do not."""
    with open(os.path.join(HERE, "README.md"), encoding="utf-8") as f:
        lines = {}
        exec(re.search(r"```python\n(.*?)```", f.read(), re.S)[1], lines)
    return [f"README.md's formula: {kind}: {name}" for kind, c in formula.KINDS.items()
            for name, want in formula.tensors(kind).items() if kind in COMMITTED_MODELS
            and not np.array_equal(lines["tensor"](name, want.shape, c["scale"]), want.ravel())]


def check():
    """README.md's formula is the formula, the committed models are the formula's, the vectors are the goldens' float64 numbers, rounded. Exits 1 if not."""
    wrong, tensors = readme_formula(), 0
    for kind in COMMITTED_MODELS:
        stored = load_file(os.path.join(HERE, "models", kind, "model.safetensors"))
        right = formula.stored_tensors(kind)
        wrong += [f"{kind}: {n}" for n in sorted(stored.keys() | right.keys())
                  if n not in stored or n not in right or not np.array_equal(stored[n], right[n])]
    for path in sorted(glob.glob(os.path.join(HERE, "*.safetensors"))):
        golden = os.path.join(GOLDEN, os.path.basename(path))
        if not os.path.exists(golden):              # `seven` has none
            continue
        vector, golden = load_file(path), load_file(golden)
        rows = golden.pop("rows")
        for name, want in golden.items():
            got = vector[name]
            got = got if name.endswith("_ids") or got.ndim == 1 else got[:, rows] if got.ndim == 3 else got[rows]
            tensors += 1
            if not np.array_equal(got, want.astype(got.dtype)):
                wrong.append(f"{os.path.basename(path)}: {name}")
    print("\n".join(wrong) if wrong else f"{tensors} tensors of the vectors are those of tests/golden, rounded")
    return 1 if wrong or not tensors else 0


def main():
    if sys.argv[1:] == ["--check"]:
        sys.exit(check())
    make(sys.argv[1] if len(sys.argv) > 1 else HERE)


if __name__ == "__main__":
    main()
