"""test_tokenizers.py - random small tokenizers, made with transformers and tokenizers in mixed settings: `bert tokenize`
gives the library's ids and offsets on hard lines, or refuses the directory by file and key.

    python3 tests/conformance/test_tokenizers.py [COUNT [SEED]]

Directories come as transformers 5 leaves them (tokenizer.json), as transformers 4 did (vocab.txt, tokenizer_config.json,
special_tokens_map.json, added_tokens.json), with both, and with PreTrainedTokenizerFast. How many were refused, and for
what, is printed at the end."""
import collections
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
HERE = os.path.dirname(os.path.abspath(__file__))
BERT = os.environ.get("BERT", os.path.join(HERE, "..", "..", "bert"))

from tokenizers import AddedToken, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer, BertTokenizer, PreTrainedTokenizerFast

WORDS = ("the a cat sat on mat bank river dog runs fast word . , ! ? - ' ##s ##ing ##ed un ##able b c d e x ##a ##b ##c ##d ##e "
         "##n ##o ##r ##t play he she it is was not The Cat Bank É é ##é 中 文 ß ss co ##vid e1 [ ] < > / 1 2 ##1 s t o n ı i "
         "ก ##ก ा İ").split()
FIVE = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
OTHERS = ["<pad>", "<unk>", "<s>", "</s>", "<mask>"]
KEYS = ["pad_token", "unk_token", "cls_token", "sep_token", "mask_token"]
ADDED = ["[E1]", "[/E1]", "covid", "COVID", "Café", "中文", "re-run", "e1", "the", "cat", "##s", "<URL>", "a b", "ing", "İs",
         "e\u0301", "日本", "[E1", "covid-19", "x", "[unused1]", "bank."]


def line(r, tokens):
    parts = tokens * 3 + ["the", "cat", "Bank", "covid", "COVID", "Covid-19", "é", "e\u0301", "中文", "中", "日本語", " ", "  ", "\t",
                          "\u00a0", "\u3000", ".", ",", "-", "!", "x" * 99, "unable", "playing", "\u200b", "\u00ad", "İs", "ı",
                          "_", "1", "\u0301", "A", "ß", "[MASK]", "[SEP]", "[mask]", "<s>", "[", "]", "😀", "ก็", "\x00", "\ufffd",
                          "\u0345", "\u2028", "\u0085", "[E1]cat", "x[E1] y", "\u1100\u1161"]
    text = "".join(r.choice(parts) + r.choice(["", "", " ", "  "]) for _ in range(r.randrange(1, 14)))
    return text.replace("\n", "").replace("\r", "")


def token(r, content):
    return AddedToken(content, **{k: r.random() < 0.3 for k in ("lstrip", "rstrip", "single_word", "normalized")},
                      special=r.random() < 0.4)


def write(path, value):
    json.dump(value, open(path, "w", encoding="utf-8"), ensure_ascii=r0.random() < 0.5)


r0 = random.Random(0)


def settings(r):
    k = {}
    if r.random() < 0.7:
        k["do_lower_case"] = r.random() < 0.6
    if r.random() < 0.4:
        k["strip_accents"] = r.choice([True, False, None])
    if r.random() < 0.3:
        k["tokenize_chinese_chars"] = r.random() < 0.5
    if r.random() < 0.2:
        k["model_max_length"] = r.choice([8, 12, 512])
    if r.random() < 0.3:
        k["truncation_side"] = r.choice(["left", "right"])
    if r.random() < 0.2:
        k["padding_side"] = r.choice(["left", "right"])
    return k


def vocabulary(r):
    five = r.choice([FIVE, FIVE, OTHERS])
    words = [w for w in WORDS if r.random() < 0.9]
    if r.random() < 0.4:
        words[r.randrange(len(words))] = "[unused1]"
    r.shuffle(words)
    words = list(dict.fromkeys(words))
    specials = list(five)
    if r.random() < 0.1:
        specials.remove(five[4])                        # no [MASK]
    return (specials + words if r.random() < 0.6 else words[:5] + specials + words[5:]), five


