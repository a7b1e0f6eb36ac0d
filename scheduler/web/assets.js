// Finished titles: what was published, with posters.
import { h, render } from './dom.js';
import * as f from './format.js';
import { call, get, objectUrl, openFile, query, titleFileUrl } from './api.js';
import { confirmation } from './dialogs.js';
import { watchJobs } from './live.js';
import { act, empty, failure, icon, loading, time, toast } from './ui.js';

const PAGE = 60;
const TYPED_MS = 250;
const BUSY_MS = 1000; // after a start the scheduler reads its catalogue

export function mountAssets(root) {
  let rows = [];
  let next = null;
  let q = '';
  let isLoading = false;
  let error = null;
  let run = 0;
  let typing = null;
  let waiting = null;
  const posters = new Map(); // of a job: its address, or null while it is asked for
  const seen = new IntersectionObserver((entries) => entries.filter((e) => e.isIntersecting).forEach((e) => poster(e.target.dataset.job)), { rootMargin: '200px' });

  async function poster(job) {
    const asset = rows.find((a) => a.job === job);
    if (!asset?.poster || asset.removing || posters.has(job)) {
      return;
    }
    posters.set(job, null);
    try {
      const address = await objectUrl(titleFileUrl(job, asset.poster));
      if (posters.has(job)) {
        posters.set(job, address);
        draw();
      } else { // its row fell out meanwhile
        URL.revokeObjectURL(address);
      }
    } catch {
      // its place says that there is none
    }
  }

  // Pictures of rows that are gone take memory.
  function dropPosters() {
    const there = new Set(rows.map((a) => a.job));
    for (const [job, address] of posters) {
      if (!there.has(job)) {
        posters.delete(job);
        if (address) {
          URL.revokeObjectURL(address);
        }
      }
    }
  }

  // What was published since comes before what is shown; a title takes the place of the one at its destination.
  async function loadNewer() {
    const mine = run;
    try {
      const page = await get(query('/v1/assets', { limit: PAGE, q }));
      if (mine !== run || isLoading) {
        return;
      }
      const places = new Set(page.assets.map((a) => a.destination));
      const jobs = new Set(rows.map((a) => a.job));
      if (rows.length === 0 || page.assets.every((a) => !jobs.has(a.job))) { // more came than a page has
        load(true);
        return;
      }
      rows = page.assets.concat(rows.filter((a) => !places.has(a.destination)));
      dropPosters();
      draw();
    } catch {
      // the next event asks again
    }
  }

  // True: it is asked again by itself.
  function waits(e, mine) {
    if (mine === run && (e.code === 'api.busy' || e.status === 503)) {
      waiting = setTimeout(() => mine === run && loadAgain(), BUSY_MS);
      return true;
    }
    return false;
  }

  // Events were missed: as many rows as there were, anew.
  async function loadAgain() {
    const mine = ++run;
    isLoading = true;
    error = null;
    draw();
    const many = rows.length;
    let fresh = [];
    let cursor = null;
    try {
      do {
        const page = await get(query('/v1/assets', { limit: PAGE, q, cursor }));
        if (mine !== run) {
          return;
        }
        fresh = fresh.concat(page.assets);
        cursor = page.next ?? null;
      } while (cursor && fresh.length < many);
      rows = fresh;
      next = cursor;
    } catch (e) {
      if (waits(e, mine)) {
        return;
      }
      error = mine === run ? e : error;
    }
    if (mine === run) {
      isLoading = false;
      dropPosters();
      draw();
    }
  }

  function takeDown(a) {
    confirmation(`Take “${f.name(a.title)}” down?`, `All its files at ${a.destination} are deleted, and its backup. Who plays it gets errors. There is no way back.`, 'Take it down',
      () => act(() => call('DELETE', `/v1/assets/${a.job}`), 'It is being taken down').then(loadAgain));
  }

  function giveUp(a) {
    confirmation(`Give up taking “${f.name(a.title)}” down?`, `It leaves the list. What is left of it at ${a.destination}${a.backup ? ', and of its backup,' : ''} stays there and is nobody’s: it has to be deleted by hand.`, 'Give it up',
      () => act(() => call('DELETE', `/v1/assets/${a.job}?force=1`), 'It was given up').then(loadAgain));
  }

  async function load(fresh) {
    const mine = fresh ? ++run : run;
    if (isLoading && !fresh) {
      return;
    }
    isLoading = true;
    error = null;
    draw();
    try {
      const page = await get(query('/v1/assets', { limit: PAGE, q, cursor: fresh ? null : next }));
      if (mine !== run) {
        return;
      }
      rows = (fresh ? [] : rows).concat(page.assets);
      next = page.next ?? null;
      dropPosters();
    } catch (e) {
      if (waits(e, mine)) {
        return;
      }
      error = mine === run ? e : error;
    }
    if (mine === run) {
      isLoading = false;
      draw();
    }
  }

  const open = (event) => openFile(event).catch((e) => toast(e.message, 'bad'));

  function card(a) {
    const best = [...a.renditions].sort((x, y) => y.height - x.height)[0];
    const image = posters.get(a.job);
    return h('article', { class: 'card asset', key: a.job, 'data-row': true },
      h('div', { class: 'poster', 'data-job': a.job, ref: (element) => seen.observe(element) }, image ? h('img', { src: image, alt: '' }) : h('span', { class: 'muted' }, a.poster ? '' : 'no poster'),
        a.duration_s ? h('span', { class: 'length' }, f.clock(a.duration_s)) : null),
      h('h2', null, a.known === false ? f.name(a.title) : h('a', { href: `#/jobs/${a.job}` }, f.name(a.title))),
      h('p', { class: 'muted' }, [best ? `${f.plural(a.renditions.length, 'rendition')} up to ${best.height}p` : 'sound', f.bytes(a.bytes)].join(' · '), ' · ', time(a.finished)),
      a.removing ? h('p', { class: 'muted' }, a.removing.error ? ['It is being taken down: ', a.removing.error.text] : 'It is being taken down') : null,
      h('div', { class: 'buttons' }, a.removing ? null : (a.manifests ?? []).map((m) => h('a', { key: m, class: 'button', href: titleFileUrl(a.job, m), target: '_blank', rel: 'noreferrer', onclick: open }, m.endsWith('.mpd') ? 'DASH' : m.endsWith('.m3u8') ? 'HLS' : 'file')),
      a.removing ? null : h('button', { type: 'button', class: 'danger', key: 'down', 'aria-label': `Take down ${f.name(a.title)}`, onclick: () => takeDown(a) }, 'Take down'),
      a.removing?.error ? h('button', { type: 'button', class: 'danger', key: 'give-up', 'aria-label': `Give up taking ${f.name(a.title)} down`, onclick: () => giveUp(a) }, 'Give up') : null));
  }

  function draw() {
    render(root, h('div', { class: 'head' }, h('h1', null, 'Assets'), rows.length > 0 ? h('span', { class: 'muted' }, `${f.number(rows.length)}${next ? '+' : ''} titles`) : null),
      h('div', { class: 'filters', role: 'search' }, h('label', { class: 'searchbox' }, icon('search'), h('input', { type: 'search', 'aria-label': 'Search assets', placeholder: 'Part of a title', oninput: (e) => {
        clearTimeout(typing);
        typing = setTimeout(() => {
          q = e.target.value.trim();
          load(true);
        }, TYPED_MS);
      } }))),
      rows.length > 0 ? h('div', { class: 'cards assets' }, rows.map(card)) : null,
      !isLoading && !error && rows.length === 0 ? (q ? empty('No title is called that') : empty('Nothing is published yet', 'What jobs publish is listed here when they are done.')) : null,
      error?.status === 404 ? empty('This scheduler keeps no list of titles', 'What a job published is shown with the job: ', h('a', { href: '#/jobs?state=done' }, 'jobs that are done'), '.')
        : error ? failure(error, () => load(rows.length === 0)) : null, isLoading ? loading() : null,
      next && !isLoading && !error ? h('p', { class: 'more' }, h('button', { type: 'button', onclick: () => load(false) }, 'More')) : null);
  }

  const ends = watchJobs((type, document) => {
    if (type === 'job.done') {
      loadNewer();
    } else if (type === 'asset.removed') {
      rows = rows.filter((a) => a.job !== document.id);
      dropPosters();
      draw();
    } else if (type === 'again' || type === 'reset') {
      loadAgain();
    }
  });
  load(true);
  return {
    draw: () => {},
    close() {
      run++;
      ends();
      clearTimeout(typing);
      clearTimeout(waiting);
      seen.disconnect();
      posters.forEach((u) => u && URL.revokeObjectURL(u));
    },
  };
}
