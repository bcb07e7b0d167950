#!/usr/bin/env python3
"""test_learn_mistakes.py - mistakes of training, made in PyTorch's code, and named by `bert verify`.

    python3 tests/conformance/test_learn_mistakes.py            needs ./bert

The model is transformers' BertForPreTraining in float64 with the weights of the formula model tiny, its gradients are
autograd's. Each mistake is made as a program would make it: another loss, a detached tensor, a clipped or scaled
gradient. The file has the ids, the labels, the losses and `grad.NAME`. verify must end with 1 and name the mistake by
its sentence, after which nothing differs any more; without a mistake it must end with 0.
"""
import os
import sys
import tempfile

from common import BERT, Count, capture, formula_model, run, torch
from safetensors.torch import save_file
from test_learn import Kept, sequences
from transformers.models.bert import modeling_bert

F = torch.nn.functional


# ----------------------------------------------------------------------------------------------------------------------
# One step
# ----------------------------------------------------------------------------------------------------------------------
def cross_entropies(out, inputs, mlm_labels=None, next_labels=None, reduction="mean", ignore_next=-100):
    labels = inputs["labels"] if mlm_labels is None else mlm_labels
    following = inputs["next_sentence_label"] if next_labels is None else next_labels
    return (F.cross_entropy(out.prediction_logits.flatten(0, 1), labels.flatten(), reduction=reduction),
            F.cross_entropy(out.seq_relationship_logits, following, ignore_index=ignore_next))


def means(out, inputs):
    mlm, nsp = cross_entropies(out, inputs)
    return mlm + nsp, mlm, nsp


def zeros_for(p):
    return torch.zeros_like(p) if p.grad is None else p.grad


def learn(model, inputs, loss=means, seen=None, factor=1, behind=None, values=False):
    """The file's tensors. `seen` replaces inputs of the forward pass, `behind` changes the gradients afterwards."""
    model.zero_grad(set_to_none=True)
    given = {n: inputs[n] for n in ("input_ids", "token_type_ids", "attention_mask")} | (seen or {})
    with torch.enable_grad(), Kept(model) as kept:
        total, mlm, nsp = loss(model(**given), inputs)
        (total * factor).backward()
    if behind:
        behind(model)
    found = {"loss": total, "loss.mlm": mlm, "loss.nsp": nsp}
    for name, t in kept.found.items():
        if values:
            found[name] = t.flatten(2) if name.endswith("self.context") else t
        if t.grad is not None:
            found["grad." + name] = t.grad.flatten(2) if name.endswith("self.context") else t.grad
    for name, p in model.named_parameters():
        found["grad." + name] = zeros_for(p)
    return {n: t.detach().clone().contiguous() for n, t in found.items()}


# ----------------------------------------------------------------------------------------------------------------------
# Mistakes of the loss
# ----------------------------------------------------------------------------------------------------------------------
def summed(divisor):
    """The MLM loss as a sum over something."""
    def loss(out, inputs):
        mlm = cross_entropies(out, inputs, reduction="sum")[0] / divisor(inputs)
        nsp = cross_entropies(out, inputs)[1]
        return mlm + nsp, mlm, nsp
    return loss


def relabelled(labels):
    def loss(out, inputs):
        mlm, nsp = cross_entropies(out, inputs, mlm_labels=labels(inputs))
        return mlm + nsp, mlm, nsp
    return loss


def with_specials(inputs):
    ids, labels, mask = inputs["input_ids"], inputs["labels"].clone(), inputs["attention_mask"]
    special = ((ids == CLS) | (ids == SEP)) & (mask == 1) & (labels < 0)
    labels[special] = ids[special]
    return labels


def with_padding(inputs):
    return inputs["labels"].masked_fill(inputs["attention_mask"] == 0, 0)       # [PAD] is 0, and so is the label


def zero_is_none(out, inputs):
    mlm, nsp = cross_entropies(out, inputs, ignore_next=0)
    return mlm + nsp, mlm, nsp


def swapped(out, inputs):
    mlm, nsp = cross_entropies(out, inputs, next_labels=1 - inputs["next_sentence_label"])
    return mlm + nsp, mlm, nsp


def half_nsp(out, inputs):
    mlm, nsp = cross_entropies(out, inputs)
    return mlm + 0.5 * nsp, mlm, nsp


