#!/usr/bin/env python3
"""test_learn.py - every gradient of `bert trace --gradients` against PyTorch's autograd.

    python3 tests/conformance/test_learn.py         needs ./bert, ./bert64, build/learn_steps64; the real weights are
                                                    skipped if missing
    python3 tests/conformance/test_learn.py --table writes tests/golden/ERRORS-gradients.md; without, its columns of
                                                    bert.c must be what is computed (PyTorch's depend on the machine)

The model is transformers' BertForPreTraining, in float64; its loss is what the model itself returns for `labels` and
`next_sentence_label`. Gradients of intermediates are kept by hooks, those of scores, probs and context in an attention
function that is transformers' own, written out. For each case:

  bert64: losses, gradients of all intermediates and of all parameters, within 1e-10 of the tensor's largest number
          (only the order of sums differs); no name is missing on either side
  bert:   float32; its error is printed beside that of PyTorch's float32, both against float64

The heads of fine-tuned models, BERT's and DistilBERT's, with the losses of transformers' own classes: labels of texts,
labels of tokens, answers.

Then ten steps of AdamW, with warm-up, clipping and weight decay, in micro-batches, against torch.optim.AdamW with
transformers' schedule, and against Google's optimization.py, written out in NumPy: every parameter after ten steps.
"""
import json
import os
import re
import statistics
import sys
import tempfile

import numpy as np

from common import BERT, BERT64, REAL, ROOT, Count, capture, formula, formula_model, real_weights, run, torch
from safetensors.torch import load_file, save_file
import transformers
from transformers import get_linear_schedule_with_warmup
from transformers.models.bert import modeling_bert

LEARN_STEPS = os.path.join(ROOT, "build", "learn_steps64")
LIMIT = 1e-10           # measured: 4e-14
STEPS_LIMIT = 1e-11     # measured: 4e-13, of the parameter's largest number, after ten steps
RATIO = 2.0             # our float32 error over PyTorch's, the median of all tensors
TABLE = os.path.join(ROOT, "tests", "golden", "ERRORS-gradients.md")


# ----------------------------------------------------------------------------------------------------------------------
# PyTorch's side
# ----------------------------------------------------------------------------------------------------------------------
class Kept:
    """While it is entered, every intermediate under its trace name is kept, and so will be its gradient."""

    def __init__(self, model):
        self.model, self.found, self.handles = model, {}, []

    def __enter__(self):
        modules = dict(self.model.named_modules())
        names = capture.trace_names(self.model.config.num_hidden_layers, **self.model.heads)
        for name in names:
            module = modules.get(name if name.startswith("cls.") else "bert." + name)
            if module is not None:
                self.handles.append(module.register_forward_hook(self.hook(name)))
        for l, layer in enumerate(self.model.bert.encoder.layer):
            layer.attention.self.trace_name = f"encoder.layer.{l}.attention.self."
        self.original = modeling_bert.eager_attention_forward
        modeling_bert.eager_attention_forward = self.attention
        return self

    def __exit__(self, *error):
        modeling_bert.eager_attention_forward = self.original
        for handle in self.handles:
            handle.remove()

    def keep(self, name, tensor):
        tensor.retain_grad()
        self.found[name] = tensor
        return tensor

    def hook(self, name):
        def record(module, inputs, output):
            self.keep(name, output)
        return record

    def attention(self, module, query, key, value, attention_mask, scaling=None, **rest):
        """transformers' eager_attention_forward, line by line."""
        scores = torch.matmul(query, key.transpose(2, 3)) * scaling
        if attention_mask is not None:
            scores = scores + attention_mask
        scores = self.keep(module.trace_name + "scores", scores)
        probs = self.keep(module.trace_name + "probs", torch.nn.functional.softmax(scores, dim=-1))
        context = torch.matmul(probs, value).transpose(1, 2).contiguous()
        return self.keep(module.trace_name + "context", context), probs


