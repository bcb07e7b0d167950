#!/usr/bin/env python3
"""test_traces.py - traces as people record them: `bert verify` finds nothing in a right BERT, and names what is wrong.

    python3 tests/conformance/test_traces.py [MODEL]     MODEL: tiny, odd or real; needs ./bert

transformers' own BertForPreTraining, two sentences of different lengths, padded. Forward hooks on every module keep its output,
or the first of its outputs (the recipe of GUIDE.md), and safetensors writes them, in

  float32      position embeddings have a leading 1, everything else a 2
  bfloat16     the whole model: .bfloat16(). Every tensor is rounded, and the mask is torch.finfo(bfloat16).min
  float16      the same with .half()
  autocast     products in bfloat16; embeddings, LayerNorm and residuals in float32

The right model must pass (exit code 0, `no difference`), and verify must say in which numbers it computed. Then mistakes are
planted, and each must be named. Also: the guide's own recipe, as it is printed there, with and without position embeddings, its
mistake, another one, none; logits alone; OpenVINO in the precision that it takes by itself, and ONNX Runtime in
float16; arrays that are not contiguous, written by safetensors.numpy.
"""
import contextlib
import copy
import io
import os
import re
import sys
import tempfile

import numpy as np
import safetensors.numpy
import transformers
from safetensors.torch import save_file

from common import (BERT, INPUTS, PAIR, REAL, ROOT, Count, capture, formula_cases, formula_model, last_line, real_weights, run, torch)
from export_onnx import export
from test_mistakes import bias_missing, eps_1e5, scaled_by

TYPES = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16, "autocast": torch.bfloat16}
SAID = {"float32": None, "bfloat16": "computed in bfloat16", "float16": "computed in float16", "autocast": "computed in bfloat16"}


# ----------------------------------------------------------------------------------------------------------------------
# Recording
# ----------------------------------------------------------------------------------------------------------------------
def batch(kind):
    """Two sequences of one length: a pair, and the first six of its tokens with padding."""
    ids, types = PAIR if kind == "real" else formula_cases(kind)["pair"][:2]
    T = len(ids)
    short = lambda row: list(row[:6]) + [0] * (T - 6)
    rows = [list(ids), short(ids)], [list(types), short(types)], [[1] * T, [1] * 6 + [0] * (T - 6)]
    return {name: torch.tensor(row) for name, row in zip(INPUTS, rows)}


def recorded(model, inputs, dtype, without_mask=False):
    """The recipe of the guide. Without a mask everybody looks at padding."""
    trace, handles = dict(inputs), []

    def keep(name):
        def hook(module, args, output):
            output = output[0] if isinstance(output, tuple) else output
            if torch.is_tensor(output):
                trace[name] = output.contiguous().clone()
        return hook

    for name, module in model.named_modules():
        handles.append(module.register_forward_hook(keep(name)))
    given = {n: t for n, t in inputs.items() if not (without_mask and n == "attention_mask")}
    with torch.autocast("cpu", dtype=torch.bfloat16) if dtype == "autocast" else contextlib.nullcontext():
        model(**given)
    for handle in handles:
        handle.remove()
    return trace


def verify(trace, directory, work, as_float32=False):
    """Exit code and words of `bert verify`; with as_float32 every tensor is widened first, as careful people do."""
    path = os.path.join(work, "other.safetensors")
    save_file({n: t.float().contiguous() if as_float32 and t.is_floating_point() else t.contiguous() for n, t in trace.items()}, path)
    return run(BERT, "verify", path, "-m", directory)


# ----------------------------------------------------------------------------------------------------------------------
# Mistakes: name, how to plant it, the first tensor, what verify must call it, in which types it can be told from rounding
# ----------------------------------------------------------------------------------------------------------------------
def fused_gelu(m):
    """The other GELU, as one operation: rounded once"""
    wrong = capture.modeling_bert.ACT2FN["gelu_pytorch_tanh" if m.config.hidden_act == "gelu" else "gelu"]
    for layer in m.bert.encoder.layer:
        layer.intermediate.intermediate_act_fn = wrong


