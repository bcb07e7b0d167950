"""runtimes_python.py - another program's BERT with a Python interface: rows of ids in, the last hidden state out.

    python runtimes_python.py NAME MODEL ROWS OUT

MODEL is a model directory, an ONNX or a GGUF file, whatever NAME reads. Three lines of ROWS are an input: ids, token types,
mask. OUT: (tokens, features) as float32, one input after the other. Prints the version.
"""
import importlib.metadata
import os
import sys

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")
import numpy as np


def torch(directory, dtype):
    import torch
    import transformers
    model = transformers.BertModel.from_pretrained(directory, dtype=getattr(torch, dtype)).eval()
    torch.set_grad_enabled(False)
    tensor = lambda row: torch.tensor([row])
    return lambda ids, types, mask: model(tensor(ids), attention_mask=tensor(mask), token_type_ids=tensor(types))[0].float().numpy()


def onnxruntime(path, _):
    import onnxruntime
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda ids, types, mask: session.run(None, feeds(ids, types, mask))[0]


def openvino(path, precision):
    import openvino
    settings = {"INFERENCE_PRECISION_HINT": precision} if precision else {}
    model = openvino.Core().compile_model(path, "CPU", settings)
    return lambda ids, types, mask: model(feeds(ids, types, mask))[0]


def feeds(ids, types, mask):
    return {"input_ids": np.array([ids]), "token_type_ids": np.array([types]), "attention_mask": np.array([mask])}


def keras_hub(directory, _):
    """The library's own converter reads the directory: config.json, model.safetensors."""
    import keras_hub
    model = keras_hub.models.BertBackbone.from_preset(directory)
    batch = lambda ids, types, mask: {"token_ids": np.array([ids]), "segment_ids": np.array([types]), "padding_mask": np.array([mask])}
    return lambda ids, types, mask: np.array(model.predict(batch(ids, types, mask), verbose=0)["sequence_output"])


def ctranslate2(directory, _):
    """Takes lengths, not masks: padding at the end is what it puts there itself."""
    import ctranslate2
    model = ctranslate2.Encoder(directory, device="cpu", inter_threads=1, intra_threads=1)

    def run(ids, types, mask):
        n = sum(mask)
        other = [101, 102] if n == len(ids) else [101] + [1996] * (len(ids) - 2) + [102]        # a longer one beside it
        batch = [ids[:n], other]
        out = model.forward_batch(batch, token_type_ids=[types[:n], [0] * len(other)])
        return np.array(out.last_hidden_state)[:1, :len(ids)]
    return run


NAMES = {"torch": (torch, "float32"), "torch bfloat16": (torch, "bfloat16"), "torch float16": (torch, "float16"), "onnxruntime": (onnxruntime, ""),
         "openvino": (openvino, ""), "openvino f32": (openvino, "f32"), "openvino f16": (openvino, "f16"), "keras-hub": (keras_hub, ""),
         "ctranslate2": (ctranslate2, "")}


def main():
    name, model, rows, out = sys.argv[1:]
    opener, setting = NAMES[name]
    run = opener(model, setting)
    with open(rows) as f, open(out, "wb") as g:
        lines = [[int(x) for x in line.split()] for line in f]
        for k in range(0, len(lines), 3):
            np.ascontiguousarray(run(*lines[k:k + 3]), np.float32).tofile(g)
    print(importlib.metadata.version(name.split()[0]))


main()
