"""test_heads.py - heads of fine-tuned BERTs and DistilBERTs, made by transformers with random wide weights: `bert classify`,
`choose`, `rank`, `fill-mask` give the scores of the libraries' pipelines, and every tensor is PyTorch's in float64.

    python3 tests/conformance/test_heads.py

Scores differ by at most 1e-5 (measured: 3e-6; both sides compute in float32), labels and their order not at all. Tensors of
`bert64 trace` differ from PyTorch's float64 by at most 1e-11 (measured: 2e-14)."""
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
warnings.filterwarnings("ignore")
HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
BERT = os.environ.get("BERT", os.path.join(ROOT, "bert"))
BERT64 = os.environ.get("BERT64", os.path.join(ROOT, "bert64"))

import torch
from safetensors.torch import save_file
from sentence_transformers import CrossEncoder
from transformers import (AutoTokenizer, BertConfig, BertForMultipleChoice, BertForQuestionAnswering,
                          BertForSequenceClassification, BertForTokenClassification, DistilBertConfig,
                          DistilBertForMaskedLM, DistilBertForMultipleChoice, DistilBertForQuestionAnswering,
                          DistilBertForSequenceClassification, DistilBertForTokenClassification, pipeline)

TOLERANCE, TOLERANCE64, POSITIONS = 1e-5, 1e-11, 48
WORDS = ("[PAD] [UNK] [CLS] [SEP] [MASK] . , ? ! ' - the cat dog sat on a mat man went to store river bank money robber vault "
         "he she it was is my cute likes play ##ing ##ed ##er ##ly sunny day from of and not word this example about film bad "
         "good sports politics entailed yes no").split()
WORDS += [c for c in "bcdefghijklmnopqrstuvwxyz"] + ["##" + c for c in "abcdefghijklmnopqrstuvwxyz"]
TEXTS = ["the cat sat on the mat", "My dog likes playing!", "a good film, not a bad one", "", "bank robber went to the river",
         "it was a sunny day; she went to the store", "zebra xylophone quartz", "is this about money?", "no", "NOT cute."]
PAIRS = [("the cat sat", "the dog played"), ("a b c", "d"), ("", "my cat"), ("my money", "the bank vault."), ("he", "she likes it not")]
work = tempfile.mkdtemp()
answers = largest = failures = 0


def check(good, words):
    global failures
    if not good:
        failures += 1
        print("not so:", words)


def close(got, want, words):
    """One score against the library's."""
    global answers, largest
    answers += 1
    largest = max(largest, abs(got - want))
    check(abs(got - want) <= TOLERANCE, f"{words}: {got} is not {want}")


def make(name, kind, seed, **settings):
    """A directory as save_pretrained leaves it, with a vocabulary; weights wide enough that every mistake shows."""
    path = os.path.join(work, name)
    distil = kind.__name__.startswith("Distil")
    sizes = {"vocab_size": len(WORDS), "max_position_embeddings": POSITIONS}
    if distil:
        config = DistilBertConfig(dim=24, n_layers=3, n_heads=4, hidden_dim=40, **sizes, **settings)
    else:
        config = BertConfig(hidden_size=24, num_hidden_layers=2, num_attention_heads=3, intermediate_size=56,
                            layer_norm_eps=0.01, **sizes, **settings)
    torch.manual_seed(seed)
    model = kind(config)
    with torch.no_grad():
        for tensor_name, p in model.named_parameters():
            gamma = "norm" in tensor_name.lower() and tensor_name.endswith("weight")
            p.copy_((1 if gamma else 0) + 0.3 * torch.randn_like(p))
    model.save_pretrained(path)
    with open(os.path.join(path, "vocab.txt"), "w") as f:
        f.write("\n".join(WORDS) + "\n")
    with open(os.path.join(path, "tokenizer_config.json"), "w") as f:
        json.dump({"tokenizer_class": "DistilBertTokenizer" if distil else "BertTokenizer", "do_lower_case": True,
                   "model_max_length": POSITIONS}, f)
    return path


def edit(path, **keys):
    """Other values in config.json; None takes a key out."""
    file = os.path.join(path, "config.json")
    config = json.load(open(file)) | keys
    json.dump({k: v for k, v in config.items() if v is not None}, open(file, "w"), indent=1)


def run(*arguments, code=0, stdin=""):
    r = subprocess.run([BERT, *arguments], input=stdin, capture_output=True, text=True)
    check(r.returncode == code, f"{' '.join(arguments)}: exit {r.returncode}, expected {code}: {r.stderr}")
    return r.stdout if code == 0 else r.stderr


def objects(*arguments, stdin=""):
    return [json.loads(line) for line in run(*arguments, "--format", "json", stdin=stdin).splitlines()]


