// The attempts of a job over time, a lane a device, and below them what waited: drawn on a canvas, zoomed with wheel, buttons or keys,
// moved by dragging. A line leads from an attempt that failed to the next try. What it shows is also a table, for who can't see or point.
import * as f from './format.js';
import { shortOutcome } from './attempts.js';
import { waitsOf } from './waits.js';

const LANE = 22;
const GAP = 10;
const AXIS = 24;
const MIN_SPAN_MS = 200;
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 43200, 86400];

const MOST_WAITS = 12; // rows: what waits may be far more than what runs

// As many rows as of `list` lay at one time.
function lane(label, list, now) {
  const rows = [];
  const ends = [];
  for (const a of [...list].sort((x, y) => x.from - y.from)) {
    let at = ends.findIndex((end) => end <= a.from);
    at = at < 0 ? ends.length : at;
    (rows[at] ??= []).push(a);
    ends[at] = a.to ?? now;
  }
  return { label, rows };
}

// A lane a device, and one of waits. [{ label, rows: [[attempt or wait]] }]
function arrange(attempts, waits, now) {
  const devices = new Map();
  for (const a of attempts) {
    const key = `${a.node} · ${a.device}`;
    if (!devices.has(key)) {
      devices.set(key, []);
    }
    devices.get(key).push(a);
  }
  const lanes = [...devices].sort(([a], [b]) => a.localeCompare(b, 'en', { numeric: true })).map(([label, list]) => lane(label, list, now));
  const waiting = lane('waits', waits, now);
  const more = waiting.rows.length - MOST_WAITS;
  if (more > 0) {
    waiting.label = `waits (${more} more rows)`;
    waiting.rows.length = MOST_WAITS;
  }
  return waits.length > 0 ? [...lanes, waiting] : lanes;
}

export class Gantt {
  constructor(root) {
    this.attempts = [];
    this.lanes = [];
    this.view = null; // { from, to } in ms; null: all of it
    this.root = root;
    this.canvas = document.createElement('canvas');
    this.canvas.tabIndex = 0;
    this.canvas.setAttribute('role', 'img');
    this.tip = document.createElement('div');
    this.tip.className = 'tip';
    this.tip.hidden = true;
    root.append(this.canvas, this.tip);
    this.listen();
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(root);
    this.onTheme = () => this.draw();
    window.addEventListener('theme', this.onTheme);
    this.scheme = matchMedia('(prefers-color-scheme: dark)');
    this.scheme.addEventListener('change', this.onTheme);
  }

  close() {
    this.watcher.disconnect();
    window.removeEventListener('theme', this.onTheme);
    this.scheme.removeEventListener('change', this.onTheme);
  }

  // attempts, tasks: of /v1/jobs/ID/attempts and /tasks (or null). now: ms, the scheduler's clock.
  show(attempts, tasks, now) {
    const { waits, retries } = waitsOf(attempts, tasks);
    this.now = now;
    this.retries = retries;
    this.attempts = attempts.map((a) => ({ ...a, from: Date.parse(a.started), to: a.ended ? Date.parse(a.ended) : null }));
    this.lanes = arrange(this.attempts, waits, now);
    const devices = new Set(attempts.map((a) => `${a.node} ${a.device}`)).size;
    const tries = retries.size > 0 ? `, ${retries.size} of them tries again` : '';
    this.canvas.setAttribute('aria-label', `Timeline: ${f.plural(attempts.length, 'attempt')} on ${f.plural(devices, 'device')}${tries}, and ${f.plural(waits.length, 'wait')}; the table below has the same attempts`);
    this.draw();
  }

  whole() {
    const from = Math.min(...this.attempts.map((a) => a.from));
    const to = Math.max(...this.attempts.map((a) => a.to ?? this.now), from + MIN_SPAN_MS);
    const more = (to - from) * 0.02;
    return { from: from - more, to: to + more };
  }

  listen() {
    const c = this.canvas;
    let drag = null;
    c.addEventListener('wheel', (e) => {
      if (!e.ctrlKey && !e.shiftKey && !e.metaKey && Math.abs(e.deltaY) > Math.abs(e.deltaX) && document.activeElement !== c) {
        return; // the page scrolls; once it has the focus the wheel zooms
      }
      e.preventDefault();
      this.zoom(Math.exp(e.deltaY * 0.002), this.timeAt(e.offsetX));
    }, { passive: false });
    c.addEventListener('pointerdown', (e) => {
      drag = { x: e.offsetX, view: this.view ?? this.whole() };
      c.setPointerCapture(e.pointerId);
    });
    c.addEventListener('pointermove', (e) => {
      if (drag) {
        const by = (drag.x - e.offsetX) * (drag.view.to - drag.view.from) / this.width();
        this.view = { from: drag.view.from + by, to: drag.view.to + by };
        this.draw();
      } else {
        this.hover(e.offsetX, e.offsetY);
      }
    });
    c.addEventListener('pointerup', () => { drag = null; });
    c.addEventListener('pointerleave', () => { this.tip.hidden = true; });
    c.addEventListener('dblclick', () => this.fit());
    c.addEventListener('keydown', (e) => {
      const v = this.view ?? this.whole();
      const by = (v.to - v.from) / 8;
      const moves = { ArrowLeft: () => this.move(-by), ArrowRight: () => this.move(by), '+': () => this.zoom(0.7), '=': () => this.zoom(0.7), '-': () => this.zoom(1 / 0.7), 0: () => this.fit() };
      if (moves[e.key] && this.attempts.length > 0) {
        e.preventDefault();
        moves[e.key]();
      }
    });
  }

