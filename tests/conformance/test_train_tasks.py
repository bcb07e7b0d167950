#!/usr/bin/env python3
"""test_train_tasks.py - `bert train --task classify | tag | answer` against PyTorch and Hugging Face's library.

    python3 tests/conformance/test_train_tasks.py   needs ./bert and ./bert64; no real weights

  ten steps     all examples in each step, so their order does not matter; PyTorch's side cuts and labels the texts as
                examples/pytorch/token-classification/run_ner.py and question-answering/run_qa.py do, with the library's
                own tokenizer; loss of the library's model, AdamW: every parameter within 1e-11 of its largest number
  the model     from_pretrained of the library's class for the task misses nothing; names of labels; logits of `bert`
  DistilBERT    the same, and its hidden words; from a configuration alone: its names, its tokenizer
  held out      loss, accuracy, macro F1, F1 of entities (conlleval's rule, as seqeval has it), exact answers and F1 of
                words (SQuAD's evaluate-v2.0.py), all by their definitions from the library's logits
"""
import json
import os
import re
import string
import sys
import tempfile

from common import BERT, BERT64, INPUTS, Count, formula_model, run, torch
import test_learn as steps
from safetensors.torch import load_file
from transformers import (AutoModelForMaskedLM, AutoModelForQuestionAnswering, AutoModelForSequenceClassification,
                          AutoModelForTokenClassification, AutoTokenizer)

CLASSES = {"classify": AutoModelForSequenceClassification, "tag": AutoModelForTokenClassification,
           "answer": AutoModelForQuestionAnswering}
LENGTH, STRIDE = 24, 12             # `bert` takes half of a short length
SENTENCES = [
    [("The", "O"), ("big", "B-PET"), ("cat", "I-PET"), ("sat", "O"), ("on", "O"), ("Embeddings", "B-THING")],
    [("my", "O"), ("dog", "B-PET"), ("river", "B-PET"), ("bank", "I-PET"), ("!", "O")],
    [("robbers", "I-PET"), ("vault", "I-THING"), ("money", "I-THING"), ("the", "O"), ("mat", "B-THING"), ("zoo", "O")],
    [("unknown\u4e2d", "B-THING"), ("\u200b", "O"), ("caf\u00e9", "I-THING"), ("day", "I-PET")],
]
CONTEXTS = ["The cat sat on the mat. It was sunny, not big.",
            "My dog \u2014 he likes caf\u00e9s \u2014 went to the river bank, from the store of the man to the vault. "
            "The robber likes embeddings and money. It is the day of the cat."]
QUESTIONS = [(0, "the cat?", ["on the mat", "the mat."]), (0, "sunny?", ["sunny"]), (1, "dog went?", ["to the river bank"]),
             (1, "robber?", ["bedding", "embeddings and money"]), (1, "likes?", []), (1, "day?", ["the day of the cat"])]


# ----------------------------------------------------------------------------------------------------------------------
# Files, and what the scripts make of them
# ----------------------------------------------------------------------------------------------------------------------
def write_files(work):
    """Path of each task's file."""
    paths = {task: os.path.join(work, "text-" + task) for task in CLASSES}
    with open(paths["classify"], "w") as f:
        f.write("small\tthe cat sat\nlarge\tthe dog sat on the mat\nlarge\tthe dog ||| sat\nnone\tthe mat of embeddings\n")
    with open(paths["tag"], "w") as f:
        f.write("\n\n".join("\n".join(f"{w}\t{l}" for w, l in s) for s in SENTENCES) + "\n")
    qas = [[{"id": f"q{i}", "question": q, "is_impossible": not answers,
             "answers": [{"text": a, "answer_start": CONTEXTS[k].index(a)} for a in answers]}
            for i, (k, q, answers) in enumerate(QUESTIONS) if k == n] for n in range(2)]
    # SQuAD 1.1 has the context first, 2.0 has it last.
    paragraphs = [{"context": CONTEXTS[0], "qas": qas[0]}, {"qas": qas[1], "context": CONTEXTS[1]}]
    with open(paths["answer"], "w") as f:
        json.dump({"version": "x", "data": [{"title": "t", "paragraphs": [p]} for p in paragraphs]}, f)
    return paths


