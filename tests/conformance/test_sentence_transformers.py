"""test_sentence_transformers.py - directories of sentence-transformers, against the library: tiny random models in mixed
settings and layouts, saved by the library, some rewritten as older versions of it left them, and read by both. The vectors
of `bert embed` are those of encode(), or the directory is refused in a sentence that names the file and the key.
    python3 tests/conformance/test_sentence_transformers.py [SEED [NUMBER]]         100 random ones from seed 0"""
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
warnings.filterwarnings("ignore")
import numpy as np
import torch
from sentence_transformers import SentenceTransformer, SparseEncoder
from sentence_transformers.sentence_transformer.modules import Dense, Dropout, LayerNorm, Normalize, Pooling, Transformer
from sentence_transformers.sparse_encoder.modules import SpladePooling
from transformers import BertConfig, BertForMaskedLM, BertModel, BertTokenizer
from transformers.utils import logging

import common

logging.disable_progress_bar()
EQUAL = 1e-6                            # root mean square of the difference by that of the vector, in float32: to the
                                        # library's float32, or to its float64 where its own float32 is farther from that
EQUAL64 = 1e-12                         # bert64 against float64
WORDS = ("[PAD] [UNK] [CLS] [SEP] [MASK] the a cat sat on mat bank river dog runs fast word . , : ! ? ##s ##ing ##ed un "
         "##able b c d e ##a ##b ##c ##d ##e ##n ##o ##r ##t play he she it is was not query find The Cat É é").split()
MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
FLAGS = {"cls": "pooling_mode_cls_token", "max": "pooling_mode_max_tokens", "mean": "pooling_mode_mean_tokens",
         "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens", "weightedmean": "pooling_mode_weightedmean_tokens",
         "lasttoken": "pooling_mode_lasttoken"}


# ----------------------------------------------------------------------------------------------------------------------
# Directories
# ----------------------------------------------------------------------------------------------------------------------
def load(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def store(path, value):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f)


def shaken(module):
    """Biases and LayerNorms are random, too; the library begins them with 0 and 1."""
    with torch.no_grad():
        for p in module.parameters():
            if p.ndim == 1:
                p.add_(0.3 * torch.randn_like(p))
    return module


def random_modules(r, width):
    """What comes after the pooling."""
    modules = []
    for _ in range(r.choice((0, 0, 1, 1, 2, 3))):
        kind = r.choice(("dense", "dense", "norm", "normalize", "dropout"))
        if kind == "dense":
            out = r.choice((5, 8, width))
            modules.append(shaken(Dense(width, out, bias=r.random() < 0.7, activation_function=r.choice(
                (torch.nn.Tanh(), torch.nn.Identity())))))
            width = out
        else:
            modules.append({"norm": lambda: shaken(LayerNorm(width)), "normalize": Normalize, "dropout": Dropout}[kind]())
    return modules


def base_model(r, work, cls=BertModel):
    """A model with its tokenizer and vocab.txt; lower case or not."""
    path = os.path.join(work, "base")
    os.makedirs(path)
    with open(path + "/vocab.txt", "w", encoding="utf-8") as f:
        f.write("\n".join(WORDS) + "\n")
    config = BertConfig(vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=r.choice((1, 2)), num_attention_heads=2,
                        intermediate_size=24, max_position_embeddings=r.choice((20, 32)), initializer_range=0.3)
    shaken(cls(config)).eval().save_pretrained(path)
    BertTokenizer.from_pretrained(path, do_lower_case=r.random() < 0.6).save_pretrained(path)
    with open(path + "/vocab.txt", "w", encoding="utf-8") as f:
        f.write("\n".join(WORDS) + "\n")
    return path


def make_old(r, path, text):
    """The same directory as older versions of the library left it; `text` goes to the file of the Transformer."""
    modules = load(path + "/modules.json")
    for module in modules:
        module["type"] = "sentence_transformers.models." + module["type"].split(".")[-1]
    if r.random() < 0.5:                # the model in a directory of its own
        os.mkdir(path + "/0_Transformer")
        for name in os.listdir(path):
            whole = os.path.join(path, name)
            if os.path.isfile(whole) and name not in ("modules.json", "config_sentence_transformers.json", "README.md"):
                shutil.move(whole, path + "/0_Transformer/" + name)
        modules[0]["path"] = "0_Transformer"
    for name in ("1_Pooling", "3_Dense"):
        if os.path.isdir(os.path.join(path, name)) and r.random() < 0.3:
            shutil.move(os.path.join(path, name), os.path.join(path, "other" + name))
            for module in modules:
                module["path"] = "other" + name if module["path"] == name else module["path"]
    store(path + "/modules.json", modules)
    home = os.path.join(path, modules[0]["path"])
    os.remove(home + "/sentence_bert_config.json")
    store(home + r.choice(("/sentence_bert_config.json", "/sentence_roberta_config.json")), text)
    pooling = os.path.join(path, modules[1]["path"], "config.json")
    c = load(pooling)
    modes = c.pop("pooling_mode")
    modes = [modes] if isinstance(modes, str) else modes
    if len(set(modes)) == len(modes):
        store(pooling, {"word_embedding_dimension": c["embedding_dimension"], **{f: m in modes for m, f in FLAGS.items()},
                        **({} if r.random() < 0.5 and c["include_prompt"] else {"include_prompt": c["include_prompt"]})})


