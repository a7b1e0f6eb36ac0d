// Pictures of the dashboard's main states, each light and dark, of a real farm that works at what is submitted here.
//   shots.mjs URL FILMS OUT DIR      FILMS: Bars, Gradients, Pattern, Fractal, Film and Cut-off (.mp4); OUT: for results
// Exit 1: a state did not come.
import { join } from 'node:path';

import { load, sleep, until } from './chromium.mjs';

const [base, films, out, dir] = process.argv.slice(2);
const JOBS = 10000;
const { chromium } = load('playwright-core');
const browser = await chromium.launch({
  executablePath: process.env.GOPMILL_CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--autoplay-policy=no-user-gesture-required', '--disable-gpu', '--disable-dev-shm-usage'],
});
const NAMES = ['Bars', 'Gradients', 'Pattern', 'Fractal'];
const desk = await browser.newPage({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' });
const wall = await browser.newPage({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' });
const phone = await browser.newPage({ viewport: { width: 390, height: 844 }, deviceScaleFactor: 1.5, isMobile: true, hasTouch: true, reducedMotion: 'reduce' });

let number = 0;
async function submit(film, more = {}) {
  const body = JSON.stringify({ source: `file://${films}/${film}.mp4`, destination: `file://${out}/${++number}`, pipeline: 'dashboard', ...more });
  const answer = await fetch(`${base}/v1/jobs`, { method: 'POST', body });
  if (answer.status !== 201) {
    throw new Error(`${film}: ${answer.status} ${await answer.text()}`);
  }
  return (await answer.json()).id;
}
const look = async (id) => (await fetch(`${base}/v1/jobs/${id}`)).json();
const ends = (id, state) => until(`${id} is ${state}`, 400, async () => (await look(id)).state === state);

// At most `height` px of the page, from its top; without it, what is seen.
async function shoot(page, name, height = 0) {
  const whole = height > 0 ? Math.min(height, await page.evaluate(() => document.documentElement.scrollHeight)) : 0;
  for (const theme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: theme });
    await sleep(500); // drawings follow the theme
    await page.screenshot({ path: join(dir, `${name}-${theme}.png`), ...(whole ? { fullPage: true, clip: { x: 0, y: 0, width: page.viewportSize().width, height: whole } } : {}) });
  }
  console.log(name);
}
async function open(page, view, selector) {
  await page.goto(`${base}/#/${view}`);
  await until(`${view}: ${selector}`, 60, () => page.locator(selector).first().isVisible());
}

try {
  await open(wall, 'farm', '.card.node .chip.good');
  await open(phone, 'farm', '.card.node .chip.good');
  const done = await Promise.all(NAMES.map((film) => submit(film)));
  const failed = await submit('Cut-off');
  const long = await submit('Film', { pipeline: 'vod-h264', priority: 80 });
  await submit('Pattern', { pipeline: 'vod-vp9' });
  await open(desk, `jobs/${long}`, '.gantt canvas');
  await until('a third of the film is encoded', 400, async () => {
    const { progress } = await look(long);
    return progress.frames_total > 0 && progress.frames_done > progress.frames_total * 0.3;
  });
  await shoot(desk, 'job-running', 1200);
  await shoot(wall, 'farm', 1200);
  await shoot(phone, 'phone');

  await ends(long, 'done');
  await open(desk, `jobs/${long}`, '.stage video');
  const video = desk.locator('.stage video');
  await video.evaluate((v) => { v.muted = true; return v.play(); });
  await until('the film plays', 60, () => video.evaluate((v) => v.currentTime > 2));
  await desk.evaluate(() => document.querySelector('#result').scrollIntoView());
  await shoot(desk, 'job-done');
  await ends(failed, 'failed');
  await open(desk, `jobs/${failed}`, '.failure');
  await sleep(1500);
  await shoot(desk, 'job-failed');

  for (const id of done) {
    await ends(id, 'done');
  }
  await open(desk, 'assets', '.asset');
  await sleep(2500);
  await shoot(desk, 'assets');

  const pipelines = ['dashboard', 'vod-h264', 'vod-hevc', 'vod-av1', 'per-title'];
  for (let left = JOBS - number; left > 0; left -= 50) {
    await Promise.all(Array.from({ length: Math.min(left, 50) }, (_, i) => submit(NAMES[i % 4], { pipeline: pipelines[(i + left) % 5], priority: i % 17 === 0 ? 80 : 50 })));
  }
  await open(desk, 'jobs', 'main tr[data-row]');
  const shown = () => desk.locator('main .head span').first().innerText();
  await until('all jobs are in the list', 300, async () => {
    await desk.evaluate(() => scrollTo(0, document.documentElement.scrollHeight));
    return (await shown()) === `${JOBS.toLocaleString('en')} shown`;
  });
  await desk.evaluate(() => scrollTo(0, 0));
  await shoot(desk, 'jobs');
} catch (e) {
  console.log(`FAILED: ${e.message.split('\n')[0]}`);
  process.exitCode = 1;
} finally {
  await browser.close();
}
