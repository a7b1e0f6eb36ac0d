// Finished titles: what was published, with posters.
import { h, render } from './dom.js';
import * as f from './format.js';
import { fileUrl, get, objectUrl, query } from './api.js';
import { watchJobs } from './live.js';
import { empty, failure, icon, loading, time } from './ui.js';

const PAGE = 60;
const TYPED_MS = 250;

export function mountAssets(root) {
  let rows = [];
  let next = null;
  let q = '';
  let isLoading = false;
  let error = null;
  let run = 0;
  let typing = null;
  const posters = new Map(); // of a job: its address, or null while it is asked for
  const seen = new IntersectionObserver((entries) => entries.filter((e) => e.isIntersecting).forEach((e) => poster(e.target.dataset.job)), { rootMargin: '200px' });

  async function poster(job) {
    const asset = rows.find((a) => a.job === job);
    if (!asset?.poster || posters.has(job)) {
      return;
    }
    posters.set(job, null);
    try {
      posters.set(job, await objectUrl(fileUrl(job, asset.poster)));
      draw();
    } catch {
      // its place says that there is none
    }
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
    } catch (e) {
      error = mine === run ? e : error;
    }
    if (mine === run) {
      isLoading = false;
      draw();
    }
  }

  function card(a) {
    const best = [...a.renditions].sort((x, y) => y.height - x.height)[0];
    const image = posters.get(a.job);
    return h('article', { class: 'card asset', key: a.job, 'data-row': true },
      h('div', { class: 'poster', 'data-job': a.job, ref: (element) => seen.observe(element) }, image ? h('img', { src: image, alt: '' }) : h('span', { class: 'muted' }, a.poster ? '' : 'no poster'),
        a.duration_s ? h('span', { class: 'length' }, f.clock(a.duration_s)) : null),
      h('h2', null, h('a', { href: `#/jobs/${a.job}` }, f.name(a.title))),
      h('p', { class: 'muted' }, [best ? `${f.plural(a.renditions.length, 'rendition')} up to ${best.height}p` : 'sound', f.bytes(a.bytes)].join(' · '), ' · ', time(a.finished)),
      h('div', { class: 'buttons' }, (a.manifests ?? []).map((m) => h('a', { key: m, class: 'button', href: fileUrl(a.job, m), target: '_blank', rel: 'noreferrer' }, m.endsWith('.mpd') ? 'DASH' : m.endsWith('.m3u8') ? 'HLS' : 'file'))));
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

  const ends = watchJobs((type) => type === 'job.done' && load(true));
  load(true);
  return {
    draw: () => {},
    close() {
      run++;
      ends();
      clearTimeout(typing);
      seen.disconnect();
      posters.forEach((u) => u && URL.revokeObjectURL(u));
    },
  };
}
