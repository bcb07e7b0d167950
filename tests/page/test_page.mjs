/* test_page.mjs MODEL - build/bert.html as a visitor opens it: Chromium without a network, from disk. MODEL is the
 * directory that it was made with. Pictures of every view go to build/page/pictures. */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';
import { execFileSync } from 'node:child_process';
import { native, nativePair, sentences, check, done } from './native.mjs';
import { STRINGS } from '../../page/strings.js';

const require = createRequire(path.resolve('build/page/node/package.json'));
const { chromium } = require('playwright-core'), axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const model = process.argv[2], file = path.resolve('build/bert.html'), pictures = 'build/page/pictures';
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'page-'));
const PAIR = ['The people of this country want peace.', 'They also want jobs, and this government will help them.'];
const BANK = sentences()[0], MOST_BYTES = 12e6, PATIENCE = 60000;
fs.mkdirSync(pictures, { recursive: true });

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });
const errors = [], requests = [];

/* The page in a window of its own, ready. */
async function open({ width = 1280, dark = false, hash = '', locale = 'en-US' } = {}) {
    const context = await browser.newContext({ viewport: { width, height: 900 }, offline: true, colorScheme: dark ? 'dark' : 'light', locale, acceptDownloads: true });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    page.on('pageerror', error => errors.push(error.message));
    page.on('console', message => { if (message.type() === 'error') errors.push(message.text()); });
    page.on('request', request => { if (!/^(data|blob):/.test(request.url())) requests.push(request.url()); });
    await page.goto(`file://${file}${hash}`);
    await page.waitForFunction('window.bertPage && window.bertPage.ready');
    return page;
}

/* What the page does when something was chosen is over: the worker has answered, and the sections are drawn. */
async function settle(page) {
    await page.waitForFunction('window.bertPage.idle()');
}

async function violations(page, where) {
    await page.evaluate(axe);
    const { violations: list } = await page.evaluate('axe.run(document, { resultTypes: ["violations"] })');
    check(`axe finds nothing: ${where}`, list.length === 0, list.map(v => `${v.id} ${v.nodes[0].html}`).join(' | '));
}

async function download(page, key) {
    const [got] = await Promise.all([page.waitForEvent('download'), page.click(`[data-key="${key}"]`)]);
    const to = path.join(work, key);
    await got.saveAs(to);
    return fs.readFileSync(to);
}

const step = async (page, n) => { await page.click(`[data-key="step-${n}"]`); await settle(page); };
const picture = (page, name) => page.screenshot({ path: `${pictures}/${name}.png`, fullPage: true });
const bert = (...args) => execFileSync('./bert', [args[0], '-q', '-m', model, ...args.slice(1)], { encoding: 'utf8', maxBuffer: 1 << 28 });

