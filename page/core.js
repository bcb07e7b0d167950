/* core.js - the C program (page.c) as an object of JavaScript. It runs in the page's worker, and in node for the tests.
 *
 *     const core = await Core.start({exact, relaxed}, bytes);     the two builds, and how large the model's files are
 *     core.open(files);                                           name -> file of wasi.js
 *     core.run('my [MASK] is cute');                              then core.tensor(0, 'encoder.layer.0.output.dense')
 */
import { Files } from './wasi.js';

const PAGE = 65536, MEBI = 1 << 20;
const NAMES = ['L', 'H', 'A', 'D', 'F', 'V', 'P', 'S', 'hasPooler', 'hasMlm', 'hasNsp', 'geluTanh', 'lowerCase', 'maskId'];

/* A sentence of the program's, with the exit code that ./bert would have had. */
export class BertError extends Error {
    constructor(message, status) {
        super(message);
        this.status = status;
    }
}

export class Core {
    /* `fused` says which build it is. The memory is as large as it will ever be: the weights once as the file has them,
     * and room for intermediates. (Memory that grows moves, and every pointer's view with it; and node 20 was seen to
     * die while it grew.) */
    static async make(module, size, fused) {
        const core = new Core();
        core.files = new Files();
        core.fused = fused;
        const pages = Math.min(65536, Math.ceil((size * 1.1 + 256 * MEBI) / PAGE));
        core.memory = new WebAssembly.Memory({ initial: pages, maximum: 65536 });
        core.files.memory = core.memory;
        const instance = await WebAssembly.instantiate(module, {
            env: { memory: core.memory }, wasi_snapshot_preview1: core.files.imports(),
        });
        core.c = instance.exports;
        core.c._initialize();
        return core;
    }

    /* The relaxed build where the engine has the instruction and rounds once, else the exact one. */
    static async start({ exact, relaxed }, size) {
        if (relaxed && WebAssembly.validate(relaxed)) {
            const core = await Core.make(await WebAssembly.compile(relaxed), size, true);
            if (core.c.page_madd_is_fused()) return core;
        }
        return Core.make(await WebAssembly.compile(exact), size, false);
    }

    bytes(at, length) { return new Uint8Array(this.memory.buffer, at, length); }
    number(at) { return new DataView(this.memory.buffer).getUint32(at, true); }

    /* Text up to the NUL. */
    text(at) {
        const all = new Uint8Array(this.memory.buffer);
        return new TextDecoder().decode(all.subarray(at, all.indexOf(0, at)));
    }

    /* Memory with those bytes and a NUL behind them; [address, length]. */
    give(text) {
        const bytes = new TextEncoder().encode(text), at = this.c.page_alloc(bytes.length + 1);
        this.bytes(at, bytes.length).set(bytes);
        this.bytes(at + bytes.length, 1)[0] = 0;
        return [at, bytes.length];
    }

    check(status) {
        if (status) throw new BertError(this.text(this.c.page_message()), status);
    }

    /* A model directory: {name: file}. */
    open(files, directory = '/model') {
        this.files.files.clear();
        for (const [name, file] of Object.entries(files)) this.files.files.set(`${directory}/${name}`, file);
        const [at] = this.give(directory);
        try {
            this.check(this.c.page_open(at));
        } finally {
            this.c.page_free(at);
        }
        this.config = Object.fromEntries(NAMES.map((name, k) => [name, this.c.page_config(k)]));
        this.config.eps = this.c.page_eps();
        this.config.parameters = this.c.page_parameters();
        this.mistakes = [];
        for (let i = 0; i < this.c.page_mistakes(); i++) {
            const name = this.text(this.c.page_mistake_name(i));
            if (name) this.mistakes.push({ i, name, sentence: this.text(this.c.page_mistake_sentence(i)) });
        }
        return { config: this.config, mistakes: this.mistakes, fused: this.fused, version: this.text(this.c.page_version()) };
    }

    /* Steps 1 to 4. b: null, or the second text. */
    encode(a, b = null) {
        const [first, length] = this.give(a), [second, secondLength] = b === null ? [0, 0] : this.give(b);
        try {
            this.check(this.c.page_encode(first, length, second, secondLength));
            this.stages = this.stagesOf(first, length);
        } finally {
            this.c.page_free(first);
            if (second) this.c.page_free(second);
        }
        const T = this.c.page_tokens(), list = k => [...new Int32Array(this.memory.buffer, this.c.page_ids(k), T)];
        this.tokens = { T, ids: list(0), types: list(1), mask: list(2), stages: this.stages,
                        pieces: list(0).map(id => this.piece(id)),
                        offsets: list(0).map((id, t) => [this.c.page_offset(t, 0), this.c.page_offset(t, 1)]) };
        return this.tokens;
    }

