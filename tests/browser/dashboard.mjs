// The dashboard in Debian's Chromium against a real farm: opens it, submits a job by its form, sees it run, its graph and timeline
// drawn, its poster, and its result play in the quality that is chosen; a job that fails and is retried; a node that is drained, and
// a job that waits for it, gets another priority and is cancelled; 1,000 jobs in the list; keys, a phone's width, the rules of
// axe-core in both themes, a scheduler that goes away and comes back.
//   dashboard.mjs URL SOURCE DESTINATION PIPELINE STOP START [PICTURES]
// SOURCE, DESTINATION: URLs; beside SOURCE lies broken.mp4, which is none. STOP, START: commands that end the scheduler and start it
// again. PICTURES: a folder for PNGs of what was seen. Exit 1: a check failed.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

import { load, until } from './chromium.mjs';
import { axe, checks, launch } from './page_checks.mjs';

const [base, source, destination, pipeline, stop, start, pictures = null] = process.argv.slice(2);
const MANY = 1000;
const { check, failures, count } = checks();
const browser = await launch(load('playwright-core').chromium);
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
const button = (name) => page.getByRole('button', { name, exact: true });
const keep = async (name) => pictures && page.screenshot({ path: join(pictures, `${name}.png`) });
const accessible = async (where) => {
  await axe(page, where, check);
  await keep(where.replaceAll(' ', '-'));
};
const go = (to) => page.evaluate((hash) => { location.hash = `#/${hash}`; }, to);
let made = 0;
async function submit(from, more = {}) {
  const body = JSON.stringify({ source: from, destination: `${destination}-${++made}`, pipeline, ...more });
  const answer = await fetch(`${base}/v1/jobs`, { method: 'POST', body });
  check('the job is taken', answer.status === 201, String(answer.status));
  return (await answer.json()).id;
}
const jobIs = (state, limit_s) => until(`the job is ${state}`, limit_s, async () => (await text('.job-head .chip')).includes(state));

async function submitByForm() {
  await page.keyboard.press('n');
  await sees('the form', '#new-pipeline');
  await accessible('form');
  await page.locator('#new-source').fill(source.replace('clip.mp4', 'missing.mp4'));
  await page.locator('#new-destination').fill(destination);
  await page.locator('#new-pipeline').selectOption(pipeline);
  isAway = true; // what the browser says of the answer that is refused
  await button('Submit').click();
  await sees('what is wrong with it, at its field', '#source-error');
  isAway = false;
  await page.locator('#new-source').fill(source);
  await button('Submit').click();
  await sees('its job', '.job-head');
  return page.evaluate(() => location.hash.split('/').pop());
}

async function list(id) {
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
}

async function work() {
  await sees('the graph', '.dag .task');
  check('the graph has its tasks', (await page.locator('.dag .task').count()) >= 5);
  check('the graph has its lines', (await page.locator('.dag .edge').count()) >= 4);
  await until('frames are counted', 60, async () => /[1-9][\d,]* \/ /.test(await text('.figures b')));
  await sees('the timeline', '.gantt canvas');
  const isDrawn = () => page.locator('.gantt canvas').evaluate((c) => new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size > 8);
  check('the timeline is drawn', await until('drawn', 10, isDrawn));
  await keep('job-running');
}

// The rung that is chosen is the one that is decoded from then on.
async function quality(video, height) {
  const options = await page.locator('#result select option').allInnerTexts();
  await video.evaluate((v) => { v.currentTime = 0; });
  await page.locator('#result select').selectOption(String(options.findIndex((o) => o.startsWith(`${height}p`)) - 1));
  await until(`${height}p plays`, 30, () => video.evaluate((v, h) => v.videoHeight === h && v.readyState >= 2, height));
}

