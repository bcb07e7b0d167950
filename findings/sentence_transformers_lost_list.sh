#!/bin/sh
# sentence_transformers_lost_list.sh - a directory of sentence-transformers whose modules.json is missing: its pooling,
# its other modules and its prompts are passed over.
#
# One would guess: what 1_Pooling/config.json, sentence_bert_config.json and config_sentence_transformers.json say still
# counts; or the directory is refused. What happens: the model loads, says so at the level "info" only ("No modules.json
# found"), and makes the mean of the last hidden state: the [CLS] that 1_Pooling asks for, the Normalize of 2_Normalize,
# truncate_dim and the default prompt are all passed over; of max_seq_length only what stands in tokenizer_config.json
# counts. The vectors look as usual, and have another length and other directions. It is met where files are copied by
# hand, or by a pattern that takes the weights, the tokenizer and the folders.
#
# Seen with sentence-transformers 6.2.0, transformers 5.23.0, torch 2.15.0, 2026-11-29. Exits with 1 if it behaves
# otherwise. PYTHON: a Python that has these versions; without one they are installed into a temporary folder.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PYTHON:-python3}
if ! "$python" -c 'import torch, transformers, sentence_transformers
assert torch.__version__.split("+")[0] == "2.15.0" and transformers.__version__ == "5.23.0"
assert sentence_transformers.__version__ == "6.2.0"' 2> "$work/missing"; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet sentence-transformers==6.2.0 transformers==5.23.0 torch==2.15.0
    python=$work/venv/bin/python
fi
cat > "$work/look.py" <<'PYTHON'
import os
import sys
import numpy
import sentence_transformers
import torch
import transformers
from sentence_transformers import SentenceTransformer, models

torch.set_num_threads(1)
print("sentence-transformers", sentence_transformers.__version__, "transformers", transformers.__version__)
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "dog", "sat", "on", "the", "mat", "find"]
plain, folder = (os.path.join(sys.argv[1], name) for name in ("plain", "whole"))
os.makedirs(plain)
with open(os.path.join(plain, "vocab.txt"), "w") as f:
    f.write("\n".join(words) + "\n")
torch.manual_seed(0)
config = transformers.BertConfig(vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                                 intermediate_size=32, max_position_embeddings=32, initializer_range=0.5)
transformers.BertModel(config).save_pretrained(plain)
transformers.BertTokenizer(os.path.join(plain, "vocab.txt")).save_pretrained(plain)
modules = [models.Transformer(plain, max_seq_length=6), models.Pooling(16, "cls"), models.Normalize()]
whole = SentenceTransformer(modules=modules, device="cpu", prompts={"query": "find "}, default_prompt_name="query",
                            truncate_dim=8)
whole.save(folder)
text = "the cat sat on the mat the dog sat"
with_list = SentenceTransformer(folder, device="cpu").encode([text])[0]
os.remove(os.path.join(folder, "modules.json"))
without = SentenceTransformer(folder, device="cpu").encode([text])[0]
inputs = transformers.AutoTokenizer.from_pretrained(folder)(text, truncation=True, return_tensors="pt")
with torch.no_grad():
    mean = transformers.AutoModel.from_pretrained(plain).eval()(**inputs).last_hidden_state[0].mean(0).numpy()
apart = float(numpy.abs(without - mean).max()) if without.shape == mean.shape else float("inf")
print(f"left in the folder: {' '.join(sorted(os.listdir(folder)))}")
print(f"with modules.json: {len(with_list)} numbers; without: {len(without)}, whose length is {numpy.linalg.norm(without):.2f}; "
      f"largest difference to the mean of the last hidden state of the text without prompt: {apart:.2g}")
if len(with_list) != 8 or apart > 1e-5:
    sys.exit("it behaves otherwise now")
PYTHON
"$python" "$work/look.py" "$work" 2> "$work/notes" || { tail -n 5 "$work/notes"; exit 1; }
