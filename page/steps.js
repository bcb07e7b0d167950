/* steps.js - the sixteen steps of bert.h, each with this sentence's numbers: which tensors it reads, and how they are
 * drawn. A step is an async function (view) -> list of elements; view has the worker's calls, the tokens, and what is
 * chosen: token, layer, head. */
import { t, number, percent } from './strings.js';
import { h, map, strips, bars, arcs, heads, table, scaleOf } from './draw.js';

const label = (view, i) => `${i} ${view.tokens.pieces[i]}`;
const labels = view => view.tokens.pieces.map((_, i) => label(view, i));
const block = (view, name) => view.call('tensor', 0, `encoder.layer.${view.layer}.${name}`);

/* Row r of a matrix. */
function row(matrix, r) {
    const width = matrix.shape[matrix.shape.length - 1];
    return matrix.data.subarray(r * width, (r + 1) * width);
}

/* Columns first .. first+count-1 of a matrix. */
function columns(matrix, first, count) {
    const [rows, width] = matrix.shape, data = new Float32Array(rows * count);
    for (let i = 0; i < rows; i++) data.set(matrix.data.subarray(i * width + first, i * width + first + count), i * count);
    return { shape: [rows, count], data };
}

function moments(x) {
    const mean = x.reduce((sum, v) => sum + v, 0) / x.length;
    return { mean: number(mean), deviation: number(Math.sqrt(x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / x.length)) };
}

/* Stripes of the chosen token, with their caption; all on one scale. */
function tokenStrips(view, list, name, see) {
    const all = Math.max(...list.map(([, x]) => scaleOf(x)));
    return strips(list, { name, see, caption: t('pictureStrips', { n: list[0][1].length, token: label(view, view.token), low: number(-all, 2), high: number(all, 2) }) });
}

/* Steps 1 to 3: the stages of the tokenizer. */
function stages(view, step) {
    const rows = view.tokens.stages.filter(stage => stage.step === String(step) || (step === 1 && stage.step === ' '));
    const said = ({ text }, before) => text === '(not in this model)' ? t('absent') : before && text === before.text ? `${text} ${t('unchanged')}` : text;
    return [h('div', { class: 'scroll wrap', tabindex: '0', role: 'region', 'aria-label': t('result') },
              table([t('stage'), t('result')], rows.map((stage, i) => [stage.name, said(stage, rows[i - 1])])))];
}

const bytes = ([begin, end]) => end ? `${begin}–${end}` : '';

