#!/usr/bin/env python3
"""formula.py - tiny BERT models whose weights are a formula, so that nobody has to download or commit them.

    python3 tests/golden/formula.py OUTDIR      writes OUTDIR/tiny and OUTDIR/odd (config.json, vocab.txt, model.safetensors)
    python3 tests/golden/formula.py --sha256    prints the hash of each model's tensors, for tests/test_golden.c

Element i of the tensor called NAME (Hugging Face's name, without a leading `bert.`) is

    hash   = FNV-1a of the bytes of NAME                            32 bits
    bits   = mix(hash ^ mix(i))                                     mix: a 32-bit integer mixer (lowbias32)
    value  = (bits >> 9) / 2^23 - 1/2                               uniform in [-0.5, 0.5), std 0.29

then, by what the tensor is:

    LayerNorm.weight    1 + value                                   around 1, as in a trained model
    matrix, embedding   scale * value                               scale is a power of two, see KINDS
    everything else     value                                       biases: none of them is zero everywhere

Every step is exact in float32 (23 bits and powers of two), so any language gets the same bits without a math library.
tests/formula.c is the same formula in C; `make test` needs no Python.

Why so wide and why layer_norm_eps 0.01: a trained model's std of 0.02 and eps of 1e-12 would hide a wrong eps, a missing
bias or a swapped pair of tensors below any tolerance.
"""
import hashlib
import json
import os
import sys

import numpy as np
from safetensors.numpy import save_file

# The two models, by the symbols of bert.h.
#   tiny  small enough to print; F is not 4H, S is 3.
#   odd   no size is a multiple of 8; H, F and P cross the 128 at which sums over k are cut; the tanh form of GELU.
#         Its matrices are half as wide, or its softmax would be all zeros and ones.
KINDS = {
    "tiny": dict(L=2, H=24, A=3, F=56, V=101, P=32, S=3, act="gelu", scale=1.0),
    "odd": dict(L=3, H=150, A=5, F=260, V=67, P=160, S=2, act="gelu_new", scale=0.5),
}

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = [chr(c) for c in range(ord("a"), ord("z") + 1)]
WORDS = ("the cat dog sat on mat man went to store river bank money robber vault he she it was is my cute likes play "
         "##ing ##ed ##er ##ly sunny day from of and not word em ##bed ##ding big in").split()


def mix(x):
    """lowbias32: a bijection of 32-bit integers in which every input bit changes about half of the output bits."""
    x = x ^ (x >> 16)
    x = (x * 0x7FEB352D) & 0xFFFFFFFF
    x = x ^ (x >> 15)
    x = (x * 0x846CA68B) & 0xFFFFFFFF
    return x ^ (x >> 16)


def fnv1a(name):
    """The 32-bit FNV-1a hash of a name's bytes."""
    hash = 2166136261
    for byte in name.encode():
        hash = ((hash ^ byte) * 16777619) & 0xFFFFFFFF
    return hash


def values(name, count):
    """Elements 0 .. count-1 of a tensor, in float32 (the integers are kept in 64 bits, so that no product is lost)."""
    i = np.arange(count, dtype=np.uint64)
    bits = mix(np.uint64(fnv1a(name)) ^ mix(i))
    return (bits >> np.uint64(9)).astype(np.float32) / np.float32(2**23) - np.float32(0.5)


def tensor(name, shape, scale):
    v = values(name, int(np.prod(shape))).reshape(shape)
    if name.endswith("LayerNorm.weight"):
        return v + np.float32(1)
    return v * np.float32(scale) if len(shape) == 2 else v


def shapes(c):
    """Name (without `bert.`) and shape of every tensor, in the order of the data. The decoder's matrix is the word
    embeddings, so it has no entry."""
    L, H, F, V, P, S = (c[k] for k in "LHFVPS")
    out = [("embeddings.word_embeddings.weight", (V, H)), ("embeddings.position_embeddings.weight", (P, H)),
           ("embeddings.token_type_embeddings.weight", (S, H)), *norm("embeddings", H)]
    for l in range(L):
        block = f"encoder.layer.{l}."
        for which in ("query", "key", "value"):
            out += dense(block + "attention.self." + which, H, H)
        out += dense(block + "attention.output.dense", H, H) + norm(block + "attention.output", H)
        out += dense(block + "intermediate.dense", F, H)
        out += dense(block + "output.dense", H, F) + norm(block + "output", H)
    out += dense("pooler.dense", H, H)
    out += dense("cls.predictions.transform.dense", H, H) + norm("cls.predictions.transform", H)
    return out + [("cls.predictions.bias", (V,))] + dense("cls.seq_relationship", 2, H)


def dense(name, rows, cols):
    return [(name + ".weight", (rows, cols)), (name + ".bias", (rows,))]


def norm(name, H):
    return [(name + ".LayerNorm.weight", (H,)), (name + ".LayerNorm.bias", (H,))]


def tensors(kind):
    """Name (without `bert.`) -> float32 array."""
    c = KINDS[kind]
    return {name: tensor(name, shape, c["scale"]) for name, shape in shapes(c)}


def config(kind):
    c = KINDS[kind]
    return {
        "architectures": ["BertForPreTraining"], "model_type": "bert",
        "num_hidden_layers": c["L"], "hidden_size": c["H"], "num_attention_heads": c["A"], "intermediate_size": c["F"],
        "vocab_size": c["V"], "max_position_embeddings": c["P"], "type_vocab_size": c["S"],
        "hidden_act": c["act"], "layer_norm_eps": 0.01, "pad_token_id": 0,
    }


def vocabulary(kind):
    """Special tokens, four marks, the letters alone and as ## pieces (so that every word has pieces), then words."""
    pieces = SPECIAL + list(".,?!") + LETTERS + ["##" + letter for letter in LETTERS] + WORDS
    return pieces[:KINDS[kind]["V"]]


def stored_tensors(kind):
    """Names as Hugging Face's tools write them: encoder and pooler with the prefix `bert.`, heads without."""
    return {(name if name.startswith("cls.") else "bert." + name): t for name, t in tensors(kind).items()}


def write_model(kind, directory):
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "config.json"), "w") as f:
        json.dump(config(kind), f, indent=2)
        f.write("\n")
    with open(os.path.join(directory, "vocab.txt"), "w") as f:
        f.write("".join(piece + "\n" for piece in vocabulary(kind)))
    save_file(stored_tensors(kind), os.path.join(directory, "model.safetensors"), metadata={"format": "pt"})


def sha256(kind):
    """Over names and little-endian data of all tensors, sorted by name."""
    sha = hashlib.sha256()
    for name, t in sorted(stored_tensors(kind).items()):
        sha.update(name.encode() + t.astype("<f4").tobytes())
    return sha.hexdigest()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for kind in KINDS:
        assert len(vocabulary(kind)) == len(set(vocabulary(kind))) == KINDS[kind]["V"]
        if sys.argv[1] == "--sha256":
            print(sha256(kind), kind)
        else:
            write_model(kind, os.path.join(sys.argv[1], kind))
            print(os.path.join(sys.argv[1], kind))


if __name__ == "__main__":
    main()
