// Requests to the scheduler that served the page. A token that was pasted goes with each of them; it is
// kept for this tab alone.

const TOKEN = 'gopmill-token';

export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `the scheduler answered ${status}`);
    this.status = status;
    this.code = problem.code ?? null;
    this.remedy = problem.remedy ?? null;
    this.title = problem.title ?? null;
    this.at = problem.at ?? null; // a pointer to the member of the body that is to blame
  }
}

export const getToken = () => sessionStorage.getItem(TOKEN);

export function setToken(token) {
  if (token) {
    sessionStorage.setItem(TOKEN, token);
  } else {
    sessionStorage.removeItem(TOKEN);
  }
}

export function headers(more = {}) {
  const token = getToken();
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

const onDenied = new Set();
export const whenDenied = (fn) => onDenied.add(fn);
export function tellDenied() {
  for (const fn of onDenied) {
    fn();
  }
}

async function problemOf(response) {
  try {
    return await response.json();
  } catch {
    return { title: `the scheduler answered ${response.status}` };
  }
}

export async function call(method, path, body, signal, more = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      signal,
      cache: 'no-store',
      headers: headers(body === undefined ? more : { ...more, 'Content-Type': 'application/json' }),
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (e) {
    if (e.name === 'AbortError') {
      throw e;
    }
    throw new ApiError(0, { title: 'the scheduler does not answer', code: 'farm.unreachable' });
  }
  if (!response.ok) {
    if (response.status === 401) {
      tellDenied();
    }
    throw new ApiError(response.status, await problemOf(response));
  }
  return response.status === 204 ? null : response.json();
}

export const get = (path, signal) => call('GET', path, undefined, signal);
export const post = (path, body, signal) => call('POST', path, body, signal);

// A post() that may be sent again where its answer was lost: the same request has the same Idempotency-Key until it was answered
// with success, so that it makes one job.
// `state`: another one makes it another request.
export function keyed() {
  let sent = null;
  let key = null;
  return async (path, body, state = null) => {
    const request = `${path} ${JSON.stringify(body)} ${state}`;
    if (request !== sent) {
      sent = request;
      key = Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, '0')).join('');
    }
    const answer = await call('POST', path, body, undefined, { 'Idempotency-Key': key });
    sent = null;
    return answer;
  };
}

export function query(path, values) {
  const q = new URLSearchParams();
  for (const [k, v] of Object.entries(values)) {
    if (v !== null && v !== undefined && v !== '') {
      q.set(k, v);
    }
  }
  const text = q.toString();
  return text ? `${path}?${text}` : path;
}

// The address of a published file of a job.
export function fileUrl(job, path) {
  return `/v1/jobs/${job}/files/${path.split('/').map(encodeURIComponent).join('/')}`;
}

// The same of a title, whose job may be forgotten.
export function titleFileUrl(job, path) {
  return fileUrl(job, path).replace('/v1/jobs/', '/v1/assets/');
}

const OPEN_BYTES = 64 << 20; // it is in the tab's memory as a whole

// The click on a link to a file: the browser would ask for it without the token. It is saved: a window that opens
// long after the click is blocked without a word.
export async function openFile(event, name = null) {
  const url = event.currentTarget.href;
  if (!getToken()) {
    return;
  }
  event.preventDefault();
  const response = await fetch(url, { headers: headers() });
  if (!response.ok) {
    throw new ApiError(response.status, await problemOf(response));
  }
  if (Number(response.headers.get('Content-Length') ?? 0) > OPEN_BYTES) {
    await response.body?.cancel();
    throw new ApiError(0, { title: 'The file is larger than 64 MiB: fetch it with curl and the token' });
  }
  const address = URL.createObjectURL(await response.blob());
  const link = document.createElement('a');
  link.href = address;
  link.download = name ?? decodeURIComponent(new URL(url).pathname.split('/').pop());
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 60000);
}

// A file as an address that an element can show though it sends no token; free it with URL.revokeObjectURL.
export async function objectUrl(url, signal) {
  const response = await fetch(url, { headers: headers(), signal });
  if (!response.ok) {
    throw new ApiError(response.status, await problemOf(response));
  }
  return URL.createObjectURL(await response.blob());
}