def accumulated(out, inputs):
    """One sequence after another, each with its own mean, and the mean of those."""
    parts = []
    for b in range(len(inputs["labels"])):
        parts.append((F.cross_entropy(out.prediction_logits[b], inputs["labels"][b]),
                      F.cross_entropy(out.seq_relationship_logits[b:b + 1], inputs["next_sentence_label"][b:b + 1])))
    mlm, nsp = (sum(x) / len(parts) for x in zip(*parts))
    return mlm + nsp, mlm, nsp


def decayed(model):
    def loss(out, inputs):
        total, mlm, nsp = means(out, inputs)
        return total, mlm, nsp
    def behind(_):
        for p in model.parameters():
            p.grad = zeros_for(p) + 0.01 * p.detach()
    return dict(loss=loss, behind=behind)


# ----------------------------------------------------------------------------------------------------------------------
# Mistakes of the pass: each changes the model
# ----------------------------------------------------------------------------------------------------------------------
class TanhBackwards(torch.autograd.Function):
    """GELU with erf, and the derivative of the one with tanh."""

    @staticmethod
    def forward(context, x):
        context.save_for_backward(x)
        return F.gelu(x)

    @staticmethod
    def backward(context, dy):
        x, = context.saved_tensors
        with torch.enable_grad():
            x = x.detach().requires_grad_(True)
            slope, = torch.autograd.grad(F.gelu(x, approximate="tanh").sum(), x)
        return dy * slope


def other_derivative(model):
    for layer in model.bert.encoder.layer:
        layer.intermediate.intermediate_act_fn.forward = TanhBackwards.apply
    model.cls.predictions.transform.transform_act_fn.forward = TanhBackwards.apply


def constant_norms(mean, variance):
    def spoil(model):
        for module in model.modules():
            if not isinstance(module, torch.nn.LayerNorm):
                continue
            def forward(x, own=module):
                m = x.mean(-1, keepdim=True)
                v = ((x - m) ** 2).mean(-1, keepdim=True)
                m, v = m.detach() if mean else m, v.detach() if variance else v
                return (x - m) / torch.sqrt(v + own.eps) * own.weight + own.bias
            module.forward = forward
    return spoil


def detached_residual(model):
    for layer in model.bert.encoder.layer:
        own = layer.attention.output
        own.forward = lambda x, residual, own=own: own.LayerNorm(own.dense(x) + residual.detach())


def no_decoder_part(model):
    decoder = model.cls.predictions.decoder
    decoder.forward = lambda x: F.linear(x, decoder.weight.detach(), decoder.bias)


def no_lookups(model):
    table = model.bert.embeddings.word_embeddings
    table.forward = lambda ids: F.embedding(ids, table.weight.detach()).requires_grad_(True)


# ----------------------------------------------------------------------------------------------------------------------
# Mistakes behind the pass
# ----------------------------------------------------------------------------------------------------------------------
def clipped(model):
    torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)


def clipped_each(model):
    for p in model.parameters():
        torch.nn.utils.clip_grad_norm_([p], 1.0, error_if_nonfinite=True)


def forgotten(*names):
    def behind(model):
        for name, p in model.named_parameters():
            if name.endswith(names):
                p.grad = torch.zeros_like(p)
    return behind


def first_row(model):
    model.bert.embeddings.word_embeddings.weight.grad[0] = 0


def doubled(model):
    for p in model.parameters():
        p.grad = zeros_for(p) * 2


