// A/V offset of a published flash-and-beep clip at given flashes, as a player in Chromium shows it.
//   avsync.mjs [--switch] FOLDER MANIFEST PLAYER FRAME_S EXPECTED_MS LIMIT_MS FLASH_S...
// FRAME_S: duration of a frame. FLASH_S: where flashes are, to a frame; each is played from 1 s before. EXPECTED_MS: how much
// later the beep is than the flash. --switch: all are played in one go, and the quality changes between the first and the last.
// Prints a line a flash; exit 1: an offset is off by more than LIMIT_MS, or a flash or its beep was not there.
import { withPage } from './chromium.mjs';

const args = process.argv.slice(2);
const switches = args[0] === '--switch';
const [folder, manifest, player, frame_s, expected_ms, limit_ms, ...places] = switches ? args.slice(1) : args;
let failed = 0;

function fail(what) {
  failed = 1;
  console.log(`FAILED: ${player} ${manifest}: ${what}`);
}

function judge(at, got) {
  const flash = got.flashes.find((f) => Math.abs(f - at) < Number(frame_s));
  const beep = got.beeps.find((b) => Math.abs(b - flash - Number(expected_ms) / 1000) < 1);
  if (flash === undefined || beep === undefined) {
    fail(`at ${at} s: flashes ${JSON.stringify(got.flashes)}, beeps ${JSON.stringify(got.beeps)}`);
    return;
  }
  const offset = (beep - flash) * 1000;
  const line = `flash at ${flash.toFixed(4)} s, beep ${offset.toFixed(1)} ms later`;
  console.log(`${player} ${manifest}: ${line}`);
  if (!(Math.abs(offset - Number(expected_ms)) <= Number(limit_ms))) {
    fail(`${line}, not ${expected_ms} +- ${limit_ms} ms`);
  }
}

// Plays from 1 s before the first of the flashes to behind the last one, and judges them.
async function measure(page, flashes) {
  const from = Math.max(0, flashes[0] - 1);
  let got;
  for (let attempt = 0; attempt < 6; attempt++) {
    got = await page.evaluate((a) => avsync.measure(...a), [from, flashes.at(-1) - from + 0.7, Number(frame_s), switches]);
    if (got.broken === null && got.beeps.length && got.flashes.length) {
      break; // else the machine was too busy for real time: nothing can be told from a stutter
    }
  }
  if (got.broken !== null) {
    fail(`after ${from} s: the sound stutters six times, at last at ${got.broken} s`);
    return;
  }
  for (const at of flashes) {
    judge(at, got);
  }
  if (switches) {
    const { height, sizes } = got.change;
    console.log(`${player} ${manifest}: switched to ${height}: ${JSON.stringify(sizes)}`);
    if (!sizes.some((s) => s.height === height && s.time > flashes[0] && s.time < flashes.at(-1))) {
      fail(`no switch to ${height} between the flashes, but ${JSON.stringify(sizes)}`);
    }
  }
}

const { said, missing } = await withPage(folder, async (page, url) => {
  await page.addScriptTag({ url: '/avsync.js' });
  await page.evaluate(() => avsync.start());
  await page.evaluate(([p, u]) => gm.open(p, u), [player, `${url}/${manifest}`]);
  const flashes = places.map(Number);
  for (const group of switches ? [flashes] : flashes.map((f) => [f])) {
    await measure(page, group);
  }
  const s = await page.evaluate(() => gm.status());
  if (s.errors.length || s.gaps.length) {
    fail([...s.errors, ...s.gaps].join('; '));
  }
});
if (said.length) {
  fail(`the page is not silent: ${said.join('; ')}`);
}
if (missing.length) {
  fail(`not there: ${missing.join(' ')}`);
}
process.exitCode = failed;
