#!/usr/bin/env python3
"""test_teacher.py - `bert train --teacher` against PyTorch.

    python3 tests/conformance/test_teacher.py       needs ./bert64; no real weights

Ten steps in float64 of a small model whose teacher has other sizes and another vocabulary, its pieces in another order:
every parameter within 1e-11 of its largest number, and the losses of log.jsonl. PyTorch's side is written from the rule
alone (the head of cli/train_teacher.c): of the pieces that both have the 64 best, their softmax, nn.CrossEntropyLoss
with probabilities, 0.7 of it beside 0.3 of the label's.
"""
import json
import os
import sys
import tempfile

from common import BERT64, Count, capture, formula_model, run, torch
import test_learn as steps
from safetensors.torch import load_file, save_file

SHARE, BEST = 0.7, 64
LENGTHS = (9, 12, 12, 7, 11, 12, 5, 12, 12, 10)


def shuffled(directory, work):
    """The same model with its pieces in another order, so that no id is the student's."""
    path = os.path.join(work, "shuffled-" + os.path.basename(directory))
    os.makedirs(path)
    with open(os.path.join(directory, "vocab.txt")) as f:
        pieces = f.read().splitlines()
    order = torch.randperm(len(pieces), generator=torch.Generator().manual_seed(3))
    with open(os.path.join(path, "vocab.txt"), "w") as f:
        f.writelines(pieces[i] + "\n" for i in order)
    with open(os.path.join(directory, "config.json")) as f:
        config = json.load(f)
    config["pad_token_id"] = order.tolist().index(config["pad_token_id"])
    with open(os.path.join(path, "config.json"), "w") as f:
        json.dump(config, f)
    weights = load_file(os.path.join(directory, "model.safetensors"))
    for name in ("bert.embeddings.word_embeddings.weight", "cls.predictions.bias"):
        weights[name] = weights[name][order].contiguous()
    save_file(weights, os.path.join(path, "model.safetensors"), {"format": "pt"})
    return path


def pieces_of(directory):
    with open(os.path.join(directory, "vocab.txt")) as f:
        return f.read().splitlines()


def teach(teacher, ours, theirs, batch, V):
    """(rows that are to be guessed, V): the teacher's probabilities, and which rows have any."""
    place = {piece: i for i, piece in enumerate(theirs)}
    to = torch.tensor([place.get(piece, place["[UNK]"]) for piece in ours])
    common = torch.tensor([i for i, piece in enumerate(ours) if piece in place])
    with torch.no_grad():
        logits = teacher(input_ids=to[batch["input_ids"]], attention_mask=batch["attention_mask"],
                         token_type_ids=batch["token_type_ids"].clamp(max=teacher.config.type_vocab_size)
                         * (batch["token_type_ids"] < teacher.config.type_vocab_size)).prediction_logits
    chosen = batch["labels"] >= 0
    scores = logits[chosen][:, to[common]]
    best = scores.topk(min(BEST, len(common)), dim=-1)
    soft = torch.zeros(len(scores), V, dtype=torch.float64)
    soft.scatter_(1, common[best.indices], torch.softmax(best.values, -1))
    known = torch.tensor([ours[i] in place for i in batch["labels"][chosen].tolist()])
    return soft, known


class Student(torch.nn.Module):
    """A model whose loss is a student's: what test_learn.py's optimizers call."""

    def __init__(self, model, teacher, ours, theirs):
        super().__init__()
        self.model, self.teach = model, lambda batch: teach(teacher, ours, theirs, batch, len(ours))
        self.teacher_losses = []

    def named_parameters(self, *rest, **options):
        return self.model.named_parameters(*rest, **options)

    def forward(self, labels, next_sentence_label, **batch):
        out = self.model(**batch)
        soft, known = self.teach({**batch, "labels": labels})
        logits, true = out.prediction_logits[labels >= 0], labels[labels >= 0]
        cross_entropy = torch.nn.CrossEntropyLoss(reduction="none")
        hard = cross_entropy(logits, true)
        both = torch.where(known, (1 - SHARE) * hard + SHARE * cross_entropy(logits, soft), hard)
        self.teacher_losses.append(float(torch.where(known, cross_entropy(logits, soft), hard).detach().mean()))
        out.loss = both.mean() + torch.nn.functional.cross_entropy(out.seq_relationship_logits, next_sentence_label)
        return out


def check(count, work, kind, teacher_kind, micro_batch):
    directory, teaching = formula_model(kind, work), shuffled(formula_model(teacher_kind, work), work)
    ours, theirs = pieces_of(directory), pieces_of(teaching)
    out, path = os.path.join(work, f"{kind}-taught"), os.path.join(work, "inputs.safetensors")
    model, teacher = (capture.load_model(d, torch.float64) for d in (directory, teaching))
    model.requires_grad_(True)
    inputs = steps.sequences(model.config.vocab_size, model.config.type_vocab_size, LENGTHS, 12, 7)
    save_file({n: t.contiguous() for n, t in inputs.items()}, path)
    code, said = run(BERT64, "train", "-q", "-m", directory, "--inputs", path, "-o", out, "--dropout", "0", "--teacher",
                     teaching, "--steps", str(steps.STEPS), "--batch", str(steps.BATCH), "--micro-batch",
                     str(micro_batch), "--warmup", str(steps.WARMUP), "--learning-rate", str(steps.RATE),
                     "--weight-decay", str(steps.DECAY), "--clip", str(steps.CLIP))
    if not count.check(code == 0, said):
        return
    student = Student(model, teacher, ours, theirs)
    parameters, series = steps.learn_torch(student, inputs)
    ours_after = load_file(os.path.join(out, "model.safetensors"))
    want = {n.replace("predictions.decoder.bias", "predictions.bias"): p.detach() for n, p in parameters.items()}
    count.check(set(want) == set(ours_after), f"{kind}: only one side has {sorted(set(want) ^ set(ours_after))[:3]}")
    real = [n for n in want if not n.endswith("key.bias")]          # their gradients are rounding alone
    worst, name = max((float((ours_after[n] - want[n]).abs().max() / want[n].abs().max()), n) for n in real)
    count.check(worst <= steps.STEPS_LIMIT, f"{kind}: {name}: {worst:.2g} of the largest number")
    with open(os.path.join(out, "training", "log.jsonl")) as f:
        log = [json.loads(line) for line in f]
    for key, values in (("loss", series["loss"]), ("teacher_loss", student.teacher_losses)):
        off = max(abs(line[key] / value - 1) for line, value in zip(log, values))
        count.check(len(log) == len(values) and off < 1e-8, f"{kind}: {key} differs by {off:.2g}")     # nine digits
    known = sum(piece in set(theirs) for piece in ours)
    count.check(1 < known < max(len(ours), len(theirs)), "each has pieces that the other has not")
    print(f"ten steps            {kind} taught by {teacher_kind}, {known} of {len(ours)} pieces: {worst:.1e} at {name}",
          flush=True)


def main():
    count = Count()
    with tempfile.TemporaryDirectory() as work:
        check(count, work, "tiny", "odd", 3)
        check(count, work, "odd", "tiny", 2)
    return count.end()


if __name__ == "__main__":
    sys.exit(main())
