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
function depths(tasks) {
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
  return depth;
}

// Columns of items: tasks, and a point in each column that a line crosses on its way to a task further on, so that
// lines go between boxes. Item: { key, height, before: [keys], after: [keys] }. lines: { from, to, points: [keys] }.
function arrange(tasks) {
  const depth = depths(tasks);
  const columns = Array.from({ length: Math.max(...depth.values()) + 1 }, () => []);
  const items = new Map();
  const add = (key, column, height) => {
    const item = { key, height, before: [], after: [] };
    items.set(key, item);
    columns[column].push(item);
  };
  tasks.forEach((t) => add(t.name, depth.get(t.name), H));
  const lines = [];
  for (const t of tasks) {
    for (const need of (t.needs ?? []).filter((n) => depth.has(n) && depth.get(n) < depth.get(t.name))) {
      const points = [];
      for (let c = depth.get(need) + 1; c < depth.get(t.name); c++) {
        points.push(`${need}>${t.name}@${c}`);
        add(points.at(-1), c, 0);
      }
      const way = [need, ...points, t.name];
      way.slice(1).forEach((key, i) => {
        items.get(key).before.push(way[i]);
        items.get(way[i]).after.push(key);
      });
      lines.push({ from: need, to: t.name, points });
    }
  }
  return { columns, lines };
}

// Orders each column by the mean place of its neighbours, there and back a few times.
function untangle(columns) {
  const at = new Map();
  const number = () => columns.forEach((column) => column.forEach((item, i) => at.set(item.key, i - (column.length - 1) / 2)));
  const mean = (keys, self) => (keys.length > 0 ? keys.reduce((sum, key) => sum + at.get(key), 0) / keys.length : at.get(self));
  number();
  for (let pass = 0; pass < 6; pass++) {
    const isForth = pass % 2 === 0;
    for (const column of isForth ? columns : [...columns].reverse()) {
      const weights = new Map(column.map((item) => [item.key, mean(isForth ? item.before : item.after, item.key)]));
      column.sort((a, b) => weights.get(a.key) - weights.get(b.key));
      number();
    }
  }
}

export function layout(tasks) {
  const { columns, lines } = arrange(tasks);
  untangle(columns);
  const tall = (column) => column.reduce((sum, item) => sum + item.height + GAP_Y, -GAP_Y);
  const height = Math.max(...columns.map(tall));
  const places = new Map();
  columns.forEach((column, c) => {
    let y = 2 + (height - tall(column)) / 2;
    for (const item of column) {
      places.set(item.key, { x: 2 + c * (W + GAP_X), y });
      y += item.height + GAP_Y;
    }
  });
  return { places, lines, width: columns.length * (W + GAP_X) - GAP_X + 4, height: height + 4 };
}

function edge(line, places, kind) {
  let { x, y } = places.get(line.from);
  x += W;
  y += H / 2;
  let d = `M${x} ${y}`;
  const to = (nextX, nextY) => {
    const bend = (nextX - x) / 2;
    d += ` C${x + bend} ${y} ${nextX - bend} ${nextY} ${nextX} ${nextY}`;
    [x, y] = [nextX, nextY];
  };
  for (const key of line.points) {
    const p = places.get(key);
    to(p.x, p.y);
    x = p.x + W;
    d += ` L${x} ${y}`;
  }
  const end = places.get(line.to);
  to(end.x, end.y + H / 2);
  return h('path', { class: `edge ${kind}`, d, 'marker-end': 'url(#tip)' });
}

function box(t, place, why) {
  const [kind, , word] = look(t.state);
  const state = word ?? t.state;
  const share = t.total > 0 ? Math.min(1, t.done / t.total) : t.state === 'done' ? 1 : 0;
  const isUntouched = t.state === 'ended' && t.done === 0; // another task failed before it began
  const amount = isUntouched ? '' : t.total > 1 || (t.total_known === false && t.total > 0) ? `${t.done}/${t.total}${t.total_known === false ? '+' : ''}` : '';
  const where = (t.nodes ?? []).join(', ');
  const again = t.failures - (t.state === 'failed' ? 1 : 0); // its last failure ended it
  const retries = again > 0 ? f.plural(again, 'retry', 'retries') : '';
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
  const { places, lines, width, height } = layout(tasks);
  const byName = new Map(tasks.map((t) => [t.name, t]));
  const edges = lines.map((line) => {
    const isStream = (byName.get(line.to).streams ?? []).includes(line.from);
    const isLive = isStream && byName.get(line.from).state === 'running' && byName.get(line.to).state === 'running';
    return edge(line, places, `${isStream ? 'stream' : ''}${isLive ? ' live' : ''}`);
  });
  return h('div', { class: 'scroller', tabindex: 0, role: 'region', 'aria-label': 'Graph of the tasks' },
    h('svg', { class: 'dag', viewBox: `0 0 ${width} ${height}`, width, height, role: 'img', 'aria-label': `${f.plural(tasks.length, 'task')}: ${tasks.map((t) => `${t.name} ${t.state}`).join(', ')}` },
      h('defs', null, h('marker', { id: 'tip', viewBox: '0 0 8 8', refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: 'auto' }, h('path', { class: 'tip', d: 'M0 1L7 4L0 7Z' }))),
      edges, tasks.map((t) => box(t, places.get(t.name), whys.get(t.name)))));
}
