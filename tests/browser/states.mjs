// States of the dashboard that a farm of tests does not have, in Debian's Chromium, of a scheduler that is made up (mock.mjs):
// loading, empty, failing, refusing until there is a token, a tenant's, cut off, 10,000 jobs; the form for a new job, with its errors and an
// upload that breaks and goes on; each view, with the rules of axe-core in both themes.
//   states.mjs [DIR]      DIR: PNGs of the states are put there
// Exit 1: a check failed.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { here, load, sleep, until } from './chromium.mjs';
import { axe, checks, launch } from './page_checks.mjs';

const dir = process.argv[2] ?? null;
const work = mkdtempSync(join(tmpdir(), 'gm-test-states-'));
const { check, failures, count } = checks();
const browser = await launch(load('playwright-core').chromium);
const mocks = [];

async function mock(kind) {
  const child = spawn(process.execPath, [join(here, 'mock.mjs'), '0', kind], { stdio: ['ignore', 'pipe', 'inherit'] });
  mocks.push(child);
  for await (const line of createInterface({ input: child.stdout })) {
    return { url: line.split(' ')[1], child };
  }
  throw new Error(`mock.mjs ${kind}: it did not begin`);
}

const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' });
const wrong = [];
let mayFail = false; // the browser tells of answers that are errors
page.on('pageerror', (e) => wrong.push(e.message));
page.on('console', (m) => m.type() === 'error' && !(mayFail && m.text().startsWith('Failed to load resource')) && wrong.push(m.text()));

const sees = (what, selector, limit_s = 20) => until(what, limit_s, () => page.locator(selector).first().isVisible());
const says = (what, selector, text) => until(what, 20, async () => (await page.locator(selector).allInnerTexts()).join('\n').includes(text));

async function shoot(name) {
  for (const theme of dir ? ['light', 'dark'] : []) {
    await page.emulateMedia({ colorScheme: theme });
    await sleep(400);
    await page.screenshot({ path: join(dir, `${name}-${theme}.png`) });
  }
}
async function looks(name, url, selector, picture = null) {
  await page.goto('about:blank');
  await page.goto(url);
  await sees(name, selector);
  await axe(page, name, check);
  if (picture) {
    await shoot(picture);
  }
}

async function states() {
  mayFail = true;
  const slow = await mock('slow');
  await looks('loading', `${slow.url}/#/farm`, '.loading', 'loading');
  await looks('loading jobs', `${slow.url}/#/jobs`, '.loading');
  const empty = await mock('empty');
  await looks('empty farm', `${empty.url}/#/farm`, '.empty', 'empty');
  for (const view of ['jobs', 'nodes', 'assets']) {
    await looks(`empty ${view}`, `${empty.url}/#/${view}`, '.empty');
  }
  const failing = await mock('failing');
  await looks('failing jobs', `${failing.url}/#/jobs`, '.failure', 'error');
  await looks('failing assets', `${failing.url}/#/assets`, '.failure');
  await looks('a job that is not there', `${empty.url}/#/jobs/01m8300000a37k877mpeft33y0`, '.failure');
}

async function token() {
  const refusing = await mock('refusing');
  await looks('a token is needed', `${refusing.url}/#/farm`, '.notice.warn');
  await page.locator('.notice button').click();
  await sees('the question for it', 'dialog[open] input');
  await axe(page, 'token dialog', check);
  await shoot('token');
  await page.keyboard.type('a wrong one');
  await page.keyboard.press('Enter');
  await says('it is refused', '.notice.warn', 'does not take');
  await page.locator('.notice button').click();
  await page.locator('dialog input').fill('open sesame');
  await page.keyboard.press('Enter');
  await sees('it is taken', '.connection.good');
  check('the notice goes', (await page.locator('.notice.warn').count()) === 0);
  mayFail = false;
}

// What the browser does is bounded by what is seen, not by what there is.
async function many(full) {
  await looks('10,000 jobs', `${full.url}/#/jobs`, 'main tr[data-row]');
  let most = 0;
  const rows = async () => {
    const n = await page.locator('main tr[data-row]').count();
    most = Math.max(most, n);
    return n;
  };
  await until('all jobs are in the list', 60, async () => {
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    await rows();
    return (await page.locator('main .head span').first().innerText()) === '10,000 shown';
  });
  await until('the last one is seen', 10, async () => {
    await page.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    await rows();
    return (await page.locator('main tr[data-row]').last().getAttribute('aria-rowindex')) === '10001';
  });
  check('rows in the page are those that are seen', most > 5 && most < 80, `${most} rows`);
}

const running = async (full) => (await (await fetch(`${full.url}/v1/jobs?state=running`)).json()).jobs[0].id;

