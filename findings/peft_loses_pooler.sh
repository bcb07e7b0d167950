#!/bin/sh
# peft_loses_pooler.sh - a LoRA adapter of a BERT classifier does not hold the pooler, though the pooler may be random.
#
# One would guess: base model and adapter together are the model that was trained; the adapter holds whatever the base lacks, as it does
# for the classifier, which is random at first.
# What happens: of a base that was saved without its pooler (BertForMaskedLM has none, and many BERTs of a special field are saved
# so) BertForSequenceClassification gets a random pooler and a random classifier. PEFT's task type SEQ_CLS trains and saves the classifier;
# the pooler stays as it is and is not saved. Whoever loads base and adapter gets another random pooler, each time another one, under the
# classifier that goes with the first. (Nothing needs to be trained to see it: the logits of what was saved and of what is loaded differ.)
# modules_to_save=["classifier", "pooler"] in LoraConfig saves both.
# Seen with peft 0.21.2, transformers 5.23.0, torch 2.15.0, 2026-11-30. Exits with 1 if it is otherwise. PYTHON: a Python that has these;
# without one they are installed into a temporary folder.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${PYTHON:-python3}
pinned='from importlib.metadata import version as v
assert (v("peft"), v("transformers"), v("torch").split("+")[0]) == ("0.21.2", "5.23.0", "2.15.0")'
if ! "$python" -c "$pinned" 2> "$folder/missing"; then
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install --quiet peft==0.21.2 transformers==5.23.0 torch==2.15.0
    python=$folder/venv/bin/python
fi
cat > "$folder/run.py" <<'PYTHON'
import os
import sys
import peft
import torch
import transformers

print("peft", peft.__version__, "transformers", transformers.__version__, "torch", torch.__version__.split("+")[0])
base, IDS = os.path.join(sys.argv[1], "base"), torch.arange(5, 15)[None]
config = transformers.BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
                                 max_position_embeddings=32, initializer_range=0.5)
transformers.BertForMaskedLM(config).save_pretrained(base)


def logits(model):
    with torch.no_grad():
        return model.eval()(IDS).logits[0]


def start():
    return transformers.BertForSequenceClassification.from_pretrained(base, num_labels=2)


def apart(**more):
    """How far two loadings of one adapter are from the model that was saved, and from each other."""
    adapter = os.path.join(sys.argv[1], "adapter")
    model = peft.get_peft_model(start(), peft.LoraConfig(task_type=peft.TaskType.SEQ_CLS, r=4, **more))
    saved = logits(model)
    model.save_pretrained(adapter)
    first, second = (logits(peft.PeftModel.from_pretrained(start(), adapter)) for _ in range(2))
    return [float((a - b).abs().max()) for a, b in ((saved, first), (saved, second), (first, second))]


plain, whole = apart(), apart(modules_to_save=["classifier", "pooler"])
for what, found in (("SEQ_CLS", plain), ("SEQ_CLS, pooler saved", whole)):
    print(f"    {what}: largest difference of the logits, first loading {found[0]:.2g}, second {found[1]:.2g}, of both {found[2]:.2g}")
sys.exit(not (min(plain) > 1e-2 and max(whole) < 1e-5))
PYTHON
"$python" "$folder/run.py" "$folder" 2> "$folder/noise" && code=0 || code=$?
[ $code = 0 ] || tail -n 5 "$folder/noise"
exit $code
