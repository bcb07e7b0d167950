#!/bin/sh
# transformers 5: BertTokenizer(vocab_file=PATH) makes a vocabulary of five pieces, and every word [UNK].
#
# One would guess: what was right in transformers 4, `BertTokenizer(vocab_file="vocab.txt", do_lower_case=False)`, reads that
# file, or fails. What happens: the parameter is called `vocab` since 5.0; the old name is taken for one of the free keyword
# arguments and kept as a setting; the vocabulary is the default one, [PAD] [UNK] [CLS] [SEP] [MASK]. No error, no warning.
# The first argument by place, and from_pretrained(DIRECTORY), read the file. Met in PyPI's antiberty 0.1.3 (a protein BERT),
# which asks for transformers >= 4.5.1 and makes its tokenizer this way.
#
# transformers 5.23.0 and 4.57.1, tokenizers as they ask for, Python 3.11; seen on 2026-11-28.
# Exits with 1 if either version behaves otherwise.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
printf '%s\n' '[PAD]' '[UNK]' '[CLS]' '[SEP]' '[MASK]' A C D E F G H I K L M N P Q R S T V W Y > "$work/vocab.txt"
cat > "$work/ask.py" << 'END'
import sys, warnings, logging
heard = []
warnings.showwarning = lambda message, *rest: heard.append(str(message))
import transformers
from transformers import BertTokenizer
class Ears(logging.Handler):
    def emit(self, record): heard.append(record.getMessage())
logging.getLogger("transformers").addHandler(Ears())
path = sys.argv[1] + "/vocab.txt"
named = BertTokenizer(vocab_file=path, do_lower_case=False)
placed = BertTokenizer(path, do_lower_case=False)
print(transformers.__version__, "| by name:", len(named), "pieces,", named("Q V [MASK] L")["input_ids"],
      "| by place:", len(placed), "pieces,", placed("Q V [MASK] L")["input_ids"], "| warnings:", len(heard))
END
for version in 4.57.1 5.23.0; do
    python3 -m pip install -q --disable-pip-version-check --target "$work/$version" "transformers==$version" \
        2> "$work/pip" || { cat "$work/pip"; exit 2; }
    TRANSFORMERS_VERBOSITY=warning HF_HUB_OFFLINE=1 PYTHONPATH="$work/$version" python3 -S "$work/ask.py" "$work" 2> "$work/log" | tee "$work/said" || { cat "$work/log"; exit 2; }
    case $version in
    4.*) expected='4.57.1 | by name: 25 pieces, [2, 18, 22, 4, 14, 3] | by place: 25 pieces, [2, 18, 22, 4, 14, 3]' ;;
    *) expected='5.23.0 | by name: 5 pieces, [2, 1, 1, 4, 1, 3] | by place: 25 pieces, [2, 18, 22, 4, 14, 3] | warnings: 0' ;;
    esac
    case $(cat "$work/said") in
    "$expected"*) ;;
    *) cat "$work/log"; echo "expected $expected"; exit 1 ;;
    esac
done
