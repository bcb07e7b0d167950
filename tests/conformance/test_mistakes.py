#!/usr/bin/env python3
"""test_mistakes.py - plants known mistakes in transformers' own BERT, and asks `bert verify` what is wrong.

    python3 tests/conformance/test_mistakes.py [MODEL [MISTAKE]]     MODEL: tiny, odd or real; needs ./bert

Each mistake is a few lines that replace a module's method, its weights or the attention function of a copy of
BertForPreTraining. Forward hooks capture the trace, safetensors writes it, and `bert verify FILE -m MODEL` must

  exit with 1,   say `first difference: NAME` with the tensor where the mistake was planted,   and name the mistake:
  as the best explanation, or among those that it says cannot be told apart from it (which is printed).

The untouched model must exit with 0 and say `no difference`. Every mistake is planted in the two formula models, and in
bert-base-uncased where it shows in float32 (`real`). PyTorch computes in float32, as users do.
"""
import copy
import functools
import math
import os
import re
import sys
import tempfile
import time

from common import (BERT, PAIR, REAL, Count, capture, formula, formula_cases, formula_model, last_line, padded,
                    real_weights, run, save_trace, torch)
from transformers.activations import ACT2FN

def lowest(x):
    """The lowest number of its type: what a masked score is."""
    return torch.finfo(x.dtype).min


# ----------------------------------------------------------------------------------------------------------------------
# The attention function, in steps that a mistake can replace
# ----------------------------------------------------------------------------------------------------------------------
class Attention:
    """eager_attention_forward of transformers, step by step. q, k, v (B, A, T, D); mask is 0 where a key may be seen and
    the lowest number elsewhere, or None."""
    infinite = False                                                # scores may be minus infinity

    def split(self, x):
        return x

    def scores(self, q, k, scaling, mask):
        s = q @ k.transpose(2, 3) * scaling
        return s if mask is None else s + mask

    def softmax(self, s):
        return torch.softmax(s, dim=-1)

    def drop(self, p):
        """What is added up, where it is not what was recorded."""
        return p

    def merge(self, c):
        """(B, A, T, D) -> (B, T, A, D), which the caller reads as (B, T, H)"""
        return c.transpose(1, 2).contiguous()


class Recorder(capture.Recorder):
    """capture.py's hooks; scores, probs and context come from the Attention above instead of transformers' function."""

    def traced_attention(self, module, query, key, value, attention_mask, scaling=None, **rest):
        how = getattr(self.model, "how", None) or Attention()
        q, k, v = how.split(query), how.split(key), how.split(value)
        scores = how.scores(q, k, scaling, attention_mask)
        probs = how.softmax(scores)
        context = how.merge(how.drop(probs) @ v)
        name = module.trace_name
        self.found[name + "scores"] = (scores[0] if how.infinite else scores[0].clamp(min=lowest(scores))).clone()
        self.found[name + "probs"] = probs[0].clone()
        self.found[name + "context"] = context[0].reshape(context.shape[1], -1).clone()
        return context, probs


def trace_of(model, ids, types, mask):
    """Name -> tensor, in the order of the data. What a mistake leaves out is missing, as it would be for its owner."""
    batch = lambda row: torch.tensor([row])
    with Recorder(model) as recorder:
        model(input_ids=batch(ids), token_type_ids=batch(types), attention_mask=batch(mask))
    names = capture.trace_names(model.config.num_hidden_layers, **model.heads)
    return {name: recorder.found[name] for name in names if name in recorder.found}


# ----------------------------------------------------------------------------------------------------------------------
# The mistakes. Each takes a copy of the model and spoils it.
# ----------------------------------------------------------------------------------------------------------------------
def layers(m):
    return m.bert.encoder.layer


def norms(m):
    return [x for x in m.modules() if isinstance(x, torch.nn.LayerNorm)]


def other_gelu(m):
    """tanh for erf, or erf for tanh"""
    wrong = ACT2FN["gelu_new" if m.config.hidden_act == "gelu" else "gelu"]
    for layer in layers(m):
        layer.intermediate.intermediate_act_fn = wrong
    m.cls.predictions.transform.transform_act_fn = wrong


def eps_1e5(m):
    for n in norms(m):
        n.eps = 1e-5


def layer_norm(m, divide):
    """Replaces the division of every LayerNorm: divide(x - mean, eps)."""
    for n in norms(m):
        n.forward = lambda x, n=n: divide(x - x.mean(-1, keepdim=True), n.eps) * n.weight + n.bias