async function result(id) {
  await jobIs('done', 120);
  await sees('the player', '.stage video');
  const video = page.locator('.stage video');
  await until('its poster', 30, () => video.evaluate(async (v) => {
    const image = new Image();
    image.src = v.poster;
    return v.poster !== '' && image.decode().then(() => image.naturalWidth > 0, () => false);
  }));
  await until('the player has the result', 30, () => video.evaluate((v) => v.readyState >= 2));
  await video.evaluate((v) => { v.muted = true; return v.play(); });
  const from = await video.evaluate((v) => v.currentTime);
  await until('the result plays', 30, async () => (await video.evaluate((v) => v.currentTime)) > from + 1);
  check('qualities to choose from', (await page.locator('#result select option').count()) === 3);
  await quality(video, 144);
  await quality(video, 180);
  await quality(video, 144);
  await video.evaluate((v) => v.pause());
  if (await has(`/v1/jobs/${id}/logs`)) {
    check('its log tells something', (await page.locator('.log .line').count()) > 3);
  }
  check('its renditions', (await page.locator('#renditions tbody tr').count()) >= 3);
  await accessible('job done');
}

async function phone(id) {
  await page.setViewportSize({ width: 390, height: 844 });
  for (const view of ['farm', `jobs/${id}`, 'jobs', 'nodes', 'assets', 'submit']) {
    await go(view);
    await sees(view, 'main h1, main .tiles', 10);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    check(`${view} fits a phone`, wide <= 0, `${wide} px too wide`);
  }
  await page.setViewportSize({ width: 1440, height: 900 });
}

async function assets() {
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
  await go('assets');
  await sees('the titles, which are asked for again', '.card.asset', 10);
  const [saved] = await Promise.all([page.waitForEvent('download', { timeout: 20000 }), page.locator('.card.asset a.button', { hasText: 'DASH' }).click()]);
  check('a file is saved under its name', saved.suggestedFilename() === 'manifest.mpd', saved.suggestedFilename());
  await sees('its poster', '.card.asset img', 20);
  await accessible('assets');
  await page.evaluate(() => sessionStorage.removeItem('gopmill-token'));
  await page.reload();
  isAway = false;
}

async function givenUp(id) {
  // A title whose place is away: given up after a question.
  await page.evaluate(() => {
    const real = window.fetch;
    window.fetch = async (path, more) => {
      if (more?.method === 'DELETE') {
        window.deleted = String(path);
        return new Response('{}', { status: 202 });
      }
      const answer = await real(path, more);
      if (!String(path).startsWith('/v1/assets')) {
        return answer;
      }
      const list = await answer.json();
      for (const a of list.assets) {
        a.removing = { error: { code: 'storage.failed', text: 'it is away' } };
      }
      return new Response(JSON.stringify(list));
    };
  });
  await go('farm');
  await sees('the farm once more', 'main .tiles', 10);
  await go('assets');
  await page.locator('.card.asset button', { hasText: 'Give up' }).click({ timeout: 10000 });
  await page.locator('dialog button.danger').click({ timeout: 10000 });
  check('a removal is given up', await until('asked', 10, () => page.evaluate((job) => window.deleted === `/v1/assets/${job}?force=1`, id)));
  await page.reload();
}

async function failed() {
  const id = await submit(source.replace('clip.mp4', 'broken.mp4'));
  await go(`jobs/${id}`);
  await sees('the job', '.job-head');
  await jobIs('failed', 60);
  await sees('why it failed', '.failure code');
  check('by its code', (await text('.failure code')).startsWith('input.'), await text('.failure code'));
  check('and what to do', (await text('.failure .muted')).length > 10);
  await accessible('job failed');
  await button('Retry').click();
  await sees('that it is tried again', '.toast.good');
  await jobIs('failed', 60);
}

async function drained() {
  await go('nodes');
  await sees('the node', '.card.node .long');
  await accessible('nodes');
  await button('Drain').click();
  await sees('the node drains', '.card.node .chip.warn');
  const id = await submit(source);
  await go(`jobs/${id}`);
  await sees('the job', '.job-head');
  await until('why it waits', 20, async () => /drain/.test(await text('.whys')));
  await button('Priority 50').click();
  await accessible('priority dialog');
  await page.locator('dialog input').fill('80');
  await page.keyboard.press('Enter');
  await until('its priority', 20, () => button('Priority 80').isVisible());
  await button('Cancel').click();
  await accessible('cancel dialog');
  await button('Cancel the job').click();
  await jobIs('cancelled', 30);
  check('it can be retried', await button('Retry').isVisible());
}

