#!/bin/sh
# model.sh OUT - a model for the page's tests where the pocket model is not there: pieces and some steps of learning from
# this repository's own texts. It has everything (128 positions, 4 layers, all heads) and knows next to nothing.
set -eu
cd "$(dirname "$0")/../.."
out=$1 work=build/page/small
rm -rf "$work" "$out"
mkdir -p "$work"
# Sentences, a line each, a blank line after every third: documents for the task of the next sentence.
cat tests/page/sentences.txt README.md | sed 's/\[[A-Z]*\]//g' | awk 'length > 20 && length < 200 { print; if (++n % 3 == 0) print "" }' > "$work/text"
./bert vocab -q --learn 1500 -f "$work/text" -o "$work/vocab.txt"
cat > "$work/config.json" <<'END'
{"model_type": "bert", "architectures": ["BertForPreTraining"], "vocab_size": VOCAB, "hidden_size": 96, "num_hidden_layers": 4,
 "num_attention_heads": 4, "intermediate_size": 384, "max_position_embeddings": 128, "type_vocab_size": 2,
 "hidden_act": "gelu", "layer_norm_eps": 1e-12, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
 "initializer_range": 0.2, "pad_token_id": 0}
END
sed -i "s/VOCAB/$(wc -l < "$work/vocab.txt")/" "$work/config.json"
./bert train -q --config "$work/config.json" --vocab "$work/vocab.txt" -f "$work/text" -o "$out" \
    --truncate --steps 60 --batch 16 --max-length 64 --learning-rate 1e-3 --warmup 5
rm -rf "$out/training"
