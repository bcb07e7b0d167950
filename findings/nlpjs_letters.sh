#!/bin/sh
# nlpjs_letters.sh - @nlpjs/bert-tokenizer: what a word is, and where it is cut.
#
# One would guess: a word is a run of letters, of any language; and what no piece is made of is cut, or [UNK].
# What happens:
#   - The first piece of a word is looked for among those that are no longer than the longest piece with ##. With the real
#     vocabulary of bert-base-uncased that is 10 letters, and a plural of "comfortable" or "temperament" is cut within them:
#     18 of 100 lines of plain English (tests/peers) have other ids.
#   - Words are runs of ASCII letters, digits and _ in the text without accents.
#   - Every Cyrillic, Greek or Arabic letter is a word of its own, without ##, though the vocabulary has the whole word.
#   - Words are found in the text without accents, and cut out of the text with them. An accent that is a character of its
#     own so shifts every word behind it by one letter: most of the rest of the text is [UNK].
#   - The pieces are an object of JavaScript, which knows more names than its own: the word "constructor", which
#     bert-base-uncased's vocabulary lacks as well, has a function for its id.
# Seen with @nlpjs/bert-tokenizer 4.27.0, 2026-11-30. Exits with 1 if it behaves otherwise. Needs node, npm.
set -eu
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
echo '{"private": true}' > package.json
npm install --ignore-scripts --silent @nlpjs/bert-tokenizer@4.27.0 > log 2>&1 || { cat log; exit 1; }
cat > look.js <<'JS'
const {BertWordPieceTokenizer} = require('@nlpjs/bert-tokenizer');
const vocabContent = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'the', 'cafe', 'is', 'in', 'house', 'a', '##s', 'ho', '##use', '\u0434\u043e\u043c', '\u0434', '\u043e', '\u043c'];
const tokenizer = new BertWordPieceTokenizer({vocabContent, lowercase: true});
const pieces = text => tokenizer.tokenizeSentence(text).tokens.join(' ');
console.log('@nlpjs/bert-tokenizer', require('@nlpjs/bert-tokenizer/package.json').version);
const found = ['the cafe is in the house', 'the cafe\u0301 is in the house', '\u0434\u043e\u043c'].map(pieces);
const cut = pieces('the houses');
const id = tokenizer.tokenizeSentence('a constructor').ids[1];
found.forEach(x => console.log(x));
console.log('the houses:', cut);
console.log('id of constructor:', typeof id);
const lost = found[1].split(' ').filter(p => p === '[UNK]').length;
process.exit(found[0] === 'the cafe is in the house' && lost >= 3 && cut === 'the ho ##use ##s' && found[2] === '\u0434 \u043e \u043c' && typeof id === 'function' ? 0 : 1);
JS
node look.js
