#!/bin/sh
# transformers.js 4.3.2 and tokenizers 0.23.2 of npm (run 2026-11-28): one tokenizer.json, two sigmas.
#
# One would guess: the same house's two libraries for JavaScript give the same ids for the same tokenizer.json.
# What happens:    transformers.js puts a whole text into lower case by toLowerCase(), which writes the sigma that ends a Greek word
#                  as U+03C2. The Rust library goes letter by letter, U+03C3. BERT's uncased vocabulary has both.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y > log && npm install --silent --ignore-scripts tokenizers@0.23.2 @huggingface/transformers@4.3.2 > log 2>&1
cat > ask.mjs <<'END'
import {writeFileSync} from 'fs';
import {Tokenizer} from 'tokenizers';
import {BertTokenizer} from '@huggingface/transformers';
const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', '\u03b1', '##\u03c2', '##\u03c3'];
const json = {version: '1.0', truncation: null, padding: null, added_tokens: [], post_processor: null, decoder: null,
    normalizer: {type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase: true},
    pre_tokenizer: {type: 'BertPreTokenizer'},
    model: {type: 'WordPiece', unk_token: '[UNK]', continuing_subword_prefix: '##', max_input_chars_per_word: 100,
        vocab: Object.fromEntries(words.map((w, i) => [w, i]))}};
writeFileSync('tokenizer.json', JSON.stringify(json));
const text = '\u0391\u03a3';                            // alpha, sigma, in capitals
const rust = (await Tokenizer.fromFile('tokenizer.json').encode(text, null, {addSpecialTokens: false})).getIds();
const js = new BertTokenizer(json, {do_lower_case: true}).encode(text, {add_special_tokens: false}).map(Number);
console.log('tokenizers 0.23.2:    ', rust.map(i => words[i]).join(' '));
console.log('transformers.js 4.3.2:', js.map(i => words[i]).join(' '));
process.exit(rust.join() === '5,7' && js.join() === '5,6' ? 0 : 1);
END
node ask.mjs
