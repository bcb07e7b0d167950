#!/bin/sh
# openvino-tokenizers 2026.4.1.0 and onnxruntime-extensions 0.15.2 (run 2026-11-29): tokens that were added to a BERT are lost.
#
# One would guess: a converter that is given a BertTokenizer with a marker [E1], as for relation extraction, and a word of the
#                  trade, covid, gives their ids; or says that it cannot. The model has trained rows for both.
# What happens:    neither id ever comes, without a word. OpenVINO finds the token in the text and then looks for it among the pieces
#                  of vocab.txt, as if it were a word without punctuation: [E1] is [UNK], covid becomes co ##vid, which it was before.
#                  ONNX Runtime's BertTokenizer gets the added tokens as the last lines of its vocabulary: covid is found there, but
#                  [E1] is text, four pieces of it (and so is [MASK] in a text).
# A token of vocab.txt that was made special, [unused0], has its id in OpenVINO.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check openvino-tokenizers==2026.4.1.0 openvino==2026.4.1 \
    onnxruntime-extensions==0.15.2 onnxruntime==1.31.1 onnx==1.23.2 transformers==5.23.0 tokenizers==0.23.3
cd "$folder"
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' '[unused0]' the cat '[' ']' e '##1' co '##vid' > vocab.txt
HF_HUB_OFFLINE=1 venv/bin/python - 2> log <<'END'
import numpy as np
import onnxruntime
import onnxruntime_extensions
import openvino
import openvino_tokenizers
from transformers import AutoTokenizer, BertTokenizer
made = BertTokenizer("vocab.txt")
made.add_special_tokens({"extra_special_tokens": ["[E1]", "[unused0]"]})
made.add_tokens(["covid"])
made.save_pretrained("saved")
hugging_face = AutoTokenizer.from_pretrained("saved")
converted = openvino.compile_model(openvino_tokenizers.convert_tokenizer(hugging_face), "CPU")
graph, _ = onnxruntime_extensions.gen_processing_models(hugging_face, pre_kwargs={})
options = onnxruntime.SessionOptions()
options.register_custom_ops_library(onnxruntime_extensions.get_library_path())
session = onnxruntime.InferenceSession(graph.SerializeToString(), options)
print("openvino-tokenizers", openvino_tokenizers.__version__, "onnxruntime-extensions", onnxruntime_extensions.__version__)
found = []
for text in "the [E1] cat", "the covid cat", "the [unused0] cat":
    ids = (hugging_face(text)["input_ids"], [int(i) for i in converted([np.array([text])])["input_ids"][0]],
           session.run(None, {"text": np.array([text])})[0].ravel().tolist())
    found += [" ".join(hugging_face.convert_ids_to_tokens(i[2:-2])) for i in ids]       # between the and cat
    print("%s: BertTokenizer %s, OpenVINO %s, onnxruntime-extensions %s" % (text, *found[-3:]))
assert found == ["[E1]", "[UNK]", "[ e ##1 ]", "covid", "co ##vid", "covid", "[unused0]", "[unused0]", "[ [UNK] ]"], found
END
