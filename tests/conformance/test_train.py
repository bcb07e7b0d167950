#!/usr/bin/env python3
"""test_train.py - what `bert train` leaves, loaded by Hugging Face's library; its steps against PyTorch's; and the pieces
of `bert vocab --learn` against their definition.

    python3 tests/conformance/test_train.py         needs ./bert and ./bert64; no real weights

  a trained model   BertForPreTraining and AutoTokenizer load the directory: no tensor is missing or unexpected, the logits
                    are those of `bert trace`, the ids those of `bert tokenize`
  a classifier      the same of `--task classify`: names of the labels, logits, accuracy and macro F1 by their definition
  ten steps         `bert64 train --inputs` against torch.optim.AdamW and against Google's formulas (test_learn.py), every
                    parameter within 1e-11 of its largest number
  pieces            joined by the definition, which counts all pairs of all words anew for each piece
"""
import collections
import json
import os
import subprocess
import sys
import tempfile

from common import BERT, BERT64, ROOT, Count, capture, formula_model, run, torch
import test_learn as steps
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer, BertForPreTraining

TEXT = os.path.join(ROOT, "tests", "golden", "train.txt")
CONFIG = os.path.join(ROOT, "tests", "golden", "train-config.json")
SENTENCES = ["The cat sat on the mat.", "My dog is cute: he likes playing!", "Unknown XYZ words, accents: café"]
LOGITS_LIMIT = 4e-6     # float32 on both sides; measured: 3.6e-7


def check_directory(count, work):
    """Pieces, then a model, from nothing but the text; both libraries must see the same."""
    vocabulary, model = os.path.join(work, "vocab.txt"), os.path.join(work, "model")
    code, said = run(BERT, "vocab", "-q", "--learn", "200", "-f", TEXT, "-o", vocabulary)
    count.check(code == 0, said)
    code, said = run(BERT, "train", "-q", "-o", model, "--config", CONFIG, "--vocab", vocabulary, "-f", TEXT, "--steps",
                     "30", "--learning-rate", "1e-3")
    if not count.check(code == 0, said):
        return
    theirs, info = BertForPreTraining.from_pretrained(model, output_loading_info=True)
    count.check(not any(info.values()), f"from_pretrained: {info}")
    count.check(theirs.dtype == torch.float32, f"the numbers are {theirs.dtype}")
    tokenizer = AutoTokenizer.from_pretrained(model)
    worst = 0.0
    for sentence in SENTENCES:
        inputs = tokenizer(sentence, return_tensors="pt")
        code, said = run(BERT, "tokenize", "-q", "-m", model, "--format", "ids", sentence)
        count.check(said.split() == [str(i) for i in inputs["input_ids"][0].tolist()], f"{sentence}: ids {said}")
        path = os.path.join(work, "trace.safetensors")
        code, said = run(BERT, "trace", "-q", "-m", model, "-o", path, sentence)
        count.check(code == 0, said)
        with torch.no_grad():
            logits = theirs.eval()(**inputs).prediction_logits[0]
        worst = max(worst, float((load_file(path)["cls.predictions.decoder"] - logits).abs().max()))
    count.check(worst < LOGITS_LIMIT, f"logits differ by {worst:.2g}")
    print(f"a trained model      {len(info['missing_keys'])} missing, logits within {worst:.1e}", flush=True)


def check_classifier(count, work):
    """--task classify: labels and scores are those of transformers' pipeline, and the scores on --dev by the definition."""
    texts, held_out, model = (os.path.join(work, n) for n in ("labelled", "held-out", "classifier"))
    lines = ["small \"pet\"\tthe cat sat", "large\tthe dog sat on the mat", "large\tthe dog ||| sat", "none\tthe mat"]
    wrong = ["none\tthe cat sat", "small \"pet\"\tthe dog ||| sat"]
    for path, content in ((texts, lines * 8), (held_out, lines * 3 + wrong)):
        with open(path, "w") as f:
            f.writelines(line + "\n" for line in content)
    code, said = run(BERT, "train", "-o", model, "-m", formula_model("tiny", work), "--task", "classify", "-f", texts,
                     "--dev", held_out, "--steps", "80", "--batch", "8", "--learning-rate", "3e-3", "--max-length", "16")
    if not count.check(code == 0, said):
        return
    theirs, info = AutoModelForSequenceClassification.from_pretrained(model, output_loading_info=True)
    count.check(not any(info.values()), f"from_pretrained: {info}")
    count.check(theirs.config.id2label == {0: "large", 1: "none", 2: "small \"pet\""}, str(theirs.config.id2label))
    tokenizer, said_labels, true_labels, worst = AutoTokenizer.from_pretrained(model), [], [], 0.0
    for line in lines * 3 + wrong:
        label, text = line.split("\t")
        with torch.no_grad():
            logits = theirs.eval()(**tokenizer(*text.split(" ||| "), return_tensors="pt")).logits[0]
        said_labels.append(theirs.config.id2label[int(logits.argmax())])
        true_labels.append(label)
        pairs = ["--pairs"] if " ||| " in text else []
        code, out = run(BERT, "classify", "-q", "-m", model, *pairs, "--format", "json", text)
        ours = {x["label"]: x["logit"] for x in json.loads(out)["labels"]} if count.check(code == 0, out) else {}
        worst = max([worst] + [abs(ours[n] - float(logits[i])) for i, n in theirs.config.id2label.items() if ours])
    count.check(worst < LOGITS_LIMIT, f"logits differ by {worst:.2g}")
    with open(os.path.join(model, "training", "log.jsonl")) as f:
        scores = json.loads(f.read().splitlines()[-1])
    accuracy = sum(a == b for a, b in zip(said_labels, true_labels)) / len(true_labels)
    each = [2 * sum(a == b == n for a, b in zip(said_labels, true_labels)) / (said_labels.count(n) + true_labels.count(n))
            for n in sorted({*said_labels, *true_labels})]
    count.check(abs(scores["dev_classify_accuracy"] - accuracy) < 1e-6, f"{scores}, accuracy {accuracy}")
    count.check(abs(scores["dev_classify_macro_f1"] - sum(each) / len(each)) < 1e-6, f"{scores}, F1 {each}")
    print(f"a classifier         logits within {worst:.1e}, accuracy {accuracy:.3f}", flush=True)


