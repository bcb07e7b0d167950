#!/usr/bin/env python3
"""make_values.py - the recorded constants of tests/test_values.c: what PyTorch computes in float64.

    python3 tests/golden/make_values.py [MODEL]
        default: weights/bert-base-uncased

The documents describe these experiments without printing their numbers. So they are computed here once, from
transformers' model, and printed as C initialisers, to be pasted into the table of the same name in test_values.c.
"""
import itertools
import sys

import torch

from make_real import BANK, Reference, cosine

WORD_PAIRS = (("fine", "I feel fine today", "She has fine blond hair"),
              ("running", "He is running a company", "He is running a marathon"),
              ("bank", "river bank", "bank robber"),
              ("crane", "crane in the sky", "crane to lift heavy objects"),
              ("bank", "bank of a river", "savings bank"),
              ("stick", "This is a wooden stick.", "Stick to your work."),
              ("talk", "I want to talk", "I will attend a talk"),
              ("bank", "bank deposit", "river bank"))

UNRELATED = ("The recipe calls for two cups of flour.", "Our train leaves at seven in the morning.",
             "Gold is heavier than silver.", "She painted the fence green.", "The court rejected the appeal.",
             "Penguins cannot fly.", "My phone needs a new battery.", "The choir sang in Latin.",
             "Prices rose by three percent last year.", "He scored twice in the second half.")

QUERY = "How can I reset my password?"
ANSWERS = ("Click on the link that we send you to choose a new password.",
           "Our shops are open until six in the evening.", "The river floods the meadows every spring.")

CUTE = ("my dog is [MASK].", "my dog is happy.", "my dog is cute.", "my dog is [MASK]")

CENTRES, REACH = range(64, 448), 64                 # positions with 64 neighbours on either side


def row(name, *numbers):
    """One line of a C table: a comment or a string, then the numbers with 13 digits."""
    print(f"    {name}" + ", ".join(f"{float(x):.13g}" for x in numbers) + ",")


def table(name):
    print(f"\n{name}")


# ----------------------------------------------------------------------------------------------------------------------
# Vectors that depend on the context
# ----------------------------------------------------------------------------------------------------------------------
def states(r, text):
    """The thirteen hidden states of a text, (13, T, H), and its ids."""
    ids, types, mask = r.encode(text)
    return torch.stack(r.hidden(r.trace(ids, types, mask))), ids


def word_vector(r, word, text):
    """The sum of the last four hidden states at the one place of the word."""
    h, ids = states(r, text)
    place = ids.index(r.tokenizer.token_to_id(word))
    assert ids.count(ids[place]) == 1
    return h[-4:].sum(0)[place]


def word_pairs(r):
    table("word_pairs")
    for word, a, b in WORD_PAIRS:
        row(f"{word}, {a}, {b}: ", cosine(word_vector(r, word, a), word_vector(r, word, b)))


def mean_pooled(r):
    """The first five numbers of the mean of the bank sentence's tokens, in hidden states 11 and 12."""
    h, _ = states(r, BANK)
    table("mean_pooled")
    for l in (11, 12):
        row(f"{l}: ", *h[l].mean(0)[:5])


def left_padding(r):
    """The largest difference that five pads on the left make to the real tokens, and the cosines of [CLS] and `dog`."""
    ids, _, _ = r.encode("My dog is cute.")
    n = len(ids)
    plain = torch.stack(r.hidden(r.trace(ids)))[-1]
    left = torch.stack(r.hidden(r.trace([0] * 5 + ids, mask=[0] * 5 + [1] * n)))[-1][5:]
    table("left padding: largest difference, cosine of [CLS], cosine of dog")
    row("", (left - plain).abs().max(), cosine(left[0], plain[0]), cosine(left[2], plain[2]))


def anisotropy(r):
    """The mean cosine of all pairs of sentences that have nothing to do with each other, by hidden state."""
    means = torch.stack([states(r, text)[0].mean(1) for text in UNRELATED], dim=1)
    table("anisotropy")
    row("", *(sum(cosine(a, b) for a, b in itertools.combinations(list(m), 2)) / 45 for m in means))


def ranking(r):
    """The query's mean vector (hidden state 11) against each answer's."""
    query, *answers = (states(r, text)[0][11].mean(0) for text in (QUERY, *ANSWERS))
    table("ranking")
    row("", *(cosine(query, a) for a in answers))


def fourth_word(r):
    """What the fourth word is taken to be when it is masked, replaced and kept: p(cute), p(happy)."""
    table("fourth_words")
    for text in CUTE:
        ids, _, _ = r.encode(text)
        p = r.trace(ids)["cls.predictions.decoder"][4].softmax(-1)
        first = r.tokenizer.id_to_token(int(p.argmax()))
        row(f"{text}, {first}: ", *(p[r.tokenizer.token_to_id(w)] for w in ("cute", "happy")))


# ----------------------------------------------------------------------------------------------------------------------
# Tables that do not
# ----------------------------------------------------------------------------------------------------------------------
def static_words(r):
    """Rows of the word-embedding table: before any context, as in word2vec."""
    words = r.erf.bert.embeddings.word_embeddings.weight
    vector = lambda word: words[r.tokenizer.token_to_id(word)]
    table("static words: happy/sad, then king - man + woman")
    row("", cosine(vector("happy"), vector("sad")))
    target = vector("king") - vector("man") + vector("woman")
    best = torch.nn.functional.cosine_similarity(words, target[None], dim=1, eps=0).topk(4)
    for p, i in zip(best.values, best.indices):
        row(f"{r.tokenizer.id_to_token(int(i))}: ", p)


def sinusoids():
    """[attn]: even columns sin(p / 10000^(c/H)), odd ones the cosine at the same angle."""
    p, c = torch.arange(512, dtype=torch.float64)[:, None], torch.arange(0, 768, 2, dtype=torch.float64)
    angle = p / 10000 ** (c / 768)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)


def position_metrics(rows):
    """With c(i,j) the cosine of rows i and j, i the centres and d = 1 .. 64:
    translation  the mean over d of the standard deviation over i of c(i,i+d)      0: only the distance matters
    monotonicity the part of all (i,d) with d < 64 and c(i,i+d) > c(i,i+d+1)       1: farther is always less alike
    symmetry     the mean over (i,d) of |c(i,i+d) - c(i,i-d)|                      0: ahead and behind are alike"""
    unit = rows / rows.norm(dim=1, keepdim=True)
    c = unit @ unit.T
    ahead = torch.tensor([[c[i, i + d] for d in range(1, REACH + 1)] for i in CENTRES])
    behind = torch.tensor([[c[i, i - d] for d in range(1, REACH + 1)] for i in CENTRES])
    falling = (ahead[:, :-1] > ahead[:, 1:]).double()
    return ahead.std(0, correction=0).mean(), falling.mean(), (ahead - behind).abs().mean()


def positions(r):
    table("position_tables")
    learned = r.erf.bert.embeddings.position_embeddings.weight
    row("learned: ", *position_metrics(learned))
    row("sinusoids: ", *position_metrics(sinusoids()))
    alike = torch.tensor([cosine(a, b) for a, b in zip(learned, sinusoids())])
    table("cosine of learned row and sinusoid: largest size, mean")
    row("", alike.abs().max(), alike.mean())


def main():
    torch.set_default_dtype(torch.float64)
    r = Reference(sys.argv[1] if len(sys.argv) > 1 else "weights/bert-base-uncased")
    for make in (word_pairs, mean_pooled, left_padding, anisotropy, ranking, fourth_word, static_words, positions):
        make(r)


if __name__ == "__main__":
    main()
