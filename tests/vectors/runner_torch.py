#!/usr/bin/env python3
"""runner_torch.py MODEL_DIR VECTOR.safetensors ...    a PyTorch BERT, read through forward hooks, held against the vectors."""
import json, sys
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertForPreTraining
from transformers.models.bert import modeling_bert

config = BertConfig(**json.load(open(sys.argv[1] + "/config.json")), attn_implementation="eager")
model = BertForPreTraining(config).eval()                       # or yours, if its modules have these names
weights = load_file(sys.argv[1] + "/model.safetensors")
weights["cls.predictions.decoder.weight"] = weights["bert.embeddings.word_embeddings.weight"]
weights["cls.predictions.decoder.bias"] = weights["cls.predictions.bias"]
model.load_state_dict(weights)

trace = {}
for name, module in model.named_modules():                      # a module's output has the module's name in a trace
    module.register_forward_hook(lambda m, i, out, name=name.removeprefix("bert."): trace.update({name: out}))
def attention(module, q, k, v, mask, scaling, **rest):          # scores, probs and context have no module: the function itself
    name = f"encoder.layer.{module.layer_idx}.attention.self."
    scores = q @ k.transpose(2, 3) * scaling + (0 if mask is None else mask)
    probs = scores.softmax(-1)
    context = (probs @ v).transpose(1, 2)
    trace.update({name + "scores": scores, name + "probs": probs, name + "context": context.flatten(2)})
    return context, probs
modeling_bert.eager_attention_forward = attention

for path in sys.argv[2:]:
    want, trace = load_file(path), {}
    with torch.no_grad():
        model(**{n: want.pop(n)[None] for n in ("input_ids", "token_type_ids", "attention_mask")})
    off = {}
    for n in (n for n in trace if n in want):                   # hooks run in the order of the data
        seen = want[n] > -1e4                                   # a masked score is -FLT_MAX, yours may be another
        off[n] = ((trace[n][0] - want[n])[seen].abs().max() / want[n][seen].abs().max()).item()
    wrong = [n for n in off if not off[n] < 1e-4] + sorted(want.keys() - off.keys())
    print(path, f"first difference: {wrong[0]}" if wrong else f"{len(off)} tensors, at most {max(off.values()):.0e} apart")
    if wrong: sys.exit(1)
