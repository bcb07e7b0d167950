"""common.py - what the conformance tests share: where things are, inputs, trace files, and how `bert` is called."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "tests", "golden"))

import torch
from safetensors.torch import save_file

import capture                                      # transformers' BertForPreTraining, read through forward hooks
import formula
import make_tiny

BERT = os.environ.get("BERT", os.path.join(ROOT, "bert"))
BERT64 = os.environ.get("BERT64", os.path.join(ROOT, "bert64"))
REAL = os.environ.get("BERT_REAL", os.path.join(ROOT, "weights", "bert-base-uncased"))
INPUTS = ("input_ids", "token_type_ids", "attention_mask")


# ----------------------------------------------------------------------------------------------------------------------
# Models and inputs
# ----------------------------------------------------------------------------------------------------------------------
def formula_model(kind, directory):
    """Writes tiny or odd below `directory` and returns its path."""
    path = os.path.join(directory, kind)
    formula.write_model(kind, path)
    return path


def formula_cases(kind):
    """Name -> (ids, types, mask) of the golden cases: one token, all positions, pair, padding, left padding, ..."""
    return {name: case[:3] for name, case in make_tiny.cases(formula.KINDS[kind]).items()}


def real_weights():
    """True if bert-base-uncased is here. Without it the tests that need it are skipped aloud, and fail in CI."""
    return os.path.exists(os.path.join(REAL, "model.safetensors"))


# A pair of sentences as bert-base-uncased's ids, so that no tokenizer has a say:
#   [CLS] the bank robber was seen [SEP] fishing on the river bank [SEP]
PAIR = ([101, 1996, 2924, 27307, 2001, 2464, 102, 5645, 2006, 1996, 2314, 2924, 102], [0] * 7 + [1] * 6)


def padded(ids, types, before=0, after=0):
    """(ids, types, mask) with [PAD] = 0 added on either side and masked."""
    zeros = lambda n: [0] * n
    return (zeros(before) + list(ids) + zeros(after), zeros(before) + list(types) + zeros(after),
            zeros(before) + [1] * len(ids) + zeros(after))


# ----------------------------------------------------------------------------------------------------------------------
# Files
# ----------------------------------------------------------------------------------------------------------------------
def save_inputs(path, ids, types, mask):
    """A file for `bert --inputs`: (T), or (B,T) where lists of lists are given."""
    save_file({n: torch.tensor(v, dtype=torch.int64) for n, v in zip(INPUTS, (ids, types, mask))}, path)


def save_trace(path, trace, ids, types, mask):
    """What `bert compare` and `bert verify` read: the tensors by name, and the ids they were computed from."""
    tensors = {name: t.detach().contiguous() for name, t in trace.items()}
    tensors |= {n: torch.tensor(v, dtype=torch.int64) for n, v in zip(INPUTS, (ids, types, mask))}
    save_file(tensors, path)


# ----------------------------------------------------------------------------------------------------------------------
# bert
# ----------------------------------------------------------------------------------------------------------------------
def run(binary, *arguments):
    """Exit code and stdout; with stderr if it was neither "equal" (0) nor "different" (1), so that a failure can be read."""
    done = subprocess.run([binary, *arguments], capture_output=True, text=True)
    return done.returncode, done.stdout + (done.stderr if done.returncode > 1 else "")


def last_line(text):
    lines = text.rstrip().splitlines()
    return lines[-1] if lines else ""


class Count:
    """passed and failed, and the closing line that says so."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def check(self, good, what=""):
        if good:
            self.passed += 1
        else:
            self.failed += 1
            print("FAILED: " + what, flush=True)
        return good

    def skip(self, what):
        """Missing weights: a skip here, a failure where CI is set."""
        if os.environ.get("CI"):
            return self.check(False, what)
        self.skipped += 1
        print("SKIPPED: " + what, flush=True)

    def end(self):
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")
        return 1 if self.failed or not self.passed else 0
