"""bench_models.py - the weights of a model directory in the forms that other programs read, for tests/bench.py.

    python3 tests/bench_models.py onnx MODEL_DIR OUT.onnx         (1 or more sequences, tokens) -> last hidden state
    python3 tests/bench_models.py onnx-mlm MODEL_DIR OUT.onnx     -> logits of the MLM head
    python3 tests/bench_models.py gguf MODEL_DIR OUT.gguf         llama.cpp's format, every tensor float32
    python3 tests/bench_models.py gte MODEL_DIR OUT.gtemodel      gte-pure-C's format
    python3 tests/bench_models.py random L,H MODEL_DIR OUT_DIR    a model of another size with random weights; L,H,A: heads
    python3 tests/bench_models.py f16|bf16 MODEL_DIR OUT_DIR      the same model with its numbers rounded to half precision

In the others nothing is rounded or changed: all of them hold the same float32 numbers.
"""

import json
import logging
import pathlib
import shutil
import struct
import sys
import warnings

import numpy as np
from safetensors.numpy import load_file, save_file

LAYER = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "attention.output.LayerNorm",
    "intermediate.dense",
    "output.dense",
    "output.LayerNorm",
)


def read(directory):
    """config.json, and the weights under Hugging Face's names without `bert.`"""
    config = json.loads((directory / "config.json").read_text())
    state = load_file(directory / "model.safetensors")
    plain = (
        lambda name: name.removeprefix("bert.")
        .replace("LayerNorm.gamma", "LayerNorm.weight")
        .replace("LayerNorm.beta", "LayerNorm.bias")
    )
    return config, {plain(name): array for name, array in state.items()}


