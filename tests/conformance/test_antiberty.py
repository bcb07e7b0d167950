"""test_antiberty.py - a real BERT that other people trained and published in their own way: PyPI's antiberty 0.1.3, which knows
the amino acids of antibodies: 25 pieces, pytorch_model.bin, no tokenizer_config.json, vocab.txt in another directory. Brought by
`make weights FROM=DIRECTORY`; ids, all hidden states, the pooled output and what it says behind a mask are PyTorch's.
    python3 tests/conformance/test_antiberty.py         the package is kept in build/antiberty"""
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
import torch
from safetensors.torch import load_file
from transformers import BertForMaskedLM, BertTokenizer
from transformers.utils import logging

import common

logging.disable_progress_bar()
PACKAGE, SHA256 = "antiberty==0.1.3", "30d910992b190013871bac49cdc032e01a19339f7d2b958ab99b0eb44638352a"
KEPT = os.path.join(common.ROOT, "build", "antiberty")
MODEL = "antiberty/trained_models/AntiBERTy_md_smooth/"
EQUAL, EQUAL64 = 3e-6, 1e-13            # of the largest number of a tensor; measured: 6.7e-7 and 2.5e-15
PROBABLE, PROBABLE64 = 2e-5, 1e-13      # of a probability; measured: 4.7e-6 and 7.7e-15
# The variable domains of an antibody's two chains (trastuzumab), a piece of one, and letters that are no residues.
HEAVY = ("EVQLVESGGGLVQPGGSLRLSCAASGFNIKDTYIHWVRQAPGKGLEWVARIYPTNGYTRYADSVKGRFTISADTSKNTAYLQMNSLRAEDTAVYYCSRWGGDGFYAMDYW"
         "GQGTLVTVSS")
LIGHT = "DIQMTQSPSSLSASVGDRVTITCRASQDVNTAVAWYQQKPGKAPKLLIYSASFLYSGVPSRFSGSRSGTDFTLTISSLQPEDFATYYCQQHYTTPPTFGQGTKVEIK"
SEQUENCES = (HEAVY, LIGHT, HEAVY[:20] + "_" + HEAVY[21:], "_" + LIGHT[1:40] + "__" + LIGHT[42:], "CARW", "AXBZq", "")


def wheel():
    """The package's file, fetched by pip, which compares the hash; None if that does not work."""
    path = os.path.join(KEPT, "antiberty-0.1.3-py3-none-any.whl")
    if not os.path.exists(path):
        os.makedirs(KEPT, exist_ok=True)
        with open(os.path.join(KEPT, "requirements.txt"), "w") as f:
            f.write("%s --hash=sha256:%s\n" % (PACKAGE, SHA256))
        subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--require-hashes",
                        "--timeout", "10", "--dest", KEPT, "-r", os.path.join(KEPT, "requirements.txt")])
    if not os.path.exists(path):
        return None
    with open(path, "rb") as f:
        assert hashlib.file_digest(f, "sha256").hexdigest() == SHA256, path
    return path


def make_weights(source, work):
    """`make weights MODEL=antiberty FROM=...`, into a directory of our own: exit code, what it said, where the model is."""
    done = subprocess.run(["sh", os.path.join(common.ROOT, "weights", "fetch.sh")], capture_output=True, text=True,
                          env={**os.environ, "MODEL": "antiberty", "FROM": source, "WEIGHTS": work})
    return done.returncode, done.stderr, os.path.join(work, "antiberty")


def spaced(sequence):
    """One word for each residue, [MASK] for _, as the package's own runner writes it."""
    return " ".join("[MASK]" if c == "_" else c for c in sequence)


def close(count, what, got, want, limit):
    off = float((got.double() - want).abs().max() / want.abs().max())
    count.check(got.shape == want.shape and off <= limit, "%s is %.1e off" % (what, off))
    return off