def classify_features(tokenizer, path):
    with open(path) as f:
        lines = [line.rstrip("\n").split("\t") for line in f]
    names = sorted({label for label, _ in lines})
    return [(tokenizer(*text.split(" ||| ")), names.index(label)) for label, text in lines], names


def tag_features(tokenizer, path):
    names = sorted({label for sentence in SENTENCES for _, label in sentence})
    features = []
    for sentence in SENTENCES:
        x = tokenizer([w for w, _ in sentence], is_split_into_words=True, truncation=True, max_length=LENGTH)
        previous, labels = None, []
        for word in x.word_ids():
            labels.append(-100 if word is None or word == previous else names.index(sentence[word][1]))
            previous = word
        features.append((x, labels))
    return features, names


def answer_features(tokenizer, path):
    features = []
    for number, (k, question, answers) in enumerate(QUESTIONS):
        x = tokenizer(question, CONTEXTS[k], truncation="only_second", max_length=LENGTH, stride=STRIDE,
                      return_overflowing_tokens=True, return_offsets_mapping=True)
        for i in range(len(x["input_ids"])):
            offsets, sequence = x["offset_mapping"][i], x.sequence_ids(i)
            inside = [t for t, s in enumerate(sequence) if s == 1]
            span = (0, 0)
            if answers:
                begin = CONTEXTS[k].index(answers[0])
                end = begin + len(answers[0])
                if offsets[inside[0]][0] <= begin and offsets[inside[-1]][1] >= end:
                    span = (max(t for t in inside if offsets[t][0] <= begin), min(t for t in inside if offsets[t][1] >= end))
            one = {n: x[n][i] for n in INPUTS if n in x}
            features.append((one, span, number, [o if s == 1 else None for o, s in zip(offsets, sequence)]))
    return features, None


def batch_of(task, features):
    """Padded; the labels as the library's model takes them."""
    longest = max(len(x["input_ids"]) for x, *_ in features)
    pad = lambda values, filler: list(values) + [filler] * (longest - len(values))
    batch = {n: torch.tensor([pad(x[n], 0) for x, *_ in features])
             for n in INPUTS if n in features[0][0]}
    labels = [f[1] for f in features]
    if task == "answer":
        return batch | {"start_positions": torch.tensor([s for s, _ in labels]),
                        "end_positions": torch.tensor([e for _, e in labels])}
    return batch | {"labels": torch.tensor([pad(x, -100) for x in labels] if task == "tag" else labels)}


def loss_of(task, model, batch):
    """The library's; of answers without the padding, where no answer can begin: see cli/train_task.c, learn.c."""
    if task != "answer":
        return model(**batch).loss
    out = model(**{n: t for n, t in batch.items() if "positions" not in n})
    total = 0
    for logits, true in ((out.start_logits, batch["start_positions"]), (out.end_logits, batch["end_positions"])):
        logits = logits.masked_fill(batch["attention_mask"] == 0, float("-inf"))
        total = total + torch.nn.functional.cross_entropy(logits, true) / 2
    return total


# ----------------------------------------------------------------------------------------------------------------------
# Ten steps
# ----------------------------------------------------------------------------------------------------------------------
def train(binary, task, model, path, out, *more):
    return run(binary, "train", "-q", "-m", model, "--task", task, "-f", path, "-o", out, "--max-length", str(LENGTH), *more)


