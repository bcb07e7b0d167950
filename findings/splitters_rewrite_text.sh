#!/bin/sh
# splitters_rewrite_text.sh - two text splitters that count BERT's tokens give back another text than they were given.
#
# One would guess: a splitter cuts a text, so each chunk stands in the text as it is, and start_index and end_index say where.
# What happens: LangChain's SentenceTransformersTokenTextSplitter and Chonkie's TokenChunker make pieces of the text, cut the list of
# pieces, and write each part out of its pieces. A BERT's pieces have no blanks, no letters that are not in the vocabulary and, where the
# model is uncased, no capitals and no accents: "Müller paid $3.50" comes back as "muller paid $ 3. 50", "didn't" as "didn ' t", an unknown
# letter as [UNK] or as nothing. Chonkie's indices, too, are not where the chunk came from. Nothing is said. What is stored, and shown for
# a hit, is no quotation any more.
# Seen with langchain-text-splitters 1.1.3, chonkie 1.7.0, sentence-transformers 6.2.0, transformers 5.23.0, 2026-11-30. Exits with 1 if it
# is otherwise. PYTHON: a Python that has these and torch 2.15.0; without one they are installed into a temporary folder.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${PYTHON:-python3}
pinned='from importlib.metadata import version as v
assert [v(n) for n in ("langchain-text-splitters", "chonkie", "sentence-transformers", "transformers")] == ["1.1.3", "1.7.0", "6.2.0", "5.23.0"]'
if ! "$python" -c "$pinned" 2> "$folder/missing"; then
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install --quiet langchain-text-splitters==1.1.3 chonkie==1.7.0 sentence-transformers==6.2.0 \
        transformers==5.23.0 torch==2.15.0
    python=$folder/venv/bin/python
fi
cat > "$folder/run.py" <<'PYTHON'
import importlib.metadata
import os
import sys
import chonkie
import langchain_text_splitters
import transformers
from sentence_transformers import SentenceTransformer, models

for name in ("langchain-text-splitters", "chonkie", "sentence-transformers", "transformers"):
    print(name, importlib.metadata.version(name), end="; " if name != "transformers" else "\n")
folder = sys.argv[1]
TEXT = "Müller paid $3.50 for the café's tea; he didn't like it. Then he left 東京 at 9:30."
PIECES = "muller paid $ 3 . 50 for the cafe ' s tea ; he didn t like it then left 京 at 9 : 30".split()
with open(os.path.join(folder, "vocab.txt"), "w", encoding="utf-8") as f:
    f.writelines(piece + "\n" for piece in ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *PIECES])
config = transformers.BertConfig(vocab_size=len(PIECES) + 5, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
                                 intermediate_size=32, max_position_embeddings=32)
transformers.BertModel(config).save_pretrained(folder)
tokenizer = transformers.BertTokenizer(os.path.join(folder, "vocab.txt"))
tokenizer.save_pretrained(folder)
model = os.path.join(folder, "model")
SentenceTransformer(modules=[models.Transformer(folder), models.Pooling(16, "mean")], device="cpu").save(model)

print("    given:    ", TEXT)
split = langchain_text_splitters.SentenceTransformersTokenTextSplitter(model_name=model, tokens_per_chunk=12, chunk_overlap=0).split_text(TEXT)
print("    LangChain:", " | ".join(split))
chunks = chonkie.TokenChunker(tokenizer=tokenizer, chunk_size=12, chunk_overlap=0).chunk(TEXT)
print("    Chonkie:  ", " | ".join(c.text for c in chunks))
there = [TEXT[c.start_index:c.end_index] for c in chunks]
print("    there:    ", " | ".join(there))
known = ("muller paid $ 3. 50", "didn ' t")
rewritten = all(parts and not any(part in TEXT for part in parts) for parts in (split, [c.text for c in chunks]))
lost = not any("東" in part or "Müller" in part for part in split + [c.text for c in chunks])
rewritten &= all(word in " ".join(parts) for word in known for parts in (split, [c.text for c in chunks]))
lost &= any("[UNK]" in part for part in split) and not any("[UNK]" in c.text for c in chunks)
sys.exit(not (rewritten and lost and any(c.text != t for c, t in zip(chunks, there)) and chunks[-1].end_index != len(TEXT)))
PYTHON
"$python" "$folder/run.py" "$folder" 2> "$folder/noise" && code=0 || code=$?
[ $code = 0 ] || tail -n 5 "$folder/noise"
exit $code
