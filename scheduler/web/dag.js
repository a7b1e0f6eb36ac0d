// A job's tasks as a drawing: columns by how many tasks come before, rows so that lines cross little; an edge is a
// line, one whose items are taken while they still come is dashed.
import { h } from './dom.js';
import * as f from './format.js';
import { look } from './ui.js';

const W = 168;
const H = 58;
const GAP_X = 56;
const GAP_Y = 18;

// Column of each task: the longest way to it. What needs itself, or one that is not there, is left as it is.
function layers(tasks) {
  const byName = new Map(tasks.map((t) => [t.name, t]));
  const depth = new Map();
  const visit = (t, path) => {
    if (depth.has(t.name)) {
      return depth.get(t.name);
    }
    if (path.has(t.name)) {
      return 0;
    }
    path.add(t.name);
    let d = 0;
    for (const need of t.needs ?? []) {
      if (byName.has(need)) {
        d = Math.max(d, visit(byName.get(need), path) + 1);
      }
    }
    path.delete(t.name);
    depth.set(t.name, d);
    return d;
  };
  tasks.forEach((t) => visit(t, new Set()));
  const columns = [];
  for (const t of tasks) {
    (columns[depth.get(t.name)] ??= []).push(t);
  }
  return columns;
}

// Orders each column by the mean place of its neighbours, there and back a few times.
function untangle(columns) {
  const at = new Map();
  const number = () => columns.forEach((column) => column.forEach((t, i) => at.set(t.name, i - (column.length - 1) / 2)));
  const mean = (names, self) => {
    const places = names.filter((n) => at.has(n)).map((n) => at.get(n));
    return places.length > 0 ? places.reduce((a, b) => a + b, 0) / places.length : at.get(self);
  };
  const users = new Map();
  columns.flat().forEach((t) => (t.needs ?? []).forEach((n) => users.set(n, [...(users.get(n) ?? []), t.name])));
  number();
  for (let pass = 0; pass < 4; pass++) {
    const isForth = pass % 2 === 0;
    for (const column of isForth ? columns : [...columns].reverse()) {
      const weights = new Map(column.map((t) => [t.name, mean(isForth ? t.needs ?? [] : users.get(t.name) ?? [], t.name)]));
      column.sort((a, b) => weights.get(a.name) - weights.get(b.name));
      number();
    }
  }
}

export function layout(tasks) {
  const columns = layers(tasks);
  untangle(columns);
  const tallest = Math.max(...columns.map((c) => c.length));
  const places = new Map();
  columns.forEach((column, x) => column.forEach((t, i) => places.set(t.name, {
    x: 2 + x * (W + GAP_X),
    y: 2 + (tallest - column.length) * (H + GAP_Y) / 2 + i * (H + GAP_Y),
  })));
  return { places, width: columns.length * (W + GAP_X) - GAP_X + 4, height: tallest * (H + GAP_Y) - GAP_Y + 4 };
}

function edge(from, to, kind) {
  const x1 = from.x + W;
  const y1 = from.y + H / 2;
  const y2 = to.y + H / 2;
  const bend = Math.max(24, (to.x - x1) / 2);
  return h('path', { class: `edge ${kind}`, d: `M${x1} ${y1} C${x1 + bend} ${y1} ${to.x - bend} ${y2} ${to.x} ${y2}`, 'marker-end': 'url(#tip)' });
}

function box(t, place, why) {
  const [kind, , word] = look(t.state);
  const state = word ?? t.state;
  const share = t.total > 0 ? Math.min(1, t.done / t.total) : t.state === 'done' ? 1 : 0;
  const amount = t.total > 1 || (t.total_known === false && t.total > 0) ? `${t.done}/${t.total}${t.total_known === false ? '+' : ''}` : '';
  const where = (t.nodes ?? []).join(', ');
  const retries = t.failures > 0 ? f.plural(t.failures, 'retry', 'retries') : '';
  const title = [`${t.name} (${t.type}): ${state}`, amount && `${amount} done`, where && `on ${where}`, retries, why].filter(Boolean).join('\n');
  return h('g', { key: t.name, class: `task ${kind}`, transform: `translate(${place.x} ${place.y})`, 'data-task': t.name },
    h('title', null, title),
    h('rect', { class: 'box', width: W, height: H, rx: 8 }),
    h('rect', { class: 'fill', x: 0, y: H - 4, width: Math.max(0, share * W), height: 4, rx: 2 }),
    h('circle', { class: 'dot', cx: 16, cy: 19, r: 5 }),
    kind === 'good' ? h('path', { class: 'mark', d: 'M13.2 19.2l2 2 3.6-4' }) : kind === 'bad' ? h('path', { class: 'mark', d: 'M14 17l4 4M18 17l-4 4' }) : null,
    h('text', { x: 29, y: 23.5, class: 'name' }, t.name.length > 15 ? `${t.name.slice(0, 14)}…` : t.name),
    h('text', { x: 14, y: 43, class: 'sub' }, `${state}${retries ? ` · ${retries}` : ''}`),
    h('text', { x: W - 12, y: 43, class: 'sub', 'text-anchor': 'end' }, amount));
}

// tasks: of /v1/jobs/ID/tasks; whys: Map of a task's name to a sentence.
export function dag(tasks, whys) {
  const { places, width, height } = layout(tasks);
  const byName = new Map(tasks.map((t) => [t.name, t]));
  const edges = [];
  for (const t of tasks) {
    for (const need of t.needs ?? []) {
      if (places.has(need)) {
        const isStream = (t.streams ?? []).includes(need);
        const isLive = byName.get(need).state === 'running' && isStream && t.state === 'running';
        edges.push(edge(places.get(need), places.get(t.name), `${isStream ? 'stream' : ''}${isLive ? ' live' : ''}`));
      }
    }
  }
  return h('div', { class: 'scroller', tabindex: 0, role: 'region', 'aria-label': 'Graph of the tasks' },
    h('svg', { class: 'dag', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': `${f.plural(tasks.length, 'task')}: ${tasks.map((t) => `${t.name} ${t.state}`).join(', ')}` },
      h('defs', null, h('marker', { id: 'tip', viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto' }, h('path', { class: 'tip', d: 'M0 1L7 4L0 7Z' }))),
      edges, tasks.map((t) => box(t, places.get(t.name), whys.get(t.name)))));
}
