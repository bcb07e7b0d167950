/* native.mjs - what ./bert says about a text: the numbers that the page must have, too. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';

const bert = (model, ...args) => execFileSync('./bert', [args[0], '-q', '-m', model, ...args.slice(1)], { encoding: 'utf8', maxBuffer: 1 << 28 });

export const sentences = () => fs.readFileSync('tests/page/sentences.txt', 'utf8').split('\n').filter(line => line);

/* ids, the ten best pieces at the first [MASK], and the checksum over every intermediate. */
export function native(model, text) {
    const ids = bert(model, 'tokenize', '--format', 'ids', '--', text).trim().split(' ').map(Number);
    const checksum = bert(model, 'trace', '--checksum', '--', text).trim();
    let fillers = [];
    if (/\[MASK\]/.test(text)) {
        const first = JSON.parse(bert(model, 'fill-mask', '--format', 'json', '--top-k', '10', '--', text).split('\n')[0]);
        fillers = first.predictions.map(({ token_str }) => token_str);
    }
    return { ids, fillers, checksum };
}

export const nativePair = (model, a, b) => JSON.parse(bert(model, 'next-sentence', '--format', 'json', '--', a, b)).is_next;

/* A test: its name, and whether what it found is as expected. Counts are printed by done(). */
let passed = 0, failed = 0;
export function check(name, good, found = '') {
    if (good) passed++;
    else failed++;
    console.log(`${good ? 'ok    ' : 'FAILED'}  ${name}${good || found === '' ? '' : ': ' + String(found).slice(0, 600)}`);
}
export function done(what) {
    console.log(`${what}: ${passed} passed, ${failed} failed`);
    process.exit(failed || !passed ? 1 : 0);
}