def check_steps(count, task, base, path, work, features_of):
    kind = os.path.basename(base)
    first, last = os.path.join(work, f"{kind}-{task}-first"), os.path.join(work, f"{kind}-{task}-last")
    code, said = train(BERT64, task, base, path, first, "--steps", "1", "--learning-rate", "0")
    if not count.check(code == 0, said):
        return
    model, info = CLASSES[task].from_pretrained(first, dtype=torch.float64, output_loading_info=True)
    count.check(not any(info.values()), f"{task}: from_pretrained: {info}")
    features, names = features_of(AutoTokenizer.from_pretrained(first), path)
    if names:
        count.check([model.config.id2label[i] for i in range(len(names))] == names, str(model.config.id2label))
    code, said = train(BERT64, task, base, path, last, "--steps", str(steps.STEPS), "--batch", str(len(features)),
                       "--micro-batch", "3", "--dropout", "0", "--warmup", str(steps.WARMUP), "--learning-rate",
                       str(steps.RATE), "--weight-decay", str(steps.DECAY), "--clip", str(steps.CLIP))
    if not count.check(code == 0, said):
        return
    batch = batch_of(task, features)
    model.eval().requires_grad_(True)
    groups = [{"params": [p for n, p in model.named_parameters() if steps.decays(n) == d],
               "weight_decay": steps.DECAY * d} for d in (True, False)]
    optimizer = torch.optim.AdamW(groups, lr=steps.RATE, betas=(0.9, 0.999), eps=1e-8)
    schedule = steps.get_linear_schedule_with_warmup(optimizer, steps.WARMUP, steps.STEPS)
    for _ in range(steps.STEPS):
        with torch.enable_grad():
            loss_of(task, model, batch).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), steps.CLIP)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
    ours, want = load_file(os.path.join(last, "model.safetensors")), {n: p.detach() for n, p in model.named_parameters()}
    count.check(set(ours) == set(want), f"{task}: only one side has {sorted(set(want) ^ set(ours))[:3]}")
    real = [n for n in want if not n.endswith(("key.bias", "k_lin.bias", "qa_outputs.bias"))]   # gradients of rounding alone
    if task == "answer":                                                        # nor have these: starts add up to 0
        real = [n for n in real if not n.endswith(("1.output_layer_norm.bias", "1.output.LayerNorm.bias"))]
    worst, name = max((float((ours[n] - want[n]).abs().max() / want[n].abs().max()), n) for n in real)
    count.check(worst <= steps.STEPS_LIMIT, f"{task}: {name}: {worst:.2g} of the largest number")
    print(f"ten steps            {kind}, {task}, {len(features)} sequences: {worst:.1e} at {name}", flush=True)


def distilbert_config(base, path):
    """config.json and vocab.txt of a DistilBERT of the size of `base`."""
    os.makedirs(path)
    with open(os.path.join(base, "config.json")) as f:
        c = json.load(f)
    config = {"model_type": "distilbert", "architectures": ["DistilBertForMaskedLM"], "n_layers": c["num_hidden_layers"],
              "dim": c["hidden_size"], "n_heads": c["num_attention_heads"], "hidden_dim": c["intermediate_size"],
              "vocab_size": c["vocab_size"], "max_position_embeddings": c["max_position_embeddings"],
              "activation": "gelu", "dropout": 0.1, "attention_dropout": 0.1, "initializer_range": 0.3, "pad_token_id": 0}
    with open(os.path.join(path, "config.json"), "w") as f:
        json.dump(config, f)
    with open(os.path.join(base, "vocab.txt")) as f, open(os.path.join(path, "vocab.txt"), "w") as out:
        out.write(f.read())