    /* What steps 1 to 3 make of a text: [{step, name, text}]. */
    stagesOf(at, length) {
        const lines = this.c.page_stages(at, length);
        if (!lines) return [];
        const text = this.text(lines);
        this.c.page_free(lines);
        return text.split('\n').filter(line => line)
            .map(line => ({ step: line[0], name: line.slice(2, 14).trim(), text: line.slice(15) }));
    }

    piece(id) { return this.text(this.c.page_piece(id)); }

    /* The id of a piece as it stands in the vocabulary, or -1. */
    pieceId(piece) {
        const [at, length] = this.give(piece), id = this.c.page_id(at, length);
        this.c.page_free(at);
        return id;
    }

    /* All of it, as the model is. */
    run(a, b = null) {
        const begin = performance.now();
        const tokens = this.encode(a, b);
        this.texts = [a, b];
        this.check(this.c.page_run());
        const time = performance.now() - begin;
        return { ...tokens, time, checksum: this.checksum(0), isNext: this.c.page_is_next(0), fillers: this.masks(0, 10) };
    }

    /* The same text with something changed: a mistake by its name or null, heads [[layer, head], ...] that are off,
     * tokens that nobody may look at. */
    runChanged({ mistake = null, heads = [], away = [] }) {
        const { L, A } = this.config;
        const known = this.mistakes.find(m => m.name === mistake), out = this.c.page_alloc(4);
        const off = heads.length ? this.c.page_alloc(L * A) : 0;
        if (off) this.bytes(off, L * A).fill(0);
        for (const [l, h] of heads) this.bytes(off + l * A + h, 1)[0] = 1;
        const mask = new Int32Array(this.memory.buffer, this.c.page_ids(3), this.tokens.T);
        mask.set(this.tokens.mask);
        for (const t of away) mask[t] = 0;
        const status = this.c.page_run_changed(known ? known.i : -1, off, out), nothing = this.number(out) !== 0;
        this.c.page_free(out);
        if (off) this.c.page_free(off);
        this.check(status);
        return { nothing, checksum: this.checksum(1), isNext: this.c.page_is_next(1), fillers: this.masks(1, 10), differences: this.differences() };
    }

    /* The tensors of a run: [{name, shape, at}]. */
    tensors(run) {
        const list = [];
        for (let i = 0; i < this.c.page_tensors(run); i++) {
            const at = this.c.page_tensor(run, i), rank = this.number(at + 96);
            list.push({ name: this.text(at), shape: [0, 1, 2].slice(0, rank).map(k => this.number(at + 100 + 4 * k)),
                        at: this.number(at + 112) });
        }
        return list;
    }

    /* One of them, copied: {shape, data}; null if the run has none of that name. */
    tensor(run, name) {
        const t = this.tensors(run).find(x => x.name === name);
        if (!t) return null;
        const count = t.shape.reduce((n, x) => n * x, 1);
        return { name, shape: t.shape, data: new Float32Array(this.memory.buffer, t.at, count).slice() };
    }

    /* How far apart the two runs are, tensor by tensor: the root of sum (x-y)^2 / sum x^2. Masked scores are left out. */
    differences() {
        const before = this.tensors(0), after = new Map(this.tensors(1).map(t => [t.name, t]));
        return before.filter(t => after.has(t.name)).map(t => {
            const count = t.shape.reduce((n, x) => n * x, 1);
            const x = new Float32Array(this.memory.buffer, t.at, count);
            const y = new Float32Array(this.memory.buffer, after.get(t.name).at, count);
            let squares = 0, apart = 0;
            for (let i = 0; i < count; i++) {
                if (x[i] < -1e30 || y[i] < -1e30) continue;
                squares += x[i] * x[i];
                apart += (x[i] - y[i]) * (x[i] - y[i]);
            }
            return { name: t.name, share: Math.sqrt(apart / (squares || 1)) };
        });
    }

    checksum(run) { return this.text(this.c.page_checksum(run)); }

    /* The k best pieces at a token: [{id, piece, p}]. */
    fillers(run, token, k) {
        if (!this.config.hasMlm) return [];
        const out = this.c.page_alloc(8 * k), list = [];
        this.check(this.c.page_fillers(run, token, k, out));
        const view = new DataView(this.memory.buffer);
        for (let i = 0; i < k; i++) {
            const id = view.getInt32(out + 8 * i, true);
            list.push({ id, piece: this.piece(id), p: view.getFloat32(out + 8 * i + 4, true) });
        }
        this.c.page_free(out);
        return list;
    }

    /* The same for every [MASK]: [{token, list}]. */
    masks(run, k) {
        return this.tokens.ids.flatMap((id, token) => id === this.config.maskId ? [{ token, list: this.fillers(run, token, k) }] : []);
    }

    /* The probability of one piece at a token, and its rank from 1. */
    filler(run, token, id) {
        const out = this.c.page_alloc(8);
        this.check(this.c.page_filler(run, token, id, out));
        const view = new DataView(this.memory.buffer), result = { rank: view.getInt32(out, true) + 1, p: view.getFloat32(out + 4, true) };
        this.c.page_free(out);
        return result;
    }

