#!/bin/sh
# transformers_masked_sequence.sh - transformers' BERT: a sequence whose attention_mask is all 0 gets other vectors with
# attn_implementation="sdpa" than with "eager"; and "eager" has gradients that are not the derivative of the loss.
#
# One would guess: attn_implementation chooses between two ways to compute the same numbers, forward and backward.
# What happens, in a sequence without any token to look at (a row that only fills a batch up):
#   eager   every score is lost beside the mask's lowest number, and each place gets the probability 1/T. Moving a weight
#           of the query changes no bit of the output: its derivative is 0. But autograd goes back through the sum of
#           scores and mask as if the scores had counted, and gives query and key gradients that are not 0.
#   sdpa    nothing is looked at: the context is 0, and so are the gradients of query and key.
# So both vectors and training depend on the choice, whose default is sdpa; and a check of gradients by differences fails.
#
# Seen with transformers 5.23.0, torch 2.15.0, 2026-11-28. Exits with 1 if either behaves otherwise. PYTHON: a Python that
# has these versions; without one they are installed into a temporary folder.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PYTHON:-python3}
if ! "$python" -c 'import torch, transformers
assert torch.__version__.split("+")[0] == "2.15.0" and transformers.__version__ == "5.23.0"' 2> "$work/missing"; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet transformers==5.23.0 torch==2.15.0
    python=$work/venv/bin/python
fi
cat > "$work/look.py" <<'PYTHON'
import sys
import torch
import transformers
from transformers import BertConfig, BertModel

torch.set_num_threads(1)
sizes = dict(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
             hidden_dropout_prob=0, attention_probs_dropout_prob=0, initializer_range=0.3)
print("transformers", transformers.__version__, "torch", torch.__version__.split("+")[0])
ids = torch.arange(5, 11)[None]
outputs, gradients, slopes = [], [], []
for attention in ("eager", "sdpa"):
    torch.manual_seed(0)
    model = BertModel(BertConfig(**sizes, attn_implementation=attention)).double()
    weight = model.encoder.layer[0].attention.self.query.weight

    def output():
        return model(input_ids=ids, attention_mask=torch.zeros_like(ids)).last_hidden_state

    def loss():
        return (output() ** 2 * torch.linspace(0, 1, 16, dtype=torch.float64)).sum()

    loss().backward()
    with torch.no_grad():
        outputs.append(output())
        change = 1e-3 * torch.ones_like(weight)
        weight += change
        more = loss().item()
        weight -= 2 * change
        slopes.append((more - loss().item()) / 2e-3)
    gradients.append(weight.grad.abs().max().item())
    print(f"{attention}: largest gradient of query.weight {gradients[-1]:.3g}; all its numbers moved by 0.001: the loss "
          f"changes by {slopes[-1]:.3g} per unit")
difference = (outputs[0] - outputs[1]).abs().max().item()
print(f"largest difference of the two outputs: {difference:.3g}")
sys.exit(not (difference > 0.1 and gradients[0] > 0.1 and gradients[1] == 0 and slopes == [0, 0]))
PYTHON
"$python" "$work/look.py"
