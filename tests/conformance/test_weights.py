"""test_weights.py - weights as people bring them, against transformers: tiny random models in mixed settings, saved by the
library's own functions or by torch.save, and computed by both. Hidden states, pooler and MLM logits are equal, or the file is
refused in a sentence that names what cannot be obeyed.
    python3 tests/conformance/test_weights.py [SEED [NUMBER]]         100 random ones from seed 0"""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
import torch
from safetensors.torch import load_file, save_file
from transformers import (BertConfig, BertForMaskedLM, BertForNextSentencePrediction, BertForPreTraining,
                          BertForSequenceClassification, BertForTokenClassification, BertModel)

from transformers.utils import logging

import common

warnings.filterwarnings("ignore")
logging.disable_progress_bar()
CONVERT = os.path.join(common.ROOT, "build", "convert")
CLASSES = (BertModel, BertForMaskedLM, BertForPreTraining, BertForNextSentencePrediction, BertForSequenceClassification,
           BertForTokenClassification)
EQUAL = 1e-5                            # of the largest number of the tensor, in float32
EQUAL64 = 1e-10                         # bert64 against float64


# ----------------------------------------------------------------------------------------------------------------------
# Models
# ----------------------------------------------------------------------------------------------------------------------
def random_config(r, **more):
    heads = r.choice((1, 2, 4))
    settings = {"vocab_size": r.randint(20, 60), "hidden_size": heads * r.choice((4, 8)), "num_hidden_layers": r.randint(1, 3),
                "num_attention_heads": heads, "intermediate_size": r.randint(5, 40), "max_position_embeddings": r.randint(16, 40),
                "type_vocab_size": r.randint(2, 3), "initializer_range": 0.3, "layer_norm_eps": r.choice((1e-12, 1e-5, 1e-2)),
                "hidden_act": r.choice(("gelu", "gelu_new", "gelu_python", "gelu_fast", "gelu_accurate", "gelu_pytorch_tanh",
                                        "gelu_python_tanh"))}
    return BertConfig(**{**settings, **more})


def random_model(r, cls=None, **more):
    """Every parameter is random, biases and LayerNorms too, which the library begins with 0 and 1."""
    torch.manual_seed(r.randrange(1 << 30))
    model = (cls or r.choice(CLASSES))(random_config(r, **more)).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.ndim == 1:
                p.add_(0.2 * torch.randn_like(p))
    return model


def put_vocabulary(directory, config):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + ["w%d" % i for i in range(config.vocab_size - 5)]
    with open(os.path.join(directory, "vocab.txt"), "w") as f:
        f.write("\n".join(words) + "\n")


