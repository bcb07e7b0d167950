"""bench_peer.py - another program under the protocol of bench_forward.c; tests/bench.py starts one process for each.

python3 tests/bench_peer.py onnxruntime|openvino MODEL.onnx IDS
python3 tests/bench_peer.py torch MODEL_DIR IDS
python3 tests/bench_peer.py llama.cpp MODEL.gguf IDS

run T                   milliseconds of processor and wall clock for the input with T ids, of the call alone
hidden T FILE           its last hidden state, float32
batches FILE PART OF    (onnxruntime) a line of FILE is a batch: inputs separated by `;`. Lines PART, PART+OF, ... are
                        padded to their longest, run, and averaged over the tokens with mask 1: the vectors of `bert embed`.
                        Prints the milliseconds of all of it
vectors FILE OUT        (onnxruntime) writes those vectors, float32, in the order of the inputs
"""

import os
import sys
import time

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np


def feeds(rows):
    """ids, types, mask of some inputs, padded to the longest."""
    longest = max(map(len, rows))
    ids, mask = np.zeros((len(rows), longest), np.int64), np.zeros((len(rows), longest), np.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)], mask[i, : len(row)] = row, 1
    return {"input_ids": ids, "token_type_ids": np.zeros_like(ids), "attention_mask": mask}


def onnxruntime(path):
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return feeds, lambda x: session.run(None, x)[0]


def openvino(path):
    import openvino as ov

    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    request = ov.Core().compile_model(path, "CPU", settings).create_infer_request()
    return feeds, lambda x: request.infer(x)[0]


def torch(directory):
    import pathlib
    import torch
    import transformers
    from bench_models import read

    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    config, state = read(pathlib.Path(directory))
    model = transformers.BertModel(transformers.BertConfig(**config), add_pooling_layer=False).eval()  # fused attention
    missing, _ = model.load_state_dict({name: torch.tensor(array) for name, array in state.items()}, strict=False)
    assert not missing, missing
    tensors = lambda rows: {name: torch.tensor(array) for name, array in feeds(rows).items()}
    return tensors, lambda x: model(**x)[0].numpy()


def llama_cpp(path):
    import llama_cpp

    llama_cpp.llama_backend_init()
    global quiet  # llama.cpp keeps the pointer
    quiet = llama_cpp.llama_log_callback(lambda level, text, data: None)
    llama_cpp.llama_log_set(quiet, None)
    model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = params.n_batch = params.n_ubatch = 512
    params.n_threads = params.n_threads_batch = 1
    params.embeddings = True
    params.pooling_type = llama_cpp.LLAMA_POOLING_TYPE_NONE
    context = llama_cpp.llama_init_from_model(model, params)
    width = llama_cpp.llama_model_n_embd(model)

    def prepare(rows):
        (row,) = rows
        batch = llama_cpp.llama_batch_init(len(row), 0, 1)
        batch.n_tokens = len(row)
        for i, token in enumerate(row):
            batch.token[i], batch.pos[i], batch.n_seq_id[i], batch.seq_id[i][0], batch.logits[i] = token, i, 1, 0, 1
        return batch

    def run(batch):
        assert llama_cpp.llama_encode(context, batch) == 0
        return np.ctypeslib.as_array(llama_cpp.llama_get_embeddings(context), (1, batch.n_tokens, width))

    return prepare, run


class Peer:
    def __init__(self, name, path, ids):
        self.prepare, self.compute = {
            "onnxruntime": onnxruntime,
            "openvino": openvino,
            "torch": torch,
            "llama.cpp": llama_cpp,
        }[name](path)
        with open(ids) as f:
            self.inputs = {len(row): row for row in ([int(i) for i in line.split()] for line in f)}

    def timed(self, work):
        cpu, wall = time.process_time(), time.perf_counter()
        result = work()
        return result, f"{(time.process_time() - cpu) * 1e3:.6f} {(time.perf_counter() - wall) * 1e3:.6f}"

    def pooled(self, batches):
        for rows in batches:
            x = self.prepare(rows)
            hidden, mask = self.compute(x), x["attention_mask"][:, :, None].astype(np.float32)
            yield (hidden * mask).sum(1) / mask.sum(1)

    def answer(self, command, *rest):
        if command == "run":
            x = self.prepare([self.inputs[int(rest[0])]])
            return self.timed(lambda: self.compute(x))[1]
        if command == "hidden":
            np.ascontiguousarray(self.compute(self.prepare([self.inputs[int(rest[0])]])), np.float32).tofile(rest[1])
            return "written"
        with open(rest[0]) as f:
            batches = [[[int(i) for i in row.split()] for row in line.split(";")] for line in f]
        if command == "batches":
            part, of = int(rest[1]), int(rest[2])
            return self.timed(lambda: [None for _ in self.pooled(batches[part::of])])[1]
        np.concatenate(list(self.pooled(batches))).astype(np.float32).tofile(rest[1])
        return "written"


def main():
    peer = Peer(*sys.argv[1:])
    for line in sys.stdin:
        print(peer.answer(*line.split()), flush=True)


if __name__ == "__main__":
    main()
