// The frame: which view the address names, the bar above it, keys, themes, and what the page says when it is cut off.
import { h, render } from './dom.js';
import * as f from './format.js';
import { getToken, whenDenied } from './api.js';
import { again, start, state, watch } from './live.js';
import { askToken, showKeys } from './dialogs.js';
import { listen } from './keys.js';
import { icon, toast } from './ui.js';
import { mountFarm } from './farm.js';
import { mountNodes } from './nodes.js';
import { mountJobs } from './jobs.js';
import { mountJob } from './job.js';
import { mountAssets } from './assets.js';
import { mountHooks } from './hooks.js';
import { mountSubmit } from './submit.js';

const VIEWS = [
  { id: 'farm', title: 'Farm', key: 'f' },
  { id: 'jobs', title: 'Jobs', key: 'j' },
  { id: 'nodes', title: 'Nodes', key: 'n' },
  { id: 'assets', title: 'Assets', key: 'a' },
  { id: 'webhooks', title: 'Webhooks', key: 'w' },
  { id: 'submit', title: 'New job', key: 's' },
];
const main = document.getElementById('main');

// ---- the theme: as the system, or chosen; kept on this machine

const THEMES = ['system', 'light', 'dark'];
let theme = localStorage.getItem('gopmill-theme') ?? 'system';
function applyTheme() {
  if (theme === 'system') {
    delete document.documentElement.dataset.theme;
  } else {
    document.documentElement.dataset.theme = theme;
  }
  window.dispatchEvent(new Event('theme'));
}
function nextTheme() {
  theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
  localStorage.setItem('gopmill-theme', theme);
  applyTheme();
  drawBar();
}

// ---- the view

let view = null; // { draw(), close() }
let place = { id: 'farm', job: null, query: new URLSearchParams() };

function parse() {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [id, job] = path.split('/');
  return { id: VIEWS.some((v) => v.id === id) ? id : 'farm', job: id === 'jobs' && job ? job : null, query: new URLSearchParams(query) };
}

function route() {
  const next = parse();
  if (view && next.id === place.id && next.job === place.job && view.moved) {
    place = next;
    view.moved(next.query);
    return;
  }
  view?.close();
  place = next;
  const root = document.createElement('div');
  root.className = `view view-${place.job ? 'job' : place.id}`;
  main.replaceChildren(root);
  const mounts = { farm: mountFarm, nodes: mountNodes, assets: mountAssets, jobs: mountJobs, webhooks: mountHooks, submit: mountSubmit };
  view = place.job ? mountJob(root, place.job) : mounts[place.id](root, place.query);
  document.title = `${place.job ? f.shortId(place.job) : VIEWS.find((v) => v.id === place.id).title} · gopmill`;
  window.scrollTo(0, 0);
  drawBar();
}

// ---- the bar

const CONNECTION = {
  connecting: ['idle', 'waiting', 'connecting'],
  live: ['good', 'done', 'live'],
  polling: ['warn', 'retry', 'asking every 5 s'],
  down: ['bad', 'warning', 'cut off'],
  denied: ['bad', 'key', 'token needed'],
};

function connectionChip() {
  const [kind, shape, word] = CONNECTION[state.connection];
  return h('span', { class: `chip ${kind} connection`, title: state.farm ? `gopmill ${state.farm.version ?? ''}, up since ${f.absolute(state.farm.started)}` : '' }, icon(shape), word);
}

function drawBar() {
  render(document.getElementById('bar'),
    h('a', { class: 'brand', href: '#/farm', 'aria-label': 'gopmill, the farm' }, h('img', { src: '/web/icon.svg', alt: '', width: 22, height: 22 }), h('span', null, 'gopmill')),
    h('nav', { 'aria-label': 'Views' }, VIEWS.map((v) => h('a', {
      href: `#/${v.id}`, key: v.id, 'aria-current': v.id === place.id ? 'page' : null, title: `g ${v.key}`,
    }, v.title))),
    h('div', { class: 'tools' }, connectionChip(),
      getToken() || state.connection === 'denied' ? h('button', { type: 'button', class: 'plain', 'aria-label': 'Token', title: 'Token', onclick: () => askToken(restart) }, icon('key')) : null,
      h('button', { type: 'button', class: 'plain', 'aria-label': `Theme: ${theme}`, title: `Theme: ${theme} (t)`, onclick: nextTheme }, icon(theme === 'dark' ? 'moon' : 'sun')),
      h('button', { type: 'button', class: 'plain', 'aria-label': 'Keys', title: 'Keys (?)', onclick: showKeys }, icon('help'))));
}

let told = null;
function drawNotice() {
  const cut = state.connection === 'down';
  const farm = state.farm;
  const reasons = farm && farm.ready === false ? farm.reasons ?? [] : [];
  render(document.getElementById('notice'),
    cut ? h('div', { class: 'notice bad', role: 'alert' }, icon('warning'),
      h('span', null, h('strong', null, 'Cut off from the scheduler. '), 'What is shown may be old; the page goes on by itself when it answers.'),
      h('button', { type: 'button', onclick: again }, 'Try now')) : null,
    state.connection === 'denied' ? h('div', { class: 'notice warn', role: 'alert' }, icon('key'), h('span', null, h('strong', null, 'A token is needed. '), getToken() ? 'The scheduler does not take the one that this tab has.' : ''),
      h('button', { type: 'button', class: 'primary', onclick: () => askToken(restart) }, 'Enter a token')) : null,
    farm && farm.leader === false ? h('div', { class: 'notice warn', role: 'status' }, icon('warning'), h('span', null, 'This scheduler stands by; another one leads.')) : null,
    !cut && farm && farm.ready === false ? h('div', { class: 'notice warn', role: 'status' }, icon('warning'), h('span', null, h('strong', null, 'No new jobs are taken. '), reasons.join('; '))) : null);
  if (told === 'down' && state.connection === 'live') {
    toast('Connected again');
  }
  told = ['down', 'live'].includes(state.connection) ? state.connection : told;
}

function restart() {
  start();
  view?.close();
  view = null;
  route();
}

listen({
  go(letter) {
    const to = VIEWS.find((v) => v.key === letter);
    if (to) {
      location.hash = `#/${to.id}`;
    }
    return Boolean(to);
  },
  search() {
    const field = document.querySelector('main input[type=search]');
    if (field) {
      field.focus();
      field.select();
    } else {
      sessionStorage.setItem('gopmill-search', '1');
      location.hash = '#/jobs';
    }
  },
  create() {
    location.hash = '#/submit';
  },
  help: showKeys,
  back() {
    if (place.job) {
      location.hash = '#/jobs';
    }
  },
  theme: nextTheme,
});

function draw() {
  drawBar();
  drawNotice();
  view?.draw?.();
}

applyTheme();
window.addEventListener('hashchange', () => {
  route();
  if (!main.contains(document.activeElement)) { // a form has given it to its first field
    main.focus({ preventScroll: true });
  }
});
watch(draw);
whenDenied(() => {
  if (state.connection !== 'denied') {
    state.connection = 'denied';
    draw();
  }
});
setInterval(() => {
  if (!document.hidden) {
    view?.draw?.();
  }
}, 1000);
start();
route();
