// The attempts of a job: loaded by pages and kept current while it runs, and shown as a table.
import { h } from './dom.js';
import * as f from './format.js';
import { get, query } from './api.js';
import { chip, time } from './ui.js';
import { waitsOf } from './waits.js';

const PAGE = 500;
const MOST = 20000;

export function shortOutcome(a) {
  return a.outcome === 'done' || !a.code ? a.outcome : `${a.outcome}: ${a.code}`;
}

// Keeps rows by number. Those that ended are not asked for again.
export class Attempts {
  constructor(job) {
    this.job = job;
    this.rows = new Map();
    this.isCut = false; // there are more than are kept
    this.error = null;
  }

  // The lowest number that may still change.
  after() {
    let lowest = null;
    let highest = 0;
    for (const a of this.rows.values()) {
      highest = Math.max(highest, a.number);
      if (!a.ended) {
        lowest = lowest === null ? a.number : Math.min(lowest, a.number);
      }
    }
    return lowest === null ? highest : lowest - 1;
  }

  async load(signal) {
    try {
      let after = this.after();
      while (after !== null && this.rows.size < MOST) {
        const page = await get(query(`/v1/jobs/${this.job}/attempts`, { after: after || null, limit: PAGE }), signal);
        page.attempts.forEach((a) => this.rows.set(a.number, a));
        after = page.next ?? null;
      }
      this.isCut = after !== null;
      this.error = null;
    } catch (e) {
      if (e.name !== 'AbortError') {
        this.error = e;
      }
    }
  }

  list() {
    return [...this.rows.values()].sort((a, b) => a.number - b.number);
  }
}

let isTableOpen = false;

// Its rows are made while it is open. redraw(): it was opened or closed.
export function attemptsTable(list, redraw) {
  const newest = list.slice(-200).reverse();
  const retries = isTableOpen ? waitsOf(list, null).retries : null;
  const toggled = (e) => {
    isTableOpen = e.target.open;
    redraw();
  };
  return h('details', { key: 'attempts-table', open: isTableOpen, ontoggle: toggled }, h('summary', null, `Attempts as a table (${newest.length < list.length ? `the newest ${newest.length} of ${f.number(list.length)}` : f.number(list.length)})`),
    isTableOpen ? h('div', { class: 'scroller', tabindex: 0, role: 'region', 'aria-label': 'Attempts' }, h('table', { class: 'small' },
      h('thead', null, h('tr', null, ['No.', 'Task', 'Chunks', 'Where', 'Outcome', 'Tries again', 'Started', 'Took', 'CPU', 'Read', 'Written'].map((t) => h('th', { scope: 'col' }, t)))),
      h('tbody', null, newest.map((a) => h('tr', { key: a.number }, h('td', { class: 'num' }, a.number), h('td', null, a.task),
        h('td', { class: 'num' }, a.chunks > 0 ? f.chunks(a) : ''), h('td', null, `${a.node} · ${a.device}`),
        h('td', null, chip(a.outcome, a.outcome), a.code ? [' ', h('code', { title: a.text ?? '' }, a.code)] : null), h('td', { class: 'num' }, retries.has(a.number) ? `no. ${retries.get(a.number)}` : ''), h('td', { class: 'nowrap' }, time(a.started)),
        h('td', { class: 'num' }, f.duration(f.span(a.started, a.ended))), h('td', { class: 'num' }, a.usage?.cpu_s ? f.duration(a.usage.cpu_s) : ''),
        h('td', { class: 'num' }, a.usage?.bytes_in ? f.bytes(a.usage.bytes_in) : ''), h('td', { class: 'num' }, a.usage?.bytes_out ? f.bytes(a.usage.bytes_out) : '')))))) : null);
}
