// Reads the manifests of a published folder with the parsers of hls.js, shaka-player and dash.js, and compares what
// they found with report.json: tracks, sizes, codecs, ranges of brightness, languages, segments without gaps; the sum of
// the segments with the source's duration. Sheets of images are decoded. Nothing is played, so that codecs the browser
// lacks (HEVC) are read too.
//   parse.mjs FOLDER DURATION_S IMAGES      IMAGES: tracks of them in the manifests, 0 or 1
// Prints one line a check that failed, then a line of totals. Exit 1: a check failed.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { withPage } from './chromium.mjs';

let checks = 0;
let failures = 0;

function check(what, ok) {
  checks++;
  if (!ok) {
    failures++;
    console.log(`FAILED: ${what}`);
  }
}

const ranges = { smpte2084: 'PQ', 'arib-std-b67': 'HLG' };
const short = (language) => (language && language !== 'und' ? Intl.getCanonicalLocales(language)[0] : 'und');

function checkSegments(what, track, wanted, duration) {
  if (wanted !== undefined) {
    check(`${what}: ${track.segments.length} segments, not ${wanted}`, track.segments.length === wanted);
  }
  const s = track.segments;
  const gap = s.findIndex((x, i) => i > 0 && Math.abs(x[0] - s[i - 1][1]) > 1e-4);
  check(`${what}: segment ${gap} begins at ${s[gap]?.[0]}, the one before ends at ${s[gap - 1]?.[1]}`, gap < 0);
  const total = s.length ? s.at(-1)[1] - s[0][0] : 0;
  check(`${what}: lasts ${total} s, not ${duration}`, Math.abs(total - duration) < 0.06);
}

function checkSheets(what, tracks, sheets) {
  check(`${what}: ${tracks.length} image tracks, not ${images}`, tracks.length === Number(images));
  if (tracks.length === 0 || tracks[0].sheets === undefined) { // dash.js decodes none
    return;
  }
  const layout = `${sheets.columns}x${sheets.rows}`;
  const size = [sheets.columns * sheets.tile_width, sheets.rows * sheets.tile_height];
  const found = tracks[0].sheets;
  check(`${what}: layout ${tracks[0].layout}, not ${layout}`, tracks[0].layout === layout);
  check(`${what}: ${found.length} sheets, not ${sheets.paths.length}`, found.length === sheets.paths.length);
  check(`${what}: sheets of ${found.join(' ')}, not ${size}`, found.every((s) => s[0] === size[0] && s[1] === size[1]));
}

async function parse(page, url, player, manifest, report, duration) {
  const what = `${player} ${manifest}`;
  let list;
  try {
    list = await page.evaluate(([p, u]) => gm.parse(p, u), [player, `${url}/${manifest}`]);
  } catch (e) {
    check(`${what}: ${e.message}`, false);
    return;
  }
  const of = (kind) => list.filter((t) => t.kind === kind);
  check(`${what}: ${of('video').length} video tracks, not ${report.renditions.length}`, of('video').length === report.renditions.length);
  check(`${what}: ${of('audio').length} audio tracks, not ${report.audio.length}`, of('audio').length === report.audio.length);
  for (const r of report.renditions) {
    const track = of('video').find((t) => t.width === r.width && t.height === r.height);
    check(`${what}: ${r.name} of ${r.width}x${r.height} is found`, track !== undefined);
    if (track) {
      check(`${what} ${r.name}: codecs ${track.codecs}, not ${r.codecs}`, (track.codecs ?? '').split(',')[0] === r.codecs);
      const range = ranges[r.colour.transfer] ?? 'SDR';
      check(`${what} ${r.name}: range ${track.range}, not ${range}`, (track.range ?? 'SDR') === range);
      checkSegments(`${what} ${r.name}`, track, r.segments, duration);
    }
  }
  for (const [i, track] of of('audio').entries()) {
    const wanted = short(report.audio[i]?.language);
    check(`${what} audio ${i}: language ${track.language}, not ${wanted}`, short(track.language) === wanted);
    checkSegments(`${what} audio ${i}`, track, report.audio[i]?.segments, duration);
  }
  if (player !== 'hls') { // hls.js knows nothing of images
    checkSheets(what, of('image'), report.images?.sheets);
  }
  for (const [i, track] of of('text').entries()) {
    if (track.segments.length > 1) { // else one file for all of it
      checkSegments(`${what} text ${i}`, track, undefined, duration);
    }
  }
}

const [folder, duration, images] = process.argv.slice(2);
const report = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8'));
const { said, missing } = await withPage(folder, async (page, url) => {
  for (const [manifest, players] of [['master.m3u8', ['hls', 'shaka']], ['manifest.mpd', ['shaka', 'dash']]]) {
    check(`${manifest} is among the outputs`, report.outputs.some((o) => o.path === manifest));
    for (const player of players) {
      await parse(page, url, player, manifest, report, Number(duration));
    }
  }
});
check(`the page is silent: ${said.join('; ')}`, said.length === 0);
check(`all that is asked for exists: ${missing.join(' ')}`, missing.length === 0);
console.log(`parsers: ${checks} checks, ${failures} failed`);
process.exitCode = failures || !checks ? 1 : 0;
