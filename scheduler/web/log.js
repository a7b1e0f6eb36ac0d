// What is known of a job's course, as lines: the newest in sight, as long as nobody scrolls away from them.
import { h } from './dom.js';
import * as f from './format.js';
import { get, query } from './api.js';
import { empty, failure, loading, section } from './ui.js';

const PAGE = 500;
const KEPT = 2000;
const DRAWN = 500;

export class Log {
  constructor(job) {
    this.job = job;
    this.lines = [];
    this.after = null;
    this.error = null;
    this.isLoaded = false;
    this.isDropped = false;
    this.filter = '';
    this.box = null;
  }

  async load(signal) {
    if (this.error?.status === 404) {
      return;
    }
    try {
      let more = true;
      while (more) {
        const page = await get(query(`/v1/jobs/${this.job}/logs`, { after: this.after, limit: PAGE }), signal);
        const last = this.lines.at(-1)?.seq ?? -1;
        this.lines.push(...page.lines.filter((l) => l.seq > last));
        this.after = page.lines.at(-1)?.seq ?? this.after;
        more = page.next !== null && page.next !== undefined && page.lines.length > 0;
        if (this.lines.length > KEPT) {
          this.lines.splice(0, this.lines.length - KEPT);
          this.isDropped = true;
        }
      }
      this.error = null;
      this.isLoaded = true;
    } catch (e) {
      if (e.name !== 'AbortError') {
        this.error = e;
      }
    }
  }

  // Nothing where the scheduler keeps none.
  panel(again) {
    if (this.error?.status === 404 && this.lines.length === 0) {
      return null;
    }
    const shown = this.filter ? this.lines.filter((l) => `${l.text} ${l.task ?? ''} ${l.node ?? ''}`.toLowerCase().includes(this.filter)) : this.lines;
    const isAtEnd = !this.box || this.box.scrollHeight - this.box.scrollTop - this.box.clientHeight < 40;
    if (isAtEnd) {
      requestAnimationFrame(() => this.box?.isConnected && (this.box.scrollTop = this.box.scrollHeight));
    }
    return section('Log', { aside: h('input', { type: 'search', class: 'short', placeholder: 'Filter', 'aria-label': 'Filter the log', oninput: (e) => { this.filter = e.target.value.toLowerCase(); again(); } }) },
      this.error && this.lines.length === 0 ? failure(this.error, again) : !this.isLoaded ? loading() : shown.length === 0 ? empty(this.filter ? 'No line has that' : 'Nothing was told yet') : null,
      shown.length > DRAWN || this.isDropped ? h('p', { class: 'muted' }, `The newest ${f.number(Math.min(DRAWN, shown.length))} of ${this.isDropped ? 'more than ' : ''}${f.number(shown.length)} lines${this.filter ? ' that have that' : ''}; gopmill job logs has all.`) : null,
      h('div', { key: 'log', class: 'log', tabindex: 0, role: 'log', 'aria-label': 'Log of the job', 'aria-live': 'off', hidden: shown.length === 0, ref: (box) => { this.box = box; } },
        shown.slice(-DRAWN).map((l) => h('div', { key: l.seq, class: `line ${l.level}` }, h('time', { title: f.absolute(l.time), datetime: l.time }, new Date(l.time).toLocaleTimeString('en-GB')),
          h('span', { class: 'level' }, l.level), h('span', null, l.task ? h('b', null, l.task, ' ') : null, l.text, l.node ? h('span', { class: 'muted' }, ` ${l.node}`) : null)))));
  }
}
