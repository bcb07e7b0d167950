/* draw.js - pictures as SVG, each with the same numbers as a table behind it, and a button that saves it.
 *
 * A matrix is drawn as one small bitmap inside the SVG (a pixel for each number), so that 12 x 3,072 numbers are one
 * element. Colours: blue below 0, orange above, which all kinds of eyes tell apart; probabilities from the background to
 * blue. What is under the pointer is written below the picture; who does not see it opens the table. */
import { t, number } from './strings.js';

const SVG = 'http://www.w3.org/2000/svg';

/* An element of HTML: h('p', {class: 'lead'}, 'text', child). A function as on... is a listener. */
export function h(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    setAttributes(element, attributes);
    element.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined));
    return element;
}

/* The same of SVG. */
export function s(tag, attributes = {}, ...children) {
    const element = document.createElementNS(SVG, tag);
    setAttributes(element, attributes);
    element.append(...children.flat(Infinity));
    return element;
}

function setAttributes(element, attributes) {
    for (const [name, value] of Object.entries(attributes)) {
        if (value === null || value === undefined || value === false) continue;
        if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
        else element.setAttribute(name, value === true ? '' : value);
    }
}

const isDark = () => getComputedStyle(document.documentElement).getPropertyValue('--dark').trim() === '1';

/* Colour of x in [-1,1] (signed), or of p in [0,1]. */
function colour(x, signed) {
    const ground = isDark() ? [30, 34, 41] : [255, 255, 255];
    const end = !signed || x < 0 ? (isDark() ? [110, 180, 255] : [11, 87, 164]) : (isDark() ? [255, 165, 70] : [190, 85, 0]);
    const share = Math.min(1, Math.abs(x)) ** (signed ? 0.75 : 0.5);
    return ground.map((g, i) => Math.round(g + (end[i] - g) * share));
}

/* A bitmap of a (rows, cols) matrix as an address for <image>. */
function bitmap(matrix, { signed, scale }) {
    const [rows, cols] = matrix.shape, canvas = document.createElement('canvas');
    canvas.width = cols;
    canvas.height = rows;
    const context = canvas.getContext('2d'), image = context.createImageData(cols, rows);
    for (let i = 0; i < rows * cols; i++) {
        const x = matrix.data[i] < -1e30 ? 0 : matrix.data[i] / scale;
        image.data.set([...colour(x, signed), 255], 4 * i);
    }
    context.putImageData(image, 0, 0);
    return canvas.toDataURL();
}

/* The largest magnitude, masked scores left out; 1 if there is none. */
export function scaleOf(data) {
    let most = 0;
    for (const x of data) if (x > -1e30 && Math.abs(x) > most) most = Math.abs(x);
    return most || 1;
}

/* A picture with its sentence, what is to be seen in it, what is under the pointer, the table (made when it is opened),
 * and the save button. */
