#!/bin/sh
# keras-hub 0.32.0 (September 2026, run 2026-11-28): an uncased BERT's tokenizer keeps accents.
#
# One would guess: BertTokenizer(lowercase=True) does what "uncased" means in every other library, lower case AND no accents,
#                  as Google's do_lower_case and Hugging Face's strip_accents=None do.
# What happens:    strip_accents is an option of its own, False by default, and the converter of Hugging Face directories passes
#                  lowercase alone. "café" and "cafe" have different ids; a vocabulary without accents gives [UNK].
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check keras-hub==0.32.0 tensorflow-cpu==2.21.0 tensorflow-text==2.21.1
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' cafe > "$folder/vocab.txt"
cd "$folder"
KERAS_BACKEND=tensorflow TF_CPP_MIN_LOG_LEVEL=3 venv/bin/python - 2> log <<'END'
import inspect
import keras_hub
from keras_hub.src.utils.transformers import convert_bert
pieces = [line.strip() for line in open("vocab.txt")]
ids = lambda **options: [int(i) for i in keras_hub.models.BertTokenizer(vocabulary=pieces, lowercase=True, **options)("Café")]
print("keras-hub", keras_hub.__version__)
print("lowercase=True:                     Café ->", [pieces[i] for i in ids()])
print("lowercase=True, strip_accents=True: Café ->", [pieces[i] for i in ids(strip_accents=True)])
converter = inspect.getsource(convert_bert.convert_tokenizer)
print("the converter mentions strip_accents:", "strip_accents" in converter)
assert ids() == [1] and ids(strip_accents=True) == [5] and "strip_accents" not in converter
END
