// Subtitles as players show them: each text track of a published folder is chosen, and every cue of its whole file must
// reach the element, once, with its time (to 20 ms, counted from the first picture) and text; at a cue's middle it shows.
//   text.mjs FOLDER MANIFEST PLAYER CUES,CUES...      CUES: how many the track's file has
// Prints one line a check that failed, then one of totals. Exit 1: a check failed.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { sleep, until, withPage } from './chromium.mjs';

const [folder, manifest, player, list] = process.argv.slice(2);
const counts = list.split(',').map(Number);
const report = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8'));
let checks = 0;
let failures = 0;

function check(what, ok) {
  checks++;
  if (!ok) {
    failures++;
    console.log(`FAILED: ${player} ${manifest}: ${what}`);
  }
}

const seconds = (t) => t.split(':').reduce((sum, x) => sum * 60 + Number(x), 0);
const bare = (s) => s.replace(/<[^>]*>/g, '').replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&');

function cuesOf(track) {
  const text = readFileSync(join(folder, 'v', report.job.publication, track.file), 'utf8');
  return text
    .split('\n\n')
    .slice(1)
    .filter((block) => block.includes(' --> '))
    .map((block) => {
      const [timing, ...lines] = block.trim().split('\n');
      const [from, , to] = timing.split(' ');
      return [seconds(from), seconds(to), bare(lines.join('\n'))];
    });
}

const same = (a, b) => Math.abs(a[0] - b[0]) < 0.02 && Math.abs(a[1] - b[1]) < 0.02 && a[2].trim() === b[2].trim();

// What of `from` has no partner in `others`; each of them is the partner of one.
function unmatched(from, others) {
  const left = [...others];
  return from.filter((c) => {
    const at = left.findIndex((x) => same(x, c));
    if (at >= 0) {
      left.splice(at, 1);
    }
    return at < 0;
  });
}

async function checkTrack(page, i, duration) {
  const wanted = cuesOf(report.text[i]);
  check(`track ${i} has ${wanted.length} cues in its file, not ${counts[i]}`, wanted.length === counts[i]);
  await page.evaluate((n) => gm.text(n), i);
  let got;
  await until('all cues', 20, async () => {
    got = await page.evaluate(() => gm.cues());
    return unmatched(wanted, got.all).length === 0;
  }).catch(() => 0);
  const lacks = unmatched(wanted, got.all);
  const more = unmatched(got.all, wanted);
  check(`track ${i} lacks ${JSON.stringify(lacks)}`, lacks.length === 0);
  check(`track ${i} has besides ${JSON.stringify(more)}`, more.length === 0);
  const at = wanted.find((w) => w[0] > 0.2 && w[1] < duration);
  if (at) {
    const middle = (at[0] + at[1]) / 2;
    await page.evaluate((t) => gm.seek(t), middle);
    await until(`track ${i} shows ${JSON.stringify(at)} at ${middle}`, 10, async () => {
      const now = await page.evaluate(() => gm.cues());
      return now.now.some((c) => same(c, at));
    }).catch((e) => check(e.message, false));
  }
}

const { missing, said } = await withPage(folder, async (page, url) => {
  await page.evaluate(([p, u]) => gm.open(p, u), [player, `${url}/${manifest}`]);
  await page.evaluate(() => gm.play());
  await sleep(500);
  const languages = await page.evaluate(() => gm.texts());
  check(`text tracks ${languages}, not ${counts.length}`, languages.length === counts.length);
  const { duration } = await page.evaluate(() => gm.status());
  for (let i = 0; i < Math.min(languages.length, report.text.length); i++) {
    await checkTrack(page, i, duration);
  }
  const s = await page.evaluate(() => gm.status());
  check(`no errors: ${s.errors.join('; ')}`, s.errors.length === 0);
});
check(`the page is silent: ${said.join('; ')}`, said.length === 0);
check(`all that is asked for exists: ${missing.join(' ')}`, missing.length === 0);
console.log(`${player} ${manifest}: text: ${checks} checks, ${failures} failed`);
process.exitCode = failures || !checks ? 1 : 0;