def eps_outside_the_root(m):
    layer_norm(m, lambda d, eps: d / ((d * d).mean(-1, keepdim=True).sqrt() + eps))


def unbiased_variance(m):
    layer_norm(m, lambda d, eps: d / ((d * d).sum(-1, keepdim=True) / (d.shape[-1] - 1) + eps).sqrt())


def scaled_by(factor):
    def plant(m):
        for layer in layers(m):
            layer.attention.self.scaling = factor(m.config.hidden_size, m.config.num_attention_heads)
    return plant


def attention(**steps):
    """Replaces steps of the attention function: attention(softmax=lambda s: ...)."""
    def plant(m):
        m.how = Attention()
        for name, step in steps.items():
            setattr(m.how, name, step)
    return plant


def mask_ignored(q, k, scaling, mask):
    return q @ k.transpose(2, 3) * scaling


def mask_multiplied(q, k, scaling, mask):
    return q @ k.transpose(2, 3) * scaling * (mask == 0)


def mask_on_queries(q, k, scaling, mask):
    return q @ k.transpose(2, 3) * scaling + mask[:, :, :1].transpose(2, 3)


def interleaved(x):
    """(B, A, T, D) -> the same numbers read as (T, D, A) instead of (T, A, D): head a takes features a, a + A, ..."""
    B, A, T, D = x.shape
    return x.transpose(1, 2).reshape(B, T, D, A).permute(0, 3, 1, 2)


def embeddings(change):
    """Changes what the embeddings are asked for: change(token types, positions) -> the two, wrong."""
    def plant(m):
        e = m.bert.embeddings
        right = e.forward

        def forward(input_ids=None, token_type_ids=None, **rest):
            types, positions = change(token_type_ids, torch.arange(input_ids.shape[1])[None])
            return right(input_ids=input_ids, token_type_ids=types, position_ids=positions)
        e.forward = forward
    return plant


