"""bench_embed_peer.py - another program that makes vectors of sentences; tests/bench.py starts one process for each.

python3 tests/bench_embed_peer.py PROGRAM MODEL SENTENCES DIRECTORY

PROGRAM: st-openvino, st-onnx, st-torch (sentence-transformers with that backend), fastembed, llama.cpp.
MODEL: a directory in Hugging Face's format; for fastembed an ONNX file, for llama.cpp a GGUF file. SENTENCES: one a line.
DIRECTORY: a model in Hugging Face's format, for the vocabulary; fastembed wants it beside the ONNX file.

run SIZE COUNT          milliseconds of processor and wall clock for so many sentences in batches of SIZE, of the calls alone
vectors SIZE COUNT FILE the same, and writes their vectors, of length 1, float32, in the order of the sentences
"""

import os
import pathlib
import shutil
import sys
import tempfile
import time

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np


def sentence_transformers(backend, directory):
    import sentence_transformers
    import torch

    torch.set_num_threads(1)
    settings = {}
    if backend == "openvino":
        settings = {"ov_config": {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "f32"}, "export": True}
    if backend == "onnx":
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        settings = {"session_options": options, "provider": "CPUExecutionProvider", "export": True}
    model = sentence_transformers.SentenceTransformer(str(directory), device="cpu", backend=backend, model_kwargs=settings)
    return lambda lines, size: model.encode(lines, batch_size=size, normalize_embeddings=True, show_progress_bar=False)


def fastembed(path, directory):
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    folder = pathlib.Path(tempfile.mkdtemp())
    for name in ("config.json", "vocab.txt"):
        shutil.copy(directory / name, folder)
    shutil.copy(path, folder / "model.onnx")
    write_tokenizer(directory, folder)
    TextEmbedding.add_custom_model(
        model="minilm", pooling=PoolingType.MEAN, normalization=True, dim=384, sources=ModelSource(hf="none/minilm"), model_file="model.onnx"
    )
    model = TextEmbedding("minilm", specific_model_path=str(folder), threads=1)
    return lambda lines, size: list(model.embed(lines, batch_size=size))


def write_tokenizer(directory, folder):
    """tokenizer.json and what else fastembed asks for."""
    import json
    import transformers

    transformers.BertTokenizerFast(vocab=str(directory / "vocab.txt"), model_max_length=512).save_pretrained(folder)
    pieces = {f"{kind}_token": f"[{kind.upper()}]" for kind in ("cls", "sep", "pad", "unk", "mask")}
    (folder / "special_tokens_map.json").write_text(json.dumps(pieces))


def llama_cpp(path):
    import llama_cpp

    model = llama_cpp.Llama(
        str(path),
        embedding=True,
        pooling_type=llama_cpp.LLAMA_POOLING_TYPE_MEAN,
        n_ctx=512,
        n_batch=512,
        n_ubatch=512,
        n_threads=1,
        n_threads_batch=1,
        verbose=False,
    )

    def run(lines, size):  # embed packs as many as 512 tokens hold
        return [v for i in range(0, len(lines), size) for v in model.embed(lines[i : i + size], normalize=True)]

    return run


def main():
    name, model, sentences, directory = sys.argv[1], *map(pathlib.Path, sys.argv[2:])
    if name.startswith("st-"):
        encode = sentence_transformers(name.removeprefix("st-"), directory)
    else:
        encode = fastembed(model, directory) if name == "fastembed" else llama_cpp(model)
    lines = sentences.read_text("utf-8").splitlines()
    for line in sys.stdin:
        command, size, count, *path = line.split()
        cpu, wall = time.process_time(), time.perf_counter()
        vectors = encode(lines[: int(count)], int(size))
        if command == "vectors":
            np.asarray(vectors, np.float32).tofile(path[0])
        print((time.process_time() - cpu) * 1e3, (time.perf_counter() - wall) * 1e3, flush=True)


if __name__ == "__main__":
    main()