def no_segments(m):
    e, right = m.bert.embeddings, m.bert.embeddings.forward
    e.forward = lambda input_ids=None, token_type_ids=None, **rest: right(input_ids=input_ids, token_type_ids=0 * token_type_ids, **rest)


SELF = "encoder.layer.0.attention.self."
MISTAKES = [
    ("mask ignored", None, SELF + "context", r"mask is ignored", TYPES),
    ("one bias missing", bias_missing("bert.encoder.layer.1.output.dense"), "encoder.layer.1.output.dense",
     r"encoder.layer.1.output.dense lacks its bias", TYPES),
    ("no 1/sqrt(D)", scaled_by(lambda H, A: 1.0), SELF + "context", r"not divided by sqrt\(D\)", TYPES),
    ("the other GELU", fused_gelu, "encoder.layer.0.intermediate", r"GELU by (its|erf)", ("float32", "float16")),
    ("layer_norm_eps 1e-5", eps_1e5, "embeddings.LayerNorm", r"layer_norm_eps is 1e-5", TYPES),
    ("segments ignored", no_segments, "embeddings.token_type_embeddings", r"token_type_ids are ignored", TYPES),
]


# ----------------------------------------------------------------------------------------------------------------------
# The recipe of the guide, as it is printed there
# ----------------------------------------------------------------------------------------------------------------------
RECORD = "model(**inputs), save_file("
NO_MISTAKE = (r"(?m)^.*# its mistake\n", "")
NO_POSITIONS = (re.escape(RECORD), 'model(**inputs), trace.pop("embeddings.position_embeddings"), save_file(')
NO_MASK = (re.escape("model(**inputs)"), "model(inputs.input_ids, token_type_ids=inputs.token_type_ids)")
HALF = (re.escape(".eval()"), ".eval().to(torch.bfloat16)")
BIAS, MASK = r"encoder\.layer\.3\.output\.dense lacks its bias", r"the mask is ignored"

# what is done to the recipe, changes of its text, verify's exit code, a pattern for what it prints
RECIPES = [
    ("as it stands", (), 1, BIAS),
    ("without positions", (NO_POSITIONS,), 1, BIAS),
    ("right", (NO_MISTAKE,), 0, "no difference$"),
    ("right, without positions", (NO_MISTAKE, NO_POSITIONS), 0, "no difference$"),
    ("right, in bfloat16", (NO_MISTAKE, HALF), 0, "no difference$"),
    ("no mask", (NO_MISTAKE, NO_MASK), 1, MASK),
    ("no mask, without positions", (NO_MISTAKE, NO_POSITIONS, NO_MASK), 1, MASK),
    ("no mask, in bfloat16", (NO_MISTAKE, HALF, NO_MASK), 1, MASK),
]


def recipe():
    """The guide's program that records a model of PyTorch's."""
    with open(os.path.join(ROOT, "tests", "conformance", "GUIDE.md"), encoding="utf-8") as f:
        blocks = re.findall(r"(?ms)^```python\n(.*?)^```$", f.read())
    return next(b for b in blocks if "named_modules" in b)


def follow(text, changes, path):
    """Runs the recipe, changed; its exit code of verify, what it printed."""
    for pattern, replacement in changes:
        text, changed = re.subn(pattern, lambda _: replacement, text)
        assert changed == 1, f"the guide's recipe does not have /{pattern}/ once, but {changed} times"
    said, names = io.StringIO(), {}
    with contextlib.chdir(ROOT), contextlib.redirect_stdout(said), torch.enable_grad():
        exec(text.replace("mine.safetensors", path), names)
    return names["done"].returncode, said.getvalue()