def sinusoidal_positions(m):
    """The table of the Transformer paper instead of the learned one"""
    table = m.bert.embeddings.position_embeddings.weight
    position = torch.arange(table.shape[0])[:, None].float()
    angle = position * torch.exp(torch.arange(0, table.shape[1], 2) * (-math.log(10000.0) / table.shape[1]))
    table[:, 0::2], table[:, 1::2] = torch.sin(angle), torch.cos(angle)[:, :table.shape[1] // 2]


def no_embedding_norm(m):
    m.bert.embeddings.LayerNorm.forward = lambda x: x


def query_and_key_swapped(m):
    for layer in layers(m):
        s = layer.attention.self
        s.query.weight, s.key.weight = s.key.weight, s.query.weight
        s.query.bias, s.key.bias = s.key.bias, s.query.bias


def kernels_not_transposed(m):
    """A TensorFlow kernel is (in, out), PyTorch's weight is (out, in); where the matrix is square, nothing complains."""
    for layer in layers(m):
        for d in (layer.attention.self.query, layer.attention.self.key, layer.attention.self.value,
                  layer.attention.output.dense):
            d.weight.data = d.weight.data.T.contiguous()
    for d in (m.bert.pooler.dense, m.cls.predictions.transform.dense):
        d.weight.data = d.weight.data.T.contiguous()


def bias_missing(name):
    def plant(m):
        m.get_submodule(name).bias.data.zero_()
    return plant


def block(forward):
    """Replaces the forward of every block: forward(layer, x, attend), attend(x) being the self-attention's context."""
    def plant(m):
        for layer in layers(m):
            def wrong(hidden_states, attention_mask=None, *args, layer=layer, **rest):
                attend = lambda x: layer.attention.self(x, attention_mask=attention_mask)[0]
                return forward(layer, hidden_states, attend)
            layer.forward = wrong
    return plant


def pre_ln(layer, x, attend):
    """x + attention(LN(x)), then y + feed-forward(LN(y)), as in GPT-2"""
    y = x + layer.attention.output.dense(attend(layer.attention.output.LayerNorm(x)))
    return y + layer.output.dense(layer.intermediate(layer.output.LayerNorm(y)))


def residual_of_the_block(layer, x, attend):
    """The second residual takes the block's input instead of the attention's output"""
    return layer.output(layer.intermediate(layer.attention.output(attend(x), x)), x)


def residual_after_norm(m):
    """x + LN(attention), the sum being what goes on (and what is recorded): forward of BertSelfOutput and BertOutput"""
    for layer in layers(m):
        for part in (layer.attention.output, layer.output):
            def forward(hidden_states, input_tensor, part=part):
                part.LayerNorm.residual = input_tensor
                return part.LayerNorm(part.dense(hidden_states))
            norm = part.LayerNorm
            norm.forward = lambda x, n=norm: torch.nn.functional.layer_norm(x, n.normalized_shape, n.weight, n.bias, n.eps) + n.residual
            part.forward = forward


def no_attention_residual(layer, x, attend):
    y = layer.attention.output.LayerNorm(layer.attention.output.dense(attend(x)))
    return layer.output(layer.intermediate(y), y)


def gamma_and_beta_not_loaded(m):
    for n in norms(m):
        n.weight.data.fill_(1), n.bias.data.zero_()


def layers_off_by_one(m):
    """Block l runs with the weights of block l+1; the last keeps its own."""
    for l in range(len(layers(m)) - 1):
        layers(m)[l].load_state_dict(layers(m)[l + 1].state_dict())


def relu(m):
    for layer in layers(m):
        layer.intermediate.intermediate_act_fn = torch.nn.ReLU()


def merged_without_transposition(c):
    """(B, A, T, D) read as (B, T, A, D)"""
    B, A, T, D = c.shape
    return c.reshape(B, T, A, D)


def mask_inverted(q, k, scaling, mask):
    scores = q @ k.transpose(2, 3) * scaling
    return scores.masked_fill(mask == 0, lowest(scores))


def hidden(sees, number):
    """Another mask beside BERT's: the number is added where query i does not see key j."""
    def scores(q, k, scaling, mask):
        i, j = torch.arange(q.shape[2])[:, None], torch.arange(q.shape[2])[None]
        return q @ k.transpose(2, 3) * scaling + (0 if mask is None else mask) + torch.where(sees(i, j), 0.0, number)
    return scores


def by_infinity(sees):
    """The same, and the scores are recorded as they are: minus infinity."""
    def plant(m):
        attention(scores=hidden(sees, -math.inf))(m)
        m.how.infinite = True
    return plant


def times_infinity(q, k, scaling, mask):
    """(1 - mask) times the lowest number of float32, which is minus infinity in half precision: 0 times that is NaN"""
    return q @ k.transpose(2, 3) * scaling + (mask != 0) * -math.inf


def mask_times_infinity(m):
    attention(scores=times_infinity)(m)
    m.how.infinite = True


def texts_apart(m):
    """A and B do not see each other: the segments are taken when they are looked up."""
    right = m.bert.embeddings.token_type_embeddings.forward
    m.how = Attention()

    def forward(types):
        m.how.types = types
        return right(types)
    m.bert.embeddings.token_type_embeddings.forward = forward
    m.how.scores = lambda *a: hidden(lambda i, j: m.how.types[0][i] == m.how.types[0][j], lowest(a[0]))(*a)


def weak_mask(number):
    return attention(scores=lambda q, k, scaling, mask: q @ k.transpose(2, 3) * scaling + number * (mask != 0))


def dropped(p):
    """A tenth of the probabilities is 0 and the others grow, as in training; the same tenth whenever it is planted."""
    keep = torch.rand(p.shape, generator=torch.Generator().manual_seed(1)) >= 0.1
    return p * keep / 0.9


def silu(m):
    for layer in layers(m):
        layer.intermediate.intermediate_act_fn = torch.nn.SiLU()


def second_from_0(types, positions):
    """The second sentence counts from 0 again."""
    first = int(types[0].argmax())
    return types, torch.where(types == 1, positions - first, positions)


def positions_of_real_tokens(m):
    """Positions count from the first token whose mask is 1, as in other models: wrong with padding on the left"""
    e, right = m.bert.embeddings, m.bert.embeddings.forward
    e.forward = lambda input_ids=None, token_type_ids=None, **rest: right(
        input_ids=input_ids, token_type_ids=token_type_ids,
        position_ids=((input_ids != 0).long().cumsum(-1) - 1).clamp(min=0))


def pooler_of_the_last_token(m):
    p = m.bert.pooler
    p.forward = lambda x: p.activation(p.dense(x[:, -1]))


def transform_without_norm(m):
    t = m.cls.predictions.transform
    t.forward = lambda x: t.transform_act_fn(t.dense(x))


def pooler_without_tanh(m):
    m.bert.pooler.activation = torch.nn.Identity()


def pooler_on_the_mean(m):
    p = m.bert.pooler
    p.forward = lambda x: p.activation(p.dense(x.mean(1)))


def decoder_without_transform(m):
    m.cls.predictions.forward = lambda x: m.cls.predictions.decoder(x)


def decoder_not_tied(m):
    """A matrix of its own, as if newly initialized"""
    w = m.cls.predictions.decoder.weight
    m.cls.predictions.decoder.weight = torch.nn.Parameter(
        torch.randn(w.shape, generator=torch.Generator().manual_seed(1)) * w.std(), requires_grad=False)


SELF = "encoder.layer.0.attention.self."
ALL, SMALL = ("tiny", "odd", "real"), ("tiny", "odd")

# name, how to plant it, the first tensor that must be named, a pattern for what verify must call it,
# the models in which it shows, where it needs padding to show. Dropout within a fused attention is found from the context
# alone where a head has at least as many features as there are tokens: tiny has 8 for 13.
MISTAKES = [
    ("the other GELU", other_gelu, "encoder.layer.0.intermediate", r"GELU by (its|erf)", ALL, None),
    ("layer_norm_eps 1e-5", eps_1e5, "embeddings.LayerNorm", r"layer_norm_eps is 1e-5", ALL, None),
    ("eps outside the root", eps_outside_the_root, "embeddings.LayerNorm", r"eps outside the square root", SMALL, None),
    ("unbiased variance", unbiased_variance, "embeddings.LayerNorm", r"variance divides by H - 1", ALL, None),
    ("no LayerNorm after the embeddings", no_embedding_norm, "embeddings.LayerNorm", r"no LayerNorm after the embeddings", ALL, None),
    ("segments ignored", embeddings(lambda t, p: (0 * t, p)), "embeddings.token_type_embeddings", r"token_type_ids are ignored", ALL, None),
    ("positions + 1", embeddings(lambda t, p: (t, p + 1)), "embeddings.position_embeddings", r"positions count from 1", ALL, None),
    ("sinusoidal positions", sinusoidal_positions, "embeddings.position_embeddings", r"positions are sinusoids", ALL, None),
    ("query and key swapped", query_and_key_swapped, SELF + "query", r"query and key are swapped", ALL, None),
    ("kernels not transposed", kernels_not_transposed, SELF + "query", r"query has its kernel transposed", ALL, None),
    ("no 1/sqrt(D)", scaled_by(lambda H, A: 1.0), SELF + "scores", r"not divided by sqrt\(D\)", ALL, None),
    ("scaled by sqrt(H)", scaled_by(lambda H, A: H ** -0.5), SELF + "scores", r"divided by sqrt\(H\)", ALL, None),
    ("heads interleaved", attention(split=interleaved), SELF + "scores", r"heads are interleaved", ALL, None),
    ("mask ignored", attention(scores=mask_ignored), SELF + "probs", r"mask is ignored", ALL, "right"),
    ("mask multiplied", attention(scores=mask_multiplied), SELF + "probs", r"mask is multiplied", ALL, "right"),
    ("mask on queries", attention(scores=mask_on_queries), SELF + "probs", r"mask is on the queries", ALL, "right"),
    ("softmax over queries", attention(softmax=lambda s: torch.softmax(s, dim=-2)), SELF + "probs", r"softmax runs over the queries", ALL, None),
    ("one bias missing", bias_missing("bert.encoder.layer.{i}.output.dense"), "encoder.layer.{i}.output.dense", r"{first} lacks its bias", ALL, None),
    ("pre-LN", block(pre_ln), SELF + "query", r"\(pre-LN\)", ALL, None),
    ("residual from the block's input", block(residual_of_the_block), "encoder.layer.0.output.LayerNorm", r"second residual is the block's input", ALL, None),
    ("pooler without tanh", pooler_without_tanh, "pooler", r"pooler has no tanh", ALL, None),
    ("pooler on the mean", pooler_on_the_mean, "pooler.dense", r"pooler takes the mean", ALL, None),
    ("decoder without transform", decoder_without_transform, "cls.predictions.decoder", r"decoder has no transform", ALL, None),
    ("decoder without bias", bias_missing("cls.predictions.decoder"), "cls.predictions.decoder", r"decoder lacks its bias", ALL, None),
    ("residual added after LayerNorm", residual_after_norm, "encoder.layer.0.attention.output.LayerNorm", r"residual is added after LayerNorm", ALL, None),
    ("no residual after the attention", block(no_attention_residual), "encoder.layer.0.attention.output.LayerNorm", r"attention's residual is not added", ALL, None),
    ("gamma and beta not loaded", gamma_and_beta_not_loaded, "embeddings.LayerNorm", r"gamma, beta\) were not loaded", ALL, None),
    ("blocks off by one", layers_off_by_one, SELF + "query", r"weights are those of the layer after", ALL, None),
    ("ReLU", relu, "encoder.layer.0.intermediate", r"ReLU instead of GELU", ALL, None),
    ("scaled by D", scaled_by(lambda H, A: A / H), SELF + "scores", r"divided by D, not", ALL, None),
    ("heads merged without transposition", attention(merge=merged_without_transposition), SELF + "context", r"put together without a transposition", ALL, None),
    ("mask inverted", attention(scores=mask_inverted), SELF + "scores", r"mask is inverted", ALL, "right"),
    ("causal mask", attention(scores=hidden(lambda i, j: j <= i, -1e4)), SELF + "scores", r"causal mask, as in GPT", ALL, "right"),
    ("causal mask of infinities", by_infinity(lambda i, j: j <= i), SELF + "scores", r"causal mask, as in GPT", ALL, None),
    ("causal mask, reversed", by_infinity(lambda i, j: j >= i), SELF + "scores", r"causal mask the wrong way round", ALL, None),
    ("a mask of 0 times infinity", mask_times_infinity, SELF + "scores", r"scores is NaN throughout. Is the mask", ALL, "right"),
    ("texts apart", texts_apart, SELF + "scores", r"A and B are kept apart", ALL, "right"),
    ("no token sees itself", by_infinity(lambda i, j: i != j), SELF + "scores", r"no token sees itself", ALL, None),
    ("a mask of -6", weak_mask(-6), SELF + "probs", r"mask is too weak: to masked scores only this is added: -6 ", ALL, "right"),
    ("a mask of -1", weak_mask(-1), SELF + "probs", r"mask is too weak: to masked scores only this is added: -1 ", ALL, "right"),
    ("a mask of -3.3", weak_mask(-3.3), SELF + "probs", r"mask is too weak: to masked scores only this is added: -3.3", ALL, "right"),
    ("dropout of the attention, recorded", attention(softmax=lambda s: dropped(torch.softmax(s, dim=-1))), SELF + "probs",
     r"dropout is on in the attention, 10 %", ALL, "right"),
    ("dropout of the attention, fused", attention(drop=dropped), SELF + "context", r"dropout is on in the attention, 10 %",
     ("odd", "real"), "right"),
    ("SiLU", silu, "encoder.layer.0.intermediate", r"SiLU", ALL, None),
    ("positions from 0 in the second sentence", embeddings(second_from_0), "embeddings.position_embeddings", r"positions start again at 0", ALL, "right"),
    ("positions of real tokens", positions_of_real_tokens, "embeddings.position_embeddings", r"positions count real tokens only", ALL, "left"),
    ("pooler of the last token", pooler_of_the_last_token, "pooler.dense", r"pooler takes the last token", ALL, None),
    ("transform without LayerNorm", transform_without_norm, "cls.predictions.decoder", r"transform has no LayerNorm", ALL, None),
    ("decoder not tied", decoder_not_tied, "cls.predictions.decoder", r"not tied to the word embeddings", ALL, None),
]


# ----------------------------------------------------------------------------------------------------------------------
# One mistake
# ----------------------------------------------------------------------------------------------------------------------
def first_by_hand(clean, spoiled, mask):
    """What verify must find, worked out here from PyTorch's own two traces: the first tensor above -80 dB, over the rows
    and keys of real tokens. So that a mistake that does not show is this test's fault, not verify's."""
    seen = torch.tensor(mask) == 1
    for name in (n for n in clean if n in spoiled):
        a, b = clean[name], spoiled[name]
        if a.dim() == 2:
            a, b = a[seen], b[seen]
        if a.dim() == 3:
            a, b = a[:, seen][:, :, seen], b[:, seen][:, :, seen]
        if not (a - b).double().square().sum() <= 1e-8 * a.double().square().sum():
            return name
    return None


def inputs_of(kind, padding=None):
    """A pair of segments, padded on one side or not: so that masks, segments and positions have something to say."""
    before, after = (3 if padding == "left" else 0), (4 if padding == "right" else 0)
    if kind == "real":
        return padded(*PAIR, before, after)
    ids, types, mask = formula_cases(kind)["pair"]
    return padded(ids, types, before, after)


@functools.lru_cache(maxsize=3)
def clean_trace(model, kind, padding):
    return trace_of(model, *inputs_of(kind, padding))


def explanations(said):
    """What verify names: (the best explanation, those that it cannot tell apart from it)."""
    lines = said.replace("\n    ", " ").splitlines()                # long lines are wrapped
    best = [line for line in lines if line.startswith("best explanation") or "is NaN throughout" in line or line.endswith("not tied to the word embeddings")]
    return " ".join(best), " ".join(line for line in lines if "cannot be told apart from" in line)


def plant_and_ask(count, model, kind, directory, mistake, work):
    what, plant, first, pattern, _, padding = mistake
    inputs = inputs_of(kind, padding)
    clean = clean_trace(model, kind, padding)
    i = 3 if kind == "real" else 1
    first = first.format(i=i)
    spoiled = copy.deepcopy(model)
    if what == "one bias missing":
        plant = bias_missing(f"bert.{first}")
    plant(spoiled)
    other = trace_of(spoiled, *inputs)
    by_hand = first_by_hand(clean, other, inputs[2])
    count.check(by_hand == first, f"{kind}, {what}: shows first in {by_hand}, planted in {first}")
    path = os.path.join(work, "other.safetensors")
    save_trace(path, other, *inputs)
    start = time.time()
    code, said = run(BERT, "verify", path, "-m", directory)
    best, tied = explanations(said)
    count.check(code == 1, f"{kind}, {what}: verify exits with {code}\n{said[-500:]}")
    count.check(re.match(r"first difference: " + re.escape(first) + r"(\s|:|$)", last_line(said)),
                f"{kind}, {what}: the first difference is {first}, verify says\n{last_line(said)}")
    pattern = pattern.format(first=re.escape(first))
    count.check(re.search(pattern, best) or re.search(pattern, tied), f"{kind}, {what}: nothing matches /{pattern}/ in\n{said[-900:]}")
    print(f"{kind:<6}{what:<36}{'as one of several  ' if not re.search(pattern, best) else ''}{best}"
          f"{'  (others cannot be told apart)' if tied else ''}  [{time.time() - start:.1f} s]", flush=True)


def ask(model, kind, directory, inputs, work, *options):
    path = os.path.join(work, "other.safetensors")
    save_trace(path, trace_of(model, *inputs), *inputs)
    return run(BERT, "verify", path, "-m", directory, *options)


def untouched(count, model, kind, directory, work):
    for padding in (None, "right", "left"):
        code, said = ask(model, kind, directory, inputs_of(kind, padding), work)
        count.check(code == 0 and last_line(said) == "no difference", f"{kind}, untouched: {code}\n{said[-500:]}")
        print(f"{kind:<6}{'untouched' + (', padded on the ' + padding if padding else ''):<36}{last_line(said)}", flush=True)


def two_at_once(count, model, kind, directory, work):
    """verify sees the first of two mistakes; verify --isolate must see exactly the two, and what is right behind them as right."""
    last = model.config.num_hidden_layers - 1
    spoiled = copy.deepcopy(model)
    spoiled.bert.embeddings.LayerNorm.eps = 1e-5
    bias_missing(f"bert.encoder.layer.{last}.output.dense")(spoiled)
    planted = ["embeddings.LayerNorm", f"encoder.layer.{last}.output.dense"]
    for options, right in (((), False), (("--isolate",), True)):
        code, said = ask(spoiled, kind, directory, inputs_of(kind), work, "-v", *options)
        named = [line.split()[0] for line in said.splitlines() if line.endswith("DIFFERENT")]
        count.check(code == 1 and named[:1] == planted[:1] and (named == planted) == right,
                    f"{kind}, two at once {options}: {code}, {named}")
        print(f"{kind:<6}{' '.join(('two at once',) + options):<36}{len(named)} tensors differ", flush=True)


def main():
    count = Count()
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    only = sys.argv[2] if len(sys.argv) > 2 else ""
    with tempfile.TemporaryDirectory() as work:
        for kind in ALL:
            if wanted not in kind:
                continue
            if kind == "real" and not real_weights():
                count.skip(f"{REAL} is missing (make weights)")
                continue
            directory = REAL if kind == "real" else formula_model(kind, work)
            model = capture.load_model(directory, torch.float32)
            untouched(count, model, kind, directory, work)
            two_at_once(count, model, kind, directory, work)
            mistakes = [m for m in MISTAKES if kind in m[4] and only in m[0]]
            for mistake in mistakes:
                plant_and_ask(count, model, kind, directory, mistake, work)
            print(f"{len(mistakes)} mistakes planted in {kind}")
    return count.end()


if __name__ == "__main__":
    sys.exit(main())
