// What the whole page knows of the farm, kept current: by the scheduler's events, and by asking for what they
// do not carry. One stream for all views.
import { get } from './api.js';
import { follow } from './stream.js';

const NODES_MS = 4000; // progress of leases is in no event
const POLL_MS = 5000; // without events

export const state = {
  farm: null,
  nodes: null,
  catalogue: {},
  connection: 'connecting', // live, polling, down, denied
  since: Date.now(), // of that
  error: null,
  forbidden: null, // why this token may not see the farm and its nodes
  history: [], // of the throughput, since the page was opened: { at, speed, pixels, used, ready }
};

const listeners = new Set();
const jobListeners = new Set();

// fn() when anything of `state` changed; at most once a frame. Returns what ends it.
export function watch(fn) {
  listeners.add(fn);
  return () => listeners.delete(fn);
}

// fn(type, document) for what happens to jobs; type 'again': events may have been missed.
export function watchJobs(fn) {
  jobListeners.add(fn);
  return () => jobListeners.delete(fn);
}

let isAsked = false;
function changed() {
  if (!isAsked) {
    isAsked = true;
    requestAnimationFrame(() => {
      isAsked = false;
      for (const fn of listeners) {
        fn();
      }
    });
  }
}

function connection(kind, error = null) {
  if (kind !== state.connection) {
    state.connection = kind;
    state.since = Date.now();
  }
  state.error = error;
  changed();
}

// They are not asked for again but with another token, or over another connection.
function forbid(error) {
  state.forbidden = error;
  state.farm = state.nodes = null;
  changed();
}

function takeFarm(farm) {
  state.farm = farm;
  state.forbidden = null;
  const last = state.history[state.history.length - 1];
  if (!last || Date.now() - last.at >= 1000) {
    state.history.push({
      at: Date.now(),
      speed: farm.throughput?.speed ?? 0,
      pixels: farm.throughput?.pixels_per_s ?? 0,
      used: farm.slots_used ?? 0,
      ready: farm.queue?.tasks_ready ?? 0,
    });
    if (state.history.length > 600) {
      state.history.shift();
    }
  }
  changed();
}

let nodesAt = 0;
let nodesTimer = null;
async function loadNodes() {
  nodesAt = Date.now();
  try {
    state.nodes = (await get('/v1/nodes')).nodes;
    changed();
  } catch (e) {
    nodesAt = Date.now(); // told by the connection's state
    if (e.status === 403) {
      forbid(e);
    }
  }
}
function nodesSoon() {
  if (nodesTimer === null) {
    nodesTimer = setTimeout(() => {
      nodesTimer = null;
      loadNodes();
    }, Math.max(150, 800 - (Date.now() - nodesAt)));
  }
}

async function poll() {
  try {
    takeFarm(await get('/v1/farm'));
    if (state.connection !== 'live') {
      connection('polling');
    }
  } catch (e) {
    if (e.status === 403) {
      forbid(e);
    }
    if (state.connection !== 'live') {
      connection(e.status === 401 ? 'denied' : e.status === 0 || e.status >= 500 ? 'down' : 'polling', e);
    }
  }
}

function onEvent(type, document) {
  if (type === 'farm') {
    takeFarm(document);
  } else if (type === 'node') {
    nodesSoon();
  } else {
    if (type === 'reset') { // something was missed for good
      nodesSoon();
    }
    for (const fn of jobListeners) {
      fn(type, document);
    }
  }
}

let isAbsent = false;
// No events of all jobs come, where something before the scheduler refuses their stream: a job that is looked at is followed by one
// of its own.
export const lacksEvents = () => isAbsent;

let close = null;
export function start() {
  close?.();
  state.forbidden = null;
  close = follow('/v1/events', onEvent, (kind, error, isGap) => {
    isAbsent = kind === 'absent';
    if (kind === 'live') {
      const wasCut = state.connection === 'down';
      connection('live');
      poll();
      loadNodes();
      if (wasCut || isGap) {
        for (const fn of jobListeners) {
          fn('again', null);
        }
      }
    } else if (isAbsent) {
      poll();
    } else if (kind !== 'connecting') {
      connection(kind, error);
    }
  });
  loadNodes();
  get('/web/catalogue.json').then((rows) => {
    state.catalogue = rows;
    changed();
  }, () => {});
}

export const again = () => close?.again();

setInterval(() => {
  if (!document.hidden && !state.forbidden && Date.now() - nodesAt > NODES_MS - 100 && state.connection !== 'down') {
    loadNodes();
  }
}, NODES_MS);
setInterval(() => {
  if (isAbsent && !document.hidden) {
    poll();
    for (const fn of jobListeners) {
      fn('poll', null);
    }
  }
}, POLL_MS);