  fit() {
    this.view = null;
    this.draw();
  }

  move(by) {
    const v = this.view ?? this.whole();
    this.view = { from: v.from + by, to: v.to + by };
    this.draw();
  }

  zoom(factor, around = null) {
    const v = this.view ?? this.whole();
    const span = Math.max(MIN_SPAN_MS, (v.to - v.from) * factor);
    const at = around ?? (v.from + v.to) / 2;
    const share = (at - v.from) / (v.to - v.from);
    this.view = { from: at - span * share, to: at + span * (1 - share) };
    this.draw();
  }

  labels() {
    return this.root.clientWidth < 560 ? 0 : 150;
  }

  width() {
    return this.root.clientWidth - this.labels();
  }

  timeAt(x) {
    const v = this.view ?? this.whole();
    return v.from + ((x - this.labels()) / this.width()) * (v.to - v.from);
  }

  laneHeight(lane) {
    return (this.labels() === 0 ? 16 : 0) + lane.rows.length * LANE + GAP;
  }

  // fn(attempt, x, y, width) for each that is seen.
  each(fn) {
    const v = this.view ?? this.whole();
    const scale = this.width() / (v.to - v.from);
    let y = AXIS;
    for (const lane of this.lanes) {
      const top = y + (this.labels() === 0 ? 16 : 0);
      lane.rows.forEach((row, i) => row.forEach((a) => {
        const end = a.to ?? this.now;
        if (end >= v.from && a.from <= v.to) {
          const x = this.labels() + Math.max(-4, (a.from - v.from) * scale);
          const right = this.labels() + Math.min(this.width() + 4, (end - v.from) * scale);
          fn(a, x, top + i * LANE, Math.max(2, right - x));
        }
      }));
      y += this.laneHeight(lane);
    }
  }

  // What is told of an attempt or a wait that is pointed at.
  words(a) {
    const lasts = f.duration(((a.to ?? this.now) - a.from) / 1000);
    const what = `${a.task}${a.chunks > 0 ? `, chunk ${f.chunks(a)}` : ''}`;
    if (a.why) {
      return `${what}\n${a.to === null ? 'waits' : 'waited'} ${a.why}, ${lasts}`;
    }
    const u = a.usage ?? {};
    const moved = [u.fetch_s > 0 ? `fetching ${f.duration(u.fetch_s)}` : '', u.store_s > 0 ? `storing ${f.duration(u.store_s)}` : ''].filter(Boolean).join(', ');
    const first = this.retries.get(a.number);
    return [what, `${a.node} · ${a.device}`, `${shortOutcome(a)}, ${lasts}`, moved, first ? `tries again what attempt ${first} did not end` : '', a.text ?? ''].filter(Boolean).join('\n');
  }

  hover(x, y) {
    let found = null;
    this.each((a, left, top, width) => {
      if (x >= left - 1 && x <= left + width + 1 && y >= top && y < top + LANE) {
        found = a;
      }
    });
    this.tip.hidden = !found;
    if (!found) {
      return;
    }
    this.tip.textContent = this.words(found);
    this.tip.style.left = `${Math.max(0, Math.min(this.root.clientWidth - 260, x + 12))}px`;
    this.tip.style.top = `${y + 16}px`;
  }

  axis(g, css, height) {
    const v = this.view ?? this.whole();
    const zero = Math.min(...this.attempts.map((a) => a.from));
    const span = (v.to - v.from) / 1000;
    const step = STEPS.find((s) => span / s <= this.width() / 90) ?? 86400;
    g.textBaseline = 'middle';
    for (let s = Math.ceil((v.from - zero) / 1000 / step) * step; s * 1000 + zero <= v.to; s += step) {
      const x = Math.round(this.labels() + ((s * 1000 + zero - v.from) / (v.to - v.from)) * this.width()) + 0.5;
      g.strokeStyle = css('--line');
      g.beginPath();
      g.moveTo(x, AXIS - 6);
      g.lineTo(x, height);
      g.stroke();
      g.fillStyle = css('--muted');
      if (s >= 0) {
        g.fillText(s === 0 ? '0' : step < 1 ? `${s.toFixed(1)} s` : f.duration(s).replace(/\.0 s$/, ' s').replace(/ 00 (s|min)$/, ''), x + 4, 9);
      }
    }
  }