def names(k):
    return {"id2label": {i: n for i, n in enumerate(k)}, "label2id": {n: i for i, n in enumerate(k)}}


# ----------------------------------------------------------------------------------------------------------------------
# text-classification: four problem types, texts and pairs, every activation
# ----------------------------------------------------------------------------------------------------------------------
def compare_labels(got, want, words):
    check([x["label"] for x in got] == [x["label"] for x in want], f"{words}: {got} is not {want}")
    for x, y in zip(got, want):
        close(x["score"], y["score"], f"{words}, {y['label']}")


def classify(path, words):
    library = pipeline("text-classification", model=path, tokenizer=path)
    for function in (None, "softmax", "sigmoid", "none"):
        how = {} if function is None else {"function_to_apply": function}
        ours = [] if function is None else ["--activation", function]
        texts = TEXTS if function is None else TEXTS[:3]
        got = objects("classify", "-m", path, *ours, stdin="\n".join(texts) + "\n")
        check([x["input"] for x in got] == list(range(len(texts))), f"{words}: inputs are numbered")
        for text, x in zip(texts, got):
            compare_labels(x["labels"], library(text, top_k=None, **how), f"{words}, {function}, {text!r}")
    got = objects("classify", "-m", path, "--pairs", stdin="".join(f"{a} ||| {b}\n" for a, b in PAIRS))
    for (a, b), x in zip(PAIRS, got):
        compare_labels(x["labels"], library({"text": a, "text_pair": b}, top_k=None), f"{words}, {a!r} and {b!r}")
    best = run("classify", "-m", path, "--top-k", "1", TEXTS[0]).rstrip("\n").split("\t")
    want = library(TEXTS[0])
    want = want[0] if isinstance(want, list) else want
    check(best[1] == want["label"].replace("\t", "\\x09"), f"{words}: the best label as text")
    close(float(best[0]), want["score"], f"{words}: the best score as text")


def test_classify():
    for kind in (BertForSequenceClassification, DistilBertForSequenceClassification):
        short = kind.__name__[:4]
        for i, settings in enumerate([
                {"problem_type": "single_label_classification", **names(["negative", "neutral", "positive"])},
                {"problem_type": "multi_label_classification", **names(["toxic", "obscene", "threat", "insult"])},
                {"problem_type": "regression", "num_labels": 1}, {"problem_type": "regression", "num_labels": 2},
                {"num_labels": 1}, {"num_labels": 2}, names(["\"quoted\"", "tab\there", "ünï", "1 star", "2 stars"])]):
            path = make(f"{short}{i}", kind, i, **settings)
            if i == 6:
                got = run("classify", "-m", path, TEXTS[0])
                check("tab\\x09here" in got and len(got.splitlines()) == 5, f"a label's control character is escaped: {got}")
            classify(path, f"{kind.__name__} {i}")


# ----------------------------------------------------------------------------------------------------------------------
# zero-shot-classification
# ----------------------------------------------------------------------------------------------------------------------
def test_zero_shot():
    orders = [["entailment", "neutral", "contradiction"], ["contradiction", "neutral", "entailment"],
              ["neutral", "entailment", "contradiction"], ["CONTRADICTION", "ENTAILMENT"]]
    long = " ".join(["the cat sat on the mat and the dog"] * 9)
    for kind, (i, order) in itertools.product((BertForSequenceClassification, DistilBertForSequenceClassification),
                                              enumerate(orders)):
        path = make(f"zero{kind.__name__[:4]}{i}", kind, 20 + i, **names(order))
        library = pipeline("zero-shot-classification", model=path, tokenizer=path)
        for labels, more in itertools.product(("sports, politics,a bad film", "money"),
                                              ([], ["--multi"], ["--template", "it was {}!"])):
            template = more[1] if "--template" in more else "This example is {}."
            got = objects("classify", "-m", path, "--labels", labels, *more, stdin="\n".join([TEXTS[0], TEXTS[4], long]) + "\n")
            for text, x in zip([TEXTS[0], TEXTS[4], long], got):
                want = library(text, labels, multi_label="--multi" in more, hypothesis_template=template)
                words = f"zero-shot {kind.__name__} {order} {labels} {more}, {text[:20]!r}"
                compare_labels(x["labels"], [{"label": l, "score": s} for l, s in zip(want["labels"], want["scores"])], words)
    edit(path, id2label={"0": "x", "1": "y"}, label2id={"x": 0, "y": 1})            # no word about entailment: the last row
    library = pipeline("zero-shot-classification", model=path, tokenizer=path)
    for labels in ("sports,politics", "sports"):
        want = library(TEXTS[0], labels)
        got = objects("classify", "-m", path, "--labels", labels, TEXTS[0])[0]["labels"]
        compare_labels(got, [{"label": l, "score": s} for l, s in zip(want["labels"], want["scores"])], f"no entailment, {labels}")


