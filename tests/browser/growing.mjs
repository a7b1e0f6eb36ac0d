// hls.js plays the playlists of a job that still works, from the begin on, and goes on to the end when they are whole.
//   growing.mjs URL SOURCE OUT PIPELINE SECONDS NODE      OUT: the folder to publish in, SECONDS: the programme, NODE: its process
// Workers stand still from the first playlist on until something of it was shown, however fast the machine is.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { sleep, until, withPage } from './chromium.mjs';

const [base, source, out, pipeline, seconds, node] = process.argv.slice(2);
const failures = [];
let checks = 0;
function check(what, ok) {
  checks++;
  if (!ok) {
    failures.push(what);
    console.log(`FAILED: ${what}`);
  }
}

const ask = async (path, more) => (await fetch(base + path, more)).json();
let id = null;
const state = async () => (await ask(`/v1/jobs/${id}`)).state;
const read = (name) => readFile(join(out, name), 'utf8').catch(() => null);
const isOver = async () => ['done', 'failed', 'cancelled'].includes(await state());

// The workers below the node, as /proc says it.
async function signal(name) {
  const parents = new Map();
  for (const pid of (await readdir('/proc')).filter((p) => /^\d+$/.test(p))) {
    const m = /^\d+ \((.*)\) \S (\d+)/s.exec(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''));
    parents.set(pid, { name: m?.[1], parent: m?.[2] });
  }
  const isBelow = (pid) => pid === node || (parents.has(pid) && isBelow(parents.get(pid).parent));
  const workers = [...parents].filter(([pid, p]) => p.name === 'gopmill-worker' && isBelow(pid));
  workers.forEach(([pid]) => process.kill(Number(pid), name));
  return workers.length;
}

// The pictures' playlist: how many segments it has, and whether it grows.
async function list() {
  const master = await read('master.m3u8');
  const name = master?.split('\n').find((line) => line.startsWith('v/') && line.includes('/video/'));
  const text = name ? await read(name) : null;
  return text && { segments: text.split('#EXTINF').length - 1, grows: text.includes('PLAYLIST-TYPE:EVENT'), isEnded: text.includes('#EXT-X-ENDLIST') };
}

async function play(page, url) {
  const status = () => page.evaluate(() => gm.status());
  ({ id } = await ask('/v1/jobs', { method: 'POST', body: JSON.stringify({ source, destination: `file://${out}`, pipeline }) }));
  await until('a playlist stands', 120, async () => (await list())?.segments > 0 || (await isOver()));
  check('workers stand still', (await signal('SIGSTOP')) > 0);
  await page.evaluate((u) => gm.open('hls', u), `${url}/master.m3u8`);
  await page.evaluate(() => (gm.play(), gm.seek(0)));
  const s = await until('it plays from the begin on', 60, async () => {
    const now = await status();
    return now.time > 1 && now.frames > 0 && now;
  });
  const then = await list();
  const working = await state();
  check(`the job works while ${s.time} s are shown, not ${working}`, ['running', 'publishing'].includes(working));
  check(`its playlist of ${then?.segments} segments grows`, then?.grows && !then.isEnded);
  await signal('SIGCONT');
  let moved = Date.now();
  let last = s;
  while (!last.isEnded && Date.now() - moved < 60000) {
    await sleep(200);
    const now = await status();
    moved = now.time !== last.time ? Date.now() : moved;
    last = now;
  }
  const end = await list();
  check(`it comes to the end, not to ${last.time} s`, last.isEnded && Math.abs(last.time - Number(seconds)) < 0.5);
  check(`more segments at the end: ${end?.segments} after ${then?.segments}`, end?.segments > then?.segments);
  check('the playlist is whole', end?.isEnded && !end.grows);
  check(`all is shown: ${last.frames} frames`, last.frames >= Number(seconds) * 15);
  const fatal = last.errors.filter((e) => e.includes('fatal') || e.startsWith('video:'));
  check(`nothing fatal: ${fatal.join('; ')}`, fatal.length === 0);
  return last;
}

const { result: s, said, missing } = await withPage(out, play).finally(() => signal('SIGCONT'));
check(`the page is silent: ${said.join('; ')}`, said.length === 0);
check(`all that is asked for exists: ${missing.join(' ')}`, missing.length === 0);
check('the job is done', (await until('the job ends', 60, isOver)) && (await state()) === 'done');
console.log(`growing: ${checks} checks, ${failures.length} failed; ${s.time} s, ${s.frames} frames, ${s.waiting} waits`);
process.exit(failures.length > 0 ? 1 : 0);