def check_distilbert(count, base, work):
    """From random weights; hidden words by steps against PyTorch. Returns the directory."""
    sizes, path = os.path.join(work, "sizes"), os.path.join(work, "distilbert")
    text, rows, last = (os.path.join(work, n) for n in ("text", "rows", "distilbert-last"))
    distilbert_config(base, sizes)
    with open(text, "w") as f:
        f.write("the cat sat on the mat\nmy dog likes embeddings\n")
    new = ["--config", os.path.join(sizes, "config.json"), "--vocab", os.path.join(sizes, "vocab.txt")]
    code, said = run(BERT, "train", "-q", "-o", path, *new, "-f", text, "--no-nsp", "--steps", "2", "--batch", "4")
    if not count.check(code == 0, said):
        return None
    model, info = AutoModelForMaskedLM.from_pretrained(path, dtype=torch.float64, output_loading_info=True)
    count.check(type(model).__name__ == "DistilBertForMaskedLM" and not any(info.values()), f"{type(model)}: {info}")
    x = AutoTokenizer.from_pretrained(path)("the cat", return_tensors="pt")
    count.check("token_type_ids" not in x, f"the tokenizer gives {list(x)}")
    model(**x)
    inputs = steps.sequences(model.config.vocab_size, 1, (9, 12, 12, 7, 11, 12, 5, 12, 12, 10), 12, 7)
    steps.save_file({n: t.contiguous() for n, t in inputs.items() if n != "next_sentence_label"}, rows)
    code, said = run(BERT64, "train", "-q", "-m", path, "--inputs", rows, "-o", last, "--dropout", "0", "--no-nsp", "--steps",
                     str(steps.STEPS), "--batch", str(steps.BATCH), "--warmup", str(steps.WARMUP), "--learning-rate",
                     str(steps.RATE), "--weight-decay", str(steps.DECAY), "--clip", str(steps.CLIP))
    if not count.check(code == 0, said):
        return path
    model.eval().requires_grad_(True)
    inputs = {n: t for n, t in inputs.items() if n in ("input_ids", "attention_mask", "labels")}
    one = {n: t[:1, :9].contiguous() for n, t in inputs.items()}        # its gradients, by DistilBERT's names
    with torch.enable_grad():
        loss = model(**one).loss
        loss.backward()
    gradients = {"grad." + n: p.grad.contiguous() for n, p in model.named_parameters()}
    steps.save_file(one | gradients | {"loss": loss.detach().reshape(())}, rows)
    code, said = run(BERT64, "verify", rows, "-m", path)
    count.check(code == 0 and "no difference" in said, said)
    gradients["grad.distilbert.transformer.layer.0.attention.q_lin.weight"] *= 1.5
    steps.save_file(one | gradients, rows)
    code, said = run(BERT64, "verify", rows, "-m", path)
    count.check(code == 1 and "first difference: grad.encoder.layer.0.attention.self.query.weight" in said, said)
    model.zero_grad()
    parameters, _ = steps.learn_torch(model, inputs)
    ours = load_file(os.path.join(last, "model.safetensors"))
    want = {n: p.detach() for n, p in parameters.items()}
    count.check(set(ours) == set(want), f"only one side has {sorted(set(want) ^ set(ours))[:3]}")
    worst, name = max((float((ours[n] - want[n]).abs().max() / want[n].abs().max()), n) for n in want
                      if not n.endswith("k_lin.bias"))
    count.check(worst <= steps.STEPS_LIMIT, f"DistilBERT: {name}: {worst:.2g} of the largest number")
    print(f"ten steps            distilbert, mlm: {worst:.1e} at {name}", flush=True)
    return path


# ----------------------------------------------------------------------------------------------------------------------
# Held out
# ----------------------------------------------------------------------------------------------------------------------
def entities(labels):
    """Spans (kind, first, last): a word begins one if it is B-, or if it is I- and the word before it is not of its kind."""
    spans, kind = [], None
    for i, label in enumerate(labels):
        if label != "O" and (label[0] == "B" or label[2:] != kind):
            spans.append([label[2:], i, i])
        elif label != "O":
            spans[-1][2] = i
        kind = None if label == "O" else label[2:]
    return {tuple(s) for s in spans}


def f1(right, said, truly):
    return 2 * right / (said + truly) if said + truly else 0.0


def tag_scores(features, names, logits):
    said, truly, right, spans = [], [], 0, [0, 0, 0]
    for (_, labels), rows in zip(features, logits):
        words = [t for t, label in enumerate(labels) if label >= 0]
        a, b = [names[int(rows[t].argmax())] for t in words], [names[labels[t]] for t in words]
        said, truly = said + a, truly + b
        for i, n in enumerate((len(entities(a) & entities(b)), len(entities(a)), len(entities(b)))):
            spans[i] += n
    right = [x for x, y in zip(said, truly) if x == y]
    each = [f1(right.count(n), said.count(n), truly.count(n)) for n in sorted({*said, *truly})]
    return {"accuracy": len(right) / len(said), "macro_f1": sum(each) / len(each), "span_f1": f1(*spans)}


