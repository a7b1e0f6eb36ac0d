// What the report says: the source, the plan, and what came of each rendition.
import { h } from './dom.js';
import * as f from './format.js';
import { empty, facts, loading, section } from './ui.js';

const language = (track) => (track.language && track.language !== 'und' ? `, ${track.language}` : ''); // und: not known

function source(report) {
  const s = report.source;
  const v = s?.video;
  if (!s) {
    return empty('Nothing is known of the source yet');
  }
  const rate = v ? f.rational(v.frame_rate) : null;
  return facts([
    ['file', s.name], ['size', f.bytes(s.bytes)], ['container', s.format], ['duration', s.duration_s ? f.duration(s.duration_s) : null],
    v ? ['video', `${v.codec}${v.profile ? ` ${v.profile}` : ''}, ${v.width}×${v.height}${rate ? `, ${f.number(rate, rate % 1 ? 3 : 0)} fps` : ''}${v.constant_rate === false ? ' variable' : ''}`] : null,
    v ? ['colour', [v.pixel_format, v.primaries, v.transfer, v.range].filter((c) => c && c !== 'unknown').join(', ')] : null,
    v?.bitrate_bps ? ['bitrate', f.bitrate(v.bitrate_bps)] : null, v?.hdr ? ['HDR', v.hdr.kind] : null, v?.interlaced ? ['fields', v.top_first ? 'interlaced, top first' : 'interlaced'] : null,
    v?.rotation ? ['turned', `${v.rotation}°`] : null,
    ...(s.audio ?? []).map((a, i) => [`sound ${i + 1}`, `${a.codec}, ${a.layout || f.plural(a.channels, 'channel')}, ${f.number(a.sample_rate / 1000, 1)} kHz${language(a)}`]),
    ...(s.text ?? []).map((t, i) => [`text ${i + 1}`, `${t.codec}${language(t)}`]),
    s.truncated ? ['damage', `cut off, ${f.duration(s.lost_s)} are missing`] : null,
  ]);
}

const quality = (r) => {
  const a = r.analyzed;
  const want = r.requested?.quality;
  if (a && a.expected_score !== null && a.expected_score !== undefined) {
    return `score ${f.number(a.expected_score, 1)}${want ? ` of ${want}` : ''}, crf ${f.number(a.min_crf)}–${f.number(a.max_crf)}`;
  }
  const e = r.resolved?.encode ?? {};
  return a ? `crf ${f.number(a.min_crf)}–${f.number(a.max_crf)}` : e.crf ? `crf ${e.crf}` : e.qp ? `qp ${e.qp}` : e.bitrate_bps ? f.bitrate(e.bitrate_bps) : '';
};

function ladder(report) {
  const rows = report.renditions?.length > 0 ? report.renditions : report.plan?.ladder ?? [];
  const sounds = report.audio ?? [];
  if (rows.length === 0 && sounds.length === 0) {
    return empty('There is no plan yet', 'The ladder is known once the source was inspected.');
  }
  const top = Math.max(1, ...rows.map((r) => r.average_bps ?? r.maxrate_bps ?? 0));
  return h('div', { class: 'scroller', tabindex: 0, role: 'region', 'aria-label': 'Table of renditions' }, h('table', { class: 'small' },
    h('caption', { class: 'hidden' }, 'Renditions'),
    h('thead', null, h('tr', null, ['Rendition', 'Size', 'Codec'].map((t) => h('th', { scope: 'col' }, t)), ['Average', 'Peak', 'Cap'].map((t) => h('th', { scope: 'col', class: 'num' }, t)), h('th', { scope: 'col' }, 'Quality'), h('th', { scope: 'col', class: 'num' }, 'Bytes'), h('th', { scope: 'col' }, 'Made by'))),
    h('tbody', null, rows.map((r) => h('tr', { key: r.name }, h('th', { scope: 'row' }, r.name), h('td', { class: 'nowrap' }, r.width ? `${r.width}×${r.height}` : ''), h('td', null, h('code', null, r.codecs)),
      h('td', { class: 'num nowrap' }, r.average_bps ? [h('span', { class: 'rate', style: { width: `${Math.round((r.average_bps / top) * 40)}px` }, 'aria-hidden': 'true' }), f.bitrate(r.average_bps)] : f.DASH),
      h('td', { class: 'num nowrap' }, r.peak_bps ? f.bitrate(r.peak_bps) : f.DASH), h('td', { class: 'num nowrap' }, (r.resolved?.maxrate_bps ?? r.maxrate_bps) > 0 ? f.bitrate(r.resolved?.maxrate_bps ?? r.maxrate_bps) : 'none'),
      h('td', null, quality(r)), h('td', { class: 'num nowrap' }, r.bytes ? f.bytes(r.bytes) : f.DASH),
      h('td', null, (r.actual?.devices ?? []).map((d) => h('div', { class: 'nowrap', key: `${d.node} ${d.device}`, title: f.plural(d.runs, 'run') }, `${d.node} · ${d.device}`))))),
    sounds.map((a) => h('tr', { key: `a-${a.name}` }, h('th', { scope: 'row' }, a.name), h('td', { class: 'nowrap' }, `${f.plural(a.channels, 'channel')}${language(a)}`), h('td', null, h('code', null, a.codecs)), h('td', { class: 'num nowrap' }, a.average_bps ? f.bitrate(a.average_bps) : f.DASH),
      h('td', { class: 'num nowrap' }, a.peak_bps ? f.bitrate(a.peak_bps) : f.DASH), h('td', { class: 'num nowrap' }, a.bitrate_bps ? f.bitrate(a.bitrate_bps) : ''), h('td', null, a.loudness ? `${f.number(a.loudness.coded_lufs ?? a.loudness.integrated_lufs, 1)} LUFS` : ''), h('td', { class: 'num nowrap' }, a.bytes ? f.bytes(a.bytes) : f.DASH), h('td', null))))));
}

function plan(report) {
  const p = report.plan;
  const e = report.encoding;
  if (!p) {
    return null;
  }
  const rate = f.rational(p.frame_rate);
  return facts([
    ['segments', `${f.duration(p.segment_s)} each, up to ${p.chunk_segments} a chunk`], ['frame rate', rate ? f.number(rate, rate % 1 ? 3 : 0) : 'variable'],
    ['chain', p.chain], e?.reason ? ['chosen because', e.reason] : null,
    ...(e?.given_up ?? []).map((g) => ['given up', `${g.chain}: ${g.text}`]),
    p.tone_map ? ['tone mapping', `${p.tone_map.method}, ${p.tone_map.source_peak} → ${p.tone_map.target_peak} cd/m²`] : null,
    p.estimated ? ['estimated', `${f.bytes(p.estimated.bytes)}, ${f.duration(p.estimated.cpu_s)} of processor`] : null,
    report.cost?.cpu_s > 0 ? ['cost so far', `${f.duration(report.cost.cpu_s)} of processor, ${f.bytes(report.cost.bytes_in)} read, ${f.bytes(report.cost.bytes_out)} written`] : null,
  ]);
}

export function outcome(report, job) {
  if (!report) {
    return section('Renditions', {}, loading('Asking for the report'));
  }
  return [section('Renditions', { aside: job.state === 'done' ? null : h('span', { class: 'muted' }, report.plan ? 'as planned' : '') }, ladder(report)),
    section('Source', {}, source(report)), report.plan ? section('Plan', {}, plan(report)) : null];
}
