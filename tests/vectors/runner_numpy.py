#!/usr/bin/env python3
"""runner_numpy.py MODEL_DIR VECTOR.safetensors ...             BERT in plain NumPy, every step held against the vectors
runner_numpy.py MODEL_DIR IDS.safetensors -o MINE.safetensors   every step written, for `bert verify MINE.safetensors -m MODEL_DIR`"""
import json, math, sys
import numpy as np
from safetensors.numpy import load_file, save_file

def bert(w, c, ids, types, mask):
    t = {}                                                      # the trace: name -> array
    def keep(name, x): t[name] = x; return x
    def dense(name, x): return keep(name, x @ w[name + ".weight"].T + w[name + ".bias"])
    def norm(name, x):
        d = x - x.mean(-1, keepdims=True)
        return keep(name, d / np.sqrt((d * d).mean(-1, keepdims=True) + c["layer_norm_eps"]) * w[name + ".weight"] + w[name + ".bias"])
    def gelu(name, x):
        tanh = np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x ** 3))
        return keep(name, x / 2 * (1 + (np.vectorize(math.erf)(x / math.sqrt(2)) if c["hidden_act"] == "gelu" else tanh)))
    def heads(x): return x.reshape(len(ids), c["num_attention_heads"], -1).swapaxes(0, 1)       # (A, T, D)
    rows = {"word": ids, "token_type": types, "position": range(len(ids))}
    x = norm("embeddings.LayerNorm", sum(keep(f"embeddings.{k}_embeddings", w[f"embeddings.{k}_embeddings.weight"][r]) for k, r in rows.items()))
    for b in (f"encoder.layer.{l}." for l in range(c["num_hidden_layers"])):
        a = b + "attention."
        q, k, v = (heads(dense(a + "self." + part, x)) for part in ("query", "key", "value"))
        s = keep(a + "self.scores", np.where(mask, q @ k.swapaxes(1, 2) / math.sqrt(q.shape[2]), np.finfo("f4").min))
        e = np.exp(s - s.max(-1, keepdims=True))
        p = keep(a + "self.probs", e / e.sum(-1, keepdims=True))
        y = dense(a + "output.dense", keep(a + "self.context", (p @ v).swapaxes(0, 1).reshape(len(ids), -1)))
        y = norm(a + "output.LayerNorm", x + y)
        x = norm(b + "output.LayerNorm", y + dense(b + "output.dense", gelu(b + "intermediate", dense(b + "intermediate.dense", y))))
    keep("pooler", np.tanh(dense("pooler.dense", x[0])))
    if "cls.seq_relationship.weight" in w: dense("cls.seq_relationship", t["pooler"])           # not every copy of the weights has it
    h = "cls.predictions."
    x = norm(h + "transform.LayerNorm", gelu(h + "transform.transform_act_fn", dense(h + "transform.dense", x)))
    return t | {h + "decoder": x @ w["embeddings.word_embeddings.weight"].T + w[h + "bias"]}

def load(directory):
    config = json.load(open(directory + "/config.json"))
    return {n.removeprefix("bert."): x.astype("f8") for n, x in load_file(directory + "/model.safetensors").items()}, config

IDS = ("input_ids", "token_type_ids", "attention_mask")
def write(model, given, path):
    ids = {n: load_file(given)[n] for n in IDS}
    save_file({n: np.ascontiguousarray(x) for n, x in (ids | bert(*model, *ids.values())).items()}, path)

def check(model, path):
    want = load_file(path)
    got, off = bert(*model, *(want.pop(n) for n in IDS)), {}
    for n in got:                                               # in the order of the data; a masked score is -FLT_MAX, yours may be another
        seen = want[n] > -1e4
        off[n] = abs(got[n] - want[n])[seen].max() / abs(want[n])[seen].max()
    wrong = [n for n in off if not off[n] < 1e-4] + sorted(want.keys() ^ got.keys())
    print(path, f"first difference: {wrong[0]}" if wrong else f"{len(off)} tensors, at most {max(off.values()):.0e} apart")
    return not wrong

if __name__ == "__main__":
    model = load(sys.argv[1])
    if sys.argv[3:4] == ["-o"]: write(model, sys.argv[2], sys.argv[4])
    else: sys.exit(not all(check(model, path) for path in sys.argv[2:]))
