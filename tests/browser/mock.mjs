// A scheduler that is made up, for looking at the dashboard in states that a test farm does not have: 10,000 jobs, devices
// in quarantine, hundreds of attempts, an empty farm, one that refuses, that fails, that does not answer, that takes the page's token
// for a tenant's. No figure in what it says is
// true: states.mjs looks at what the page makes of it.
//   mock.mjs PORT [full|empty|refusing|failing|slow|tenant] [FOLDER]      PORT 0: any; FOLDER: a published result, which a job plays
// `refusing` takes the token "open sesame".
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

import { submits } from './mock_submit.mjs';

const [port = '7899', kind = 'full', folder = null] = process.argv.slice(2);
const web = join(dirname(fileURLToPath(import.meta.url)), '../../scheduler/web');
const TYPES = { html: 'text/html', css: 'text/css', js: 'text/javascript', svg: 'image/svg+xml', m3u8: 'application/vnd.apple.mpegurl', jpg: 'image/jpeg', mp4: 'video/mp4', m4s: 'video/iso.segment' };
const started = Date.now() - 9 * 3600e3;
const at = (ms) => new Date(ms).toISOString();
const ago = (s) => at(Date.now() - s * 1000);
let seed = 7;
const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
const pick = (list) => list[Math.floor(random() * list.length)];

const TITLES = ['Harbour at dawn', 'The long way home', 'Night train', 'Salt', 'Nine winters', 'Glass mountain', 'Interview, uncut', 'S02E04 – The lighthouse', 'Keynote', 'Match 118, second half'];
const PIPELINES = ['vod-h264', 'vod-h264', 'vod-hevc', 'vod-av1', 'per-title', 'hdr10'];
const GiB = 2 ** 30;

function job(i, count) {
  const age = i * 97 + 12;
  const state = i < 9 ? 'running' : i < 40 ? 'queued' : i % 23 === 0 ? 'failed' : i % 61 === 0 ? 'cancelled' : 'done';
  const total = 4000 + Math.floor(random() * 180000);
  const share = state === 'running' ? (i * 13 + 7) % 97 / 100 : state === 'done' ? 1 : 0;
  const isOver = ['done', 'failed', 'cancelled'].includes(state);
  const id = `01m83${String(count - i).padStart(5, '0')}a37k877mpeft33y`.padEnd(26, '0').slice(0, 26);
  return {
    id, state, pipeline: pick(PIPELINES), source: `s3://ingest/2026/11/${encodeURIComponent(TITLES[i % TITLES.length])}-${1000 + i}.mov`, destination: `s3://media/out/${1000 + i}`,
    priority: i % 17 === 0 ? 80 : 50, class: i % 17 === 0 ? 'high' : 'normal', tenant: i % 5 === 0 ? 'sports' : 'default', deadline: null, external_id: i % 4 === 0 ? `cms-${88000 + i}` : '', plan_only: false, replace: false,
    created: ago(age), started: state === 'queued' ? null : ago(age - 4), finished: isOver ? ago(age - 4 - total / 600) : null, eta: share && !isOver ? at(Date.now() + 90e3) : null,
    publication: share ? 'adfc2251e8bada7d' : '', progress: { phase: state === 'running' ? 'encode' : state, frames_done: Math.floor(total * share), frames_total: total, frames_exact: true, fps: state === 'running' ? 412 : 0, speed: state === 'running' ? 13.7 : null, eta_s: state === 'running' ? 40 + i * 31 : null, chunks: { done: Math.floor(share * 80), running: state === 'running' ? 6 : 0, waiting: 80 - Math.floor(share * 80) } },
    tasks: [], error: state === 'failed' ? { code: 'input.no_index', text: 'the file’s index (moov) is missing: it was cut off while written or uploaded', blame: 'input', retry: 'never', remedy: 'Upload the whole file again.' } : null,
    encoding: { resolved: { chain: 'nvenc' } }, warnings: i === 3 ? [{ code: 'source.colour_guessed', text: 'the source does not say all of its colour', count: 1 }] : [],
  };
}
const COUNT = 10000;
const jobs = kind === 'empty' ? [] : Array.from({ length: COUNT }, (_, i) => job(i, COUNT));
if (folder && jobs.length > 0) {
  const report = JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8'));
  Object.assign(jobs[41], { state: 'done', publication: report.job.publication, error: null });
}