async function views(full) {
  await looks('farm', `${full.url}/#/farm`, '.card.node');
  await looks('nodes', `${full.url}/#/nodes`, '.card.node .long', 'nodes');
  await page.getByRole('button', { name: 'Quarantine …' }).first().click();
  await sees('the question why', 'dialog[open]');
  await axe(page, 'quarantine dialog', check);
  await page.keyboard.press('Escape');
  await looks('assets', `${full.url}/#/assets`, '.card.asset');
  await page.keyboard.press('?');
  await sees('the keys', 'dialog[open] .keys');
  await axe(page, 'keys dialog', check);
  await page.keyboard.press('Escape');
  await looks('webhooks', `${full.url}/#/webhooks`, 'main tr[data-row]', 'webhooks');
  await looks('a job that runs', `${full.url}/#/jobs/${await running(full)}`, '.gantt canvas');
  await until('its waits are drawn', 10, async () => /, [1-9]\d* of them tries again, and [1-9]/.test(await page.locator('.gantt canvas').getAttribute('aria-label')));
  await looks('jobs that failed', `${full.url}/#/jobs?state=failed`, 'main tr[data-row]');
  await page.keyboard.press('j');
  await page.keyboard.press('Enter');
  await sees('why one failed', '.failure');
  await axe(page, 'failed job', check);
  await page.getByRole('button', { name: 'Retry' }).click();
  await says('which is no other job', '.toast', 'It goes on');
}