def names(five):
    return dict(zip(KEYS, five)) if five is not FIVE else {}


def make_new(r, d):
    """transformers 5: BertTokenizer, save_pretrained."""
    words, five = vocabulary(r)
    os.makedirs(d + "-v")
    open(d + "-v/vocab.txt", "w", encoding="utf-8", newline="\n").write("\n".join(words) + "\n")
    t = BertTokenizer.from_pretrained(d + "-v", **names(five), **settings(r))
    chosen = [token(r, c) for c in r.sample(ADDED, r.randrange(0, 6))]
    if r.random() < 0.5:
        t.add_tokens(chosen)
    elif chosen:
        t.add_special_tokens({"additional_special_tokens": chosen})
    t.save_pretrained(d)
    if r.random() < 0.3:
        shutil.copy(d + "-v/vocab.txt", d)
        if r.random() < 0.1:
            open(d + "/vocab.txt", "a", encoding="utf-8").write("more\n")
    config = json.load(open(d + "/tokenizer_config.json", encoding="utf-8"))
    if r.random() < 0.2:
        config.pop(r.choice(["do_lower_case", "strip_accents", "tokenize_chinese_chars", "tokenizer_class"]), None)
    if r.random() < 0.1:
        config["tokenizer_class"] = r.choice(["BertTokenizerFast", "PreTrainedTokenizerFast", "BertJapaneseTokenizer",
                                              "RobertaTokenizer", "TokenizersBackend", "DistilBertTokenizer"])
    if r.random() < 0.05:
        config["split_special_tokens"] = True
    write(d + "/tokenizer_config.json", config)
    if r.random() < 0.1:
        j = json.load(open(d + "/tokenizer.json", encoding="utf-8"))
        change = r.randrange(6)
        if change == 0:
            j["normalizer"]["lowercase"] = not j["normalizer"]["lowercase"]
        if change == 1:
            j["model"]["max_input_chars_per_word"] = r.choice([10, 200])
        if change == 2:
            j["model"]["continuing_subword_prefix"] = "@@"
        if change == 3:
            j["pre_tokenizer"] = {"type": "Whitespace"}
        if change == 4:
            j["normalizer"]["clean_text"] = False
        if change == 5 and j["added_tokens"]:
            j["added_tokens"][-1]["id"] += 1
        write(d + "/tokenizer.json", j)


def make_old(r, d):
    """transformers 4: vocab.txt and up to three JSON files."""
    words, five = vocabulary(r)
    os.makedirs(d)
    open(d + "/vocab.txt", "w", encoding="utf-8", newline="\n").write("\n".join(words) + r.choice(["\n", "\n", "\n\n", ""]))
    config = {**names(five), **settings(r)}
    if r.random() < 0.6:
        config["tokenizer_class"] = r.choice(["BertTokenizer", "BertTokenizerFast"])
    config.setdefault("do_lower_case", r.random() < 0.5)                # without it the vocabulary is weighed: no library does
    size = len(words) + (open(d + "/vocab.txt", "rb").read().endswith(b"\n\n"))
    chosen = [c for c in r.sample(ADDED, r.randrange(0, 6))]
    kind = r.randrange(3)
    entries, next_id = {}, size
    for c in chosen:
        if c in words:
            entries[words.index(c)] = c
        else:
            entries[next_id] = c
            next_id += 1
    state = {i: token(r, c) for i, c in entries.items()}
    if kind == 0:
        config["added_tokens_decoder"] = {str(i): t.__getstate__() for i, t in state.items()}
        for i, c in enumerate(five):
            if c in words:
                config["added_tokens_decoder"][str(words.index(c))] = AddedToken(c, special=True).__getstate__()
    elif kind == 1:
        write(d + "/added_tokens.json", {c: i for i, c in entries.items()})
        special = [c for c in chosen if r.random() < 0.5]
        write(d + "/special_tokens_map.json", {**dict(zip(KEYS, five)), "additional_special_tokens": special})
    else:
        config["extra_special_tokens" if r.random() < 0.5 else "additional_special_tokens"] = chosen
        if r.random() < 0.3:
            config["marker_token"] = "[E9]"
    if r.random() < 0.2:
        config["mask_token"] = {"__type": "AddedToken", **AddedToken(five[4], lstrip=True, special=True).__getstate__()}
    write(d + "/tokenizer_config.json", config)


