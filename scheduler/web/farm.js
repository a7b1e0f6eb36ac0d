// The farm at a glance: how deep the queue is, how fast it goes, what runs where, what failed and what to do.
import { h, render } from './dom.js';
import * as f from './format.js';
import { get } from './api.js';
import { state, watchJobs } from './live.js';
import { bar, chip, codeDetails, empty, failure, jobChip, loading, section, sparkline, time } from './ui.js';
import { nodeCard, noNodes, sorted } from './nodes.js';

const RUNNING = 12;
const REFRESH_MS = 3000;

function tile(label, value, note, extra = null, kind = '') {
  return h('div', { class: `tile ${kind}`, key: label }, h('div', { class: 'label' }, label), h('div', { class: 'value' }, value), h('div', { class: 'note' }, note), extra);
}

function tiles(farm) {
  const jobs = farm.jobs ?? {};
  const seen = state.history.length > 1 ? f.duration(Math.round((Date.now() - state.history[0].at) / 1000)) : null;
  const since = `the last ${seen}, as this page saw them`;
  const of = (key) => sparkline(state.history.map((p) => p[key]), since);
  const wait = farm.queue?.oldest_wait_s;
  const t = farm.throughput ?? {};
  const n = farm.nodes ?? {};
  return [h('div', { class: 'tiles' },
    tile('Queue', f.number(farm.queue?.jobs ?? 0), `${f.plural(farm.queue?.tasks_ready ?? 0, 'task')} ready`, of('ready')),
    tile('Oldest wait', wait === null || wait === undefined ? f.DASH : f.duration(wait), wait === null || wait === undefined ? 'no job has something ready' : 'of a job with something ready', null, wait > 3600 ? 'warn' : ''),
    tile('Speed', f.speed(t.speed), 'of real time, all jobs', of('speed')),
    tile('Pixels', f.pixels(t.pixels_per_s), `${f.number(t.fps, 0)} frames a second`, of('pixels')),
    tile('Slots', `${f.number(farm.slots_used)} / ${f.number(farm.slots)}`, f.percent(farm.slots_used, farm.slots), bar(farm.slots_used, farm.slots, { label: 'slots in use', wide: true })),
    tile('Nodes', f.number(n.connected ?? 0), [n.draining ? `${n.draining} draining` : null, n.gone ? `${n.gone} gone` : null].filter(Boolean).join(', ') || 'connected', null, n.gone > 0 || !n.connected ? 'warn' : ''),
    tile('Jobs', f.number(jobs.running ?? 0), 'running', h('div', { class: 'counts' }, ['queued', 'done', 'failed', 'cancelled'].filter((s) => jobs[s] > 0).map((s) => h('a', { href: `#/jobs?state=${s}`, key: s }, chip(s, `${f.number(jobs[s])} ${s}`)))), 'wide')),
  seen ? h('p', { class: 'muted lines' }, `Lines: ${since}.`) : null];
}

function jobRow(j) {
  const p = j.progress;
  return h('tr', { key: j.id, 'data-row': true },
    h('td', { class: 'title' }, h('a', { href: `#/jobs/${j.id}`, title: j.source }, f.name(j.source)), h('span', { class: 'muted sub' }, j.pipeline)),
    h('td', { class: 'mid' }, jobChip(j, p.phase)),
    h('td', { class: 'progress' }, bar(p.frames_done, p.frames_total, { label: `progress of ${f.name(j.source)}` }), h('span', { class: 'num' }, f.percent(p.frames_done, p.frames_total))),
    h('td', { class: 'num wide-only' }, f.speed(p.speed)),
    h('td', { class: 'num nowrap' }, p.eta_s === null ? f.DASH : f.duration(p.eta_s)));
}

function runningTable(jobs, total) {
  if (jobs.length === 0) {
    return empty('Nothing runs', h('a', { href: '#/submit' }, 'Submit a job'), ' here (n), or with ', h('code', null, 'gopmill submit FILE --out FOLDER'), '.');
  }
  return [h('table', null, h('caption', { class: 'hidden' }, 'Running jobs'),
    h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Source'), h('th', { scope: 'col', class: 'mid' }, 'Phase'), h('th', { scope: 'col' }, 'Progress'), h('th', { scope: 'col', class: 'num wide-only' }, 'Speed'), h('th', { scope: 'col', class: 'num' }, 'Left'))),
    h('tbody', null, jobs.map(jobRow))),
  total > jobs.length ? h('p', { class: 'more' }, h('a', { href: '#/jobs?state=running' }, `All ${f.number(total)} running jobs`)) : null];
}

function failures(farm) {
  const rows = [...(farm.failures ?? [])].sort((a, b) => b.count - a.count);
  if (rows.length === 0) {
    return empty('No attempt has failed', 'since the scheduler started.');
  }
  return h('table', null, h('caption', { class: 'hidden' }, 'Failed attempts by code'),
    h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Code'), h('th', { scope: 'col', class: 'num' }, 'Attempts'), h('th', { scope: 'col' }, 'Last'))),
    h('tbody', null, rows.map((r) => h('tr', { key: r.code }, h('td', null, h('code', null, r.code), h('div', { class: 'sub' }, codeDetails(r.code))), h('td', { class: 'num' }, f.number(r.count)), h('td', { class: 'nowrap' }, time(r.last))))));
}

export function mountFarm(root) {
  let running = null;
  let error = null;
  let isOpen = true;
  let timer = null;

  async function load() {
    if (state.forbidden) {
      return;
    }
    try {
      running = (await get(`/v1/jobs?state=running&limit=${RUNNING}&light=1`)).jobs;
      error = null;
    } catch (e) {
      error = e;
    }
    if (isOpen) {
      draw();
    }
  }
  function draw() {
    const { farm, nodes } = state;
    if (!farm) {
      render(root, h('h1', { class: 'hidden' }, 'Farm'), state.forbidden || state.error ? failure(state.forbidden ?? state.error) : loading('Asking the scheduler'));
      return;
    }
    render(root, h('h1', { class: 'hidden' }, 'Farm'), tiles(farm),
      h('div', { class: 'columns' },
        h('div', { class: 'column' },
          section('Running', { aside: [h('a', { href: '#/submit', title: 'n' }, 'New job'), h('a', { href: '#/jobs' }, 'All jobs')] }, running === null ? (error ? failure(error, load) : loading()) : runningTable(running, farm.jobs?.running ?? 0)),
          section('Failed attempts', { aside: h('span', { class: 'muted' }, 'since ', time(farm.started)) }, failures(farm))),
        section('Nodes and devices', { id: 'nodes', aside: h('a', { href: '#/nodes' }, 'Details') },
          nodes === null ? loading() : nodes.length === 0 ? noNodes() : h('div', { class: 'cards' }, sorted(nodes).slice(0, 60).map((n) => nodeCard(n, { limit: 4 }))),
          nodes && nodes.length > 60 ? h('p', { class: 'more' }, h('a', { href: '#/nodes' }, `All ${nodes.length} nodes`)) : null)));
  }

  const soon = () => {
    timer ??= setTimeout(() => {
      timer = null;
      load();
    }, 400);
  };
  const ends = watchJobs((type) => type !== 'task.retry' && soon());
  const every = setInterval(() => !document.hidden && state.connection !== 'down' && load(), REFRESH_MS);
  load();
  draw();
  return {
    draw,
    close() {
      isOpen = false;
      ends();
      clearInterval(every);
      clearTimeout(timer);
    },
  };
}
