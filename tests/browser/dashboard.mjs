// The dashboard in Debian's Chromium against a real farm: opens it, submits a job, sees it run, its graph and timeline drawn
// and its result play; keys, a phone's width, the rules of axe-core in both themes, a scheduler that goes away and comes back.
//   dashboard.mjs URL SOURCE DESTINATION PIPELINE STOP START [TOKEN]
// SOURCE, DESTINATION: URLs. STOP, START: commands that end the scheduler and start it again. Exit 1: a check failed.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { load, modules, until } from './chromium.mjs';

const [base, source, destination, pipeline, stop, start] = process.argv.slice(2);
const { chromium } = load('playwright-core');
const failures = [];
let checks = 0;
function check(what, ok, told = '') {
  checks++;
  if (!ok) {
    failures.push(what);
    console.log(`FAILED: ${what}${told ? `: ${told}` : ''}`);
  }
}

const browser = await chromium.launch({
  executablePath: process.env.GOPMILL_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required', '--disable-gpu', '--disable-dev-shm-usage'],
});
const page = await browser.newPage({ viewport: { width: 1440, height: 900 }, bypassCSP: false });
const said = [];
let isAway = false;
page.on('pageerror', (e) => said.push(`page: ${e.message}`));
page.on('console', (m) => m.type() === 'error' && !isAway && said.push(`console: ${m.text()} ${m.location().url}`));

// A scheduler may lack what the page asks for: the page goes on without it, and so does this.
const lacking = [];
async function has(path) {
  const there = (await fetch(base + path, { signal: AbortSignal.timeout(10000) })).status !== 404;
  if (!there) {
    lacking.push(path);
    console.log(`left out: ${path}`);
  }
  return there;
}
const troubles = () => said.filter((line) => !lacking.some((path) => line.includes(path)));

const text = (selector) => page.locator(selector).first().innerText();
const sees = (what, selector, limit_s = 30) => until(what, limit_s, () => page.locator(selector).first().isVisible());

async function accessible(where) {
  for (const theme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' });
    const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
    for (const v of found.violations) {
      check(`${where}, ${theme}: axe ${v.id}`, false, `${v.help}: ${v.nodes.map((n) => `${n.target.join(' ')} ${n.any[0]?.message ?? ''}`).slice(0, 3).join(' | ')}`);
    }
    check(`${where}, ${theme}: axe looked`, found.violations !== undefined);
  }
}
// evaluate() is not bound by the page's policy, a script element would be
const withAxe = () => page.evaluate(load('node:fs').readFileSync(join(modules, 'axe-core/axe.min.js'), 'utf8'));