def reference(model, inputs):
    """Name -> tensor: loss, loss.mlm, loss.nsp, grad.NAME; for one sequence without the leading 1."""
    model.zero_grad(set_to_none=True)
    inputs = {n: t if t.dim() > 1 or n == "next_sentence_label" else t[None] for n, t in inputs.items()}
    B, T = inputs["input_ids"].shape
    with torch.enable_grad(), Kept(model) as kept:
        out = model(**{n: t for n, t in inputs.items() if not n.endswith("label") and n != "labels"})
        cross_entropy = torch.nn.functional.cross_entropy
        zero = torch.zeros((), dtype=out.prediction_logits.dtype)
        mlm = nsp = zero
        if "labels" in inputs and (inputs["labels"] >= 0).any():
            mlm = cross_entropy(out.prediction_logits.view(B * T, -1), inputs["labels"].view(-1))
        if "next_sentence_label" in inputs:
            nsp = cross_entropy(out.seq_relationship_logits, inputs["next_sentence_label"].view(-1))
        (mlm + nsp).backward()
    if mlm is not zero and nsp is not zero:             # the model's own loss is this sum
        own = model(**inputs).loss
        assert torch.equal(own, (mlm + nsp).detach()), (own, mlm + nsp)
    found = {"loss": mlm + nsp, "loss.mlm": mlm, "loss.nsp": nsp}
    for name, t in kept.found.items():
        if t.grad is not None:
            grad = t.grad.flatten(2) if name.endswith("self.context") else t.grad
            found["grad." + name] = grad if B > 1 and len(grad) > 1 else grad[0]    # one row of positions for all
    for name, p in model.named_parameters():
        if p.grad is not None:
            found["grad." + name.removeprefix("bert.").replace("predictions.decoder.bias", "predictions.bias")] = p.grad
    return {n: t.detach().clone() for n, t in found.items()}


# ----------------------------------------------------------------------------------------------------------------------
# Comparing
# ----------------------------------------------------------------------------------------------------------------------
def scale_of(name, want):
    """The tensor's largest number. A key's bias has the gradient 0 but for rounding: there it is the query's."""
    like = name.replace("self.key.bias", "self.query.bias")
    return float(want[like].abs().max())


def worst(got, want):
    """The largest difference over the largest number, and where; infinity for other names or shapes."""
    ours = {n for n in got if n.startswith(("grad.", "loss"))}
    if "loss.mlm" in want and float(want["loss.mlm"]) == 0:     # nothing to guess: PyTorch has no such gradients at all
        for n in sorted(ours - set(want)):
            if float(got[n].abs().max()) != 0:
                return float("inf"), n + " is not zero"
        ours &= set(want)
    if ours != set(want):
        return float("inf"), "only one side has " + ", ".join(sorted(ours ^ set(want))[:3])
    result = (0.0, "")
    got = {n: t.sum(0) if n == "grad.embeddings.position_embeddings" and t.dim() == 3 else t for n, t in got.items()}
    for n in want:
        if got[n].shape != want[n].shape:
            return float("inf"), f"{n}: {tuple(got[n].shape)} and {tuple(want[n].shape)}"
        difference = float((got[n].double() - want[n].double()).abs().max())
        scale = scale_of(n, want)
        result = max(result, (difference / scale if scale else difference, n))
    return result


def nmse(got, want, n):
    return float(((got[n].double() - want[n].double()) ** 2).sum() / (want[n].double() ** 2).sum())


def check(count, work, kind, directory, models, case, inputs):
    """One case on both binaries. Returns (name, ours, PyTorch's) for every tensor in float32: the root of its NMSE."""
    path, paths = os.path.join(work, "inputs.safetensors"), [os.path.join(work, b) for b in ("64", "32")]
    save_file({n: t.contiguous() for n, t in inputs.items()}, path)
    for out, binary in zip(paths, (BERT64, BERT)):
        code, said = run(binary, "trace", "--gradients", "-m", directory, "--inputs", path, "-o", out)
        if not count.check(code == 0, f"{kind} {case}: {os.path.basename(binary)} exits {code}: {said}"):
            return []
    want, single = reference(models[0], inputs), reference(models[1], inputs)
    double, ours = load_file(paths[0]), load_file(paths[1])
    difference, where = worst(double, want)
    count.check(difference <= LIMIT, f"{kind} {case}: {where}: {difference:.2g} of the largest number")
    print(f"{kind:<18}{case:<26}{len(want):>5} tensors, {difference:8.1e} at {where}", flush=True)
    return [(n, nmse(ours, want, n) ** 0.5, nmse(single, want, n) ** 0.5) for n in want
            if n in ours and ours[n].shape == want[n].shape and "key.bias" not in n and float(want[n].abs().max())]