# ----------------------------------------------------------------------------------------------------------------------
CLS, SEP = 2, 3
MISTAKES = [     # what verify says, what learn() is told, what is done to the model before
    ("the MLM loss is divided by all tokens instead", dict(loss=summed(lambda i: i["attention_mask"].sum())), None),
    ("divided by all tokens, padding among them", dict(loss=summed(lambda i: i["labels"].numel())), None),
    ("divided by the number of sequences", dict(loss=summed(lambda i: len(i["labels"]))), None),
    ("the MLM loss is a sum instead of a mean", dict(loss=summed(lambda i: 1)), None),
    ("micro-batches of one sequence", dict(loss=accumulated), None),
    ('next_sentence_label 0 is taken for "none"', dict(loss=zero_is_none), None),
    ("next_sentence_label is swapped", dict(loss=swapped), None),
    ("[CLS] and [SEP] are among the targets", dict(loss=relabelled(with_specials)), None),
    ("padding is among the targets", dict(loss=relabelled(with_padding)), None),
    ("the NSP loss has the weight 0.5", dict(loss=half_nsp), None),
    ("padding is attended to", dict(seen="no mask"), None),
    ("GELU's derivative is that of the other formula", {}, other_derivative),
    ("takes the mean for a constant", {}, constant_norms(True, False)),
    ("takes the variance for a constant", {}, constant_norms(False, True)),
    ("takes mean and variance for constants", {}, constant_norms(True, True)),
    ("1 / sqrt(D) is missing in the backward pass", dict(), "scores"),
    ("the attention's residual gives no gradient back", {}, detached_residual),
    ("only the lookups' is there", {}, no_decoder_part),
    ("only the decoder's is there", {}, no_lookups),
    ("row 0, padding_idx, gets no gradient", dict(behind=first_row), None),
    ("cls.predictions.bias is not learned", dict(behind=forgotten("predictions.bias", "decoder.bias")), None),
    ("token type embeddings are not learned", dict(behind=forgotten("token_type_embeddings.weight")), None),
    ("clipped already, all together to the length 0.5", dict(behind=clipped), None),
    ("every tensor's gradient is clipped by itself", dict(behind=clipped_each), None),
    ("twice what they should be", dict(behind=doubled), None),
    ("multiplied by one power of two", dict(factor=65536), None),
    ("0.01 times the weights is in the gradients", "decay", None),
    ("dropout is on", {}, "dropout"),
]


class Scores(Kept):
    """transformers' attention, whose scores are divided by sqrt(D) forwards and not backwards."""

    def attention(self, module, query, key, value, attention_mask, scaling=None, **rest):
        raw = torch.matmul(query, key.transpose(2, 3))
        scores = raw - (raw * (1 - scaling)).detach()
        scores = self.keep(module.trace_name + "scores", scores + attention_mask)
        probs = self.keep(module.trace_name + "probs", F.softmax(scores, dim=-1))
        context = torch.matmul(probs, value).transpose(1, 2).contiguous()
        return self.keep(module.trace_name + "context", context), probs


def inputs_of(model):
    inputs = sequences(model.config.vocab_size, 2, (12, 7, 12, 4, 9), 12, 11)
    for b, n in enumerate(inputs["attention_mask"].sum(1)):
        inputs["input_ids"][b, 0], inputs["input_ids"][b, n - 1] = CLS, SEP
        inputs["labels"][b, 0] = inputs["labels"][b, n - 1] = -100
        inputs["labels"][b, 1] = 40 + b
    return inputs


def judge(directory, path, inputs, found):
    save_file({n: t.contiguous() for n, t in inputs.items()} | found, path)
    code, said = run(BERT, "verify", "-q", "-m", directory, path)
    return code, " ".join(said.split())


def main():
    global Kept
    count, kept = Count(), Kept
    with tempfile.TemporaryDirectory() as work:
        directory, path = formula_model("tiny", work), os.path.join(work, "gradients.safetensors")
        def fresh():
            torch.manual_seed(0)
            model = capture.load_model(directory, torch.float64)
            return model.requires_grad_(True)
        inputs = inputs_of(fresh())
        for values in (False, True):
            code, said = judge(directory, path, inputs, learn(fresh(), inputs, values=values))
            count.check(code == 0 and said.endswith("no difference"), f"without a mistake: {code}: {said}")
        for sentence, how, spoil in MISTAKES:
            model = fresh()
            how = decayed(model) if how == "decay" else dict(how)
            if how.get("seen") == "no mask":
                how["seen"] = {"attention_mask": torch.ones_like(inputs["attention_mask"])}
            if callable(spoil):
                spoil(model)
            if spoil == "dropout":
                model.train()
                for module in model.modules():
                    if isinstance(module, torch.nn.Dropout):
                        module.p = 0.1
            Kept = Scores if spoil == "scores" else kept
            code, said = judge(directory, path, inputs, learn(model, inputs, **how))
            named = said.split("best explanation: ")[-1]
            rest = "" if spoil == "dropout" else "nothing differs any more"
            good = code == 1 and "best explanation: " in said and sentence in named and rest in named
            count.check(good, f"{sentence}: {code}: {said}")
            print(("named: " if good else "not named: ") + sentence, flush=True)
    return count.end()


if __name__ == "__main__":
    sys.exit(main())
