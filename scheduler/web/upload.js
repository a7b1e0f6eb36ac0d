// A file of this computer, sent to the farm's object storage in parts by URLs that the scheduler signs. What has arrived is not
// sent again: a part that fails is tried once more, and the same file, chosen after a reload, goes on where it was.
import { ApiError, call, get, post, query } from './api.js';

const KEPT = 'gopmill-upload:';
const LEAST_PART = 8 << 20;
const MOST_PARTS = 10000;
const AT_ONCE = 2;
const TRIES = 6;
const FIRST_WAIT_MS = 500;

// At once when the signal is given.
const wait = (ms, signal) => new Promise((resolve) => {
  const end = () => {
    clearTimeout(timer);
    signal.removeEventListener('abort', end);
    resolve();
  };
  const timer = setTimeout(end, ms);
  signal.addEventListener('abort', end);
});
const stopped = () => new DOMException('it was stopped', 'AbortError');

// Bytes of each part but the last one.
export function partSize(size) {
  return Math.max(LEAST_PART, Math.ceil(size / MOST_PARTS));
}

async function hashOf(blob) {
  const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', await blob.arrayBuffer()));
  return Array.from(sum, (b) => b.toString(16).padStart(2, '0')).join('');
}

// fetch() does not tell how much of a body has gone.
function put(grant, blob, signal, onSent) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    const end = (then, value) => {
      signal.removeEventListener('abort', abort);
      then(value);
    };
    request.open('PUT', grant.url);
    for (const [name, value] of Object.entries(grant.headers ?? {})) {
      if (!/^(host|content-length)$/i.test(name)) { // the browser's own
        request.setRequestHeader(name, value);
      }
    }
    request.upload.onprogress = (e) => onSent(e.loaded);
    request.onload = () => (request.status >= 200 && request.status < 300 ? end(resolve)
      : end(reject, new ApiError(request.status, { title: `the store answered ${request.status} to a part` })));
    request.onerror = () => end(reject, new ApiError(0, { title: 'The store did not take a part. Its bucket must allow this page’s origin (CORS), or the line is cut' }));
    request.onabort = () => end(reject, stopped());
    signal.addEventListener('abort', abort);
    request.send(blob);
  });
}

const isPassing = (e) => e.name !== 'AbortError' && (e.status === 0 || e.status === 403 || e.status === 429 || e.status >= 500); // 403: a URL whose hour is over

export class Upload {
  // onProgress({ sent, size, goesOn }): bytes that are there or on their way; goesOn: some were there from before.
  constructor(file, onProgress) {
    this.file = file;
    this.onProgress = onProgress;
    this.control = new AbortController();
    this.key = `${KEPT}${file.name}:${file.size}:${file.lastModified}`;
    this.sent = new Map(); // of a part: bytes
    this.goesOn = false;
    this.id = null;
    this.failed = null; // the first error of a lane: the others begin no part after it
  }

  stop() {
    this.control.abort();
  }

  tell(index, bytes) {
    this.sent.set(index, bytes);
    let sum = 0;
    for (const b of this.sent.values()) {
      sum += b;
    }
    this.onProgress({ sent: sum, size: this.file.size, goesOn: this.goesOn });
  }

  part(index) {
    return this.file.slice(index * this.size, Math.min(this.file.size, (index + 1) * this.size));
  }

  // The upload that this file began before, with hashes of what is there; null: none.
  async known() {
    const kept = JSON.parse(localStorage.getItem(this.key) ?? 'null');
    if (!kept) {
      return null;
    }
    try {
      const upload = await get(query(`/v1/uploads/${kept.id}`, { parts: 1 }), this.control.signal);
      return upload.size === this.file.size ? { ...upload, part_size: kept.part_size } : null;
    } catch (e) {
      if (e.status !== 404) {
        throw e;
      }
      return null;
    }
  }

  async begin() {
    const known = await this.known();
    this.size = known?.part_size ?? partSize(this.file.size);
    this.hashes = new Map((known?.hashes ?? []).map((p) => [p.index, p.sha256]));
    this.isComplete = known?.state === 'complete';
    this.goesOn = this.hashes.size > 0;
    const upload = known ?? await post('/v1/uploads', { name: this.file.name, size: this.file.size, part_size: this.size }, this.control.signal);
    this.id = upload.id;
    localStorage.setItem(this.key, JSON.stringify({ id: this.id, part_size: this.size }));
  }

  // One that is there with other bytes: the file was changed since, under the same name, size and time.
  async again() {
    localStorage.removeItem(this.key);
    this.sent.clear();
    await this.begin();
  }

  async once(index, sha256) {
    const body = this.part(index);
    const { grants: [grant] } = await post(`/v1/uploads/${this.id}/grants`, { parts: [{ index, sha256 }] }, this.control.signal);
    if (grant.needs_md5) {
      throw new ApiError(400, { title: 'This store wants MD5 sums, which a browser does not make', remedy: 'Send the file with gopmill upload, and name the upload:ID that it prints as the source.' });
    }
    if (!grant.there) {
      await put(grant, body, this.control.signal, (bytes) => this.tell(index, Math.min(bytes, body.size)));
    }
    await post(`/v1/uploads/${this.id}/parts`, { parts: [{ index, sha256 }] }, this.control.signal);
  }

  async send(index) {
    const body = this.part(index);
    const sha256 = await hashOf(body);
    const there = this.hashes.get(index);
    if (there !== undefined && there !== sha256) {
      throw new ApiError(409, { title: 'changed', code: 'changed' });
    }
    for (let tries = 1; there === undefined; tries++) {
      if (this.control.signal.aborted) {
        throw stopped();
      }
      try {
        await this.once(index, sha256);
        break;
      } catch (e) {
        if (this.control.signal.aborted) {
          throw stopped();
        }
        if (tries === TRIES || !isPassing(e) || this.failed) {
          throw e;
        }
        this.tell(index, 0);
        await wait(FIRST_WAIT_MS * 2 ** (tries - 1), this.control.signal);
      }
    }
    this.tell(index, body.size);
  }

  async sendAll() {
    const count = Math.max(1, Math.ceil(this.file.size / this.size));
    let next = 0;
    this.failed = null;
    const lane = async () => {
      while (next < count && !this.failed) {
        try {
          await this.send(next++);
        } catch (e) {
          this.failed ??= e;
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, lane));
    if (this.control.signal.aborted) {
      throw stopped();
    }
    if (this.failed) {
      throw this.failed;
    }
  }

  // Sends what is not there, and gives the source that a job names. Throws an ApiError, or an AbortError after stop().
  async run() {
    if (this.file.size === 0) {
      throw new ApiError(400, { title: 'The file is empty' });
    }
    if (!globalThis.crypto?.subtle) {
      throw new ApiError(400, { title: 'Browsers hash files only on pages of https:// or of localhost', remedy: 'Serve the scheduler with TLS (http_tls_cert), or send the file with gopmill upload.' });
    }
    await this.begin();
    try {
      await this.sendAll();
    } catch (e) {
      if (e.code !== 'changed') {
        throw e;
      }
      await this.again();
      await this.sendAll();
    }
    if (!this.isComplete) {
      await post(`/v1/uploads/${this.id}:complete`, undefined, this.control.signal);
    }
    return `upload:${this.id}`;
  }

  // Takes back what was sent.
  async discard() {
    this.stop();
    if (this.id) {
      localStorage.removeItem(this.key);
      await call('DELETE', `/v1/uploads/${this.id}`);
    }
  }
}