# ----------------------------------------------------------------------------------------------------------------------
# Cases
# ----------------------------------------------------------------------------------------------------------------------
def sequences(V, S, lengths, T, seed):
    """(B,T): ids from a generator, segments one after another, padding at the end, 15 % and more to be guessed."""
    random = torch.Generator().manual_seed(seed)
    B = len(lengths)
    ids = torch.randint(5, V, (B, T), generator=random)
    types, mask, labels = torch.zeros(B, T).long(), torch.zeros(B, T).long(), torch.full((B, T), -100)
    for b, n in enumerate(lengths):
        mask[b, :n] = 1
        types[b, :n] = torch.arange(n) * S // n
        chosen = torch.rand(n, generator=random) < 0.2
        chosen[n // 2] = True
        labels[b, :n][chosen] = torch.randint(0, V, (int(chosen.sum()),), generator=random)
    ids[mask == 0] = 0
    return {"input_ids": ids, "token_type_ids": types, "attention_mask": mask, "labels": labels,
            "next_sentence_label": torch.tensor([b % 2 for b in range(B)])}


def cases(V, S, P):
    """Name -> inputs. S segments: two, or three in the model tiny."""
    long = min(P, 150)                                  # more than a chunk of 128, where the model has the positions
    batch = sequences(V, S, (9, 6, 9, 3), 9, 1)
    one = {n: t[0] for n, t in sequences(V, S, (11,), 11, 2).items() if n != "next_sentence_label"}
    empty = {**batch, "labels": torch.full((4, 9), -100)}
    return {
        "pairs, padded": batch,
        "one sequence, MLM alone": one,
        "NSP alone": {n: t for n, t in batch.items() if n != "labels"},
        "nothing to guess": empty,
        "one token": sequences(V, 1, (1, 1), 1, 3),
        "long": sequences(V, S, (long, long - 7), long, 4),
        "many": sequences(V, S, [13, 20, 20, 5, 17, 20, 20, 9, 20, 20] * 2, 20, 5),
    }


def untied(directory, work):
    """tiny with a decoder of its own, and decoder.bias."""
    path = os.path.join(work, "untied")
    os.makedirs(path)
    with open(os.path.join(directory, "config.json")) as f:
        config = json.load(f) | {"tie_word_embeddings": False}
    with open(os.path.join(path, "config.json"), "w") as f:
        json.dump(config, f)
    state = load_file(os.path.join(directory, "model.safetensors"))
    V, H = state["bert.embeddings.word_embeddings.weight"].shape
    state["cls.predictions.decoder.weight"] = torch.linspace(-0.7, 0.9, V * H).sin().reshape(V, H).contiguous()
    state["cls.predictions.decoder.bias"] = torch.linspace(-0.2, 0.3, V)
    state["cls.predictions.bias"] = torch.zeros(V)
    save_file(state, os.path.join(path, "model.safetensors"), metadata={"format": "pt"})
    with open(os.path.join(directory, "vocab.txt")) as f, open(os.path.join(path, "vocab.txt"), "w") as g:
        g.write(f.read())
    return path


# ----------------------------------------------------------------------------------------------------------------------
# AdamW
# ----------------------------------------------------------------------------------------------------------------------
STEPS, BATCH, WARMUP, RATE, DECAY, CLIP = 10, 4, 4, 0.01, 0.1, 1.0


def rows_of(inputs, step):
    rows = (torch.arange(BATCH) + step * BATCH) % len(inputs["input_ids"])
    return {n: t[rows] for n, t in inputs.items()}


def decays(name):
    """Hugging Face's Trainer and Google's regular expressions agree: no biases, no LayerNorm."""
    return not name.endswith("bias") and "LayerNorm" not in name and "layer_norm" not in name


def learn_torch(model, inputs):
    """Ten steps with PyTorch's AdamW. Returns parameters by name, and loss, norm and rate of every step."""
    groups = [{"params": [p for n, p in model.named_parameters() if decays(n) == d], "weight_decay": DECAY * d}
              for d in (True, False)]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.999), eps=1e-8)
    schedule = get_linear_schedule_with_warmup(optimizer, WARMUP, STEPS)
    series = {"loss": [], "norm": [], "rate": []}
    for step in range(STEPS):
        with torch.enable_grad():
            loss = model(**rows_of(inputs, step)).loss
            loss.backward()
        series["norm"].append(float(torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)))
        series["loss"].append(float(loss))
        series["rate"].append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    return dict(model.named_parameters()), series


