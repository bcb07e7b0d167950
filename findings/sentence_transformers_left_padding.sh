#!/bin/sh
# sentence_transformers_left_padding.sh - a BERT whose tokenizer_config.json has padding_side "left": sentence-transformers
# gives a text another vector for each text beside it.
#
# One would guess: padding changes nothing. The mask hides it, the mean leaves it out, and a sentence's vector is its own.
# What happens: with padding on the right that is so. With padding on the left BERT's positions, a learned table, are still
# counted from the left end of the batch, so a short text beside a long one begins at position 3, 7 or 20. Nothing is
# said, and which texts share a batch depends on batch_size and on the order by length. A vector computed alone cannot be
# found again.
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
words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "cat", "dog", "sat", "on", "the", "mat"]
apart = {}
for side in ("right", "left"):
    folder = os.path.join(sys.argv[1], side)
    os.makedirs(folder)
    with open(os.path.join(folder, "vocab.txt"), "w") as f:
        f.write("\n".join(words) + "\n")
    tokenizer = transformers.BertTokenizer(os.path.join(folder, "vocab.txt"), padding_side=side)
    torch.manual_seed(0)
    config = transformers.BertConfig(vocab_size=len(words), hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
                                     intermediate_size=32, max_position_embeddings=32, initializer_range=0.5)
    transformers.BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    transformer = models.Transformer(folder)
    model = SentenceTransformer(modules=[transformer, models.Pooling(16, "mean")], device="cpu")
    alone = model.encode(["a cat sat"])[0]
    beside = [model.encode(["a cat sat", "the dog " * n])[0] for n in (2, 5, 10)]
    apart[side] = [float(numpy.abs(alone - x).max()) for x in beside]
    print(f"padding on the {side}: the same text beside texts of 4, 10, 20 words, largest difference to the text alone:",
          " ".join(f"{x:.2g}" for x in apart[side]))
if max(apart["right"]) > 1e-5 or min(apart["left"]) < 1e-2 or len({f"{x:.3g}" for x in apart["left"]}) < 3:
    sys.exit("it behaves otherwise now")
PYTHON
"$python" "$work/look.py" "$work" 2> "$work/notes" || { tail -n 5 "$work/notes"; exit 1; }
