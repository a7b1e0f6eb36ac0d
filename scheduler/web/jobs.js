// The list of jobs: pages by cursor as it is scrolled, and only those rows in the page that can be seen, so that
// ten thousand jobs are as light as ten.
import { h, render } from './dom.js';
import * as f from './format.js';
import { get, query } from './api.js';
import { state, watchJobs } from './live.js';
import { bar, empty, failure, icon, jobChip, loading, time } from './ui.js';

const PAGE = 200;
const MARGIN = 12; // rows drawn beyond what is seen
const TYPED_MS = 250;
const REFRESH_MS = 3000;
const STATES = ['queued', 'running', 'publishing', 'done', 'failed', 'cancelled'];

function row(j, i) {
  const p = j.progress;
  const lasts = f.span(j.started, j.finished);
  const isOver = ['done', 'failed', 'cancelled'].includes(j.state);
  return h('tr', { key: j.id, 'data-row': true, 'aria-rowindex': i + 2 },
    h('td', { class: 'state' }, jobChip(j)),
    h('td', { class: 'title' }, h('a', { href: `#/jobs/${j.id}`, title: j.source }, f.name(j.source)),
      h('span', { class: 'sub muted' }, j.external_id ? `${j.external_id} · ` : '', h('code', null, f.shortId(j.id)))),
    h('td', { class: 'mid' }, j.pipeline),
    h('td', { class: 'wide-only' }, j.tenant),
    h('td', { class: 'progress' }, isOver
      ? h('span', { class: j.state === 'failed' ? 'bad-text' : 'muted', title: j.error?.text ?? '' }, j.error && j.state === 'failed' ? j.error.code : j.state === 'done' ? (lasts === null ? '' : `took ${f.duration(lasts)}`) : '')
      : [bar(p.frames_done, p.frames_total, { label: `progress of ${f.name(j.source)}` }), h('span', { class: 'num' }, f.percent(p.frames_done, p.frames_total))]),
    h('td', { class: 'num wide-only' }, isOver ? '' : p.eta_s === null ? f.DASH : f.duration(p.eta_s)),
    h('td', { class: 'num wide-only' }, j.priority),
    h('td', { class: 'num mid nowrap' }, time(j.created)));
}