def make_fast(r, d):
    """PreTrainedTokenizerFast: everything from tokenizer.json."""
    words, five = vocabulary(r)
    vocab = {w: i for i, w in enumerate(words)}
    t = Tokenizer(models.WordPiece(vocab, unk_token=five[1], max_input_chars_per_word=r.choice([100, 100, 10, 4, 200])))
    t.normalizer = normalizers.BertNormalizer(lowercase=r.random() < 0.6, strip_accents=r.choice([None, True, False]),
                                              handle_chinese_chars=r.random() < 0.7, clean_text=r.random() < 0.95)
    if r.random() < 0.05:
        t.normalizer = normalizers.Lowercase()
    t.pre_tokenizer = pre_tokenizers.BertPreTokenizer() if r.random() < 0.95 else pre_tokenizers.Whitespace()
    ids = {c: vocab[c] for c in five if c in vocab}
    if r.random() < 0.4:
        t.post_processor = processors.BertProcessing((five[3], ids[five[3]]), (five[2], ids[five[2]]))
    elif r.random() < 0.9:
        pair = r.choice(["{c}:0 $A:0 {s}:0 $B:1 {s}:1"] * 5 + ["{c}:0 $A:0 {s}:0 $B:0 {s}:0", "{c}:0 $A:0 {s}:0 {s}:0 $B:1 {s}:1"])
        t.post_processor = processors.TemplateProcessing(single="{c}:0 $A:0 {s}:0".format(c=five[2], s=five[3]),
                                                         pair=pair.format(c=five[2], s=five[3]),
                                                         special_tokens=[(five[2], ids[five[2]]), (five[3], ids[five[3]])])
    if r.random() < 0.5:
        t.add_special_tokens(five)
    t.add_tokens([token(r, c) for c in r.sample(ADDED, r.randrange(0, 6))])
    given = dict(zip(KEYS, five))
    if r.random() < 0.3:
        given = {k: v for k, v in given.items() if r.random() < 0.6}
    side = {k: v for k, v in settings(r).items() if k in ("truncation_side", "padding_side", "model_max_length")}
    PreTrainedTokenizerFast(tokenizer_object=t, **given, **side).save_pretrained(d)


def expected(tokenizer, a, b, **k):
    """What the library gives a model: a class whose model_input_names has no token_type_ids leaves all in segment 0."""
    e = tokenizer(a, b, return_offsets_mapping=True, **k) if b is not None else \
        tokenizer(a, return_offsets_mapping=True, **k)
    spans, sequences = [], e.encodings[0].sequence_ids
    for (begin, end), s in zip(e["offset_mapping"], sequences):
        text = b if s == 1 else a
        spans.append([0, 0] if s is None else [len(text[:begin].encode()), len(text[:end].encode())])
    return e["input_ids"], e.get("token_type_ids", [0] * len(spans)), e["attention_mask"], spans


def ask(d, lines, *options):
    r = subprocess.run([BERT, "tokenize", "-q", "-m", d, "--format", "json", "-f", "-", *options],
                       input="".join(x + "\n" for x in lines).encode(), capture_output=True)
    found = [json.loads(x) for x in r.stdout.decode().splitlines()]
    return r.returncode, found, r.stderr.decode().strip()


def same(mine, reference):
    return all(mine[k] == v for k, v in zip(("ids", "type_ids", "attention_mask", "offsets"), reference))


