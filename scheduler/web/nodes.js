// Nodes and their devices: as cards for the farm's view, and the view of nodes with all that is known of them.
import { h, render } from './dom.js';
import * as f from './format.js';
import { post } from './api.js';
import { state, watch } from './live.js';
import { askReason, confirmation } from './dialogs.js';
import { act, bar, chip, empty, facts, failure, loading, time } from './ui.js';

export function nodeState(node) {
  if (node.restarting) {
    return 'restarting';
  }
  if (!node.connected) {
    return 'gone';
  }
  return node.draining ? 'draining' : node.state in { connected: 1, draining: 1, silent: 1, gone: 1, quarantined: 1 } ? node.state : 'connected';
}

const path = (node, verb) => `/v1/nodes/${encodeURIComponent(node.id)}:${verb}`;

const leasesOf = (node, device) => node.leases.filter((l) => l.device === device.id);

function leaseTitle(l) {
  const chunks = l.chunks > 0 ? `, chunk ${f.chunks(l)}` : '';
  return `${l.task}${chunks} of job ${f.shortId(l.job)}${l.eta_s !== null ? `, ${f.duration(l.eta_s)} left` : ''}`;
}

// A square a slot; of more than 48 a bar.
function slots(node, device) {
  const { slots: total } = device.capacity;
  const used = device.used.slots;
  const leases = leasesOf(node, device);
  if (total > 48) {
    return bar(used, total, { label: `${used} of ${total} slots`, wide: true });
  }
  return h('span', { class: 'slots', role: 'img', 'aria-label': `${used} of ${total} slots are used` },
    Array.from({ length: total }, (_, i) => {
      const lease = leases[i];
      return h('span', { class: `slot ${i < used ? (lease?.cancelling ? 'off' : 'busy') : ''}`, title: lease ? leaseTitle(lease) : i < used ? 'used' : 'free' });
    }));
}

// What tasks were given to work with, which is not what they take of it.
function use(label, used, total, show) {
  return total > 0 ? h('div', { class: 'use', key: label }, h('span', null, label), bar(used, total, { label: `${label} reserved`, kind: used / total > 0.9 ? 'warn' : 'busy' }), h('span', { class: 'num' }, `${show(used)} of ${show(total)} reserved`)) : null;
}

function quarantine(node, d, isLong) {
  const q = d.quarantine;
  const lift = () => act(() => post(path(node, 'resume'), { device: d.id }), `${d.id} of ${node.id} is tried again`);
  return q ? h('div', { class: 'why' }, chip(q.state), h('span', { class: 'grow' }, q.why, h('span', { class: 'muted' }, ` (by the ${q.by}, `, time(q.since), ')')),
    isLong ? h('button', { type: 'button', class: 'small', 'aria-label': `Lift the quarantine of ${d.id}`, onclick: lift }, 'Lift') : null) : null;
}

function device(node, d, isLong) {
  const c = d.capacity;
  return h('div', { class: 'device', key: d.id },
    h('div', { class: 'device-head' }, h('span', { class: 'kind' }, d.kind), h('span', { class: 'device-name', title: d.id }, d.description || d.id),
      h('span', { class: 'num' }, c.slots > 0 ? `${d.used.slots}/${c.slots}` : 'takes no tasks')),
    quarantine(node, d, isLong),
    c.slots > 0 ? slots(node, d) : null,
    c.slots > 0 || isLong ? h('div', { class: 'uses' },
      use('processor', d.used.cpus, c.cpus, (v) => f.number(v, v % 1 ? 1 : 0)),
      use('memory', d.used.memory_bytes, c.memory_bytes, f.bytes),
      use('device memory', d.used.device_memory_bytes, c.device_memory_bytes, f.bytes),
      use('encoder sessions', d.used.sessions, c.sessions, (v) => f.number(v)),
      isLong ? use('scratch', d.used.scratch_bytes, c.scratch_bytes, f.bytes) : null) : null);
}

function leaseRow(l) {
  return h('li', { key: `${l.job}-${l.task}-${l.instance}-${l.attempt}` },
    h('a', { href: `#/jobs/${l.job}`, title: leaseTitle(l) }, h('span', { class: 'task' }, l.task), h('span', { class: 'muted' }, l.chunks > 0 ? ` ${f.chunks(l)}` : '')),
    h('code', { class: 'muted' }, f.shortId(l.job)),
    l.frames_total > 0 ? bar(l.frames_done, l.frames_total, { label: `${l.task} of ${f.shortId(l.job)}` }) : h('span', { class: 'muted' }, l.cancelling ? 'is told to end' : 'runs'),
    h('span', { class: 'num muted' }, l.eta_s === null ? f.duration(f.span(l.started)) : `${f.duration(l.eta_s)} left`));
}

