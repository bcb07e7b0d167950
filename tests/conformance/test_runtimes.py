#!/usr/bin/env python3
"""test_runtimes.py - `bert verify` finds nothing wrong with ONNX Runtime and OpenVINO.

    python3 tests/conformance/test_runtimes.py      needs ./bert; the real weights are skipped if missing

transformers' BERT is exported by torch.onnx (export_onnx.py) twice: with every intermediate as an output, and with the hidden
states and heads alone, which leaves the runtime free to fuse what lies between. Each runtime computes padded and unpadded
input in float32; the outputs are saved as a trace, and verify must exit with 0 at its default tolerance of -80 dB.

That this test could fail: one output is then spoiled in its third digit, and verify must exit with 1 and name it.
"""
import os
import sys
import tempfile
import time

import numpy as np

from common import (BERT, INPUTS, PAIR, REAL, Count, capture, formula, formula_cases, formula_model, last_line, padded,
                    real_weights, run, save_trace, torch)
from export_onnx import export
import onnxruntime
import openvino


def onnx_runtime(path):
    """A function ids, types, mask -> name -> array"""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [o.name for o in session.get_outputs()]
    return lambda feeds: dict(zip(names, session.run(None, feeds)))


def open_vino(path):
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    model = openvino.Core().compile_model(path, "CPU", settings)

    def compute(feeds):
        result = model(feeds)
        return {output.get_any_name(): result[output] for output in model.outputs}
    return compute


RUNTIMES = {"ONNX Runtime " + onnxruntime.__version__: onnx_runtime,
            "OpenVINO " + openvino.__version__.split("-")[0]: open_vino}


def inputs_of(kind):
    if kind == "real":
        return {"pair": padded(*PAIR), "left padding": padded(*PAIR, before=3), "padded": padded(*PAIR, after=3)}
    cases = formula_cases(kind)
    return {case: cases[case] for case in ("one", "full", "pair", "left", "padded")}


def verify(trace, inputs, directory, work):
    path = os.path.join(work, "other.safetensors")
    save_trace(path, {name: torch.tensor(np.asarray(a)) for name, a in trace.items()}, *inputs)
    return run(BERT, "verify", path, "-m", directory)


def check_runtime(count, kind, runtime, path, directory, work):
    start = time.time()
    compute = RUNTIMES[runtime](path)
    for case, inputs in inputs_of(kind).items():
        trace = compute({n: np.array([row], dtype=np.int64) for n, row in zip(INPUTS, inputs)})
        code, said = verify(trace, inputs, directory, work)
        what = f"{kind:<6}{runtime:<24}{len(trace):>4} tensors  {case:<14}"
        count.check(code == 0, f"{what}: verify exits with {code}\n{said[-800:]}")
        print(f"{what}{last_line(said)}  ({time.time() - start:.1f} s)", flush=True)
    spoiled = "encoder.layer.1.output.LayerNorm"
    trace[spoiled] = trace[spoiled] * np.float32(1.001)
    code, said = verify(trace, inputs, directory, work)
    count.check(code == 1 and f"first difference: {spoiled}" in said, f"{kind}, spoiled: {code}\n{said[-800:]}")


def main():
    count = Count()
    with tempfile.TemporaryDirectory() as work:
        for kind in (*formula.KINDS, "real"):
            if kind == "real" and not real_weights():
                count.skip(f"{REAL} is missing (make weights)")
                continue
            directory = REAL if kind == "real" else formula_model(kind, work)
            model = capture.load_model(directory, torch.float32)
            for hidden_only in (False, True):
                path = os.path.join(work, "model.onnx")
                start = time.time()
                export(model, path, hidden_only)
                print(f"{kind:<6}exported: {os.path.getsize(path):,} bytes in {time.time() - start:.0f} s")
                for runtime in RUNTIMES:
                    check_runtime(count, kind, runtime, path, directory, work)
    return count.end()


if __name__ == "__main__":
    sys.exit(main())