# ----------------------------------------------------------------------------------------------------------------------
# CrossEncoder of sentence-transformers
# ----------------------------------------------------------------------------------------------------------------------
def test_cross_encoder():
    identity, sigmoid = "torch.nn.modules.linear.Identity", "torch.nn.modules.activation.Sigmoid"
    lines = [t for t in TEXTS if t]
    for kind in (BertForSequenceClassification, DistilBertForSequenceClassification):
        for i, keys in enumerate([{}, {"sbert_ce_default_activation_function": identity},
                                  {"sbert_ce_default_activation_function": sigmoid},
                                  {"sentence_transformers": {"activation_fn": identity},
                                   "sbert_ce_default_activation_function": sigmoid},
                                  {"sentence_transformers": {"activation_fn": None}, "sbert_ce_default_activation_function": identity},
                                  {"sbert_ce_default_activation_function": "somebody.Sigmoid"}]):
            path = make(f"cross{kind.__name__[:4]}{i}", kind, 40 + i, num_labels=1)
            edit(path, **keys)
            directories = [path]
            if i in (0, 1):                                         # as the library saves it itself
                saved = path + "saved"
                CrossEncoder(path).save_pretrained(saved)
                directories.append(saved)
            for directory in directories:
                want = CrossEncoder(directory).rank("the bank vault", lines)
                got = objects("rank", "-m", directory, "the bank vault", stdin="\n".join(lines) + "\n")
                check([x["text"] for x in got] == [lines[y["corpus_id"]] for y in want], f"{directory}: the order of the lines")
                for x, y in zip(got, want):
                    close(x["score"], float(y["score"]), f"cross-encoder {kind.__name__} {keys}: {x['text']}")
    edit(path, sbert_ce_default_activation_function="torch.nn.modules.activation.Tanh")
    check("Tanh" in run("rank", "-m", path, "q", "x", code=3), "another activation is refused by name")
    run("rank", "-m", path, "--activation", "none", "q", "x")


# ----------------------------------------------------------------------------------------------------------------------
# Multiple choice, fill-mask
# ----------------------------------------------------------------------------------------------------------------------
def test_choose():
    for i, kind in enumerate((BertForMultipleChoice, DistilBertForMultipleChoice)):
        path = make(f"choice{i}", kind, 60 + i)
        model, tokenizer = kind.from_pretrained(path).eval(), AutoTokenizer.from_pretrained(path)
        for text, choices in itertools.product(TEXTS[:3], (TEXTS[4:6], TEXTS[4:9], TEXTS[:1])):
            x = tokenizer([text] * len(choices), choices, padding=True, return_tensors="pt")
            with torch.no_grad():
                logits = model(**{k: v[None] for k, v in x.items()}).logits[0]
            want = sorted(zip(torch.softmax(logits, 0).tolist(), logits.tolist(), choices), key=lambda y: -y[0])
            got = objects("choose", "-m", path, text, *choices)[0]["choices"]
            check([x["text"] for x in got] == [y[2] for y in want], f"choose: the order {got} is not {want}")
            for x, y in zip(got, want):
                close(x["score"], y[0], f"choose, {x['text']!r}")
                close(x["logit"], y[1], f"choose, the logit of {x['text']!r}")


def test_fill_mask():
    path = make("mlm", DistilBertForMaskedLM, 70)
    library = pipeline("fill-mask", model=path, tokenizer=path)
    for text in ("the [MASK] sat on the mat.", "my dog likes [MASK]", "[MASK]"):
        got = objects("fill-mask", "-m", path, text)[0]["predictions"]
        for x, y in zip(got, library(text)):
            check(x["token"] == y["token"], f"fill-mask {text!r}: {x} is not {y}")
            close(x["score"], y["score"], f"fill-mask {text!r}")


# ----------------------------------------------------------------------------------------------------------------------
# Every tensor in float64
# ----------------------------------------------------------------------------------------------------------------------
def capture(kind, path, pair):
    """Outputs of all modules, attention maps and hidden states, in float64."""
    model = kind.from_pretrained(path, attn_implementation="eager").double().eval()
    tokenizer = AutoTokenizer.from_pretrained(path)
    seen = {}

    def hook(name):
        def keep(module, inputs, output):
            output = output[0] if isinstance(output, tuple) else output
            if torch.is_tensor(output):
                seen[name] = output.detach().clone().contiguous()
        return keep
    for name, module in model.named_modules():
        if name and "dropout" not in name:
            module.register_forward_hook(hook(name))
    x = tokenizer(*(pair if pair[1] else pair[:1]), return_tensors="pt")
    y = {k: v[None] for k, v in x.items()} if "MultipleChoice" in kind.__name__ else x
    with torch.no_grad():
        out = model(**y, output_attentions=True, output_hidden_states=True)
    for l, a in enumerate(out.attentions):
        seen[f"attentions.{l}"] = a.clone()
    for l, h in enumerate(out.hidden_states):
        seen[f"hidden_states.{l}"] = h.clone()
    return seen | {k: v.clone() for k, v in x.items()}


