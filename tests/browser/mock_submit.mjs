// What the made-up scheduler of mock.mjs says of new jobs and of uploads, whose store it is as well: a part is taken when its
// bytes have the hash that was announced, as S3 does it. A part that contains "refused" in its first bytes is refused until /mock/mend.
// The first answer to a job of a source with "lost" in its name does not come.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const uploads = new Map();
const puts = []; // "id/index" of each that was taken
let isMended = false;
let isLost = false;

const body = (request) => new Promise((resolve) => {
  const parts = [];
  request.on('data', (b) => parts.push(b));
  request.on('end', () => resolve(Buffer.concat(parts)));
});

const shown = (u) => ({ id: u.id, source: `upload:${u.id}`, state: u.state, name: u.name, size: u.size, parts: u.parts.size, hashes: [...u.parts].map(([index, sha256]) => ({ index, sha256 })) });

async function ofUpload(request, url, say) {
  const [, id, what] = url.pathname.match(/^\/v1\/uploads\/([^/:]+)(.*)$/);
  const u = uploads.get(id);
  const asked = request.method === 'POST' ? JSON.parse((await body(request)).toString() || '{}') : {};
  if (!u) {
    return say.problem(404, 'api.not_found', `there is no upload ${id}`);
  }
  if (what === '/grants') {
    return say.answer({ grants: asked.parts.map((p) => (u.parts.has(p.index) ? { index: p.index, there: true } : { index: p.index, url: `${say.origin}/store/${id}/${p.index}`, headers: { 'x-amz-content-sha256': p.sha256 } })) });
  }
  if (what === '/parts') {
    const lacks = asked.parts.find((p) => !puts.includes(`${id}/${p.index}`));
    asked.parts.filter((p) => !lacks).forEach((p) => u.parts.set(p.index, p.sha256));
    return lacks ? say.problem(409, 'api.conflict', `part ${lacks.index} is not there`) : say.answer({ there: u.parts.size, parts: u.count });
  }
  if (what === ':complete' && u.parts.size < u.count) {
    return say.problem(409, 'api.conflict', 'parts are missing');
  }
  u.state = what === ':complete' ? 'complete' : u.state;
  return say.answer(shown(u));
}

async function store(request, url, say) {
  const bytes = await body(request);
  const isRefused = bytes.subarray(0, 64).includes('refused') && !isMended;
  const isSame = createHash('sha256').update(bytes).digest('hex') === request.headers['x-amz-content-sha256'];
  if (!isRefused && isSame) {
    puts.push(url.pathname.slice('/store/'.length));
  }
  return say.status(isRefused || !isSame ? 400 : 200);
}

async function submit(request, say, id) {
  const asked = JSON.parse((await body(request)).toString());
  if (asked.source.includes('missing')) {
    return say.problem(404, 'input.missing', `${asked.source}: there is no such file`, '/source');
  }
  if (!asked.destination.startsWith('file:///srv/')) {
    return say.problem(403, 'storage.denied', `${asked.destination} is in none of the folders of allow_destinations`, '/destination');
  }
  if (asked.source.includes('lost') && !isLost) {
    isLost = true;
    return say.status(502);
  }
  return say.answer({ id, asked }, 201);
}

async function check(request, config, say) {
  const { yaml } = JSON.parse((await body(request)).toString());
  const line = yaml.split('\n').findIndex((l) => l.startsWith('wrong:')) + 1;
  return line > 0 ? say.problem(422, 'config.invalid', `pipeline.yaml:${line}: key \`wrong\` is not known`, '/yaml')
    : say.answer({ ok: true, name: 'own', description: '', tasks: ['inspect', 'plan', 'video', 'package'].map((name) => ({ name, type: name, needs: [] })) });
}

// True: it was for this module. say: { answer(document, status), problem(status, code, detail, at), status(code), origin }
export function submits(request, url, config, say, id) {
  const path = url.pathname;
  const is = (method, start) => request.method === method && path.startsWith(start);
  const named = path.match(/^\/v1\/pipelines\/([a-z0-9-]+)$/);
  if (path === '/v1/pipelines') {
    say.answer({ pipelines: [{ name: 'hdr10', description: 'HDR10 as HEVC' }, { name: 'vod-h264', description: 'A ladder of H.264' }, { name: 'old', description: '', error: { code: 'config.invalid', text: 'old.yaml:3: key `codecs` is not known' } }] });
  } else if (named) {
    say.answer({ name: named[1], description: '', yaml: readFileSync(join(config, `${named[1]}.yaml`), 'utf8') });
  } else if (path === '/v1/pipelines:check') {
    check(request, config, say);
  } else if (is('POST', '/v1/jobs') && path === '/v1/jobs') {
    submit(request, say, id);
  } else if (path === '/v1/uploads') {
    body(request).then((b) => {
      const asked = JSON.parse(b.toString());
      const u = { ...asked, id: `up${uploads.size + 1}`, state: 'open', parts: new Map(), count: Math.ceil(asked.size / asked.part_size) };
      uploads.set(u.id, u);
      say.answer(shown(u), 201);
    });
  } else if (path.startsWith('/v1/uploads/')) {
    ofUpload(request, url, say);
  } else if (is('PUT', '/store/')) {
    store(request, url, say);
  } else if (path === '/mock/puts') {
    say.answer(puts);
  } else if (path === '/mock/mend') {
    isMended = true;
    say.answer({});
  } else {
    return false;
  }
  return true;
}