def check_steps(count, work, kind, rules, micro_batch):
    directory, out = formula_model(kind, work), os.path.join(work, f"{kind}-{rules}")
    model = capture.load_model(directory, torch.float64)
    model.requires_grad_(True)
    lengths = (9, 12, 12, 7, 11, 12, 5, 12, 12, 10)
    inputs = steps.sequences(model.config.vocab_size, model.config.type_vocab_size, lengths, 12, 7)
    path = os.path.join(work, "inputs.safetensors")
    save_file({n: t.contiguous() for n, t in inputs.items()}, path)
    code, said = run(BERT64, "train", "-q", "-m", directory, "--inputs", path, "-o", out, "--dropout", "0", "--rules", rules,
                     "--steps", str(steps.STEPS), "--batch", str(steps.BATCH), "--micro-batch", str(micro_batch),
                     "--warmup", str(steps.WARMUP), "--learning-rate", str(steps.RATE), "--weight-decay",
                     str(steps.DECAY), "--clip", str(steps.CLIP))
    if not count.check(code == 0, said):
        return
    learn = steps.learn_google if rules == "google" else steps.learn_torch
    parameters, _ = learn(model, inputs)
    ours = load_file(os.path.join(out, "model.safetensors"))
    want = {n.replace("predictions.decoder.bias", "predictions.bias"): p.detach() for n, p in parameters.items()}
    count.check(set(want) == set(ours), f"{kind}: only one side has {sorted(set(want) ^ set(ours))[:3]}")
    real = [n for n in want if not n.endswith("key.bias")]          # their gradients are rounding alone
    worst, name = max((float((ours[n] - want[n]).abs().max() / want[n].abs().max()), n) for n in real)
    count.check(worst <= steps.STEPS_LIMIT, f"{kind}, {rules}: {name}: {worst:.2g} of the largest number")
    print(f"ten steps            {kind}, {rules}: {worst:.1e} at {name}", flush=True)


def learn_slowly(words, size):
    """The definition: count all pairs, join the most frequent one, the earlier pieces first; again."""
    letters = sorted({w[0] for w in words}) + sorted({"##" + c for w in words for c in w[1:]})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + letters
    cut = {w: [w[0]] + ["##" + c for c in w[1:]] for w in words}
    while len(pieces) < size:
        pairs = collections.Counter()
        for word, n in words.items():
            for pair in zip(cut[word], cut[word][1:]):
                pairs[pair] += n
        if not pairs or max(pairs.values()) < 2:
            break
        place = {p: i for i, p in enumerate(pieces)}
        left, right = min(pairs, key=lambda p: (-pairs[p], place[p[0]], place[p[1]]))
        for word, x in cut.items():
            i = 0
            while i + 1 < len(x):
                if (x[i], x[i + 1]) == (left, right):
                    x[i:i + 2] = [left + right[2:]]
                i += 1
        if left + right[2:] not in place:
            pieces.append(left + right[2:])
    return pieces


def check_pieces(count, work):
    """On the sentences of the training text, and on this file, whose words are of many kinds."""
    basic = formula_model("tiny", work)
    for path, size in ((TEXT, 110), (__file__, 400)):
        done = subprocess.run([BERT, "vocab", "-q", "--learn", str(size), "-f", path], capture_output=True, text=True)
        trace = subprocess.run([BERT, "tokenize", "-q", "-m", basic, "--trace", "--no-special", "-f", path],
                               capture_output=True, text=True)
        words = collections.Counter()
        for line in trace.stdout.splitlines():
            if line.startswith("2 split"):
                words.update(line[15:].split())
        want = learn_slowly(words, size)
        ours = done.stdout.splitlines()
        count.check(ours == want, f"{path}: {[(a, b) for a, b in zip(ours, want) if a != b][:3]}, {len(ours)}, {len(want)}")
        print(f"pieces               {len(ours)} of {len(words)} words of {os.path.basename(path)}", flush=True)


def main():
    count = Count()
    with tempfile.TemporaryDirectory() as work:
        check_directory(count, work)
        check_classifier(count, work)
        check_steps(count, work, "tiny", "huggingface", 3)
        check_steps(count, work, "odd", "google", 2)
        check_pieces(count, work)
    return count.end()


if __name__ == "__main__":
    sys.exit(main())