def random_directory(r, work):
    """A directory that the library saved, and what was chosen."""
    torch.manual_seed(r.randrange(1 << 30))
    path = os.path.join(work, "model")
    modes = [r.choice(MODES) for _ in range(r.choice((1, 1, 1, 2, 3)))]
    length = r.choice((None, None, 6, 11, 18))
    base = base_model(r, work)
    transformer = Transformer(base, **({"max_seq_length": length} if length else {}))
    pooling = Pooling(16, pooling_mode=modes[0] if len(modes) == 1 else modes, include_prompt=r.random() < 0.7)
    after = random_modules(r, 16 * len(modes))
    prompts = {"query": "find: ", "document": "", "s": "The un"}
    model = SentenceTransformer(modules=[transformer, pooling, *after], device="cpu", prompts=prompts,
                                default_prompt_name=r.choice((None, None, "query", "s")))
    model.save_pretrained(path)
    shutil.copy(base + "/vocab.txt", path)
    old = r.random() < 0.5
    if old:
        make_old(r, path, {"max_seq_length": length, "do_lower_case": r.random() < 0.3})
    return path, "%s %s%s" % ("old" if old else "new", "+".join(modes), "".join(" " + type(m).__name__ for m in after))


def random_splade(r, work):
    torch.manual_seed(r.randrange(1 << 30))
    path = os.path.join(work, "model")
    base = base_model(r, work, BertForMaskedLM)
    pooling = SpladePooling(pooling_strategy=r.choice(("max", "sum")), activation_function=r.choice(("relu", "log1p_relu")))
    transformer = Transformer(base, transformer_task="fill-mask", **({"max_seq_length": 8} if r.random() < 0.5 else {}))
    SparseEncoder(modules=[transformer, pooling], device="cpu", prompts={"query": "find: "},
                  default_prompt_name=r.choice((None, "query"))).save_pretrained(path)
    shutil.copy(base + "/vocab.txt", path)
    if r.random() < 0.5:                # as the first versions with sparse models left it
        modules = load(path + "/modules.json")
        modules[0]["type"] = "sentence_transformers.sparse_encoder.models.MLMTransformer"
        modules[1]["type"] = "sentence_transformers.sparse_encoder.models.SpladePooling"
        store(path + "/modules.json", modules)
        store(path + "/sentence_bert_config.json", {"max_seq_length": 11, "do_lower_case": False})
    return path, "SPLADE " + pooling.pooling_strategy + " " + pooling.activation_function


def random_text(r):
    words = [w for w in WORDS[5:] if not w.startswith("##")] + ["unable", "played", "CAT", "cats", "xyz", "Éa"]
    return " ".join(r.choice(words) for _ in range(r.choice((0, 1, 3, 8, 30))))


# ----------------------------------------------------------------------------------------------------------------------
# Both sides
# ----------------------------------------------------------------------------------------------------------------------
def ours(binary, path, texts, *more):
    done = subprocess.run([binary, "embed", "-m", path, *more, "--", *texts], capture_output=True, text=True)
    if done.returncode != 0:
        return done.returncode, done.stderr.strip()
    return 0, np.array([[float(x) for x in line.split()] for line in done.stdout.splitlines()])


def distance(got, want):
    """The largest of all texts: the rms of the difference by that of the vector."""
    if got.shape != want.shape:
        return float("inf")
    scale = np.sqrt((want ** 2).mean(axis=1)) + 1e-30
    return float((np.sqrt(((got - want) ** 2).mean(axis=1)) / scale).max())


