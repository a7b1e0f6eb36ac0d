// Events on their way to those who asked for them by webhook: dead letters, which nobody took in time, and what still waits.
import { h, render } from './dom.js';
import * as f from './format.js';
import { get, post, query } from './api.js';
import { state } from './live.js';
import { act, empty, failure, loading, section, time } from './ui.js';

const PAGE = 100;
const REFRESH_MS = 5000;

function row(d, buttons) {
  return h('tr', { key: d.id, 'data-row': true },
    h('td', { class: 'title' }, h('code', null, d.type.replace(/^gopmill\./, '')), h('span', { class: 'sub' }, h('a', { href: `#/jobs/${d.job}` }, f.shortId(d.job)), h('span', { class: 'muted' }, ' ', time(d.time)))),
    h('td', null, h('span', { class: 'breaks' }, d.target)),
    h('td', { class: 'breaks' }, d.error ?? '', d.status ? h('span', { class: 'muted' }, ` (${d.status})`) : null),
    h('td', { class: 'num' }, f.number(d.tries)),
    h('td', { class: 'nowrap mid' }, time(d.tried)),
    h('td', { class: 'nowrap mid' }, buttons ? buttons(d) : time(d.next)));
}

// `last`: of the last column. buttons(delivery): what stands there, or null for when it is tried next.
function table(caption, list, last, buttons) {
  return h('div', { class: 'scroller', tabindex: 0, role: 'region', 'aria-label': `Table: ${caption}` }, h('table', { class: 'small' }, h('caption', { class: 'hidden' }, caption),
    h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Event'), h('th', { scope: 'col' }, 'To'), h('th', { scope: 'col' }, 'Last answer'), h('th', { scope: 'col', class: 'num' }, 'Tries'), h('th', { scope: 'col', class: 'mid' }, 'Tried'), h('th', { scope: 'col', class: 'mid' }, last))),
    h('tbody', null, list.map((d) => row(d, buttons)))));
}

export function mountHooks(root) {
  const parts = {};
  for (const name of ['dead', 'waiting']) {
    parts[name] = { list: null, next: null, error: null, isLoading: false, isOwed: false, isMore: false };
  }
  let counts = null;
  let isOpen = true;

  // As many as there are in the page, anew; `more`: and those behind them. One at a time: what is asked for meanwhile comes after it.
  async function load(name, more = false) {
    const part = parts[name];
    part.isMore ||= more;
    if (part.isLoading) {
      part.isOwed = true;
      return;
    }
    const many = Math.max(PAGE, (part.list?.length ?? 0) + (part.isMore ? PAGE : 0));
    Object.assign(part, { isLoading: true, isOwed: false, isMore: false });
    let list = [];
    let after = null;
    try {
      do {
        const page = await get(query(`/v1/events/${name}`, { limit: PAGE, after }));
        list = list.concat(page.deliveries);
        after = page.next ?? null;
        counts = { dead: page.dead, waiting: page.waiting };
      } while (after !== null && list.length < many);
      Object.assign(part, { list, next: after, error: null });
    } catch (e) {
      part.error = e;
    }
    part.isLoading = false;
    draw();
    if (part.isOwed && isOpen) {
      load(name);
    }
  }
  const loadAll = () => {
    load('dead');
    load('waiting');
  };
  const again = (body, done) => act(() => post('/v1/events:redeliver', body), done).then(loadAll);

  function part(name, title, nothing, last, buttons) {
    const { list, next, error } = parts[name];
    const count = counts?.[name] ?? 0;
    return section(title, { aside: [list?.length > 0 ? h('span', { class: 'muted' }, `${f.number(list.length)} of ${f.number(Math.max(count, list.length))}`) : null,
      name === 'dead' && list?.length > 0 ? h('button', { type: 'button', class: 'small', onclick: () => again({}, 'All are sent again') }, 'Send all again') : null] },
    error ? failure(error, () => load(name)) : null,
    list === null ? (error ? null : loading()) : list.length === 0 ? empty(nothing) : table(title, list, last, buttons),
    next !== null ? h('p', { class: 'more' }, h('button', { type: 'button', onclick: () => load(name, true) }, 'More')) : null);
  }

  function draw() {
    if (!isOpen) {
      return;
    }
    render(root, h('div', { class: 'head' }, h('h1', null, 'Webhooks')),
      part('dead', 'Dead letters', 'No delivery was given up', 'Once more', (d) => h('button', { type: 'button', class: 'small', 'aria-label': `Send ${d.type} of job ${f.shortId(d.job)} again`, onclick: () => again({ id: d.id }, 'It is sent again') }, 'Send again')),
      part('waiting', 'On their way', 'Nothing waits', 'Next try', null));
  }

  const every = setInterval(() => !document.hidden && state.connection !== 'down' && Object.keys(parts).filter((name) => !parts[name].isLoading).forEach((name) => load(name)), REFRESH_MS);
  loadAll();
  draw();
  return {
    draw: () => {},
    close() {
      isOpen = false;
      clearInterval(every);
    },
  };
}