def learn_google(model, inputs):
    """The same with the formulas of google-research/bert, optimization.py; PyTorch only gives the gradients."""
    names, parameters = zip(*model.named_parameters())
    m, v = ([np.zeros(p.shape) for p in parameters] for _ in range(2))
    series = {"loss": [], "norm": [], "rate": []}
    for step in range(STEPS):
        with torch.enable_grad():
            loss = model(**rows_of(inputs, step)).loss
            grads = torch.autograd.grad(loss, parameters, materialize_grads=True)   # untied: one bias is unused
        grads = [g.numpy() for g in grads]
        rate = RATE * step / WARMUP if step < WARMUP else RATE * (1 - step / STEPS)         # polynomial_decay, power 1
        norm = np.sqrt(sum((g ** 2).sum() for g in grads))                                  # clip_by_global_norm
        grads = [g * CLIP / max(norm, CLIP) for g in grads]
        for i, (name, p, g) in enumerate(zip(names, parameters, grads)):
            m[i] = 0.9 * m[i] + 0.1 * g
            v[i] = 0.999 * v[i] + 0.001 * g * g
            update = m[i] / (np.sqrt(v[i]) + 1e-6)
            if decays(name):
                update = update + DECAY * p.detach().numpy()
            p.data -= torch.from_numpy(rate * update)
        for name, value in zip(series, (float(loss), norm, rate)):
            series[name].append(value)
    return dict(zip(names, parameters)), series


def check_steps(count, work, kind, directory, rules, micro_batch):
    model = capture.load_model(directory, torch.float64)
    model.requires_grad_(True)
    lengths = (9, 12, 12, 7, 11, 12, 5, 12, 12, 10)
    inputs = sequences(model.config.vocab_size, model.config.type_vocab_size, lengths, 12, 7)
    path, out = os.path.join(work, "inputs.safetensors"), os.path.join(work, "steps.safetensors")
    save_file({n: t.contiguous() for n, t in inputs.items()}, path)
    numbers = (STEPS, BATCH, micro_batch, WARMUP, RATE, DECAY, CLIP)
    code, said = run(LEARN_STEPS, directory, path, out, rules, *(str(n) for n in numbers))
    if not count.check(code == 0, f"learn_steps64 exits {code}: {said}"):
        return
    parameters, series = (learn_google if rules == "google" else learn_torch)(model, inputs)
    ours = load_file(out)
    want = {n.removeprefix("bert.").replace("predictions.decoder.bias", "predictions.bias"): p.detach()
            for n, p in parameters.items()} | {n: torch.tensor(x, dtype=torch.float64) for n, x in series.items()}
    count.check(set(want) == set(ours), f"{kind}: only one side has {sorted(set(want) ^ set(ours))[:3]}")
    noise = [n for n in want if n.endswith("key.bias")]     # gradients are 1e-17, rounding alone: Adam divides by 1e-8
    count.check(all(float((ours[n] - want[n]).abs().max()) < 1e-9 for n in noise), f"{kind}, {rules}: a key's bias")
    difference, name = max((float((ours[n] - want[n]).abs().max() / want[n].abs().max()), n)
                           for n in want if n in ours and n not in noise)
    count.check(difference <= STEPS_LIMIT, f"{kind}, {rules}: {name}: {difference:.2g} of the largest number")
    count.check(max(series["norm"]) > CLIP, f"{kind}, {rules}: no step is clipped")
    print(f"{kind:<18}ten steps, {rules:<12}{len(want):>8} tensors, {difference:8.1e} at {name}; loss "
          f"{series['loss'][0]:.3f} to {series['loss'][-1]:.3f}", flush=True)