  wait(g, css, a, x, y, width) {
    g.save();
    g.strokeStyle = css('--line-strong');
    g.setLineDash([3, 3]);
    g.strokeRect(x + 0.5, y + 4.5, Math.max(1, width - 1), LANE - 11);
    g.restore();
    this.label(g, css('--muted'), a, x, y, width);
  }

  label(g, colour, a, x, y, width) {
    if (width > 34) {
      g.save();
      g.beginPath();
      g.rect(x, y, width - 4, LANE);
      g.clip();
      g.fillStyle = colour;
      g.fillText(a.chunks > 0 ? `${a.task} ${f.chunks(a)}` : a.task, x + 7, y + 1 + (LANE - 4) / 2 + 0.5);
      g.restore();
    }
  }

  // What of it was spent on bodies: fetching at its begin, storing towards its end, as strips below.
  transfers(g, css, a, x, y, width) {
    const lasts = ((a.to ?? this.now) - a.from) / 1000;
    const long = (s) => Math.min(width, (s / lasts) * width);
    g.fillStyle = css('--text');
    if (a.usage?.fetch_s > 0 && lasts > 0) {
      g.fillRect(x, y + LANE - 5, long(a.usage.fetch_s), 2);
    }
    if (a.usage?.store_s > 0 && lasts > 0) {
      g.fillRect(x + width - long(a.usage.store_s), y + LANE - 5, long(a.usage.store_s), 2);
    }
  }

  // From each attempt that failed to the next try.
  ties(g, css, places) {
    g.save();
    g.strokeStyle = css('--warn');
    g.lineWidth = 1.5;
    for (const [number, first] of this.retries) {
      const to = places.get(number);
      const from = places.get(first);
      if (to && from) {
        g.beginPath();
        g.moveTo(from.right, from.y);
        g.bezierCurveTo(from.right + 14, from.y, to.x - 14, to.y, to.x, to.y);
        g.stroke();
        g.beginPath();
        g.arc(to.x, to.y, 3, 0, 2 * Math.PI);
        g.stroke();
      }
    }
    g.restore();
  }

  bar(g, css, a, x, y, width) {
    if (a.why) {
      this.wait(g, css, a, x, y, width);
      return;
    }
    const kind = { running: '--busy', done: '--good', failed: '--bad', lost: '--warn', cancelled: '--off' }[a.outcome] ?? '--off';
    const height = LANE - 4;
    g.fillStyle = css(`${kind}-soft`);
    g.fillRect(x, y + 1, width, height);
    g.fillStyle = css(kind);
    g.fillRect(x, y + 1, Math.min(3, width), height);
    if (a.outcome === 'failed' || a.outcome === 'lost') { // a shape besides the colour
      g.save();
      g.beginPath();
      g.rect(x, y + 1, width, height);
      g.clip();
      g.strokeStyle = css(kind);
      g.beginPath();
      for (let s = x - height; s < x + width; s += 7) {
        g.moveTo(s, y + 1 + height);
        g.lineTo(s + height, y + 1);
      }
      g.stroke();
      g.restore();
    }
    this.transfers(g, css, a, x, y, width);
    this.label(g, css('--text'), a, x, y, width);
  }

  draw() {
    const width = this.root.clientWidth;
    if (this.attempts.length === 0 || width === 0) {
      return;
    }
    const style = getComputedStyle(document.documentElement);
    const css = (name) => style.getPropertyValue(name).trim();
    const height = AXIS + this.lanes.reduce((sum, lane) => sum + this.laneHeight(lane), 0);
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = width * ratio;
    this.canvas.height = height * ratio;
    this.canvas.style.height = `${height}px`;
    const g = this.canvas.getContext('2d');
    g.scale(ratio, ratio);
    g.font = `11px ${style.getPropertyValue('--font') || 'sans-serif'}`;
    this.axis(g, css, height);
    g.save();
    g.beginPath();
    g.rect(this.labels(), 0, this.width(), height);
    g.clip();
    const places = new Map(); // of what is seen
    this.each((a, x, y, w) => {
      this.bar(g, css, a, x, y, w);
      if (a.number) {
        places.set(a.number, { x, right: x + w, y: y + LANE / 2 - 1 });
      }
    });
    this.ties(g, css, places);
    g.restore();
    let y = AXIS;
    for (const lane of this.lanes) {
      g.fillStyle = css('--muted');
      if (this.labels() > 0) {
        g.save();
        g.beginPath();
        g.rect(0, y, this.labels() - 10, 22);
        g.clip();
        g.fillText(lane.label, 0, y + 10);
        g.restore();
      } else {
        g.fillText(lane.label, 0, y + 7);
      }
      y += this.laneHeight(lane);
    }
  }
}