const open = async (of) => (await fetch(`${of.url}/mock/streams`)).json();
const hide = (isHidden) => page.evaluate((to) => {
  Object.defineProperty(document, 'hidden', { value: to, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
}, isHidden);

// A token of role `submit`: events of its tenant's jobs, and nothing of the farm.
async function tenant() {
  const one = await mock('tenant');
  const told = async () => (await fetch(`${one.url}/mock/last`)).json();
  mayFail = true;
  await looks('a farm that may not be seen', `${one.url}/#/farm`, '.failure');
  await says('which it says', '.failure', 'may not see the farm');
  await sees('live all the same', '.connection.good');
  await looks('nodes that may not be seen', `${one.url}/#/nodes`, '.failure');
  await sees('live', '.connection.good');
  const { refused } = await told();
  await sleep(4500); // nodes are asked for each 4 s
  check('but not on and on', (await told()).refused === refused);
  await hide(true);
  await until('its stream ends', 20, async () => (await open(one)) === 0);
  await hide(false);
  await until('and goes on', 20, async () => (await open(one)) === 1);
  const { lastId } = await told();
  check('after the id that it began with', lastId === '7', lastId);
  mayFail = false;
}

// Browsers have six connections for a host, of all tabs together.
async function streams(full) {
  await until('a stream for the page', 20, async () => (await open(full)) === 1);
  await page.goto(`${full.url}/#/jobs`);
  await sees('a job', 'main tr[data-row]');
  await page.evaluate(() => document.querySelector('main tr[data-row] a').click());
  await sees('that runs', '.dag .task');
  await until('no other one for a job', 20, async () => (await open(full)) === 1);
  await hide(true);
  await until('none of a tab that nobody sees', 20, async () => (await open(full)) === 0);
  check('which is not cut off by that', (await page.locator('.notice.bad').count()) === 0);
  await hide(false);
  await until('it is there again', 20, async () => (await open(full)) === 1);
}

const field = (name) => page.locator(`#new-${name}`);

async function form(full) {
  await page.goto(`${full.url}/#/farm`);
  await sees('the farm', '.card.node');
  await page.keyboard.press('n');
  await sees('the form, by its key', '#new-pipeline');
  check('its first field has the focus', await field('source').evaluate((e) => e === document.activeElement));
  await axe(page, 'form', check);
  check('the pipeline that is usual', (await field('pipeline').inputValue()) === 'vod-h264');
  check('one that is wrong can’t be chosen', await field('pipeline').locator('option[value=old]').evaluate((o) => o.disabled));
  mayFail = true;
  await field('source').fill('file:///srv/missing.mov');
  await field('destination').fill('file:///etc');
  await page.keyboard.press('Enter');
  await says('the source’s error is at its field', '#source-error', 'no such file');
  check('and it has the focus', await field('source').evaluate((e) => e === document.activeElement && e.ariaInvalid === 'true'));
  await axe(page, 'form with an error', check);
  await field('source').fill('file:///srv/in.mov');
  check('typing takes it away', (await page.locator('#source-error').count()) === 0);
  await page.keyboard.press('Enter');
  await says('the destination’s error', '#destination-error', 'allow_destinations');
  await field('destination').fill('file:///srv/out');

  await field('pipeline').selectOption('*');
  await until('a text to begin with', 10, async () => (await field('yaml').inputValue()).includes('vod-h264'));
  await field('yaml').fill('name: own\nversion: 1\nwrong: 1\n');
  await page.getByRole('button', { name: 'Check' }).click();
  await says('the text’s error', '#pipeline-error', ':3:');
  check('its line is marked', (await field('yaml').evaluate((t) => t.value.slice(t.selectionStart, t.selectionEnd))) === 'wrong: 1');
  await shoot('submit');
  await field('yaml').fill('name: own\nversion: 1\n');
  await page.getByRole('button', { name: 'Check' }).click();
  await says('it is good', '.checked', 'video');
  const submit = async () => (await Promise.all([page.waitForRequest((r) => r.method() === 'POST' && r.url().endsWith('/v1/jobs')), page.getByRole('button', { name: 'Submit' }).click()]))[0];
  const key = (request) => request.headers()['idempotency-key'];
  await field('source').fill('file:///srv/lost.mov');
  const first = await submit();
  await says('no answer came', '.failure', '502');
  mayFail = false;
  const second = await submit();
  check('once more is the same request', /^[0-9a-f]{32}$/.test(key(first)) && key(first) === key(second), `${key(first)} ${key(second)}`);
  await sees('its job is shown', '.job-head');
  await page.goBack();
  await sees('the form again', '#new-pipeline');
  await field('pipeline').selectOption('*');
  await field('yaml').fill('name: own\nversion: 1\n');
  await field('source').fill('file:///srv/in.mov');
  await field('destination').fill('file:///srv/out');
  const sent = await submit();
  check('another one has a key of its own', key(sent) !== key(first));
  check('what is sent', JSON.stringify(sent.postDataJSON()) === JSON.stringify({ source: 'file:///srv/in.mov', destination: 'file:///srv/out', priority: 50, pipeline: { yaml: 'name: own\nversion: 1\n', name: 'pipeline.yaml' } }), sent.postData());
  await sees('its job is shown', '.job-head');
}

async function upload(full) {
  const film = join(work, 'film.mov');
  const bytes = Buffer.alloc(20 << 20, 'picture ');
  bytes.write('refused', 16 << 20);
  writeFileSync(film, bytes);
  const puts = async () => (await (await fetch(`${full.url}/mock/puts`)).json()).sort();
  await page.goto(`${full.url}/#/submit?destination=file:///srv/out`);
  mayFail = true;
  await sees('the form', '#new-pipeline');
  await field('file').setInputFiles(film);
  await page.getByRole('button', { name: 'Submit' }).click();
  await says('a part is refused', '.failure, .field-error', 'the store answered 400');
  check('the others are there', JSON.stringify(await puts()) === '["up1/0","up1/1"]', JSON.stringify(await puts()));
  const late = join(work, 'late.mov');
  const more = Buffer.alloc(48 << 20, 'picture ');
  more.write('refused');
  writeFileSync(late, more);
  await field('file').setInputFiles(late);
  await page.getByRole('button', { name: 'Submit' }).click();
  await says('its first part is refused', '.failure, .field-error', 'the store answered 400');
  const others = (await puts()).filter((p) => p.startsWith('up2/'));
  check('no other part is begun after that', others.length < 4, JSON.stringify(others));
  await fetch(`${full.url}/mock/mend`);
  mayFail = false;
  await page.reload();
  await sees('the form again', '#new-pipeline');
  await field('destination').fill('file:///srv/out');
  await field('file').setInputFiles(film);
  const [sent] = await Promise.all([page.waitForRequest((r) => r.method() === 'POST' && r.url().endsWith('/v1/jobs')), page.getByRole('button', { name: 'Submit' }).click()]);
  check('the job’s source is the upload', sent.postDataJSON().source === 'upload:up1', sent.postData());
  check('only the part that was missing is sent', JSON.stringify((await puts()).filter((p) => p.startsWith('up1/'))) === '["up1/0","up1/1","up1/2"]', JSON.stringify(await puts()));
}

async function cutOff(full) {
  await page.goto(`${full.url}/#/farm`);
  await sees('live', '.connection.good');
  mayFail = true;
  full.child.kill();
  await sees('it says that it is cut off', '.notice.bad');
  await axe(page, 'cut off', check);
  await shoot('cut-off');
}

try {
  await states();
  await token();
  await tenant();
  const full = await mock('full');
  await views(full);
  await streams(full);
  await form(full);
  await upload(full);
  await many(full);
  await cutOff(full);
  check('nothing went wrong in the page', wrong.length === 0, wrong.join('; '));
} catch (e) {
  check(e.message.split('\n')[0], false, wrong.join('; '));
  await page.screenshot({ path: process.env.GOPMILL_SCREENSHOT ?? '/dev/null', fullPage: true }).catch(() => {});
} finally {
  await browser.close();
  mocks.forEach((child) => child.kill());
  rmSync(work, { recursive: true });
}
console.log(`states: ${count()} checks, ${failures.length} failed`);
process.exit(failures.length > 0 ? 1 : 0);