def compare_states(count, directory, model, tokenizer, text, work):
    """Ids, and everything from hidden state 0 to the logits, in both builds."""
    ids = tokenizer(text)["input_ids"]
    found = common.run(common.BERT, "tokenize", "-q", "-m", directory, "--format", "ids", text)[1].split()
    count.check(found == [str(i) for i in ids], "%s: ids %s, expected %s" % (text, found, ids))
    out = model.bert(torch.tensor([ids]), output_hidden_states=True)
    want = {"embeddings.LayerNorm": out.hidden_states[0][0], "cls.predictions.decoder": model(torch.tensor([ids])).logits[0]}
    want |= {"encoder.layer.%d.output.LayerNorm" % l: out.hidden_states[l + 1][0] for l in range(8)}
    path, worst = os.path.join(work, "trace.safetensors"), {}
    for binary, limit in ((common.BERT, EQUAL), (common.BERT64, EQUAL64)):
        code, said = common.run(binary, "trace", "-q", "-m", directory, "-o", path, text)
        if count.check(code == 0, "%s: exit code %d: %s" % (text, code, said)):
            trace = load_file(path)
            worst[limit] = max(close(count, "%s: %s" % (text, n), trace[n], t, limit) for n, t in want.items())
    return worst


def compare_masks(count, directory, model, tokenizer, text):
    """Behind each [MASK] the five likeliest residues, with their probabilities."""
    ids = tokenizer(text)["input_ids"]
    probs = model(torch.tensor([ids])).logits[0].softmax(-1)
    best = [probs[t].topk(5) for t in range(len(ids)) if ids[t] == tokenizer.mask_token_id]
    pieces = [tokenizer.convert_ids_to_tokens(int(i)) for b in best for i in b.indices]
    values = torch.cat([b.values for b in best])
    worst = {}
    for binary, limit in ((common.BERT, PROBABLE), (common.BERT64, PROBABLE64)):
        code, said = common.run(binary, "fill-mask", "-q", "-m", directory, "--top-k", "5", text)
        lines = [line.split("\t") for line in said.splitlines() if line]
        if count.check(code == 0 and [line[1] for line in lines] == pieces, "%s: %s, expected %s" % (text, lines, pieces)):
            off = ((torch.tensor([float(line[0]) for line in lines], dtype=torch.float64) - values) / values).abs().max()
            count.check(off <= limit, "%s: a probability is %.1e off" % (text, off))
            worst[limit] = float(off)
    return worst


def main():
    count = common.Count()
    package = wheel()
    if package is None:
        count.skip("PyPI's antiberty 0.1.3 could not be fetched")
        return count.end() if count.failed else 0
    with tempfile.TemporaryDirectory() as work, torch.no_grad():
        zipfile.ZipFile(package).extractall(work)
        source = os.path.join(work, MODEL)
        code, said, _ = make_weights(package, work)
        count.check(code == 3 and "found no vocab.txt, expected one beside the weights" in said, "the package as it is: " + said)
        shutil.copy(os.path.join(work, "antiberty", "trained_models", "vocab.txt"), source)
        code, said, directory = make_weights(source, os.path.join(work, "weights"))
        if not count.check(code == 0 and "8L/512H/8A, 25 pieces" in said, said):
            return count.end()
        model = BertForMaskedLM.from_pretrained(source, dtype=torch.float64).eval()
        tokenizer = BertTokenizer(os.path.join(source, "vocab.txt"), do_lower_case=False)
        assert len(tokenizer) == 25
        states = [compare_states(count, directory, model, tokenizer, spaced(s), work) for s in SEQUENCES]
        masks = [compare_masks(count, directory, model, tokenizer, spaced(s)) for s in SEQUENCES if "_" in s]
        for what, worst in (("tensors", states), ("probabilities", masks)):
            print("%s: at most %s off" % (what, ", ".join("%.1e" % max(w.get(k, 1) for w in worst) for k in worst[0])))
    return count.end()


if __name__ == "__main__":
    sys.exit(main())
