#!/usr/bin/env python3
"""make_seeds.py - writes the seeds of the fuzz corpora: files that are sound, and one for each way to be bad that a
reader of these formats has shipped with, so that a fuzzer starts where others were hit.

    make bert build/formula && python3 tests/fuzz/make_seeds.py            writes tests/fuzz/corpus/*/
    make bert build/formula && python3 tests/fuzz/make_seeds.py --check    exit 1 if a seed there is another

A seed's name says what it is; the files with 40 hexadecimal digits beside it were found by libFuzzer. Needs no package.
"""
import binascii
import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests/fuzz/corpus"
seeds = {}


def seed(target, name, data):
    assert (target, name) not in seeds and len(data) < 70000
    seeds[target, name] = data


def parts(options, *pieces):
    """fuzz.h: a byte of options, then each part behind its length."""
    return bytes([options]) + b"".join(struct.pack("<H", len(p)) + p for p in pieces)


# --------------------------------------------------------------------------------------------------------- safetensors
def safetensors(header, data=b"", length=None):
    """Length, header (an object or its text) and data."""
    if not isinstance(header, (bytes, str)):
        header = json.dumps(header, separators=(",", ":"))
    if isinstance(header, str):
        header = header.encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def tensors(items):
    """A sound file: (name, dtype, shape, bytes) one after another."""
    header, data = {}, b""
    for name, dtype, shape, values in items:
        header[name] = entry(dtype, shape, len(data), len(data) + len(values))
        data += values
    return safetensors(header, data)


def floats(n, start=0):
    return struct.pack("<%df" % n, *(((start + i) * 7 % 19 - 9) / 8 for i in range(n)))


def text_entry(name, dtype, shape, offsets):
    return '"%s":{"dtype":"%s","shape":%s,"data_offsets":%s}' % (name, dtype, shape, offsets)


def safetensors_seeds():
    def bad(name, *arguments):
        seed("fuzz_safetensors", name, safetensors(*arguments))
    one = text_entry("x", "F32", "[1]", "[0,4]")
    bad("empty-object", "{}")
    bad("empty-object-padded", "{}      ")
    bad("one", "{" + one + "}", floats(1))
    seed("fuzz_safetensors", "all-dtypes", tensors([
        ("i64", "I64", [2], struct.pack("<2q", 1, -1)), ("f64", "F64", [], struct.pack("<d", 0.1)),
        ("f32", "F32", [2, 3], floats(6)), ("i32", "I32", [1], b"\1\0\0\0"), ("f16", "F16", [3], bytes(range(6))),
        ("bf16", "BF16", [1, 1, 1], b"\x80\x3f"), ("i16", "I16", [1], b"\1\2"), ("i8", "I8", [1], b"\xff"),
        ("u8", "U8", [2], b"\0\1"), ("bool", "BOOL", [1], b"\1")]))
    seed("fuzz_safetensors", "metadata", safetensors(
        {"__metadata__": {"format": "pt", "a\"\\\n": "\u00e9\U0001f600"}, "x": entry("U8", [1], 0, 1)}, b"x"))
    seed("fuzz_safetensors", "eight-zero-bytes", bytes(8))
    seed("fuzz_safetensors", "seven-bytes", bytes(7))
    for name, length in (("2-31", 1 << 31), ("2-32", 1 << 32), ("2-63", 1 << 63), ("2-64-minus-1", (1 << 64) - 1),
                         ("2-64-minus-8", (1 << 64) - 8), ("limit", 100000000), ("limit-plus-1", 100000001),
                         ("one-short", 3)):
        seed("fuzz_safetensors", "length-" + name, safetensors("{}", length=length))
    bad("leading-space", " {}")
    bad("not-an-object", "[]")
    bad("data-after-the-object", "{} x")
    bad("name-twice-other-offsets", "{" + text_entry("x", "U8", "[1]", "[0,1]") + "," +
        text_entry("x", "U8", "[1]", "[1,2]") + "}", b"ab")
    bad("name-twice-same-offsets", "{" + text_entry("x", "U8", "[0]", "[0,0]") + "," +
        text_entry("x", "U8", "[0]", "[0,0]") + "}")
    bad("name-twice-by-escape", "{" + text_entry("x", "U8", "[1]", "[0,1]") + "," +
        text_entry("\\u0078", "U8", "[1]", "[1,2]") + "}", b"ab")
    bad("key-twice", '{"x":{"dtype":"F32","dtype":"U8","shape":[1],"data_offsets":[0,4]}}', bytes(4))
    bad("hole", "{" + text_entry("x", "U8", "[1]", "[0,1]") + "," + text_entry("y", "U8", "[1]", "[2,3]") + "}", b"abc")
    bad("hole-at-the-beginning", "{" + text_entry("x", "U8", "[1]", "[1,2]") + "}", b"ab")
    bad("overlap", "{" + text_entry("x", "U8", "[2]", "[0,2]") + "," + text_entry("y", "U8", "[2]", "[1,3]") + "}",
        b"abc")
    bad("trailing-byte", "{" + one + "}", bytes(5))
    bad("cut-off", "{" + one + "}", bytes(3))
    bad("backwards", "{" + text_entry("x", "F32", "[1]", "[4,0]") + "}", bytes(4))
    bad("misaligned", "{" + text_entry("a", "U8", "[1]", "[0,1]") + "," + text_entry("x", "F64", "[1]", "[1,9]") + "}",
        bytes(9))
    bad("zero-size-pair", "{" + text_entry("x", "F32", "[0]", "[0,0]") + "," +
        text_entry("y", "U8", "[3,0]", "[0,0]") + "," + text_entry("z", "U8", "[1]", "[0,1]") + "}", b"z")
    bad("product-is-4-modulo-2-64", "{" + text_entry("x", "U8", "[4194305,4194305,211106198978564]", "[0,4]") + "}",
        bytes(4))
    bad("bytes-are-4-modulo-2-64", "{" + text_entry("x", "F32", "[4611686018427387905]", "[0,4]") + "}", bytes(4))
    bad("zero-times-everything", "{" + text_entry("x", "F32", "[0,9223372036854775807,9223372036854775807]", "[0,0]") +
        "}")
    part = 1 << 61
    bad("nine-tensors-sum-to-2-64", "{" + ",".join(
        text_entry(str(i), "U8", "[%d]" % part, "[%d,%d]" % (i * part % (1 << 64), (i + 1) * part % (1 << 64)))
        for i in range(9)) + "}")
    for name, shape in (("minus-one", "[-1]"), ("float", "[1.0]"), ("exponent", "[1e3]"), ("minus-zero", "[-0]"),
                        ("octal", "[01]"), ("string", '["1"]'), ("2-63", "[9223372036854775808]"),
                        ("nine-dimensions", "[1,1,1,1,1,1,1,1,1]"), ("null", "null"), ("nested", "[[1]]")):
        bad("shape-" + name, "{" + text_entry("x", "F32", shape, "[0,4]") + "}", bytes(4))
    for name, offsets in (("one", "[0]"), ("three", "[0,4,4]"), ("beyond", "[0,8]"),
                          ("2-63-minus-1", "[0,9223372036854775807]")):
        bad("offsets-" + name, "{" + text_entry("x", "F32", "[1]", offsets) + "}", bytes(4))
    for dtype in ("F4", "F8_E4M3", "U64", "f32", ""):
        bad("dtype-" + (dtype or "empty"), "{" + text_entry("x", dtype, "[1]", "[0,4]") + "}", bytes(4))
    bad("lone-surrogate", '{"\\ud800":{}}')
    bad("surrogate-pair", "{" + text_entry("\\ud83d\\ude00", "U8", "[1]", "[0,1]") + "}", b"a")
    bad("invalid-utf-8", b'{"\xff":{}}')
    bad("long-name", "{" + text_entry("n" * 3000, "U8", "[2]", "[0,1]") + "}", b"a")
    bad("name-with-nul", '{"a\\u0000b":{}}')
    bad("name-with-escape", "{" + text_entry("\\u001b[2J\\u009b", "U8", "[2]", "[0,1]") + "}", b"a")
    bad("metadata-number", '{"__metadata__":{"a":1}}')
    bad("metadata-twice", '{"__metadata__":{},"__metadata__":{}}')
    bad("depth-32", '{"x":{"y":' + "[" * 30 + "]" * 30 + "}}")
    bad("depth-1000", '{"x":{"y":' + "[" * 1000)
    bad("spaces", "{" + " " * 2000 + "}")


