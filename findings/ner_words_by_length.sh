#!/bin/sh
# ner_words_by_length.sh - transformers' token-classification pipeline takes whole words for pieces of the word before.
#
# One would guess: with a fast tokenizer, aggregation_strategy "first" (and "average", "max") asks the tokenizer where words
# begin (word_ids), so that two words never share a label by accident.
# What happens: it compares lengths. A token counts as a piece of the word before if its piece and its stretch of text
# differ in their number of characters. That holds for "##gang", but also for the first piece of any Korean word in an
# uncased vocabulary, whose syllables are taken apart into letters (one character of text, three of the piece), and for a
# word with an accent that is typed as a character of its own. The word then takes the label of its neighbour, which may be
# O, and its own is lost; word_ids has two words there.
# Seen with transformers 5.23.0, tokenizers 0.23.3, 2026-11-28. No torch, no weights: the pipeline's own functions are
# called with probabilities made here.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet transformers==5.23.0 tokenizers==0.23.3 numpy==2.4.6
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' hello cat > "$work/vocab.txt"
printf '\341\204\222\341\205\241\341\206\253\n' >> "$work/vocab.txt"       # U+1112 U+1161 U+11AB, the letters of U+D55C
cat > "$work/look.py" <<'PYTHON'
import os
import sys
import types
import numpy as np
import transformers
from transformers import BertTokenizer
from transformers.pipelines.token_classification import AggregationStrategy, TokenClassificationPipeline

tokenizer = BertTokenizer.from_pretrained(sys.argv[1], do_lower_case=True)
pipe = TokenClassificationPipeline.__new__(TokenClassificationPipeline)     # its rules alone: no model runs
pipe.tokenizer = tokenizer
pipe.model = types.SimpleNamespace(config=types.SimpleNamespace(id2label={0: "O", 1: "PER"}))
print("transformers", transformers.__version__)
glued = []
for text in ("hello cat", "hello \ud55c", "hello ca\u0301t"):
    x = tokenizer(text, return_offsets_mapping=True, return_special_tokens_mask=True)
    scores = np.array([[.9, .1]] * 2 + [[.1, .9]] * (len(x["input_ids"]) - 2))      # the first word is O, the second PER
    before = pipe.gather_pre_entities(text, np.array(x["input_ids"]), scores, x["offset_mapping"], x["special_tokens_mask"],
                                      AggregationStrategy.FIRST)
    words = pipe.aggregate_words(before, AggregationStrategy.FIRST)
    count = len({w for w in x.word_ids() if w is not None})
    print(f"{ascii(text)}: {ascii(tokenizer.convert_ids_to_tokens(x['input_ids'])[1:-1])}, {count} words by word_ids, "
          f"{len(words)} by the pipeline: {[(w['entity'], w['start'], w['end']) for w in words]}")
    glued.append(len(words) < count)
sys.exit(glued != [False, True, True])
PYTHON
TRANSFORMERS_VERBOSITY=error HF_HUB_OFFLINE=1 "$work/venv/bin/python" "$work/look.py" "$work" 2> "$work/log" || { cat "$work/log"; exit 1; }