const cap = (cpus, gib, slots, sessions = 0, vram = 0) => ({ cpus, memory_bytes: gib * GiB, scratch_bytes: 400 * GiB, slots, sessions, device_memory_bytes: vram * GiB });
function node(i) {
  const isGone = i === 7;
  const devices = [{ id: 'cpu', kind: 'cpu', description: 'AMD EPYC 9354, 64 threads', capacity: cap(64, 256, 12), used: cap(isGone ? 0 : 40 + i, 90 + i, isGone ? 0 : 9), left: cap(0, 0, 3) }];
  if (i < 4) {
    devices.push({ id: 'gpu-0', kind: 'nvenc', description: 'NVIDIA L4', capacity: cap(16, 64, 4, 8, 24), used: cap(8, 20, i === 2 ? 0 : 3, 5, 11), left: cap(0, 0, 1), ...(i === 2 ? { quarantine: { state: 'quarantined', by: 'scheduler', why: '3 tasks failed here that passed elsewhere: media.verify_failed', since: ago(1260) } } : {}) });
  }
  const leases = isGone ? [] : devices.flatMap((d) => Array.from({ length: d.used.slots }, (_, k) => ({ job: jobs[k % 9]?.id, task: k % 5 === 0 ? 'audio' : 'video', type: 'encode', instance: 0, first_chunk: k * 4, chunks: k % 5 === 0 ? 0 : 4, device: d.id, attempt: 100 + k, started: ago(30 + k), frames_done: 130 * k, frames_total: 1440, eta_s: 12 + k * 3, demand: cap(4, 3, 1), cancelling: false })));
  return { id: `enc-${String(i + 1).padStart(2, '0')}`, instance: '00ff', hostname: `enc-${i + 1}.lab.example`, build: '0.1.0', protocol: 1, state: isGone ? 'gone' : 'connected', connected: !isGone, draining: i === 5, restarts: true, restarting: false, connected_at: ago(30000), seen_at: ago(isGone ? 410 : 1), notes: i === 1 ? ['landlock: the kernel has version 3, without truncation'] : [], devices, leases };
}
const nodes = () => (kind === 'empty' ? [] : Array.from({ length: 8 }, (_, i) => node(i)));

const TASKS = [['inspect', 'inspect', []], ['plan', 'plan', ['inspect']], ['split', 'split', ['plan']], ['analyze', 'analyze', ['split'], ['split']], ['loudness', 'loudness', ['split'], ['split']], ['video', 'encode', ['split', 'analyze'], ['split']],
  ['audio', 'audio', ['split', 'loudness'], ['split']], ['subtitles', 'subtitles', ['split'], ['split']], ['images', 'thumbnails', ['video']], ['mp4', 'mp4', ['video', 'audio', 'subtitles']], ['package', 'package', ['video', 'audio', 'subtitles', 'images']]];
