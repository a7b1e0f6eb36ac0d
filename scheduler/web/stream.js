// Server-sent events by fetch, so that a token can go along: goes on after the last id that was seen, waits
// longer after each failure, and takes a stream that says nothing for too long as broken. A tab that nobody sees holds none: browsers
// have six connections for a host, all tabs together.
import { ApiError, headers, tellDenied } from './api.js';

const SILENCE_MS = 40000; // the scheduler says something each 15 s
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 10000;
const HIDDEN_MS = 5000; // out of sight before its stream is closed

// Feeds text; calls say(event, data) for each whole event, and before it, as for one without data, reach(id). See: the HTML standard,
// 9.2.6.
function parser(say, reach) {
  let rest = '';
  let event = { type: '', data: [], id: null };
  return (text) => {
    const lines = (rest + text).split(/\r\n|\n|\r/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === '') {
        if (event.id !== null) {
          reach(event.id);
        }
        if (event.data.length > 0) {
          say(event.type || 'message', event.data.join('\n'));
        }
        event = { type: '', data: [], id: null };
        continue;
      }
      const colon = line.indexOf(':');
      const field = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
      if (field === 'event') {
        event.type = value;
      } else if (field === 'data') {
        event.data.push(value);
      } else if (field === 'id') {
        event.id = value;
      }
    }
  };
}

async function readAll(response, control, feed) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let timer = null;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => control.abort(), SILENCE_MS);
  };
  alive();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      alive();
      feed(value);
    }
  } finally {
    clearTimeout(timer);
  }
}

// onEvent(type, document), onState('connecting' | 'live' | 'down' | 'denied' | 'absent', error, isGap). isGap: of `live`, that there was
// a stream before, and nothing says what was missed since. `absent`: there is no such
// stream, or the token may not have it, and it is not asked for again. Returns a function that closes it, which `again` on it opens at once.
export function follow(path, onEvent, onState) {
  let lastId = null;
  let failures = 0;
  let isLater = false; // a stream was there
  let closed = false;
  let control = null;
  let wake = null;
  let isPaused = false;
  let hiding = null;

  function seen() {
    clearTimeout(hiding);
    if (document.hidden) {
      hiding = setTimeout(() => {
        isPaused = true;
        control?.abort();
      }, HIDDEN_MS);
    } else if (isPaused) {
      isPaused = false;
      wake?.();
    }
  }

  const rest = (ms) => new Promise((resolve) => {
    const timer = ms === null ? null : setTimeout(resolve, ms);
    wake = () => {
      clearTimeout(timer);
      resolve();
    };
  });

  async function once() {
    control = new AbortController();
    const response = await fetch(path, {
      signal: control.signal,
      cache: 'no-store',
      headers: headers({ Accept: 'text/event-stream', ...(lastId === null ? {} : { 'Last-Event-ID': lastId }) }),
    });
    if (!response.ok) {
      throw new ApiError(response.status, await response.json().catch(() => ({})));
    }
    onState('live', null, isLater && lastId === null);
    isLater = true;
    await readAll(response, control, parser((type, data) => {
      failures = 0;
      let document = null;
      try {
        document = JSON.parse(data);
      } catch {
        return;
      }
      onEvent(type, document);
    }, (id) => {
      lastId = id;
      failures = 0;
    }));
  }

  async function run() {
    while (!closed) {
      if (isPaused) {
        await rest(null);
        continue;
      }
      let error = null;
      try {
        onState('connecting', null);
        await once();
      } catch (e) {
        error = e;
      }
      if (closed) {
        return;
      }
      if (isPaused) {
        continue;
      }
      if (error?.status === 404 || error?.status === 403) {
        onState('absent', error);
        return;
      }
      if (error?.status === 401) {
        onState('denied', error);
        tellDenied();
      } else {
        onState('down', error);
      }
      failures++;
      const wait = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (failures - 1)) * (0.75 + Math.random() / 2);
      await rest(wait);
    }
  }

  const again = () => wake?.();
  window.addEventListener('online', again);
  document.addEventListener('visibilitychange', seen);
  seen();
  run();
  const close = () => {
    closed = true;
    window.removeEventListener('online', again);
    document.removeEventListener('visibilitychange', seen);
    clearTimeout(hiding);
    control?.abort();
    wake?.();
  };
  close.again = again;
  return close;
}
