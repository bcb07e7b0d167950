"""Is our reader of safetensors as strict as the format's own? The same damaged files for both; any difference must be
one of those that are meant, in the table DIFFERENCES below, each of which must occur.

    python3 tests/compare_safetensors.py          (after `make build/sweep`; needs the package safetensors)

 - every byte of the header of a small file, its length included, replaced by all 256 values;
 - files made by hand: each rule of the format broken, and the bugs that other readers had.

The reference is safetensors.deserialize, the Rust crate's reader, on the same bytes."""
import json
import os
import re
import subprocess
import sys
import tempfile

import safetensors

LIMIT = 100_000_000
OURS = {"F32": 4, "F64": 8, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


# ---------------------------------------------------------------------------------------------------------------------
# Differences that are meant: name, our verdict, how it is recognised in the header's text, and why
# ---------------------------------------------------------------------------------------------------------------------
def pairs(header):
    """Every object of the header as a list of (key, value), duplicates kept; None if it is no JSON."""
    objects = []

    def keep(members):
        objects.append(members)
        return dict(members)
    try:
        json.loads(header, object_pairs_hook=keep)
    except (ValueError, RecursionError):
        return None
    return objects


def duplicate(header):
    return any(len({k for k, _ in o}) < len(o) for o in pairs(header) or [])


def dtypes(header):
    return re.findall(r'"dtype"\s*:\s*"([^"]*)"', header)


DIFFERENCES = [
    ("white space before the brace", 0, lambda h: h[:1] in tuple(" \t\r\n"),
     "the format's README demands `{` first; the crate takes white space"),
    ("a name or key that is given twice", 0, duplicate,
     "the README forbids it; the crate keeps the last, so that two readers see two models"),
    ("a dtype that no BERT has", 0, lambda h: any(d not in OURS for d in dtypes(h)),
     "F8_*, F4, F6_*, U16, U32, U64, C64 are refused by name"),
    ("U+0000 in a name", 0, lambda h: "\\u0000" in h,
     "names are C strings here: two names could become one"),
    ("a number above 2^63 - 1", 0, lambda h: any(int(n) >= 2**63 for n in re.findall(r"\d{19,}", h)),
     "sizes are read as signed 64-bit integers; only a tensor without elements could have such a dimension"),
    ("more than 8 dimensions", 0, lambda h: any(s.count(",") > 7 for s in re.findall(r'"shape"\s*:\s*\[([^\]]*)\]', h)),
     "eight are enough for everything that has a name here"),
    ("__metadata__ is null", 0, lambda h: re.search(r'"__metadata__"\s*:\s*null', h),
     "the crate takes null for none; the README has an object of strings"),
    ("a tensor as an array", 0, lambda h: re.search(r'"\s*:\s*\[\s*"', h),
     "the crate's JSON library takes [dtype, shape, offsets] for the object; the README has no such form"),
    ("other keys, nested more than 32 deep", 0, lambda h: "[" * 33 in h,
     "the depth is bounded at 32 here, at 128 there"),
    ("a number that no double holds, under a key that nobody reads", 1, lambda h: "1e999" in h,
     "it is JSON, and is passed over; the crate's JSON library makes a double of it first"),
]


# ---------------------------------------------------------------------------------------------------------------------
# Files
# ---------------------------------------------------------------------------------------------------------------------
def make(header, data=b"", length=None):
    if isinstance(header, str):
        header = header.encode("utf-8", "surrogatepass")
    return (len(header) if length is None else length).to_bytes(8, "little") + header + data


def tensor(dtype="U8", shape=(1,), begin=0, end=1):
    return '{"dtype":"%s","shape":%s,"data_offsets":[%s,%s]}' % (dtype, json.dumps(list(shape)), begin, end)


def base_file():
    """Some of everything: metadata, an escape, a scalar, an empty tensor, several dtypes, padding."""
    header = ('{"__metadata__":{"format":"pt","a":"b\\n"},"bert.x":' + tensor("F32", (2, 3), 8, 32)
              + ',"ids":' + tensor("I64", (1,), 0, 8) + ',"h\\u00e9":' + tensor("BF16", (2,), 32, 36)
              + ',"none":' + tensor("F32", (0, 3), 36, 36) + ',"s":' + tensor("U8", (), 36, 37) + '}  ')
    return make(header, bytes(range(37)))


def hand_made():
    one, x = '{"x":' + tensor() + "}", '{"x":%s}'
    big = "18446744073709551615"
    shapes = ["[-1]", "[1.0]", "[1e0]", "[01]", "[-0]", '["1"]', "[null]", "[true]", "1", "null", "[1,]", "[,1]",
              "[[1]]", "[+1]",
              "[0x1]", "[4194305,4194305,211106198978564]", "[18446744073709551616]", "[%s]" % big, "[0,%s]" % big,
              "[9223372036854775807,2]", "[1,1,1,1,1,1,1,1]", "[1,1,1,1,1,1,1,1,1]", "[]", "[1 ]", "[\n1]", "[1\u00a0]"]
    offsets = ["[0]", "[0,1,1]", "[1,0]", "[1,2]", "[0,2]", "[0,0]", "[0,1.0]", "[-1,0]", "[0,9223372036854775808]",
               "[0,%s]" % big, "[%s,0]" % big, "{}", "null", '["0","1"]']
    names = ["x\\u0000", "\\u0000", "\\ud800", "\\ud83d\\ude00", "\\udc00\\ud800", "\\u001b[2J", "\x1b[2J", "\x7f",
             "\x00", "\\x41", "\\/",
             "", "é", "\ud800", "n" * 65536, "__metadata__ ", "__Metadata__"]
    lengths = [0, 1, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 8, 2**64 - 1, LIMIT - 1, LIMIT,
               LIMIT + 1,
               len(one) - 1, len(one) + 1]
    files = [b"", b"\0" * 7, b"\0" * 8, make("{}"), make("{}      "), make("{}\0"), make("{} x"), make("{}{}"),
             make("{"), make("["),
             make(" {}"), make("\n{}"), make("\ufeff{}"), make("[]"), make("null"), make("1"), make('"x"'), make("{}",
                                                                                                                 b"x"),
             make(one, b"a"), make(one, b""), make(one, b"ab"), make(one + " " * 5000, b"a"), make(one + "\t\r\n",
                                                                                                   b"a"),
             make(one.replace(":", " : "), b"a"), make(b'{"\xff":1}'), make(b'{"\xc0\x80":1}'), make('{"x":1}'),
                 make('{"x":[]}'),
             make('{"x":{}}'), make('{"x":null}'), make('{"x":["U8",[1],[0,1]]}', b"a")]
    files += [make(one, b"a", n) for n in lengths]
    files += [make(x % ('{"dtype":"U8","shape":%s,"data_offsets":[0,1]}' % s), b"a") for s in shapes]
    files += [make(x % ('{"dtype":"U8","shape":%s,"data_offsets":[0,0]}' % s)) for s in shapes]
    files += [make(x % ('{"dtype":"U8","shape":[1],"data_offsets":%s}' % o), b"a") for o in offsets]
    files += [make('{"%s":' % n + tensor() + "}", b"a") for n in names]
    for dtype in list(OURS) + ["F4", "F6_E2M3", "F6_E3M2", "F8_E4M3", "F8_E5M2", "F8_E8M0", "U16", "U32", "U64", "C64",
                               "f32", "F32 ", "",
                               "FLOAT", "STRING"]:
        files += [make(x % tensor(dtype, (2,), 0, n), b"a" * n) for n in (1, 2, 4, 8, 16)]
    for missing in ("dtype", "shape", "data_offsets"):
        entry = {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}
        del entry[missing]
        files.append(make(json.dumps({"x": entry}), b"a"))
        entry["more"] = 1
        files.append(make(json.dumps({"x": entry}), b"a"))
    two = '{"x":%s,"%s":%s}'
    for name in "xy":           # twice the name; holes, overlaps, orders
        for a, b, size in [((0, 1), (1, 2), 2), ((0, 1), (0, 1), 1), ((1, 2), (0, 1), 2), ((0, 1), (2, 3), 3), ((0, 0),
                                                                                                                (0, 0),
                                                                                                                    0),
                           ((0, 2), (1, 3), 3), ((0, 1), (1, 1), 1), ((0, 0), (0, 1), 1), ((0, 1), (0, 0), 1)]:
            text = two % (tensor("U8", (a[1] - a[0],), *a), name, tensor("U8", (b[1] - b[0],), *b))
            files.append(make(text, b"a" * size))
    files.append(make("{" + ",".join('"%d":' % i + tensor("F64", (2**60,), i * 2**63 // 9,
                                                          (i + 1) * 2**63 // 9) for i in range(9)) + "}", b"a"))
    for value in ('{"a":"b"}', "{}", "null", '{"a":1}', '{"a":null}', '{"a":["b"]}', "[]", '"x"', '{"a":"b","a":"c"}',
                  '{"a":"\\ud800"}',
                  '{"a":"\\u0000"}'):
        files.append(make('{"__metadata__":%s,"x":%s}' % (value, tensor()), b"a"))
    files.append(make('{"__metadata__":{},"__metadata__":{}}'))
    for extra in ('"more":[{}]', '"more":null', '"dtype":"U8"', '"shape":[1]', '"data_offsets":[0,1]', '"more":1e999',
                  '"more":-0.5E+3',
                  '"more":01', '"more":nul', '"more":"\\q"', '"more":' + "[" * 20 + "]" * 20,
                      '"more":' + "[" * 60 + "]" * 60,
                  '"more":' + "[" * 100000):
        files.append(make(x % (tensor()[:-1] + "," + extra + "}"), b"a"))
    return files


# ---------------------------------------------------------------------------------------------------------------------
# Comparing
# ---------------------------------------------------------------------------------------------------------------------
def reference(data):
    try:
        safetensors.deserialize(bytes(data))
        return 1
    except safetensors.SafetensorError:
        return 0


class Differences:
    def __init__(self):
        self.found = [0] * len(DIFFERENCES)
        self.others = []
        self.cases = self.accepted = 0

    def add(self, ours, data):
        theirs = reference(data)
        self.cases += 1
        self.accepted += ours
        if ours == theirs:
            return
        end = 8 + int.from_bytes(data[:8], "little")
        header = bytes(data[8:end]).decode("utf-8", "replace")
        for i, (_, verdict, recognise, _) in enumerate(DIFFERENCES):
            if verdict == ours and recognise(header):
                self.found[i] += 1
                return
        self.others.append((ours, theirs, header[:400]))


def main():
    sweep = os.path.join(os.path.dirname(__file__), "..", "build", "sweep")
    result = Differences()
    with tempfile.TemporaryDirectory() as directory:
        def put(name, data):
            path = os.path.join(directory, name)
            with open(path, "wb") as f:
                f.write(data)
            return path
        base = bytearray(base_file())
        lines = subprocess.run([sweep, "--bytes", put("base.safetensors", base)], check=True, text=True,
                               capture_output=True).stdout.split()
        assert len(lines) == 8 + int.from_bytes(base[:8], "little")
        for at, line in enumerate(lines):
            before = base[at]
            for value in range(256):
                base[at] = value
                result.add(int(line[value]), base)
            base[at] = before
        files = hand_made()
        paths = [put("%04d.safetensors" % i, data) for i, data in enumerate(files)]
        answers = subprocess.run([sweep, "--files", *paths], check=True, capture_output=True).stdout.splitlines()
        assert len(answers) == len(files)
        for answer, data in zip(answers, files):
            result.add(int(answer[:1]), data)
    print(f"{result.cases} files ({len(files)} by hand), {result.accepted} accepted here, "
          f"safetensors {safetensors.__version__}")
    for (name, verdict, _, why), n in zip(DIFFERENCES, result.found):
        print(f"  {n:6}  {'accepted' if verdict else 'refused '} here: {name} ({why})")
    for ours, theirs, header in result.others[:20]:
        print(f"  NOT MEANT: we say {ours}, they say {theirs}: {header!r}")
    unused = [name for (name, *_), n in zip(DIFFERENCES, result.found) if n == 0]
    for name in unused:
        print(f"  NEVER SEEN: {name}")
    print(f"{len(result.others)} differences that are not meant")
    return bool(result.others or unused)


if __name__ == "__main__":
    sys.exit(main())
