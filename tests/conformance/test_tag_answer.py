"""test_tag_answer.py - `bert tag` and `bert answer` against the pipelines of transformers: tiny random models with wide
weights, random texts with words of several pieces, accents, [UNK], typed special tokens, characters of one to four bytes.
    python3 tests/conformance/test_tag_answer.py [SEED [NUMBER]]       10 models for each verb from seed 0

`tag` is held against today's TokenClassificationPipeline, all five aggregations, texts in several parts. Question answering
left transformers with 5.3: its pipeline is that of 5.2.0, installed beside (into build/), in a process of its own. Labels and
places must be equal, scores to 1e-5 from the float32 program and to 1e-9 from bert64; both models compute in float64."""
import json
import os
import random
import shutil
import site
import subprocess
import sys
import sysconfig
import tempfile
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
warnings.filterwarnings("ignore")
import torch
import transformers
from transformers import pipeline
from transformers.utils import logging

logging.disable_progress_bar()
SCORE, SCORE64 = 1e-5, 1e-9
ORACLE = ["transformers==5.2.0", "tokenizers==0.22.2", "huggingface-hub==1.33.0"]        # the last with question answering
WORDS = ("[PAD] [UNK] [CLS] [SEP] [MASK] the a cat sat on mat bank river dog runs fast word . , : ! ? ' - ##s ##ing ##ed un "
         "##able b c d e ##a ##b ##c ##d ##e ##n ##o ##r ##t play he she it is was not query find The Cat É é new york York "
         "paris in wolf ##gang lives ᄒ ##ᅡ ##ᆫ 한 日 # ##run").split()
TEXT = ("the cat sat on the mat bank rivers dogs running fast words . , : ! ? don't well-known unable Cats PLAYING played "
        "It is was new York paris Paris PARIS wolfgang lives É élan e\u0301t ca\u0301ts 한 日本 😀 🤖cat [MASK] [SEP] [CLS] [UNK] xyz "
        "zebra deed need #cat ##run \u00a0 \u200bcat").split(" ")
AGGREGATIONS = ("none", "simple", "first", "average", "max")
LABELS = (["O", "B-PER", "I-PER", "B-LOC", "I-LOC"], ["O", "I-PER", "I-LOC"], ["NOUN", "VERB", "DET", "PUNCT"],
          ["B-O", "O", "E-well-known", "self-employed", "B-X", "I-X", "X"], ["LABEL_0", "LABEL_1"])


# ----------------------------------------------------------------------------------------------------------------------
# Models and texts
# ----------------------------------------------------------------------------------------------------------------------
def write_model(r, path, kind):
    """A directory with a tiny model of BERT or DistilBERT, `kind` is TokenClassification or QuestionAnswering."""
    torch.manual_seed(r.randrange(1 << 30))
    distilbert, positions = r.random() < 0.3, r.choice((24, 40))
    labels = r.choice(LABELS)
    common = {"vocab_size": len(WORDS), "max_position_embeddings": positions, "initializer_range": 0.4}
    if kind == "TokenClassification":
        common |= {"id2label": dict(enumerate(labels)), "label2id": {l: i for i, l in enumerate(labels)}}
    if distilbert:
        config = transformers.DistilBertConfig(dim=16, n_layers=2, n_heads=2, hidden_dim=24, **common)
    else:
        config = transformers.BertConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24,
                                         **common)
    model = getattr(transformers, ("DistilBert" if distilbert else "Bert") + "For" + kind)(config).eval()
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.add_(0.3 * torch.randn_like(p) if p.ndim == 1 else torch.zeros_like(p))
            if name.startswith(("classifier", "qa_outputs")):
                p.mul_(r.choice((1.0, 2.0, 4.0)))
    model.save_pretrained(path)
    with open(path + "/vocab.txt", "w", encoding="utf-8") as f:
        f.write("\n".join(WORDS) + "\n")
    side = {"truncation_side": "left"} if r.random() < 0.2 else {}
    tokenizer = transformers.BertTokenizer.from_pretrained(path, do_lower_case=r.random() < 0.7, model_max_length=positions,
                                                           **side)
    tokenizer.save_pretrained(path)
    with open(path + "/vocab.txt", "w", encoding="utf-8") as f:
        f.write("\n".join(WORDS) + "\n")
    return positions


