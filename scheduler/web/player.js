// The published result, playing in the page: hls.js where the browser needs it, qualities to choose from, the poster,
// and the sprites as places to jump to.
import { h, render } from './dom.js';
import * as f from './format.js';
import { fileUrl, getToken, headers, objectUrl, openFile } from './api.js';
import { empty, failure, section, toast } from './ui.js';

const TILES_SHOWN = 60;
const SHEETS_SHOWN = 4; // pictures in memory
const LINKS_SHOWN = 8;
const IN_MEMORY_BYTES = 64 << 20; // of a file that needs the token

let library = null;
function loadHls() {
  library ??= new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = '/web/vendor/hls.min.js';
    script.onload = () => resolve(window.Hls);
    script.onerror = () => {
      library = null;
      reject(new Error('the player can’t be loaded'));
    };
    document.head.append(script);
  });
  return library;
}

const levelName = (l) => `${l.height ? `${l.height}p` : l.name ?? 'sound'} · ${f.bitrate(l.bitrate)}`;

export class Result {
  constructor(root, job) {
    this.root = root;
    this.job = job;
    this.video = document.createElement('video');
    Object.assign(this.video, { controls: true, playsInline: true, preload: 'metadata' });
    this.video.setAttribute('aria-label', `${f.name(job.source)}, the result`);
    this.hls = null;
    this.error = null;
    this.levels = [];
    this.poster = null;
    this.sheets = [];
    this.urls = [];
    this.control = new AbortController();
    this.timer = null;
    this.report = null;
  }

  close() {
    this.control.abort();
    this.hls?.destroy();
    clearInterval(this.timer);
    this.video.removeAttribute('src');
    this.video.load();
    this.urls.forEach((u) => URL.revokeObjectURL(u));
  }

