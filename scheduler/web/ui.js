// Pieces that several views are made of.
import { h } from './dom.js';
import * as f from './format.js';
import { state } from './live.js';

// 16 x 16 outlines: a shape a meaning, for colour alone tells nothing.
const SHAPES = {
  waiting: 'M8 4.5V8l2.3 1.6M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0Z',
  running: 'M5.2 3.2v9.6L12.6 8Z',
  publishing: 'M8 13V4M4.4 7.4 8 3.8l3.6 3.6M3 13.6h10',
  done: 'M3.2 8.6 6.4 11.8 12.8 4.6',
  failed: 'M4 4l8 8M12 4l-8 8',
  cancelled: 'M3.8 12.2 12.2 3.8M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0Z',
  paused: 'M5.5 3.5v9M10.5 3.5v9',
  warning: 'M8 2.4 14.2 13.2H1.8ZM8 6.6v3M8 11.4v.3',
  gone: 'M2.6 8h10.8',
  retry: 'M12.9 6A5.2 5.2 0 1 0 13.2 9.4M13.2 2.8V6H10',
  search: 'M11.4 11.4 14 14M12 7.2a4.8 4.8 0 1 1-9.6 0 4.8 4.8 0 0 1 9.6 0Z',
  sun: 'M8 5.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6ZM8 1.4v1.4M8 13.2v1.4M1.4 8h1.4M13.2 8h1.4M3.3 3.3l1 1M11.7 11.7l1 1M3.3 12.7l1-1M11.7 4.3l1-1',
  moon: 'M13.2 9.6A5.8 5.8 0 0 1 6.4 2.8a5.8 5.8 0 1 0 6.8 6.8Z',
  help: 'M6 6.2a2 2 0 1 1 2.9 1.8c-.6.3-.9.7-.9 1.4M8 11.6v.2M14 8A6 6 0 1 1 2 8a6 6 0 0 1 12 0Z',
  key: 'M9.2 6.8a3.2 3.2 0 1 1-1-1L13.6 11v2h-2v-1.6H10V9.8H8.4',
};

export function icon(name, props = {}) {
  return h('svg', { viewBox: '0 0 16 16', class: `icon icon-${name}`, 'aria-hidden': 'true', ...props }, h('path', { d: SHAPES[name] ?? SHAPES.gone }));
}

// How a state of a job, task, attempt or node looks: [kind (colour), icon, word].
const LOOKS = {
  queued: ['idle', 'waiting'],
  running: ['busy', 'running'],
  publishing: ['busy', 'publishing'],
  done: ['good', 'done'],
  failed: ['bad', 'failed'],
  failing: ['bad', 'failed'],
  cancelling: ['off', 'cancelled'],
  cancelled: ['off', 'cancelled'],
  blocked: ['idle', 'waiting'],
  waiting: ['idle', 'waiting'],
  ready: ['idle', 'waiting'],
  backoff: ['warn', 'retry'],
  ended: ['off', 'gone'],
  none: ['off', 'gone'],
  lost: ['warn', 'gone'],
  connected: ['good', 'done'],
  draining: ['warn', 'paused', 'draining'],
  restarting: ['warn', 'retry', 'restarting'],
  gone: ['bad', 'gone', 'gone'],
  silent: ['warn', 'warning', 'silent'],
  quarantined: ['bad', 'warning'],
  trial: ['warn', 'retry', 'on trial'],
  held: ['warn', 'warning', 'held'],
};

export const look = (what) => LOOKS[what] ?? ['idle', 'waiting'];

export function chip(what, text = null) {
  const [kind, shape, word] = look(what);
  return h('span', { class: `chip ${kind}` }, icon(shape), text ?? word ?? what);
}

// Of a job: what began is `running` for the scheduler also where nothing of it has a place just now.
export function jobChip(job, text = null) {
  const tasks = job.progress?.tasks;
  return job.state === 'running' && tasks && tasks.running === 0 && tasks.ready > 0 ? chip('ready', 'waits') : chip(job.state, text);
}

export function bar(done, total, { label, kind = 'busy', wide = false } = {}) {
  const share = total > 0 ? Math.min(1, done / total) : 0;
  return h('span', {
    class: `meter ${kind}${wide ? ' wide' : ''}`,
    role: 'progressbar',
    'aria-label': label ?? 'progress',
    'aria-valuemin': 0,
    'aria-valuemax': 100,
    'aria-valuenow': Math.round(share * 100),
  }, h('span', { style: { width: `${share * 100}%` } }));
}

export function time(value) {
  return value ? h('time', { datetime: value, title: f.absolute(value) }, f.ago(value)) : f.DASH;
}

export function section(title, { id, aside, kind = '' } = {}, ...kids) {
  const heading = id ?? title.toLowerCase().replace(/[^a-z]+/g, '-');
  return h('section', { class: `panel ${kind}`, 'aria-labelledby': `${heading}-h`, key: heading, id: heading },
    h('header', { class: 'panel-head' }, h('h2', { id: `${heading}-h` }, title), aside ? h('div', { class: 'aside' }, aside) : null), kids);
}

export function empty(title, ...kids) {
  return h('div', { class: 'empty' }, h('strong', null, title), kids.length > 0 ? h('p', null, kids) : null);
}

export function loading(what = 'Loading') {
  return h('div', { class: 'loading', role: 'status' }, h('span', { class: 'spin', 'aria-hidden': 'true' }), `${what} …`);
}

export function failure(error, again = null) {
  return h('div', { class: 'failure', role: 'alert' }, icon('warning'),
    h('div', null, h('strong', null, error.title ?? 'It did not work'), h('p', null, error.message, error.code ? [' ', h('code', null, error.code)] : null),
      error.remedy ? h('p', { class: 'muted' }, error.remedy) : null),
    again ? h('button', { type: 'button', onclick: again }, 'Try again') : null);
}

// A code of the catalogue with what it means and what to do.
export function codeDetails(code) {
  const row = state.catalogue[code];
  return row ? [h('span', null, row.meaning, '. '), h('span', { class: 'muted' }, row.remedy)] : null;
}

export function facts(rows) {
  return h('dl', { class: 'facts' }, rows.filter((row) => row && row[1] !== null && row[1] !== undefined && row[1] !== '')
    .map(([name, value]) => h('div', { key: name }, h('dt', null, name), h('dd', null, value))));
}

// A line of figures since the page was opened.
export function sparkline(values, label, width = 132, height = 30) {
  if (values.length < 2) {
    return null;
  }
  const top = Math.max(...values, 1e-9);
  const step = width / (values.length - 1);
  const points = values.map((v, i) => `${(i * step).toFixed(1)},${(height - 2 - (v / top) * (height - 4)).toFixed(1)}`);
  return h('svg', { class: 'spark', viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': label },
    h('path', { class: 'area', d: `M0,${height} L${points.join(' L')} L${width},${height} Z` }),
    h('path', { class: 'line', d: `M${points.join(' L')}` }));
}

export function toast(text, kind = 'good') {
  const place = document.getElementById('toasts');
  const element = document.createElement('div');
  element.className = `toast ${kind}`;
  element.textContent = text;
  place.append(element);
  setTimeout(() => element.remove(), kind === 'bad' ? 9000 : 4500);
}

// Does something that a button asks for, and tells how it went. done: a text, or what makes one of the answer.
export async function act(doing, done) {
  try {
    const result = await doing();
    toast(typeof done === 'function' ? done(result) : done);
    return result;
  } catch (e) {
    toast(e.remedy ? `${e.message}. ${e.remedy}` : e.message, 'bad');
    return null;
  }
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast('Copied');
  } catch {
    toast(text);
  }
}
