"""runtimes_python.py - another program's BERT with a Python interface: rows of ids in, the last hidden state out.

    python runtimes_python.py NAME MODEL ROWS OUT

MODEL is a model directory, an ONNX or a GGUF file, whatever NAME reads. Three lines of ROWS are an input: ids, token types,
mask. OUT: (tokens, features) as float32, one input after the other. Prints the version.
"""
import importlib.metadata
import os
import subprocess
import sys
import tempfile

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


def tract(path, _):
    """The names of its dimensions get their numbers for each length."""
    import tract

    def run(*rows):
        graph, given = tract.onnx().load(path), feeds(*rows)
        names = [graph.input_name(i) for i in range(graph.input_count())]
        model = graph.into_model()
        model.transform(tract.SetSymbols({"sequences": 1, "tokens": len(rows[0])}))
        return model.into_runnable().run([given[name] for name in names])[0].to_numpy()
    return run


def mnn(path, options):
    """Its converter is called as its command does, which would first install another package."""
    import _tools
    import MNN
    with tempfile.TemporaryDirectory() as folder:
        made = os.path.join(folder, "bert.mnn")
        _tools.mnnconvert(["mnnconvert", "-f", "ONNX", "--modelFile", path, "--MNNModel", made, "--bizCode", "x", *options.split()])
        model = MNN.Interpreter(made)
    tensor = lambda numbers, kind: MNN.Tensor(numbers.shape, kind, numbers, MNN.Tensor_DimensionType_Caffe)

    def run(*rows):
        session = model.createSession({"precision": "high", "backend": "CPU", "numThread": 1})
        inputs = model.getSessionInputAll(session)
        for given in inputs.values():
            model.resizeTensor(given, (1, len(rows[0])))
        model.resizeSession(session)
        for name, numbers in feeds(*rows).items():
            inputs[name].copyFrom(tensor(numbers.astype(np.int32), MNN.Halide_Type_Int))
        model.runSession(session)
        result = model.getSessionOutput(session)
        host = tensor(np.zeros(result.getShape(), np.float32), MNN.Halide_Type_Float)
        result.copyToHostTensor(host)
        return np.array(host.getNumpyData())
    return run


def executorch(directory, backend):
    """A program for each length."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower
    from executorch.runtime import Runtime
    model = encoder(directory)

    def run(*rows):
        given = tuple(torch.tensor([row]) for row in rows)
        exported = torch.export.export(model, given)
        lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()] if backend == "xnnpack" else [])
        made = lowered.to_executorch().buffer           # stays where it is: the loaded program points into it
        return Runtime.get().load_program(made).load_method("forward").execute(given)[0].clone().numpy()
    return run


def encoder(directory):
    """PyTorch's, as a module of three inputs and one output."""
    import torch
    import transformers

    class Encoder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bert = transformers.BertModel.from_pretrained(directory, attn_implementation="eager", add_pooling_layer=False)

        def forward(self, ids, types, mask):
            """A mask of numbers, four dimensions of it, is added to the scores as it is."""
            hidden = self.bert.embeddings(input_ids=ids, token_type_ids=types)
            if mask.dim() == 4:
                for layer in self.bert.encoder.layer:
                    hidden = layer(hidden, mask)
                return hidden
            return self.bert(input_ids=ids, token_type_ids=types, attention_mask=mask).last_hidden_state
    return Encoder().eval()


def ncnn(directory, halves):
    """Converted for each length; what makes an additive mask of the mask does not convert."""
    import ncnn
    import torch
    model = encoder(directory)

    def run(ids, types, mask):
        n = len(ids)
        added = torch.tensor([[[[0.0 if m else -10000.0 for m in mask]]]])
        with tempfile.TemporaryDirectory() as folder:
            at = os.path.join(folder, "bert")
            torch.jit.trace(model, (torch.tensor([ids]), torch.tensor([types]), added)).save(at + ".pt")
            pnnx = os.path.join(os.path.dirname(sys.executable), "pnnx")
            subprocess.run([pnnx, at + ".pt", f"inputshape=[1,{n}]i64,[1,{n}]i64,[1,1,1,{n}]f32", f"fp16={halves}"], cwd=folder, check=True,
                           capture_output=True)
            net = ncnn.Net()
            net.opt.num_threads = 1
            net.load_param(at + ".ncnn.param")
            net.load_model(at + ".ncnn.bin")
        work = net.create_extractor()
        for name, numbers in (("in0", np.array([ids], np.int32)), ("in1", np.array([types], np.int32)), ("in2", added.numpy())):
            work.input(name, ncnn.Mat(numbers, batch_index=0).clone())
        return np.array(work.extract("out0")[1].numpy(batch_index=0))
    return run


NAMES = {"torch": (torch, "float32"), "torch bfloat16": (torch, "bfloat16"), "torch float16": (torch, "float16"), "onnxruntime": (onnxruntime, ""),
         "openvino": (openvino, ""), "openvino f32": (openvino, "f32"), "openvino f16": (openvino, "f16"), "keras-hub": (keras_hub, ""),
         "ctranslate2": (ctranslate2, ""), "tract": (tract, ""), "MNN": (mnn, ""), "MNN exact": (mnn, "--useGeluApproximation 0"),
         "executorch": (executorch, "xnnpack"), "executorch portable": (executorch, ""), "ncnn": (ncnn, 1), "ncnn float32": (ncnn, 0)}


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