// They wait, as the node drains. What the browser has to do is bounded by the rows that are seen.
async function many() {
  for (let left = MANY; left > 0; left -= 50) {
    await Promise.all(Array.from({ length: 50 }, () => submit(source)));
  }
  await go('jobs');
  await sees('the jobs', 'main tr[data-row]');
  const rows = async () => page.locator('main tr[data-row]').count();
  let most = 0;
  await until('all jobs are in the list', 120, async () => {
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    most = Math.max(most, await rows());
    return Number((await text('main .head span')).replace(/\D/g, '')) >= MANY;
  });
  check('rows in the page are those that are seen', most > 5 && most < 80, `${most} rows`);
  await keep('jobs-1000');
  await page.evaluate(() => scrollTo(0, 0));
  await page.keyboard.press('/');
  await page.keyboard.type('broken', { delay: 40 });
  await until('the search finds the few', 20, async () => (await rows()) > 0 && (await rows()) < 5);
  await page.locator('main input[type=search]').fill('');
}

async function restarted(alive) {
  isAway = true;
  // A row far down the list, which changes while the page is cut off.
  await page.evaluate(() => {
    const real = window.fetch;
    window.cut = false;
    window.fetch = async (path, more) => {
      const answer = await real(path, more);
      if (!String(path).startsWith('/v1/jobs?') || String(path).includes('state=r') || !answer.ok) {
        return answer;
      }
      const { jobs: [one] } = await answer.json();
      const from = Number(new URL(path, location.href).searchParams.get('cursor') ?? 0);
      const rows = Array.from({ length: 200 }, (_, i) => ({ ...one, id: `j${from + i}`, state: window.cut && from + i === 399 ? 'failed' : 'done' }));
      return new Response(JSON.stringify({ jobs: rows, next: from === 0 ? '200' : null }));
    };
  });
  await go('farm');
  await sees('the farm once more', 'main .tiles', 10);
  await go('jobs');
  const far = page.locator('tr[aria-rowindex="401"]');
  await until('the last row', 20, async () => { await page.evaluate(() => window.scrollTo(0, document.body.scrollHeight)); return far.isVisible(); });
  check('it is done', (await far.innerText()).includes('done'));

  execFileSync('sh', ['-c', stop]);
  await sees('it says that it is cut off', '.notice.bad', 20);
  await accessible('cut off');
  await page.evaluate(() => { window.cut = true; });
  execFileSync('sh', ['-c', start]);
  await sees('it comes back by itself', alive, 40);
  await until('the notice goes', 10, async () => (await page.locator('.notice.bad').count()) === 0);
  await until('a row far down is as it is now', 20, async () => (await far.innerText()).includes('failed'));
  isAway = false;
}

try {
  const alive = (await has('/v1/events')) ? '.connection.good' : '.connection.warn';
  await has('/v1/assets');
  await page.goto(base);
  await sees('live', alive);
  await sees('a node', '.card.node .chip.good');
  await accessible('farm');
  const id = await submitByForm();
  await list(id);
  await work();
  await result(id);
  await phone(id);
  await assets();
  await givenUp(id);
  await failed();
  await drained();
  await many();
  await restarted(alive);
  check('nothing went wrong in the page', troubles().length === 0, troubles().join('; '));
} catch (e) {
  check(e.message.split('\n')[0], false, troubles().join('; '));
  await page.screenshot({ path: process.env.GOPMILL_SCREENSHOT ?? '/dev/null', fullPage: true }).catch(() => {});
} finally {
  await browser.close();
}
console.log(`dashboard: ${count()} checks, ${failures.length} failed`);
process.exit(failures.length > 0 ? 1 : 0);
