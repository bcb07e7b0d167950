#!/usr/bin/env python3
"""runtimes.py - other programs' BERT against ours, on bert-base-uncased's real weights, for tests/PEERS.md.

    python3 tests/peers/runtimes.py             everything, and the table into tests/PEERS.md
    python3 tests/peers/runtimes.py --only NAME     those with NAME in their name; the other rows stay as they were
    python3 tests/peers/runtimes.py --work FOLDER   where the others are installed (default: build/peers)

Two inputs: the bank sentence, and a pair of sentences with 11 tokens of padding. What is compared is the last hidden state of the
tokens that count, by NMSE in decibels: 10 log10 of (sum of squared differences / sum of our squares). A reason stands in the table
only where this run has shown it:

    rounding        at most -105 dB: what float32 is apart from float32 (PyTorch's own distance is printed beside it)
    tanh            with `bert trace --gelu tanh`, it gets at least 6 dB nearer; "all of it", if it comes down to rounding
    tanh and eps    with `--gelu tanh` and layer_norm_eps 1e-5 in a copy of config.json, it comes down to rounding
    precision       told to use float32, the same program comes down to rounding

Needs what run.py needs, torch, transformers, onnxruntime, openvino (tests/conformance/requirements.txt), make weights.
"""
import argparse
import json
import pathlib
import subprocess
import sys

import numpy as np
from safetensors.numpy import load_file, save_file

import run as peers

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
MODEL = ROOT / "weights" / "bert-base-uncased"
LAST, H = "encoder.layer.11.output.LayerNorm", 768
BANK = "After stealing money from the bank vault, the bank robber was seen fishing on the Mississippi river bank."
ROUNDING = -105

# label, adapter, its name there, what it reads, its sibling in float32
RUNTIMES = [
    ("PyTorch, transformers", "system", "torch", "directory", None),
    ("PyTorch, transformers, bfloat16", "system", "torch bfloat16", "directory", "torch"),
    ("PyTorch, transformers, float16", "system", "torch float16", "directory", "torch"),
    ("ONNX Runtime", "system", "onnxruntime", "onnx", None),
    ("ONNX Runtime in node (transformers.js)", "node", "onnxruntime-node", "onnx", None),
    ("OpenVINO, as it comes", "system", "openvino", "onnx", "openvino f32"),
    ("OpenVINO, told to use f32", "system", "openvino f32", "onnx", None),
    ("OpenVINO, told to use f16", "system", "openvino f16", "onnx", "openvino f32"),
    ("CTranslate2", "small", "ctranslate2", "ctranslate2", None),
    ("tract", "small", "tract", "onnx", None),
    ("ExecuTorch, XNNPACK", "small", "executorch", "directory", None),
    ("ExecuTorch, portable kernels", "small", "executorch portable", "directory", None),
    ("ncnn, as pnnx converts it", "small", "ncnn", "directory", "ncnn float32"),
    ("ncnn, `fp16=0`", "small", "ncnn float32", "directory", None),
    ("MNN, as it converts", "small", "MNN", "onnx", "MNN exact"),
    ("MNN, `--useGeluApproximation 0`", "small", "MNN exact", "onnx", None),
    ("keras-hub", "python", "keras-hub", "directory", None),
    ("candle", "candle", "candle float32", "directory", None),
    ("candle, bfloat16", "candle", "candle bfloat16", "directory", "candle float32"),
    ("candle, float16", "candle", "candle float16", "directory", "candle float32"),
    ("cybertron (spago)", "spago", "cybertron", "spago", None),
    ("llama.cpp (node-llama-cpp)", "node", "node-llama-cpp", "gguf", None),
]


# ----------------------------------------------------------------------------------------------------------------------
# What the others read
# ----------------------------------------------------------------------------------------------------------------------
def linked(folder, **settings):
    """The model with other settings in its config.json."""
    folder.mkdir(exist_ok=True)
    for name in ("model.safetensors", "vocab.txt"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to((MODEL / name).resolve())
    (folder / "config.json").write_text(json.dumps(json.loads((MODEL / "config.json").read_text()) | settings))
    return folder


def directory(work):
    """config.json with what CTranslate2's converter asks for, tokenizer_config.json for keras-hub's."""
    folder = linked(work / "directory", position_embedding_type="absolute")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true}')
    return folder


def pickled(folder):
    """What cybertron converts: PyTorch's own format, names with today's endings, a class that has no head."""
    save = """
import safetensors.torch, sys, torch
tensors = safetensors.torch.load_file(sys.argv[1])
torch.save({n.replace("gamma", "weight").replace("beta", "bias"): x for n, x in tensors.items() if n.startswith("bert.")}, sys.argv[2])
"""
    linked(folder, architectures=["BertModel"])
    if not (folder / "pytorch_model.bin").exists():
        peers.run(sys.executable, "-c", save, MODEL / "model.safetensors", folder / "new")
        (folder / "new").rename(folder / "pytorch_model.bin")
    return folder


def source(work, kind):
    path = work / ("bert." + kind)
    if kind == "directory":
        return directory(work)
    if kind == "spago":
        return pickled(path)
    if path.exists():
        return path
    if kind == "ctranslate2":
        peers.run(small(work), work / "small" / "bin" / "ct2-transformers-converter", "--model", directory(work), "--output_dir", path)
    else:
        converter = sys.executable if kind == "onnx" else peers.python(work, peers.PYTHON, peers.VENVS[peers.PYTHON])
        peers.run(converter, ROOT / "tests" / "bench_models.py", kind, MODEL, path)
    return path


