#!/bin/sh
# transformers.js 4.3.2 and tokenizers 0.23.2 of npm (run 2026-11-29): a text that is cut loses its [SEP].
#
# One would guess: truncation: true with max_length 6 leaves [CLS], four pieces and [SEP], as in the library that it is a
#                  translation of; of a pair, the longer text is shortened, until both fit.
# What happens:    everything is put together first, then cut behind the sixth id: [CLS] and five pieces, no [SEP]. Of a pair the
#                  second text is lost, as a whole if the first one is long, and the segments 1 with it. Nothing is said.
# Every text that is longer than the model goes this way, in the pipelines, too, which ask for truncation. BERT has seen no text
# without [SEP] in its training.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > log && npm install --silent --ignore-scripts tokenizers@0.23.2 @huggingface/transformers@4.3.2 > log 2>&1
cat > ask.mjs <<'END'
import {writeFileSync} from 'fs';
import {Tokenizer} from 'tokenizers';
import {BertTokenizer} from '@huggingface/transformers';
const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const special = (id, type_id) => ({SpecialToken: {id, type_id}}), text = (id, type_id) => ({Sequence: {id, type_id}});
const single = [special('[CLS]', 0), text('A', 0), special('[SEP]', 0)];
const json = {version: '1.0', truncation: null, padding: null, decoder: null,
    added_tokens: words.slice(0, 5).map((content, id) => ({id, content, single_word: false, lstrip: false, rstrip: false,
        normalized: false, special: true})),
    normalizer: {type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true},
    pre_tokenizer: {type: 'BertPreTokenizer'},
    post_processor: {type: 'TemplateProcessing', single, pair: [...single, text('B', 1), special('[SEP]', 1)],
        special_tokens: {'[CLS]': {id: '[CLS]', ids: [2], tokens: ['[CLS]']}, '[SEP]': {id: '[SEP]', ids: [3], tokens: ['[SEP]']}}},
    model: {type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100,
        vocab: Object.fromEntries(words.map((w, i) => [w, i]))}};
writeFileSync('tokenizer.json', JSON.stringify(json));
const rust = Tokenizer.fromFile('tokenizer.json');
rust.setTruncation(6);
const js = new BertTokenizer(json, {do_lower_case: true, model_max_length: 512});
const show = ids => Array.from(ids, i => words[Number(i)]).join(' ');
const said = [];
for (const [a, b] of [['a b c d e f', null], ['a b c d e f', 'g h'], ['a b', 'c d e f']]) {
    const whole = (await rust.encode(a, b)).getIds();
    const cut = js(a, {text_pair: b, truncation: true, max_length: 6}).input_ids.data;
    console.log(`${a}${b ? ' + ' + b : ''}: tokenizers ${show(whole)}; transformers.js ${show(cut)}`);
    said.push(show(whole), show(cut));
}
const seen = ['[CLS] a b c d [SEP]', '[CLS] a b c d e', '[CLS] a b [SEP] g [SEP]', '[CLS] a b c d e', '[CLS] a [SEP] c d [SEP]',
    '[CLS] a b [SEP] c d'];
process.exit(said.join() === seen.join() ? 0 : 1);
END
echo "transformers.js 4.3.2, tokenizers 0.23.2"
node ask.mjs