try {
  const alive = (await has('/v1/events')) ? '.connection.good' : '.connection.warn';
  await has('/v1/assets');
  await page.goto(base);
  await sees('live', alive);
  await sees('a node', '.card.node .chip.good');
  await withAxe();
  await accessible('farm');

  const answer = await fetch(`${base}/v1/jobs`, { method: 'POST', body: JSON.stringify({ source, destination, pipeline }) });
  const { id } = await answer.json();
  check('the job is taken', answer.status === 201, String(answer.status));
  await page.keyboard.press('g');
  await page.keyboard.press('j');
  await sees('the job in the list', `a[href="#/jobs/${id}"]`);
  await page.keyboard.press('/');
  await page.keyboard.type('clip.m', { delay: 60 });
  await until('the address has what was typed', 10, () => page.evaluate(() => location.hash.includes('q=clip.m')));
  check('the search finds it', (await page.locator('main tr[data-row]').count()) === 1);
  check('the field keeps what was typed', (await page.locator('main input[type=search]').inputValue()) === 'clip.m');
  await page.keyboard.press('Escape');
  await accessible('jobs');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await sees('the graph', '.dag .task');
  check('the graph has its tasks', (await page.locator('.dag .task').count()) >= 5);
  check('the graph has its lines', (await page.locator('.dag .edge').count()) >= 4);
  await until('frames are counted', 60, async () => /[1-9][\d,]* \/ /.test(await text('.figures b')));
  await sees('the timeline', '.gantt canvas');
  const isDrawn = () => page.locator('.gantt canvas').evaluate((c) => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size > 8);
  check('the timeline is drawn', await until('drawn', 10, isDrawn));

  await until('the job is done', 120, async () => (await text('.job-head .chip')).includes('done'));
  await sees('the player', '.stage video');
  const video = page.locator('.stage video');
  await until('the player has the result', 30, () => video.evaluate((v) => v.readyState >= 2));
  await video.evaluate((v) => { v.muted = true; return v.play(); });
  const from = await video.evaluate((v) => v.currentTime);
  await until('the result plays', 30, async () => (await video.evaluate((v) => v.currentTime)) > from + 1);
  check('qualities to choose from', (await page.locator('#result select option').count()) === 3);
  await page.locator('#result select').selectOption('0');
  await until('the quality changes', 20, () => video.evaluate((v) => v.videoHeight > 0 && v.readyState >= 2));
  await video.evaluate((v) => v.pause());
  if (await has(`/v1/jobs/${id}/logs`)) {
    check('its log tells something', (await page.locator('.log .line').count()) > 3);
  }
  check('its renditions', (await page.locator('#renditions tbody tr').count()) >= 3);
  await accessible('job');

  await page.setViewportSize({ width: 390, height: 844 });
  for (const view of ['farm', `jobs/${id}`, 'jobs', 'nodes', 'assets']) {
    await page.evaluate((to) => { location.hash = `#/${to}`; }, view);
    await sees(view, 'main h1, main .tiles', 10);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    check(`${view} fits a phone`, wide <= 0, `${wide} px too wide`);
  }
  await sees('the title among the assets', 'main');
  await page.setViewportSize({ width: 1440, height: 900 });

  isAway = true; // what the browser says of the answer that is refused
  await page.evaluate(() => { // as of a scheduler that has just started, and whose files come slowly
    const real = window.fetch;
    let refused = false;
    window.fetch = async (path, more) => {
      if (String(path).startsWith('/v1/assets') && !refused) {
        refused = true;
        return new Response('{"code":"api.busy"}', { status: 429 });
      }
      await new Promise((resolve) => { setTimeout(resolve, String(path).includes('/files/') ? 6000 : 0); });
      return real(path, more);
    };
    sessionStorage.setItem('gopmill-token', 'any');
    location.hash = '#/jobs';
  });
  await sees('the jobs again', 'main table.jobs', 10);
  await page.evaluate(() => { location.hash = '#/assets'; });
  await sees('the titles, which are asked for again', '.card.asset', 10);
  const [saved] = await Promise.all([page.waitForEvent('download', { timeout: 20000 }), page.locator('.card.asset a.button', { hasText: 'DASH' }).click()]);
  check('a file is saved under its name', saved.suggestedFilename() === 'manifest.mpd', saved.suggestedFilename());
  await page.evaluate(() => sessionStorage.removeItem('gopmill-token'));

  execFileSync('sh', ['-c', stop]);
  await sees('it says that it is cut off', '.notice.bad', 20);
  execFileSync('sh', ['-c', start]);
  await sees('it comes back by itself', alive, 40);
  await until('the notice goes', 10, async () => (await page.locator('.notice.bad').count()) === 0);
  isAway = false;
  check('nothing went wrong in the page', troubles().length === 0, troubles().join('; '));
} catch (e) {
  check(e.message.split('\n')[0], false, troubles().join('; '));
  await page.screenshot({ path: process.env.GOPMILL_SCREENSHOT ?? '/dev/null', fullPage: true }).catch(() => {});
} finally {
  await browser.close();
}
console.log(`dashboard: ${checks} checks, ${failures.length} failed`);
process.exit(failures.length > 0 ? 1 : 0);
