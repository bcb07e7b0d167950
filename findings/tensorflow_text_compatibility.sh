#!/bin/sh
# tensorflow-text 2.21.1 (run 2026-11-28): BertTokenizer(lower_case=True) rewrites far more than capitals and accents.
#
# One would guess: Google's own TensorFlow op gives the pieces of Google's own tokenization.py.
# What happens:    case is folded and compatibility characters are replaced (NFKC with case folding): the sharp s becomes ss, a
#                  trade mark sign "tm", a full-width letter an ASCII one. BERT's vocabulary has pieces for several of these as they are.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check tensorflow-cpu==2.21.0 tensorflow-text==2.21.1 tokenizers==0.23.3
cd "$folder"
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' ss 'ß' tm '™' a 'ａ' > vocab.txt
TF_CPP_MIN_LOG_LEVEL=3 venv/bin/python - 2> log <<'END'
import tensorflow_text
import tokenizers
pieces = [line.strip() for line in open("vocab.txt", encoding="utf-8")]
text = "\u00df \u2122 \uff41"
t = tensorflow_text.BertTokenizer("vocab.txt", lower_case=True)
ours = [pieces[i] for i in t.tokenize([text]).merge_dims(1, -1).to_list()[0]]
hf = tokenizers.BertWordPieceTokenizer("vocab.txt", lowercase=True).encode(text, add_special_tokens=False).tokens
print("tensorflow-text", tensorflow_text.__version__, ours)
print("tokenizers     ", tokenizers.__version__, hf)
assert ours == ["ss", "tm", "a"] and hf == ["\u00df", "\u2122", "\uff41"]
END
