#!/bin/sh
# openvino-tokenizers 2026.4.1.0 (run 2026-11-29): a word is [UNK] from 101 bytes on, not from 101 characters on.
#
# One would guess: convert_tokenizer keeps the ids of the BertTokenizer it is given: a word of more than 100 characters is [UNK].
# What happens:    the limit is counted in UTF-8's bytes. Whatever is written without spaces, and with three bytes a letter, comes
#                  to it quickly: a Thai clause of 34 characters is a single [UNK], and its meaning is lost. A multilingual BERT has
#                  pieces for all of it. (In ASCII the two limits are one.)
# No weights: the vocabulary is made of the letters of the texts.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check openvino-tokenizers==2026.4.1.0 openvino==2026.4.1 \
    transformers==5.23.0 tokenizers==0.23.3
cd "$folder"
HF_HUB_OFFLINE=1 venv/bin/python - 2> log <<'END'
import numpy as np
import openvino
import openvino_tokenizers
from transformers import BertTokenizer
# "Thai is a language", and "Thai is a language in which the tone of a word is certain"
texts = ["ภาษาไทยเป็นภาษา", "ภาษาไทยเป็นภาษาที่มีระดับเสียงของคำแน่นอน", "x" * 100, "x" * 101]
letters = sorted(set("".join(texts)))
with open("vocab.txt", "w", encoding="utf-8") as f:
    f.write("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + letters + ["##" + c for c in letters]) + "\n")
hugging_face = BertTokenizer("vocab.txt", do_lower_case=False)
converted = openvino.compile_model(openvino_tokenizers.convert_tokenizer(hugging_face), "CPU")
print("openvino-tokenizers", openvino_tokenizers.__version__)
found = []
for text in texts:
    ids = hugging_face(text)["input_ids"]
    other = [int(i) for i in converted([np.array([text])])["input_ids"][0]]
    found.append((len(ids) - 2, len(other) - 2))
    print(f"{len(text):>3} characters, {len(text.encode()):>3} bytes: BertTokenizer {len(ids) - 2} pieces, OpenVINO {len(other) - 2}",
          "(equal)" if ids == other else [hugging_face.convert_ids_to_tokens(i) for i in other])
assert found == [(15, 15), (41, 1), (100, 100), (1, 1)], found
END