# ----------------------------------------------------------------------------------------------------------------------
# Heads of fine-tuned models
# ----------------------------------------------------------------------------------------------------------------------
def bert_name(name):
    """A parameter's name in `bert trace --gradients`: that of BERT, without `bert.`."""
    name = name.removeprefix("bert.").removeprefix("distilbert.")
    for distil, bert in (("transformer.", "encoder."), ("attention.q_lin", "attention.self.query"),
                         ("attention.k_lin", "attention.self.key"), ("attention.v_lin", "attention.self.value"),
                         ("attention.out_lin", "attention.output.dense"), ("ffn.lin1", "intermediate.dense"),
                         ("sa_layer_norm", "attention.output.LayerNorm"), ("ffn.lin2", "output.dense"),
                         ("output_layer_norm", "output.LayerNorm")):
        name = name.replace(distil, bert)
    return name


def check_head(count, work, name, labels):
    """A class of transformers with random weights: its own loss, and the gradients of all its parameters."""
    directory = os.path.join(work, name)
    distil = name.startswith("Distil")
    torch.manual_seed(3)
    sizes = (dict(dim=24, n_layers=2, n_heads=3, hidden_dim=56) if distil else
             dict(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=56))
    config = getattr(transformers, "DistilBertConfig" if distil else "BertConfig")(
        vocab_size=101, max_position_embeddings=32, num_labels=2 if "Question" in name else 3, initializer_range=0.3,
        **sizes)
    model = getattr(transformers, name)(config).double().eval()
    model.save_pretrained(directory)
    with open(os.path.join(directory, "vocab.txt"), "w") as f:
        f.writelines(f"{piece}\n" for piece in ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *range(96)])
    inputs = sequences(101, 1 if distil else 2, (9, 6, 9, 3), 9, 1)
    inputs = {n: t for n, t in inputs.items() if "label" not in n} | {n: torch.tensor(t) for n, t in labels.items()}
    inputs["input_ids"][inputs["attention_mask"] == 0] = 5      # heads read padding: [PAD]'s row is not learned there
    model.zero_grad()
    with torch.enable_grad():
        given = {n: t for n, t in inputs.items() if not (distil and n == "token_type_ids")}
        loss = model(**given).loss
        loss.backward()
    want = {"loss": loss.detach()} | {"grad." + bert_name(n): p.grad for n, p in model.named_parameters()
                                      if p.grad is not None}
    path, out = os.path.join(work, "inputs.safetensors"), os.path.join(work, "head")
    save_file({n: t.contiguous() for n, t in inputs.items()}, path)
    code, said = run(BERT64, "trace", "--gradients", "-m", directory, "--inputs", path, "-o", out)
    if not count.check(code == 0, f"{name}: bert64 exits {code}: {said}"):
        return
    found = load_file(out)
    parameters = {"grad." + bert_name(n) for n, _ in model.named_parameters()}
    ours = {n for n in found if n == "loss" or n in parameters}
    count.check(ours == set(want), f"{name}: only one side has {sorted(ours ^ set(want))[:3]}")
    # softmax over all tokens: the gradients of an answer's logits add up to 0, and so do these, but for rounding
    zero = ("grad.qa_outputs.bias", "grad.encoder.layer.1.output.LayerNorm.bias") if "Question" in name else ()
    difference, where = max((float((found[n] - want[n]).abs().max()) /
                             scale_of("grad.qa_outputs.weight" if n in zero else n, want), n) for n in want if n in ours)
    count.check(difference <= LIMIT, f"{name}: {where}: {difference:.2g} of the largest number")
    print(f"{name:<44}{len(want):>5} tensors, {difference:8.1e} at {where}", flush=True)


def check_heads(count, work):
    texts, tokens = [2, 0, 1, 2], [[n % 4 - 1 if n % 4 else -100 for n in range(b, b + 9)] for b in range(4)]
    answers = {"start_positions": [0, 2, 5, 1], "end_positions": [3, 2, 8, 2]}
    for name, labels in (("SequenceClassification", {"labels": texts}), ("TokenClassification", {"labels": tokens}),
                         ("QuestionAnswering", answers)):
        for family in ("Bert", "DistilBert"):
            check_head(count, work, f"{family}For{name}", labels)


# ----------------------------------------------------------------------------------------------------------------------
# The table of float32's errors
# ----------------------------------------------------------------------------------------------------------------------
def place_of(name):
    """Where a gradient is on the way back: the heads, a layer, the embeddings."""
    layer = re.search(r"encoder\.layer\.(\d+)\.", name)
    return f"layer {layer[1]}" if layer else "embeddings" if "embeddings" in name else "heads"


