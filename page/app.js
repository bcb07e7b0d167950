/* app.js - the page: what a visitor types and chooses (state), what the worker computed (result), and the sections that
 * show it. Every section has a function that draws it anew; nothing else changes the document. */
import { STRINGS, t, number, percent, setLanguage, getLanguage } from './strings.js';
import { h, bars, lines, table, saveBlob } from './draw.js';
import { SHOW, shapes, nextPicture } from './steps.js';

const BANK = 'After stealing money from the bank vault, the bank robber was seen fishing on the Mississippi river bank.';
const PEACE = 'The people of this country want peace.';
const EXAMPLES = [
    ['exampleMask', 'The president of the United {States} spoke to the congress.', ''],
    ['exampleSecond', 'God created the heaven and the {earth}.', ''],
    ['exampleErrs', 'The capital of France is {Paris}.', ''],
    ['exampleBank', BANK, ''],
    ['exampleNext', PEACE, 'They also want jobs, and this government will help them.'],
    ['exampleOther', PEACE, 'The whale went down, and the boat turned over.'],
];
const START = { a: '', b: '', token: -1, layer: 0, head: 0, step: 1, mistake: '', heads: [], away: [], word: '', other: null, stage: -1, sentence: 0 };
const TEXT_REJECTED = 4;            /* an exit code of ./bert */
const MODULES = [[1, 4], [5, 6], [7, 13], [14, 16]];

const state = { ...START };
let hidden = [[], []];              /* of each text, for each [MASK] in it: {word, id} or null */
let model = null, result = null, changed = null, learning = null, lastTime = 0, lastError = null;

/* Which of several drawings under way is the last one: the others stop. One counter for each thing that is drawn. */
const turns = { run: 0, changed: 0, answer: 0, step: 0, banks: 0, break: 0 };
function turn(name) {
    const mine = ++turns[name], run = turns.run;
    return () => mine === turns[name] && (name === 'run' || run === turns.run);
}

const $ = id => document.getElementById(id);

/* ---------------------------------------------------------------------------------------------------------------------
 * The worker
 * ------------------------------------------------------------------------------------------------------------------ */
let worker = null, nextId = 1;
const waiting = new Map();

function startWorker() {
    const source = $('worker').textContent;
    worker = new Worker(URL.createObjectURL(new Blob([source], { type: 'text/javascript' })));
    worker.onmessage = ({ data }) => {
        if (data.progress) return status(t('loading', { what: t(data.progress) }));
        const { resolve, reject } = waiting.get(data.id);
        waiting.delete(data.id);
        if (data.error) reject(Object.assign(new Error(data.error.message), data.error));
        else resolve(data.result);
    };
    worker.onerror = event => { for (const { reject } of waiting.values()) reject(new Error(event.message)); waiting.clear(); };
}

