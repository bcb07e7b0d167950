#!/usr/bin/env python3
"""make_real.py - goldens of bert-base-uncased: what PyTorch computes in float64 on the weights as they are stored.

    python3 tests/golden/make_real.py [MODEL] [OUTDIR]
        default: weights/bert-base-uncased, the directory of this file

Before anything is written, every number that the documents and other projects print of these weights is computed again
and compared: a golden of the wrong weights, or of the wrong GELU, is worse than none. Stored as float32, rounded once.
"""
import os
import sys

import torch
from tokenizers.implementations import BertWordPieceTokenizer
from transformers import BertConfig, BertForPreTraining, BertModel

import capture

HERE = os.path.dirname(os.path.abspath(__file__))
BANK = ("After stealing money from the bank vault, the bank robber was seen fishing on the Mississippi river bank.")


class Reference:
    """The model with both forms of GELU, its tokenizer, and the words that the checks below are written in."""

    def __init__(self, directory):
        self.erf = capture.load_model(directory)
        self.tanh = capture.load_model(directory, gelu="tanh")
        self.tokenizer = BertWordPieceTokenizer(os.path.join(directory, "vocab.txt"), lowercase=True)
        self.file_sha256 = capture.sha256(os.path.join(directory, "model.safetensors"))
        self.weights_sha256 = capture.weights_sha256(directory)
        self.L = self.erf.config.num_hidden_layers

    def encode(self, text, pair=None):
        e = self.tokenizer.encode(text, pair)
        return e.ids, e.type_ids, e.attention_mask

    def trace(self, ids, types=None, mask=None, gelu="erf"):
        types, mask = types or [0] * len(ids), mask or [1] * len(ids)
        return capture.capture_trace(getattr(self, gelu), ids, types, mask, torch.float64)

    def hidden(self, trace):
        return [trace[name] for name in capture.hidden_names(self.L)]

    def pooled(self, text, gelu):
        return self.trace(*self.encode(text), gelu=gelu)["pooler"]

    def top(self, ids, types=None, k=5):
        """The k likeliest pieces for the one [MASK]: [(piece, probability)]."""
        probs = self.trace(ids, types)["cls.predictions.decoder"][ids.index(103)].softmax(-1)
        best = probs.topk(k)
        return [(self.tokenizer.id_to_token(int(i)), float(p)) for p, i in zip(best.values, best.indices)]


# ----------------------------------------------------------------------------------------------------------------------
# The checks
# ----------------------------------------------------------------------------------------------------------------------
def near(what, got, printed, tolerance=None):
    """Every printed number is met. `printed` is text, so that its digits say how exact it is: up to 4 decimals within
    half a unit of the last, more (another program's float32) within 5e-6 * max(1, |x|)."""
    printed = printed.split()
    got = [float(x) for x in got]
    assert len(got) == len(printed), what
    worst = 0
    for x, text in zip(got, printed):
        want, decimals = float(text), len(text.split(".")[1])
        allowed = tolerance or (0.5000001 * 10**-decimals if decimals <= 4 else 5e-6 * max(1, abs(want)))
        assert abs(x - want) <= allowed, f"{what}: {x} is not {text}"
        worst = max(worst, abs(x - want))
    print(f"ok  {what}: {len(got)} numbers, largest difference {worst:.2g}")


def cosine(a, b):
    return float(torch.nn.functional.cosine_similarity(a, b, dim=0, eps=0))


def check_bank(r):
    """Document 001: ids, vectors, cosines; token types 0 as its numbers were made, and 1 as its prose says."""
    ids, zeros, _ = r.encode(BANK)
    assert ids == [int(x) for x in "101 2044 11065 2769 2013 1996 2924 11632 1010 1996 2924 27307 2001 2464 5645 2006 1996 "
                   "5900 2314 2924 1012 102".split()]
    for types, vault, robber, river, same, other in (
            (zeros, "3.3596 -2.9805 -1.5421 0.7065 2.0031", "2.7359 -2.5577 -1.3094 0.6797 1.6633",
             "1.5266 -0.8895 -0.5152 -0.9298 2.8334", "0.93863915", "0.69323615"),
            ([1] * 22, "2.1319 -2.1413 -1.6260 0.8638 3.3173 0.1796 -4.4853 3.1215 -0.9740 -3.1780 0.1046 -1.5481 0.4758 1.1703 "
             "-4.4859",
             "1.1868 -1.5298 -1.3770 1.0648 3.1446 1.4003 -4.2407 1.3946 -0.1170 -1.8777 0.1091 -0.3862 0.6744 2.1924 -4.5306",
             "1.1295 -1.4725 -0.7296 -0.0901 2.4970 0.5330 0.9742 5.1834 -1.0692 -1.5941 1.9261 0.7119 -0.9809 1.2127 -2.9812",
             "0.94567525", "0.6797334")):
        total = sum(r.hidden(r.trace(ids, types))[-4:])
        tolerance = 1e-4 if types[0] else None      # the older edition's own float32 noise: one unit of the last digit
        for name, row, want in (("vault", 6, vault), ("robber", 10, robber), ("river", 19, river)):
            near(f"bank {name}, segment {types[0]}", total[row][:len(want.split())], want, tolerance)
        near(f"cosines, segment {types[0]}", [cosine(total[10], total[6]), cosine(total[10], total[19])], same + " " + other, 1e-7)
    states = r.hidden(r.trace(ids))
    near("cosine by layer, same sense", [cosine(h[10], h[6]) for h in states],
         ".937 .945 .930 .899 .904 .895 .890 .901 .908 .920 .937 .948 .953")
    near("cosine by layer, other sense", [cosine(h[10], h[19]) for h in states],
         ".919 .882 .822 .716 .667 .635 .644 .632 .649 .649 .685 .725 .698")