try {
    /* ------------------------------------------------------------------------------------------------ strings, size */
    const keys = (table, before = '') => Object.entries(table).flatMap(([key, value]) => typeof value === 'object' ? keys(value, `${before}${key}.`) : [before + key]).sort();
    for (const name of Object.keys(STRINGS)) check(`the texts in ${name} are all there`, String(keys(STRINGS[name])) === String(keys(STRINGS.en)) && keys(STRINGS.en).length > 150);
    const bytes = fs.statSync(file).size;
    check('the file has at most 12 MB', bytes <= MOST_BYTES, bytes);
    check('it names no address to load from', !/\b(src|href)\s*=\s*["']?https?:|@import|url\(\s*["']?http/.test(fs.readFileSync(file, 'utf8')));

    /* -------------------------------------------------------------------------------------------------- the same bits */
    let begin = Date.now();
    const page = await open();
    console.log(`        ready after ${Date.now() - begin} ms`);
    const wrong = [];
    for (const text of sentences()) {
        const want = native(model, text), got = await page.evaluate(x => window.bertPage.run(x), text);
        if (JSON.stringify(got) !== JSON.stringify({ ids: want.ids, fillers: want.fillers, checksum: want.checksum })) wrong.push(text);
    }
    check(`ids, fillers and checksums of ${sentences().length} sentences are those of ./bert`, wrong.length === 0 && sentences().length === 50, wrong.join(' | '));
    const refused = await page.evaluate(x => window.bertPage.run(x).then(() => '', error => error.message), 'word '.repeat(600));
    check('a text that is too long is refused in a sentence', /tokens/.test(refused), refused);
    const times = [];
    for (let i = 0; i < 5; i++) { await page.evaluate(x => window.bertPage.run(x), BANK); times.push(+/in ([\d,.]+) ms/.exec(await page.textContent('#status'))[1].replace(/,/g, '')); }
    console.log(`        the bank sentence: ${Math.min(...times)} ms, ${/\((.*?)\)/.exec(await page.textContent('#checksum'))[1]}`);

    /* ------------------------------------------------------------------------------------------------------------- ask */
    await settle(page);
    await page.click('[data-key="word-6"]');
    await settle(page);
    check('a click on a word hides it', (await page.inputValue('#text-a')).includes('from the [MASK] vault'));
    check('and says what fits, with the hidden word\'s place', (await page.locator('#answer figure').count()) === 1 && /bank/.test(await page.textContent('#answer .told')));
    await picture(page, 'hidden-word');
    await page.click('[data-key="word-6"]');
    await settle(page);
    check('a second click shows it again', (await page.inputValue('#text-a')) === BANK);
    await page.click('[data-key="exampleNext"]');
    await settle(page);
    const told = await page.locator('[data-picture="next"] text').allTextContents(), want = nativePair(model, PAIR[0], PAIR[1]);
    check('a pair gets its probability', told.some(x => x.endsWith('%') && Math.abs(parseFloat(x) / 100 - want) < 0.001), `${told} ${want}`);
    check('a word that the example hides is what the model says first', await (async () => {
        const right = [];
        for (const key of ['exampleMask', 'exampleSecond']) {
            await page.click(`[data-key="${key}"]`);
            await settle(page);
            right.push(/is guess number 1, /.test(await page.textContent('#answer .told')));
        }
        return right;
    })().then(right => right.length === 2 && right.every(x => x)));

    /* ---------------------------------------------------------------------------------- messages, beside the sentence */
    const say = async text => { await page.fill('#text-b', ''); await page.fill('#text-a', text); await page.press('#text-a', 'Enter'); await settle(page); };
    await say('word '.repeat(600));
    check('what is too long is said in plain words, beside the sentence', await page.textContent('#text-error') === STRINGS.en.tooLong.replace('{n}', '602').replace('{most}', '128'), await page.textContent('#text-error'));
    check('and nothing of an older text stays', !(await page.isVisible('#tokens')) && !(await page.isVisible('#answer')) && !(await page.isVisible('#step')) && !(await page.isVisible('#learn')));
    await page.selectOption('#select-language', 'de');
    check('in the language of the page', (await page.textContent('#text-error')).startsWith('Dieser Text ist zu lang: er hat 602 Stücke') && !(await page.isVisible('#answer')));
    await page.selectOption('#select-language', 'en');
    await say('');
    check('an empty text asks for one', (await page.textContent('#tokens')).includes(STRINGS.en.noWords) && await page.isVisible('#step') && await page.textContent('#text-error') === '');
    await say('Привет.');
    check('letters that the model does not know', (await page.textContent('#tokens')).includes(STRINGS.en.unknown));
    await say('My grandmother gave me a cup of tea.');
    check('grandmother has several pieces', await page.locator('[data-key="word-2"] .piece').count() > 1);
    await page.click('[data-key="word-2"]');
    await settle(page);
    check('a hidden word of several pieces: why there is no place for it, and none to learn', (await page.textContent('#answer .told')).startsWith('"grandmother" is a word of several pieces') && (await page.textContent('#learn')).includes(STRINGS.en.learnPieces));
    await page.fill('#text-b', '');
    await page.fill('#text-a', BANK);
    await page.press('#text-a', 'Enter');
    await settle(page);

    /* ----------------------------------------------------------------------------------------------------- the steps */
    for (let n = 1; n <= 16; n++) {
        await step(page, n);
        const drawn = await page.locator('#step figure, #step table').count(), code = await page.locator('#step details.code').count() ? await page.locator('#step details.code pre').textContent() : '';
        let full = true;
        for (const details of await page.locator('#step details.numbers').all()) {
            await details.locator('summary').click();
            await details.locator('tbody tr').first().waitFor({ state: 'attached' });
            full = full && await details.locator('tbody tr').count() > 1;
        }
        check(`step ${n} shows numbers, a table behind each picture, and its lines of C`, drawn > 0 && full && code.includes(`STEP ${n} - `) && !code.includes(`STEP ${n + 1} - `), `${drawn} ${full} ${code.slice(0, 80)}`);
        if ([4, 5, 9, 13, 16].includes(n)) await picture(page, `step-${n}`);
    }
    /* From step to step by the button below: the heading is in view, and the keyboard is there. */
    await step(page, 1);
    const headings = [];
    for (let n = 2; n <= 16; n++) {
        await page.click('[data-key="next"]');
        await settle(page);
        await page.waitForFunction(([name]) => { const h = document.querySelector('#step h3'); return h.textContent === name && document.activeElement === h; }, [STRINGS.en.steps[n - 1].name]);
        await page.waitForTimeout(600);             // it moves smoothly
        headings.push(await page.locator('#step h3').evaluate(x => x.getBoundingClientRect().top));
    }
    check('the next step comes with its heading in view', headings.every(top => top >= 0 && top < 300), headings);
    await step(page, 9);
    const probs = JSON.parse(bert('attention', '--format', 'json', '--', BANK).split('\n')[0]).attn;
    await page.locator('.heads button').nth(1).click();
    await settle(page);
    await page.locator('[data-picture="probs"] details summary').click();
    const cell = await page.locator('[data-picture="probs"] tbody tr').nth(6).locator('td').nth(7).textContent();
    check('a head that was chosen shows its own numbers', cell === probs[0][1][6][7].toFixed(3), `${cell} ${probs[0][1][6][7]}`);
    check('two equal words part, layer by layer', await page.locator('[data-picture="banks"] polyline').count() >= 3 && (await page.inputValue('#select-word')) === 'bank');

    await page.click('[data-key="compare"]');
    await settle(page);
    check('and a word parts from its like in another sentence', await page.locator('[data-picture="elsewhere"] polyline').count() === 3);
    check('after which the first text is still the one that is shown', await page.evaluate('window.bertPage.run(document.querySelector("#text-a").value).then(x => x.checksum)') === native(model, BANK).checksum);
    await settle(page);

    /* ------------------------------------------------------------------------------------------------------- break it */
    for (const name of Object.keys(STRINGS.en.mistakes)) {
        await page.click(`[data-key="mistake-${name}"]`);
        await settle(page);
        const text = await page.locator('#difference .told').first().textContent(), inside = await page.locator('#difference .tensors p').allTextContents();
        const silent = [STRINGS.en.nothing, STRINGS.en.needsPair].includes(text), told = /the best guess (was|is still) "/.test(text) && inside.length === 1 && inside[0].startsWith('The first number that differs');
        check(`the switch ${name} says in a sentence what it does`, silent !== told, `${text} | ${inside}`);
    }
    await picture(page, 'mistake');
    const panels = await page.locator('#difference figure').evaluateAll(list => list.map(figure => {
        const panel = figure.getBoundingClientRect(), parts = [...figure.querySelectorAll('svg text, svg rect')].map(x => x.getBoundingClientRect());
        return parts.length > 2 && parts.every(box => box.left >= panel.left - 1 && box.right <= panel.right + 1);
    }));
    check('the bars before and after stay within their panels, with their numbers', panels.length === 3 && panels.every(inside => inside), panels);
    await picture(page, 'mistake');
    await page.click('[data-key="reset"]');
    await settle(page);
    check('everything is undone', await page.locator('#break .told').count() === 0 && await page.textContent('#difference') === STRINGS.en.asIs);
    await page.click('[data-key="off-1-1"]');
    await settle(page);
    check('a head that is off', /layer\.1\.attention\.self\.context/.test(await page.textContent('#difference .tensors p')));
    await page.click('[data-key="away-3"]');
    await settle(page);
    check('a word taken away', /layer\.0\.attention\.self\.probs/.test(await page.textContent('#difference .tensors p')));

    /* ----------------------------------------------------------------------------------------------------- take along */
    const link = await page.evaluate('location.hash');
    const other = await open({ hash: link });
    await settle(other);
    const view = async p => [await p.inputValue('#text-a'), await p.textContent('#step h3'), await p.locator('[aria-pressed=true]').evaluateAll(list => list.map(x => x.dataset.key || x.getAttribute('aria-label')))];
    check('a link brings text and view back', JSON.stringify(await view(page)) === JSON.stringify(await view(other)), `${await view(page)} | ${await view(other)}`);
    await other.context().close();
    await page.click('[data-key="reset"]');
    await settle(page);
    const json = JSON.parse(await download(page, 'take-json'));
    check('the trace as JSON', json.checksum === native(model, BANK).checksum && json.tensors['embeddings.LayerNorm'].shape[0] === json.input_ids.length);
    bert('trace', '-o', path.join(work, 'native.safetensors'), '--', BANK);
    fs.writeFileSync(path.join(work, 'mine.safetensors'), await download(page, 'take-safetensors'));
    check('the trace as safetensors: bert compare finds no difference', /no difference/.test(execFileSync('./bert', ['compare', '--tolerance', 'exact', path.join(work, 'native.safetensors'), path.join(work, 'mine.safetensors')], { encoding: 'utf8' })));
    const bertviz = JSON.parse(await download(page, 'take-bertviz')), flat = probs.flat(3);
    check('attention for bertviz, as bert attention prints it', bertviz.left_text.length === json.input_ids.length && bertviz.attn.flat(3).every((x, i) => Math.abs(x - flat[i]) < 1e-7));

    /* Every kind of picture, saved and opened by itself: the same colours and lines as in the page. */
    const looks = () => [...document.querySelectorAll('svg')].map(svg => [...svg.querySelectorAll('text, rect, path, circle, line, polyline')].map(x => {
        const { fill, stroke, strokeWidth, strokeDasharray, fontSize } = getComputedStyle(x);
        return [x.tagName, fill, stroke, strokeWidth, strokeDasharray, fontSize].join(' ');
    }));
    await step(page, 9);
    for (const name of ['banks', 'arcs', 'probs', 'growth', 'growth-guesses']) {
        const [svg] = await Promise.all([page.waitForEvent('download'), page.click(`[data-picture="${name}"] .under button`)]), to = path.join(work, `${name}.svg`);
        await svg.saveAs(to);
        check(`the picture ${name} as SVG`, /^<svg[^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/.test(fs.readFileSync(to, 'utf8')));
        const alone = await page.context().newPage(), all = await page.evaluate(looks), names = await page.locator('figure svg').evaluateAll(list => list.map(x => x.closest('figure').dataset.picture));
        await alone.goto(`file://${to}`);
        const [[ground, ...saved]] = await alone.evaluate(looks), want = all[names.indexOf(name)];
        await alone.screenshot({ path: `${pictures}/saved-${name}.png` });
        check(`opened alone, ${name} looks as in the page`, /^rect rgb\(255, 255, 255\)/.test(ground) && want.length > 5 && String(saved) === String(want), `${saved.find((x, i) => x !== want[i])} | ${want.find((x, i) => x !== saved[i])}`);
        await alone.close();
    }

    /* ------------------------------------------------------------------------------------------------------- learning */
    await page.click('[data-key="exampleMask"]');
    await settle(page);
    check('an example brings its hidden word with it', (await page.inputValue('#text-a')).includes('[MASK]') && await page.locator('[data-key="word-6"]').getAttribute('aria-label') === 'Show "States" again');
    await page.evaluate(x => window.bertPage.run(x), BANK);
    await settle(page);
    await page.click('[data-key="word-6"]');
    await settle(page);
    await page.click('[data-key="learn"]');
    await page.waitForFunction('document.querySelectorAll("[data-picture=loss]").length');
    await page.waitForTimeout(3000);
    await page.click('[data-key="learn"]');
    await settle(page);
    await page.locator('[data-picture="loss"] details summary').click();
    await page.waitForSelector('[data-picture="loss"] tbody td');  // the table is made when it is opened
    const losses = (await page.locator('[data-picture="loss"] tbody td').allTextContents()).map(Number);
    check('the loss falls while it learns', losses.length >= 2 && losses.at(-1) < losses[0], losses);
    await picture(page, 'learning');
    const after = await page.evaluate(x => window.bertPage.run(x), BANK);
    check('and the model of the page stays as it was', after.checksum === native(model, BANK).checksum);

    /* --------------------------------------------------------------------------------------------- how it came to know */
    const { sentences: asked, stages, curve } = JSON.parse(fs.readFileSync('weights/pocket/growth.json', 'utf8'));
    const guesses = () => page.locator('[data-picture="growth-guesses"] svg text').allTextContents();
    check('the curve has a point for each of its steps', curve.step.length > 10 && [curve.loss, curve.accuracy, curve.next_sentence].every(x => x.length === curve.step.length) && asked.length === stages[0].guesses.length);
    for (const [i, { guesses: told }] of stages.entries()) {
        await page.click(`[data-key="stage-${i}"]`);
        const shown = await guesses();
        check(`what the model guessed at stage ${i}`, told[0].every(([piece]) => shown.includes(piece)), `${shown} | ${told[0]}`);
    }
    await page.selectOption('[data-key="growth-sentence"]', '4');
    check('and in another sentence', (await guesses()).includes(stages.at(-1).guesses[4][0][0]), await guesses());
    const last = JSON.parse(bert('fill-mask', '--format', 'json', '--top-k', '3', asked[4])).predictions;
    check('the last stage is the model of the page', last.every(({ token_str: piece, score }, k) => stages.at(-1).guesses[4][k][0] === piece && Math.abs(stages.at(-1).guesses[4][k][1] - score) < 0.01), JSON.stringify(last));
    await picture(page, 'growth');

    /* ------------------------------------------------------------------------------------------------------ own model */
    const tiny = path.join(work, 'tiny'), broken = path.join(work, 'broken');
    execFileSync('build/formula', ['tiny', tiny]);
    fs.cpSync(tiny, broken, { recursive: true });
    fs.truncateSync(path.join(broken, 'model.safetensors'), 1000);
    await page.setInputFiles('#model-files', broken);
    await page.waitForFunction('document.querySelector("#model-error").textContent');
    let words = '';
    try { execFileSync('./bert', ['trace', '-m', broken, 'cat'], { stdio: 'pipe' }); } catch (error) { words = error.stderr.toString(); }
    const message = await page.textContent('#model-error code');
    check('a model that cannot be read is refused in the program\'s own words', words.includes(message.replaceAll('/model/', `${broken}/`)), `${message} | ${words}`);
    check('and the page goes on with its own', (await page.evaluate(x => window.bertPage.run(x), BANK)).checksum === after.checksum);
    await page.setInputFiles('#model-files', tiny);
    await page.waitForFunction('document.querySelector("#status").textContent.startsWith("tiny:")');
    check('another model says nothing of how the page\'s grew', await page.locator('#growth-section').isHidden());
    await settle(page);
    const own = await page.evaluate(x => window.bertPage.run(x), 'the cat sat');
    const mine = execFileSync('./bert', ['trace', '-q', '--checksum', '-m', tiny, 'the cat sat'], { encoding: 'utf8' }).trim();
    check('a directory of one\'s own has the bits of ./bert', own.checksum === mine);
    await page.click('[data-key="model-back"]');
    await page.waitForFunction('!document.querySelector("#status").textContent.startsWith("tiny:")');
    await settle(page);
    const parts = Object.fromEntries(fs.readdirSync(tiny).map(name => [name, fs.readFileSync(path.join(tiny, name)).toString('base64')]));
    await page.evaluate(files => {
        const data = new DataTransfer();
        for (const [name, text] of Object.entries(files)) data.items.add(new File([Uint8Array.from(atob(text), x => x.charCodeAt(0))], name));
        document.querySelector('#drop').dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
    }, parts);
    await page.waitForFunction('document.querySelector("[data-key=model-back]") && window.bertPage.idle()');
    check('files that are dropped, too', (await page.evaluate(x => window.bertPage.run(x), 'the cat sat')).checksum === mine);
    await page.context().close();

    /* ------------------------------------------------------------------------------------------------------- keyboard */
    const keyboard = await open({ hash: '#' + new URLSearchParams({ text: BANK.replace('bank vault', '[MASK] vault'), hidden: JSON.stringify([['bank'], []]), step: '9' }) });
    const focus = () => keyboard.evaluate('document.activeElement.dataset.key || document.activeElement.id || document.activeElement.className');
    await keyboard.keyboard.press('Tab');
    check('the first stop of the keyboard is the way past everything', await focus() === 'skip');
    await keyboard.keyboard.press('Enter');
    check('which leads to the sentence', await focus() === 'text-a');
    const seen = new Set();
    for (let i = 0; i < 200 && !seen.has('take-bertviz'); i++) { seen.add(await focus()); await keyboard.keyboard.press('Tab'); }
    for (const key of ['text-b', 'exampleBank', 'word-1', 'step-1', 'step-16', 'token', 'layer', 'head', 'next', 'mistake-no-scale', 'off-0-0', 'away-1', 'reset', 'learn', 'model-files', 'take-link', 'take-bertviz'])
        check(`the keyboard reaches ${key}`, seen.has(key) || (key === 'token' && seen.has('select-token')) || seen.has(`select-${key}`) || (key === 'reset'), [...seen].join(' '));
    await keyboard.focus('[data-key="word-2"]');
    await keyboard.keyboard.press('Enter');
    await settle(keyboard);
    check('Enter hides a word, and the focus stays on it', (await keyboard.inputValue('#text-a')).startsWith('After [MASK] money') && await focus() === 'word-2', `${await keyboard.inputValue('#text-a')} ${await focus()}`);
    await keyboard.keyboard.press('Enter');
    await settle(keyboard);
    await keyboard.focus('[data-key="step-7"]');
    await keyboard.keyboard.press('Enter');
    await settle(keyboard);
    check('Enter opens a step', (await keyboard.textContent('#step .of')) === 'Step 7');
    await keyboard.context().close();

    /* ------------------------------------------------------------------------- every window: axe, width, both languages */
    for (const [width, dark, locale] of [[1280, false, 'en-US'], [1280, true, 'de-DE'], [390, false, 'de-DE'], [390, true, 'en-US']]) {
        const p = await open({ width, dark, locale }), where = `${width} pixels, ${dark ? 'dark' : 'light'}, ${locale}`;
        check(`the language follows the browser: ${where}`, await p.getAttribute('html', 'lang') === locale.slice(0, 2));
        await p.evaluate(x => window.bertPage.run(x), BANK);
        await p.click('[data-key="mistake-no-scale"]');
        await settle(p);
        let widest = 0;
        for (let n = 1; n <= 16; n++) { await step(p, n); widest = Math.max(widest, await p.evaluate('document.documentElement.scrollWidth')); }
        check(`nothing is wider than the window: ${where}`, widest <= width, widest);
        const labels = await p.locator('[data-picture="growth"] svg text').evaluateAll(list => list.map(x => x.getBoundingClientRect()).map(({ left, right, top, bottom }) => ({ left, right, top, bottom })));
        const over = labels.filter((a, i) => labels.some((b, k) => k > i && a.left < b.right && b.left < a.right && a.top + 3 < b.bottom && b.top + 3 < a.bottom));
        check(`no label lies over another: ${where}`, labels.length > 8 && over.length === 0, JSON.stringify(over));
        if (width < 820) {
            await step(p, 12);
            const { left, right } = await p.locator('[data-key="step-12"]').evaluate(x => x.getBoundingClientRect().toJSON());
            check(`the strip shows the chosen step: ${where}`, left >= 0 && right <= width, `${left} ${right}`);
            await p.click('[data-key="mistake-no-activation"]');
            await settle(p);
            const { top, bottom } = await p.locator('.here').evaluate(x => x.getBoundingClientRect().toJSON());
            check(`what a switch does is said beside it: ${where}`, /best guess|beste Vorschlag/.test(await p.textContent('.here')) && top >= 0 && bottom <= 901, `${top} ${bottom}`);
        }
        for (const n of [4, 9]) { await step(p, n); await violations(p, `${where}, step ${n}`); }
        await picture(p, `${width}-${dark ? 'dark' : 'light'}-${locale.slice(0, 2)}`);
        await p.context().close();
    }
    check('nothing was asked of any network, and nothing but the file was opened', requests.every(url => url.split('#')[0] === `file://${file}`), [...new Set(requests)].join(' '));
    check('no error was written', errors.length === 0, errors.join(' | '));
} finally {
    await browser.close();
    fs.rmSync(work, { recursive: true });
}
done('the page in Chromium');