def test_tensors():
    tensors = 0
    for i, kind in enumerate((BertForSequenceClassification, BertForTokenClassification, BertForQuestionAnswering,
                              BertForMultipleChoice, DistilBertForSequenceClassification, DistilBertForTokenClassification,
                              DistilBertForQuestionAnswering, DistilBertForMultipleChoice, DistilBertForMaskedLM)):
        path = make(f"tensors{i}", kind, 80 + i)
        file = os.path.join(path, "theirs.safetensors")
        for pair in (PAIRS[0], (TEXTS[1], None)):
            seen = capture(kind, path, pair)
            save_file(seen, file)
            r = subprocess.run([BERT64, "verify", "-v", "--atol", str(TOLERANCE64), "--rtol", "0", "-m", path, file],
                               capture_output=True, text=True)
            check(r.returncode == 0 and r.stdout.endswith("no difference\n"), f"{kind.__name__}: {r.stdout}{r.stderr}")
            rows = [l for l in r.stdout.splitlines() if " dB " in l or " equal " in l]
            head = {"Sequ": "classifier", "Toke": "classifier", "Ques": "qa_outputs", "Mult": "classifier",
                    "Mask": "cls.predictions.decoder"}[kind.__name__.split("For")[1][:4]]
            check(any(l.startswith(head + " ") for l in rows), f"{kind.__name__}: {head} was compared: {r.stdout}")
            layers = 3 if kind.__name__.startswith("Distil") else 2
            check(len(rows) >= layers * 10 + 3, f"{kind.__name__}: {len(rows)} tensors were compared")
            tensors += len(rows)
            name = next(n for n in seen if n.endswith("lin1") or n.endswith("intermediate.dense"))
            seen[name][0, 0, 0] += 1e-9                             # does it notice?
            save_file(seen, file)
            r = subprocess.run([BERT64, "verify", "--atol", str(TOLERANCE64), "--rtol", "0", "-m", path, file],
                               capture_output=True, text=True)
            check(r.returncode == 1 and "intermediate.dense" in r.stdout.splitlines()[-1], f"{kind.__name__}: a planted difference")
    print(f"{tensors} tensors within {TOLERANCE64:g} of PyTorch's in float64")


# ----------------------------------------------------------------------------------------------------------------------
# The wrong head
# ----------------------------------------------------------------------------------------------------------------------
def test_wrong_heads():
    for i, (kind, words) in enumerate(((BertForTokenClassification, "see `bert tag`"), (BertForQuestionAnswering, "see `bert answer`"),
                                       (BertForMultipleChoice, "see `bert choose`"), (DistilBertForMaskedLM, "not fine-tuned"))):
        path = make(f"wrong{i}", kind, 95)
        check(words in run("classify", "-m", path, "x", code=5), f"classify on {kind.__name__} says: {words}")
    path = make("wrong5", BertForSequenceClassification, 95)
    check("bert classify" in run("choose", "-m", path, "x", "y", code=5), "choose on a sequence classifier")
    edit(path, architectures=None)
    r = subprocess.run([BERT, "classify", "-m", path, "x"], capture_output=True, text=True)
    check(r.returncode == 0 and "does not say (architectures)" in r.stderr, "what cannot be told is said")
    for keys, words in (({"id2label": {"0": "a", "1": "b", "2": "c"}}, "id2label has 3 labels, but classifier.weight has 2 rows"),
                        ({"id2label": {"0": "a", "2": "b"}}, "id2label has 2 labels, but none for 1"),
                        ({"id2label": {"0": "a", "x": "b"}}, "id2label has the key 'x'"),
                        ({"id2label": None, "num_labels": 5}, "num_labels is 5, but classifier.weight has 2 rows")):
        edit(path, **keys)
        check(words in run("classify", "-m", path, "x", code=3), f"labels are refused: {words}")


for test in (test_classify, test_zero_shot, test_cross_encoder, test_choose, test_fill_mask, test_tensors, test_wrong_heads):
    test()
shutil.rmtree(work)
print(f"{answers} scores within {TOLERANCE:g} of the libraries', the largest difference {largest:.1e}; {failures} not so")
check(answers >= 200, "at least 200 answers")
sys.exit(failures > 0)
