#!/bin/sh
# tokenizers 0.23.3 (run 2026-11-28): BertWordPieceTokenizer learns another vocabulary from the same text each time.
#
# One would guess: training counts words and pairs, and has no random numbers: the same text gives the same vocab.txt.
# What happens:    of equally frequent pairs one or another is joined first, in the order of a hash table, from process to
#                  process. In five runs on one small text there are several vocabularies, which differ in their pieces, not
#                  only in their order. A model trained with one of them has other rows than a model trained with the next.
# For texts that nobody sees again, the vocabulary must be kept with the weights: it cannot be made again.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check tokenizers==0.23.3
cd "$folder"
venv/bin/python - <<'END'
stems = ["run", "play", "walk", "talk", "jump", "read", "paint", "work", "call", "help"]
words = [a + b + c for a in ("", "re", "un", "over") for b in stems for c in ("", "s", "ed", "ing", "er", "ers", "able")]
open("text.txt", "w").write("\n".join(" ".join(words[i:i + 9]) for i in range(0, len(words), 9)) + "\n")
END
cat > learn.py <<'END'
import hashlib
import tokenizers
t = tokenizers.BertWordPieceTokenizer()
t.train(["text.txt"], vocab_size=80, min_frequency=2, show_progress=False)
print("tokenizers", tokenizers.__version__, "pieces", t.get_vocab_size(), hashlib.sha256("\n".join(sorted(t.get_vocab())).encode()).hexdigest()[:16])
END
for run in 1 2 3 4 5; do venv/bin/python learn.py; done > said
cat said
[ "$(sort -u said | wc -l)" -gt 1 ]
