#!/bin/sh
# mnn_gelu.sh - MNN computes ONNX's exact Gelu by tanh, and its option for exact GELU has no say in it.
#
# One would guess: the operator Gelu of ONNX has an attribute for it: approximate is "none" or "tanh", and "none" is x/2 (1 + erf(x/sqrt 2)).
# MNN's converter has an option, too: --useGeluApproximation 0.
# What happens: with "none" and "tanh", with the option and without, the same numbers come out, 4.7e-4 from GELU and 1.8e-4 from its form
# with tanh, though MNN's own Erf and Tanh are exact to 2.4e-7. The option counts only where GELU is written in five nodes (Div, Erf, Add,
# Mul, Mul), as older exporters write it: then 0 is exact, and without it these nodes, too, become the approximation.
# Seen with MNN 3.6.1 and onnx 1.23.2, 2026-11-30. Exits with 1 if it is otherwise. PYTHON: a Python that has both; without one they are
# installed into a temporary folder. (The converter is called as a function: the command mnnconvert installs a package first.)
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${PYTHON:-python3}
pinned='from importlib.metadata import version as v; assert v("MNN") == "3.6.1" and v("onnx") == "1.23.2"'
if ! "$python" -c "$pinned" 2> "$folder/missing"; then
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install --quiet MNN==3.6.1 onnx==1.23.2
    python=$folder/venv/bin/python
fi
cat > "$folder/run.py" <<'PYTHON'
import importlib.metadata
import math
import sys
import _tools
import MNN
import numpy as np
import onnx
from onnx import TensorProto, helper

lines = ["MNN, onnx: " + ", ".join(importlib.metadata.version(name) for name in ("MNN", "onnx"))]
folder, N = sys.argv[1], 4097
x = np.linspace(-8, 8, N, dtype=np.float32).reshape(1, N)
erf, tanh = np.array([math.erf(v) for v in x[0]]), np.tanh(x[0].astype(float))
wide = x[0].astype(float)
exact = wide / 2 * (1 + np.array([math.erf(v / math.sqrt(2)) for v in wide]))
by_tanh = wide / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (wide + 0.044715 * wide ** 3)))
node = helper.make_node
FIVE = [node("Div", ["x", "root"], ["a"]), node("Erf", ["a"], ["b"]), node("Add", ["b", "one"], ["c"]), node("Mul", ["x", "c"], ["d"]),
        node("Mul", ["d", "half"], ["y"])]
GRAPHS = {"Gelu none": [node("Gelu", ["x"], ["y"], approximate="none")], "Gelu tanh": [node("Gelu", ["x"], ["y"], approximate="tanh")],
          "five nodes": FIVE, "Erf": [node("Erf", ["x"], ["y"])], "Tanh": [node("Tanh", ["x"], ["y"])]}


def convert(nodes, options):
    number = lambda name, value: helper.make_tensor(name, TensorProto.FLOAT, [], [value])
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, N]) for name in "xy"]
    constants = [number("root", math.sqrt(2)), number("one", 1.0), number("half", 0.5)]
    graph = helper.make_graph(nodes, "gelu", ends[:1], ends[1:], constants if len(nodes) > 1 else [])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), folder + "/gelu.onnx")
    _tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", folder + "/gelu.onnx", "--MNNModel", folder + "/gelu.mnn", "--bizCode", "x",
                       *options])


def compute():
    model = MNN.Interpreter(folder + "/gelu.mnn")
    session = model.createSession({"precision": "high", "backend": "CPU", "numThread": 1})
    tensor = lambda numbers: MNN.Tensor((1, N), MNN.Halide_Type_Float, numbers, MNN.Tensor_DimensionType_Caffe)
    model.getSessionInput(session).copyFrom(tensor(x))
    model.runSession(session)
    host = tensor(np.zeros((1, N), np.float32))
    model.getSessionOutput(session).copyToHostTensor(host)
    return np.array(host.getNumpyData()).reshape(-1)


found = {}
for name, nodes in GRAPHS.items():
    for option in ([], ["--useGeluApproximation", "0"]):
        convert(nodes, option)
        y = found[name, bool(option)] = compute()
        want = {"Erf": erf, "Tanh": tanh}.get(name, exact)
        lines.append(f"    {name}{' with the option' if option else ''}: {abs(y - want).max():.1e} from the function"
                     + (f", {abs(y - by_tanh).max():.1e} from GELU's form with tanh" if want is exact else ""))
with open(folder + "/said", "w") as f:
    print(*lines, sep="\n", file=f)
far = {key: abs(y - {"Erf": erf, "Tanh": tanh}.get(key[0], exact)).max() for key, y in found.items()}
approximated = [("Gelu none", False), ("Gelu none", True), ("Gelu tanh", False), ("Gelu tanh", True), ("five nodes", False)]
same = all((found[key] == found[approximated[0]]).all() for key in approximated)
sys.exit(not (same and far["Gelu none", True] > 1e-4 and all(d < 1e-6 for key, d in far.items() if key not in approximated)))
PYTHON
"$python" "$folder/run.py" "$folder" > "$folder/noise" 2>&1 && code=0 || code=$?
cat "$folder/said" || cat "$folder/noise"
exit $code
