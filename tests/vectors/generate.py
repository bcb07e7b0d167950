#!/usr/bin/env python3
"""Writes tests/vectors/tokenizer.jsonl from our tokenizer, and checks it against `tokenizers` 0.23.3, stage by stage.

    python3 tests/vectors/generate.py            writes the file
    python3 tests/vectors/generate.py --check    writes nothing; exit 1 if the file is not what our tokenizer gives, or if
                                                 the runner in TOKENIZER.md fails

Needs the vocab.txt of bert-base-uncased and bert-base-cased in weights/. TOKENIZER.md says what the fields are.
"""
import itertools
import json
import pathlib
import random
import re
import struct
import subprocess
import sys

from tokenizers import normalizers, pre_tokenizers

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tests" / "golden")]
from compare_tokenizer import BARE, PAD, PAIR, PLAIN, SPECIAL, build, expected, random_line, reference  # noqa: E402
from make_tokenizer_cases import CASES  # noqa: E402

FILE = HERE / "tokenizer.jsonl"
MODELS = ["bert-base-uncased", "bert-base-cased"]
TRACE = 16
STAGES = ["clean", "ideographs", "decompose", "sort marks", "drop marks", "lower case"]

SENTENCES = ["Here is the sentence I want embeddings for.", "characteristically", "The cat sat on the [MASK].", "What's your name?",
             "After stealing money from the bank vault, the bank robber was seen fishing on the Mississippi river bank."]
PAIRS = [("The cat sat on the mat", "It was a sunny day"), ("", ""), ("a", ""), ("", "b"), ("[SEP] a", "[CLS]"), ("caf\u00e9", "\u4e2d\u6587")]
WORDS = ["the " * 7, "bank " * 12]
# (name, flags, max_length, texts)
OPTIONS = [("special tokens are text", PLAIN, 0, ["x[MASK]y [CLS] [unused0]"]), ("special tokens are text", PLAIN, 0, ["[SEP]", "[[PAD]]"]),
           ("no [CLS] and [SEP]", BARE, 0, ["embeddings"]), ("no [CLS] and [SEP]", BARE, 0, ["one", "two"]),
           ("padded", PAD, 9, ["[PAD] a", "b"]), ("padded", PAD, 5, [""]), ("padded to less than there is", PAD, 4, ["one two three"]),
           *(("cut", 0, length, ["a b c d e f"]) for length in (2, 3, 7, 8)),
           *(("cut: the longer one first", 0, length, [WORDS[i], WORDS[1 - i]]) for i in (0, 1) for length in (3, 4, 5, 10, 15, 18, 21, 22)),
           *(("cut: equally long", 0, length, [WORDS[0], "bank " * 7]) for length in (3, 4, 5, 10, 11, 16, 17))]
INVALID = [("overlong NUL", b"\xc0\x80"), ("overlong, 3 bytes", b"\xe0\x80\x80"), ("half of a UTF-16 pair", b"\xed\xa0\x80"), ("beyond U+10FFFF", b"\xf4\x90\x80\x80"),
           ("no first byte", b"ab\xf8"), ("continuation alone", b"\xc3\xa9\x80"), ("the text ends inside a character", b"ab\xe2\x82"),
           ("a character ends early", b"\xe2\x82\nx"), ("UTF-16 with a byte order mark", b"\xff\xfeh\0"), ("after a special token", b"[MASK]\xf0\x9f\x98")]


def cases():
    """(model, name, flags, max_length, texts as bytes)"""
    for m, model in enumerate(MODELS):
        vocab = ROOT / "weights" / model / "vocab.txt"
        pieces = vocab.read_text(encoding="utf-8").split("\n")[:-1]
        rng = random.Random(6 + m)
        single = [(name, text * min(times, 201 if len(text) < 3 else 50)) for name, text, times in CASES]
        single += [("sentence", text) for text in SENTENCES]
        single += [("random", random_line(rng, pieces, 12)) for _ in range(80)]
        rows = [(name, 0, 0, [text]) for name, text in single] + [("pair", 0, 0, list(pair)) for pair in PAIRS] + OPTIONS
        rows += [("random pair, cut and padded", PAD, rng.randrange(3, 30), [random_line(rng, pieces, 8) for _ in "ab"]) for _ in range(20)]
        for name, flags, length, texts in rows:
            assert not any("<U+" in text for text in texts)
            yield model, name, flags, length, [text.encode() for text in texts]
        for name, text in INVALID:
            yield model, name, 0, 0, [text]