def check_recipe(count, work):
    """Two sentences with padding. transformers computes the position embeddings once for both, so that they have another
    leading dimension than everything else: what is right is equal, and a mistake behind them is named."""
    path = os.path.join(work, "mine.safetensors")
    for what, changes, expected, pattern in RECIPES:
        code, said = follow(recipe(), changes, path)
        good = code == expected and re.search(pattern, said.strip())
        count.check(good, f"the guide's recipe, {what}: {code}\n{said}")
        print(f"the guide's recipe, {what:<28}{said.splitlines()[0][:100]}", flush=True)
        trace = safetensors.numpy.load_file(path) if "bfloat16" not in what else {}
        shapes = [trace[n].shape[0] for n in ("embeddings.position_embeddings", "embeddings.LayerNorm") if n in trace]
        expected = [] if not trace else [2] if "positions" in what else [1, 2]
        count.check(shapes == expected, f"the guide's recipe, {what}: leading dimensions {shapes}, expected {expected}")


def check_type(count, model, kind, dtype, directory, work):
    model = copy.deepcopy(model)
    if TYPES[dtype] and dtype != "autocast":
        model = model.to(TYPES[dtype])
    inputs = batch(kind)
    for as_float32 in (False, True):
        code, said = verify(recorded(model, inputs, dtype), directory, work, as_float32)
        count.check(code == 0 and last_line(said) == "no difference", f"{kind}, {dtype}, right: {code}\n{said[-900:]}")
        count.check((SAID[dtype] or "\n") in said and ("computed in" in said) == bool(SAID[dtype]), f"{kind}, {dtype}: {said[:300]}")
    print(f"{kind:<6}{dtype:<10}{'right':<24}{said.splitlines()[0][:90]}", flush=True)
    for what, plant, first, pattern, types in MISTAKES:
        if dtype not in types:
            continue
        spoiled = copy.deepcopy(model)
        if plant:
            plant(spoiled)
        code, said = verify(recorded(spoiled, inputs, dtype, without_mask=not plant), directory, work)
        said = said.replace("\n    ", " ")
        named = " ".join(line for line in said.splitlines() if line.startswith(("best explanation", "cannot be told apart")))
        count.check(code == 1 and last_line(said).startswith(f"first difference: {first}:") and re.search(pattern, named),
                    f"{kind}, {dtype}, {what}: {code}\n{said[-900:]}")
        print(f"{kind:<6}{dtype:<10}{what:<24}{named[:110]}", flush=True)


# ----------------------------------------------------------------------------------------------------------------------
# Outputs alone, runtimes, views
# ----------------------------------------------------------------------------------------------------------------------
def check_logits(count, model, kind, directory, work):
    inputs = batch(kind)
    for width, output in (("V", "prediction_logits"), ("2", "seq_relationship_logits")):
        if width == "2" and not model.heads["nsp"]:
            continue
        code, said = verify(inputs | {"logits": model(**inputs)[output]}, directory, work)
        count.check(code == 0 and "1 compared" in said, f"{kind}, logits of width {width}: {code}\n{said}")
        print(f"{kind:<6}logits of width {width}: {last_line(said)}", flush=True)


def check_heads(count, work):
    """`logits` of transformers' classes with a head: what they are is told by the model and the shape."""
    words = "[PAD] [UNK] [CLS] [SEP] [MASK] the a cat sat on mat".split()
    ids = torch.tensor([[2, 5, 7, 8, 9, 5, 10, 3], [2, 7, 8, 3, 0, 0, 0, 0]])
    inputs = dict(zip(INPUTS, (ids, 0 * ids, (ids != 0).long())))
    directory = os.path.join(work, "head")
    torch.manual_seed(0)
    for name, labels in (("SequenceClassification", 3), ("SequenceClassification", 2), ("TokenClassification", 5),
                         ("MultipleChoice", 1), ("MaskedLM", 2), ("NextSentencePrediction", 2)):
        config = transformers.BertConfig(vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
                                         intermediate_size=64, initializer_range=0.5, num_labels=labels)
        model = getattr(transformers, "BertFor" + name)(config).eval()
        model.save_pretrained(directory)
        with open(os.path.join(directory, "vocab.txt"), "w") as f:
            f.write("\n".join(words) + "\n")
        given = {n: t[None] for n, t in inputs.items()} if name == "MultipleChoice" else inputs
        code, said = verify(inputs | {"logits": model(**given).logits}, directory, work)
        count.check(code == 0 and "1 compared" in said, f"logits of {name}, {labels} labels: {code}\n{said}")
        print(f"logits of {name}: {said.splitlines()[0]}", flush=True)