def inputs(r, config):
    T = r.randint(3, 12)
    ids = [[2] + [r.randrange(5, config.vocab_size) for _ in range(T - 2)] + [3]]
    types = [[int(t >= T // 2) for t in range(T)]]
    return {"input_ids": torch.tensor(ids), "token_type_ids": torch.tensor(types), "attention_mask": torch.ones(1, T, dtype=torch.int64)}


# ----------------------------------------------------------------------------------------------------------------------
# Both sides
# ----------------------------------------------------------------------------------------------------------------------
def reference(model, x):
    """What the library computes: last hidden state, and what the model's heads give."""
    with torch.no_grad():
        encoder = model if isinstance(model, BertModel) else model.bert
        out = encoder(**x)
        ref = {"hidden": out.last_hidden_state[0]}
        if encoder.pooler is not None:
            ref["pooler"] = out.pooler_output[0]
        if hasattr(model, "cls"):
            y = model(**x)
            logits = getattr(y, "prediction_logits", getattr(y, "logits", None))
            if isinstance(model, (BertForMaskedLM, BertForPreTraining)):
                ref["logits"] = logits[0]
            nsp = getattr(y, "seq_relationship_logits", logits if isinstance(model, BertForNextSentencePrediction) else None)
            if nsp is not None:
                ref["nsp"] = nsp[0]
    return ref


def ours(binary, model, x, config, work):
    """The same tensors of a trace, or the sentence of the refusal."""
    save_file({k: v for k, v in x.items()}, os.path.join(work, "x.safetensors"))
    done = subprocess.run([binary, "trace", "-q", "-m", model, "--inputs", os.path.join(work, "x.safetensors"), "-o",
                           os.path.join(work, "y.safetensors")], capture_output=True, text=True)
    if done.returncode != 0:
        return done.returncode, done.stderr.strip()
    y = load_file(os.path.join(work, "y.safetensors"))
    names = {"hidden": "encoder.layer.%d.output.LayerNorm" % (config.num_hidden_layers - 1), "pooler": "pooler",
             "logits": "cls.predictions.decoder", "nsp": "cls.seq_relationship"}
    return 0, {k: y[n].reshape(y[n].shape[-2:] if k in ("hidden", "logits") else -1) for k, n in names.items() if n in y}


def differences(ref, got):
    """Names of what is missing or different, with how much."""
    bad = []
    for name, a in ref.items():
        b = got.get(name)
        if b is None or a.shape != b.shape:
            bad.append(name + (" is missing" if b is None else " has another shape"))
            continue
        off = float((a.double() - b.double()).abs().max() / a.double().abs().max())
        if not off <= (EQUAL64 if b.dtype == torch.float64 else EQUAL):
            bad.append("%s is %.1e off" % (name, off))
    return bad


class Run:
    def __init__(self):
        self.count, self.kinds, self.work = common.Count(), {}, tempfile.mkdtemp()

    def fresh(self, name):
        path = os.path.join(self.work, name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path

    def note(self, kind, verdict):
        self.kinds.setdefault(kind, {}).setdefault(verdict, 0)
        self.kinds[kind][verdict] += 1

    def equal(self, r, kind, path, model, binary=common.BERT):
        """`model` is the reference, in float32 or float64."""
        x = inputs(r, model.config)
        code, got = ours(binary, path, x, model.config, self.work)
        bad = ["exit %d: %s" % (code, got)] if code else differences(reference(model, x), got)
        self.count.check(not bad, "%s: %s" % (kind, ", ".join(bad)))
        self.note(kind, "equal")

    def refused(self, r, kind, path, config, *parts):
        code, said = ours(common.BERT, path, inputs(r, config), config, self.work)
        self.count.check(code == 3 and all(p in str(said) for p in parts), "%s: exit %d: %s" % (kind, code, said))
        self.note(kind, "refused")

    def convert(self, kind, *arguments):
        done = subprocess.run([CONVERT, *arguments], capture_output=True, text=True)
        return self.count.check(done.returncode == 0, "%s: convert: %s" % (kind, done.stderr.strip()))

    def convert_refused(self, kind, part, *arguments):
        done = subprocess.run([CONVERT, *arguments], capture_output=True, text=True)
        self.count.check(done.returncode == 3 and part in done.stderr, "%s: exit %d: %s" % (kind, done.returncode, done.stderr))
        self.note(kind, "refused")


# ----------------------------------------------------------------------------------------------------------------------
# Kinds
# ----------------------------------------------------------------------------------------------------------------------
def saved(run, r):
    """save_pretrained in every precision, whole or in shards, with a variant beside it or not."""
    model = random_model(r)
    dtype = r.choice((torch.float32, torch.float16, torch.bfloat16, torch.float64))
    d = run.fresh("saved")
    model.to(dtype)
    shards = r.random() < 0.5
    model.save_pretrained(d, **({"max_shard_size": r.choice(("2KB", "5KB", "20KB"))} if shards else {}))
    if r.random() < 0.3:
        shutil.copy(os.path.join(d, "config.json"), os.path.join(run.work, "config.json"))
        random_model(r, BertModel).half().save_pretrained(os.path.join(d, "other"), variant="fp16")
        for name in os.listdir(os.path.join(d, "other")):
            if name.endswith(".safetensors"):
                shutil.move(os.path.join(d, "other", name), d)
        shutil.rmtree(os.path.join(d, "other"))
    put_vocabulary(d, model.config)
    loaded = type(model).from_pretrained(d, dtype=torch.float32).eval()
    kind = "safetensors, %s%s" % (str(dtype)[6:], ", shards" if os.path.exists(os.path.join(d, "model.safetensors.index.json")) else "")
    run.equal(r, kind, d, loaded)
    if dtype == torch.float64:
        run.equal(r, "safetensors, float64 by bert64", d, type(model).from_pretrained(d, dtype=torch.float64).eval(), common.BERT64)


def prefixed(run, r):
    """A state dict saved out of a wrapper: of DataParallel, torch.compile, a bi-encoder, a training framework."""
    prefix = r.choice(("module.", "_orig_mod.", "module._orig_mod.", "model.", "0.auto_model.", "question_encoder.bert_model.",
                       "ctx_encoder.bert_model.", "encoder.q.", "net.bert_like."))
    model = random_model(r, r.choice((BertModel, BertForMaskedLM, BertForPreTraining)))
    d = run.fresh("prefixed")
    model.config.save_pretrained(d)
    put_vocabulary(d, model.config)
    tensors = {prefix + k: v.clone() for k, v in model.state_dict().items()}
    if r.random() < 0.5:
        save_file(tensors, os.path.join(d, "model.safetensors"))
    else:
        torch.save(tensors, os.path.join(d, "pytorch_model.bin"))
        run.convert("prefix", d)
    run.equal(r, "prefix, " + prefix, d, model)


def two_models(run, r):
    a, b = (random_model(r, BertModel) for _ in range(2))
    d = run.fresh("two")
    a.config.save_pretrained(d)
    put_vocabulary(d, a.config)
    one, other = r.choice((("question_encoder.", "ctx_encoder."), ("student.", "teacher."), ("", "bert.")))
    save_file({**{one + k: v for k, v in a.state_dict().items()}, **{other + k: v for k, v in b.state_dict().items()}},
              os.path.join(d, "model.safetensors"))
    run.refused(r, "two models in one file", d, a.config, "holds two models", "'%s'" % one, "'%s'" % other)


def pickled(run, r):
    """torch.save of a state dict, in the forms that people have."""
    model = random_model(r)
    dtype = r.choice((torch.float32, torch.float16, torch.bfloat16, torch.float64))
    model.to(dtype)
    d = run.fresh("pickled")
    model.config.save_pretrained(d)
    put_vocabulary(d, model.config)
    state, form = model.state_dict(), r.choice(("plain", "parameters", "transposed", "checkpoint", "one storage", "shards", "protocol"))
    path, options = os.path.join(d, "pytorch_model.bin"), {}
    if form == "parameters":
        state = {k: torch.nn.Parameter(v) for k, v in state.items()}
    if form == "transposed":                            # what tensor.t() of another format's kernels leaves
        state = {k: v.t().contiguous().t() if v.ndim == 2 else v for k, v in state.items()}
    if form == "checkpoint":
        state = {"epoch": 3, "lr": 1e-3, "best": None, r.choice(("state_dict", "model_state_dict", "model")): state}
    if form == "one storage":                           # all tensors are slices of one
        flat, at, slices = torch.cat([v.reshape(-1) for v in state.values()]), 0, {}
        for k, v in state.items():
            slices[k] = flat[at:at + v.numel()].view(v.shape)
            at += v.numel()
        state = slices
    if form == "protocol":
        options = {"pickle_protocol": r.choice((3, 4, 5))}
    if form == "shards":
        names, files = list(state), ["pytorch_model-%05d-of-00002.bin" % (i + 1) for i in range(2)]
        for i in range(2):
            torch.save({k: state[k].clone() for k in names[i::2]}, os.path.join(d, files[i]))
        with open(path + ".index.json", "w") as f:
            json.dump({"metadata": {"total_size": 0}, "weight_map": {k: files[i % 2] for i, k in enumerate(names)}}, f)
    else:
        torch.save(state, path, **options)
    if run.convert("torch.save, " + form, d):
        run.equal(r, "torch.save, " + form, d, model.float())


def other_pickles(run, r):
    """What is no dictionary of tensors is refused by name, and nothing of it is run."""
    model = random_model(r, BertModel)
    d = run.fresh("other")
    path = os.path.join(d, "x.pt")
    kind = r.choice(("a whole model", "before 1.6", "a list", "sparse", "expanded", "another class", "TorchScript", "cut"))
    if kind == "a whole model":
        torch.save(model, path)
    elif kind == "before 1.6":
        torch.save(model.state_dict(), path, _use_new_zipfile_serialization=False)
    elif kind == "a list":
        torch.save(list(model.state_dict().values()), path)
    elif kind == "sparse":
        torch.save({"x": torch.eye(3).to_sparse()}, path)
    elif kind == "expanded":
        torch.save({"x": torch.zeros(1).expand(100)}, path)
    elif kind == "another class":
        torch.save({"x": torch.zeros(1), "when": torch.device("cpu")}, path)
    elif kind == "TorchScript":
        torch.jit.save(torch.jit.script(torch.nn.Linear(2, 2)), path)
    else:
        torch.save(model.state_dict(), path)
        with open(path, "r+b") as f:
            f.truncate(os.path.getsize(path) * r.randrange(1, 99) // 100)
    said = {"a whole model": "found the name 'transformers.", "before 1.6": "before version 1.6", "a list": "something else than one",
            "sparse": "_rebuild_sparse_tensor", "expanded": "an expanded tensor", "another class": "found the name 'torch.device'",
            "TorchScript": "expected", "cut": "no end record"}
    run.convert_refused("torch.save, " + kind, said[kind], path, os.path.join(d, "out"))


def decoders(run, r):
    """A decoder with a matrix, a bias, both or neither of its own, tied or not by the configuration: as the library loads it,
    or refused where the library would begin with random numbers."""
    tie = r.choice((True, False, None))
    model = random_model(r, r.choice((BertForMaskedLM, BertForPreTraining)))
    d = run.fresh("decoder")
    model.config.save_pretrained(d)
    put_vocabulary(d, model.config)
    config = json.load(open(os.path.join(d, "config.json")))
    config.pop("tie_word_embeddings", None)
    if tie is not None:
        config["tie_word_embeddings"] = tie
    json.dump(config, open(os.path.join(d, "config.json"), "w"))
    tensors = {k: v.clone() for k, v in model.state_dict().items()}
    weight, bias = "cls.predictions.decoder.weight", "cls.predictions.decoder.bias"
    with_weight, with_bias = r.choice((True, False)), r.choice((True, False))
    tensors.pop(weight), tensors.pop(bias)
    if with_weight:
        tensors[weight] = torch.randn(model.config.vocab_size, model.config.hidden_size)
    if with_bias:
        tensors[bias] = torch.randn(model.config.vocab_size)
        if r.random() < 0.3:
            del tensors["cls.predictions.bias"]
    save_file(tensors, os.path.join(d, "model.safetensors"))
    if tie is False and not (with_weight and with_bias):
        run.refused(r, "decoder, untied and not whole", d, model.config, "tie_word_embeddings false", "is missing")
    else:
        run.equal(r, "decoder, %s" % {True: "tied", False: "untied", None: "not said"}[tie], d,
                  type(model).from_pretrained(d, dtype=torch.float32).eval())


def configurations(run, r):
    """Keys that are left out, and activations that are not computed here."""
    if r.random() < 0.4:
        act = r.choice(("relu", "silu", "gelu_10", "quick_gelu", "tanh", "mish", "swish", "relu6"))
        model = random_model(r, BertModel, hidden_act=act)
        d = run.fresh("act")
        model.save_pretrained(d)
        put_vocabulary(d, model.config)
        run.refused(r, "hidden_act of another shape", d, model.config, "config.json", "hidden_act is \"%s\"" % act)
        return
    standard = {"type_vocab_size": 2, "max_position_embeddings": 512, "num_attention_heads": 12, "hidden_act": "gelu",
                "layer_norm_eps": 1e-12}
    model = random_model(r, None, hidden_size=24, **standard)
    d = run.fresh("short")
    model.save_pretrained(d)
    put_vocabulary(d, model.config)
    config = json.load(open(os.path.join(d, "config.json")))
    for key in r.sample(sorted(standard), r.randint(1, len(standard))):
        config.pop(key)
    if r.random() < 0.3:
        config.pop("model_type", None)
    json.dump(config, open(os.path.join(d, "config.json"), "w"))
    run.equal(r, "keys left out of config.json", d, type(model).from_pretrained(d, dtype=torch.float32).eval())


KINDS = (saved, prefixed, pickled, decoders, configurations, two_models, other_pickles)
SHARES = (6, 4, 6, 4, 3, 1, 3)


def main():
    seed, number = (int(a) for a in (sys.argv[1:] + ["0", "100"][len(sys.argv) - 1:]))
    run = Run()
    for i in range(number):
        r = random.Random(1000 * seed + i)
        try:
            r.choices(KINDS, SHARES)[0](run, r)
        except Exception as problem:
            run.count.check(False, "model %d: %s: %s" % (i, type(problem).__name__, problem))
    for kind in sorted(run.kinds):
        print("%-50s %s" % (kind, ", ".join("%d %s" % (n, v) for v, n in run.kinds[kind].items())))
    shutil.rmtree(run.work)
    return run.count.end()


if __name__ == "__main__":
    sys.exit(main())
