#!/usr/bin/env python3
"""runner_onnx.py MODEL.onnx VECTOR.safetensors ...    an ONNX model in ONNX Runtime, held against the vectors.

Every output that has a trace name is compared. tests/conformance/export_onnx.py writes an ONNX file whose outputs are all named so;
name those that yours has (last_hidden_state is encoder.layer.<last>.output.LayerNorm)."""
import sys
import numpy as np
import onnxruntime
from safetensors.numpy import load_file

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
inputs, outputs = [i.name for i in session.get_inputs()], [o.name for o in session.get_outputs()]
for path in sys.argv[2:]:
    want = load_file(path)
    got = dict(zip(outputs, session.run(None, {name: want[name][None] for name in inputs})))
    off = {}
    for name in (n for n in outputs if n in want):
        x, y = got[name].reshape(want[name].shape), want[name]      # with or without the batch's leading 1
        seen = y > -1e4                                             # a masked score is -FLT_MAX, yours may be another
        off[name] = np.abs(x - y)[seen].max() / np.abs(y)[seen].max()
    wrong = [n for n in off if not off[n] < 1e-4] if off else ["no output has a trace name"]
    print(path, f"first difference: {wrong[0]}" if wrong else f"{len(off)} tensors, at most {max(off.values()):.0e} apart")
    if wrong: sys.exit(1)
