"""capture.py - every intermediate of a BERT that PyTorch runs, under the names of a `./bert trace`.

The model is transformers' own BertForPreTraining with its plain ("eager") attention, in the number type that is asked
for. Forward hooks read every module's output; three tensors have no module (scores, probs, context), so the attention
function is wrapped. Nothing of the computation is changed.
"""
import hashlib
import json
import os
import platform

import safetensors.torch
import torch
import transformers
from transformers import BertConfig, BertForPreTraining
from transformers.models.bert import modeling_bert

torch.set_num_threads(1)                            # one order of summation, and the tests share a machine
torch.set_grad_enabled(False)

FLT_MAX = float(torch.finfo(torch.float32).max)     # a masked score is -FLT_MAX in a trace, whatever the number type


# ----------------------------------------------------------------------------------------------------------------------
# Names
# ----------------------------------------------------------------------------------------------------------------------
def trace_names(layers, pooler=True, mlm=True, nsp=True):
    """All names of a trace in the order of the data: what bert.h's steps 5 to 15 leave behind."""
    names = ["embeddings." + part for part in
             ("word_embeddings", "token_type_embeddings", "position_embeddings", "LayerNorm")]
    block = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.self.scores",
             "attention.self.probs", "attention.self.context", "attention.output.dense", "attention.output.LayerNorm",
             "intermediate.dense", "intermediate", "output.dense", "output.LayerNorm")
    names += [f"encoder.layer.{l}.{part}" for l in range(layers) for part in block]
    names += ["pooler.dense", "pooler"] if pooler else []
    names += ["cls.predictions." + part for part in
              ("transform.dense", "transform.transform_act_fn", "transform.LayerNorm", "decoder")] if mlm else []
    return names + (["cls.seq_relationship"] if nsp else [])


def hidden_names(layers):
    """The names of hidden states 0 .. L."""
    return ["embeddings.LayerNorm"] + [f"encoder.layer.{l}.output.LayerNorm" for l in range(layers)]


# ----------------------------------------------------------------------------------------------------------------------
# A model from a directory
# ----------------------------------------------------------------------------------------------------------------------
def modern_name(name):
    """Hugging Face's older names (gamma, beta; no `bert.` in front of the encoder) -> those of BertForPreTraining."""
    name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
    return name if name.startswith(("bert.", "cls.")) else "bert." + name


def read_state(directory):
    """The weights under modern names; what BertForPreTraining keeps elsewhere (position_ids) is left out."""
    path = os.path.join(directory, "model.safetensors")
    state = {modern_name(n): t for n, t in safetensors.torch.load_file(path).items()}
    state = {n: t for n, t in state.items() if not n.endswith("position_ids")}
    if "cls.predictions.bias" in state:             # the decoder is tied to the word embeddings, its bias has two names
        state.setdefault("cls.predictions.decoder.weight", state["bert.embeddings.word_embeddings.weight"])
        state.setdefault("cls.predictions.decoder.bias", state["cls.predictions.bias"])
    return state


def load_model(directory, dtype=torch.float64, gelu=None):
    """BertForPreTraining with the weights of a model directory. `heads` says which heads the file has: a head that
    it lacks stays random, and capture_trace leaves it out. gelu: None for config.json's, else "erf" or "tanh"."""
    with open(os.path.join(directory, "config.json")) as f:
        settings = json.load(f)
    if gelu:
        settings["hidden_act"] = {"erf": "gelu", "tanh": "gelu_new"}[gelu]
    settings.pop("torch_dtype", None)
    settings.pop("dtype", None)
    model = BertForPreTraining(BertConfig(**settings, attn_implementation="eager"))
    state = read_state(directory)
    missing, unexpected = model.load_state_dict(state, strict=False)
    heads = {head: any(n.startswith(head) for n in state) for head in ("bert.pooler", "cls.predictions", "cls.seq_relationship")}
    assert not unexpected, unexpected
    assert not [n for n in missing if not n.startswith(tuple(h for h in heads if not heads[h]))], missing
    model.heads = dict(zip(("pooler", "mlm", "nsp"), heads.values()))
    return model.eval().to(dtype)


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def weights_sha256(directory):
    """Over names and float32 data of all tensors, by name, in formula.py's way: the same for every file of these weights,
    whatever its header, names and order. Tied copies and the next-sentence head, which not every source has, are left out."""
    sha = hashlib.sha256()
    for name, t in sorted(read_state(directory).items()):
        if not name.startswith(("cls.predictions.decoder.", "cls.seq_relationship.")):
            sha.update(name.encode() + t.numpy().astype("<f4").tobytes())
    return sha.hexdigest()