def compare(r, number, work):
    sparse = r.random() < 0.2
    path, what = (random_splade if sparse else random_directory)(r, work)
    texts = [random_text(r) for _ in range(3)]
    name = r.choice((None, None, "query") if sparse else (None, None, "query", "document", "s"))
    more = ["--prompt", name] if name else []
    model = (SparseEncoder if sparse else SentenceTransformer)(path, device="cpu")

    def reference():
        vectors = [model.encode(t, prompt_name=name) for t in texts]
        return np.stack([v.to_dense().numpy() if sparse else v for v in vectors]).astype(float)

    single = reference()
    model = model.double()
    double = reference()
    good = True
    for binary, limit, wants in ((common.BERT, EQUAL, (single, double)), (common.BERT64, EQUAL64, (double,))):
        code, got = ours(binary, path, texts, *more)
        far = float("inf") if code else min(distance(got, want) for want in wants)
        if not far <= limit:
            print("directory %d (%s, prompt %s), %s: %s" % (number, what, name, os.path.basename(binary),
                                                              got if code else "%.2g" % far))
            good = False
    return good


# ----------------------------------------------------------------------------------------------------------------------
# Refusals: (what is changed, words of the message)
# ----------------------------------------------------------------------------------------------------------------------
def retyped(place, kind):
    def change(path):
        modules = load(path + "/modules.json")
        modules[place]["type"] = kind
        store(path + "/modules.json", modules)
    return change


def set_key(name, **keys):
    return lambda path: store(os.path.join(path, name), {**load(os.path.join(path, name)), **keys})


def refusals():
    models = "sentence_transformers.models."
    for place, kind in ((1, "CNN"), (1, "LSTM"), (1, "WordWeights"), (0, "WordEmbeddings"), (0, "BoW"), (0, "CLIPModel"),
                        (0, "StaticEmbedding"), (0, "Router"), (1, "WeightedLayerPooling"), (2, "CNN"), (2, "Pooling")):
        yield retyped(place, models + kind), ("modules.json", models + kind)
    yield retyped(0, "modeling_own.Transformer"), ("modules.json", "modeling_own.Transformer")
    yield retyped(1, "pylate.models.Dense.Dense"), ("modules.json", "pylate.models.Dense.Dense")
    dense = "2_Dense/config.json"
    yield set_key(dense, activation_function="torch.nn.modules.activation.ReLU"), (dense, "activation_function", "ReLU")
    yield set_key(dense, activation_function="mine.Tanh"), (dense, "activation_function", "mine.Tanh")
    yield set_key(dense, use_residual=True), (dense, "use_residual")
    yield set_key(dense, module_input_name="token_embeddings"), (dense, "module_input_name", "token_embeddings")
    yield set_key(dense, in_features=15), (dense, "15", "16")
    yield set_key("1_Pooling/config.json", pooling_mode="median"), ("1_Pooling/config.json", "pooling_mode", "median")
    yield retyped(1, "sentence_transformers.sparse_encoder.models.SpladePooling"), ("modules.json", "module 2", "SpladePooling")
    text = "sentence_bert_config.json"
    yield set_key(text, transformer_task="fill-mask"), (text, "transformer_task", "fill-mask", "Pooling")
    yield set_key(text, transformer_task="sequence-classification"), (text, "transformer_task", "sequence-classification")
    yield set_key(text, model_args={"dtype": "float16"}), (text, "float16", "float32", "dtype")
    yield set_key(text, tokenizer_name_or_path="other"), (text, "tokenizer_name_or_path")
    yield set_key("config_sentence_transformers.json", default_prompt_name="none"), ("config_sentence_transformers.json", "none")


def refused(work):
    r = random.Random(7)
    base = base_model(r, work)
    good = True
    for number, (change, words) in enumerate(refusals()):
        path = os.path.join(work, "refused%d" % number)
        torch.manual_seed(number)
        SentenceTransformer(modules=[Transformer(base), Pooling(16), Dense(16, 4)], device="cpu").save_pretrained(path)
        shutil.copy(base + "/vocab.txt", path)
        code, got = ours(common.BERT, path, ["the cat"])
        if code:
            print("not refused yet, but: %s" % got)
            good = False
        change(path)
        code, got = ours(common.BERT, path, ["the cat"])
        if code != 3 or not all(w in got for w in words):
            print("refusal %d: exit %d, %s; expected exit 3 and %s" % (number, code, got, words))
            good = False
    print("%d refusals by name" % (number + 1))
    return good


def main(seed=0, number=100):
    failures = 0
    for n in range(number):
        with tempfile.TemporaryDirectory() as work:
            failures += not compare(random.Random(seed * 1000003 + n), n, work)
    with tempfile.TemporaryDirectory() as work:
        failures += not refused(work)
    print("%d directories of sentence-transformers: %d failures" % (number, failures))
    return failures > 0


if __name__ == "__main__":
    sys.exit(main(*(int(a) for a in sys.argv[1:3])))