class Answers:
    """What tokenize_stream says, piece by piece."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        values = struct.unpack_from("=" + form, self.data, self.at)
        self.at += struct.calcsize("=" + form)
        return values

    def text(self):
        (length,) = self.take("I")
        self.at += length
        return self.data[self.at - length:self.at].decode()


def stages(trace):
    """The lines of a trace by name. Characters that it shows by their number come back as themselves."""
    out = {}
    for line in trace.split("\n")[:-1]:
        name, value = line[:15].strip(), line[15:]
        if value == "(not in this model)" or name.startswith("4"):
            continue
        value = re.sub("<U\\+([0-9A-F]{4,6})>", lambda m: chr(int(m[1], 16)), value)
        out[name[2:] if name != "text" else name] = value.split(" ")[:-1] if name[0] in "23" else value
    return out


def rows_of(model, program):
    """The file's rows for one model, by our tokenizer."""
    asked = [case for case in cases() if case[0] == model]
    request = b"".join(struct.pack("=II", flags | TRACE | (PAIR if len(texts) == 2 else 0), length) +
                       b"".join(struct.pack("=I", len(text)) + text for text in texts) for _, _, flags, length, texts in asked)
    command = [program, ROOT / "weights" / model, "uncased" if model.endswith("uncased") else "cased"]
    answers = Answers(subprocess.run(command, input=request, stdout=subprocess.PIPE, check=True).stdout)
    pieces = (ROOT / "weights" / model / "vocab.txt").read_text(encoding="utf-8").split("\n")
    for _, name, flags, length, texts in asked:
        row = {"model": model, "name": name}
        (count,) = answers.take("i")
        if count < 0:
            row["bytes"] = texts[0].hex()
            row["invalid_at"] = int(re.match(r"byte (\d+): ", answers.text())[1]) - 1
            yield row
            continue
        tokens = [answers.take("5i") for _ in range(count)]
        row["text"] = texts[0].decode()
        row |= {"pair": texts[1].decode()} if len(texts) == 2 else {}
        row |= {"no_special": True} if flags & PLAIN else {}
        row |= {"no_add_special": True} if flags & BARE else {}
        row |= {"max_length": length, "pad": bool(flags & PAD)} if length else {}
        row["pieces"] = [pieces[token[0]] for token in tokens]
        for place, field in enumerate(("ids", "type_ids", "attention_mask")):
            row[field] = [token[place] for token in tokens]
        row["offsets"] = [list(token[3:]) for token in tokens]
        row["stages"] = [stages(answers.text()) for _ in texts]
        yield row


def reference_stages(row, text):
    """The same stages by Hugging Face's parts; "decompose" has none of its own there."""
    uncased = row["model"].endswith("uncased")
    bert = lambda **settings: normalizers.BertNormalizer(**({"clean_text": True, "handle_chinese_chars": True, "strip_accents": False, "lowercase": False} | settings))
    last = bert(strip_accents=uncased, lowercase=uncased)
    steps = {"clean": bert(handle_chinese_chars=False), "ideographs": bert(), "text": normalizers.Sequence([])}
    if uncased:
        steps |= {"sort marks": normalizers.Sequence([bert(), normalizers.NFD()]), "drop marks": bert(strip_accents=True), "lower case": last}
    parts = [text] if row.get("no_special") else re.split("(" + "|".join(map(re.escape, SPECIAL)) + ")", text)
    out = {name: "".join(part if i % 2 else step.normalize_str(part) for i, part in enumerate(parts)) for name, step in steps.items()}
    words = [[part] if i % 2 else [word for word, _ in pre_tokenizers.BertPreTokenizer().pre_tokenize_str(last.normalize_str(part))] for i, part in enumerate(parts)]
    return out | {"split": list(itertools.chain(*words))}


def differences(row, theirs):
    """How a row differs from Hugging Face's answer."""
    if "bytes" in row:
        try:
            bytes.fromhex(row["bytes"]).decode()
        except UnicodeDecodeError as error:
            return [] if error.start == row["invalid_at"] else ["invalid_at"]
        return ["it is valid"]
    texts = [row["text"]] + ([row["pair"]] if "pair" in row else [])
    length = row.get("max_length")
    theirs.encode_special_tokens = row.get("no_special", False)
    theirs.enable_truncation(length) if length else theirs.no_truncation()
    theirs.enable_padding(length=length, pad_id=theirs.token_to_id("[PAD]")) if row.get("pad") else theirs.no_padding()
    encoding = theirs.encode(*texts, add_special_tokens=not row.get("no_add_special", False))
    flat = expected(encoding, texts)
    ours = [(i, t, m, a, b) for i, t, m, (a, b) in zip(row["ids"], row["type_ids"], row["attention_mask"], row["offsets"])]
    wrong = [] if tuple(itertools.chain(*ours)) == flat and row["pieces"] == encoding.tokens else ["tokens"]
    theirs.no_truncation()
    theirs.no_padding()
    for text, got in zip(texts, row["stages"]):
        want = reference_stages(row, text) | {"WordPiece": theirs.encode(text, add_special_tokens=False).tokens}
        wrong += [name for name in got if name != "decompose" and got[name] != want[name]]
    return wrong


def run_documented(text):
    """Runs the Python program in TOKENIZER.md; True if its last line says that nothing failed."""
    (program,) = re.findall(r"(?s)```python\n(.*?)```", text)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    print("the runner in TOKENIZER.md:", (done.stdout.strip().split("\n") or [""])[-1], done.stderr.strip()[-500:])
    return done.returncode == 0


def main():
    program = build()
    rows = [row for model in MODELS for row in rows_of(model, program)]
    failures = 0
    for model in MODELS:
        theirs = reference(ROOT / "weights" / model / "vocab.txt", model.endswith("uncased"))
        for row in rows:
            if row["model"] == model and (wrong := differences(row, theirs)):
                print("DIFFERENT from the reference:", row["name"], wrong, json.dumps(row)[:400])
                failures += 1
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    if "--check" not in sys.argv:
        FILE.write_text(lines)
    elif FILE.read_text() != lines:
        old, new = FILE.read_text().split("\n"), lines.split("\n")
        print("the file is not what our tokenizer gives, from line", next((i + 1 for i, (a, b) in enumerate(zip(old, new)) if a != b), min(len(old), len(new))))
        failures += 1
    if "--check" in sys.argv and not run_documented((HERE / "TOKENIZER.md").read_text()):
        failures += 1
    print(f"{FILE.name}: {len(rows)} cases, {len(lines):,} bytes, {failures} failures")
    sys.exit(failures > 0)


if __name__ == "__main__":
    main()
