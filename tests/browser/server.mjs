// Static files for the players: ranges, CORS and the MIME types that they look at.
//   serve({'/': folder, '/lib/': other}) -> {url, close()}; the longest prefix wins; port chosen by the kernel.
import { createReadStream } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, normalize, sep } from 'node:path';

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.m3u8': 'application/vnd.apple.mpegurl',
  '.mpd': 'application/dash+xml',
  '.mp4': 'video/mp4',
  '.m4s': 'video/iso.segment',
  '.vtt': 'text/vtt; charset=utf-8',
  '.jpg': 'image/jpeg',
  '.webp': 'image/webp',
  '.json': 'application/json',
};

// "bytes=A-B", "bytes=A-" and "bytes=-N" of one range; null: none asked for, false: not satisfiable.
function parseRange(header, size) {
  const m = /^bytes=(\d*)-(\d*)$/.exec(header ?? '');
  if (!m || (m[1] === '' && m[2] === '')) {
    return null;
  }
  const first = m[1] === '' ? Math.max(0, size - Number(m[2])) : Number(m[1]);
  const last = m[1] === '' || m[2] === '' ? size - 1 : Math.min(size - 1, Number(m[2]));
  return first <= last ? { first, last } : false;
}

async function locate(roots, path) {
  const prefix = Object.keys(roots)
    .filter((p) => path.startsWith(p))
    .sort((a, b) => b.length - a.length)[0];
  if (!prefix) {
    return null;
  }
  const root = await realpath(roots[prefix]);
  const file = join(root, normalize('/' + path.slice(prefix.length)));
  const info = await stat(file).catch(() => null);
  return file.startsWith(root + sep) && info?.isFile() ? { file, size: info.size } : null;
}

async function answer(roots, missing, req, res) {
  const path = decodeURIComponent(new URL(req.url, 'http://localhost').pathname);
  const found = await locate(roots, path);
  const headers = {
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Expose-Headers': 'Content-Length, Content-Range',
    'Cache-Control': 'no-store',
  };
  if (!found) {
    if (path !== '/favicon.ico') {
      missing.push(path);
    }
    res.writeHead(404, headers).end();
    return;
  }
  headers['Content-Type'] = TYPES[extname(path)] ?? 'application/octet-stream';
  headers['Accept-Ranges'] = 'bytes';
  const range = parseRange(req.headers.range, found.size);
  if (range === false) {
    res.writeHead(416, { ...headers, 'Content-Range': `bytes */${found.size}` }).end();
    return;
  }
  const first = range ? range.first : 0;
  const last = range ? range.last : found.size - 1;
  if (range) {
    headers['Content-Range'] = `bytes ${first}-${last}/${found.size}`;
  }
  res.writeHead(range ? 206 : 200, { ...headers, 'Content-Length': last - first + 1 });
  if (req.method === 'HEAD' || found.size === 0) {
    res.end();
    return;
  }
  createReadStream(found.file, { start: first, end: last }).on('error', () => res.destroy()).pipe(res);
}

export function serve(roots) {
  const missing = []; // paths that were asked for and are not there
  const server = createServer((req, res) => {
    answer(roots, missing, req, res).catch(() => res.destroy());
  });
  return new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      resolve({
        url: `http://localhost:${server.address().port}`,
        missing,
        close: () => {
          server.closeAllConnections?.();
          server.close();
        },
      });
    });
  });
}