def compare(d, r, tokenizer, count):
    """Empty if all agrees, else what differs; a refusal as ("refused", message)."""
    tokens = list(tokenizer.get_added_vocab())
    lines = [line(r, tokens) for _ in range(count)]
    code, found, said = ask(d, lines)
    if code and len(found) == 0 and "line 1" not in said:
        return "refused", said
    for i, (text, mine) in enumerate(zip(lines, found)):
        want = expected(tokenizer, text, None)
        if not same(mine, want):
            return "different", f"{text!r}: {mine['ids']} {mine['offsets']}, expected {want[0]} {want[3]}"
    if code and re.search("no such token|vocabulary lacks", said):      # the library gives it an id that no file has
        return "a token is missing", said
    if code:                                            # one line was refused: the library must have trouble with it, too
        try:
            want = expected(tokenizer, lines[len(found)], None)
        except Exception:
            return "", ""
        return "line", said
    pairs = [(a.replace("|", ""), b.replace("|", "")) for a, b in zip(lines, lines[1:])]
    limit = r.randrange(4, 12)
    for a, b in pairs[:3]:
        for options, k in ((["--max-length", str(limit), "--truncate"], dict(max_length=limit, truncation=True)),
                           (["--max-length", "40", "--pad", "--truncate"], dict(max_length=40, truncation=True, padding="max_length")),
                           (["--no-special"], dict(split_special_tokens=True))):
            if "--pad" in options and tokenizer.pad_token is None:
                continue
            code, found, said = ask(d, [a + " ||| " + b], "--pairs", *options)
            want = expected(tokenizer, a, b, **k)
            if code or not same(found[0], want):
                return "different", f"{a!r} {b!r} {options}: {said} {found and found[0]['ids']}, expected {want}"
    return "", ""


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    verdicts, refusals, bad = collections.Counter(), collections.Counter(), 0
    for n in range(count):
        r = random.Random(seed * 100003 + n)
        work = tempfile.mkdtemp()
        d = os.path.join(work, "t")
        make = [make_new, make_old, make_fast][n % 3]
        try:
            make(r, d)
            json.dump({"model_type": "bert"}, open(d + "/config.json", "w"))
            try:
                tokenizer, broken = AutoTokenizer.from_pretrained(d), None
            except Exception as error:
                tokenizer, broken = None, str(error)
            if tokenizer is None:
                code, found, said = ask(d, ["the cat"])
                verdict, what = ("library refuses", said) if code else ("different", "the library refuses it: " + broken[:200])
            else:
                verdict, what = compare(d, r, tokenizer, 25)
        except Exception as error:                      # the library cannot make or use it
            verdict, what = "not made", f"{make.__name__}: {type(error).__name__} {str(error)[:120]}"
        if verdict in ("refused", "library refuses") and not re.search(r"(\.json|vocab\.txt|added token)", what):
            verdict = "no reason"
        if verdict in ("different", "line", "no reason"):
            bad += 1
            print(f"FAILED: {make.__name__} {n} seed {seed}: {verdict}: {what.replace(work, '')[:600]}", flush=True)
            if os.environ.get("KEEP"):
                shutil.copytree(work, f"{os.environ['KEEP']}/{n}", dirs_exist_ok=True)
        verdicts[verdict or "equal"] += 1
        if verdict == "refused":
            refusals[re.sub(r"'[^']*'|\d+", "..", what.replace(d, "DIR"))[:150]] += 1
        if verdict == "not made":
            refusals["(not made) " + what[:100]] += 1
        shutil.rmtree(work)
    print(dict(verdicts))
    for what, times in sorted(refusals.items()):
        print(f"{times:4}  {what}")
    print(f"{verdicts['equal']} equal, {bad} failed")
    return 1 if bad or verdicts["equal"] < count // 3 else 0


if __name__ == "__main__":
    sys.exit(main())