def check_runtimes(count, model, kind, directory, work):
    """OpenVINO in its own choice of numbers, and ONNX Runtime with a graph in float16."""
    import onnx
    import onnxruntime
    import openvino
    from onnxruntime.transformers.float16 import convert_float_to_float16
    path = os.path.join(work, "model.onnx")
    feeds = {n: t[:1].numpy() for n, t in batch(kind).items()}
    for hidden_only in (False, True):
        export(model, path, hidden_only)
        compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_NUM_THREADS": 1})
        result = compiled(feeds)
        chosen = compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        traces = {f"OpenVINO, by itself {chosen}": {o.get_any_name(): result[o] for o in compiled.outputs}}
        half = os.path.join(work, "half.onnx")
        onnx.save(convert_float_to_float16(onnx.load(path)), half)
        session = onnxruntime.InferenceSession(half, providers=["CPUExecutionProvider"])
        names = [o.name for o in session.get_outputs()]
        traces["ONNX Runtime, float16"] = dict(zip(names, session.run(None, feeds)))
        for what, trace in traces.items():
            tensors = {n: torch.tensor(np.asarray(a)) for n, a in (feeds | trace).items()}
            code, said = verify(tensors, directory, work)
            half_precision = what.endswith(("bf16", "f16", "float16"))
            count.check(code == 0 and ("computed in" in said) == half_precision, f"{kind}, {what}: {code}\n{said[-900:]}")
            print(f"{kind:<6}{what:<30}{len(trace):>4} tensors: {said.splitlines()[0][:80]}", flush=True)


def check_views(count, model, kind, directory, work):
    """Arrays that are not contiguous, as safetensors.numpy 0.8.0 writes them: in the order of their memory. (A version that
    copies them first writes what the shape says, and there is nothing to recognise.)"""
    inputs = batch(kind)
    A, path = model.config.num_attention_heads, os.path.join(work, "views.safetensors")
    trace = {n.removeprefix("bert."): t.numpy() for n, t in recorded(model, inputs, "float32").items()}
    name = SELF + "query"
    B, T, H = trace[name].shape
    trace[name] = trace[name].reshape(B, T, A, H // A).swapaxes(1, 2)               # (B, A, T, D), as attention wants it
    safetensors.numpy.save_file(trace, path)
    copied = np.array_equal(safetensors.numpy.load_file(path)[name], trace[name])
    code, said = run(BERT, "verify", path, "-m", directory)
    note = "in another order in OTHER" if copied else f"{name}: the right numbers, written in another order"
    count.check(code == 0 and note in said, f"{kind}, a view: {code}\n{said[-900:]}")
    print(f"{kind:<6}a view {'was copied' if copied else 'is recognised'}: {last_line(said)}", flush=True)


def main():
    count = Count()
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    with tempfile.TemporaryDirectory() as work:
        if not wanted:
            check_heads(count, work)
        for kind in ("tiny", "odd", "real"):
            if wanted not in kind:
                continue
            if kind == "real" and not real_weights():
                count.skip(f"{REAL} is missing (make weights)")
                continue
            directory = REAL if kind == "real" else formula_model(kind, work)
            if kind == "real":
                check_recipe(count, work)
            model = capture.load_model(directory, torch.float32)
            for dtype in TYPES:
                check_type(count, model, kind, dtype, directory, work)
            check_logits(count, model, kind, directory, work)
            check_views(count, model, kind, directory, work)
            check_runtimes(count, model, kind, directory, work)
    return count.end()


if __name__ == "__main__":
    sys.exit(main())