def row(title, errors):
    ours, theirs = ([e[i] for e in errors] for i in (1, 2))
    cells = (statistics.median(ours), max(ours), statistics.median(theirs), max(theirs))
    return f"| {title} | {len(errors)} | " + " | ".join(f"{x:.1e}" for x in cells) + " |"


def table_text(found):
    head = ("| | tensors | bert.c, median | worst | PyTorch, median | worst |\n| --- | --- | --- | --- | --- | --- |\n")
    cases = [row(f"{kind}, {case}", errors) for (kind, case), errors in found.items()]
    by_place = {}
    for e in found.get(("bert-base-uncased", "pairs, padded"), []):
        by_place.setdefault(place_of(e[0]), []).append(e)
    places = [row(place, errors) for place, errors in by_place.items()]
    return f"""# Errors of float32's gradients

Written by `python3 tests/conformance/test_learn.py --table`: the gradients of all intermediates and parameters in float32,
bert.c's and PyTorch's, against PyTorch in float64. An error is the root of the mean square of the differences over that of
the numbers, for one tensor; a row has the median over its tensors and the worst. bert.c's columns are the same bits
everywhere, and checked; PyTorch's depend on the machine. (The keys' biases are left out, whose gradients are 0 but for
rounding.) In float64 bert.c and PyTorch differ by at most 1e-13 of a tensor's largest number.

{head}""" + "\n".join(cases) + f"""

## bert-base-uncased on its way back

{head}""" + "\n".join(places) + "\n"


def ours_alone(text):
    """A table's lines without the columns of PyTorch."""
    return [" | ".join(line.split(" | ")[:4]) for line in text.splitlines()]


def check_table(count, found):
    if ("bert-base-uncased", "pairs, padded") not in found:
        return
    if "--table" in sys.argv:
        with open(TABLE, "w", encoding="utf-8") as f:
            f.write(table_text(found))
    with open(TABLE, encoding="utf-8") as f:
        count.check(ours_alone(f.read()) == ours_alone(table_text(found)), f"{os.path.relpath(TABLE, ROOT)}: other errors")


def main():
    count, found = Count(), {}
    with tempfile.TemporaryDirectory() as work:
        directories = {kind: formula_model(kind, work) for kind in formula.KINDS}
        directories["untied"] = untied(directories["tiny"], work)
        for kind, directory in directories.items():
            models = [capture.load_model(directory, dtype) for dtype in (torch.float64, torch.float32)]
            for m in models:
                m.requires_grad_(True)
            c = models[0].config
            for case, inputs in cases(c.vocab_size, c.type_vocab_size, c.max_position_embeddings).items():
                found[kind, case] = check(count, work, kind, directory, models, case, inputs)
        for kind, directory in directories.items():
            for rules, micro_batch in (("huggingface", 3), ("google", 4)):
                check_steps(count, work, kind, directory, rules, micro_batch)
        check_heads(count, work)
        if real_weights():
            models = [capture.load_model(REAL, dtype) for dtype in (torch.float64, torch.float32)]
            for m in models:
                m.requires_grad_(True)
            inputs = sequences(30522, 2, (16, 11), 16, 6)
            del inputs["next_sentence_label"]           # these weights have no NSP head
            case = "bert-base-uncased", "pairs, padded"
            found[case] = check(count, work, case[0], REAL, models, case[1], inputs)
        else:
            count.skip("bert-base-uncased: the weights are missing (make weights)")
    check_table(count, found)
    ratios = sorted(ours / theirs for errors in found.values() for _, ours, theirs in errors if theirs)
    median = ratios[len(ratios) // 2] if ratios else float("inf")
    print(f"float32, root of NMSE over PyTorch's, {len(ratios)} tensors: median {median:.2f}, "
          f"a tenth below {ratios[len(ratios) // 10]:.2f}, a tenth above {ratios[-len(ratios) // 10]:.2f}")
    count.check(median <= RATIO, f"float32: the median of our error over PyTorch's is {median:.2f}")
    return count.end()


if __name__ == "__main__":
    sys.exit(main())