def small(work):
    """The venv of the small runtimes: what converts models for them needs torch and transformers."""
    program, installed = work / "small" / "bin" / "python", work / "small" / "installed"
    if not installed.exists():
        peers.run(sys.executable, "-m", "venv", "--system-site-packages", work / "small")
        peers.run(program, "-m", "pip", "install", "--quiet", "-r", HERE / "small-requirements.txt")
        installed.touch()
    return program


def compute(work, adapter, name, what, rows, out):
    """The last hidden state into `out`; the version."""
    reads = source(work, what)
    if adapter == "candle":
        peers.run(*peers.program(work, "candle"), name.split()[1], reads, rows, out)
        return peers.pins("candle", "candle-transformers")
    if adapter == "spago":
        peers.run(*peers.program(work, "spago"), reads, rows, out)
        return peers.pins("spago", "cybertron")
    if adapter == "node":
        peers.program(work, "node")
        return peers.run("node", "runtimes.mjs", name, reads, rows, out, cwd=work / "node").split()[-1]
    python = {"system": lambda: sys.executable, "small": lambda: small(work),
              "python": lambda: peers.python(work, peers.PYTHON, peers.VENVS[peers.PYTHON])}[adapter]()
    return peers.run(python, HERE / "runtimes_python.py", name, reads, rows, out).split()[-1]


# ----------------------------------------------------------------------------------------------------------------------
# Ours, and the distance
# ----------------------------------------------------------------------------------------------------------------------
def inputs(work):
    """Three rows for each input, in a file and as lists."""
    ask = lambda *options: json.loads(subprocess.run([ROOT / "bert", "tokenize", "-q", "-m", MODEL, "--format", "json", *options],
                                                     check=True, capture_output=True, text=True).stdout)
    both = [ask(BANK), ask("--pad", "--max-length", "24", "--pair", "he likes playing in the garden", "my dog is cute")]
    rows = [[x[k] for k in ("ids", "type_ids", "attention_mask")] for x in both]
    path = work / "rows"
    path.write_text("".join(" ".join(map(str, row)) + "\n" for x in rows for row in x))
    return path, rows


def ours(work, rows, *options, model=MODEL):
    """The last hidden state of each input."""
    out = []
    for x in rows:
        given, made = work / "given.safetensors", work / "made.safetensors"
        save_file({n: np.array([row]) for n, row in zip(("input_ids", "token_type_ids", "attention_mask"), x)}, given)
        subprocess.run([ROOT / "bert", "trace", "-q", "-m", model, "--inputs", given, "-o", made, *options], check=True)
        out.append(load_file(made)[LAST].reshape(-1, H).astype(float))
    return out


def decibels(theirs, reference, rows):
    """For each input the NMSE over tokens that count; NaN where the program has NaN, None where it gave nothing."""
    found, at = [], 0
    for x, ref in zip(rows, reference):
        y = theirs[at:at + ref.size].reshape(-1, H).astype(float)
        at += ref.size
        counts = np.array(x[2]) > 0
        if np.isneginf(y).all():                     # the mark of "nothing"
            found.append(None)
            continue
        given = counts & ~np.isneginf(y).any(1)
        found.append(10 * np.log10(((y - ref)[given] ** 2).sum() / (ref[given] ** 2).sum()))
    return found


def reason(plain, tanh, both, sibling):
    """What has been shown."""
    have = [x for x in plain if x is not None]
    if any(np.isnan(x) for x in have):
        return "NaN"
    if max(have) <= ROUNDING:
        return "rounding of float32"
    near = [x for x in tanh if x is not None]
    if max(near) <= ROUNDING:
        return "GELU by tanh: all of it, with `--gelu tanh` ours is the same but for rounding"
    if max(x for x in both if x is not None) <= ROUNDING:
        return "GELU by tanh and LayerNorm with an eps of 1e-5: all of it, with both ours is the same but for rounding"
    if max(n - p for n, p in zip(near, have)) <= -6:
        return f"GELU by tanh: with `--gelu tanh` {', '.join(f'{x:.0f}' for x in near)} dB; the rest is not explained"
    if sibling is not None and max(sibling) <= ROUNDING:
        return "its precision: in float32 the same program is at rounding"
    return "not explained"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / "peers")
    args = parser.parse_args()
    work = args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    peers.run("make", "-s", "bert", cwd=ROOT)
    path, rows = inputs(work)
    reference, by_tanh = ours(work, rows), ours(work, rows, "--gelu", "tanh")
    by_both = ours(work, rows, "--gelu", "tanh", model=linked(work / "eps", layer_norm_eps=1e-5))
    distance = lambda name: decibels(np.fromfile(work / ("out " + name), np.float32), reference, rows)
    for label, adapter, name, what, sibling in sorted(RUNTIMES, key=lambda r: r[4] is not None):        # siblings first
        if args.only and args.only not in label:
            continue
        version = compute(work, adapter, name, what, path, work / ("out " + name))
        theirs = np.fromfile(work / ("out " + name), np.float32)
        plain, tanh, both = (decibels(theirs, x, rows) for x in (reference, by_tanh, by_both))
        show = lambda x: "-" if x is None else "NaN" if np.isnan(x) else f"{x:.0f} dB"
        why = reason(plain, tanh, both, distance(sibling) if sibling else None)
        line = f"| {label} {version} | {show(plain[0])} | {show(plain[1])} | {why} |"
        print(line, flush=True)
        peers.put_row("runtimes", "| program | bank | padded pair | why |", [(r[0], " |") for r in RUNTIMES], (label, " |"), line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