# --------------------------------------------------------------------------------------------------------------- shards
WORDS = "embeddings.word_embeddings.weight"


def shard_index(**weight_map):
    return json.dumps({"metadata": {"total_size": 8}, "weight_map": weight_map}, separators=(",", ":")).encode()


def shard_seeds():
    one, two = "s-1.safetensors", "s-2.safetensors"
    first, second = (tensors([(name, "F32", [1], floats(1))]) for name in "ab")
    empty = safetensors("{}")

    def pair(name, index, s1=first, s2=second, options=0):
        seed("fuzz_shards", name, parts(options, index, s1, s2))
    pair("two", shard_index(a=one, b=two))
    pair("one", shard_index(a=one))
    pair("none", shard_index())
    pair("in-another-shard", shard_index(a=two, b=one))
    pair("name-twice", shard_index(a=one)[:-2] + b',"a":"s-2.safetensors"}}', first, first)
    pair("tensor-that-the-index-lacks", shard_index(b=two, c=one), tensors([(n, "U8", [1], b"x") for n in "cd"]))
    pair("tensor-that-the-shard-lacks", shard_index(a=one, b=two, c=two))
    pair("path-upwards", shard_index(a="../" + one, b=two))
    pair("path-absolute", shard_index(a="/etc/passwd"))
    pair("itself", shard_index(a="m.index.json"))
    pair("missing", shard_index(a="s-3.safetensors"))
    pair("name-empty", shard_index(a=""))
    pair("name-with-escape", shard_index(**{"\x1b[2J": one}))
    pair("shard-is-a-number", b'{"weight_map":{"a":1}}')
    pair("no-map", b'{"metadata":{}}')
    pair("map-twice", b'{"weight_map":{"a":"s-1.safetensors"},"weight_map":{"b":"s-2.safetensors"}}')
    pair("many-shards", shard_index(**{str(i): "s-%d.safetensors" % i for i in range(300)}))
    pair("cut", shard_index(a=one)[:-1])
    pair("second-is-empty", shard_index(a=one, b=two), s2=empty)
    for prefix in ("", "bert.", "module.", "module.bert.", "_orig_mod.distilbert.", "x", "x." * 199, "x." * 201):
        whole = tensors([(prefix + WORDS, "F32", [1], floats(1)), ("a", "U8", [1], b"x")])
        name = prefix if len(prefix) < 100 else "%d-bytes" % len(prefix)
        pair("prefix-" + (name.rstrip(".") or "none"), b"", whole, empty, 1)
    for a, b in (("student.", "teacher."), ("", "bert."), ("bert.", "teacher.")):
        both = tensors([(p + WORDS, "F32", [1], floats(1)) for p in (a, b)])
        pair("two-models-" + (a + b).replace(".", ""), b"", both, empty, 1)
    halves = [tensors([(p + WORDS, "F32", [1], floats(1))]) for p in ("module.", "other.")]
    pair("two-models-in-two-shards", shard_index(**{"module." + WORDS: one, "other." + WORDS: two}), *halves)


