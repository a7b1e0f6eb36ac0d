// A/V offset of a published flash-and-beep clip at given flashes, as a player in Chromium shows it.
//   avsync.mjs FOLDER MANIFEST PLAYER FRAME_S EXPECTED_MS LIMIT_MS FLASH_S...
// FRAME_S: duration of a frame. FLASH_S: where flashes are; each is played from 1 s before. EXPECTED_MS: how much later the beep is
// than the flash. Prints a line a flash; exit 1: an offset is off by more than LIMIT_MS, or nothing was seen or heard.
import { withPage } from './chromium.mjs';

const [folder, manifest, player, frame_s, expected_ms, limit_ms, ...places] = process.argv.slice(2);
let failed = 0;

function fail(what) {
  failed = 1;
  console.log(`FAILED: ${player} ${manifest}: ${what}`);
}

function judge(at, got) {
  let pairs = 0;
  for (const flash of got.flashes) {
    const beep = got.beeps.find((b) => Math.abs(b - flash) < 1);
    if (beep === undefined) {
      continue;
    }
    pairs++;
    const offset = (beep - flash) * 1000;
    const line = `flash at ${flash.toFixed(4)} s, beep ${offset.toFixed(1)} ms later`;
    console.log(`${player} ${manifest}: ${line}`);
    if (!(Math.abs(offset - Number(expected_ms)) <= Number(limit_ms))) {
      fail(`${line}, not ${expected_ms} +- ${limit_ms} ms`);
    }
  }
  if (pairs === 0) {
    fail(`at ${at} s: flashes ${JSON.stringify(got.flashes)}, beeps ${JSON.stringify(got.beeps)}`);
  }
}

const { said } = await withPage(folder, async (page, url) => {
  await page.addScriptTag({ url: '/avsync.js' });
  await page.evaluate(() => avsync.start());
  await page.evaluate(([p, u]) => gm.open(p, u), [player, `${url}/${manifest}`]);
  for (const at of places) {
    const from = Math.max(0, Number(at) - 1);
    let got;
    for (let attempt = 0; attempt < 6; attempt++) {
      got = await page.evaluate(([a, n, f]) => avsync.measure(a, n, f), [from, at - from + 0.7, Number(frame_s)]);
      if (got.broken === null && got.beeps.length && got.flashes.length) {
        break; // else the machine was too busy for real time: nothing can be told from a stutter
      }
    }
    if (got.broken !== null) {
      fail(`before ${at} s: the sound stutters six times, at last at ${got.broken} s`);
      continue;
    }
    judge(at, got);
  }
  const s = await page.evaluate(() => gm.status());
  if (s.errors.length || s.gaps.length) {
    fail([...s.errors, ...s.gaps].join('; '));
  }
});
if (said.length) {
  fail(`the page is not silent: ${said.join('; ')}`);
}
process.exitCode = failed;
