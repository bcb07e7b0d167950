#!/bin/sh
# safetensors.numpy 0.8.0: save_file writes an array that is not contiguous in the order of its memory, under its shape.
#
# One would guess: what load_file gives back is the array that went in, as it was up to 0.7.0 (which copied such arrays first);
# or a refusal, as safetensors.torch has for tensors that are not contiguous. What happens: no error, no warning, and
# x.T, x.swapaxes(0, 1) and np.asfortranarray(x) come back with the right shape and their numbers in other places. Whoever splits
# heads by reshape and swapaxes and saves the result for a comparison compares other numbers. np.ascontiguousarray(x) mends it.
#
# safetensors 0.7.0 and 0.8.0, numpy 2.4.6, Python 3.11; seen on 2026-11-28. Exits with 1 if either version behaves otherwise.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/ask.py" << 'END'
import sys
import numpy as np, safetensors
from safetensors.numpy import load_file, save_file
x = np.arange(24, dtype="float32").reshape(2, 3, 4)
views = {"x": x, "x.T": x.T, "x.swapaxes(0, 1)": x.swapaxes(0, 1), "asfortranarray(x)": np.asfortranarray(x),
         "ascontiguousarray(x.T)": np.ascontiguousarray(x.T)}
said = []
for name, view in views.items():
    save_file({"x": view}, sys.argv[1] + "/x.safetensors")
    back = load_file(sys.argv[1] + "/x.safetensors")["x"]
    said.append(f"{name} {'equal' if np.array_equal(back, view) else 'OTHER PLACES'}")
    assert back.shape == view.shape and sorted(back.ravel()) == sorted(view.ravel())
print(safetensors.__version__, "|", ", ".join(said))
END
for version in 0.7.0 0.8.0; do
    python3 -m pip install -q --disable-pip-version-check --target "$work/$version" "safetensors==$version" numpy==2.4.6 \
        2> "$work/pip" || { cat "$work/pip"; exit 2; }
    PYTHONPATH="$work/$version" python3 -S "$work/ask.py" "$work" | tee "$work/said"
    case $version in
    0.7.0) expected='0.7.0 | x equal, x.T equal, x.swapaxes(0, 1) equal, asfortranarray(x) equal, ascontiguousarray(x.T) equal' ;;
    *) expected='0.8.0 | x equal, x.T OTHER PLACES, x.swapaxes(0, 1) OTHER PLACES, asfortranarray(x) OTHER PLACES, ascontiguousarray(x.T) equal' ;;
    esac
    [ "$(cat "$work/said")" = "$expected" ] || { echo "expected $expected"; exit 1; }
done
