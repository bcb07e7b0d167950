#!/bin/sh
# onnxruntime_optimizer_right_padding.sh - onnxruntime's optimizer for BERT makes a length of the attention mask.
#
# One would guess: optimize_model("bert.onnx", model_type="bert") makes a faster graph with the same outputs for the same inputs.
# What happens: the fused EmbedLayerNormalization takes the mask for a number of tokens, counted from the first place. A row that
# is padded on the right has the same numbers as before. A row that is padded on the left, or whose mask has a hole (a prompt or a
# passage that is not to be looked at), gets other vectors, without a word: [PAD] is looked at, and the last tokens are not. The
# option of the command line that keeps the mask, --use_raw_attention_mask, says so in its help; the function does not, and what
# the session fuses by itself, at its highest level, is right.
# Seen with onnxruntime 1.31.1, torch 2.15.0, transformers 5.23.0, onnx 1.23.2, 2026-11-30, a random BERT of two layers.
# Exits with 1 if it behaves otherwise. PYTHON: a Python that has these versions; without one they are installed into a
# temporary folder.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PYTHON:-python3}
if ! "$python" -c 'import onnx, onnxruntime, torch, transformers
assert torch.__version__.split("+")[0] == "2.15.0" and transformers.__version__ == "5.23.0"
assert onnxruntime.__version__ == "1.31.1" and onnx.__version__ == "1.23.2"' 2> "$work/missing"; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet onnxruntime==1.31.1 onnx==1.23.2 transformers==5.23.0 torch==2.15.0
    python=$work/venv/bin/python
fi
cat > "$work/look.py" <<'PYTHON'
import logging
import os
import sys
import numpy
import onnxruntime
import torch
import transformers
from onnxruntime.transformers.fusion_options import FusionOptions
from onnxruntime.transformers.optimizer import optimize_model
from transformers import BertConfig, BertModel

logging.disable(logging.WARNING)
torch.set_num_threads(1)
torch.manual_seed(0)
print("onnxruntime", onnxruntime.__version__, "torch", torch.__version__.split("+")[0], "transformers", transformers.__version__)
bert = BertModel(BertConfig(vocab_size=100, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128,
                            max_position_embeddings=32, initializer_range=0.3, attn_implementation="eager"))


class Hidden(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.bert = bert

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.bert(input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids).last_hidden_state


NAMES = ["input_ids", "attention_mask", "token_type_ids"]
file = {kind: os.path.join(sys.argv[1], kind + ".onnx") for kind in ("exported", "optimized", "raw_mask")}
one = torch.ones((2, 7), dtype=torch.long)
torch.onnx.export(Hidden().eval(), (one, one, one), file["exported"], input_names=NAMES, output_names=["hidden"], dynamo=False,
                  opset_version=17, dynamic_axes={name: {0: "batch", 1: "length"} for name in NAMES})
raw = FusionOptions("bert")
raw.use_raw_attention_mask(True)
for kind, options in (("optimized", None), ("raw_mask", raw)):
    optimize_model(file["exported"], model_type="bert", num_heads=4, hidden_size=64,
                   optimization_options=options).save_model_to_file(file[kind])


def difference(kind, ids, mask):
    """Of the tokens that are looked at, the largest from what PyTorch computes."""
    feeds = dict(zip(NAMES, (ids, mask, torch.zeros_like(ids))))
    with torch.no_grad():
        expected = bert.eval()(**feeds).last_hidden_state.numpy()
    session = onnxruntime.InferenceSession(file[kind], providers=["CPUExecutionProvider"])
    got = session.run(None, {name: x.numpy() for name, x in feeds.items()})[0]
    return float(numpy.abs(got - expected)[mask.bool().numpy()].max())


text, zeros = [2, 7, 8, 9, 3], [0, 0]
CASES = {"right": (text + zeros, [1] * 5 + zeros), "left": (zeros + text, zeros + [1] * 5),
         "hole": ([2, 50, 51, 20, 21, 22, 3], [1, 1, 0, 0, 1, 1, 1])}
found = {case: {kind: difference(kind, torch.tensor([ids]), torch.tensor([mask])) for kind in file}
         for case, (ids, mask) in CASES.items()}
for case, of in found.items():
    print(f"mask {CASES[case][1]}, {case}:", ", ".join(f"{kind} {d:.2g}" for kind, d in of.items()))
expected = all(of[kind] < 1e-4 for of in found.values() for kind in ("exported", "raw_mask"))
sys.exit(not (expected and found["right"]["optimized"] < 1e-4 and min(found[c]["optimized"] for c in ("left", "hole")) > 0.1))
PYTHON
"$python" -W ignore "$work/look.py" "$work" 2> "$work/log" || { cat "$work/log"; exit 1; }