def versions():
    """What made a number: the libraries' versions, for __metadata__."""
    return {"torch": torch.__version__.split("+")[0], "transformers": transformers.__version__,
            "python": platform.python_version()}


# ----------------------------------------------------------------------------------------------------------------------
# One run
# ----------------------------------------------------------------------------------------------------------------------
class Recorder:
    """While it is entered, modules leave their outputs in `found` under their trace names."""

    def __init__(self, model):
        self.model, self.found, self.handles = model, {}, []
        self.attention = modeling_bert.eager_attention_forward

    def __enter__(self):
        names = trace_names(self.model.config.num_hidden_layers, **self.model.heads)
        modules = dict(self.model.named_modules())
        for name in names:
            module = modules.get(name if name.startswith("cls.") else "bert." + name)
            if module is not None:
                self.handles.append(module.register_forward_hook(self.hook(name)))
        for l, layer in enumerate(self.model.bert.encoder.layer):
            layer.attention.self.trace_name = f"encoder.layer.{l}.attention.self."
        modeling_bert.eager_attention_forward = self.traced_attention
        return self

    def hook(self, name):
        def record(module, inputs, output):
            self.found[name] = output[0].clone()
        return record

    def traced_attention(self, module, query, key, value, attention_mask, scaling=None, **rest):
        """transformers' own function does the work; its scores are repeated here, in the same order of operations."""
        out, probs = self.attention(module, query, key, value, attention_mask, scaling=scaling, **rest)
        scores = torch.matmul(query, key.transpose(2, 3)) * scaling
        if attention_mask is not None:
            scores = scores.masked_fill(attention_mask < -1e30, -FLT_MAX)   # score + the type's lowest number, in a word
        tokens = out.shape[1]
        self.found[module.trace_name + "scores"] = scores[0]
        self.found[module.trace_name + "probs"] = probs[0].clone()
        self.found[module.trace_name + "context"] = out[0].reshape(tokens, -1).clone()
        return out, probs

    def __exit__(self, *error):
        modeling_bert.eager_attention_forward = self.attention
        for handle in self.handles:
            handle.remove()


def capture_trace(model, ids, types, mask, dtype):
    """Name -> tensor for one sequence (lists of T ids, token types, mask), in the order of the data and without the
    batch's leading 1: (T, features), (A, T, T), and one-dimensional for pooler.dense, pooler and cls.seq_relationship."""
    model = model.to(dtype)
    names = trace_names(model.config.num_hidden_layers, **model.heads)
    as_batch = lambda row: torch.tensor([list(row)], dtype=torch.int64)
    run = model if model.heads["mlm"] or model.heads["nsp"] else model.bert
    with Recorder(model) as recorder:
        run(input_ids=as_batch(ids), token_type_ids=as_batch(types), attention_mask=as_batch(mask))
    lost = set(names) - set(recorder.found)
    assert not lost, lost
    return {name: recorder.found[name] for name in names}


# ----------------------------------------------------------------------------------------------------------------------
# Golden files
# ----------------------------------------------------------------------------------------------------------------------
def take_rows(trace, rows):
    """Of every tensor with a row per token only these rows; of scores and probs these query rows of every head."""
    return {name: t[:, rows] if t.dim() == 3 else t[rows] if t.dim() == 2 else t for name, t in trace.items()}


def write_safetensors(path, tensors, metadata):
    """As safetensors.torch.save_file, with the metadata sorted, so that the same tensors always give the same bytes."""
    data = safetensors.torch.save(tensors, metadata=metadata)
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + size])
    header["__metadata__"] = dict(sorted(metadata.items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    assert len(text) <= size
    with open(path, "wb") as f:
        f.write(data[:8] + text.ljust(size) + data[8 + size:])


def write_golden(path, trace, ids, types, mask, rows, dtype, **metadata):
    """One golden file: the inputs and `rows` as int64, the tensors as dtype, metadata as text."""
    tensors = {"input_ids": ids, "token_type_ids": types, "attention_mask": mask, "rows": rows}
    tensors = {name: torch.tensor(list(t), dtype=torch.int64) for name, t in tensors.items()}
    for name, t in take_rows(trace, list(rows)).items():
        assert torch.isfinite(t).all(), name
        tensors[name] = t.to(dtype).contiguous()
    write_safetensors(path, tensors, {**versions(), **metadata})
    print(f"{os.path.getsize(path):>9,}  {os.path.basename(path)}  {len(ids)} tokens, rows {len(rows)}")
