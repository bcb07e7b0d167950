#!/bin/sh
# torch_clip_length.sh - the length of a gradient that PyTorch clips by is too short where a tensor is large.
#
# One would guess that clip_grad_norm_(parameters, 1.0) leaves gradients of length 1, within float32's rounding, 1e-7. On
# a CPU the squares of a tensor's numbers are added up in float32, in few long sums: a tensor of 23,440,896 numbers, the
# word embeddings of BERT-Base, comes out 0.13 % shorter than it is, one of 4 million 0.008 %, and so the clipped gradient
# is as much too long. Two programs that clip "alike" part there in the fourth digit. The same sum, written as
# x.square().sum().sqrt(), is right to 5e-8. (bert.c adds the squares up in double.)
#
# Seen with torch 2.15.0 on x86-64 with AVX-512, 2026-11-28. Exits with 1 if it is otherwise. PYTHON: a Python that has
# this version; without one it is installed into a temporary folder.
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
import sys
import torch
torch.set_num_threads(1)
torch.manual_seed(0)
print("torch", torch.__version__.split("+")[0])
shorter = {}
for n in (10_000, 1_000_000, 4_000_000, 23_440_896):
    p = torch.nn.Parameter(torch.zeros(n))
    p.grad = torch.randn(n)
    true = p.grad.double().norm().item()
    by_hand = p.grad.square().sum().sqrt().item()
    said = torch.nn.utils.clip_grad_norm_([p], 1.0).item()
    left = p.grad.double().norm().item()
    shorter[n] = 1 - said / true
    print(f"{n:>10,} numbers: length {true:.4f}, PyTorch says {said:.4f} ({said / true - 1:+.1e}), by hand "
          f"{by_hand / true - 1:+.0e}; clipped to 1 the length is {left:.6f}")
sys.exit(not (abs(shorter[10_000]) < 1e-6 and shorter[23_440_896] > 1e-4))
PYTHON
"$python" "$folder/run.py"