function call(name, ...values) {
    return new Promise((resolve, reject) => {
        waiting.set(nextId, { resolve, reject });
        worker.postMessage({ id: nextId++, call: name, values });
    });
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Small things
 * ------------------------------------------------------------------------------------------------------------------ */
function status(text, isError = false) {
    $('status').textContent = text;
    $('status').className = isError ? 'error' : '';
}

const failed = error => status(t('failed', { why: error.message }), true);

/* What stands beside the sentence: nothing, or why there is no answer. What belongs to an older text is put away. */
function textError(error) {
    const [, n, most] = error && /^(\d+) tokens, at most (\d+)/.exec(error.message) || [];
    $('text-error').textContent = !error ? '' : n ? t('tooLong', { n, most }) : t('failed', { why: error.message });
    document.body.classList.toggle('stale', Boolean(error));
    if (error) status('');
}

/* New children for an element; what had the focus keeps it, by its data-key. */
function fill(element, ...children) {
    const key = document.activeElement && element.contains(document.activeElement) && document.activeElement.dataset.key;
    element.replaceChildren(...children.flat(Infinity).filter(child => child));
    const again = key && [...element.querySelectorAll('[data-key]')].find(x => x.dataset.key === key);
    if (again) again.focus({ preventScroll: true });
}

function button(key, text, onclick, attributes = {}) {
    return h('button', { type: 'button', 'data-key': key, onclick, ...attributes }, text);
}

/* A choice from a list: [[value, text]]. */
function select(key, label, options, value, onchange) {
    const id = `select-${key}`;
    return h('span', { class: 'choice' }, h('label', { for: id }, label),
             h('select', { id, 'data-key': key, onchange: event => onchange(event.target.value) },
               options.map(([v, text]) => h('option', { value: v, selected: String(v) === String(value) }, text))));
}

const range = n => Array.from({ length: n }, (_, i) => i);
const pieceLabel = i => `${i} ${result.pieces[i]}`;

/* The tokens of each word: ## goes on with one, and so does whatever follows without a gap in the same piece. */
function words() {
    const list = [];
    result.pieces.forEach((piece, i) => {
        const last = list[list.length - 1];
        const special = result.offsets[i][1] === 0;
        if (piece.startsWith('##') && last && !last.special && last.type === result.types[i]) last.tokens.push(i);
        else list.push({ tokens: [i], special, type: result.types[i] });
    });
    return list;
}

/* Bytes [begin, end) of a text replaced. */
function splice(text, begin, end, by) {
    const bytes = new TextEncoder().encode(text), decode = part => new TextDecoder().decode(part);
    return decode(bytes.subarray(0, begin)) + by + decode(bytes.subarray(end));
}
function part(text, begin, end) { return new TextDecoder().decode(new TextEncoder().encode(text).subarray(begin, end)); }

/* The page's own model, of which it can tell how it grew. */
const isPocket = () => growth !== null && model.model === ownName;
const isMask = i => result.ids[i] === model.config.maskId;

/* ---------------------------------------------------------------------------------------------------------------------
 * Computing
 * ------------------------------------------------------------------------------------------------------------------ */

/* The text as it stands, then everything that shows it. */
async function compute() {
    const isLast = turn('run');
    stopLearning();
    learning = null;
    try {
        const computed = await call('run', state.a, state.b ? state.b : null);
        if (!isLast()) return;
        lastError = null;
        textError(null);
        result = computed;
        lastTime = result.time;
        const masks = [0, 1].map(type => range(result.T).filter(i => isMask(i) && result.types[i] === type).length);
        hidden = hidden.map((list, type) => list.length === masks[type] ? list : range(masks[type]).map(i => list[i] || null));
        if (state.token < 0 || state.token >= result.T) state.token = Math.max(1, range(result.T).findIndex(isMask));
        state.token = Math.min(state.token, result.T - 1);
        state.layer = Math.min(state.layer, model.config.L - 1);
        state.head = Math.min(state.head, model.config.A - 1);
        state.away = state.away.filter(i => i < result.T);
        state.heads = state.heads.filter(([l, a]) => l < model.config.L && a < model.config.A);
        changed = null;
        drawAll();
        await computeChanged();
    } catch (error) {
        if (!isLast()) return;
        lastError = error;
        textError(error);
    }
}

/* The second run, if something is switched. */
async function computeChanged() {
    const isLast = turn('changed'), { mistake, heads, away } = state;
    try {
        const computed = mistake || heads.length || away.length ? await call('runChanged', { mistake: mistake || null, heads, away }) : null;
        if (!isLast()) return;
        changed = computed;
        drawBreak();
    } catch (error) {
        failed(error);
    }
    writeLink();
}

let timer = 0;
function typed() {
    clearTimeout(timer);
    if (lastTime < 400) timer = setTimeout(takeText, 450);
}
function takeText() {
    clearTimeout(timer);
    state.a = $('text-a').value;
    state.b = $('text-b').value;
    Object.assign(state, { token: -1, away: [], word: '' });
    compute();
}

function setText(a, b = '', words = [[], []]) {
    Object.assign(state, { a, b, token: -1, away: [], word: '' });
    hidden = words;
    $('text-a').value = a;
    $('text-b').value = b;
    return compute();
}

/* A text in which a {word} is to be hidden. */
async function setExample(a, b = '') {
    const found = /\{(.*?)\}/.exec(a);
    if (!found) return setText(a, b);
    const first = [{ word: found[1], id: await call('pieceId', model.config.lowerCase ? found[1].toLowerCase() : found[1]) }];
    return setText(a.replace(found[0], '[MASK]'), b, [first, []]);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * A link that holds text and view
 * ------------------------------------------------------------------------------------------------------------------ */
function writeLink() {
    const p = new URLSearchParams({ text: state.a });
    if (state.b) p.set('pair', state.b);
    for (const name of ['step', 'layer', 'head', 'token']) p.set(name, state[name]);
    if (state.mistake) p.set('mistake', state.mistake);
    if (state.heads.length) p.set('off', state.heads.map(pair => pair.join('.')).join(' '));
    if (state.away.length) p.set('away', state.away.join(' '));
    const words = hidden.map(list => list.map(x => x ? x.word : ''));
    if (words.flat().some(word => word)) p.set('hidden', JSON.stringify(words));
    p.set('lang', getLanguage());
    history.replaceState(null, '', '#' + p);
}

async function readLink() {
    const p = new URLSearchParams(location.hash.slice(1));
    if (p.get('lang')) setLanguage(p.get('lang'));
    if (!p.has('text')) return;
    Object.assign(state, START, { a: p.get('text'), b: p.get('pair') || '' });
    for (const name of ['step', 'layer', 'head', 'token']) {
        const value = parseInt(p.get(name), 10);
        if (Number.isInteger(value) && value >= 0) state[name] = value;
    }
    state.step = Math.min(16, Math.max(1, state.step));
    state.mistake = model.mistakes.some(m => m.name === p.get('mistake')) ? p.get('mistake') : '';
    state.heads = (p.get('off') || '').split(' ').filter(x => /^\d+\.\d+$/.test(x)).map(x => x.split('.').map(Number));
    state.away = (p.get('away') || '').split(' ').filter(x => /^\d+$/.test(x)).map(Number);
    hidden = [[], []];
    try {
        for (const [type, list] of JSON.parse(p.get('hidden') || '[]').slice(0, 2).entries())
            for (const word of list) hidden[type].push(word ? { word: String(word), id: await call('pieceId', String(word).toLowerCase()) } : null);
    } catch { hidden = [[], []]; }
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Ask
 * ------------------------------------------------------------------------------------------------------------------ */
function toggleWord(word) {
    const type = word.type, key = type ? 'b' : 'a', begin = result.offsets[word.tokens[0]][0], end = result.offsets[word.tokens.at(-1)][1];
    const place = range(word.tokens[0]).filter(i => isMask(i) && result.types[i] === type).length;
    if (isMask(word.tokens[0])) {
        const [known] = hidden[type].splice(place, 1);
        if (!known) { hidden[type].splice(place, 0, known); return; }
        state[key] = splice(state[key], begin, end, known.word);
    } else {
        hidden[type].splice(place, 0, { word: part(state[key], begin, end), id: word.tokens.length === 1 ? result.ids[word.tokens[0]] : -1 });
        state[key] = splice(state[key], begin, end, result.maskPiece || '[MASK]');
    }
    state.token = word.tokens[0];
    state.away = [];
    $('text-a').value = state.a;
    $('text-b').value = state.b;
    compute();
}

/* What stood at a [MASK], or null. */
function hiddenAt(i) {
    if (!isMask(i)) return null;
    const type = result.types[i];
    return hidden[type][range(i).filter(k => isMask(k) && result.types[k] === type).length] || null;
}

function drawTokens() {
    const list = words().map(word => {
        const first = word.tokens[0], pieces = word.tokens.map(i => h('span', { class: 'piece' }, h('b', {}, result.pieces[i]), h('small', {}, String(result.ids[i]))));
        const classes = `word segment${word.type}${isMask(first) ? ' masked' : ''}`;
        if (word.special) return h('li', { class: `${classes} special`, title: t('special', { piece: result.pieces[first] }) }, pieces);
        const known = isMask(first) ? hiddenAt(first) : null, said = isMask(first) ? (known ? t('show', { word: known.word }) : result.pieces[first])
            : t('hide', { word: part(word.type ? state.b : state.a, result.offsets[first][0], result.offsets[word.tokens.at(-1)][1]) });
        return h('li', { class: classes }, button(`word-${first}`, pieces, () => toggleWord(word), { 'aria-label': said, title: said }));
    });
    const empty = result.offsets.every(([, end]) => !end);
    fill($('tokens'), h('h3', {}, t('tokens')), h('p', { class: 'hint' }, empty ? t('noWords') : t('tokensHint'), state.b ? ` ${t('tokensPair')}` : ''), h('ul', { class: 'words' }, list),
         result.pieces.includes('[UNK]') ? h('p', { class: 'told' }, t('unknown')) : null);
}

/* The first fillers of each [MASK] of a run, with the word that was hidden; step 15 shows more. */
const FEW = 5;
async function fillerPictures(run, fillers, name, options = {}) {
    return Promise.all(fillers.map(async ({ token, list }) => {
        const known = hiddenAt(token);
        const place = known && known.id >= 0 ? await call('filler', run, token, known.id) : null;
        return [bars(list.slice(0, FEW).map(({ piece, p }) => [piece, p, percent(p)]), { name: `${name}-${token}`, head: [t('guess'), t('probability')], mark: known ? list.findIndex(x => x.id === known.id) : -1, ...options,
                                                                            caption: t('fits', { piece: result.pieces[token], n: token }) }),
                place && h('p', { class: 'told' }, t('hiddenWord', { word: known.word, rank: number(place.rank, 0), p: percent(place.p) })),
                known && !place && h('p', { class: 'told' }, t('hiddenPieces', { word: known.word }))];
    }));
}

async function drawAnswer() {
    const isLast = turn('answer'), pictures = await fillerPictures(0, result.fillers, 'fillers').catch(() => []);
    if (!isLast()) return;
    fill($('answer'), !model.config.hasMlm ? h('p', {}, t('noMlm')) : result.fillers.length ? pictures : result.T > 2 && h('p', { class: 'hint' }, t('noMask')),
         state.b ? (result.isNext < 0 ? h('p', {}, t('noNext')) : [nextPicture(result.isNext), isPocket() && h('p', { class: 'hint' }, t('nextErrs'))]) : null);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Sixteen steps
 * ------------------------------------------------------------------------------------------------------------------ */
function choose(changes) {
    Object.assign(state, changes);
    writeLink();
    return drawStep();
}

/* To a step by a button below it: its heading comes into view, and the keyboard goes on from there. */
async function turnTo(step) {
    await choose({ step });
    $('step').scrollIntoView({ block: 'start' });
    $('step').querySelector('h3').focus({ preventScroll: true });
}

function drawStepList() {
    const all = t('steps');
    fill($('step-list'), MODULES.map(([from, to], m) => [h('h3', { id: `module-${m}` }, t('modules')[m]), h('ol', { start: from, 'aria-labelledby': `module-${m}` }, range(to - from + 1).map(k => {
        const n = from + k;
        return h('li', {}, button(`step-${n}`, [h('span', { class: 'n' }, String(n)), all[n - 1].name], () => { choose({ step: n }); $('step').scrollIntoView({ block: 'nearest' }); }, { 'aria-current': n === state.step ? 'step' : null }));
    }))]));
    /* On a phone the list is a strip. */
    const list = $('step-list'), chosen = list.querySelector('[aria-current]');
    list.scrollLeft = chosen.offsetLeft - list.offsetLeft - (list.clientWidth - chosen.offsetWidth) / 2;
}

/* What the words of this page mean. */
function drawGlossary() {
    fill($('glossary'), h('summary', { 'data-key': 'glossary' }, t('glossaryTitle')),
         h('dl', {}, t('glossary').flatMap(([word], i) => [h('dt', {}, word), h('dd', {}, t(`glossary.${i}.1`, model.config))])));
}

/* STEP n of the C source: its comment and functions. */
function sourceOf(n) {
    for (const [file, text] of Object.entries(sources)) {
        const at = text.search(new RegExp(`STEP ${n} - `));
        if (at < 0) continue;
        const begin = text.lastIndexOf('/*', at), next = text.slice(at).search(new RegExp(`STEP ${n + 1} - `));
        const bar = text.slice(at).search(/\n\/\* ={20}/), ends = [next < 0 ? Infinity : text.lastIndexOf('/*', at + next), bar < 0 ? Infinity : at + bar].filter(x => x > at);
        return { file, text: text.slice(begin, Math.min(...ends, text.length)).trim() };
    }
    return null;
}

async function drawStep() {
    const isLast = turn('step'), n = state.step, step = t('steps')[n - 1], { config } = model, tokens = result;
    drawStepList();
    const view = { call, config, result, tokens, token: state.token, layer: state.layer, head: state.head,
                   chooseToken: token => choose({ token }), chooseHead: (layer, head) => choose({ layer, head }) };
    const pictures = await Promise.resolve().then(() => SHOW[n - 1](view)).catch(error => [h('p', { class: 'error' }, error.message)]);
    if (!isLast()) return;
    const code = sourceOf(n);
    const controls = [n > 4 && n !== 14 ? select('token', [8, 9, 10].includes(n) ? t('query') : t('token'), result.pieces.map((_, i) => [i, pieceLabel(i)]), state.token, v => choose({ token: +v })) : null,
                      (n >= 7 && n <= 13) || n === 16 ? select('layer', t('layer'), range(config.L).map(l => [l, l]), state.layer, v => choose({ layer: +v })) : null,
                      n >= 7 && n <= 10 ? select('head', t('head'), range(config.A).map(a => [a, a]), state.head, v => choose({ head: +v })) : null].filter(x => x);
    const opened = $('step').querySelector('details.code');
    fill($('step'), h('p', { class: 'of' }, t('step', { n })), h('h3', { tabindex: '-1' }, step.name), h('p', { class: 'what' }, step.what),
         h('p', {}, h('b', {}, t('why') + ': '), step.why),
         controls.length ? h('div', { class: 'controls' }, controls) : null,
         pictures,
         h('details', { class: 'code', open: opened && opened.open }, h('summary', { 'data-key': 'code' }, t('programmersStep')),
           h('dl', {}, h('dt', {}, t('formula')), h('dd', {}, h('code', {}, step.formula)), h('dt', {}, t('shapes')), h('dd', {}, h('code', {}, shapes(n, config, result.T)))),
           h('p', { class: 'trap' }, h('b', {}, t('trap') + ': '), step.trap),
           code ? [h('p', { class: 'hint' }, `${t('code')} (${t('ofFile', { file: code.file })})`), h('pre', { tabindex: '0', role: 'region', 'aria-label': t('code') }, h('code', {}, code.text))] : null),
         h('p', { class: 'turn' }, button('previous', '← ' + t('previous'), () => turnTo(n - 1), { disabled: n === 1 }), button('next', t('next') + ' →', () => turnTo(n + 1), { disabled: n === 16 })));
    /* A long text's arcs are wider than the column: the chosen token comes to the middle. */
    const dot = $('step').querySelector('[data-picture="arcs"] .dot.chosen'), scroll = dot && dot.closest('.scroll');
    if (dot) scroll.scrollLeft = dot.cx.baseVal.value - scroll.clientWidth / 2;
}

/* ---------------------------------------------------------------------------------------------------------------------
 * One word, two meanings
 * ------------------------------------------------------------------------------------------------------------------ */
const isWord = i => result.offsets[i] && result.offsets[i][1] > 0 && /[a-z]{2}/i.test(result.pieces[i]) && !isMask(i);

/* Names of pairs for the lines of a picture; where two would be the same, by their tokens. */
function pairNames(list) {
    const names = list.map(([first, second]) => `${first[1]} / ${second[1]}`);
    return names.map((name, k) => names.indexOf(name) === names.lastIndexOf(name) ? name : `${name} (${list[k][0][0]}, ${list[k][1][0]})`);
}

/* A piece with the word behind it or before it, to tell several apart. */
function inContext(pieces, i) {
    const good = k => /^[a-z]{2}/i.test(pieces[k] || '');
    return good(i + 1) ? `${pieces[i]} ${pieces[i + 1]}` : good(i - 1) ? `${pieces[i - 1]} ${pieces[i]}` : pieces[i];
}

async function drawBanks() {
    const isLast = turn('banks'), places = new Map(), states = range(model.config.L + 1).map(String);
    range(result.T).filter(isWord).forEach(i => places.set(result.pieces[i], [...(places.get(result.pieces[i]) || []), i]));
    const all = [...places.keys()], repeated = all.filter(piece => places.get(piece).length > 1).sort((x, y) => y.length - x.length);
    if (!all.includes(state.word)) state.word = repeated[0] || all.includes('bank') && 'bank' || all.sort((x, y) => y.length - x.length)[0] || '';
    const word = state.word, at = places.get(word) || [], pairs = at.flatMap((i, k) => at.slice(k + 1).map(j => [i, j])).slice(0, 6);
    const values = await Promise.all(pairs.map(([i, j]) => call('cosines', 0, i, j)));
    if (!isLast()) return;
    const names = pairNames(pairs.map(pair => pair.map(i => [i, inContext(result.pieces, i)])));
    const low = values.length ? Math.min(0.5, Math.floor(Math.min(...values.flat()) * 10) / 10) : 0;
    const other = h('textarea', { id: 'text-other', rows: '2', spellcheck: 'false', 'data-key': 'text-other', oninput: event => { state.other = event.target.value; } }, state.other === null ? (word === 'bank' ? t('banksOtherText') : '') : state.other);
    fill($('banks'), word ? h('div', { class: 'controls' }, select('word', t('banksWord'), all.map(piece => [piece, piece]), word, chosen => { state.word = chosen; drawBanks(); })) : null,
         pairs.length ? lines(pairs.map((_, k) => [names[k], values[k]]), {
             name: 'banks', caption: t('pictureBanks', { word }), low, high: 1, labels: states, axis: t('axisState'), head: [t('state'), ...pairs.map(([i, j]) => t('pair', { word, i, j }))] })
             : h('p', {}, t('banksNone'), ' ', button('banks', t('banksButton'), () => setText(BANK), { class: 'quiet' })),
         word ? [h('p', { class: 'field' }, h('label', { for: 'text-other' }, t('banksOther', { word })), other), h('p', {}, button('compare', t('banksCompare'), () => compareElsewhere(word, at, other.value)))] : null,
         h('div', { id: 'elsewhere', 'aria-live': 'polite' }));
}

/* The word in another text, which is computed by itself: neither sees the other. */
async function compareElsewhere(word, at, text) {
    try {
        const found = await call('elsewhere', text, word), states = range(model.config.L + 1).map(String);
        if (!found.length) return fill($('elsewhere'), h('p', {}, t('banksMissing', { word })));
        const pairs = at.slice(0, 6).map(i => [i, found[0]]), values = await Promise.all(pairs.map(([i, there]) => call('cosinesWith', i, there.states)));
        const names = pairNames(pairs.map(([i, there]) => [[i, inContext(result.pieces, i)], [there.token, inContext(there.pieces, there.token)]]));
        fill($('elsewhere'), lines(pairs.map((_, k) => [names[k], values[k]]), {
            name: 'elsewhere', caption: t('pictureElsewhere', { word }), low: Math.min(0.5, Math.floor(Math.min(...values.flat()) * 10) / 10), high: 1, labels: states, axis: t('axisState'),
            head: [t('state'), ...pairs.map(([i, there]) => `${i} ${t('here')}, ${there.token} ${t('there')}`)] }));
        await computeChanged();
    } catch (error) {
        failed(error);
    }
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Break it
 * ------------------------------------------------------------------------------------------------------------------ */
function switchTo(changes) {
    Object.assign(state, changes);
    computeChanged();
}

/* A switch of several with the same role. */
const toggle = (key, text, pressed, onclick, attributes) => button(key, text, onclick, { 'aria-pressed': String(pressed), ...attributes });
const group = (label, ...children) => h('div', { class: 'chips', role: 'group', 'aria-label': label }, children);
const toggled = (list, same, item) => list.some(same) ? list.filter(x => !same(x)) : [...list, item];

function mistakeSwitches() {
    const featured = Object.entries(t('mistakes')).filter(([name]) => model.mistakes.some(m => m.name === name));
    return [h('h3', {}, t('mistake')),
            h('ul', { class: 'mistakes' }, featured.map(([name, [text, why, term]]) => h('li', {},
                toggle(`mistake-${name}`, text, state.mistake === name, () => switchTo({ mistake: state.mistake === name ? '' : name }), { 'aria-describedby': `why-${name}` }),
                h('p', { class: 'hint', id: `why-${name}` }, why, ' ', h('small', {}, `${t('technical')} ${term}.`))))),
            h('details', { class: 'more', open: $('break').querySelector('details.more[open]') !== null }, h('summary', { 'data-key': 'more' }, t('programmers')),
              select('mistakes', t('more'), [['', t('none')], ...model.mistakes.map(m => [m.name, `${m.name}: ${m.sentence}`])], state.mistake, mistake => switchTo({ mistake })))];
}

function headSwitches() {
    const { L, A } = model.config;
    return [h('h3', {}, t('headsOff')), h('p', { class: 'hint' }, t('headsOffHint')),
            h('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': t('headsOff') }, h('div', { class: 'off', style: `--heads:${A}` }, range(L).flatMap(l => range(A).map(a => {
                const same = ([x, y]) => x === l && y === a;
                return toggle(`off-${l}-${a}`, `${l}.${a}`, state.heads.some(same), () => switchTo({ heads: toggled(state.heads, same, [l, a]) }), { 'aria-label': `${t('headsOff')}: ${t('headsHint', { l, h: a })}` });
            }))))];
}

async function drawBreak() {
    const isLast = turn('break');
    if (!$('difference')) fill($('break'), h('div', { class: 'switches' }), h('div', { id: 'difference' }));
    const verdict = await verdictOf().catch(error => [error.message]), shown = await differenceShown(verdict).catch(error => [h('p', { class: 'error' }, error.message)]);
    if (!isLast()) return;
    fill($('break').firstChild, mistakeSwitches(), headSwitches(),
         h('h3', {}, t('away')), h('p', { class: 'hint' }, t('awayHint')),
         group(t('away'), range(result.T).filter(i => result.offsets[i][1]).map(i => toggle(`away-${i}`, result.pieces[i], state.away.includes(i), () => switchTo({ away: toggled(state.away, x => x === i, i) })))),
         button('reset', t('resetAll'), () => switchTo({ mistake: '', heads: [], away: [] }), { class: 'quiet', disabled: !changed }),
         changed && h('p', { class: 'told here' }, verdict.join(' '), ' ', button('to-difference', t('toDifference'), () => $('difference').scrollIntoView({ block: 'start' }), { class: 'quiet' })));
    fill($('difference'), shown);
}

/* What is asked before and after: the hidden words, or else the chosen token. */
async function guessesOf(run, of) {
    if (of.fillers.length || !model.config.hasMlm) return of.fillers;
    return [{ token: state.token, list: await call('fillers', run, state.token, FEW) }];
}

/* What the change did to the answer, in sentences. */
async function verdictOf() {
    if (!changed) return [];
    if (changed.differences.every(({ share }) => share === 0) && changed.checksum === result.checksum)
        return [state.mistake && !state.heads.length && !state.away.length ? t('nothing') : t('equal')];
    if (state.mistake === 'nsp-swapped' && !state.b && !state.heads.length && !state.away.length) return [t('needsPair')];
    const [before, after] = [await guessesOf(0, result), await guessesOf(1, changed)];
    const said = before.map(({ token, list: [was] }, k) => {
        const now = after[k].list[0], same = was.id === now.id;
        return t(same ? 'wasStill' : 'wasNow', { piece: pieceLabel(token), a: was.piece, pa: percent(was.p), b: now.piece, pb: percent(now.p) });
    });
    if (state.b && result.isNext >= 0) said.push(t('nextWasNow', { pa: percent(result.isNext), pb: percent(changed.isNext) }));
    return said.length ? said : [t('numbersChanged')];
}

/* The parts of the model in the order of the data, in plain words: the tensor's name -> what it is, or nothing. */
function partName(name) {
    const layer = /^encoder\.layer\.(\d+)\.output\.LayerNorm$/.exec(name);
    if (layer) return t('partLayer', { l: layer[1] });
    if (name === 'embeddings.LayerNorm') return t('partEmbeddings');
    if (name === 'pooler') return t('partPooler');
    return name.endsWith('decoder') ? t('partGuess') : /seq_relationship/.test(name) && state.b ? t('partNext') : '';
}

/* Before and after, and how the difference grows through the model. Panels have a gap of 16 pixels. */
async function differenceShown(verdict) {
    if (!changed) return [h('p', { class: 'hint' }, t('asIs'))];
    const panel = $('difference').clientWidth, sides = panel >= 2 * 280 + 16 ? 2 : 1, width = Math.floor((panel - 16 * (sides - 1)) / sides);
    const side = async (run, of) => [...(await fillerPictures(run, await guessesOf(run, of), run ? 'after' : 'before', { width })), state.b && of.isNext >= 0 ? nextPicture(of.isNext, { width, name: run ? 'next-after' : 'next-before' }) : null];
    const first = changed.differences.find(({ share }) => share > 0), states = changed.differences.filter(({ name }) => partName(name));
    return [h('p', { class: 'told', role: 'status' }, verdict.join(' ')),
            h('div', { class: 'sides' }, h('div', {}, h('h3', {}, t('before')), await side(0, result)), h('div', {}, h('h3', {}, t('after')), await side(1, changed))),
            bars(states.map(({ name, share }) => [partName(name), share, percent(share)]), { name: 'difference', head: [t('part'), t('difference')], caption: t('pictureDifference'), width: Math.min(panel, 640) }),
            h('details', { class: 'numbers tensors' }, h('summary', { 'data-key': 'all-differences' }, t('programmers')), first && h('p', {}, t('first', { name: first.name })),
              h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': t('difference') }, table([t('tensor'), t('difference')], changed.differences.map(({ name, share }) => [name, share.toExponential(2)]))))];
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Learning
 * ------------------------------------------------------------------------------------------------------------------ */
function learnable() {
    return range(result.T).filter(isMask).map(i => [i, hiddenAt(i)]).filter(([, known]) => known && known.id >= 0);
}

function stopLearning() {
    if (learning) learning.running = false;
}

async function learn() {
    const targets = learnable();
    learning = { running: true, targets, losses: [], p: [] };
    const mine = learning;
    try {
        await call('learnStart', targets.map(([i, known]) => [i, known.id]));
        while (mine.running && mine.losses.length < 60) {
            const step = await call('learnStep');
            mine.losses.push(step.loss);
            mine.p.push(step.p);
            drawLearn();
        }
    } catch (error) {
        failed(error);
    }
    mine.running = false;
    drawLearn();
}

function drawLearn() {
    if (!model.learns) { $('learn-section').hidden = true; return; }
    $('learn-section').hidden = false;
    const targets = learnable(), masks = range(result.T).filter(isMask).map(hiddenAt), n = learning ? learning.losses.length : 0;
    fill($('learn'), learning && learning.running ? button('learn', t('learnStop'), stopLearning)
            : button('learn', t('learnStart'), learn, { disabled: !targets.length }),
         targets.length ? null : h('p', { class: 'hint' }, t(masks.some(known => known) ? 'learnPieces' : 'learnNeeds')),
         n > 1 ? [lines([[t('loss'), learning.losses]], { name: 'loss', caption: t('pictureLoss'), low: 0, high: Math.max(...learning.losses), labels: range(n).map(String), axis: t('axisSteps'), head: [t('learnStep'), t('loss')] }),
                  h('p', { class: 'told' }, learning.targets.map(([, known], k) => t('learnTold', { n: n - 1, word: known.word, p: percent(learning.p[n - 1][k]), p0: percent(learning.p[0][k]) })).join(' ')),
                  h('p', { class: 'hint' }, t('learnWhy'))] : null);
}

/* ---------------------------------------------------------------------------------------------------------------------
 * How the model of the page came to know what it knows: weights/pocket/growth.py wrote it down
 * ------------------------------------------------------------------------------------------------------------------ */
function drawGrowth() {
    const section = $('growth-section');
    section.hidden = !isPocket();
    if (section.hidden) return;
    const { sentences, stages, curve } = growth, stage = stages[state.stage] || stages[stages.length - 1];
    const steps = n => n.toLocaleString(getLanguage()), at = stages.indexOf(stage);
    const learned = curve.step.map(steps), sentence = sentences[state.sentence];
    const choose = i => { state.stage = i; drawGrowth(); };
    fill($('growth'),
         lines([[t('growthWords'), curve.accuracy], [t('growthNext'), curve.next_sentence]], { name: 'growth', caption: t('pictureGrowth'), low: 0, high: 1, labels: learned, axis: t('axisSteps'), head: [t('learnStep'), t('growthWords'), t('growthNext')] }),
         h('div', { class: 'chips', role: 'group', 'aria-label': t('growthStages') }, h('span', { class: 'hint' }, t('growthStages') + ':'),
           stages.map(({ step }, i) => button(`stage-${i}`, i === stages.length - 1 ? t('growthLast', { n: steps(step) }) : steps(step), () => choose(i), { 'aria-pressed': String(i === at) }))),
         select('growth-sentence', t('growthSentence'), sentences.map((text, i) => [i, text]), state.sentence, value => { state.sentence = Number(value); drawGrowth(); }),
         h('div', { 'aria-live': 'polite' },
           bars(stage.guesses[state.sentence].map(([piece, p]) => [piece, p, percent(p)]), { name: 'growth-guesses', caption: t('growthGuesses', { n: steps(stage.step), text: sentence }), head: [t('guess'), t('probability')] }),
           h('p', { class: 'told' }, t('growthBank', { same: number(stage.bank[0], 2), other: number(stage.bank[1], 2) }))));
}

/* ---------------------------------------------------------------------------------------------------------------------
 * Another model, and what can be taken away
 * ------------------------------------------------------------------------------------------------------------------ */
async function useModel(opening) {
    stopLearning();
    learning = null;
    try {
        model = await opening;
        Object.assign(state, { layer: 0, head: 0, mistake: '', heads: [], away: [], token: -1 });
        drawModel();
        await compute();
        if (lastError && lastError.status === TEXT_REJECTED) await setExample(...EXAMPLES[2].slice(1));     /* too long for it: the shortest */
    } catch (error) {
        status('');
        fill($('model-error'), t('modelFailed'), ' ', t('programSays'), ' ', h('code', {}, error.message));
    }
}

/* Files of a directory that was chosen or dropped: [{path, file}], the directory's name taken off. */
async function openFiles(list) {
    if (!list.length) return;
    const first = list[0].path.split('/'), name = first.length > 1 ? first[0] : t('modelTitle');
    const inside = list.map(({ path, file }) => ({ path: path.split('/').length > 1 && path.startsWith(name + '/') ? path.slice(name.length + 1) : path, file }));
    $('model-error').textContent = '';
    status(t('modelReading', { name }));
    await useModel(call('openDropped', inside, name));
}

/* Everything below a dropped entry. */
async function entries(entry, before = '') {
    if (entry.isFile) return [{ path: before + entry.name, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) }];
    const reader = entry.createReader(), all = [];
    for (;;) {
        const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
        if (!some.length) break;
        all.push(...some);
    }
    return (await Promise.all(all.map(child => entries(child, `${before}${entry.name}/`)))).flat();
}

async function dropped(event) {
    event.preventDefault();
    $('drop').classList.remove('over');
    const items = [...event.dataTransfer.items].map(item => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(x => x);
    const list = items.length ? (await Promise.all(items.map(entry => entries(entry)))).flat() : [...event.dataTransfer.files].map(file => ({ path: file.name, file }));
    openFiles(list);
}

function drawModel() {
    const input = h('input', { type: 'file', id: 'model-files', webkitdirectory: true, multiple: true, onchange: event => openFiles([...event.target.files].map(file => ({ path: file.webkitRelativePath || file.name, file }))) });
    fill($('model'), h('div', { id: 'drop', class: 'drop', ondragover: event => { event.preventDefault(); $('drop').classList.add('over'); }, ondragleave: () => $('drop').classList.remove('over'), ondrop: dropped },
                       h('p', {}, h('label', { for: 'model-files' }, t('modelChoose')), ' ', input), h('p', { class: 'hint' }, t('modelDrop'))),
         h('p', { id: 'model-error', class: 'error', role: 'alert' }),
         model.model === ownName ? null : button('model-back', t('modelBack'), () => useModel(call('openOwn'))));
}

const said = () => state.b ? `${state.a} ||| ${state.b}` : state.a;

function drawTake() {
    const told = h('span', { role: 'status' });
    fill($('take'), h('div', { class: 'chips' },
        button('take-link', t('takeLink'), async () => {
            writeLink();
            await navigator.clipboard.writeText(location.href).catch(() => {});
            told.textContent = t('takeCopied');
        }),
        button('take-json', t('takeJson'), async () => saveBlob(await call('json', said(), model.model), 'trace.json', 'application/json')),
        button('take-safetensors', t('takeSafe'), async () => saveBlob(await call('trace', 0, model.model, said()), 'trace.safetensors', 'application/octet-stream')),
        button('take-bertviz', t('takeBertviz'), async () => saveBlob(JSON.stringify(await bertviz()), 'attention.json', 'application/json')), told),
        h('p', { class: 'hint' }, t('takeWhy')));
}

/* bertviz's form, as `bert attention --format json` prints it: attn [layer][head][query][key]. */
async function bertviz() {
    const { shape: [L, A, T], data } = await call('attention', 0, 'probs');
    const attn = range(L).map(l => range(A).map(a => range(T).map(i => [...data.subarray(((l * A + a) * T + i) * T, ((l * A + a) * T + i + 1) * T)])));
    return { attn, left_text: result.pieces, right_text: result.pieces };
}

/* ---------------------------------------------------------------------------------------------------------------------
 * The whole page
 * ------------------------------------------------------------------------------------------------------------------ */
let theme = 'auto';
function setTheme(name) {
    theme = name;
    if (name === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = name;
    redraw();
}

/* A part of the page with its heading. Some show numbers of the text, and are put away while there are none. */
const OF_TEXT = ['steps', 'banks', 'break', 'learn'];
function section(id, title, lead, ...children) {
    return h('section', { id: `${id}-section`, class: OF_TEXT.includes(id) ? 'of-text' : null, 'aria-labelledby': `${id}-title` }, h('h2', { id: `${id}-title` }, title), lead ? h('p', { class: 'lead' }, lead) : null, children);
}

/* The frame in the language of the moment; drawAll fills it. */
function drawFrame() {
    document.documentElement.lang = getLanguage();
    document.title = t('title');
    const field = (id, label, value) => h('p', { class: 'field' }, h('label', { for: id }, label), h('textarea', { id, rows: '2', spellcheck: 'false', oninput: typed, onkeydown: event => { if (event.key === 'Enter' && !event.shiftKey) { event.preventDefault(); takeText(); } } }, value));
    document.body.replaceChildren(
        h('a', { class: 'skip', href: '#text-a', onclick: event => { event.preventDefault(); $('text-a').focus(); } }, t('skip')),
        h('header', {},
          h('div', { class: 'controls' },
            select('language', t('language'), Object.entries(STRINGS).map(([name, table]) => [name, table.name]), getLanguage(), name => { setLanguage(name); drawFrame(); redraw(); writeLink(); }),
            select('theme', t('theme'), [['auto', t('themeAuto')], ['light', t('themeLight')], ['dark', t('themeDark')]], theme, setTheme)),
          h('h1', {}, t('title')), h('p', { class: 'lead' }, t('lead')), h('p', { id: 'about', class: 'told', hidden: true }, t('about')), h('p', { id: 'status', role: 'status' })),
        h('main', {},
          section('ask', t('askTitle'), t('askHint'),
                  h('form', { onsubmit: event => { event.preventDefault(); takeText(); } }, field('text-a', t('askA'), state.a), field('text-b', t('askB'), state.b), h('button', { type: 'submit', class: 'main' }, t('run'))),
                  h('p', { id: 'text-error', class: 'error', role: 'alert' }),
                  h('div', { class: 'chips', role: 'group', 'aria-label': t('examples') }, h('span', { class: 'hint' }, t('examples') + ':'), EXAMPLES.map(([key, a, b]) => button(key, t(key), () => setExample(a, b)))),
                  h('div', { id: 'tokens', class: 'of-text' }), h('div', { id: 'answer', class: 'of-text', 'aria-live': 'polite' })),
          section('steps', t('stepsTitle'), t('stepsLead'), h('details', { id: 'glossary' }), h('div', { class: 'steps' }, h('nav', { id: 'step-list', 'aria-label': t('stepsTitle') }), h('article', { id: 'step' }))),
          section('banks', t('banksTitle'), t('banksLead'), h('div', { id: 'banks' })),
          section('break', t('breakTitle'), t('breakLead'), h('div', { id: 'break' })),
          section('learn', t('learnTitle'), t('learnLead'), h('div', { id: 'learn' })),
          section('growth', t('growthTitle'), t('growthLead'), h('div', { id: 'growth' })),
          section('model', t('modelTitle'), t('modelLead'), h('div', { id: 'model' })),
          section('take', t('takeTitle'), t('takeLead'), h('div', { id: 'take' }))),
        h('footer', {}, h('p', { id: 'checksum' }), h('p', {}, t('foot', { version: model ? model.version : '' }))));
    if (model) { drawModel(); drawTake(); }
}

/* Drawn again, in other colours, words, or room. While a text is refused there are no numbers of it. */
function redraw() {
    if (!model) return;
    if (lastError) {
        $('about').hidden = !isPocket();
        drawGrowth();
        textError(lastError);
    } else if (result) drawAll();
}

function drawAll() {
    const { config } = model;
    status(t('ready', { model: model.model, layers: config.L, heads: config.L * config.A, parameters: config.parameters.toLocaleString(getLanguage()), tokens: result.T, time: number(result.time, 0) }));
    fill($('checksum'), `${t('same')} (${model.fused ? t('fast') : t('exact')}): `, h('code', {}, result.checksum), ' ', t('sameWhy'));
    $('about').hidden = !isPocket();
    drawTokens();
    drawAnswer();
    drawGlossary();
    drawStep();
    drawBanks();
    drawBreak();
    drawLearn();
    drawGrowth();
}

/* Bytes of an element of the page: base64 of gzip. */
async function unpackText(id) {
    const packed = await fetch('data:application/gzip;base64,' + $(id).textContent.trim());
    return new Response(packed.body.pipeThrough(new DecompressionStream('gzip'))).text();
}

let ownName = '', sources = {}, growth = null;
async function begin() {
    /* The data lies in elements of the page, which drawFrame is about to replace. */
    const text = id => $(id).textContent, files = {};
    for (const element of document.querySelectorAll('script[data-file]')) files[element.dataset.file] = element.textContent;
    for (const element of document.querySelectorAll('script[data-source]')) sources[element.dataset.source] = await unpackText(element.id);
    ownName = $('worker').dataset.model;
    growth = $('growth') && JSON.parse($('growth').textContent);
    const exact = text('exact'), relaxed = text('relaxed');
    startWorker();
    const link = new URLSearchParams(location.hash.slice(1)).get('lang');
    setLanguage(link || (navigator.language || 'en').slice(0, 2));
    drawFrame();
    status(t('loading', { what: t('loadingData') }));
    try {
        model = await call('load', { exact, relaxed, model: files, name: ownName });
        await readLink();
        drawFrame();
        status(t('loading', { what: t('loadingRun') }));
        await (state.a ? compute() : setExample(...EXAMPLES[0].slice(1)));
        window.bertPage.ready = true;
    } catch (error) {
        failed(error);
    }
}

/* For tests and for whoever scripts the page: one text in, ids, fillers of the first [MASK] (best first), and the checksum
 * of every intermediate out. The page shows the text, too. */
window.bertPage = {
    ready: false,
    idle: () => waiting.size === 0,         /* nothing is being computed or drawn */
    async run(text) {
        await setText(text);
        if (lastError) throw lastError;
        const { ids, fillers, checksum } = result;
        return { ids, fillers: fillers.length ? fillers[0].list.map(({ piece }) => piece) : [], checksum };
    },
};
window.addEventListener('hashchange', async () => {
    if (!model || new URLSearchParams(location.hash.slice(1)).get('text') === null) return;
    await readLink();
    drawFrame();
    compute();
});
let width = document.body.clientWidth;
window.addEventListener('resize', () => {
    if (Math.abs(document.body.clientWidth - width) > 30) redraw();
    width = document.body.clientWidth;
});
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
begin();