export const SHOW = [
    view => stages(view, 1),
    view => stages(view, 2),
    view => stages(view, 3),

    view => [h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': t('steps')[3].name },
               table([t('token'), t('piece'), t('id'), t('seg'), t('mask'), t('offset')],
                     view.tokens.pieces.map((piece, i) => [i, piece, view.tokens.ids[i], view.tokens.types[i], view.tokens.mask[i], bytes(view.tokens.offsets[i])])))],

    async view => {
        const names = ['word_embeddings', 'token_type_embeddings', 'position_embeddings'];
        const parts = (await Promise.all(names.map(name => view.call('tensor', 0, `embeddings.${name}`)))).map(x => x && row(x, view.token));
        const shown = [['stripWord', parts[0]], ['stripSegment', parts[1]], ['stripPosition', parts[2]]].filter(([, x]) => x);
        const sum = parts[0].map((x, k) => shown.reduce((total, [, part]) => total + part[k], 0));
        return [tokenStrips(view, [...shown.map(([key, x]) => [t(key), x]), [t('stripSum'), sum]], 'embeddings', t('seeSum'))];
    },

    async view => {
        const names = ['word_embeddings', 'token_type_embeddings', 'position_embeddings'];
        const parts = (await Promise.all(names.map(name => view.call('tensor', 0, `embeddings.${name}`)))).filter(x => x).map(x => row(x, view.token));
        const sum = parts[0].map((_, k) => parts.reduce((total, part) => total + part[k], 0));
        const after = row(await view.call('tensor', 0, 'embeddings.LayerNorm'), view.token);
        return [tokenStrips(view, [[t('stripSum'), sum], [t('stripNorm'), after]], 'layernorm'),
                h('p', {}, `${t('stripSum')}: ${t('mean', moments(sum))}. ${t('stripNorm')}: ${t('mean', moments(after))}.`), h('p', { class: 'hint' }, t('rescaled'))];
    },

    async view => {
        const { D } = view.config, pictures = [];
        for (const [key, name] of [['stripQuery', 'query'], ['stripKey', 'key'], ['stripValue', 'value']]) {
            const part = columns(await block(view, `attention.self.${name}`), view.head * D, D);
            pictures.push(map(part, { rows: labels(view), name, signed: true, selected: view.token, onrow: view.chooseToken, see: t('seeHead'),
                                      caption: t('pictureHead', { what: t(key), head: view.head, n: D }) }));
        }
        return pictures;
    },

    view => attention(view, 'scores'),

    async view => {
        const all = await view.call('attention', 0, 'probs'), pieces = view.tokens.pieces, T = view.tokens.T;
        const at = (view.layer * view.config.A + view.head) * T * T + view.token * T;
        return [arcs(pieces, view.token, [...all.data.subarray(at, at + T)], { name: 'arcs', caption: t('pictureArcs', { token: label(view, view.token), layer: view.layer, head: view.head }) }),
                ...await attention(view, 'probs', all)];
    },

    async view => {
        const { D } = view.config, T = view.tokens.T, probs = await block(view, 'attention.self.probs');
        const part = columns(await block(view, 'attention.self.context'), view.head * D, D);
        const weights = probs.data.subarray((view.head * T + view.token) * T, (view.head * T + view.token + 1) * T);
        const order = [...weights.keys()].sort((a, b) => weights[b] - weights[a]).slice(0, 6);
        return [bars(order.map(j => [label(view, j), weights[j], percent(weights[j])]), { name: 'most', head: [t('token'), t('share')], caption: `${label(view, view.token)}: ${t('top')}` }),
                map(part, { rows: labels(view), name: 'context', signed: true, selected: view.token, onrow: view.chooseToken, see: t('seeContext'), caption: t('pictureHead', { what: t('stripContext'), head: view.head, n: D }) })];
    },

    async view => {
        const before = await view.call('tensor', 0, view.layer ? `encoder.layer.${view.layer - 1}.output.LayerNorm` : 'embeddings.LayerNorm');
        const dense = await block(view, 'attention.output.dense'), norm = await block(view, 'attention.output.LayerNorm');
        return [tokenStrips(view, [[t('stripResidual'), row(before, view.token)], [t('stripDense'), row(dense, view.token)], [t('stripNorm'), row(norm, view.token)]], 'attention-output')];
    },

    async view => {
        const before = row(await block(view, 'intermediate.dense'), view.token), after = row(await block(view, 'intermediate'), view.token);
        return [tokenStrips(view, [[t('stripBefore'), before], [t('stripAfter'), after]], 'gelu'),
                h('p', {}, t('pictureGelu', { positive: after.filter(x => x > 0.01).length, n: after.length }))];
    },

    async view => {
        const y = row(await block(view, 'attention.output.LayerNorm'), view.token), dense = row(await block(view, 'output.dense'), view.token);
        const out = row(await block(view, 'output.LayerNorm'), view.token);
        const { L, H } = view.config, T = view.tokens.T, moved = { shape: [T, L], data: new Float32Array(T * L) };
        const states = [];
        for (let l = 0; l <= L; l++) states.push(await view.call('tensor', 0, l ? `encoder.layer.${l - 1}.output.LayerNorm` : 'embeddings.LayerNorm'));
        for (let i = 0; i < T; i++) for (let l = 0; l < L; l++) moved.data[i * L + l] = 1 - cosine(states[l].data, states[l + 1].data, i * H, H);
        return [tokenStrips(view, [[t('stripY'), y], [t('stripDense'), dense], [t('stripOut'), out]], 'hidden'),
                map(moved, { rows: labels(view), cols: Array.from({ length: L }, (_, l) => `${t('layer')} ${l}`), name: 'moved', selected: view.token, onrow: view.chooseToken, see: t('seeMoved'), caption: t('pictureChange') })];
    },

    async view => {
        const dense = await view.call('tensor', 0, 'pooler.dense'), pooled = await view.call('tensor', 0, 'pooler');
        if (!pooled) return [h('p', {}, t('noNext'))];
        const strip = strips([[t('stripDense'), dense.data], [t('stripPooled'), pooled.data]], { name: 'pooler', caption: t('pictureStrips', { n: pooled.data.length, token: '[CLS]', low: number(-scaleOf(dense.data), 2), high: number(scaleOf(dense.data), 2) }) });
        if (view.result.isNext < 0) return [strip, h('p', {}, t('noNext'))];
        return [strip, view.tokens.types.some(type => type === 1) ? nextPicture(view.result.isNext) : h('p', { class: 'hint' }, t('noSecond'))];
    },

    async view => {
        if (!view.config.hasMlm) return [h('p', {}, t('noMlm'))];
        const list = await view.call('fillers', 0, view.token, 10);
        return [bars(list.map(({ piece, p }) => [piece, p, percent(p)]), { name: 'guesses', head: [t('guess'), t('probability')], caption: t('fits', { piece: view.tokens.pieces[view.token], n: view.token }),
                                                                            mark: list.findIndex(({ id }) => id === view.tokens.ids[view.token]) })];
    },

    async view => {
        const l = Math.min(view.layer + 1, view.config.L), matrix = await view.call('cosineMatrix', 0, l);
        return [map(matrix, { rows: labels(view), cols: view.tokens.pieces, name: 'cosines', signed: true, scale: 1, selected: view.token, onrow: view.chooseToken, see: t('seeCosines'), caption: t('pictureCosines', { layer: l - 1, state: l }) })];
    },
];