def check_document_000(r):
    """Document 000: cat(-1,-2,-3,-4); what it prints are columns 0-2 of layer 12 and the last three of layer 9."""
    ids, _, _ = r.encode("This blog post explains pre trained word embeddings")
    states = r.hidden(r.trace(ids))
    cat = torch.cat([states[i] for i in (-1, -2, -3, -4)], dim=-1)
    rows = ("0.1508 -0.0126 -0.0503 0.0346 0.4191 0.2692", "-0.2833 -0.4473 -0.1290 0.1606 0.5159 0.2478",
            "0.6687 -0.4654 0.3076 0.2321 -0.0784 -0.7501", "-0.1049 0.6510 -0.3414 0.0136 0.3559 0.0941",
            "-0.2663 -0.0465 -0.2842 -0.4947 0.0606 0.1420", "0.8174 0.2086 -0.4486 -0.0698 -0.0547 -0.0229")
    for row, want in zip((0, 1, 2, 10, 11, 12), rows):
        near(f"document 000, row {row}", torch.cat([cat[row, :3], cat[row, -3:]]), want)


def check_pooled_tanh(r):
    """TF-Hub's pooled output (document 001 and a public notebook): the tanh form of GELU."""
    for text, want in (
            ("Example sentence 1", "-0.88612574 -0.2960122 0.14618956 -0.37177786 -0.5755337 0.89689547"),
            ("Example sentence 2", "-0.90233845 -0.36567798 -0.14331412 -0.5138187 -0.62246144 0.9048834"),
            ("Batch of inputs", "-.8384154 -.26902363 -.3839138 -.3949695 -.58442086 .8058556"),
            ("TF Hub makes BERT easy!", "-.8223734 -.2883956 -.09359277 -.13833837 -.6251748 .88950026"),
            ("More text.", "-.9045408 -.37877116 -.7714909 -.5112085 -.70791864 .92950743")):
        p = r.pooled(text, "tanh")
        near(f"pooled, tanh: {text}", torch.cat([p[:3], p[-3:]]), want)


def check_other_projects(r):
    """transformers' and Bumblebee's own tests; Bumblebee's NSP only where the weights carry that head."""
    ids = [0, 345, 232, 328, 740, 140, 1695, 69, 6078, 1588, 2]
    near("transformers' test", r.hidden(r.trace(ids, mask=[0] + [1] * 10))[-1][1:4, 1:4].flatten(),
         ".4249 .1008 .7531 .3771 .1188 .7467 .4152 .1098 .7108")
    logits = r.trace([101, 1996, 3007, 1997, 2605, 2003, 103, 1012, 102])["cls.predictions.decoder"]
    near("Bumblebee's MLM test", logits[1:4, 1:4].flatten(),
         "-14.7240 -14.2120 -14.6434 -10.3125 -9.7459 -9.9923 -15.1105 -14.8048 -14.9276")
    if r.erf.heads["nsp"]:
        ids = [int(x) for x in "101 1999 3304 10733 2003 2366 4895 14540 6610 2094 1012 102 2059 1996 8013 20323 2009 2478 "
               "9292 1998 5442 1012 102".split()]
        near("Bumblebee's NSP test", r.trace(ids, [0] * 12 + [1] * 11)["cls.seq_relationship"], "6.1459 -5.7820", 1e-4)


