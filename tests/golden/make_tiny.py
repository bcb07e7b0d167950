#!/usr/bin/env python3
"""make_tiny.py - goldens of the two formula models: what PyTorch computes in float64, stored as float64.

    python3 tests/golden/make_tiny.py [OUTDIR]      default: the directory of this file

Every intermediate is stored; where a case is long, only some rows (int64 tensor `rows`), all columns. The models come
from formula.py. The inputs are a formula too: token i is 5 + 7 i mod (V - 5), between [CLS] and [SEP].
"""
import os
import sys
import tempfile

import torch

import capture
import formula

CLS, SEP = 2, 3


def tokens(count, V):
    """[CLS], count - 2 pieces, [SEP]; the pieces differ from their neighbours and cover the vocabulary."""
    return [CLS] + [5 + 7 * i % (V - 5) for i in range(1, count - 1)] + [SEP]


def cases(c):
    """Name -> ids, types, mask, rows. What each one is for:
    one        a single token: softmax over one score is exactly 1
    full       all P positions: the last row of the position table; long enough to cross the 128 in `odd`
    pair       token types 0 and 1
    padded     padding on the right, masked; its own rows are stored too
    left       padding on the left, masked: positions still count from 0, and the pooler reads a padding token
    segments3  three token types (tiny only)"""
    V, P, S = c["V"], c["P"], c["S"]
    few = lambda n: list(range(n)) if P < 100 else sorted({0, 1, n // 2, n - 1})    # odd is wide: four rows will do
    out = {"one": ([7], [0], [1], [0])}
    rows = list(range(P)) if P < 100 else [0, 63, 127, 128, P - 1]
    out["full"] = (tokens(P, V), [0] * P, [1] * P, rows)
    ids = tokens(8, V) + [5 + 11 * i % (V - 5) for i in range(4)] + [SEP]
    out["pair"] = (ids, [0] * 8 + [1] * 5, [1] * 13, few(13))
    out["padded"] = (tokens(7, V) + [0] * 4, [0] * 11, [1] * 7 + [0] * 4, few(11))
    out["left"] = ([0] * 3 + tokens(6, V), [0] * 9, [0] * 3 + [1] * 6, few(9))
    if S == 3:
        out["segments3"] = (tokens(9, V), [0] * 3 + [1] * 4 + [2] * 2, [1] * 9, few(9))
    return out


def main():
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.dirname(os.path.abspath(__file__))
    with tempfile.TemporaryDirectory() as work:
        for kind, c in formula.KINDS.items():
            formula.write_model(kind, os.path.join(work, kind))
            model = capture.load_model(os.path.join(work, kind))
            for case, (ids, types, mask, rows) in cases(c).items():
                assert len(ids) == len(types) == len(mask) <= c["P"] and max(ids) < c["V"] and max(types) < c["S"]
                trace = capture.capture_trace(model, ids, types, mask, torch.float64)
                capture.write_golden(os.path.join(out, f"{kind}-{case}.safetensors"), trace, ids, types, mask, rows,
                                     torch.float64, model=kind, case=case)


if __name__ == "__main__":
    main()