# ----------------------------------------------------------------------------------------------------------------------
# ONNX, by PyTorch's own exporter from transformers' model, with any number of sequences and tokens
# ----------------------------------------------------------------------------------------------------------------------
def onnx(directory, out, mlm=False):
    import torch
    import transformers

    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    config, state = read(directory)
    settings = transformers.BertConfig(**config, attn_implementation="eager")
    model = transformers.BertForMaskedLM(settings) if mlm else transformers.BertModel(settings, add_pooling_layer=False)
    tensors = {
        ("bert." if mlm and not name.startswith("cls.") else "") + name: torch.tensor(array)
        for name, array in state.items()
    }
    if mlm:
        tensors["cls.predictions.decoder.bias"] = tensors["cls.predictions.bias"]
        tensors["cls.predictions.decoder.weight"] = tensors["bert.embeddings.word_embeddings.weight"]
    missing, _ = model.load_state_dict(tensors, strict=False)
    assert not missing, missing

    class First(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model.eval()

        def forward(self, input_ids, token_type_ids, attention_mask):
            return self.model(input_ids=input_ids, token_type_ids=token_type_ids, attention_mask=attention_mask)[0]

    ones = lambda: torch.ones(2, 8, dtype=torch.int64)
    axes = {
        0: torch.export.Dim("sequences", min=1, max=1024),
        1: torch.export.Dim("tokens", min=2, max=config["max_position_embeddings"]),
    }
    torch.onnx.export(
        First(),
        (ones(), 0 * ones(), ones()),
        str(out),
        dynamo=True,
        external_data=False,
        verbose=False,
        input_names=["input_ids", "token_type_ids", "attention_mask"],
        output_names=["out"],
        dynamic_shapes=[axes] * 3,
    )


# ----------------------------------------------------------------------------------------------------------------------
# GGUF: what llama.cpp's own converter writes for a BertModel, for its names are the `gguf` package's
# ----------------------------------------------------------------------------------------------------------------------
GGUF_LAYER = (
    "attn_q",
    "attn_k",
    "attn_v",
    "attn_output",
    "attn_output_norm",
    "ffn_up",
    "ffn_down",
    "layer_output_norm",
)


def gguf(directory, out):
    from gguf import GGUFWriter, PoolingType, TokenType

    config, state = read(directory)
    writer = GGUFWriter(out, "bert")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_layer_norm_eps(config.get("layer_norm_eps", 1e-12))
    writer.add_causal_attention(False)
    writer.add_pooling_type(PoolingType.NONE)
    writer.add_token_type_count(config["type_vocab_size"])
    pieces = (directory / "vocab.txt").read_text("utf-8").splitlines()
    special = lambda piece: piece.startswith("[") and piece.endswith("]")
    writer.add_tokenizer_model("bert")
    writer.add_token_list([p if special(p) else p[2:] if p.startswith("##") else "\u2581" + p for p in pieces])
    writer.add_token_types([TokenType.CONTROL if special(p) else TokenType.NORMAL for p in pieces])
    for piece, add in (
        ("[CLS]", writer.add_bos_token_id),
        ("[SEP]", writer.add_sep_token_id),
        ("[UNK]", writer.add_unk_token_id),
        ("[PAD]", writer.add_pad_token_id),
        ("[MASK]", writer.add_mask_token_id),
    ):
        add(pieces.index(piece))
    names = {
        "embeddings.word_embeddings": "token_embd",
        "embeddings.position_embeddings": "position_embd",
        "embeddings.token_type_embeddings": "token_types",
        "embeddings.LayerNorm": "token_embd_norm",
    }
    for i in range(config["num_hidden_layers"]):
        names |= {f"encoder.layer.{i}.{ours}": f"blk.{i}.{theirs}" for ours, theirs in zip(LAYER, GGUF_LAYER)}
    for ours, theirs in names.items():
        for kind in ("weight", "bias"):
            if f"{ours}.{kind}" in state:
                writer.add_tensor(f"{theirs}.{kind}", state[f"{ours}.{kind}"].astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


# ----------------------------------------------------------------------------------------------------------------------
# gte-pure-C: sizes, vocabulary, tensors one after another (its convert_model.py)
# ----------------------------------------------------------------------------------------------------------------------
def gte(directory, out):
    config, state = read(directory)
    pieces = (directory / "vocab.txt").read_bytes().split(b"\n")[: config["vocab_size"]]
    with open(out, "wb") as f:
        sizes = (
            "vocab_size",
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "intermediate_size",
            "max_position_embeddings",
        )
        f.write(b"GTE1" + struct.pack("<6I", *(config[size] for size in sizes)))
        for piece in pieces:
            f.write(struct.pack("<H", len(piece)) + piece)
        for part in ("word_embeddings", "position_embeddings", "token_type_embeddings"):
            f.write(state[f"embeddings.{part}.weight"].tobytes())
        names = ["embeddings.LayerNorm"]
        names += [f"encoder.layer.{i}.{part}" for i in range(config["num_hidden_layers"]) for part in LAYER] + [
            "pooler.dense"
        ]
        for name in names:
            f.write(state[name + ".weight"].tobytes() + state[name + ".bias"].tobytes())


# ----------------------------------------------------------------------------------------------------------------------
# Google's smaller sizes, A = H/64 and F = 4 H, for how cost grows: the numbers do not matter, so they are random
# ----------------------------------------------------------------------------------------------------------------------
def random(size, directory, out):
    L, H, *A = map(int, size.split(","))
    config, _ = read(directory)
    config |= {"num_hidden_layers": L, "hidden_size": H, "num_attention_heads": (A or [H // 64])[0], "intermediate_size": 4 * H}
    rng = np.random.default_rng(0)
    state = {}

    def add(name, *shape):
        state[f"bert.{name}.weight"] = rng.standard_normal(shape, dtype=np.float32) * np.float32(0.02)
        if not name.endswith("embeddings"):
            state[f"bert.{name}.bias"] = np.zeros(shape[0], np.float32)

    for part, rows in (
        ("word", config["vocab_size"]),
        ("position", config["max_position_embeddings"]),
        ("token_type", config["type_vocab_size"]),
    ):
        add(f"embeddings.{part}_embeddings", rows, H)
    add("embeddings.LayerNorm", H)
    shapes = ((H, H), (H, H), (H, H), (H, H), (H,), (4 * H, H), (H, 4 * H), (H,))
    for i in range(L):
        for part, shape in zip(LAYER, shapes):
            add(f"encoder.layer.{i}.{part}", *shape)
    for name in [n for n in state if n.endswith("LayerNorm.weight")]:
        state[name] = np.ones_like(state[name])
    out.mkdir(parents=True, exist_ok=True)
    save_file(state, out / "model.safetensors")
    (out / "config.json").write_text(json.dumps(config))
    shutil.copy(directory / "vocab.txt", out)


# ----------------------------------------------------------------------------------------------------------------------
# Half precision
# ----------------------------------------------------------------------------------------------------------------------
def half(form, directory, out):
    import torch
    from safetensors.torch import load_file, save_file

    dtype = {"f16": torch.float16, "bf16": torch.bfloat16}[form]
    out.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "vocab.txt"):
        shutil.copy(directory / name, out)
    state = load_file(directory / "model.safetensors")
    save_file({name: x.to(dtype) for name, x in state.items() if x.is_floating_point()}, out / "model.safetensors")


def main():
    form, *rest = sys.argv[1:] or sys.exit(__doc__)
    if form == "random":
        return random(rest[0], pathlib.Path(rest[1]), pathlib.Path(rest[2]))
    directory, out = map(pathlib.Path, rest)
    if form in ("f16", "bf16"):
        return half(form, directory, out)
    part = out.with_suffix(".part")
    {"onnx": onnx, "onnx-mlm": lambda d, o: onnx(d, o, mlm=True), "gguf": gguf, "gte": gte}[form](directory, part)
    part.rename(out)


if __name__ == "__main__":
    main()