export function nodeCard(node, { limit = 6, long = false } = {}) {
  const what = nodeState(node);
  const leases = node.leases.slice(0, limit);
  return h('article', { class: `card node ${what}`, key: node.id, 'aria-label': `node ${node.id}` },
    h('header', null, h(long ? 'h2' : 'h3', null, long ? node.id : h('a', { href: '#/nodes' }, node.id)), chip(what),
      h('span', { class: 'muted grow' }, node.hostname !== node.id ? node.hostname : '')),
    what === 'gone' ? h('p', { class: 'muted' }, 'seen ', time(node.seen_at)) : null,
    node.devices.map((d) => device(node, d, long)),
    leases.length > 0 ? h('ul', { class: 'leases', 'aria-label': 'what runs here' }, leases.map(leaseRow)) : null,
    node.leases.length > leases.length ? h('p', { class: 'muted' }, `and ${f.plural(node.leases.length - leases.length, 'task')} more`) : null,
    long ? longPart(node) : null);
}

function measured(d) {
  return d.measured ? h('details', { key: `m-${d.id}` }, h('summary', null, `measured ${f.ago(d.measured.at)}: ${d.kind}`),
    h('table', { class: 'small' }, h('thead', null, h('tr', null, ['what', 'by', 'of', 'one stream', 'all'].map((t) => h('th', { scope: 'col' }, t)))),
      h('tbody', null, d.measured.rates.map((r) => h('tr', null, h('td', null, r.what), h('td', null, r.api), h('td', null, `${r.codec} ${r.height}p${r.depth > 8 ? ` ${r.depth} bit` : ''}`),
        h('td', { class: 'num' }, r.one > 0 ? f.pixels(r.one) : f.DASH), h('td', { class: 'num' }, r.all > 0 ? `${f.pixels(r.all)} (${r.streams})` : f.DASH)))))) : null;
}

function longPart(node) {
  const notes = [...(node.notes ?? []), ...node.devices.flatMap((d) => d.notes ?? [])];
  return h('div', { class: 'long' },
    notes.length > 0 ? h('ul', { class: 'notes' }, notes.map((n) => h('li', null, n))) : null,
    facts([['build', node.build], ['protocol', f.number(node.protocol)], ['connected', time(node.connected_at)], ['seen', time(node.seen_at)]]),
    node.devices.map(measured),
    h('div', { class: 'buttons' },
      node.draining || node.restarting
        ? h('button', { type: 'button', key: 'resume', onclick: () => act(() => post(path(node, 'resume')), `${node.id} takes work again`) }, 'Resume')
        : h('button', { type: 'button', key: 'drain', onclick: () => act(() => post(path(node, 'drain')), `${node.id} finishes what it has`) }, 'Drain'),
      node.restarts && node.connected ? h('button', { type: 'button', key: 'restart', onclick: () => confirmation(`Restart ${node.id}?`, 'It finishes what it has, ends, and is started anew by what runs it.', 'Restart', () => act(() => post(path(node, 'restart'), {}), `${node.id} restarts when it is done`)) }, 'Restart') : null,
      h('button', { type: 'button', key: 'quarantine', onclick: () => askReason(`Quarantine ${node.id}`, (reason) => act(() => post(path(node, 'quarantine'), { reason }), `${node.id} is in quarantine`)) }, 'Quarantine …')));
}

const ORDER = { quarantined: 0, gone: 1, draining: 2, restarting: 2, connected: 3 };

export function sorted(nodes) {
  return [...nodes].sort((a, b) => (ORDER[nodeState(a)] ?? 3) - (ORDER[nodeState(b)] ?? 3) || a.id.localeCompare(b.id, 'en', { numeric: true }));
}

export function noNodes() {
  return empty('No node is connected', 'Start one with ', h('code', null, 'gopmill-node --config FILE'), '; it appears here at once. Jobs wait until then.');
}

export function mountNodes(root) {
  let filter = '';
  function draw() {
    const nodes = state.nodes;
    const rows = nodes && sorted(nodes).filter((n) => `${n.id} ${n.hostname} ${n.devices.map((d) => `${d.kind} ${d.description}`).join(' ')}`.toLowerCase().includes(filter));
    render(root, h('div', { class: 'head' }, h('h1', null, 'Nodes'),
      nodes ? h('span', { class: 'muted' }, `${f.plural(nodes.filter((n) => n.connected).length, 'node')} connected`) : null,
      h('input', { type: 'search', 'aria-label': 'Search nodes', placeholder: 'Name, host, device', oninput: (e) => { filter = e.target.value.trim().toLowerCase(); draw(); } })),
    nodes === null ? (state.forbidden || state.error ? failure(state.forbidden ?? state.error) : loading('Asking for the nodes')) : nodes.length === 0 ? noNodes() : rows.length === 0 ? empty('No node is called that') : h('div', { class: 'cards long' }, rows.map((n) => nodeCard(n, { limit: 50, long: true }))));
  }
  draw();
  const end = watch(draw);
  return { draw, close: end };
}