function tasks(j) {
  const done = j.state === 'done' ? 11 : j.state === 'failed' ? 0 : 5;
  return TASKS.map(([name, type, needs, streams = []], i) => ({ name, type, needs, streams, instances: 1, state: i < done ? 'done' : j.state === 'failed' ? (i === 0 ? 'failed' : 'ended') : i === 5 || i === 6 ? 'running' : 'blocked', done: i < done ? (type === 'encode' ? 80 : 1) : i === 5 ? j.progress.chunks.done : 0, total: type === 'encode' ? 80 : 1, total_known: type !== 'encode' || done > 5, attempts: 1, failures: i === 5 ? 3 : 0, nodes: i === 5 ? ['enc-01', 'enc-02', 'enc-03'] : [] }));
}
function attempts() {
  const begin = Date.now() - 150e3;
  const busy = new Map();
  return Array.from({ length: 140 }, (_, i) => {
    const where = `enc-0${1 + (i * 7) % 4}|${i % 3 === 0 ? 'gpu-0' : 'cpu'}|${i % 2}`;
    const from = busy.get(where) ?? begin + (i % 9) * 400;
    const long = 3000 + ((i * 7919) % 9000);
    busy.set(where, from + long + 60);
    const outcome = from + long > Date.now() ? 'running' : i % 31 === 11 ? 'failed' : i === 50 ? 'lost' : 'done';
    const [nodeId, device] = where.split('|');
    return { number: i + 1, task: i < 1 ? 'inspect' : i < 2 ? 'plan' : i % 14 === 5 ? 'audio' : 'video', type: 'encode', instance: 0, first_chunk: (i % 31 === 12 ? i - 1 : i) * 4, chunks: i < 2 || i % 14 === 5 ? 0 : 4, node: nodeId, device, chain: 'cpu', started: at(from), ended: outcome === 'running' ? null : at(from + long), outcome, code: outcome === 'failed' ? 'node.worker_died' : outcome === 'lost' ? 'node.lost' : null, text: outcome === 'failed' ? 'the worker ended by signal 9' : null, usage: { cpu_s: long / 250, bytes_in: 3e6, bytes_out: 9e6 } };
  }).filter((a) => Date.parse(a.started) < Date.now());
}
const logs = () => attempts().slice(0, 60).map((a, i) => ({ seq: i + 1, time: a.started, level: a.outcome === 'failed' ? 'warn' : 'info', text: a.outcome === 'failed' ? `attempt ${a.number} failed: ${a.text} (${a.code}); tried again on another node` : `attempt ${a.number} began`, task: a.task, node: a.node }));
const count = (state) => jobs.filter((j) => j.state === state).length;
const farm = () => ({
  version: '0.1.0', now: at(Date.now()), started: at(started), leader: true, queue: { jobs: count('queued'), tasks_ready: jobs.length && 214, oldest_wait_s: jobs.length ? 96 : null },
  jobs: Object.fromEntries(['queued', 'running', 'publishing', 'done', 'failed', 'cancelled'].map((s) => [s, count(s)])), throughput: jobs.length ? { fps: 3890 + 300 * Math.sin(Date.now() / 7000), pixels_per_s: 8.1e9, speed: 129 + 9 * Math.sin(Date.now() / 5000) } : { fps: 0, pixels_per_s: 0, speed: null },
  nodes: jobs.length ? { connected: 7, draining: 1, gone: 1 } : { connected: 0, draining: 0, gone: 0 }, slots: jobs.length && 100, slots_used: jobs.length && 72, failures: jobs.length ? [{ code: 'node.worker_died', count: 14, last: ago(77) }, { code: 'input.no_index', count: 6, last: ago(840) }, { code: 'media.verify_failed', count: 3, last: ago(1260) }] : [], ready: true, reasons: [],
});
function list(q) {
  let rows = jobs.filter((j) => (!q.get('state') || j.state === q.get('state')) && (!q.get('tenant') || j.tenant === q.get('tenant')) && (!q.get('pipeline') || j.pipeline === q.get('pipeline')) && (!q.get('q') || `${j.id} ${j.external_id} ${decodeURIComponent(j.source)}`.toLowerCase().includes(q.get('q').toLowerCase())));
  const from = q.get('cursor') ? rows.findIndex((j) => j.id === q.get('cursor')) + 1 : 0;
  const limit = Number(q.get('limit') ?? 50);
  const page = rows.slice(from, from + limit);
  return { jobs: page, next: from + limit < rows.length ? page.at(-1).id : null };
}

