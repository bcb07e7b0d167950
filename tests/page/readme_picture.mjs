/* readme_picture.mjs OUT.png - the picture of the README: build/bert.html in a window of 1240 x 1080: a sentence in
 * pieces, the guesses, and step 9. After `make page-test`, which installs what it needs:
 *     CHROMIUM=chromium node tests/page/readme_picture.mjs page/page.png
 * Then 64 colours are enough (Python's PIL): Image.open(f).convert('RGB').quantize(64).save(f, optimize=True). */
import path from 'node:path';
import { createRequire } from 'node:module';

const { chromium } = createRequire(path.resolve('build/page/node/package.json'))('playwright-core');
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });
const page = await browser.newPage({ viewport: { width: 1240, height: 1080 }, colorScheme: 'light', locale: 'en-US' });
const view = new URLSearchParams({ text: 'The president of the United [MASK] spoke to the congress.', hidden: '[["States"],[]]', step: '9', token: '6', layer: '1', head: '2', lang: 'en' });
await page.goto(`file://${path.resolve('build/bert.html')}#${view}`);
await page.waitForFunction('window.bertPage && window.bertPage.ready && window.bertPage.idle()');
await page.evaluate(() => {
    document.documentElement.style.scrollBehavior = 'auto';
    document.querySelector('#tokens').scrollIntoView({ block: 'start' });
});
await page.screenshot({ path: process.argv[2] });
await browser.close();