def random_text(r, most):
    return "".join(r.choice(TEXT) + r.choice((" ", " ", " ", " ", "", "  ")) for _ in range(r.randint(1, most))).strip() or "a"


def places(text, characters):
    """Characters of the text -> bytes."""
    return len(text[:characters].encode())


# ----------------------------------------------------------------------------------------------------------------------
# The pipelines: results as [[label or answer, begin, end, score]], in bytes
# ----------------------------------------------------------------------------------------------------------------------
def tag_oracle(job):
    pipe = pipeline("token-classification", model=job["model"], dtype=torch.float64, device="cpu")
    results = []
    for text in job["texts"]:
        options = {"aggregation_strategy": job["aggregate"]} | ({"stride": job["stride"]} if job["stride"] is not None else {})
        found = pipe(text, **options)
        results.append([[f.get("entity_group", f.get("entity")), places(text, f["start"]), places(text, f["end"]),
                         float(f["score"])] for f in found])
    return results


def answer_oracle(job):
    """Without the spans that fill up a short list: they end before they begin, or are too long; their score is 0."""
    pipe = pipeline("question-answering", model=job["model"], device="cpu")
    pipe.model.double()
    results = []
    for question, context in job["texts"]:
        try:
            found = pipe(question=question, context=context, **job["options"])
        except ValueError as e:                 # exactly as many pairs of tokens as candidates are wanted
            assert "out of bounds" in str(e), e
            results.append(None)
            continue
        found = [found] if isinstance(found, dict) else found
        results.append([[f["answer"], places(context, f["start"]), places(context, f["end"]), float(f["score"])]
                        for f in found if f["score"] > 0])
    return results


def oracle_python():
    """The Python of an environment that has transformers 5.2.0, and else the packages of this one."""
    home = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "build", "oracle-qa")
    python = os.path.join(home, "bin", "python")
    if not os.path.exists(home + "/ready"):
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        with open(sysconfig.get_path("purelib", vars={"base": home}) + "/parent.pth", "w", encoding="utf-8") as f:
            f.write("\n".join(site.getsitepackages()) + "\n")
        subprocess.run([python, "-m", "pip", "install", "--quiet", *ORACLE], check=True)
        open(home + "/ready", "w").close()
    return python


def oracle_process(jobs, work):
    """The answers of transformers 5.2.0, which this program asks itself for in another process."""
    path = os.path.join(work, "jobs.json")
    with open(path, "w", encoding="utf-8") as f:
        json.dump(jobs, f)
    done = subprocess.run([oracle_python(), os.path.abspath(__file__), "--oracle", path], capture_output=True, text=True)
    if done.returncode:
        sys.exit("the oracle failed: " + done.stderr)
    return json.loads(done.stdout)


# ----------------------------------------------------------------------------------------------------------------------
# bert
# ----------------------------------------------------------------------------------------------------------------------
def bert(binary, model, verb, lines, *options):
    """What it prints, one object per line of input; or its message."""
    done = subprocess.run([binary, verb, "-q", "-m", model, "--format", "json", "-f", "-", *options],
                          input="".join(line + "\n" for line in lines).encode(), capture_output=True)
    if done.returncode:
        return done.stderr.decode()
    return [json.loads(line) for line in done.stdout.decode().splitlines()]


def compare(count, what, wanted, found, tolerance, elsewhere=None):
    """Two lists of [text, begin, end, score]. `elsewhere`: the context, where the same text may be found at another place."""
    def place(w, f):
        return w[1:3] == f[1:3] or elsewhere is not None and elsewhere.encode()[f[1]:f[2]].decode() == f[0]
    same = len(wanted) == len(found) and all(w[0] == f[0] and place(w, f) and abs(w[3] - f[3]) <= tolerance
                                             for w, f in zip(wanted, found))
    return count.check(same, f"{what}\n  expected {wanted}\n  found    {found}")


