"""test_directories.py - whole directories in mixed settings: a random tokenizer (transformers 4, 5, PreTrainedTokenizerFast), a
random model with any head, weights in any form (precision, shards, torch.save, a prefix), keys left out, with modules of
sentence-transformers or without, in the new layout or an old one; some brought by `make weights FROM=`. Every one agrees with
the library (vectors, the piece behind [MASK], the next sentence), or is refused by file and key. Then one thing that cannot be
obeyed is put into each second of those that agree, and it must be refused by name.
    python3 tests/conformance/test_directories.py [NUMBER [SEED]]    300 from seed 1, whose refusals must be those of REFUSALS.md
    python3 tests/conformance/test_directories.py --table            writes REFUSALS.md
One failure again: NUMBER as FIRST:LAST; KEEP=DIRECTORY keeps what failed."""
import collections
import json
import logging
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
warnings.filterwarnings("ignore")
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
from transformers import AutoTokenizer, BertForMaskedLM, BertForPreTraining, BertForNextSentencePrediction, BertModel
from transformers.utils import logging as transformers_logging

import common
import test_sentence_transformers as sentences
import test_tokenizers as tokenizers
import test_weights as weights

transformers_logging.disable_progress_bar()
logging.disable(logging.CRITICAL)
TABLE = os.path.join(common.HERE, "REFUSALS.md")
EQUAL, EQUAL64 = 1e-5, 1e-10            # of the largest number; bert, and bert64 against float64
TOKENIZER_FILES = ("vocab.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


class Directory:
    """path; home: where config.json and the weights are; model: what the library computes with, in float32; modules: a
    SentenceTransformer's are there; what: the choices, in words."""

    def __init__(self, work):
        self.path = self.home = os.path.join(work, "d")
        self.model = self.tokenizer = self.vocabulary = None
        self.modules, self.what = False, []

    def file(self, name):
        return os.path.join(self.home, name)


# ----------------------------------------------------------------------------------------------------------------------
# Directories
# ----------------------------------------------------------------------------------------------------------------------
def make_tokenizer(r, d):
    make = r.choice((tokenizers.make_new, tokenizers.make_old, tokenizers.make_fast))
    d.what.append(make.__name__)
    make(r, d.path)
    sentences.store(d.file("config.json"), {"model_type": "bert"})
    try:
        d.tokenizer = AutoTokenizer.from_pretrained(d.path)
    except Exception as error:
        d.what.append("the library refuses the tokenizer: " + str(error)[:80])
    d.vocabulary = d.tokenizer.get_vocab() if d.tokenizer else {}


def make_model(r, d, encoder_only):
    """With a row for every piece, sometimes with more."""
    rows = max([29, *d.vocabulary.values()]) + 1 + r.choice((0, 0, 0, 5))
    d.model = weights.random_model(r, BertModel if encoder_only else None, vocab_size=rows)
    d.what.append(type(d.model).__name__)


def write_weights(r, d, plain):
    """In one of the forms that people have. plain: one that the library reads, too."""
    for name in os.listdir(d.home):
        if name.endswith((".safetensors", ".index.json")):
            os.remove(d.file(name))
    dtype = r.choice((torch.float32, torch.float32, torch.float16, torch.bfloat16, torch.float64))
    form = r.choice(("whole", "shards", "torch") if plain else ("whole", "shards", "torch", "prefix"))
    d.what.append("%s %s" % (str(dtype)[6:], form))
    d.model = d.model.to(dtype)
    d.model.config.save_pretrained(d.home)
    state = {k: v.contiguous() for k, v in d.model.state_dict().items()}
    if form in ("whole", "shards"):
        d.model.save_pretrained(d.home, **({"max_shard_size": r.choice(("4KB", "12KB"))} if form == "shards" else {}))
    elif form == "torch":
        torch.save(state, d.file("pytorch_model.bin"))
        done = subprocess.run([weights.CONVERT, d.home], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        if r.random() < 0.5:
            os.remove(d.file("pytorch_model.bin"))
    else:
        save_file({"module.encoder." + k: v.clone() for k, v in state.items()}, d.file("model.safetensors"))
    d.model = d.model.float()


def leave_out(r, d):
    """Keys of config.json whose values are the library's own, and keys that nobody needs."""
    config, standard = sentences.load(d.file("config.json")), {"type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12}
    usual = [k for k, v in standard.items() if config.get(k) == v]
    for key in usual + ["architectures", "dtype", "torch_dtype", "transformers_version"]:
        if r.random() < 0.4:
            config.pop(key, None)
    sentences.store(d.file("config.json"), config)


def add_modules(r, d, work):
    """The directory becomes one of sentence-transformers: saved by the library, the tokenizer's files as they were in half of
    them, and in half of them as older versions left it."""
    H, base = d.model.config.hidden_size, d.path + "-base"
    os.rename(d.path, base)
    modes = [r.choice(sentences.MODES) for _ in range(r.choice((1, 1, 1, 2)))]
    length = r.choice((None, None, 6, 11))
    transformer = Transformer(base, **({"max_seq_length": length} if length else {}))
    pooling = Pooling(H, pooling_mode=modes[0] if len(modes) == 1 else modes, include_prompt=r.random() < 0.7)
    after = sentences.random_modules(r, H * len(modes))
    SentenceTransformer(modules=[transformer, pooling, *after], device="cpu", prompts={"query": "the cat: "},
                        default_prompt_name=r.choice((None, None, "query"))).save_pretrained(d.path)
    d.what += ["+".join(modes), *[type(m).__name__ for m in after]]
    d.modules = True
    if r.random() < 0.5:
        for name in TOKENIZER_FILES:
            if os.path.exists(d.file(name)):
                os.remove(d.file(name))
            if os.path.exists(os.path.join(base, name)):
                shutil.copy(os.path.join(base, name), d.path)
        d.what.append("tokenizer's own files")
    if r.random() < 0.4:
        sentences.make_old(r, d.path, {"max_seq_length": length, "do_lower_case": False})
        d.home = os.path.join(d.path, sentences.load(d.path + "/modules.json")[0]["path"]).rstrip("/")
        d.what.append("old layout")


def bring(r, d, work):
    """By `make weights FROM=`, into a directory of its own."""
    done = subprocess.run(["sh", os.path.join(common.ROOT, "weights", "fetch.sh")], capture_output=True, text=True,
                          env={**os.environ, "MODEL": "brought", "FROM": d.path, "WEIGHTS": work})
    d.what.append("brought")
    return done.returncode, done.stderr, os.path.join(work, "brought")


def make_directory(r, work):
    d = Directory(work)
    make_tokenizer(r, d)
    modules = d.tokenizer is not None and d.tokenizer.pad_token is not None and r.random() < 0.45
    make_model(r, d, modules)
    if modules:
        d.model.save_pretrained(d.path)
        add_modules(r, d, work)
    write_weights(r, d, modules)
    leave_out(r, d)
    return d


# ----------------------------------------------------------------------------------------------------------------------
# Both sides
# ----------------------------------------------------------------------------------------------------------------------
def ask(binary, *arguments):
    """(exit code, lines) or (exit code, what it said)."""
    done = subprocess.run([binary, *arguments], capture_output=True)
    return done.returncode, (done.stdout if done.returncode == 0 else done.stderr).decode()


def numbers(text):
    return np.array([[float(x) for x in line.split()] for line in text.splitlines()])


def off(got, want):
    return float("inf") if got.shape != want.shape else float(abs(got - want).max() / (abs(want).max() + 1e-30))


def texts(r, d):
    """Hard lines without NUL, which no command line can hold."""
    lines = [tokenizers.line(r, list(d.tokenizer.get_added_vocab())) for _ in range(2)]
    return [t.replace("\x00", "") for t in lines] + ["the cat sat"]


def encoded(d, text, pair=None):
    limit = min(d.tokenizer.model_max_length, d.model.config.max_position_embeddings)
    e = d.tokenizer(text, pair, truncation=True, max_length=limit)      # some classes give no token_type_ids: all 0
    return {k: torch.tensor([e[k] if k in e else [0] * len(e["input_ids"])]) for k in common.INPUTS}


def encoder_of(model):
    return model if isinstance(model, BertModel) else model.bert


def compare_states(r, d, model, binary, limit, path):
    for text in texts(r, d):
        code, said = ask(binary, "embed", "-q", "-m", path, "--layers", "-1", "--pooling", "none", "--truncate", "--", text)
        if code:
            return code, said
        want = encoder_of(model)(**encoded(d, text)).last_hidden_state[0].numpy()
        far = off(numbers(said), want)
        if not far <= limit:
            return 0, "%s: the vectors of %r are %.1e off" % (os.path.basename(binary), text, far)
    return 0, ""


def compare_mask(d, model, binary, limit, path):
    """Only pieces that the vocabulary has are shown; the probabilities are over all rows."""
    text = "the %s sat" % d.tokenizer.mask_token
    x = encoded(d, text)
    place = x["input_ids"][0].tolist().index(d.tokenizer.mask_token_id)
    y = model(**x)
    probs = getattr(y, "prediction_logits", getattr(y, "logits", None))[0, place].softmax(-1)
    code, said = ask(binary, "fill-mask", "-q", "-m", path, "--top-k", "4", "--format", "json", "--truncate", "--", text)
    if code:
        return code, said
    found = json.loads(said)["predictions"]
    known = torch.tensor(sorted(set(d.vocabulary.values())))
    best = probs[known].topk(4).values
    want, got = np.array(best), np.array([p["score"] for p in found])
    far = max(off(got, want), off(np.array([float(probs[p["token"]]) for p in found]), want))
    return 0, "" if far <= limit else "%s: fill-mask is %.1e off" % (os.path.basename(binary), far)


def compare_pair(d, model, binary, limit, path):
    y = model(**encoded(d, "the cat", "sat on"))
    want = getattr(y, "seq_relationship_logits", getattr(y, "logits", None))[0].numpy()
    code, said = ask(binary, "next-sentence", "-q", "-m", path, "--format", "json", "--truncate", "the cat", "sat on")
    if code:
        return code, said
    far = off(np.array(json.loads(said)["logits"]), want)
    return 0, "" if far <= limit else "%s: the logits of the next sentence are %.1e off" % (os.path.basename(binary), far)


def compare_plain(r, d, path):
    """Code and sentence of the first refusal or difference; 0 and nothing if all agree."""
    for binary, limit, model in ((common.BERT, EQUAL, d.model), (common.BERT64, EQUAL64, d.model.double())):
        tries = [lambda: compare_states(r, d, model, binary, limit, path)]
        masked = isinstance(model, (BertForMaskedLM, BertForPreTraining)) and d.tokenizer.mask_token_id is not None
        if masked and d.tokenizer.mask_token in d.tokenizer.tokenize("the %s sat" % d.tokenizer.mask_token):
            tries.append(lambda: compare_mask(d, model, binary, limit, path))
        if isinstance(model, (BertForPreTraining, BertForNextSentencePrediction)):
            tries.append(lambda: compare_pair(d, model, binary, limit, path))
        for one in tries:
            code, said = one()
            if code or said:
                return code, said
    return 0, ""


def compare_modules(r, d, path):
    lines, name = texts(r, d), r.choice((None, "query"))
    more = ["--prompt", name] if name else []
    model = SentenceTransformer(d.path, device="cpu", model_kwargs={"dtype": torch.float32})
    single = np.stack([model.encode(t, prompt_name=name) for t in lines]).astype(float)
    model = model.double()
    double = np.stack([model.encode(t, prompt_name=name) for t in lines]).astype(float)
    for binary, limit, wants in ((common.BERT, EQUAL, (single, double)), (common.BERT64, EQUAL64, (double,))):
        code, got = sentences.ours(binary, path, lines, "-q", *more)
        if code:
            return code, got
        far = min(sentences.distance(got, want) for want in wants)
        if not far <= limit:
            return 0, "%s: vectors of %r are %.1e off" % (os.path.basename(binary), lines, far)
    return 0, ""


# ----------------------------------------------------------------------------------------------------------------------
# What cannot be obeyed: (kind, what is done, the function, words of the message). A function that does not fit the directory
# raises an exception, and the next one is taken.
# ----------------------------------------------------------------------------------------------------------------------
def need(condition):
    if not condition:
        raise LookupError


def key(name, **keys):
    return lambda d: sentences.store(d.file(name), {**sentences.load(d.file(name)), **keys})


def piece_key(*path, value):
    """A key of tokenizer.json."""
    def change(d):
        j = place = sentences.load(d.file("tokenizer.json"))
        for name in path[:-1]:
            place = place[name]
        place[path[-1]] = value
        sentences.store(d.file("tokenizer.json"), j)
    return change


def tensors(change):
    """Of the one file with the weights."""
    def whole(d):
        state = load_file(d.file("model.safetensors"))
        query = next(k for k in state if k.endswith("layer.0.attention.self.query.weight"))
        change(state, query)
        save_file({k: v.clone() for k, v in state.items()}, d.file("model.safetensors"))
    return whole


def other_line(d):
    need(os.path.exists(d.file("tokenizer.json")))
    vocabulary = sentences.load(d.file("tokenizer.json"))["model"]["vocab"]
    pieces = sorted(vocabulary, key=vocabulary.get)
    pieces[7] += "x"
    open(d.file("vocab.txt"), "w", encoding="utf-8").write("\n".join(pieces) + "\n")


def only_vocabulary(d):
    need(not os.path.exists(d.file("tokenizer.json")))


def long_vocabulary(d):
    only_vocabulary(d)
    need(not os.path.exists(d.file("added_tokens.json")) and "added_tokens" not in open(d.file(TOKENIZER)).read())
    with open(d.file("vocab.txt"), "a", encoding="utf-8") as f:
        f.write("".join("\nmore%d" % i for i in range(40)) + "\n")


def marked_vocabulary(d):
    only_vocabulary(d)
    data = open(d.file("vocab.txt"), "rb").read()
    open(d.file("vocab.txt"), "wb").write(b"\xef\xbb\xbf" + data)


def without(*endings, put=None):
    """No weights, or those of another format."""
    def change(d):
        for name in os.listdir(d.home):
            if name.endswith((".safetensors", ".safetensors.index.json") + endings):
                os.remove(d.file(name))
        if put:
            open(d.file(put), "wb").write(b"x" * 100)
    return change


def copied(d):
    os.rename(d.file("model.safetensors"), d.file("one.safetensors"))
    shutil.copy(d.file("one.safetensors"), d.file("two.safetensors"))


def cut(name):
    def change(d):
        os.truncate(d.file(name), os.path.getsize(d.file(name)) * 2 // 3)
    return change


def index(change):
    def whole(d):
        j = sentences.load(d.file("model.safetensors.index.json"))
        need(not os.path.exists(d.file("model.safetensors")))
        change(d, j["weight_map"])
        sentences.store(d.file("model.safetensors.index.json"), j)
    return whole


def lost_shard(d, weight_map):
    os.remove(d.file(sorted(weight_map.values())[0]))


def upward(d, weight_map):
    weight_map[sorted(weight_map)[0]] = "../model.safetensors"


def drop(state, query):
    del state[query]


def widen(state, query):
    state[query] = torch.zeros(state[query].shape[0], state[query].shape[1] + 1)


def integers(state, query):
    state[query] = torch.zeros(state[query].shape, dtype=torch.int8)


def twice(state, query):
    for name, value in list(state.items()):
        state["teacher." + name] = state["student." + name] = value
        del state[name]


def of_a_family(state, query):
    for name, value in list(state.items()):
        state["roberta." + name.rpartition("bert.")[2]] = state.pop(name)


def class_alone(d):
    """config.json of 2019: a class, and no model_type."""
    c = sentences.load(d.file("config.json"))
    del c["model_type"]
    sentences.store(d.file("config.json"), {**c, "architectures": ["RobertaForMaskedLM"]})


def one_more_layer(d):
    c = sentences.load(d.file("config.json"))
    sentences.store(d.file("config.json"), {**c, "num_hidden_layers": c["num_hidden_layers"] + 1})


CONFIG, TOKENIZER, PIECES, FILE = "config.json", "tokenizer_config.json", "tokenizer.json", "model.safetensors"
WRONG = [
    ("pieces", "another class", key(TOKENIZER, tokenizer_class="BertJapaneseTokenizer"),
     (TOKENIZER, "tokenizer_class", "BertJapaneseTokenizer")),
    ("weights", "a tensor is missing", tensors(drop), (FILE, "missing", "query")),
    ("configuration", "another architecture", key(CONFIG, model_type="roberta"), (CONFIG, "model_type", "roberta")),
    ("pieces", "a tokenizer with code", key(TOKENIZER, auto_map={"AutoTokenizer": ["mine.T", None]}), (TOKENIZER, "auto_map")),
    ("weights", "another shape", tensors(widen), (FILE, "query", "shape")),
    ("configuration", "another activation", key(CONFIG, hidden_act="relu"), (CONFIG, "hidden_act", "relu")),
    ("pieces", "BPE", piece_key("model", "type", value="BPE"), (PIECES, "model.type", "BPE")),
    ("weights", "two models in one file", tensors(twice), (FILE, "two models", "student.", "teacher.")),
    ("configuration", "relative positions", key(CONFIG, position_embedding_type="relative_key"), (CONFIG, "position_embedding_type")),
    ("pieces", "another normalizer", piece_key("normalizer", value={"type": "NFKC"}), (PIECES, "normalizer", "NFKC")),
    ("weights", "integers", tensors(integers), (FILE, "query", "dtype", "I8")),
    ("configuration", "a decoder", key(CONFIG, is_decoder=True), (CONFIG, "is_decoder")),
    ("pieces", "another prefix", piece_key("model", "continuing_subword_prefix", value="@@"), (PIECES, "continuing_subword_prefix", "@@")),
    ("weights", "two files", copied, ("one.safetensors", "two.safetensors")),
    ("configuration", "heads that do not divide", key(CONFIG, num_attention_heads=7), (CONFIG, "num_attention_heads")),
    ("pieces", "another splitter", piece_key("pre_tokenizer", value={"type": "Metaspace"}), (PIECES, "pre_tokenizer", "Metaspace")),
    ("weights", "cut", cut(FILE), (FILE, "bytes")),
    ("configuration", "a size that is a word", key(CONFIG, hidden_size="small"), (CONFIG, "hidden_size")),
    ("pieces", "vocab.txt says otherwise", other_line, ("vocab.txt", "tokenizer.json")),
    ("weights", "an adapter", lambda d: sentences.store(d.file("adapter_config.json"), {}), ("adapter_config.json",)),
    ("configuration", "more layers than weights", one_more_layer, (FILE, "missing")),
    ("pieces", "cut tokenizer.json", cut(PIECES), (PIECES, "JSON, byte")),
    ("weights", "TensorFlow's file", without(".bin", put="tf_model.h5"), ("tf_model.h5",)),
    ("configuration", "cut config.json", cut(CONFIG), (CONFIG, "JSON, byte")),
    ("pieces", "more pieces than rows", long_vocabulary, (CONFIG, "vocab_size")),
    ("weights", "torch.save's file only", without(put="pytorch_model.bin"), ("pytorch_model.bin", "build/convert")),
    ("pieces", "a byte order mark", marked_vocabulary, ("vocab.txt", "byte order mark")),
    ("weights", "no weights", without(".bin"), ("holds no *.safetensors",)),
    ("pieces", "a side that is none", key(TOKENIZER, truncation_side="middle"), (TOKENIZER, "truncation_side", "middle")),
    ("weights", "a shard is lost", index(lost_shard), ("model-00001-of-",)),
    ("pieces", "text before the normalizer", piece_key("normalizer", "clean_text", value=False), (PIECES, "clean_text")),
    ("weights", "a shard elsewhere", index(upward), ("model.safetensors.index.json", "../model.safetensors")),
    ("configuration", "another architecture without a type", class_alone, (CONFIG, "architectures", "RobertaForMaskedLM")),
    ("weights", "another architecture's names", tensors(of_a_family), (FILE, "roberta.")),
    ("weights", "ONNX", without(".bin", put="model.onnx"), ("model.onnx",)),
    ("configuration", "causal attention", key(CONFIG, is_causal=True), (CONFIG, "is_causal")),
    ("configuration", "attention to an encoder", key(CONFIG, add_cross_attention=True), (CONFIG, "add_cross_attention")),
    ("pieces", "a side in capitals", key(TOKENIZER, truncation_side="Left"), (TOKENIZER, "truncation_side", "Left")),
    ("weights", "what config.json names is lost", key(CONFIG, transformers_weights="mine.safetensors"),
     (CONFIG, "transformers_weights", "mine.safetensors")),
]


def wrong_modules():
    """test_sentence_transformers' list, for any directory with modules; sizes are other ones here."""
    for change, words in sentences.refusals():
        if "15" not in words and "module 2" not in words:
            yield "modules", words[-1].split(".")[-1], (lambda d, change=change: change(d.path)), words


def spoil(d, done):
    """Puts one thing into it: of those that fit, the one that was done least so far. Its kind, name and words."""
    every = WRONG + (list(wrong_modules()) if d.modules and d.home == d.path else [])
    for kind, name, change, words in sorted(every, key=lambda entry: done[entry[:2]]):
        try:
            change(d)
            done[kind, name] += 1
            return kind, name, words
        except Exception:               # a file or key that this directory does not have
            continue
    raise AssertionError("nothing fits")


# ----------------------------------------------------------------------------------------------------------------------
# The run
# ----------------------------------------------------------------------------------------------------------------------
class Tally:
    def __init__(self):
        self.verdicts, self.refusals, self.done, self.bad = *(collections.Counter() for _ in range(3)), 0

    def refused(self, kind, name, said, d):
        """Names and numbers that vary are left out."""
        brought = os.path.join(os.path.dirname(d.path), ".download", "brought", "model")
        said = said.strip().replace(brought, "DIR").replace(d.home, "DIR").replace(d.path, "DIR").removeprefix("bert: ").split("; `")[0]
        said = re.sub(r"'[^']*'", "'..'", said)
        said = re.sub(r"(missing: ).*", r"\1..", re.sub(r"\d+", "#", said))
        self.refusals[kind, name, said.replace("|", "\\|")] += 1

    def failed(self, n, d, said, work):
        self.bad += 1
        print("FAILED: directory %d (%s): %s" % (n, ", ".join(d.what), said), flush=True)
        if os.environ.get("KEEP"):
            shutil.copytree(work, os.path.join(os.environ["KEEP"], str(n)), dirs_exist_ok=True)


def one(r, n, tally, work):
    d = make_directory(r, work)
    path = d.path
    if d.tokenizer is None:
        code, said = ask(common.BERT, "embed", "-m", path, "the cat")
        verdict = "refused by both" if code == 3 else "different"
        said = said if code else "only the library refuses it"
    else:
        if r.random() < 0.3:
            code, said, path = bring(r, d, work)
            said = re.sub(r"weights: [^\n]*\n?|convert: (\d+ tensors|the MLM)[^\n]*\n?", "", said).strip() if code else ""
        else:
            code, said = 0, ""
        if code == 0:
            code, said = (compare_modules if d.modules else compare_plain)(r, d, path)
        verdict = "refused" if code else "different" if said else "equal"
    # (The library gives a text's [MASK] an id that no file has, where the vocabulary lacks it.)
    if code and (code != 3 or not re.search(r"\.json|vocab\.txt|\.safetensors|text \d: .*, but the vocabulary", said)):
        verdict = "refused without a reason"
    if verdict.startswith("refused") and code == 3:
        tally.refused("as it was made", "", said.replace(path, d.path).replace("convert: ", ""), d)
    if verdict in ("different", "refused without a reason"):
        tally.failed(n, d, "exit code %d, %s" % (code, said), work)
    tally.verdicts[verdict] += 1
    if verdict == "equal" and n % 2:
        spoiled(n, d, tally, work)


def spoiled(n, d, tally, work):
    kind, name, words = spoil(d, tally.done)
    code, said = ask(common.BERT, "embed", "-m", d.path, "the cat")
    if code == 3 and all(w in said for w in words):
        tally.refused(kind, name, said, d)
        tally.verdicts["spoiled and refused"] += 1
    else:
        tally.failed(n, d, "%s: %s: exit code %d, %s; expected 3 and %s" % (kind, name, code, said[:300], words), work)


def table(tally, number, seed):
    rows = ["| %s | %s | %s | %d |" % (*row, times) for row, times in sorted(tally.refusals.items())]
    return "\n".join(["# What is refused, and with which words", "",
                      "Made by `tests/conformance/test_directories.py --table`, and compared with what it finds: %d random directories" % number,
                      "(seed %d) of transformers, tokenizers and sentence-transformers in mixed settings. %s." % (
                          seed, ", ".join("%d %s" % (v, k) for k, v in sorted(tally.verdicts.items()))),
                      "\"as it was made\": the generators choose settings that bert.c does not have, too. The other kinds are one wrong thing in a",
                      "directory that agreed before. DIR is the directory, '..' and # are what varies.", "",
                      "| kind | what is wrong | the message | how many |", "|---|---|---|---|", *rows, ""])


def main():
    write = "--table" in sys.argv
    arguments = [a for a in sys.argv[1:] if a != "--table"]
    first, last = ([0] + [int(x) for x in (arguments[0] if arguments else "300").split(":")])[-2:]
    seed = int(arguments[1]) if len(arguments) > 1 else 1
    tally = Tally()
    torch.set_grad_enabled(False)
    for n in range(first, last):
        r = tokenizers.r0 = random.Random(seed * 1000003 + n)
        with tempfile.TemporaryDirectory() as work:
            try:
                one(r, n, tally, work)
            except Exception as problem:
                tally.bad += 1
                print("FAILED: directory %d: %s: %s" % (n, type(problem).__name__, problem), flush=True)
                if os.environ.get("RAISE"):
                    raise
    for entry in WRONG if last - first >= 300 else ():
        if not tally.done[entry[:2]]:
            tally.bad += 1
            print("FAILED: no directory for: %s: %s" % entry[:2])
    text = table(tally, last - first, seed)
    if write:
        open(TABLE, "w", encoding="utf-8").write(text)
    elif (first, last, seed) == (0, 300, 1) and open(TABLE, encoding="utf-8").read() != text:
        tally.bad += 1
        print("FAILED: REFUSALS.md does not say what was found:")
        subprocess.run(["diff", TABLE, "-"], input=text, text=True)
    print(", ".join("%d %s" % (v, k) for k, v in sorted(tally.verdicts.items())))
    print("%d directories: %d failures" % (last - first, tally.bad))
    return tally.bad > 0 or tally.verdicts["equal"] < (last - first) // 3


if __name__ == "__main__":
    sys.exit(main())
