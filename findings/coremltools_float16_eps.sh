#!/bin/sh
# coremltools 9.0 (November 2025, run 2026-11-28): LayerNorm's eps 1e-12 becomes 6e-8.
#
# One would guess: a BERT that is converted with compute_precision FLOAT16, the default, keeps layer_norm_eps and rounds weights
#                  and sums; or says that 1e-12 is no half-precision number.
# What happens:    the program has the smallest half-precision number instead, 2^-24 = 6e-8, without a word. With FLOAT32 it is
#                  1e-12. (BERT's variances are mostly 0.1 to 1, where it does not show; a row that is nearly constant is another.)
# Looks at the converted program, which needs no Apple device.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check coremltools==9.0 "numpy<2.4"
cd "$folder"
venv/bin/python - 2> log <<'END'
import numpy as np
import coremltools as ct
from coremltools.converters.mil import Builder as mb
@mb.program(input_specs=[mb.TensorSpec(shape=(1, 4, 8))], opset_version=ct.target.iOS16)
def program(x):
    return mb.layer_norm(x=x, axes=[-1], gamma=np.ones(8, np.float32), beta=np.zeros(8, np.float32), epsilon=np.float32(1e-12))
print("coremltools", ct.__version__)
found = []
for precision in (ct.precision.FLOAT32, ct.precision.FLOAT16):
    model = ct.convert(program, convert_to="mlprogram", compute_precision=precision, minimum_deployment_target=ct.target.iOS16, skip_model_load=True)
    for function in model.get_spec().mlProgram.functions.values():
        for block in function.block_specializations.values():
            (name,) = [o.inputs["epsilon"].arguments[0].name for o in block.operations if o.type == "layer_norm"]
            (value,) = [o.attributes["val"].immediateValue.tensor for o in block.operations if o.outputs[0].name == name]
            found.append(value.floats.values[0] if value.floats.values else float(np.frombuffer(value.bytes.values, np.float16)[0]))
            print(precision, "epsilon", found[-1])
assert abs(found[0] - 1e-12) < 1e-15 and found[1] == 2.0 ** -24
END
