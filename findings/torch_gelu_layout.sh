#!/bin/sh
# torch_gelu_layout.sh - PyTorch's GELU of a number depends on where its neighbours lie in memory.
#
# One would guess: gelu goes from number to number, so gelu(x.t()) is gelu(x).t() to the bit, as for tanh, exp and erf.
# What happens on a CPU with AVX-512: there are three GELUs, oneDNN's for a tensor without gaps, and two more, for a transposed one and
# for every other column of a matrix. They part in the last digits of a third to two thirds of all numbers, and they are not equally
# good: from -4 to -3 the first is 1e-6 away from GELU in double precision, the second 3e-7, the third 6e-8. Without oneDNN
# (torch.backends.mkldnn.enabled = False) two are left. So two programs in PyTorch that compute the same may have other bits, because
# one of them keeps two matrices in one.
# Seen with torch 2.15.0 on x86-64 with AVX-512, 2026-11-30. Exits with 1 if it is otherwise. PYTHON: a Python that has this
# version; without one it is installed into a temporary folder.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${PYTHON:-python3}
if ! "$python" -c 'import torch; assert torch.__version__.split("+")[0] == "2.15.0"' 2> "$folder/missing"; then
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install --quiet torch==2.15.0 numpy
    python=$folder/venv/bin/python
fi
cat > "$folder/run.py" <<'PYTHON'
import math
import sys
import torch
from torch.nn.functional import gelu

torch.set_num_threads(1)
torch.manual_seed(0)
print("torch", torch.__version__.split("+")[0], torch.backends.cpu.get_cpu_capability())

LAYOUTS = {"without gaps": torch.clone, "transposed": lambda x: x.t().contiguous().t(),
           "every other": lambda x: torch.stack([x, x], -1)[..., 0]}


def parted(x, function, layout):
    """The share of numbers that have other bits than without gaps."""
    return (function(x) != function(LAYOUTS[layout](x))).double().mean().item()


def error(x):
    """The largest from x/2 erfc(-x/sqrt 2) in double precision."""
    return (gelu(x).double() - x.double() / 2 * torch.erfc(-x.double() / math.sqrt(2))).abs().max().item()


def look():
    """For each layout: share and error."""
    x, tail = torch.randn(64, 2048) * 2, torch.linspace(-4, -3, 64 * 2048).reshape(64, 2048)
    found = {name: (parted(x, gelu, name), error(make(tail))) for name, make in LAYOUTS.items()}
    for name, (share, far) in found.items():
        print(f"    {name}: {share:.2f} have other bits; from -4 to -3 {far:.1e} from GELU")
    return found


others = [parted(torch.randn(64, 2048) * 2, f, name) for f in (torch.tanh, torch.exp, torch.erf) for name in LAYOUTS]
print("tanh, exp and erf: the same bits" if not any(others) else "tanh, exp or erf: other bits", "in each layout; gelu with oneDNN:")
with_onednn = look()
print("without oneDNN:")
torch.backends.mkldnn.enabled = False
without = look()
errors = [with_onednn[name][1] for name in LAYOUTS]
sys.exit(not (not any(others) and errors[0] > 2 * errors[1] > 4 * errors[2]
              and without["transposed"][0] == 0 < without["every other"][0]
              and min(with_onednn[name][0] for name in ("transposed", "every other")) > 0.2))
PYTHON
"$python" "$folder/run.py"
