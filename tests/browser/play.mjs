// Plays a published folder as a viewer would and says whether all was well.
//   play.mjs FOLDER MANIFEST PLAYER --qualities N|--sound [--short] [--duration S] [--audio N] [--text N] [--images N]
// PLAYER: hls, shaka, dash, or file (the element alone, for an MP4). --qualities: renditions that the player offers; of one
// alone there is no change. --short: 2 s from the start, two changes of quality (one is what a player does by itself), one
// seek into the middle, and the end. --sound: there are no pictures.
// Prints one line a check that failed, then one line of figures. Exit 1: a check failed.
import { sleep, until, withPage } from './chromium.mjs';

const [folder, manifest, player, ...rest] = process.argv.slice(2);
const options = {};
for (let i = 0; i < rest.length; i++) {
  options[rest[i].replace(/^--/, '')] = ['--short', '--sound'].includes(rest[i]) ? true : rest[++i];
}
const failures = [];
let checks = 0;
let switches = 0;

function check(what, ok) {
  checks++;
  if (!ok) {
    failures.push(what);
    console.log(`FAILED: ${player} ${manifest}: ${what}`);
  }
}

// Plays on until currentTime has come `seconds` further; a clock that stands for 5 s is a stall.
async function watch(status, seconds) {
  const start = await status();
  let last = start;
  let moved = Date.now();
  while (last.time < start.time + seconds && !last.isEnded) {
    await sleep(100);
    const now = await status();
    if (now.time !== last.time) {
      moved = Date.now();
    }
    if (Date.now() - moved > 5000) {
      check(`stands still at ${now.time} s, buffered ${JSON.stringify(now.buffered)}`, false);
      return now;
    }
    last = now;
  }
  return last;
}

// Where one range of all that plays is asked for; a hole of a frame is one too many.
function checkBuffered(when, s, from, to) {
  check(`${when}: one range without holes, not ${JSON.stringify(s.buffered)}`, s.buffered.length === 1);
  for (const source of s.sources) {
    check(`${when}: ${source.type} has one range, not ${JSON.stringify(source.buffered)}`, source.buffered.length === 1);
    const [begin, end] = source.buffered[0] ?? [NaN, NaN];
    check(`${when}: ${source.type} begins at ${from}, not ${begin}`, begin <= from + 0.05);
    check(`${when}: ${source.type} ends at ${to}, not ${end}`, end >= to - 0.1);
  }
}

async function seekTo(page, status, to) {
  await page.evaluate((t) => gm.seek(t), to);
  await until(`seek to ${to}`, 15, async () => {
    const s = await status();
    return !s.isSeeking && s.ready >= 3 && Math.abs(s.time - to) < 1;
  });
  const before = await status();
  const after = await watch(status, Math.min(1.5, before.duration - to - 0.3));
  check(`plays on after the seek to ${to}: ${after.time}`, after.time > to);
  const grows = options.sound ? 'audioBytes' : 'frames';
  check(`more is decoded after the seek to ${to}`, after[grows] > before[grows] || after.isEnded);
}

// To where another quality than `height` is shown, with `room` s to the end: what is buffered there may be an earlier one.
async function findOther(page, status, height, room) {
  let s = await status();
  for (let at = 0.5; s.isEnded || s.duration - s.time < room || s.height === height; at += 2) {
    if (s.duration - at < room) {
      check(`another height than ${height} is shown somewhere`, false);
      return s;
    }
    await seekTo(page, status, at);
    s = await status();
  }
  return s;
}

// A viewer's change of quality, which comes with the next segment: the picture's height changes, and stays.
async function switchTo(page, status, qualities, i) {
  const what = `switch to ${qualities[i]}`;
  const before = await findOther(page, status, qualities[i], options.short ? 8 : 13);
  await page.evaluate((n) => gm.choose(n), i);
  await until(what, 25, async () => (await status()).height === qualities[i]).catch(async (e) => {
    check(`${e.message}: ${JSON.stringify(await status())}`, false);
  });
  const { height, sizes } = await watch(status, 1);
  const new_sizes = sizes.slice(before.sizes.length);
  check(`${what}: from ${before.height}, then ${new_sizes}, at last ${height}`, height === qualities[i] && new_sizes.includes(height));
  switches++;
}

async function play(page, url) {
  const status = () => page.evaluate(() => gm.status());
  const found = await page.evaluate(([p, u]) => gm.open(p, u), [player, `${url}/${manifest}`]);
  for (const kind of ['audio', 'text', 'images']) {
    if (options[kind] !== undefined) {
      check(`${found.tracks[kind]} ${kind} tracks, not ${options[kind]}`, found.tracks[kind] === Number(options[kind]));
    }
  }
  check(
    `${found.qualities.length} qualities (${found.qualities}), not ${options.qualities}`,
    options.sound || found.qualities.length === Number(options.qualities),
  );
  await page.evaluate(() => gm.play());
  let s = await watch(status, options.short ? 2 : 5);
  const duration = s.duration;
  if (options.duration !== undefined) {
    const d = Number(options.duration);
    check(`duration ${duration} s, not ${d}`, Math.abs(duration - d) <= 0.05);
  }
  check(options.sound ? 'sound is decoded' : 'frames are decoded', (options.sound ? s.audioBytes : s.frames) > 0);
  const top = found.qualities.length - 1;
  if (top > 0) {
    const first = s.height === found.qualities[top] ? 0 : top;
    for (const i of options.short ? [first, top - first] : [first, top - first, first]) {
      await switchTo(page, status, found.qualities, i);
    }
  }
  for (const to of options.short ? [duration / 2 - 0.2] : [duration * 0.75 + 0.013, 0.5, duration / 2 - 0.2]) {
    await seekTo(page, status, to);
  }
  await page.evaluate((t) => gm.seek(t), Math.max(0, duration - 1));
  s = await until('the end', 20, async () => {
    const now = await status();
    return now.isEnded && now;
  });
  check(`ends at ${s.time}, not ${duration}`, Math.abs(s.time - duration) < 0.05);
  // from the start once more: all of it is fetched and lies in one piece
  await page.evaluate(() => (gm.pause(), gm.seek(0)));
  if (player !== 'file') {
    await until('the whole programme is buffered', 30, async () => {
      const now = await status();
      return now.sources.every((b) => b.buffered.length && b.buffered.at(-1)[1] >= duration - 0.1 && b.buffered[0][0] < 0.1);
    }).catch(() => 0);
    s = await status();
    checkBuffered('after the end', s, 0, duration);
  }
  s = await status();
  check(`no errors: ${s.errors.join('; ')}`, s.errors.length === 0);
  check(`no gaps jumped, no stalls: ${s.gaps.join('; ')}`, s.gaps.length === 0);
  return { ...s, qualities: found.qualities, tracks: found.tracks };
}

const { result: s, said, missing } = await withPage(folder, play);
check(`the page is silent: ${said.join('; ')}`, said.length === 0);
check(`all that is asked for exists: ${missing.join(' ')}`, missing.length === 0);
console.log(
  `${player} ${manifest}: ${checks} checks, ${failures.length} failed; ${s.duration} s, renditions ${s.qualities.join('/')}, ` +
    `${switches} switches, tracks ${JSON.stringify(s.tracks)}, ${s.frames} frames shown, ${s.dropped} dropped, ${s.waiting} waits, sizes ${s.sizes.join(' ')}`,
);
process.exitCode = failures.length ? 1 : 0;