# --------------------------------------------------------------------------------------------------------------- bundle
def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def field(number, value):
    """A protocol buffer's field: an integer, or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(entries, restarts=struct.pack("<II", 0, 1)):
    """Contents: (key, value) pairs, sharing what they can with the key before."""
    out, before = b"", b""
    for key, value in entries:
        shared = len(os.path.commonprefix([before, key]))
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return out + restarts


def index(blocks, kind=0, meta=None, magic=b"\x57\xfb\x80\x8b\x24\x75\x47\xdb", handle=None):
    """The file around data blocks that are ready: (last key, contents)."""
    out, pointers = b"", []

    def append(contents, kind=0):
        nonlocal out
        where = varint(len(out)) + varint(len(contents))
        out += contents + bytes([kind]) + masked(contents + bytes([kind]))
        return where
    for key, contents in blocks:
        pointers.append((key, append(contents, kind)))
    footer = append(block([]) if meta is None else meta)
    footer += append(block([(k, handle or p) for k, p in pointers]))
    return out + footer.ljust(40, b"\0") + magic


def header(shards=1, endian=0, consumer=0):
    return (field(1, shards) if shards else b"") + (field(2, endian) if endian else b"") + \
        field(3, field(1, 1) + (field(2, consumer) if consumer else b""))


def variable(shape, offset, data, kind=1, shard=0, extra=b"", size=None, dims=None):
    dims = b"".join(field(2, field(1, d)) for d in shape) if dims is None else dims
    return field(1, kind) + field(2, dims) + (field(3, shard) if shard else b"") + field(4, offset) + \
        field(5, len(data) if size is None else size) + b"\x35" + masked(data) + extra


H, F, V, P, S = 4, 5, 7, 3, 2


def checkpoint_variables(layers=1, H=H):
    layer = {"attention/self/query/kernel": (H, H), "attention/self/query/bias": (H,),
             "attention/self/key/kernel": (H, H), "attention/self/key/bias": (H,),
             "attention/self/value/kernel": (H, H), "attention/self/value/bias": (H,),
             "attention/output/dense/kernel": (H, H), "attention/output/dense/bias": (H,),
             "attention/output/LayerNorm/gamma": (H,), "attention/output/LayerNorm/beta": (H,),
             "intermediate/dense/kernel": (H, F), "intermediate/dense/bias": (F,),
             "output/dense/kernel": (F, H), "output/dense/bias": (H,),
             "output/LayerNorm/gamma": (H,), "output/LayerNorm/beta": (H,)}
    v = {"bert/embeddings/word_embeddings": (V, H), "bert/embeddings/token_type_embeddings": (S, H),
         "bert/embeddings/position_embeddings": (P, H), "bert/embeddings/LayerNorm/gamma": (H,),
         "bert/embeddings/LayerNorm/beta": (H,), "bert/pooler/dense/kernel": (H, H), "bert/pooler/dense/bias": (H,)}
    for l in range(layers):
        v.update({"bert/encoder/layer_%d/%s" % (l, k): s for k, s in layer.items()})
    return v


HEADS = {"cls/predictions/transform/dense/kernel": (H, H), "cls/predictions/transform/dense/bias": (H,),
         "cls/predictions/transform/LayerNorm/gamma": (H,), "cls/predictions/transform/LayerNorm/beta": (H,),
         "cls/predictions/output_bias": (V,), "cls/seq_relationship/output_weights": (2, H),
         "cls/seq_relationship/output_bias": (2,)}


def checkpoint(variables, shared=b"", **more):
    """Index and data of a checkpoint with these shapes, ten variables a block; `shared`: all of them in one place."""
    data, entries = shared or b"x", [(b"", header())]
    for name in sorted(variables, key=str.encode):
        count = 1
        for n in variables[name]:
            count *= n
        values = data[:4 * count] if shared else floats(count, len(data))
        entries.append((name.encode(), variable(variables[name], 0 if shared else len(data), values)))
        data += b"" if shared else values
    blocks = [(entries[i:i + 10][-1][0], block(entries[i:i + 10])) for i in range(0, len(entries), 10)]
    return index(blocks, **more), data


def bundle_seeds():
    config = json.dumps({"hidden_size": H, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": F,
                         "vocab_size": V, "max_position_embeddings": P, "type_vocab_size": S,
                         "hidden_act": "gelu"}).encode()
    whole, data = checkpoint(checkpoint_variables())
    seed("fuzz_bundle", "encoder-and-pooler", parts(4, whole, data, config))
    seed("fuzz_bundle", "all-heads", parts(4, *checkpoint({**checkpoint_variables(), **HEADS}), config))
    seed("fuzz_bundle", "from-tf-hub", parts(4, *checkpoint(
        {"module/" + k: s for k, s in checkpoint_variables().items()}), config))
    seed("fuzz_bundle", "optimizer", parts(4, *checkpoint(
        {**checkpoint_variables(), "bert/pooler/dense/bias/adam_m": (H,), "global_step": ()}), config))
    seed("fuzz_bundle", "half-a-head", parts(4, *checkpoint(
        {**checkpoint_variables(), "cls/predictions/output_bias": (V,)}), config))
    seed("fuzz_bundle", "layer-missing", parts(4, *checkpoint(checkpoint_variables(0)), config))
    wide = checkpoint_variables(1, 64)              # heads of 64; without a bias, for a whole one is slow to convert
    del wide["bert/encoder/layer_0/output/dense/bias"]
    seed("fuzz_bundle", "sizes-from-shapes", parts(0, *checkpoint(wide, floats(64 * 64)), b""))

    none = {**checkpoint_variables(0, 64), "bert/encoder/layer_0/intermediate/dense/kernel": (64, F)}
    seed("fuzz_bundle", "no-layers-but-sizes", parts(0, *checkpoint(none, floats(64 * 64)), b""))

    x = floats(2)
    good = variable([2], 0, x)

    def small(name, *entries, options=0, head=header(), data=x, **more):
        contents = block([(b"", head), *entries])
        seed("fuzz_bundle", name, parts(options, index([(b"z", contents)], **more), data, b""))
    small("one-variable", (b"a", good))
    small("two-shards", (b"a", good), (b"b", variable([2], 0, x, shard=1)), head=header(2), options=1)
    small("magic-off-by-one-bit", (b"a", good), magic=b"\x57\xfb\x80\x8b\x24\x75\x47\xda")
    small("handle-past-the-end", (b"a", good), handle=varint(1 << 20) + varint(10))
    small("handle-2-64-minus-1", (b"a", good), handle=varint((1 << 64) - 1) + varint((1 << 64) - 1))
    small("snappy", (b"a", good), kind=1)
    small("unknown-compression", (b"a", good), kind=7)
    small("big-endian", (b"a", good), head=header(endian=1))
    small("newer", (b"a", good), head=header(consumer=2))
    small("no-shards", (b"a", good), head=header(0))
    small("10-9-shards", (b"a", good), head=header(10 ** 9))
    small("99999-shards", (b"a", good), head=header(99999))
    small("two-headers", (b"", header()))
    small("names-descend", (b"b", good), (b"a", good))
    small("name-with-nul", (b"\0a", good))
    small("name-with-escape", (b"\x1b[2J", variable([3], 0, x)))
    small("dimension-minus-one", (b"a", variable([(1 << 64) - 1], 0, x)))
    small("dimension-named", (b"a", variable([], 0, x, dims=field(2, field(1, 2) + field(2, b"rows")))))
    small("unknown-rank", (b"a", variable([], 0, x, dims=field(3, 1))))
    small("nine-dimensions", (b"a", variable([1] * 9, 0, x)))
    small("product-is-4-modulo-2-64", (b"a", variable([4194305, 4194305, 211106198978564], 0, x)))
    small("shard-is-num-shards", (b"a", variable([2], 0, x, shard=1)))
    small("offset-and-size-2-63", (b"a", variable([2], 1 << 62, x, size=1 << 62, kind=7)))
    small("size-does-not-fit", (b"a", variable([3], 0, x)))
    small("wrong-checksum", (b"a", good), data=floats(2, 1))
    small("cut-data", (b"a", good), data=x[:7])
    small("slices", (b"a", variable([2], 0, x, extra=field(7, b""))))
    small("unknown-field", (b"a", variable([2], 0, x, extra=field(99, 1) + field(98, b"abc"))))
    small("field-0", (b"a", good + b"\0"))
    small("group", (b"a", good + b"\x0b\x0c"))
    small("varint-of-11-bytes", (b"a", b"\x08" + b"\x80" * 10 + b"\1"))
    small("length-beyond", (b"a", b"\x12\x7f"))
    small("length-2-32-plus-2", (b"a", b"\x12" + varint((1 << 32) + 2) + b"\x62\x7f"))

    def raw(name, contents):
        seed("fuzz_bundle", name, parts(0, index([(b"z", contents)]), x, b""))
    start = block([(b"", header())], b"")
    restart = struct.pack("<II", 0, 1)
    raw("shared-beyond-the-key", start + b"\5\1\0a" + restart)
    raw("sum-is-3-modulo-2-32", start + b"\0" + varint((1 << 32) - 1) + b"\4a" + restart)
    raw("value-of-2-32-plus-2", start + b"\0\1" + varint((1 << 32) + 2) + b"a\x62\x7f" + restart)
    raw("name-of-2-32-plus-1", start + b"\0" + varint((1 << 32) + 1) + b"\1aa" + restart)
    raw("value-of-2-64-minus-1", start + b"\0\1" + varint((1 << 64) - 1) + b"a" + restart)
    raw("no-restarts", start + struct.pack("<I", 0))
    raw("2-30-restarts", start + struct.pack("<I", 1 << 30))
    raw("restarts-fill-the-block", bytes(16) + struct.pack("<I", 4))
    raw("long-name", start + block([(b"n" * 1001, good)]))
    seed("fuzz_bundle", "same-block-twice", parts(0, index(
        [(b"a", block([(b"", header())])), (b"b", block([])), (b"c", block([]))]), x, b""))
    seed("fuzz_bundle", "blocks-overlap", parts(0, index([(b"a", block([(b"", header())])), (b"b", block([]))],
                                                         handle=varint(0) + varint(len(block([(b"", header())])))), x,
                                                         b""))
    seed("fuzz_bundle", "no-entries", parts(0, index([]), x, b""))
    seed("fuzz_bundle", "not-an-index", parts(0, b"\x80\2}q\0X" * 9, b"", b""))
    seed("fuzz_bundle", "47-bytes", parts(0, whole[-47:], b"", b""))


# --------------------------------------------------------------------------------------------------------------- config
CONFIG = {"architectures": ["BertModel"], "model_type": "bert", "num_hidden_layers": 1, "hidden_size": 4,
          "num_attention_heads": 2, "intermediate_size": 5, "vocab_size": 12, "max_position_embeddings": 6,
          "type_vocab_size": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12, "is_decoder": False,
          "position_embedding_type": "absolute", "torch_dtype": None}


def config_seeds():
    def text(kind, name, content):
        if not isinstance(content, (bytes, str)):
            content = json.dumps(content)
        seed("fuzz_config", name, bytes([kind]) + (content if isinstance(content, bytes) else content.encode()))
    text(0, "config", CONFIG)
    text(0, "config-distilbert", {"architectures": ["DistilBertForTokenClassification"], "model_type": "distilbert", "dim": 4,
                                  "n_layers": 1, "n_heads": 2, "hidden_dim": 5, "vocab_size": 12, "activation": "gelu",
                                  "max_position_embeddings": 6, "hidden_size": 4})
    text(7, "labels", {"id2label": {"1": "b", "0": "a\u001b", "2": 7}, "label2id": {"Entail": "1", "a": 0}, "num_labels": 3,
                       "problem_type": "multi_label_classification", "sentence_transformers": {"activation_fn": None},
                       "sbert_ce_default_activation_function": "torch.nn.Sigmoid"})
    text(7, "labels-equal", {"id2label": {"0": "a", "1": "a"}, "label2id": {}})
    text(7, "labels-hole", {"id2label": {"0": "a", "2": "b"}})
    text(7, "labels-number", {"num_labels": 1 << 20, "id2label": None})
    text(7, "labels-key-2-32", {"id2label": {"4294967296": "a"}})
    for key, value in (("hidden_size", 0), ("hidden_size", -4), ("hidden_size", 5), ("num_hidden_layers", 10 ** 9),
                       ("num_attention_heads", 0), ("vocab_size", 1 << 31), ("hidden_act", "relu"),
                       ("hidden_act", "gelu_new"),
                       ("model_type", "roberta"), ("layer_norm_eps", -1), ("is_decoder", True), ("hidden_size", "4"),
                       ("position_embedding_type", "relative_key"), ("max_position_embeddings", None),
                       ("type_vocab_size", [2])):
        text(0, "config-%s-%s" % (key, str(value).strip("[]") or "empty"), {**CONFIG, key: value})
    plain = json.dumps(CONFIG)
    for name, value in (("768.0", "4.0"), ("1e3", "4e0"), ("007", "007"), ("minus-zero", "-0"),
                        ("2-63", "9223372036854775808"),
                        ("long", "4" * 70), ("nan", "NaN")):
        text(0, "config-integer-" + name, plain.replace('"hidden_size": 4', '"hidden_size": ' + value))
    text(0, "config-eps-1e999", plain.replace("1e-12", "1e999"))
    text(0, "config-eps-denormal", plain.replace("1e-12", "4.9e-324"))
    text(0, "config-key-twice", plain.replace('"hidden_size": 4', '"hidden_size": 8, "hidden_size": 4'))
    text(0, "config-key-by-escape", plain.replace("hidden_size", "hidden\\u005fsize"))
    text(0, "config-key-missing", {k: v for k, v in CONFIG.items() if k != "vocab_size"})
    text(0, "config-bom", b"\xef\xbb\xbf" + plain.encode())
    text(0, "config-long-key", {**CONFIG, "k" * 300: 1})
    text(1, "tokenizer-config", {"do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": False,
                                 "x": [1, {}]})
    text(1, "tokenizer-config-string", {"do_lower_case": "true"})
    text(1, "tokenizer-config-number", {"do_lower_case": 1})
    pooling = {"word_embedding_dimension": 384, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True,
               "pooling_mode_max_tokens": False, "pooling_mode_mean_sqrt_len_tokens": False}
    text(2, "pooling", pooling)
    text(2, "pooling-two", {**pooling, "pooling_mode_cls_token": True})
    text(2, "pooling-none", {**pooling, "pooling_mode_mean_tokens": False})
    text(2, "pooling-last", {**pooling, "pooling_mode_lasttoken": True})
    text(2, "pooling-unknown", {**pooling, "pooling_mode_median": True})
    text(2, "pooling-by-name", {"pooling_mode": "max"})
    text(2, "pooling-by-names", {"pooling_mode": ["weightedmean", "mean_sqrt_len_tokens", "cls"], "include_prompt": False})
    modules = [{"idx": i, "name": str(i), "path": "", "type": "sentence_transformers.models." + t}
               for i, t in enumerate(("Transformer", "Pooling", "Normalize"))]
    text(3, "modules", modules)
    text(3, "modules-dense", [*modules[:2], {**modules[2], "path": "2_Dense", "type": "sentence_transformers.models.Dense"}])
    text(3, "modules-upwards", [{**modules[0], "path": "a/../.."}, *modules[1:]])
    text(3, "modules-name-twice", [modules[0], modules[0]])
    text(3, "modules-not-the-library", [{**modules[0], "type": "own.Transformer"}])
    text(3, "modules-object", {"0": modules[0]})
    text(3, "modules-empty", [])
    text(5, "prompts", {"prompts": {"query": "find: ", "document": ""}, "default_prompt_name": "query"})
    text(5, "prompts-none", {"prompts": {"query": None}, "default_prompt_name": None})
    text(5, "prompts-unknown", {"prompts": {"a": "b"}, "default_prompt_name": "c"})
    text(5, "settings", {"truncate_dim": 2, "similarity_fn_name": "euclidean", "max_active_dims": None, "prompts": {}})
    text(5, "settings-no-name", {"truncate_dim": 16777216, "similarity_fn_name": "maxsim"})
    text(5, "settings-0", {"truncate_dim": 0})
    text(8, "pairs-settings", {"activation_fn": "torch.nn.modules.linear.Identity", "prompts": {"a": "b", "c": ""}})
    text(8, "pairs-default-prompt", {"activation_fn": None, "prompts": {"a": "b"}, "default_prompt_name": "a"})
    text(9, "pairs-text", {"max_seq_length": 256, "transformer_task": "sequence-classification", "module_output_name": "scores",
                           "modality_config": {"text": {"method": "forward", "method_output_name": "logits"}}})
    text(10, "pairs-modules", [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.cross_encoder.modules.Transformer"}])
    text(10, "pairs-modules-two", [{"name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                                   {"name": "1", "path": "1", "type": "sentence_transformers.models.Dense"}])
    text(11, "class-of-config", {"tokenizer_class": "DistilBertTokenizer", "hidden_size": 4})
    text(11, "class-of-config-cut", '{"tokenizer_class": "BertTokenizer", "hidden_')
    text(11, "class-of-config-other", {"tokenizer_class": "BertJapaneseTokenizer"})
    text(1, "tokenizer-config-names", {"model_input_names": ["input_ids", "attention_mask"], "tokenizer_class": "BertTokenizer"})
    text(6, "text", {"max_seq_length": 256, "do_lower_case": False})
    text(6, "text-new", {"transformer_task": "feature-extraction", "module_output_name": "token_embeddings", "modality_config":
                         {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}, "query_length": None})
    text(6, "text-arguments", {"max_seq_length": None, "model_args": {}, "tokenizer_args": {"model_max_length": 8}})
    text(6, "text-refused", {"model_args": {"dtype": "float16"}})
    for i, t in enumerate(('{"a":[1,[2,{"c":null}],true,false]}',
                           '{"a":-0.5e+10,"b":"\\u0041\\ud83d\\ude00\\"\\\\\\/\\b\\f\\n\\r\\t"}',
                           '{"":{}}', '{"a":[1,]}', '{"a":"\\ud800"}', '{"a":"\\u0000"}', '{"a":tru}', '{"a":1.}',
                           '{"a":1 "b":2}',
                           '{"a":' + "[" * 31 + "]" * 31 + "}", '{"a":' + "[" * 3000, '{"a":{]}', "", "{",
                           '{"a":"\\x"}')):
        text(4, "json-%02d" % i, t)
    text(4, "json-number-of-70-digits", '{"a":1.' + "0" * 68 + "}")
    text(4, "json-overlong", b'{"a":"\xc0\x80"}')
    text(4, "json-surrogate", b'{"a":"\xed\xa0\x80"}')
    text(4, "json-control", b'{"a":"\n"}')


# ------------------------------------------------------------------------------------------------ vocabulary, tokenizer
SPECIAL = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"


def vocab_seeds():
    for name, text in (
            ("small", SPECIAL + "the\ncaf\n##e\ncafe\n'\ns\nx\ny\n,\n##ing\n##g\nun\n##aff\n##able\na\n.\n"),
            ("cased", SPECIAL + "The\nA\n\u00c9\n##\u00e9\n"),
            ("ideographs", SPECIAL + "\u4e2d\n\u6587\n\u1100\n##\u1161\n##\u11a8\n"),
            ("crlf", (SPECIAL + "a\nb\n").replace("\n", "\r\n")), ("bom", "\ufeff" + SPECIAL),
            ("no-final-newline", SPECIAL + "a"),
            ("empty-lines", SPECIAL + "\n\n\na\n\n"), ("empty", ""), ("only-newlines", "\n" * 100),
            ("twice", SPECIAL + "a\na\na\n"),
            ("special-twice", SPECIAL + SPECIAL), ("no-unk", SPECIAL.replace("[UNK]\n", "")),
            ("no-mask", SPECIAL.replace("[MASK]\n", "")),
            ("nul", SPECIAL + "a\0b\n\0\n"), ("white", SPECIAL + "a \t\nb\u00a0\u3000\n \n\u2028\nc\u0085d\n"),
            ("hashes", SPECIAL + "#\n##\n###\n####\n##a\n"), ("escape", SPECIAL + "\x1b[2J\n"),
            ("long", SPECIAL + "a" * 600 + "\n##" + "b" * 600),
            ("bytes-of-one-piece", SPECIAL + "".join("a" * i + "\n##" + "a" * i + "\n" for i in range(1, 40)))):
        seed("fuzz_vocab", name, text.encode())
    seed("fuzz_vocab", "invalid-utf-8", SPECIAL.encode() + b"a\n\xc3\n")
    seed("fuzz_vocab", "cut-character", SPECIAL.encode() + b"\xe4\xb8")


def piece_seeds():
    """The files of a tokenizer, and a text."""
    def added(number, content, **flags):
        return {"id": number, "content": content, "special": False, "normalized": False, **flags}
    place = lambda kind, name, segment: {kind: {"id": name, "type_id": segment}}
    five = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    pieces = five + ["the", "cat", "##s", "e"]
    single = [place("SpecialToken", "[CLS]", 0), place("Sequence", "A", 0), place("SpecialToken", "[SEP]", 0)]
    whole = {
        "added_tokens": [added(i, t, special=True) for i, t in enumerate(five)] +
                        [added(9, "[E1]", special=True, lstrip=True), added(10, "Caf\u00e9", normalized=True, single_word=True),
                         added(11, "xx", normalized=True, lstrip=True, rstrip=True), added(12, "<r>", rstrip=True)],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None,
                       "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "TemplateProcessing", "single": single,
                           "pair": single + [place("Sequence", "B", 1), place("SpecialToken", "[SEP]", 1)],
                           "special_tokens": {t: {"id": t, "ids": [i], "tokens": [t]} for i, t in ((2, "[CLS]"), (3, "[SEP]"))}},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100,
                  "vocab": {t: i for i, t in enumerate(pieces)}}}
    text = "The [E1]cats <r>  caf\u00e9 XX \u4e2d[MASK] e\u0301"

    def one(name, whole=None, lines=None, config=None, names=None, tokens=None, options=0):
        files = [json.dumps(x, separators=(",", ":")) if x is not None else "" for x in (whole, config, names, tokens)]
        vocabulary = "\n".join(lines) + "\n" if lines else ""
        order = [files[0], vocabulary, *files[1:], text]
        seed("fuzz_pieces", name, parts(options, *(x.encode() for x in order)))
    one("json", whole)
    one("json-and-lines", whole, pieces, options=2)
    one("json-and-other-lines", whole, pieces[::-1])
    one("whole", whole, config={"tokenizer_class": "TokenizersBackend", "mask_token": "[MASK]"})
    one("bert-processing", {**whole, "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]}},
        config={"tokenizer_class": "PreTrainedTokenizerFast"})
    one("holes", {**whole, "model": {**whole["model"], "vocab": {"[UNK]": 1, "[CLS]": 2, "[SEP]": 300}}, "added_tokens": []})
    one("lines", None, pieces)
    one("lines-and-tokens", None, pieces, {"do_lower_case": False, "truncation_side": "left", "model_max_length": 9,
                                           "extra_special_tokens": ["[E1]"], "my_token": "xx"})
    one("decoder", None, pieces, {"added_tokens_decoder": {"9": {"content": "[E1]", "lstrip": True}, "4": {"content": "[MASK]"}}})
    one("map", None, pieces, None, {"cls_token": {"content": "[CLS]"}, "mask_token": None, "additional_special_tokens": ["[E1]"]},
        {"[E1]": 9, "xx": 10}, options=1)
    one("other-class", None, pieces, {"tokenizer_class": "BertJapaneseTokenizer"})
    one("nothing-else")


def tokenizer_seeds():
    c, p, bare, truncate, pad, pair, limit, trace = (1 << i for i in range(8))

    def text(name, options, content, most=20, cut=128):
        content = content if isinstance(content, bytes) else content.encode()
        seed("fuzz_tokenizer", name, bytes([options, most - 1, cut]) + content)
    for name, t in (
            ("words", "After stealing money from the bank vault, the bank robber was seen fishing."), ("empty", ""),
            ("spaces", " \t\n\r "),
            ("controls", "a\0b a\x0bb a\x0cb a\x1cb a\u0085b \x7f"), ("white", "a\u00a0b\u2028c\u2029d\u3000e\u1680f"),
            ("deleted", "a\ufffdb\u200bc\u200dd\ufeffe\u00adf\u202eg\U000e0041h\uf059i\u180ej"),
            ("unassigned", "\u0378\ufdd0\uffff\U0010ffff\u08e2\U00013430\U0001fae8\U0001e000"),
            ("special", "[CLS] x[MASK]y [mask] [[MASK]] [MASK [UNK] [unused0] [PAD] a [SEP] [MA\u00adSK]"),
            ("hashes", "##ing a##b ## # ###"), ("100-letters", "a" * 100), ("101-letters", "a" * 101),
            ("100-accents", "\u00e9" * 100), ("100-decomposed", "e\u0301" * 100), ("34-syllables", "\uac01" * 34),
            ("33-syllables", "\uac01" * 33), ("100-emoji", "\U0001f600" * 100),
            ("word-with-an-unknown", "a" * 99 + "\u0378"),
            ("dots", "." * 300),
            ("accents", "\u00c9 E\u0301 \u0301a \u0301\u0300 a\u0315\u0300 \U0001d165\U0001d16d \u1e69"),
            ("case", "\u0130 \u0131 \u039f\u0394\u039f\u03a3 \u1f88 \u212a \u212b \u2126 "
             "\u017f \u00df\u1e9e \u01c5 \uff21 \u023a"),
            ("punctuation", "\u037e \u1fef \u2260 \u226e \u0387 \u2329 "
             "\uff04\uff0b \u20ac \u2014\u2026\u2019 \u00a7\u00b7 \u2e43 \u166d"),
            ("ascii-punctuation", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
            ("ideographs",
             "x\u4e00y \u3400\u4dbf\u4dc0 \u9fff\ua000 \uf900\ufa0e\ufb00 \U00020000\U0002a6df\U0002a6e0"),
            ("ideographs-beyond", "\U0002b820\U0002b91f\U0002b920\U0002ceaf\U0002ceb0\U0002f800\U00030000"),
            ("kana", "\u3042\u3099 \u304c \u3005\u3007 \uac00\ud7a3"),
            ("scripts", "\u0439\u0451 \u05e9\u05c1 \u0628\u064e\u06a0 \u0915\u094d\u093e \u0e01\u0e31"),
            ("emoji", "1\u20e3 \u2764\ufe0f \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea"),
            ("mark-sorted-to-the-front", "\u03b1" + "\u0301" * 10 + "\U0001e94a"),
            ("marks-to-sort", "a" + "\u0301\u0323\U0001e944\U0001e94a" * 20)):
        text(name, trace, t)
        text(name + "-cased", c | bare, t)
    text("crlf", p | trace, "a\r\nb\r\n")
    text("special-plain", p | trace, "x[MASK]y [SEP]")
    for name, t in (("c0-80", b"a\xc0\x80"), ("e0-80-80", b"\xe0\x80\x80"), ("surrogate", b"\xed\xa0\x80"),
                    ("above", b"\xf4\x90\x80\x80"),
                    ("f8", b"\xf8\x88\x80\x80\x80"), ("lone-80", b"a\x80"), ("cut-at-end", b"a\xe4\xb8"),
                    ("cut-before-lf", b"\xc3\n"),
                    ("utf-16", "\ufeffab".encode("utf-16"))):
        text("invalid-" + name, 0, t)
    many = "the cat sat on the mat . " * 6
    text("too-long", limit, many)
    text("truncated", limit | truncate, many)
    text("padded", limit | pad, "a b", 40)
    text("pair", pair, many)
    text("pair-truncated", pair | limit | truncate, many, 15, 40)
    text("pair-truncated-other", pair | limit | truncate | bare, many, 15, 200)
    text("pair-empty", pair | limit | pad, "a", 9, 255)
    text("pair-special", pair | limit, "[SEP] [CLS]", 200)
    text("limit-1", limit | truncate, "a", 1)
    text("limit-2", limit | truncate, "a", 2)
    text("limit-3-pair", limit | truncate | pair, "a b", 3)


# ------------------------------------------------------------------------------------------------- compare and the rest
def read(path):
    """A safetensors file as {name: (dtype, shape, bytes)}, in the order of its data."""
    data = pathlib.Path(path).read_bytes()
    n = struct.unpack("<Q", data[:8])[0]
    found = json.loads(data[8:8 + n])
    found.pop("__metadata__", None)
    return {k: (v["dtype"], v["shape"], data[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]])
            for k, v in sorted(found.items(), key=lambda kv: kv[1]["data_offsets"])}


def write(content):
    return tensors([(k, *v) for k, v in content.items()])


def compare_seeds(trace):
    whole = write(trace)

    def pair(name, other, options=12, ref=whole):
        seed("fuzz_compare", name, parts(options, ref, other if isinstance(other, bytes) else write(other)))

    def changed(name, part, **more):
        """One tensor's first number is another."""
        dtype, shape, data = trace[part]
        pair(name, {**trace, part: (dtype, shape, struct.pack("<f", 3.5) + data[4:])}, **more)
    hidden = {k: v for k, v in trace.items() if k.startswith(("input", "token",
                                                              "attention_mask")) or k.endswith("LayerNorm")}
    pair("same", whole)
    pair("same-exact", hidden, 1, write(hidden))
    pair("hidden-states", hidden)
    changed("one-number", "encoder.layer.0.output.dense", options=8)
    changed("one-number-explained", "encoder.layer.0.attention.output.dense")
    changed("pooler", "pooler.dense", options=4)
    ids = {k: trace[k] for k in ("input_ids", "token_type_ids", "attention_mask")}
    few = {**ids, "embeddings.LayerNorm": trace["embeddings.LayerNorm"]}
    small = write(few)

    def entry_of(name, dtype, shape, data, options=0, as_name="embeddings.LayerNorm"):
        pair(name, {**ids, as_name: (dtype, shape, data)}, options, small)
    dtype, shape, data = trace["embeddings.LayerNorm"]
    n = shape[0] * shape[1]
    values = struct.unpack("<%df" % n, data)
    entry_of("float64", "F64", shape, struct.pack("<%dd" % n, *values), 4)
    entry_of("float16", "F16", [1] + shape, struct.pack("<%de" % n, *values), 4)
    entry_of("bfloat16", "BF16", shape, b"".join(data[i + 2:i + 4] for i in range(0, len(data), 4)))
    entry_of("integers", "I32", shape, data)
    entry_of("transposed", "F32", shape[::-1], data)
    entry_of("flat", "F32", [n], data)
    entry_of("other-shape", "F32", [2, n // 2], data)
    entry_of("not-a-number", "F32", shape, b"\0\0\xc0\x7f" + data[4:])
    entry_of("infinite", "F32", shape, b"\0\0\x80\x7f" + data[4:])
    entry_of("tensorflow", "F32", shape, data, 12, "bert/embeddings/LayerNorm/batchnorm/add_1:0")
    entry_of("transformer-lens", "F32", shape, data, 12, "hook_full_embed")
    entry_of("layer-999999", "F32", shape, data, 4, "hidden_states.999999")
    entry_of("unknown-names", "F32", shape, data, 0, "enc0.\x1b[2J")
    entry_of("last-hidden-state", "F32", shape, data, 4, "last_hidden_state")
    pair("other-ids", {**few, "input_ids": ("I64", [3], struct.pack("<3q", 2, 9, 3))}, 4, small)
    pair("ids-out-of-range", {**few, "input_ids": ("I64", [3], struct.pack("<3q", 2, 1 << 40, 3))}, 4, small)
    pair("ids-100000", {**few, "input_ids": ("I64", [3], struct.pack("<3q", 2, 100000, 3))}, 4, small)
    pair("no-tokens", {**few, "input_ids": ("I64", [0], b"")}, 4, small)
    pair("ids-scalar", {**few, "input_ids": ("I32", [], struct.pack("<i", 2))}, 4, small)
    pair("masked", {**few, "attention_mask": ("BOOL", [3], b"\0\1\0")}, 4, small)
    empty = {"pooler": ("F32", [0, 4], b"")}
    pair("empty-tensors", empty, 0, write(empty))
    pair("no-columns", {"pooler": ("F32", [4, 0], b"")}, 0, write({"pooler": ("F32", [4, 0], b"")}))
    most = str((1 << 63) - 1)                       # a shape that is 100 characters long where it is printed
    wide = text_entry("pooler", "F32", "[0,%s,%s,%s,123456789012,%s]" % (most, most, most, most), "[0,0]")
    pair("shape-of-100-characters", safetensors("{" + wide + "}"), 0, write(empty))
    squares = struct.pack("<2d", 1e200, -1e200)
    pair("squares-overflow", {"pooler": ("F64", [2], squares[8:] + squares[:8])}, 0,
         write({"pooler": ("F64", [2], squares)}))
    pair("subnormal", {"pooler": ("F64", [2], struct.pack("<2d", 5e-324, 0))}, 0,
         write({"pooler": ("F64", [2], struct.pack("<2d", 0, 5e-324))}))
    heads = {"blocks.0.attn.hook_q": ("F32", [1, 3, 2, 2], floats(12)), "kq-0": ("F32", [2, 3, 3], floats(18))}
    ours = {"encoder.layer.0.attention.self.query": ("F32", [3, 4], floats(12)),
            "encoder.layer.0.attention.self.scores": ("F32", [2, 3, 3], floats(18))}
    pair("split-heads", heads, 0, write(ours))
    pair("split-heads-first", ours, 0, write(heads))
    pair("not-a-file", b"", 4, b"12345678")


def run_seeds(model, trace):
    config, vocab = json.dumps(CONFIG).encode(), (model / "vocab.txt").read_bytes()
    weights = write(read(model / "model.safetensors"))
    pooling = json.dumps({"pooling_mode_mean_tokens": True}).encode()
    tokenizer = json.dumps({"do_lower_case": True}).encode()
    ids = write({k: trace[k] for k in ("input_ids", "token_type_ids", "attention_mask")})
    batch = write({"input_ids": ("I64", [2, 2], struct.pack("<4q", 2, 9, 10, 3))})
    lines = "a b\n[MASK] c.\na ||| b\n".encode()
    names = ("info", "info-v", "trace", "trace-o", "trace-lines", "embed", "embed-json", "embed-npy", "fill-mask-json",
             "fill-mask",
             "next-sentence", "attention-json", "attention", "tokenize-json", "tokenize-trace", "tokenize", "vocab",
             "similarity",
             "rank", "verify-isolate", "verify-text")
    half = {k: ("F16", s, struct.pack("<%de" % (len(d) // 4), *struct.unpack("<%df" % (len(d) // 4), d)))
            for k, (_, s, d) in read(model / "model.safetensors").items()}
    for i, name in enumerate(names):
        inputs = write({k: v for k,
                        v in trace.items() if "LayerNorm" in k or v[0] == "I64"}) if "verify" in name else ids
        seed("fuzz_run", name, parts(i, config, vocab, tokenizer, weights, pooling if "embed" in name else b"", inputs,
                                     lines))
    seed("fuzz_run", "half-precision", parts(2, config, vocab, b"", write(half), b"", batch, lines))
    seed("fuzz_run", "batch", parts(3, config, vocab, b"", weights, b"", batch, b""))
    known = read(model / "model.safetensors")
    seed("fuzz_run", "piece-with-escape", parts(20, config, vocab.replace(b"\na\n", b"\n\x1b[2J\n"), b"", write(known),
                                                b"", ids, b""))
    encoder = {k: v for k, v in read(model / "model.safetensors").items() if "cls" not in k and "pooler" not in k}
    seed("fuzz_run", "no-heads", parts(8, config, vocab, b"", write(encoder), b"", ids, lines))
    other = {k.removeprefix("bert.").replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias",
            "LayerNorm.beta"): v
             for k, v in encoder.items()}
    seed("fuzz_run", "older-names", parts(5, config, vocab, b"", write(other), b"", ids, b"\n\n"))
    nan = dict(read(model / "model.safetensors"))
    first = next(iter(nan))
    nan[first] = (nan[first][0], nan[first][1], struct.pack("<f", float("nan")) + nan[first][2][4:])
    seed("fuzz_run", "not-a-number", parts(6, config, vocab, b"", write(nan), pooling, ids, lines))
    heads = known | {"classifier.weight": ("F32", [3, 4], floats(12)), "classifier.bias": ("F32", [3], floats(3)),
                     "qa_outputs.weight": ("F32", [2, 4], floats(8, 5)), "qa_outputs.bias": ("F32", [2], floats(2))}
    labels = json.dumps(CONFIG | {"architectures": ["BertForTokenClassification"],
                                  "id2label": {"0": "O", "1": "B-\u001b[2J", "2": "I-A"}}).encode()
    texts, questions = "a b\nab ba c. a\u0301b\n\n".encode(), "a ||| b c\na ||| ab ba c. a b\n".encode()
    for i, name in enumerate(("tag-json", "tag-stride", "answer-json", "answer-stride"), len(names)):
        seed("fuzz_run", name, parts(i, labels, vocab, tokenizer, write(heads), b"", b"",
                                     texts if "tag" in name else questions))
    def head(labels, architecture, **keys):
        weights = known | {"classifier.weight": ("F32", [labels, 4], floats(4 * labels)),
                           "classifier.bias": ("F32", [labels], floats(labels))}
        return write(weights), json.dumps(CONFIG | {"architectures": [architecture]} | keys).encode()
    nli = {"id2label": {"0": "Entailment", "1": "\u001b[2J", "2": "7"}, "label2id": {"no": 1, "Entailment": "0"}}
    for i, (name, labels, architecture, keys) in enumerate((
            ("classify-json", 3, "BertForSequenceClassification", {}),
            ("classify-pairs", 2, "BertForSequenceClassification", {"problem_type": "multi_label_classification"}),
            ("zero-shot", 3, "BertForSequenceClassification", nli), ("choose", 1, "BertForMultipleChoice", {}),
            ("cross-encoder", 1, "BertForSequenceClassification",
             {"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}),
            ("explain-labels", 3, "BertForSequenceClassification", nli)), len(names) + 4):
        made, settings = head(labels, architecture, **keys)
        seed("fuzz_run", name, parts(i, settings, vocab, tokenizer, made, b"", b"", questions))
    seed("fuzz_run", "missing-files", parts(5, b"", vocab, b"", b"", b"", b"", b"a\n"))
    seed("fuzz_run", "bad-text", parts(5, config, vocab, b"", weights, b"", b"", b"a\n\xff\n"))
    seed("fuzz_run", "vocabulary-too-long", parts(5, config, vocab + b"d\n", b"", weights, b"", b"", b"a\n"))


# ---------------------------------------------------------------------------------------------------------------- torch
def text(s):
    s = s if isinstance(s, bytes) else s.encode()
    return b"X" + struct.pack("<I", len(s)) + s


def number(n):
    return b"K" + bytes([n]) if 0 <= n < 256 else b"\x8a\x08" + struct.pack("<q", n)


def numbers(values):
    return b"(" + b"".join(map(number, values)) + b"t"


def torch_tensor(name, shape, stride=None, storage="FloatStorage", key="0", count=None, offset=0, hooks=b"h\0)R"):
    """The opcodes of one member of a state dict, as torch.save writes them. (h 0: OrderedDict, from the beginning.)"""
    steps, step = [], 1
    for n in reversed(shape):
        steps.insert(0, step)
        step *= n
    return text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + b"ctorch\n" + storage.encode() + b"\n" + \
        text(key) + text("cpu") + number(step if count is None else count) + b"tQ" + number(offset) + numbers(shape) + \
        numbers(steps if stride is None else stride) + b"\x89" + hooks + b"tR"


def state_dict(*members, end=b"u}" + text("_metadata") + b"}sb."):
    return b"\x80\2ccollections\nOrderedDict\nq\0)R(" + b"".join(members) + end


def archive(entries, zip64=True, comment=b""):
    """A zip of stored entries, with sizes behind the data, as torch.save writes it."""
    out, directory = b"", b""
    for name, data in entries:
        name, crc = name.encode(), binascii.crc32(data)
        directory += b"PK\1\2" + struct.pack("<HHHHIIIIHHHHHII", 0, 0, 0x808, 0, 0, crc, len(data), len(data), len(name), 0,
                                              0, 0, 0, 0, len(out)) + name
        out += b"PK\3\4" + struct.pack("<HHHIIIIHH", 0, 0x808, 0, 0, 0, 0, 0, len(name), 0) + name + data + \
            b"PK\7\10" + struct.pack("<III", crc, len(data), len(data))
    at, end = len(out), len(out) + len(directory)
    out += directory
    if zip64:
        out += b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 0, 0, 0, 0, len(entries), len(entries), len(directory), at)
        out += b"PK\6\7" + struct.pack("<IQI", 0, end, 1)
    return out + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, len(entries), len(entries), len(directory), at,
                                         len(comment)) + comment


def torch_seeds():
    data = floats(6)

    def small(name, pickle, *storages, options=0):
        seed("fuzz_torch", name, parts(options, pickle, *(storages or (data,)), *[b""] * (3 - max(1, len(storages)))))
    one = torch_tensor("x", [2, 3])
    small("one", state_dict(one))
    small("one-without-zip64", state_dict(one), options=2)
    small("transposed", state_dict(torch_tensor("x", [3, 2], [1, 3])))
    small("slice", state_dict(torch_tensor("x", [2], [3], count=6, offset=1)))
    small("shared", state_dict(one, torch_tensor("y", [3, 2])))
    small("two-storages", state_dict(one, torch_tensor("y", [2], key="1")), data, floats(2, 5))
    small("all-types", state_dict(*(torch_tensor(s, [24 // n], storage=s + "Storage") for s, n in (
        ("Float", 4), ("Double", 8), ("Half", 2), ("BFloat16", 2), ("Long", 8), ("Int", 4), ("Short", 2), ("Char", 1),
        ("Byte", 1), ("Bool", 1)))))
    small("parameter", state_dict(text("x") + b"ctorch._utils\n_rebuild_parameter\n" + one[6:] + b"\x88}\x87R"))
    small("checkpoint-of-a-training", b"\x80\2}(" + text("epoch") + b"K\3" + text("lr") + b"G" + struct.pack(">d", 0.1) +
          text("state_dict") + b"}(" + torch_tensor("x", [6], hooks=b"}") + b"u" + text("betas") + b"](K\1K\2eu.")
    small("protocol-4", b"\x80\4\x95" + bytes(8) + b"\x8c\x0bcollections\x8c\x0bOrderedDict\x93\x94)R" +
          torch_tensor("x", [6], hooks=b"}") + b"s.")
    small("empty-tensor", state_dict(torch_tensor("x", [0, 3])), b"")
    small("scalar", state_dict(torch_tensor("x", [])), floats(1))
    small("no-tensors", state_dict(text("x"), b"N"))
    small("name-twice", state_dict(one, one))
    small("name-of-metadata", state_dict(torch_tensor("__metadata__", [6])))
    small("name-with-escape", state_dict(torch_tensor("\x1b[2J", [7])))
    small("name-invalid-utf-8", state_dict(torch_tensor(b"\xff", [6])))
    small("beyond-the-storage", state_dict(torch_tensor("x", [6], count=6, offset=1)))
    small("expanded", state_dict(torch_tensor("x", [1000], [0], count=6)))
    small("shape-2-62-squared", state_dict(torch_tensor("x", [1 << 62, 4], [0, 0], count=6)))
    small("stride-2-63-minus-1", state_dict(torch_tensor("x", [3], [(1 << 63) - 1], count=6)))
    small("offset-2-63-minus-1", state_dict(torch_tensor("x", [1], [1], count=6, offset=(1 << 63) - 1)))
    small("shape-minus-1", state_dict(torch_tensor("x", [-1], [1], count=6)))
    small("nine-dimensions", state_dict(torch_tensor("x", [1] * 9)))
    small("strides-of-another-rank", state_dict(torch_tensor("x", [2, 3], [1])))
    small("storage-of-another-size", state_dict(torch_tensor("x", [6], count=7)))
    small("storage-of-2-62", state_dict(torch_tensor("x", [6], count=1 << 62)))
    small("storage-missing", state_dict(torch_tensor("x", [6], key="9")))
    small("storage-named-as-a-path", state_dict(torch_tensor("x", [6], key="../data.pkl")))
    small("another-name", b"\x80\2ccollections\nCounter\n)R.")
    small("another-opcode", b"\x80\2}\x81.")
    small("dict-of-itself", b"\x80\2}q\0" + text("x") + b"h\0s.")
    small("tuple-of-itself", b"\x80\2(q\0h\0t.")
    small("marks", b"\x80\2" + b"(" * 500 + b".")
    small("memory-out-of-order", b"\x80\2}r\xff\xff\xff\xff.")
    small("long-of-255-bytes", b"\x80\2\x8a\xff" + bytes(255) + b".")
    small("text-of-2-32-minus-1", b"\x80\2X\xff\xff\xff\xff.")
    small("bytes-behind-the-end", state_dict(one) + b"}")

    def whole(name, file):
        seed("fuzz_torch", name, parts(1, file, b"", b"", b""))
    entries = [("m/data.pkl", state_dict(one)), ("m/byteorder", b"little"), ("m/data/0", data)]
    file = archive(entries)
    whole("file", file)
    whole("file-without-zip64", archive(entries, zip64=False))
    whole("file-with-comment", archive(entries, comment=b"hello"))
    whole("file-entry-twice", archive(entries + [entries[2]]))
    whole("file-big-endian", archive([entries[0], ("m/byteorder", b"big"), entries[2]]))
    whole("file-torchscript", archive(entries + [("m/constants.pkl", b"\x80\2).")]))
    whole("file-two-pickles", archive(entries + [("n/data.pkl", state_dict(one))]))
    whole("file-path-upwards", archive([("../data.pkl", state_dict(one)), ("../data/0", data)]))
    whole("file-cut", file[:-1])
    whole("file-before-1.6", b"\x80\2\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.")
    at = file.index(b"PK\1\2")
    whole("file-compressed", file[:at + 10] + b"\x08" + file[at + 11:])
    whole("file-encrypted", file[:at + 8] + b"\x09" + file[at + 9:])
    whole("file-size-2-32-minus-1", file[:at + 20] + b"\xff" * 8 + file[at + 28:])
    whole("file-wrong-checksum", file.replace(data, data[:-1] + b"\1"))
    whole("file-entries-2-16-minus-1", file[:-14] + b"\xff" * 4 + file[-10:])


def main():
    with tempfile.TemporaryDirectory() as directory:
        model = pathlib.Path(directory)
        subprocess.run([ROOT / "build/formula", "small", model], check=True)
        subprocess.run([ROOT / "bert", "trace", "-q", "-m", model, "-o", model / "trace", "a"], check=True)
        trace = read(model / "trace")
        safetensors_seeds(), shard_seeds(), bundle_seeds(), config_seeds(), vocab_seeds(), piece_seeds(), tokenizer_seeds()
        torch_seeds()
        compare_seeds(trace), run_seeds(model, trace)
    wrong = 0
    for (target, name), data in sorted(seeds.items()):
        path = CORPUS / target / name
        if "--check" in sys.argv:
            good = path.is_file() and path.read_bytes() == data
            wrong += not good
            if not good:
                print("%s/%s is not what make_seeds.py makes" % (target, name))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    print("%d seeds, %d bytes%s" % (len(seeds), sum(map(len, seeds.values())), ", %d wrong" % wrong if wrong else ""))
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main())