export function mountJobs(root, startQuery) {
  const filters = { state: '', tenant: '', pipeline: '', q: '', ...Object.fromEntries(startQuery) };
  let jobs = [];
  let next = null; // cursor of the page after these
  let isLoading = false;
  let isWhole = false;
  let isOwed = false; // an update() that came while rows were read
  let anew = null; // rows that loadAgain() has read, until it is through
  let error = null;
  let run = 0; // of what was asked for: answers to older filters are dropped
  let typing = null;
  let refresh = null;
  let rowHeight = 45;
  let table = null;

  const url = (more) => query('/v1/jobs', { ...filters, light: 1, ...more });

  async function load(fresh) {
    if (isLoading && !fresh) {
      return;
    }
    const mine = fresh ? ++run : run;
    anew = null;
    isLoading = true;
    error = null;
    draw();
    try {
      const page = await get(url({ limit: PAGE, cursor: fresh ? null : next }));
      if (mine !== run) {
        return;
      }
      const have = new Set(fresh ? [] : jobs.map((j) => j.id));
      jobs = (fresh ? [] : jobs).concat(page.jobs.filter((j) => !have.has(j.id)));
      next = page.next;
      isWhole = page.next === null;
    } catch (e) {
      if (mine === run) {
        error = e;
      }
    }
    if (mine === run) {
      isLoading = false;
      if (next !== null && !error && jobs.length < 60) { // a page may have few of many that were sifted
        load(false);
      }
      owed();
      draw();
    }
  }

  // Events were missed: as many rows as there were, anew. Each page is shown as it comes, in place of what was known.
  async function loadAgain() {
    const mine = ++run;
    const many = Math.max(jobs.length, 1);
    let cursor = null;
    isLoading = true;
    error = null;
    anew = [];
    draw();
    try {
      do {
        const page = await get(url({ limit: PAGE, cursor }));
        if (mine !== run) {
          return;
        }
        const now = new Map(page.jobs.map((j) => [j.id, j]));
        anew = anew.concat(page.jobs);
        jobs = jobs.map((j) => now.get(j.id) ?? j);
        cursor = page.next;
        draw();
      } while (cursor !== null && anew.length < many);
      jobs = anew;
      next = cursor;
      isWhole = cursor === null;
      anew = null;
    } catch (e) {
      error = mine === run ? e : error;
    }
    if (mine === run) {
      isLoading = false;
      owed();
      draw();
    }
  }

  // The newest page again, merged: new jobs come on top, known ones are brought up to date. Running ones come by themselves.
  async function update() {
    const mine = run;
    if (isLoading || error) {
      isOwed = true;
      return;
    }
    try {
      const [head, running] = await Promise.all([get(url({ limit: 50 })),
        filters.state && filters.state !== 'running' ? { jobs: [] } : get(url({ state: 'running', limit: 100 }))]);
      if (mine !== run) {
        return;
      }
      const fresh = new Map([...head.jobs, ...running.jobs].map((j) => [j.id, j]));
      const known = new Set(jobs.map((j) => j.id));
      const added = head.jobs.filter((j) => !known.has(j.id));
      jobs = added.concat(jobs.map((j) => fresh.get(j.id) ?? j)).filter((j) => !filters.state || j.state === filters.state);
      draw();
    } catch {
      // told by the connection's state
    }
  }

  function owed() {
    if (isOwed && !isLoading && !error) {
      isOwed = false;
      update();
    }
  }

  function filter(name, value) {
    filters[name] = value;
    const text = query('#/jobs', filters);
    history.replaceState(null, '', text);
    load(true);
    window.scrollTo(0, 0);
  }
  const typed = (name) => (e) => {
    clearTimeout(typing);
    const { value } = e.target;
    typing = setTimeout(() => filter(name, value.trim()), TYPED_MS);
  };

  function range() {
    if (!table) {
      return [0, Math.min(jobs.length, 60)];
    }
    const above = Math.max(0, -table.getBoundingClientRect().top);
    const from = Math.max(0, Math.floor(above / rowHeight) - MARGIN);
    return [from, Math.min(jobs.length, Math.ceil((above + window.innerHeight) / rowHeight) + MARGIN)];
  }

  function body() {
    const [from, to] = range();
    if (to >= jobs.length - 30 && next !== null && !isLoading && !error) {
      setTimeout(load, 0);
    }
    return h('table', { class: 'jobs', 'aria-rowcount': isWhole ? jobs.length + 1 : -1, ref: (element) => { table = element; } },
      h('caption', { class: 'hidden' }, 'Jobs, newest first'),
      h('thead', null, h('tr', { 'aria-rowindex': 1 }, h('th', { scope: 'col' }, 'State'), h('th', { scope: 'col' }, 'Source'), h('th', { scope: 'col', class: 'mid' }, 'Pipeline'), h('th', { scope: 'col', class: 'wide-only' }, 'Tenant'),
        h('th', { scope: 'col' }, 'Progress'), h('th', { scope: 'col', class: 'num wide-only' }, 'Left'), h('th', { scope: 'col', class: 'num wide-only' }, 'Priority'), h('th', { scope: 'col', class: 'num mid' }, 'Created'))),
      h('tbody', null,
        from > 0 ? h('tr', { key: 'above', class: 'space', 'aria-hidden': 'true' }, h('td', { style: { height: `${from * rowHeight}px` } })) : null,
        jobs.slice(from, to).map((j, i) => row(j, from + i)),
        to < jobs.length ? h('tr', { key: 'below', class: 'space', 'aria-hidden': 'true' }, h('td', { style: { height: `${(jobs.length - to) * rowHeight}px` } })) : null));
  }

  function filterBar() {
    const counts = state.farm?.jobs ?? {};
    return h('div', { class: 'filters', role: 'search' },
      h('label', { class: 'searchbox' }, icon('search'), h('input', { type: 'search', 'aria-label': 'Search jobs', placeholder: 'Part of a source’s name or an id', value: filters.q, oninput: typed('q') })),
      h('div', { class: 'tabs', role: 'group', 'aria-label': 'State' }, ['', ...STATES].map((s) => h('button', {
        type: 'button', key: s || 'all', 'aria-pressed': String(filters.state === s), onclick: () => filter('state', s),
      }, s || 'all', s && counts[s] ? h('span', { class: 'count' }, f.number(counts[s])) : null))),
      h('input', { class: 'short', 'aria-label': 'Pipeline', placeholder: 'Pipeline', value: filters.pipeline, oninput: typed('pipeline') }),
      h('input', { class: 'short', 'aria-label': 'Tenant', placeholder: 'Tenant', value: filters.tenant, oninput: typed('tenant') }));
  }

  function draw() {
    const isFiltered = filters.state || filters.tenant || filters.pipeline || filters.q;
    const isNothing = jobs.length === 0 && !isLoading && !error && next === null;
    render(root, h('div', { class: 'head' }, h('h1', null, 'Jobs'), h('span', { class: 'muted', 'aria-live': 'polite' }, jobs.length > 0 ? `${f.number(jobs.length)}${isWhole ? '' : '+'} shown` : '')),
      filterBar(),
      isNothing ? (isFiltered ? empty('No job is like that', 'Take a filter back, or search for less. Of jobs that ended the scheduler knows the newest alone.')
        : empty('There are no jobs', h('a', { href: '#/submit' }, 'Submit one'), ' here (n), or with ', h('code', null, 'gopmill submit FILE --out FOLDER'), '; it appears here at once.')) : null,
      jobs.length > 0 ? body() : null,
      error ? failure(error, () => (anew ? loadAgain() : load(jobs.length === 0))) : null,
      isLoading ? loading(jobs.length > 0 ? 'More' : 'Asking for jobs') : null);
    const drawn = root.querySelector('tbody tr[data-row]');
    if (!drawn) {
      table = null;
    } else if (Math.abs(drawn.offsetHeight - rowHeight) > 1 && drawn.offsetHeight > 0) {
      rowHeight = drawn.offsetHeight;
    }
  }

  let isScrolled = false;
  const onScroll = () => {
    if (!isScrolled) {
      isScrolled = true;
      requestAnimationFrame(() => {
        isScrolled = false;
        draw();
      });
    }
  };
  window.addEventListener('scroll', onScroll, { passive: true });
  window.addEventListener('resize', onScroll);
  const ends = watchJobs((type, document) => {
    if (document?.state && type.startsWith('job.')) { // a row far down is in no page that update() asks for
      const told = (j) => (j.id === document.id ? { ...j, state: document.state } : j);
      jobs = jobs.map(told);
      anew = anew?.map(told) ?? null;
    }
    if (type === 'again' || type === 'reset') {
      loadAgain();
    } else if (type !== 'task.retry') {
      refresh ??= setTimeout(() => {
        refresh = null;
        update();
      }, 500);
    }
  });
  const every = setInterval(() => !document.hidden && state.connection !== 'down' && jobs.some((j) => j.state === 'running') && update(), REFRESH_MS);
  load(true);
  if (sessionStorage.getItem('gopmill-search')) {
    sessionStorage.removeItem('gopmill-search');
    root.querySelector('input[type=search]')?.focus();
  }
  return {
    draw,
    moved(values) {
      Object.assign(filters, { state: '', tenant: '', pipeline: '', q: '' }, Object.fromEntries(values));
      load(true);
    },
    close() {
      run++;
      ends();
      clearInterval(every);
      clearTimeout(typing);
      clearTimeout(refresh);
      window.removeEventListener('scroll', onScroll);
      window.removeEventListener('resize', onScroll);
    },
  };
}