export function figure(svg, caption, table, name, see = '') {
    const said = h('p', { class: 'said', 'aria-hidden': 'true' }, ' ');
    svg.setAttribute('role', 'img');
    svg.setAttribute('aria-label', caption);
    svg.addEventListener('said', event => { said.textContent = event.detail || ' '; });
    const details = h('details', { class: 'numbers' }, h('summary', {}, t('numbers')));
    details.addEventListener('toggle', () => {
        if (details.open && details.children.length === 1)
            details.append(h('div', { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': `${t('numbers')}: ${caption}` }, table()));
    });
    const save = h('button', { class: 'quiet', type: 'button', 'aria-label': `${t('save')}: ${caption}`, onclick: () => saveSvg(svg, name) }, t('save'));
    return h('figure', { 'data-picture': name },
             h('figcaption', {}, caption), h('div', { class: 'scroll picture', tabindex: '0', role: 'group', 'aria-label': caption }, svg),
             see ? h('p', { class: 'hint see' }, see) : null, said,
             h('div', { class: 'under' }, details, save));
}

export function say(svg, text) { svg.dispatchEvent(new CustomEvent('said', { detail: text })); }

export function saveBlob(bytes, name, type) {
    const link = h('a', { href: URL.createObjectURL(new Blob([bytes], { type })), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

/* What the page's style gives to an element of a picture, and a picture by itself has to have written in. */
const LOOKS = ['fill', 'stroke', 'stroke-width', 'stroke-dasharray', 'stroke-opacity', 'stroke-linecap', 'font-family', 'font-size', 'font-weight'];

/* The picture by itself: looks as it does in the page, on the page's ground. */
export function savedSvg(svg) {
    const copy = svg.cloneNode(true), shapes = 'text, rect, path, circle, line, polyline', mine = copy.querySelectorAll(shapes);
    svg.querySelectorAll(shapes).forEach((element, i) => {
        const style = getComputedStyle(element);
        for (const look of LOOKS) mine[i].setAttribute(look, style.getPropertyValue(look));
        mine[i].removeAttribute('class');
    });
    copy.removeAttribute('class');
    copy.prepend(s('rect', { width: '100%', height: '100%', fill: getComputedStyle(document.body).backgroundColor }));
    copy.setAttribute('xmlns', SVG);
    return new XMLSerializer().serializeToString(copy);
}

const saveSvg = (svg, name) => saveBlob(savedSvg(svg), `${name}.svg`, 'image/svg+xml');

/* head: names of columns; rows: arrays of cells, the first one a heading. */
export function table(head, rows) {
    return h('table', {},
             h('thead', {}, h('tr', {}, head.map(cell => h('th', { scope: 'col' }, cell)))),
             h('tbody', {}, rows.map(row => h('tr', {}, row.map((cell, i) =>
                 i ? h('td', {}, cell instanceof Node ? cell : String(cell)) : h('th', { scope: 'row' }, cell instanceof Node ? cell : String(cell)))))));
}

/* How wide a text is in a picture, in bold, as the widest; and a text that is cut to fit. */
const pen = document.createElement('canvas').getContext('2d');
function widthOf(text) {
    pen.font = '700 12.5px system-ui, sans-serif';
    return pen.measureText(text).width;
}
function cut(text, width) {
    if (widthOf(text) <= width) return text;
    let n = text.length;
    while (n > 1 && widthOf(text.slice(0, n) + '…') > width) n--;
    return text.slice(0, n) + '…';
}
const widest = texts => Math.max(0, ...texts.map(widthOf));

/* How wide a picture may be: the page's column, 260 to 640 pixels. */
const room = () => Math.max(260, Math.min(640, document.body.clientWidth - 28));

/* A map of rows and columns with names: attention, cosines, a head's columns. */
export function map(matrix, { rows, cols = null, caption, name, signed = false, scale = null, digits = 3, selected = -1, onrow = null, see = '' }) {
    const [R, C] = matrix.shape, most = scale || scaleOf(matrix.data);
    const left = Math.min(118, widest(rows) + 12), top = cols ? 78 : 6, right = cols ? 44 : 8, fit = (room() - left - right) / C;
    const cell = cols ? Math.max(8, Math.min(26, fit)) : Math.max(1, Math.min(14, fit)), height = cols ? cell : 18, width = left + C * cell + right;
    const svg = s('svg', { viewBox: `0 0 ${width} ${top + R * height + 8}`, width, height: top + R * height + 8 });
    svg.append(s('image', { href: bitmap(matrix, { signed, scale: most }), x: left, y: top, width: C * cell, height: R * height,
                            preserveAspectRatio: 'none', style: 'image-rendering:pixelated' }));
    svg.append(s('rect', { x: left, y: top, width: C * cell, height: R * height, class: 'frame' }));
    /* Labels that would lie over each other: each second one only, or third ..., and the chosen row's. */
    const every = Math.ceil(13 / height), named = i => i === selected || (i % every === 0 && (selected < 0 || Math.abs(i - selected) >= every));
    rows.forEach((label, i) => named(i) && svg.append(s('text', { x: left - 6, y: top + i * height + height / 2, 'text-anchor': 'end', 'dominant-baseline': 'central',
                                                     class: i === selected ? 'label chosen' : 'label' }, cut(label, left - 8))));
    if (cols) cols.forEach((label, j) => j % every === 0 && svg.append(s('text', { transform: `translate(${left + j * cell + cell / 2},${top - 5}) rotate(-60)`, 'dominant-baseline': 'central', class: 'label' }, short(label))));
    if (selected >= 0) svg.append(s('rect', { x: left, y: top + selected * height, width: C * cell, height, class: 'chosen' }));
    const place = event => {
        const box = svg.getBoundingClientRect(), unit = width / box.width;
        return [Math.floor(((event.clientY - box.top) * unit - top) / height), Math.floor(((event.clientX - box.left) * unit - left) / cell)];
    };
    svg.addEventListener('pointermove', event => {
        const [i, j] = place(event);
        const inside = i >= 0 && j >= 0 && i < R && j < C;
        say(svg, inside ? `${rows[i]} → ${cols ? cols[j] : `${t('feature')} ${j}`}: ${number(matrix.data[i * C + j], digits)}` : '');
    });
    if (onrow) {
        svg.classList.add('choose');
        svg.addEventListener('click', event => { const [i] = place(event); if (i >= 0 && i < R) onrow(i); });
    }
    const makeTable = () => cols
        ? table(['', ...cols], rows.map((label, i) => [label, ...Array.from({ length: C }, (_, j) => number(matrix.data[i * C + j], digits))]))
        : table(['', ...rows], Array.from({ length: C }, (_, j) => [`${t('feature')} ${j}`, ...rows.map((_, i) => number(matrix.data[i * C + j], digits))]));
    return figure(svg, caption, makeTable, name, see);
}

function short(text) { return text.length > 12 ? text.slice(0, 11) + '…' : text; }

/* Several rows of numbers under each other, each on its own line: [[name, data], ...]. */
export function strips(list, { caption, name, see = t('seeStrips') }) {
    const n = list[0][1].length, data = new Float32Array(list.length * n);
    list.forEach(([, row], i) => data.set(row, i * n));
    return map({ shape: [list.length, n], data }, { rows: list.map(([label]) => label), caption, name, signed: true, see });
}

/* Bars with names, longest share 1: [[label, share, text]]. `width` is that of the panel. */
export function bars(list, { caption, name, head, mark = -1, width = room() }) {
    const row = 26, height = list.length * row + 6, svg = s('svg', { viewBox: `0 0 ${width} ${height}`, width, height });
    const left = Math.min(width * 0.45, widest(list.map(([label]) => label)) + 10), right = widest(list.map(([, , text]) => text)) + 10;
    const most = Math.max(...list.map(([, x]) => x), 1e-9);
    list.forEach(([label, x, text], i) => {
        const y = i * row + 3, length = Math.max(1, (width - left - right) * x / most), middle = { y: y + row / 2 - 2, 'dominant-baseline': 'central' };
        svg.append(s('text', { x: left - 8, ...middle, 'text-anchor': 'end', class: i === mark ? 'label marked' : 'label' }, cut(label, left - 9)),
                   s('rect', { x: left, y: y + 2, width: length, height: row - 8, class: i === mark ? 'bar marked' : 'bar' }),
                   s('text', { x: left + length + 6, ...middle, class: 'label' }, text));
    });
    return figure(svg, caption, () => table(head, list.map(([label, , text]) => [label, text])), name);
}

/* Arcs over the words from one token to all: weights (T). */
export function arcs(pieces, from, weights, { caption, name }) {
    const wide = Math.max(260, Math.min(850, document.body.clientWidth - 28)), gap = Math.max(26, Math.min(64, (wide - 60) / pieces.length)), width = pieces.length * gap + 60, base = 130;
    const svg = s('svg', { viewBox: `0 0 ${width} 200`, width, height: 200 }), x = i => 15 + i * gap + gap / 2;
    weights.forEach((p, j) => {
        if (p < 0.005) return;
        const high = Math.min(115, 20 + Math.abs(from - j) * 11);
        const d = j === from ? `M${x(j) - 7},${base} C${x(j) - 14},${base - 34} ${x(j) + 14},${base - 34} ${x(j) + 7},${base}`
            : `M${x(from)},${base} C${x(from)},${base - high} ${x(j)},${base - high} ${x(j)},${base}`;
        svg.append(s('path', { d, class: 'arc', 'stroke-width': 0.8 + 9 * p, 'stroke-opacity': 0.25 + 0.75 * p }));
    });
    pieces.forEach((piece, j) => svg.append(
        s('circle', { cx: x(j), cy: base + 4, r: 2 + 6 * Math.sqrt(weights[j]), class: j === from ? 'dot chosen' : 'dot' }),
        s('text', { transform: `translate(${x(j)},${base + 20}) rotate(35)`, class: j === from ? 'label chosen' : 'label' }, short(piece))));
    return figure(svg, caption, () => table(['', t('share')], pieces.map((piece, j) => [`${j} ${piece}`, number(weights[j], 4)])), name, t('seeArcs'));
}

/* Lines over 0 .. n-1: [[name, values]], y from `low` to `high`. Each line has its own dashes and its name at its end; `axis`
 * says what is counted from left to right. */
export function lines(list, { caption, name, low, high, head, labels, axis }) {
    const n = labels.length, left = 46, narrow = room() < 500, width = narrow ? room() : room() + 60, right = narrow ? 12 : Math.min(240, widest(list.map(([label]) => label)) + 14), below = narrow ? 18 * list.length : 0, bottom = 268, height = bottom + below, svg = s('svg', { viewBox: `0 0 ${width} ${height}`, width, height });
    const x = i => left + i * (width - left - right) / Math.max(1, n - 1), y = v => 12 + (high - v) / ((high - low) || 1) * (bottom - 68);
    for (let k = 0; k <= 4; k++) {
        const v = low + (high - low) * k / 4;
        svg.append(s('line', { x1: left, x2: width - right, y1: y(v), y2: y(v), class: 'grid' }), s('text', { x: left - 6, y: y(v), 'text-anchor': 'end', 'dominant-baseline': 'central', class: 'label' }, number(v, 2)));
    }
    const every = Math.max(1, Math.ceil(n * (widest(labels) + 10) / (width - left - right)));
    labels.forEach((label, i) => { if (i % every === 0) svg.append(s('text', { x: x(i), y: bottom - 36, 'text-anchor': 'middle', class: 'label' }, label)); });
    svg.append(s('text', { x: (left + width - right) / 2, y: bottom - 17, 'text-anchor': 'middle', class: 'label axis' }, axis));
    /* Names at the ends, from the highest line to the lowest, none over another. */
    const lastOf = values => y(Math.max(low, Math.min(high, values[values.length - 1]))), ends = [];
    let above = -Infinity;
    for (const k of [...list.keys()].sort((a, b) => lastOf(list[a][1]) - lastOf(list[b][1]))) above = ends[k] = Math.max(above + 14, lastOf(list[k][1]));
    list.forEach(([label, values], k) => {
        const shown = values.map((v, i) => `${x(i)},${y(Math.max(low, Math.min(high, v)))}`).join(' '), end = ends[k];
        const under = bottom + 18 * k;
        svg.append(s('polyline', { points: shown, class: `line line${k % 6}` }));
        if (narrow) svg.append(s('polyline', { points: `${left},${under} ${left + 34},${under}`, class: `line line${k % 6}` }));
        svg.append(s('text', { x: narrow ? left + 42 : x(values.length - 1) + 8, y: narrow ? under : end, 'dominant-baseline': 'central', class: 'label' }, cut(label, narrow ? width - left - 44 : right - 8)));
    });
    return figure(svg, caption, () => table(head, labels.map((label, i) => [label, ...list.map(([, values]) => i < values.length ? number(values[i], 4) : '')])), name);
}

/* Every head small, a button each: attention (L,A,T,T). */
export function heads(attention, { caption, layer, head, onchoose, see }) {
    const [L, A, T] = attention.shape, grid = h('div', { class: 'heads', role: 'group', 'aria-label': caption, style: `--heads:${A}` });
    for (let l = 0; l < L; l++)
        for (let a = 0; a < A; a++) {
            const at = (l * A + a) * T * T, matrix = { shape: [T, T], data: attention.data.subarray(at, at + T * T) };
            grid.append(h('button', { type: 'button', 'aria-pressed': String(l === layer && a === head), 'aria-label': t('headsHint', { l, h: a }), onclick: () => onchoose(l, a) },
                          h('img', { src: bitmap(matrix, { signed: false, scale: 1 }), alt: '' })));
        }
    return h('figure', { 'data-picture': 'heads' }, h('figcaption', {}, caption), h('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': caption }, grid), h('p', { class: 'hint see' }, see));
}