  // report: of a job that is done. Loads what it names, once.
  show(report) {
    if (this.report) {
      return;
    }
    this.report = report;
    const paths = report.outputs.map((o) => o.path);
    this.manifest = paths.find((p) => p.endsWith('master.m3u8')) ?? null;
    this.files = report.outputs.filter((o) => /\.(mp4|m4a|webm)$/.test(o.path) && /(^|\/)mp4\//.test(o.path));
    this.loadImages(report);
    if (this.manifest) {
      this.start();
    } else if (this.files.length > 0) {
      this.startFile(this.files[0]);
    }
    this.draw();
  }

  async image(path) {
    const url = await objectUrl(fileUrl(this.job.id, `v/${this.job.publication}/${path}`), this.control.signal);
    this.urls.push(url);
    return url;
  }

  async loadImages(report) {
    const images = report.images;
    try {
      if (images?.poster) {
        this.poster = await this.image(images.poster.path);
        this.video.poster = this.poster;
      }
      for (const path of images?.sheets?.paths.slice(0, SHEETS_SHOWN) ?? []) {
        this.sheets.push(await this.image(path));
        this.draw();
      }
    } catch (e) {
      if (e.name !== 'AbortError') {
        this.imageError = e;
      }
    }
    this.draw();
  }

  // A video element sends no token: with one the file is fetched whole.
  async startFile(file) {
    const url = fileUrl(this.job.id, file.path);
    if (!getToken()) {
      this.video.src = url;
    } else if (file.bytes > 0 && file.bytes <= IN_MEMORY_BYTES) {
      try {
        const address = await objectUrl(url, this.control.signal);
        this.urls.push(address);
        this.video.src = address;
      } catch (e) {
        this.error = e.name === 'AbortError' ? null : e;
      }
      this.draw();
    } else {
      this.isTooLarge = true;
    }
  }

  async start() {
    const url = fileUrl(this.job.id, this.manifest);
    try {
      const Hls = await loadHls();
      if (!Hls?.isSupported()) {
        this.video.src = url; // a browser that plays HLS by itself
        return;
      }
      if (this.control.signal.aborted) {
        return;
      }
      this.hls = new Hls({
        enableWorker: false, // its worker is a blob, which the page's policy forbids
        capLevelToPlayerSize: true,
        autoStartLoad: true,
        maxBufferLength: 20,
        xhrSetup: (xhr, to) => {
          if (new URL(to, location.href).origin === location.origin) {
            Object.entries(headers()).forEach(([k, v]) => xhr.setRequestHeader(k, v));
          }
        },
      });
      this.hls.on(Hls.Events.MANIFEST_PARSED, () => {
        this.levels = this.hls.levels;
        this.draw();
      });
      this.hls.on(Hls.Events.LEVEL_SWITCHED, () => this.draw());
      this.hls.on(Hls.Events.ERROR, (_, data) => {
        if (data.fatal) {
          this.error = new Error(`${data.details}${data.response?.code ? ` (${data.response.code})` : ''}`);
          this.draw();
        }
      });
      this.hls.loadSource(url);
      this.hls.attachMedia(this.video);
      this.timer = setInterval(() => !this.video.paused && this.draw(), 1000);
    } catch (e) {
      this.error = e;
      this.draw();
    }
  }

  qualities() {
    if (this.levels.length === 0) {
      return null;
    }
    const pick = (e) => {
      this.hls.nextLevel = Number(e.target.value);
      this.draw();
    };
    const now = this.levels[this.hls.currentLevel];
    const auto = this.hls.autoLevelEnabled;
    return h('label', { class: 'field inline' }, 'Quality', h('select', { onchange: pick, value: String(auto ? -1 : this.hls.nextLevel) },
      h('option', { value: '-1' }, `Auto${auto && now ? ` (${now.height || 'sound'}${now.height ? 'p' : ''})` : ''}`),
      this.levels.map((l, i) => h('option', { value: String(i), key: i }, levelName(l)))));
  }

  stats() {
    const v = this.video;
    const now = this.levels[this.hls?.currentLevel];
    const ahead = v.buffered.length > 0 ? Math.max(0, v.buffered.end(v.buffered.length - 1) - v.currentTime) : 0;
    const q = v.getVideoPlaybackQuality?.();
    return h('span', { class: 'muted num' }, now ? `${now.width ? `${now.width}×${now.height}, ` : ''}${now.codecSet ?? ''} ${f.bitrate(now.bitrate)}` : '',
      v.readyState > 0 ? ` · ${f.duration(ahead)} ahead` : '', q?.droppedVideoFrames > 0 ? ` · ${f.plural(q.droppedVideoFrames, 'frame')} dropped` : '');
  }

  strip() {
    const s = this.report.images?.sheets;
    if (!s || this.sheets.length === 0) {
      return null;
    }
    const each = s.columns * s.rows;
    const have = Math.min(s.tiles, this.sheets.length * each);
    const step = Math.max(1, Math.ceil(have / TILES_SHOWN));
    const shown = Array.from({ length: Math.ceil(have / step) }, (_, i) => i * step);
    const scale = 96 / s.tile_width;
    const cut = s.tiles > have ? h('p', { class: 'muted', key: 'cut' }, `Pictures of the first ${f.clock(have * s.interval_s)} of ${f.clock(s.tiles * s.interval_s)}.`) : null;
    return [h('div', { class: 'strip', key: 'strip', role: 'group', 'aria-label': 'Jump to' }, shown.map((i) => {
      const inSheet = i % each;
      return h('button', {
        type: 'button', key: i, class: 'tile-button', title: f.clock(i * s.interval_s), 'aria-label': `Jump to ${f.clock(i * s.interval_s)}`,
        style: {
          width: '96px', height: `${Math.round(s.tile_height * scale)}px`, 'background-image': `url(${this.sheets[Math.floor(i / each)]})`,
          'background-size': `${s.columns * 96}px auto`, 'background-position': `-${(inSheet % s.columns) * 96}px -${Math.floor(inSheet / s.columns) * s.tile_height * scale}px`,
        },
        onclick: () => {
          this.video.currentTime = i * s.interval_s;
          this.video.play().catch(() => {});
        },
      }, h('span', null, f.clock(i * s.interval_s)));
    })), cut];
  }

  draw() {
    if (!this.report || this.control.signal.aborted) {
      return;
    }
    const hasVideo = this.manifest || (this.files.length > 0 && !this.isTooLarge);
    const links = this.report.outputs.filter((o) => /(m3u8|mpd)$/.test(o.path) && !o.path.includes('/')).concat(this.files);
    render(this.root, section('Result', { id: 'result', aside: this.qualities() },
      this.error ? failure(this.error) : null,
      hasVideo ? h('div', { class: 'stage', key: 'stage', ref: (place) => place.append(this.video) }) : this.isTooLarge ? empty('The file is too large to be played with a token', 'A browser sends none for a video, so this page fetches files of up to 64 MiB whole. This one is at ', h('code', null, this.job.destination), '.')
        : empty('Nothing here plays in a browser', 'The files are at ', h('code', null, this.job.destination), '.'),
      h('div', { class: 'under' }, this.stats(), h('span', { class: 'links' }, links.slice(0, LINKS_SHOWN).map((o) => h('a', { key: o.path, href: fileUrl(this.job.id, o.path), target: '_blank', rel: 'noreferrer', onclick: (e) => openFile(e).catch((x) => toast(x.message, 'bad')) }, o.path.split('/').pop(), o.bytes ? ` (${f.bytes(o.bytes)})` : '')), links.length > LINKS_SHOWN ? h('span', { class: 'muted', key: 'more' }, `and ${links.length - LINKS_SHOWN} more, which the report names`) : null)),
      this.imageError ? h('p', { class: 'muted' }, `Its images can’t be shown: ${this.imageError.message}`) : null,
      this.strip()));
  }
}
