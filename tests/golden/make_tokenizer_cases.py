#!/usr/bin/env python3
"""Writes tests/golden/tokenizer_cases.h: difficult texts with the ids and byte offsets that `tokenizers` 0.23.3 gives.

    python3 tests/golden/make_tokenizer_cases.py

Needs weights/bert-base-uncased/vocab.txt and weights/bert-base-cased/vocab.txt.
"""
import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))
from compare_tokenizer import expected, reference  # noqa: E402

# (what is special about it, text, how often the text is repeated)
CASES = [
    ("empty", "", 1), ("one space", " ", 1), ("tab LF CR", "\t\n\r", 1), ("NUL alone", "\0", 1), ("NUL joins", "a\0b", 1),
    ("U+FFFD is deleted", "\ufffd", 1), ("VT joins", "a\x0bb", 1), ("FF joins", "a\x0cb", 1), ("U+001C joins", "a\x1cb", 1),
    ("U+0085 joins", "a\x85b", 1), ("no-break space", "a\xa0b", 1), ("line separator", "a\u2028b", 1), ("paragraph separator", "a\u2029b", 1),
    ("ideographic space", "a\u3000b", 1), ("ogham space", "a\u1680b", 1), ("U+180E is deleted", "a\u180eb", 1), ("zero width space joins", "a\u200bb", 1),
    ("ZWJ alone", "\u200d", 1), ("BOM first", "\ufeffhello", 1), ("soft hyphen", "em\u00adbed", 1), ("right-to-left override", "a\u202eb", 1),
    ("tag character", "a\U000e0041b", 1), ("private use", "a\uf059b", 1), ("noncharacters stay", "\ufdd0 \uffff \U0010ffff", 1), ("unassigned stays", "a\u0378b", 1),
    ("format since 9.0 stays", "a\u08e2b \U00013430", 1),
    ("[CLS] in the text", "[CLS]", 1), ("[MASK] in a word", "x[MASK]y", 1), ("[mask]", "[mask]", 1), ("[[MASK]]", "[[MASK]]", 1), ("[MASK", "[MASK ", 1),
    ("[UNK]", "[UNK]", 1), ("[unused0]", "[unused0]", 1), ("[PAD] a", "[PAD] a", 1), ("[SEP] between", "one. [SEP] two.", 1), ("##ing", "##ing", 1), ("a##b", "a##b", 1),
    ("[MA-SK] with soft hyphen", "[MA\u00adSK]", 1),
    ("100 a", "a", 100), ("101 a", "a", 101), ("200 a", "a", 200), ("201 a", "a", 201), ("100 e acute", "\u00e9", 100), ("100 e, acute", "e\u0301", 100),
    ("34 Hangul: 102 jamo", "\uac01", 34), ("33 Hangul: 99 jamo", "\uac01", 33), ("100 emoji", "\U0001f600", 100), ("known and unknown", "embed\u0378", 1),
    ("E acute", "\u00c9", 1), ("E, acute", "E\u0301", 1), ("mark first", "\u0301a", 1), ("only marks", "\u0301\u0302", 1), ("two marks", "a\u0315\u0300", 1),
    ("musical marks", "\U0001d165\U0001d16d", 1), ("U+0130", "\u0130stanbul", 1), ("U+0131", "\u0131", 1), ("final sigma", "\u039f\u0394\u039f\u03a3", 1),
    ("U+1F88", "\u1f88", 1), ("Kelvin", "\u212a", 1), ("Angstrom", "\u212b", 1), ("Ohm", "\u2126", 1), ("long s", "\u017f", 1), ("sharp s", "\u00df \u1e9e", 1),
    ("title case", "\u01c5", 1), ("fullwidth A", "\uff21", 1), ("U+023A grows", "\u023a", 1), ("Greek question mark", "a\u037eb", 1), ("U+1FEF", "a\u1fefb", 1),
    ("not equal", "a\u2260b", 1), ("not less", "a\u226eb", 1), ("U+0387", "a\u0387b", 1), ("U+2329", "a\u2329b", 1), ("fullwidth symbols", "1\uff042\uff0b3", 1),
    ("euro", "5\u20ac 5$", 1), ("ASCII punctuation", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", 1), ("dashes", "a\u2014b\u2026c\u2019d", 1), ("section, middle dot", "\u00a71 a\u00b7b", 1),
    ("U+2E43, P since 9.0", "a\u2e43b", 1), ("U+166D, P in 8.0", "a\u166db", 1), ("U+111C9", "a\U000111c9b", 1),
    ("ideograph in Latin", "x\u4e2dy", 1), ("Chinese", "\u4e2d\u6587\u5b57", 1), ("U+3400 4DBF 4DC0", "a\u3400b\u4dbfc\u4dc0d", 1), ("U+9FFF A000", "a\u9fffb\ua000c", 1),
    ("U+F900 FA0E FB00", "a\uf900b\ufa0ec\ufb00d", 1), ("U+20000", "a\U00020000b", 1), ("U+2A6DF 2A6E0", "a\U0002a6dfb\U0002a6e0c", 1),
    ("U+2B820 2B91F 2B920", "a\U0002b820b\U0002b91fc\U0002b920d", 1), ("U+2CEAF 2CEB0", "a\U0002ceafb\U0002ceb0c", 1), ("U+2F800", "a\U0002f800b", 1), ("U+30000", "a\U00030000b", 1),
    ("kana and voiced mark", "\u3042\u3099", 1), ("voiced kana", "\u304c\u306e", 1), ("U+3005 3007", "\u4eba\u3005\u3007", 1), ("Hangul ends", "\uac00\ud7a3", 1),
    ("Cyrillic", "\u0439\u0451 \u041c\u043e\u0441\u043a\u0432\u0430", 1), ("Hebrew points", "\u05e9\u05b8\u05dc\u05d5\u05b9\u05dd", 1), ("Arabic", "\u0643\u0650\u062a\u064e\u0627\u0628 \u06a0", 1),
    ("Devanagari", "\u0928\u092e\u0938\u094d\u0924\u0947 \u0939\u093f", 1), ("Thai", "\u0e01\u0e31\u0e1a", 1), ("keycap", "1\ufe0f\u20e3", 1), ("variation selector", "\u2764\ufe0f", 1),
    ("family emoji", "\U0001f468\u200d\U0001f469\u200d\U0001f467", 1), ("flag", "\U0001f1e9\U0001f1ea", 1), ("new emoji", "a \U0001fae8 b", 1), ("Mn after 8.0 stays", "a\U0001e000b", 1),
    ("U+11938", "\U00011938", 1), ("new marks are sorted", "a\U0001e000\U0001e94ab e\u0301\U0001e94a", 1), ("marks of one letter share a place", "\u00e9\U0001e94a x", 1), ("only symbols", "\u00b0\u00a9\u00ae", 1), ("C1", "a\x80\x9fb", 1),
    ("mixed", "D\u00e9j\u00e0-vu: na\u00efve r\u00e9sum\u00e9, 3.14!", 1), ("German", "Stra\u00dfe \u00dcber \u00c4pfel", 1), ("Vietnamese", "Ti\u1ebfng Vi\u1ec7t", 1), ("contractions", "Can't won't I'll O'Neill", 1),
    ("long piece of marks", "z\u0323\u0307", 700),
]


def c_string(text):
    """A C literal; bytes outside plain ASCII in octal, which cannot run into the next character."""
    return '"' + "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in text.encode()) + '"'


def row(tokenizer, text):
    """"id:begin-end" of each token but [CLS] and [SEP]."""
    flat = expected(tokenizer.encode(text), [text])
    tokens = [flat[i:i + 5] for i in range(0, len(flat), 5)][1:-1]
    shown = [f"{t[0]}:{t[3]}-{t[4]}" for t in tokens]
    return '"' + " ".join(shown) + '"'


def main():
    tokenizers = [reference(ROOT / f"weights/bert-base-{c}/vocab.txt", c == "uncased") for c in ("uncased", "cased")]
    lines = ["/* Difficult texts and the tokens that Hugging Face's tokenizers 0.23.3 gives for them, as id:begin-end (bytes).",
             " * Generated by make_tokenizer_cases.py: do not edit. */",
             "static const struct {",
             "    const char *name, *text;",
             "    size_t length;                      /* bytes of text */",
             "    int times;                          /* how often it is repeated */",
             "    const char *uncased, *cased;        /* with the vocabularies of bert-base-uncased and bert-base-cased */",
             "} tokenizer_cases[] = {"]
    for name, text, times in CASES:
        rows = ",\n     ".join(row(t, text * times) for t in tokenizers)
        lines.append(f"    {{{c_string(name)}, {c_string(text)}, {len(text.encode())}, {times},\n     {rows}}},")
    lines.append("};")
    path = ROOT / "tests/golden/tokenizer_cases.h"
    path.write_text("\n".join(lines) + "\n")
    print(f"{path.name}: {len(CASES)} cases, {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