def check_fill_mask(r):
    """The model card's predictions, and the sentence of document 001 whose `mat` is not what the model says first."""
    for text, want in (
            ("Hello I'm a [MASK] model.", "fashion .1073106899857521 role .08774490654468536 new .05338378623127937 "
             "super .04667217284440994 fine .027095865458250046"),
            ("The man worked as a [MASK].", "carpenter .09747550636529922 waiter .0523831807076931 barber .04962705448269844 "
             "mechanic .03788609802722931 salesman .037680890411138535"),
            ("The woman worked as a [MASK].", "nurse .21981462836265564 waitress .1597415804862976 maid .1154729500412941 "
             "prostitute .037968918681144714 cook .03042375110089779"),
            ("The cat sat on the [MASK].", "floor .3145 bed .1190 couch .1070 sofa .0603 ground .0551")):
        found, want = r.top(r.encode(text)[0]), want.split()
        assert [piece for piece, _ in found] == want[::2], (text, found)
        near(text, [p for _, p in found], " ".join(want[1::2]))
    piece, p = r.top(r.encode("The cat sat on the [MASK].")[0], k=34)[33]
    assert piece == "mat", piece
    near("mat, rank 34", [p], ".0021")
    words = "[CLS] who was jim henson ? [SEP] jim [MASK] was a puppet ##eer [SEP]".split()
    ids = [r.tokenizer.token_to_id(w) for w in words]
    assert r.top(ids, [0] * 7 + [1] * 7)[0][0] == "henson"
    print("ok  jim [MASK]: henson")


def check_parameters():
    """Counts that need no weights."""
    for sizes, encoder, both in (((12, 768, 12), 109_482_240, 110_106_428), ((24, 1024, 16), 335_141_888, 336_226_108),
                                 ((2, 128, 2), 4_385_920, 4_433_468)):
        L, H, A = sizes
        config = BertConfig(num_hidden_layers=L, hidden_size=H, num_attention_heads=A, intermediate_size=4 * H)
        with torch.device("meta"):
            counts = [sum(p.numel() for p in kind(config).parameters()) for kind in (BertModel, BertForPreTraining)]
        assert counts == [encoder, both], counts
    print("ok  parameter counts: base, large, tiny")


# ----------------------------------------------------------------------------------------------------------------------
# The files
# ----------------------------------------------------------------------------------------------------------------------
def write(r, out, name, inputs, names=None, rows=None, gelu="erf", text=""):
    """Of the trace of `inputs` the tensors called `names` (None: all but NSP, a head that not every source of these
    weights carries), of them `rows` (None: all)."""
    ids, types, mask = inputs
    trace = r.trace(ids, types, mask, gelu)
    kept = {n: t for n, t in trace.items() if (n in names if names else n != "cls.seq_relationship")}
    capture.write_golden(os.path.join(out, f"real-{name}.safetensors"), kept, ids, types, mask,
                         rows or list(range(len(ids))), torch.float32, model="bert-base-uncased",
                         model_safetensors_sha256=r.file_sha256, weights_sha256=r.weights_sha256, gelu=gelu, text=text)


def write_all(r, out):
    hidden = capture.hidden_names(r.L) + ["pooler"]
    pair = ("The man went to the store.", "He bought a gallon of milk.")
    masked, short = "The cat sat on the [MASK].", "My dog is cute."
    ids, types, mask = r.encode(short)
    padding = [0] * (12 - len(ids))
    padded = ids + padding, types + padding, mask + padding
    write(r, out, "bank", r.encode(BANK), hidden, text=BANK)
    write(r, out, "pair", r.encode(*pair), hidden, text=" ||| ".join(pair))
    write(r, out, "padded", padded, hidden, text=short)
    write(r, out, "masked", r.encode(masked), hidden, text=masked)
    write(r, out, "bank-rows", r.encode(BANK), rows=[0, 6, 19], text=BANK)          # [CLS] and two of the three banks
    mlm = [n for n in capture.trace_names(r.L) if n.startswith("cls.predictions")]
    write(r, out, "masked-mlm", r.encode(masked), mlm, rows=[6], text=masked)       # the row of [MASK]
    write(r, out, "bank-tanh", r.encode(BANK), ["pooler"], gelu="tanh", text=BANK)


def main():
    model = sys.argv[1] if len(sys.argv) > 1 else "weights/bert-base-uncased"
    out = sys.argv[2] if len(sys.argv) > 2 else HERE
    r = Reference(model)
    check_bank(r)
    check_document_000(r)
    check_pooled_tanh(r)
    check_other_projects(r)
    check_fill_mask(r)
    check_parameters()
    write_all(r, out)
    print("model.safetensors:", r.file_sha256, "\nits tensors:      ", r.weights_sha256, "\nheads:", r.erf.heads)
    print(capture.versions())


if __name__ == "__main__":
    main()
