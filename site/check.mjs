// Looks at every page of the built site in headless Chromium:  npm run site:check [-- --screenshots FOLDER]
// Fails for a link or a heading that is not there, for an error on the console, for a page wider than a phone, for text
// that is hard to read, in light and in dark, and for a search that finds nothing. Links to elsewhere are not followed.
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import puppeteer from 'puppeteer-core';
import { serve } from 'vitepress';

const root = fileURLToPath(new URL('.', import.meta.url));
const { values } = parseArgs({ options: { screenshots: { type: 'string' } } });
const folder = values.screenshots && resolve(process.env.INIT_CWD ?? '.', values.screenshots);
const port = 4173 + (process.pid % 1000);
const origin = `http://localhost:${port}`;
const base = process.env.SITE_BASE ?? '/';
const phone = { width: 375, height: 812 };
const desk = { width: 1280, height: 900 };
/** Contrast of text that anybody can read: WCAG 2.2, level AA. */
const enough = 4.5;
const problems = [];

function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const name of ['chromium', 'chromium-browser', 'google-chrome']) {
    try {
      return execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    } catch {}
  }
  throw new Error('No Chromium is here: apt-get install chromium, or name one in CHROMIUM.');
}

/** In the page: its links and the ids that links can lead to. */
const readPage = () => ({
  links: [...document.querySelectorAll('a[href]')].map(({ href }) => href),
  ids: [...document.querySelectorAll('[id]')].map(({ id }) => id),
  title: document.querySelector('h1')?.textContent ?? '',
  pictures: [...document.images]
    .filter(({ complete, naturalWidth }) => complete && naturalWidth === 0)
    .map(({ src }) => src),
});

/** In the page: what is wider than the window, without what scrolls by itself. */
const readOverflow = () => {
  const { scrollWidth, clientWidth } = document.documentElement;
  if (scrollWidth <= clientWidth) return;
  const wide = [...document.querySelectorAll('body *')].filter(
    one => one.getBoundingClientRect().right > clientWidth + 1,
  );
  return `${scrollWidth} px wide at ${clientWidth}: ${wide
    .slice(0, 3)
    .map(one => `${one.tagName.toLowerCase()} "${one.textContent.trim().slice(0, 40)}"`)
    .join(', ')}`;
};

