/* test_core.mjs MODEL ... - the two WebAssembly builds in node, against ./bert: the same bits.
 *
 * On each model directory 50 sentences; on formula models, whose numbers reach everywhere, and on one whose products are
 * so small that sums are subnormal numbers, which is where the fast form of the kernel must stand back. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { execFileSync } from 'node:child_process';
import { Core } from '../../page/core.js';
import { directory } from './directory.mjs';
import { native, nativePair, sentences, check, done } from './native.mjs';

const builds = {};
for (const name of ['exact', 'relaxed']) {
    const bytes = fs.readFileSync(`build/page/${name}.wasm`);
    if (WebAssembly.validate(bytes)) builds[name] = await WebAssembly.compile(bytes);
    else check(`this node (${process.version}) has the instructions of the ${name} build`, false);
}

async function open(build, model) {
    const files = directory(model), size = Object.values(files).reduce((n, file) => n + file.size, 0);
    const core = await Core.make(builds[build], size, build === 'relaxed');
    core.open(files);
    return core;
}

/* Every sentence that fits: is each of them the same? The first that is not is named. */
async function compare(build, model, texts) {
    const core = await open(build, model), wrong = [];
    for (const text of texts) {
        const want = native(model, text), got = core.run(text);
        const fillers = got.fillers.length ? got.fillers[0].list.map(({ piece }) => piece) : [];
        if (String(got.ids) !== String(want.ids) || got.checksum !== want.checksum || String(fillers) !== String(want.fillers)) wrong.push(text);
    }
    check(`${build}: ids, fillers and checksums of ${texts.length} texts on ${path.basename(model)}`, wrong.length === 0 && texts.length > 0, wrong[0]);
    return core;
}

/* A copy of a model with some tensors multiplied; float32 only. */
function scaled(model, factors, to) {
    fs.cpSync(model, to, { recursive: true });
    const file = path.join(to, 'model.safetensors'), bytes = fs.readFileSync(file), header = Number(bytes.readBigUInt64LE(0));
    const tensors = JSON.parse(bytes.subarray(8, 8 + header).toString());
    let count = 0;
    for (const [name, { dtype, data_offsets: [begin, end] }] of Object.entries(tensors).filter(([name]) => name !== '__metadata__')) {
        const factor = Object.entries(factors).find(([part]) => name.includes(part));
        if (!factor) continue;
        if (dtype !== 'F32') throw new Error(`${name} is ${dtype}`);
        for (let at = 8 + header + begin; at < 8 + header + end; at += 4) bytes.writeFloatLE(bytes.readFloatLE(at) * factor[1], at);
        count++;
    }
    if (!count) throw new Error('no tensor of that name');
    fs.writeFileSync(file, bytes);
    return to;
}

const work = fs.mkdtempSync(path.join(os.tmpdir(), 'page-'));
try {
    const formula = kind => { execFileSync('build/formula', [kind, path.join(work, kind)]); return path.join(work, kind); };
    const tiny = formula('tiny'), odd = formula('odd');
    const small = scaled(tiny, { 'output.dense.bias': 0, 'intermediate.dense': 1e-20, 'output.dense.weight': 1e-20 }, path.join(work, 'subnormal'));
    const short = ['the cat sat', 'he likes playing', 'playing the cat sat sat cat the he', 'cat'];
    for (const build of Object.keys(builds)) {
        for (const model of [tiny, odd, small]) await compare(build, model, short);
        for (const model of process.argv.slice(2)) {
            const core = await compare(build, model, sentences()), pair = ['The man went to the store.', 'He bought a bottle of milk.'];
            if (core.config.hasNsp) check(`${build}: the pair's probability is the same`, Math.abs(core.run(...pair).isNext - nativePair(model, ...pair)) < 1e-8);
            core.run(pair[0]);
            const same = core.runChanged({});
            check(`${build}: the second run with nothing changed has the same bits`, same.checksum === core.checksum(0) && same.differences.every(({ share }) => share === 0));
            const scale = core.runChanged({ mistake: 'no-scale' });
            check(`${build}: a mistake shows first in its own tensor`, scale.differences.find(({ share }) => share > 0).name === 'encoder.layer.0.attention.self.scores');
            const off = core.runChanged({ heads: [[1, 0]] });
            check(`${build}: a head that is off shows first in its context`, off.differences.find(({ share }) => share > 0).name === 'encoder.layer.1.attention.self.context');
            check(`${build}: and the first run is as it was`, core.checksum(0) === native(model, pair[0]).checksum);
            const trace = path.join(work, 'trace.safetensors'), mine = path.join(work, 'mine.safetensors');
            fs.writeFileSync(mine, core.trace(0, path.basename(model), pair[0]));
            execFileSync('./bert', ['trace', '-q', '-m', model, '-o', trace, '--', pair[0]]);
            check(`${build}: the trace is the file of bert trace -o, byte for byte`, fs.readFileSync(mine).equals(fs.readFileSync(trace)));
        }
        const bad = path.join(work, 'bad');
        fs.cpSync(tiny, bad, { recursive: true, force: true });
        fs.writeFileSync(path.join(bad, 'config.json'), '{"model_type": "gpt2"}');
        let page = '', program = '';
        await open(build, bad).catch(error => { page = error.message; });
        try { execFileSync('./bert', ['trace', '-m', bad, 'cat'], { stdio: 'pipe' }); } catch (error) { program = error.stderr.toString(); }
        check(`${build}: a model that cannot be read is refused in the program's own words`, page !== '' && program.includes(page.replaceAll('/model', bad)), `${page} | ${program}`);
    }
    if (process.argv[2]) await speed(process.argv[2]);
} finally {
    fs.rmSync(work, { recursive: true });
}

/* Processor time of the bank sentence, tokens to logits of every token: to look at, not to pass. */
async function speed(model) {
    for (const build of Object.keys(builds)) {
        const core = await open(build, model), times = [];
        for (let i = 0; i < 8; i++) {
            const begin = process.cpuUsage();
            core.run(sentences()[0]);
            const { user, system } = process.cpuUsage(begin);
            times.push((user + system) / 1000);
        }
        console.log(`        ${build}: ${Math.min(...times.slice(3)).toFixed(1)} ms for ${core.tokens.T} tokens`);
    }
}
done('the two builds in node');