def test_tag(r, work, count, number, common):
    seen = 0
    for n in range(number):
        model = os.path.join(work, f"tag{n}")
        positions = write_model(r, model, "TokenClassification")
        for aggregate in AGGREGATIONS:
            stride = None if aggregate == "none" or r.random() < 0.4 else r.randint(0, positions - 3)
            texts = [random_text(r, 12 if stride is None else 40) for _ in range(6)] + ["a", ""]
            job = {"model": model, "aggregate": aggregate, "stride": stride, "texts": texts}
            wanted = tag_oracle(job)
            options = ["--aggregate", aggregate, *(["--truncate"] if stride is None else ["--stride", str(stride)])]
            for binary, tolerance in ((common.BERT, SCORE), (common.BERT64, SCORE64)):
                found = bert(binary, model, "tag", texts, *options)
                if not count.check(isinstance(found, list) and len(found) == len(texts), f"{options}: {found}"):
                    continue
                for text, w, f in zip(texts, wanted, found):
                    entities = [[x["label"], x["start"], x["end"], x["score"]] for x in f["entities"]]
                    for x in f["entities"]:
                        count.check(x["text"].encode() == text.encode()[x["start"]:x["end"]], "the text of an entity")
                    compare(count, f"tag {options} {os.path.basename(binary)}: {text!r}", w, entities, tolerance)
                    seen += len(w)
    return seen


def test_answer(r, work, count, number, common):
    jobs, seen, windows = [], 0, 0
    for n in range(number):
        model = os.path.join(work, f"answer{n}")
        positions = write_model(r, model, "QuestionAnswering")
        for _ in range(4):
            options = {"top_k": r.choice((1, 1, 2, 3, 50)), "max_answer_len": r.choice((1, 3, 15, 15)),
                       "handle_impossible_answer": r.random() < 0.5}
            if r.random() < 0.6:
                options["doc_stride"] = r.randint(0, positions // 3)
            if r.random() < 0.3:
                options["max_seq_len"] = r.randint(positions * 3 // 4, positions)
            texts = [(random_text(r, 2).replace("[CLS]", "cls"), random_text(r, r.choice((1, 8, 40)))) for _ in range(4)]
            texts += [("a", (random_text(r, 2) + " ") * 30) for _ in range(2)]
            texts += [("a", "\u200b"), ("a", "b")]
            jobs.append({"model": model, "options": options, "texts": [t for t in texts if fits(t, options, positions, model)]})
    for job, wanted in zip(jobs, oracle_process(jobs, work)):
        o = job["options"]
        options = ["--top-k", str(o["top_k"]), "--max-answer", str(o["max_answer_len"]),
                   *(["--impossible"] if o["handle_impossible_answer"] else []),
                   *(["--stride", str(o["doc_stride"])] if "doc_stride" in o else []),
                   *(["--max-length", str(o["max_seq_len"])] if "max_seq_len" in o else [])]
        lines = [f"{q} ||| {c}" for q, c in job["texts"]]
        for binary, tolerance in ((common.BERT, SCORE), (common.BERT64, SCORE64)):
            found = bert(binary, job["model"], "answer", lines, *options)
            if not count.check(isinstance(found, list) and len(found) == len(lines), f"{options}: {found}"):
                continue
            for text, w, f in zip(job["texts"], wanted, found):
                if w is None:
                    continue
                answers = [[x["answer"], x["start"], x["end"], x["score"]] for x in f["answers"]]
                # with so many candidates the pipeline takes spans of score 0, too, whose place an equal answer then has
                compare(count, f"answer {options} {os.path.basename(binary)} {job['model']}: {text!r}", w, answers, tolerance,
                        text[1] if o["top_k"] == 50 else None)
                seen += len(w)
                windows += any(x[3] > 1 for x in w)
    return seen, windows


def fits(text, options, positions, model):
    """Is there room for the context beside the question? Where there is not, the tokenizer of the pipeline panics."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    length = options.get("max_seq_len", positions)
    room = length - 3 - len(tokenizer(text[0], add_special_tokens=False)["input_ids"])
    return options.get("doc_stride", min(length // 2, 128)) < room


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--oracle":
        with open(sys.argv[2], encoding="utf-8") as f:
            print(json.dumps([answer_oracle(job) for job in json.load(f)]))
        return 0
    import common
    seed, number = (int(a) for a in (sys.argv[1:] + ["0", "10"][len(sys.argv) - 1:])[:2])
    r, count, work = random.Random(seed), common.Count(), tempfile.mkdtemp()
    try:
        entities = test_tag(r, work, count, number, common)
        answers, sums = test_answer(r, work, count, number, common)
    finally:
        shutil.rmtree(work)
    print(f"transformers {transformers.__version__}, and 5.2.0: {entities} entities, {answers} answers, "
          f"of which {sums} have a score above 1")
    return count.end()


if __name__ == "__main__":
    sys.exit(main())
