// Figures as people read them. Every function takes null for unknown and says a dash.

export const DASH = '–';

const known = (v) => v !== null && v !== undefined && !Number.isNaN(v);

export function number(v, digits = 0) {
  return known(v) ? v.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits }) : DASH;
}

function scaled(v, unit, step, names) {
  if (!known(v)) {
    return DASH;
  }
  let i = 0;
  while (v >= step && i < names.length - 1) {
    v /= step;
    i++;
  }
  const digits = i === 0 || v >= 100 ? 0 : v >= 10 ? 1 : 2;
  return `${v.toFixed(digits)} ${names[i]}${unit}`;
}

export const bytes = (v) => scaled(v, 'B', 1000, ['', 'k', 'M', 'G', 'T', 'P']);
export const bitrate = (v) => scaled(v, 'b/s', 1000, ['', 'k', 'M', 'G']);
export const pixels = (v) => scaled(v, 'px/s', 1000, ['', 'k', 'M', 'G', 'T']);

export function speed(v) {
  return known(v) ? `${v.toFixed(v >= 100 ? 0 : v >= 10 ? 1 : 2)}×` : DASH;
}

export function percent(done, total) {
  return total > 0 ? `${Math.floor((done / total) * 100)} %` : DASH;
}

// Seconds: "8 s", "4 min 05 s", "2 h 10 min", "3 d 4 h".
export function duration(s) {
  if (!known(s)) {
    return DASH;
  }
  if (s < 10) {
    return `${s.toFixed(s < 1 && s > 0 ? 2 : 1)} s`;
  }
  s = Math.round(s);
  const two = (v) => String(v).padStart(2, '0');
  if (s < 60) {
    return `${s} s`;
  }
  if (s < 3600) {
    return `${Math.floor(s / 60)} min ${two(s % 60)} s`;
  }
  if (s < 86400) {
    return `${Math.floor(s / 3600)} h ${two(Math.floor((s % 3600) / 60))} min`;
  }
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

// Programme time: "1:02:03".
export function clock(s) {
  const whole = Math.max(0, Math.floor(s));
  const two = (v) => String(v).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  return `${hours > 0 ? `${hours}:${two(Math.floor((whole % 3600) / 60))}` : Math.floor(whole / 60)}:${two(whole % 60)}`;
}

export function ago(time, now = Date.now()) {
  if (!time) {
    return DASH;
  }
  const s = (now - Date.parse(time)) / 1000;
  if (s < -5) {
    return `in ${duration(-s)}`;
  }
  if (s < 5) {
    return 'just now';
  }
  const [value, unit] = s < 60 ? [s, 's'] : s < 3600 ? [s / 60, 'min'] : s < 86400 ? [s / 3600, 'h'] : [s / 86400, 'd'];
  return `${Math.floor(value)} ${unit} ago`;
}

export function absolute(time) {
  return time ? new Date(time).toLocaleString('en-GB', { dateStyle: 'medium', timeStyle: 'medium' }) : '';
}

export function span(from, to, now = Date.now()) {
  return from ? Math.max(0, ((to ? Date.parse(to) : now) - Date.parse(from)) / 1000) : null;
}

// The last part of a URL, as a title.
export function name(url) {
  if (!url) {
    return DASH;
  }
  const last = url.replace(/\/+$/, '').split('/').pop();
  try {
    return decodeURIComponent(last) || url;
  } catch {
    return last;
  }
}

// The end of an id tells jobs apart; its beginning is their time.
export const shortId = (id) => (id.length > 12 ? `…${id.slice(-8)}` : id);

// "3" or "3–5": a run of chunks.
export const chunks = (a) => (a.chunks > 1 ? `${a.first_chunk}–${a.first_chunk + a.chunks - 1}` : String(a.first_chunk));

export const rational = (r) => (r && r.den ? r.num / r.den : null);

export function plural(n, one, many = `${one}s`) {
  return `${number(n)} ${n === 1 ? one : many}`;
}
