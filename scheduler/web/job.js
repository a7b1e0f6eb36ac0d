// One job: where it stands, the graph of its tasks, its attempts over time, why it waits, what came of it, its log.
import { h, render } from './dom.js';
import * as f from './format.js';
import { get, keyed, openFile, post } from './api.js';
import { lacksEvents, state, watch, watchJobs } from './live.js';
import { follow } from './stream.js';
import { askPriority, confirmation } from './dialogs.js';
import { Attempts, attemptsTable } from './attempts.js';
import { dag } from './dag.js';
import { Gantt } from './gantt.js';
import { Log } from './log.js';
import { Result } from './player.js';
import { outcome } from './report.js';
import { act, bar, chip, codeDetails, copy, empty, facts, failure, jobChip, loading, section, time, toast } from './ui.js';

const REFRESH_MS = 3000;
const PROGRESS_MS = 1000;
const PHASES = ['inspect', 'plan', 'split', 'analyze', 'encode', 'audio', 'package', 'publish'];
const FINAL = ['done', 'failed', 'cancelled'];

const isFinal = (job) => FINAL.includes(job.state);

// Phases that this job has, with what is behind it, where it is and what comes.
function phases(job) {
  const types = new Set(job.tasks.map((t) => t.type));
  const has = PHASES.filter((p) => p === 'publish' || types.has(p)).filter((p) => p !== 'audio' || !types.has('encode'));
  const at = job.state === 'done' ? has.length : has.indexOf(job.state === 'publishing' ? 'publish' : job.progress.phase);
  return h('ol', { class: 'phases', 'aria-label': 'Phases' }, has.map((p, i) => {
    const task = job.tasks.find((t) => t.type === p);
    const kind = i < at || (at < 0 && task?.state === 'done') ? 'good' : i === at ? 'busy' : task?.state === 'failed' ? 'bad' : 'idle';
    return h('li', { key: p, class: kind, 'aria-current': i === at ? 'step' : null }, p, h('span', { class: 'hidden' }, kind === 'good' ? ', over' : kind === 'busy' ? ', now' : ''));
  }));
}

function progress(job) {
  const p = job.progress;
  const done = job.state === 'done';
  const took = f.span(job.started, job.finished);
  return section('Progress', { aside: done ? h('span', { class: 'muted' }, took === null ? '' : `took ${f.duration(took)}`) : null },
    phases(job),
    h('div', { class: 'big-progress' }, bar(done ? 1 : p.frames_done, done ? 1 : p.frames_total, { label: 'frames', kind: job.state === 'failed' ? 'bad' : done ? 'good' : 'busy', wide: true }),
      h('strong', { class: 'num' }, done ? '100 %' : f.percent(p.frames_done, p.frames_total))),
    h('div', { class: 'figures' },
      h('div', null, h('span', null, 'Frames'), h('b', null, p.frames_total > 0 ? `${f.number(p.frames_done)} / ${p.frames_exact ? '' : '~'}${f.number(p.frames_total)}` : f.DASH)),
      isFinal(job) ? null : h('div', null, h('span', null, 'Rate'), h('b', null, p.fps > 0 ? `${f.number(p.fps, 0)} fps` : f.DASH)),
      isFinal(job) ? null : h('div', null, h('span', null, 'Speed'), h('b', null, f.speed(p.speed))),
      isFinal(job) ? null : h('div', null, h('span', null, 'Left'), h('b', { title: f.absolute(job.eta) }, p.eta_s === null ? f.DASH : f.duration(p.eta_s))),
      h('div', null, h('span', null, 'Chunks'), h('b', null, `${p.chunks.done} done, ${p.chunks.running} running, ${p.chunks.waiting} waiting`))),
    warnings(job));
}

function trouble(job) {
  if (!job.error) {
    return null;
  }
  return h('div', { class: 'failure', role: 'alert', key: 'error' }, h('div', null, h('strong', null, job.state === 'cancelled' ? 'Cancelled' : 'Failed'), ' ', h('code', null, job.error.code),
    h('p', null, job.error.text), h('p', { class: 'muted' }, job.error.remedy ?? codeDetails(job.error.code))));
}

