#!/bin/sh
# transformers: an empty second text is a second text in a batch, and none by itself.
#
# One would guess: tokenizer("a b", "") and tokenizer(["a b"], [""]) give the same ids. What happens: by itself the empty text
# counts as none ("if text_pair"), [CLS] a b [SEP]; in a batch, also of one, it is the second segment, [CLS] a b [SEP] [SEP]. An
# empty first text is no such case. So a model of pairs (entailment, reranking) scores an empty hypothesis or passage
# differently through pipeline("text-classification")({"text": ..., "text_pair": ""}) and in a batch. Met when
# `bert classify --pairs` was held against that pipeline.
#
# transformers 5.23.0 and 4.57.1, tokenizers as they ask for, Python 3.11; seen on 2026-11-28.
# Exits with 1 if either version behaves otherwise.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' a b c > "$work/vocab.txt"
cat > "$work/ask.py" << 'END'
import sys
import transformers
from transformers import BertTokenizerFast, BertTokenizer
five = transformers.__version__.startswith("5")
t = BertTokenizer(sys.argv[1]) if five else BertTokenizerFast(sys.argv[1])
print(transformers.__version__, "| alone:", t("a b", "")["input_ids"], "| in a batch:", t(["a b"], [""])["input_ids"][0],
      "| empty first text:", t("", "a b")["input_ids"], t([""], ["a b"])["input_ids"][0])
END
for version in 4.57.1 5.23.0; do
    python3 -m pip install -q --disable-pip-version-check --target "$work/$version" "transformers==$version" \
        2> "$work/pip" || { cat "$work/pip"; exit 2; }
    HF_HUB_OFFLINE=1 PYTHONPATH="$work/$version" python3 -S "$work/ask.py" "$work/vocab.txt" 2> "$work/log" > "$work/said" \
        || { cat "$work/log"; exit 2; }
    cat "$work/said"
    case $(cat "$work/said") in
    "$version | alone: [2, 5, 6, 3] | in a batch: [2, 5, 6, 3, 3] | empty first text: [2, 3, 5, 6, 3] [2, 3, 5, 6, 3]") ;;
    *) echo "not as on 2026-11-28"; exit 1 ;;
    esac
done