/** In the page: the lowest contrast of plain text and its ground, with the text. */
const readContrast = () => {
  const numbers = colour => colour.match(/[\d.]+/g).map(Number);
  const luminance = rgb => {
    const [r, g, b] = rgb
      .slice(0, 3)
      .map(value => (value / 255 <= 0.04045 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const over = ([r, g, b, a = 1], ground) => [r, g, b].map((value, at) => value * a + ground[at] * (1 - a));
  const groundOf = one => {
    if (!one) return [255, 255, 255];
    const own = numbers(getComputedStyle(one).backgroundColor);
    return (own[3] ?? 1) === 1 ? own : over(own, groundOf(one.parentElement));
  };
  let least = { contrast: 99, text: '' };
  for (const one of document.querySelectorAll(
    '.vp-doc :is(p, li, td, th, h1, h2, h3, a, code, pre span), .VPSidebar p',
  )) {
    const text = [...one.childNodes]
      .filter(node => node.nodeType === 3)
      .map(node => node.textContent.trim())
      .join('');
    if (text === '' || one.closest('.header-anchor') || one.getClientRects().length === 0) continue;
    const ground = groundOf(one);
    const [a, b] = [luminance(over(numbers(getComputedStyle(one).color), ground)), luminance(ground)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < least.contrast) least = { contrast, text: text.slice(0, 40) };
  }
  return least;
};

async function openPage(browser, path, { scheme = 'light', size = desk } = {}) {
  const page = await browser.newPage();
  // On a machine at work a page takes as long as it takes; one that never comes ends it all the same.
  page.setDefaultTimeout(180_000);
  await page.setViewport(size);
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
  const say = what => problems.push(`${path} (${scheme}): ${what}`);
  page.on(
    'console',
    message => ['error', 'warn'].includes(message.type()) && say(`console: ${message.text()}`),
  );
  page.on('pageerror', error => say(`error: ${error.message}`));
  page.on('requestfailed', request => say(`not loaded: ${request.url()}`));
  page.on('response', response => response.status() >= 400 && say(`${response.status()}: ${response.url()}`));
  await page.goto(`${origin}${path}`, { waitUntil: 'networkidle0' });
  return page;
}

const name = path => path.replace(base, '').replaceAll('/', '-').replace('.html', '') || 'index';
async function photograph(page, path, kind) {
  if (folder) await page.screenshot({ path: join(folder, `${name(path)}-${kind}.png`) });
}

/** Reads one page, and judges it at both widths and in both schemes. */
async function examine(browser, path) {
  let found;
  for (const scheme of ['light', 'dark']) {
    const page = await openPage(browser, path, { scheme });
    found ??= await page.evaluate(readPage);
    const { contrast, text } = await page.evaluate(readContrast);
    if (contrast < enough) problems.push(`${path} (${scheme}): contrast ${contrast.toFixed(2)} of "${text}"`);
    const isDark = await page.evaluate(() => document.documentElement.classList.contains('dark'));
    if (isDark !== (scheme === 'dark')) problems.push(`${path}: does not follow the scheme ${scheme}`);
    await photograph(page, path, scheme);
    await page.setViewport(phone);
    await page.evaluate(() =>
      Promise.all(
        document
          .getAnimations()
          .filter(one => one instanceof CSSTransition)
          .map(one => one.finished.catch(() => {})),
      ),
    );
    const wide = await page.evaluate(readOverflow);
    if (wide) problems.push(`${path}: ${wide}`);
    if (scheme === 'light') await photograph(page, path, 'phone');
    await page.close();
  }
  for (const picture of found.pictures) problems.push(`${path}: picture ${picture} does not show`);
  if (found.title === '' || /404/.test(found.title)) problems.push(`${path}: there is no page`);
  return found;
}

/** Follows every link from the first page on. */
async function crawl(browser) {
  const seen = new Map();
  const waiting = [base];
  while (waiting.length > 0) {
    const path = waiting.shift();
    if (seen.has(path)) continue;
    const found = await examine(browser, path);
    seen.set(path, found);
    const inside = found.links.filter(href => href.startsWith(origin)).map(href => new URL(href).pathname);
    waiting.push(...inside.filter(one => !seen.has(one)));
  }
  return seen;
}

/** Whether the search finds a page for these words. */
async function search(browser, words) {
  const page = await openPage(browser, base);
  await page.click('.VPNavBarSearch button');
  await page.waitForSelector('.search-input');
  await page.type('.search-input', words);
  const found = await page.waitForSelector('.VPLocalSearchBox .result').catch(() => undefined);
  if (!found) problems.push(`search: nothing for "${words}"`);
  await photograph(page, base, 'search');
  await page.close();
}

if (folder) mkdirSync(folder, { recursive: true });
const server = await serve({ root, port, base });
const browser = await puppeteer.launch({
  executablePath: findChromium(),
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});
try {
  const seen = await crawl(browser);
  const links = [...seen].flatMap(([from, { links }]) =>
    [...new Set(links)].map(href => ({ from, url: new URL(href) })),
  );
  const inside = links.filter(({ url }) => url.origin === origin);
  for (const { from, url } of inside)
    if (url.hash && !seen.get(url.pathname)?.ids.includes(decodeURIComponent(url.hash.slice(1))))
      problems.push(`${from}: no heading ${url.pathname}${url.hash}`);
  for (const words of ['docker-compose.yml', 'too old']) await search(browser, words);
  for (const [path, { title }] of seen) console.log(`${path}  ${title.replace(/\u200b/g, '').trim()}`);
  console.log(
    `${seen.size} pages, ${inside.length} links among them; ${links.length - inside.length} to elsewhere, which were not followed.`,
  );
} finally {
  await browser.close();
  server.server.close();
}
for (const problem of new Set(problems)) console.error(problem);
console.log(problems.length === 0 ? 'No problem was found.' : `${new Set(problems).size} problems.`);
process.exit(problems.length === 0 ? 0 : 1);