def normalized(text):
    text = "".join(c for c in text.lower() if c not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def answer_f1(answer, right):
    a, b = normalized(answer), normalized(right)
    if not a or not b:
        return float(a == b)
    common = sum(min(a.count(w), b.count(w)) for w in set(a))
    return f1(common, len(a), len(b))


def answer_scores(features, logits):
    exact = total = 0
    for number, (k, _, answers) in enumerate(QUESTIONS):
        best, null = (float("-inf"), ""), float("inf")
        for (_, _, owner, offsets), rows in zip(features, logits):
            if owner != number:
                continue
            null = min(null, float(rows[0].sum()))
            inside = [t for t, o in enumerate(offsets) if o]
            best = max([best] + [(float(rows[s, 0] + rows[e, 1]), CONTEXTS[k][offsets[s][0]:offsets[e][1]])
                                 for s in inside for e in inside if s <= e < s + 30], key=lambda x: x[0])
        said, right = "" if null > best[0] else best[1], answers or [""]
        exact += max(normalized(said) == normalized(r) for r in right)
        total += max(answer_f1(said, r) for r in right)
    return {"exact": exact / len(QUESTIONS), "f1": total / len(QUESTIONS)}


def check_scores(count, task, base, path, work, features_of):
    """A model that has half learned what it is then judged by."""
    out = os.path.join(work, f"{task}-judged")
    code, said = train(BERT64, task, base, path, out, "--dev", path, "--steps", "14", "--batch", "4", "--learning-rate",
                       "4e-3", "--schedule", "constant")
    if not count.check(code == 0, said):
        return
    model = CLASSES[task].from_pretrained(out, dtype=torch.float64).eval()
    features, names = features_of(AutoTokenizer.from_pretrained(out), path)
    logits, losses = [], []
    for feature in features:
        batch = batch_of(task, [feature])
        with torch.no_grad():
            answer = model(**{n: t for n, t in batch.items() if n in INPUTS})
            rows = torch.stack([answer.start_logits, answer.end_logits], -1) if task == "answer" else answer.logits
        logits.append(rows[0])
        cross_entropy = torch.nn.functional.cross_entropy
        if task == "answer":
            losses += [float(cross_entropy(rows[0, :, i], torch.tensor(feature[1][i]))) for i in range(2)]
        else:
            losses += [float(cross_entropy(r, torch.tensor(l))) for r, l in zip(rows[0], feature[1]) if l >= 0]
    want = {"loss": sum(losses) / len(losses)}
    want |= answer_scores(features, logits) if task == "answer" else tag_scores(features, names, logits)
    with open(os.path.join(out, "training", "log.jsonl")) as f:
        scores = json.loads(f.read().splitlines()[-1])
    for key, value in want.items():
        got = scores.get(f"dev_{task}_{key}", -1)
        count.check(abs(got - value) < 2e-6, f"{task}: {key} is {got}, expected {value}")
    print(f"held out             {task}: " + ", ".join(f"{k} {v:.4f}" for k, v in want.items()), flush=True)


def main():
    count = Count()
    with tempfile.TemporaryDirectory() as work:
        base = formula_model("tiny", work)
        paths = write_files(work)
        for task, features_of in (("classify", classify_features), ("tag", tag_features), ("answer", answer_features)):
            check_steps(count, task, base, paths[task], work, features_of)
            if task != "classify":                              # its scores: test_train.py
                check_scores(count, task, base, paths[task], work, features_of)
        distilbert = check_distilbert(count, base, work)
        for task, features_of in (("classify", classify_features), ("tag", tag_features), ("answer", answer_features)):
            if distilbert:
                check_steps(count, task, distilbert, paths[task], work, features_of)
    return count.end()


if __name__ == "__main__":
    sys.exit(main())