function cosine(a, b, at, n) {
    let ab = 0, aa = 0, bb = 0;
    for (let k = at; k < at + n; k++) { ab += a[k] * b[k]; aa += a[k] * a[k]; bb += b[k] * b[k]; }
    return ab / Math.sqrt(aa * bb);
}

export function nextPicture(p, options = {}) {
    return bars([[t('yes'), p, percent(p)], [t('no'), 1 - p, percent(1 - p)]], { name: 'next', head: ['', t('probability')], caption: t('nextQuestion'), ...options });
}

/* Steps 8 and 9: one head large, all of them small. */
async function attention(view, what, known = null) {
    const all = known || await view.call('attention', 0, what), { L, A } = view.config, T = view.tokens.T;
    const at = (view.layer * A + view.head) * T * T, matrix = { shape: [T, T], data: all.data.subarray(at, at + T * T) };
    const small = what === 'probs' ? all : await view.call('attention', 0, 'probs');
    return [map(matrix, { rows: labels(view), cols: view.tokens.pieces, name: what, signed: what === 'scores', scale: what === 'probs' ? 1 : null, selected: view.token, onrow: view.chooseToken,
                          see: t(what === 'probs' ? 'seeProbs' : 'seeScores'), caption: t('pictureMap', { what: t(what), layer: view.layer, head: view.head }) }),
            heads(small, { caption: t('pictureAll', { n: L * A }), layer: view.layer, head: view.head, onchoose: view.chooseHead, see: t('seeProbs') })];
}

/* The shapes of step n with this model's and this sentence's numbers. */
export function shapes(n, config, T) {
    return t(`shape.${n - 1}`, { ...config, T, root: number(Math.sqrt(config.D)) });
}