    /* Hidden state l of a run is the output of block l-1, or the embeddings. */
    stateName(l) { return l ? `encoder.layer.${l - 1}.output.LayerNorm` : 'embeddings.LayerNorm'; }

    /* Cosines of tokens i and j in every hidden state. */
    cosines(run, i, j) {
        const { L, H } = this.config, all = new Map(this.tensors(run).map(t => [t.name, t.at])), list = [];
        for (let l = 0; l <= L; l++) {
            const at = all.get(this.stateName(l));
            list.push(this.c.page_cosine(at + 4 * H * i, at + 4 * H * j, H));
        }
        return list;
    }

    /* A piece's rows in every hidden state of another text, which is computed and forgotten; the text that is open is
     * computed again: [{token, states: [row of hidden state 0, ... L]}]. */
    elsewhere(text, piece) {
        const { H, L } = this.config, open = this.texts;
        this.run(text);
        const states = Array.from({ length: L + 1 }, (_, l) => this.tensor(0, this.stateName(l)).data);
        const found = this.tokens.pieces.flatMap((p, token) => p === piece && this.tokens.offsets[token][1]
            ? [{ token, pieces: this.tokens.pieces, states: states.map(data => data.slice(token * H, (token + 1) * H)) }] : []);
        this.run(...open);
        return found;
    }

    /* Cosines of token i of the open text with a piece's rows from elsewhere. */
    cosinesWith(i, states) {
        const { H } = this.config, at = this.c.page_alloc(4 * H), all = new Map(this.tensors(0).map(t => [t.name, t.at]));
        const list = states.map((row, l) => {
            new Float32Array(this.memory.buffer, at, H).set(row);
            return this.c.page_cosine(all.get(this.stateName(l)) + 4 * H * i, at, H);
        });
        this.c.page_free(at);
        return list;
    }

    /* (T,T): cosines of all tokens in hidden state l. */
    cosineMatrix(run, l) {
        const { H } = this.config, T = this.tokens.T, at = this.tensors(run).find(t => t.name === this.stateName(l)).at;
        const out = new Float32Array(T * T);
        for (let i = 0; i < T; i++)
            for (let j = 0; j < T; j++) out[i * T + j] = this.c.page_cosine(at + 4 * H * i, at + 4 * H * j, H);
        return { shape: [T, T], data: out };
    }

    /* Every attention map: probabilities or scores, (L,A,T,T). */
    attention(run, what = 'probs') {
        const { L, A } = this.config, T = this.tokens.T, data = new Float32Array(L * A * T * T);
        for (let l = 0; l < L; l++) data.set(this.tensor(run, `encoder.layer.${l}.attention.self.${what}`).data, l * A * T * T);
        return { shape: [L, A, T, T], data };
    }

    /* The bytes that `bert trace -o FILE.safetensors` writes. */
    trace(run, model, said) {
        const [name] = this.give(model), [text] = this.give(said), size = this.c.page_alloc(4);
        const at = this.c.page_trace(run, name, text, size);
        const bytes = at ? this.bytes(at, this.number(size)).slice() : null;
        for (const memory of [name, text, size, at]) this.c.page_free(memory);
        if (!bytes) this.check(6);
        return bytes;
    }

    /* Begins to learn: `words` is [[token, id], ...], what is hidden and what stood there. */
    learnStart(words, rate = 2e-4) {
        const [at] = this.give('/model'), M = words.length;
        this.learnForget();
        try {
            this.check(this.c.page_learn_start(at, rate));
        } finally {
            this.c.page_free(at);
        }
        this.learning = { M, rows: this.c.page_alloc(4 * M), labels: this.c.page_alloc(4 * M), p: this.c.page_alloc(4 * M), loss: this.c.page_alloc(8) };
        words.forEach(([token, id], i) => {
            new DataView(this.memory.buffer).setInt32(this.learning.rows + 4 * i, token, true);
            new DataView(this.memory.buffer).setInt32(this.learning.labels + 4 * i, id, true);
        });
    }

    /* One step: the loss and the probabilities of the hidden words before it. */
    learnStep() {
        const { M, rows, labels, p, loss } = this.learning, begin = performance.now();
        this.check(this.c.page_learn_step(rows, labels, M, loss, p));
        const view = new DataView(this.memory.buffer);
        return { loss: view.getFloat64(loss, true), p: Array.from({ length: M }, (_, i) => view.getFloat32(p + 4 * i, true)), time: performance.now() - begin };
    }

    learnForget() {
        this.c.page_learn_forget();
        if (this.learning) for (const name of ['rows', 'labels', 'p', 'loss']) this.c.page_free(this.learning[name]);
        this.learning = null;
    }
}