let streams = 0; // open ones
let lastId = null; // that the newest one was opened with
let refused = 0; // requests for the farm or its nodes
function events(request, response, what) {
  streams++;
  lastId = request.headers['last-event-id'] ?? null;
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  let id = 0;
  const timer = setInterval(() => response.write(what(++id)), 1000);
  response.on('close', () => {
    streams--;
    clearInterval(timer);
  });
  response.write(kind === 'tenant' && lastId === null ? 'id: 7\n\n' : ': hello\n\n');
}
const deliveries = (isDead) => ({ dead: jobs.length && 3, waiting: jobs.length && 5, next: null, deliveries: jobs.slice(40, isDead ? 43 : 45).map((j, i) => ({ id: `${j.id}-${i}`, event: `${j.id}-${i}`, job: j.id, type: `gopmill.job.${j.state}`, target: i % 2 ? 'farm:cms' : 'job:default/https://hooks.example.org', time: ago(5000), tried: ago(90), tries: isDead ? 24 : i, next: isDead ? null : at(Date.now() + 3e5), status: i % 2 ? 503 : null, error: i % 2 ? 'it answered 503' : 'could not connect to the server' })) });
const say = (type, data) => `event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;

function file(response, path) {
  try {
    const body = readFileSync(path);
    response.writeHead(200, { 'content-type': TYPES[path.split('.').pop()] ?? 'application/octet-stream' });
    response.end(body);
  } catch {
    problem(response, 404, 'api.not_found', 'no such file');
  }
}
function problem(response, status, code, detail, place) {
  response.writeHead(status, { 'content-type': 'application/problem+json' });
  response.end(JSON.stringify({ title: detail, detail, status, code, remedy: 'Look again.', at: place }));
}
const catalogue = () => Object.fromEntries([...readFileSync(join(web, '../../common/catalogue.def'), 'utf8').matchAll(/^GM_CODE\(\d+, \w+, "([^"]+)", .*?, \d+, "([^"]*)", "([^"]*)"\)/gm)].map((m) => [m[1], { meaning: m[2], remedy: m[3] }]));

function ofJob(request, response, id, rest) {
  const j = jobs.find((row) => row.id === id);
  if (!j) {
    return problem(response, 404, 'api.not_found', `no job ${id}`);
  }
  const answer = (d) => response.end(JSON.stringify(d));
  switch (rest.split('/')[1] ?? rest) {
    case '': return answer({ ...j, tasks: tasks(j) });
    case 'tasks': return answer({ tasks: tasks(j) });
    case 'attempts': return answer({ attempts: j.state === 'queued' ? [] : attempts(), next: null });
    case 'logs': return answer({ lines: logs(), next: null });
    case 'report': return answer(folder ? JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')) : { renditions: [], audio: [], outputs: [] });
    case 'events': return events(request, response, () => say('progress', { id, state: j.state, progress: j.progress }));
    case 'files': return file(response, join(folder ?? '/nowhere', normalize(decodeURIComponent(rest.slice('/files/'.length)))));
    default: return answer(rest === ':explain' ? { id, state: j.state, tasks: tasks(j).slice(5, 9).map((t) => ({ task: t.name, instance: 0, state: t.state, why: t.state === 'running' ? 'runs on enc-01, gpu-0; about 40 s more' : 'waits for video: 31 of 80 chunks are done' })) } : j);
  }
}

const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://x');
  const path = url.pathname;
  const answer = (d, status = 200) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(d));
  };
  const m = path.match(/^\/v1\/jobs\/([0-9a-z]+)(.*)$/);
  if (path === '/') return file(response, join(web, 'index.html'));
  if (path === '/web/catalogue.json') return answer(catalogue());
  if (path.startsWith('/web/')) return file(response, join(web, normalize(path.slice(5))));
  if (kind === 'refusing' && request.headers.authorization !== 'Bearer open sesame') return problem(response, 401, 'auth.missing', 'no token');
  if (kind === 'failing') return problem(response, 500, 'gopmill.bug', 'it can’t be said');
  if (kind === 'slow') return null;
  const speak = { answer, problem: (...all) => problem(response, ...all), status: (code) => response.writeHead(code).end(), origin: `http://${request.headers.host}` };
  if (submits(request, url, join(web, '../../config/pipelines'), speak, jobs[2]?.id)) return null;
  if (kind === 'tenant' && (path === '/v1/farm' || path === '/v1/nodes')) {
    refused++;
    return problem(response, 403, 'auth.denied', 'this token may not see the farm');
  }
  if (path === '/v1/farm') return answer(farm());
  if (path === '/v1/nodes') return answer({ nodes: nodes() });
  if (path === '/v1/events') return events(request, response, () => (kind === 'tenant' ? ': still here\n\n' : say('farm', farm())));
  if (path === '/mock/streams') return answer(streams);
  if (path === '/mock/last') return answer({ lastId, refused });
  if (path === '/v1/events/dead' || path === '/v1/events/waiting') return answer(deliveries(path.endsWith('dead')));
  if (path === '/v1/jobs') return answer(list(url.searchParams));
  if (path === '/v1/assets') return answer({ assets: jobs.filter((j) => j.state === 'done').slice(0, 40).map((j) => ({ job: j.id, title: j.source, destination: j.destination, publication: j.publication, finished: j.finished, duration_s: j.progress.frames_total / 25, renditions: [{ name: '1080p', width: 1920, height: 1080, codec: 'h264', bitrate: 5e6 }, { name: '720p', width: 1280, height: 720, codec: 'h264', bitrate: 3e6 }], manifests: ['master.m3u8', 'manifest.mpd'], poster: folder ? `v/${JSON.parse(readFileSync(join(folder, 'report.json'), 'utf8')).job.publication}/images/poster.jpg` : null, sprites: null, bytes: 7.3e8 })), next: null });
  const t = path.match(/^\/v1\/assets\/[0-9a-z]+\/files\/(.*)$/);
  if (t) return file(response, join(folder ?? '/nowhere', normalize(decodeURIComponent(t[1]))));
  if (m) return ofJob(request, response, m[1], m[2]);
  return problem(response, 404, 'api.no_route', `there is nothing at ${path}`);
}).listen(Number(port), '127.0.0.1', () => console.log(`READY http://127.0.0.1:${server.address().port}`));