function warnings(job) {
  return job.warnings?.length > 0 ? h('details', { class: 'warnings', key: 'warnings' }, h('summary', null, f.plural(job.warnings.length, 'warning')),
    h('ul', null, job.warnings.map((w) => h('li', { key: w.code }, h('code', null, w.code), ' ', w.text, w.count > 1 ? h('span', { class: 'muted' }, ` (${f.number(w.count)} times)`) : null)))) : null;
}

function whyPanel(job, explain) {
  if (!explain || isFinal(job)) {
    return null;
  }
  const rows = explain.tasks.filter((t) => t.state !== 'done' && t.state !== 'ended');
  const shown = rows.slice(0, 12);
  return section('Why', { id: 'why' }, shown.length === 0 ? empty('Nothing waits') : h('ul', { class: 'whys' }, shown.map((t) => h('li', { key: `${t.task}-${t.instance}` },
    chip(t.state), h('span', { class: 'task' }, t.task, t.instance > 0 ? ` ${t.instance}` : ''), h('span', null, t.why)))),
  rows.length > shown.length ? h('p', { class: 'muted' }, `and ${rows.length - shown.length} more`) : null);
}

export function mountJob(root, id) {
  const control = new AbortController();
  const attempts = new Attempts(id);
  const log = new Log(id);
  const head = document.createElement('div');
  const top = document.createElement('div');
  const graph = document.createElement('div');
  const timeline = document.createElement('div');
  const result = document.createElement('div');
  const rest = document.createElement('div');
  root.append(head, top, result, graph, timeline, rest);
  const ganttRoot = document.createElement('div');
  ganttRoot.className = 'gantt';
  let gantt = null;
  let player = null;
  let job = null;
  let tasks = null;
  let tasksError = null;
  let explain = null;
  let report = null;
  let reportAt = '';
  let error = null;
  let isLoading = false;
  let isAgain = false;
  let timer = null;
  let closeOwn = null;
  const postRetry = keyed();

  const optional = async (path) => {
    try {
      return await get(path, control.signal);
    } catch (e) {
      if (e.name === 'AbortError') {
        throw e;
      }
      return e;
    }
  };

  async function load() {
    if (isLoading) {
      isAgain = true;
      return;
    }
    isLoading = true;
    try {
      job = await get(`/v1/jobs/${id}`, control.signal);
      error = null;
      draw();
      const wanted = `${job.state} ${job.progress.phase} ${job.publication}`;
      const parts = await Promise.all([optional(`/v1/jobs/${id}/tasks`), isFinal(job) ? null : optional(`/v1/jobs/${id}:explain`),
        wanted !== reportAt ? optional(`/v1/jobs/${id}/report`) : report, attempts.load(control.signal), log.load(control.signal)]);
      tasksError = parts[0] instanceof Error ? parts[0] : null;
      tasks = tasksError ? tasks : parts[0].tasks;
      explain = parts[1] instanceof Error ? explain : parts[1];
      if (!(parts[2] instanceof Error)) {
        report = parts[2];
        reportAt = wanted;
      }
      draw();
    } catch (e) {
      if (e.name === 'AbortError') {
        return;
      }
      error = e;
      draw();
    } finally {
      isLoading = false;
    }
    if (isAgain) {
      isAgain = false;
      soon();
    }
  }
  function soon() {
    timer ??= setTimeout(() => {
      timer = null;
      load();
    }, 350);
  }

  function buttons() {
    const isOver = isFinal(job);
    return h('div', { class: 'buttons' },
      !isOver && job.state !== 'cancelling' ? h('button', { type: 'button', key: 'p', onclick: () => askPriority(job.priority, (priority) => act(() => post(`/v1/jobs/${id}:priority`, { priority }), `Its priority is ${priority}`).then(load)) }, `Priority ${job.priority}`) : null,
      !isOver && job.state !== 'cancelling' ? h('button', { type: 'button', class: 'danger', key: 'c', onclick: () => confirmation('Cancel this job?', 'What is made so far is deleted. It can be submitted again.', 'Cancel the job', () => act(() => post(`/v1/jobs/${id}:cancel`), 'It is being cancelled').then(load)) }, 'Cancel') : null,
      ['failed', 'cancelled'].includes(job.state) ? h('button', { type: 'button', class: 'primary', key: 'r', onclick: async () => {
        const again = await act(() => postRetry(`/v1/jobs/${id}:retry`, undefined, job.finished), (made) => (made.id === id ? 'It goes on' : 'Submitted again'));
        if (again?.id === id) {
          load();
        } else if (again) {
          location.hash = `#/jobs/${again.id}`;
        }
      } }, 'Retry') : null);
  }

  function drawHead() {
    render(head, h('nav', { class: 'crumbs', 'aria-label': 'Where you are' }, h('a', { href: '#/jobs' }, 'Jobs'), ' / ', h('span', null, f.shortId(id))),
      h('div', { class: 'head job-head' }, h('div', { class: 'grow' }, h('h1', { title: job.source }, f.name(job.source)),
        h('p', { class: 'sub muted' }, jobChip(job), h('button', { type: 'button', class: 'plain id', title: 'Copy the id', onclick: () => copy(id) }, h('code', null, id)),
          ` ${job.pipeline} · ${job.tenant} · ${job.class}`, job.external_id ? ` · ${job.external_id}` : '', ' · submitted ', time(job.created),
          job.retry_of ? [' · retry of ', h('a', { href: `#/jobs/${job.retry_of}` }, f.shortId(job.retry_of))] : null,
          job.retried_as ? [' · made again as ', h('a', { href: `#/jobs/${job.retried_as}` }, f.shortId(job.retried_as))] : null,
          job.deadline ? [' · due ', time(job.deadline)] : null, state.connection === 'down' && !isFinal(job) ? h('span', { class: 'bad-text' }, ' · not live') : null)), buttons()),
      trouble(job));
  }

  function drawTop() {
    const whys = new Map((explain?.tasks ?? []).filter((t) => t.state !== 'done').map((t) => [t.task, t.why]));
    const why = whyPanel(job, explain);
    render(top, h('div', { class: why ? 'columns' : 'one' }, progress(job), why));
    render(graph, section('Tasks', { id: 'graph', aside: h('span', { class: 'muted legend' }, h('i', { class: 'solid' }), 'after', h('i', { class: 'dashed' }), 'while it still comes') },
      tasks ? dag(tasks, whys) : tasksError ? failure(tasksError, load) : loading()));
  }

  function drawTimeline() {
    const list = attempts.list();
    const legend = h('span', { class: 'muted legend' }, ['done', 'running', 'failed', 'lost', 'cancelled'].map((o) => h('span', { key: o }, h('i', { class: `swatch ${o}` }), o)), h('span', { key: 'waits' }, h('i', { class: 'swatch waits' }), 'waited for a place, or to be tried again'));
    const zoom = h('span', { class: 'zoom' }, [['−', 'Zoom out', () => gantt?.zoom(1 / 0.6)], ['+', 'Zoom in', () => gantt?.zoom(0.6)], ['all', 'Show all', () => gantt?.fit()]]
      .map(([text, label, onclick]) => h('button', { type: 'button', class: 'small', 'aria-label': label, title: label, onclick }, text)));
    render(timeline, section('Timeline', { aside: [legend, list.length > 0 ? zoom : null] },
      attempts.error ? failure(attempts.error, load) : null,
      list.length === 0 && !attempts.error ? empty('No attempt yet', isFinal(job) ? null : 'Each run of a task on a device appears here when it starts.') : null,
      h('div', { key: 'gantt', hidden: list.length === 0, ref: (place) => place.append(ganttRoot) }),
      attempts.isCut ? h('p', { class: 'muted' }, `The first ${f.number(list.length)} attempts are drawn; the report has all.`) : null,
      list.length > 0 ? attemptsTable(list, drawTimeline) : null));
    if (list.length > 0) {
      gantt ??= new Gantt(ganttRoot);
      gantt.show(list, tasks, Date.now());
    }
  }

  function draw() {
    if (error && !job) {
      render(head, h('nav', { class: 'crumbs' }, h('a', { href: '#/jobs' }, 'Jobs')), h('h1', null, error.status === 404 ? 'There is no such job' : 'The job can’t be shown'), failure(error, load),
        error.status === 404 ? h('p', { class: 'muted' }, 'Of jobs that ended the scheduler knows the newest alone. What they published stays where it is.') : null);
      return;
    }
    if (!job) {
      render(head, loading('Asking for the job'));
      return;
    }
    drawHead();
    drawTop();
    drawTimeline();
    if (job.state === 'done' && !job.plan_only && report?.job.state === 'done') { // one of before names no outputs
      player ??= new Result(result, job);
      player.show(report);
    }
    render(rest, h('div', { class: 'columns wide-left' }, h('div', { class: 'column' }, outcome(report, job)),
      h('div', { class: 'column' }, log.panel(load), section('Job', {}, facts([['source', job.source], ['destination', job.destination], ['publication', job.publication], ['priority', `${job.priority} (${job.class})`],
        ['started', time(job.started)], ['finished', time(job.finished)], ['encodes', job.encoding?.resolved?.chain ?? null],
        job.backup ? ['backup', [chip(job.backup.state), ` ${job.backup.url}`, job.backup.error ? h('div', { class: 'muted' }, job.backup.error.text ?? '') : null]] : null]),
      h('p', { class: 'links' }, h('a', { href: `/v1/jobs/${id}/report`, target: '_blank', rel: 'noreferrer', onclick: (e) => openFile(e, 'report.json').catch((x) => toast(x.message, 'bad')) }, 'report.json'))))));
  }

  // Of the job's own stream, or those of the farm's that are about it.
  function onEvent(type, document) {
    if (document?.progress && job) {
      job = { ...job, state: document.state, progress: document.progress };
      drawHead();
      drawTop();
    }
    if (type === 'progress') {
      return;
    }
    if (type.startsWith('job.') && FINAL.includes(type.slice(4))) {
      closeOwn?.(); // nothing follows, and the stream would be asked for again
      if (job && !job.finished) {
        toast(`${f.name(job.source)}: ${type.slice(4)}`, type === 'job.done' ? 'good' : 'bad');
      }
    }
    soon();
  }
  const ends = [watchJobs((type, document) => (document?.id === id || ['again', 'reset', 'poll'].includes(type)) && onEvent(type, document)), watch(() => {
    if (lacksEvents() && !closeOwn && !(job && isFinal(job))) {
      closeOwn = follow(`/v1/jobs/${id}/events`, onEvent, () => {});
    }
  })];

  // What the farm's events do not carry.
  async function loadProgress() {
    try {
      const fresh = await get(`/v1/jobs/${id}`, control.signal);
      if (isFinal(fresh)) { // all that belongs to its end
        soon();
      } else if (!isLoading && job) {
        job = fresh;
        drawHead();
        drawTop();
      }
    } catch {
      // told by the connection's state
    }
  }
  const counting = setInterval(() => !document.hidden && job && !isFinal(job) && !isLoading && state.connection !== 'down' && loadProgress(), PROGRESS_MS);
  const every = setInterval(() => {
    if (!document.hidden && job && !isFinal(job) && state.connection !== 'down') {
      load();
    }
  }, REFRESH_MS);
  load();
  draw();
  return {
    draw: () => job && !isFinal(job) && draw(),
    close() {
      control.abort();
      closeOwn?.();
      ends.forEach((end) => end());
      clearInterval(every);
      clearInterval(counting);
      clearTimeout(timer);
      gantt?.close();
      player?.close();
    },
  };
}
