// Runs in the page: one video element, one of three players behind the same few calls, and what happened, counted.
// The driver (play.mjs, avsync.mjs) talks to `gm` only.
'use strict';

const video = document.getElementById('video');
const seen = { errors: [], gaps: [], waiting: 0, seeking: 0, ended: 0, sizes: [] };
const buffers = []; // every SourceBuffer that a player made, with its type

const addSourceBuffer = MediaSource.prototype.addSourceBuffer;
MediaSource.prototype.addSourceBuffer = function (type) {
  const buffer = addSourceBuffer.call(this, type);
  buffers.push({ type, buffer });
  return buffer;
};

// A wait right after a seek is the seek's own; any other means that playback ran dry.
let settled = false;
video.addEventListener('playing', () => (settled = true));
video.addEventListener('seeking', () => {
  settled = false;
  seen.seeking++;
});
video.addEventListener('waiting', () => (seen.waiting += settled && !video.ended ? 1 : 0));
video.addEventListener('ended', () => seen.ended++);
video.addEventListener('error', () => seen.errors.push(`video: ${video.error?.code} ${video.error?.message}`));
video.addEventListener('resize', () => seen.sizes.push(video.videoHeight));

function ranges(of) {
  const list = [];
  for (let i = 0; i < of.length; i++) {
    list.push([of.start(i), of.end(i)]);
  }
  return list;
}

const scripts = new Map();
function loadScript(src) {
  if (!scripts.has(src)) {
    scripts.set(src, fetchScript(src));
  }
  return scripts.get(src);
}

function fetchScript(src) {
  return new Promise((resolve, reject) => {
    const script = document.createElement('script');
    script.src = src;
    script.onload = resolve;
    script.onerror = () => reject(new Error(`${src} does not load`));
    document.head.append(script);
  });
}

// Each opens `url`, resolves once the manifest is read, and gives:
//   qualities()  heights of the video renditions, lowest first
//   choose(i)    play that one from the next segment on; no adaptation from then on
//   tracks()     {audio, text, images}: how many the player found
//   texts()      languages of the text tracks
//   text(i)      show that one
const players = {
  async hls(url) {
    await loadScript('/lib/hls.js/dist/hls.js');
    const hls = new Hls({ maxBufferLength: 600, maxMaxBufferLength: 600, startLevel: 0 });
    hls.on(Hls.Events.ERROR, (_, e) => {
      const list = /STALLED|HOLE|GAP/i.test(e.details) ? seen.gaps : seen.errors;
      list.push(`${e.type} ${e.details} ${e.fatal ? 'fatal ' : ''}${e.reason ?? e.error?.message ?? ''}`);
    });
    await new Promise((resolve, reject) => {
      hls.on(Hls.Events.MANIFEST_PARSED, resolve);
      hls.on(Hls.Events.ERROR, (_, e) => e.fatal && reject(new Error(`${e.details} ${e.reason ?? ''}`)));
      hls.loadSource(url);
    });
    hls.attachMedia(video);
    const order = hls.levels.map((l, i) => ({ height: l.height, i })).sort((a, b) => a.height - b.height);
    return {
      qualities: () => order.map((l) => l.height),
      choose: (i) => (hls.nextLevel = order[i].i),
      tracks: () => ({ audio: hls.audioTracks.length, text: hls.subtitleTracks.length, images: 0 }),
      texts: () => hls.subtitleTracks.map((t) => t.lang),
      text: (i) => {
        hls.subtitleTrack = i;
        hls.subtitleDisplay = true;
      },
      close: () => hls.destroy(),
    };
  },

  async shaka(url) {
    await loadScript('/lib/shaka-player/dist/shaka-player.compiled.debug.js');
    shaka.log.setLevel(shaka.log.Level.ERROR);
    shaka.polyfill.installAll();
    const player = new shaka.Player();
    player.addEventListener('error', (e) => {
      seen.errors.push(`shaka ${e.detail.code} ${JSON.stringify(e.detail.data).slice(0, 300)}`);
    });
    player.addEventListener('gapjumped', () => seen.gaps.push(`shaka jumped a gap at ${video.currentTime}`));
    player.addEventListener('stalldetected', () => seen.gaps.push(`shaka stalled at ${video.currentTime}`));
    await player.attach(video);
    player.configure({ streaming: { bufferingGoal: 600, bufferBehind: 600 } });
    await player.load(url);
    const heights = () => [...new Set(player.getVariantTracks().map((t) => t.height))].sort((a, b) => a - b);
    return {
      qualities: heights,
      choose: (i) => {
        player.configure({ abr: { enabled: false } });
        const now = player.getVariantTracks().find((t) => t.active);
        const want = player
          .getVariantTracks()
          .filter((t) => t.height === heights()[i])
          .sort((a, b) => (b.language === now?.language) - (a.language === now?.language))[0];
        player.selectVariantTrack(want, true, 4);
      },
      tracks: () => ({
        audio: player.getAudioTracks().length,
        text: player.getTextTracks().length,
        images: player.getImageTracks().length,
      }),
      texts: () => player.getTextTracks().map((t) => t.language),
      text: (i) => player.selectTextTrack(player.getTextTracks()[i]),
      close: () => player.destroy(),
    };
  },

  async dash(url) {
    await loadScript('/lib/dashjs/dist/modern/umd/dash.all.debug.js');
    const player = dashjs.MediaPlayer().create();
    player.updateSettings({
      debug: { logLevel: dashjs.Debug.LOG_LEVEL_NONE },
      streaming: { buffer: { bufferTimeAtTopQuality: 600, bufferTimeAtTopQualityLongForm: 600, fastSwitchEnabled: true } },
    });
    player.on('error', (e) => seen.errors.push(`dash.js ${e.error?.code ?? e.error} ${e.error?.message ?? ''}`));
    player.on('playbackStalled', () => seen.gaps.push(`dash.js stalled at ${video.currentTime}`));
    player.on('gapCausedInternalSeek', (e) => seen.gaps.push(`dash.js jumped a gap to ${e.seekTime}`));
    await new Promise((resolve, reject) => {
      player.on('streamInitialized', resolve);
      player.on('error', (e) => reject(new Error(`${e.error?.code} ${e.error?.message}`)));
      player.initialize(video, url, false);
    });
    const list = () => [...player.getRepresentationsByType('video')].sort((a, b) => a.height - b.height);
    return {
      qualities: () => list().map((r) => r.height),
      choose: (i) => {
        player.updateSettings({ streaming: { abr: { autoSwitchBitrate: { video: false } } } });
        player.setRepresentationForTypeById('video', list()[i].id, true);
      },
      tracks: () => ({
        audio: player.getTracksFor('audio').length,
        text: player.getTracksFor('text').length,
        images: player.getTracksFor('image').length,
      }),
      texts: () => player.getTracksFor('text').map((t) => t.lang),
      text: (i) => {
        player.enableText(true);
        player.setTextTrack(i);
      },
      close: () => player.destroy(),
    };
  },

  // A plain file in the element itself.
  async file(url) {
    video.src = url;
    await new Promise((resolve, reject) => {
      video.onloadedmetadata = resolve;
      video.onerror = () => reject(new Error(`${video.error?.code} ${video.error?.message}`));
    });
    return {
      qualities: () => [video.videoHeight],
      choose: () => {},
      tracks: () => ({ audio: 1, text: video.textTracks.length, images: 0 }),
      close: () => video.removeAttribute('src'),
    };
  },
};

// Manifests read by each player's own parser without playing: what a codec that the browser lacks allows. Gives a
// list of {kind, id, codecs, width, height, range, language, segments: [[start, end]...]}; segments only where the parser
// lists them; range: of the picture's brightness, where anything is said; shaka's have sheets, see decodeSheets, and layout.
const rangeOf = { 1: 'SDR', 16: 'PQ', 18: 'HLG' }; // ISO/IEC 23091-2 transfer characteristics

// The sheets of an image track, decoded by the browser: [width, height] of each; [0, 0]: it does not load.
function decodeSheets(references) {
  return Promise.all(
    references.map(async (r) => {
      const image = new Image();
      image.crossOrigin = 'anonymous';
      image.src = r.getUris()[0];
      await image.decode().catch(() => 0);
      return [image.naturalWidth, image.naturalHeight];
    }),
  );
}

const parsers = {
  async shaka(url) {
    await loadScript('/lib/shaka-player/dist/shaka-player.compiled.debug.js');
    shaka.log.setLevel(shaka.log.Level.ERROR);
    shaka.polyfill.installAll();
    const player = new shaka.Player();
    const problems = [];
    const calls = {
      networkingEngine: player.getNetworkingEngine(),
      filter: async () => {},
      isLowLatencyMode: () => false,
      getBandwidthEstimate: () => 1e6,
      onError: (e) => problems.push(`shaka ${e.code}`),
    };
    const parser = url.includes('.mpd') ? new shaka.dash.DashParser() : new shaka.hls.HlsParser();
    parser.configure(player.getConfiguration().manifest, () => false);
    const manifest = await parser.start(url, new Proxy(calls, { get: (o, name) => o[name] ?? (() => {}) }));
    const streams = new Map();
    for (const variant of manifest.variants) {
      streams.set(variant.video?.id, ['video', variant.video]).set(variant.audio?.id, ['audio', variant.audio]);
    }
    manifest.textStreams.forEach((t) => streams.set(t.id, ['text', t]));
    manifest.imageStreams.forEach((t) => streams.set(t.id, ['image', t]));
    const list = [];
    for (const [kind, stream] of streams.values()) {
      if (!stream) {
        continue;
      }
      await stream.createSegmentIndex();
      const references = [];
      stream.segmentIndex.forEachTopLevelReference((r) => references.push(r));
      const segments = references.map((r) => [r.startTime, r.endTime]);
      const sheets = kind === 'image' ? await decodeSheets(references) : undefined;
      const { originalId: id, codecs, width, height, hdr: range, language } = stream;
      const layout = stream.tilesLayout ?? references[0]?.getTilesLayout();
      list.push({ kind, id, codecs, width, height, range, language, segments, sheets, layout });
    }
    if (problems.length) {
      throw new Error(problems.join('; '));
    }
    return list;
  },

  async dash(url) {
    await loadScript('/lib/dashjs/dist/modern/umd/dash.all.debug.js');
    const player = dashjs.MediaPlayer().create();
    player.updateSettings({ debug: { logLevel: dashjs.Debug.LOG_LEVEL_NONE } });
    player.initialize();
    const manifest = await new Promise((resolve, reject) => {
      player.retrieveManifest(url, (m, error) => (error ? reject(new Error(String(error))) : resolve(m)));
    });
    const list = [];
    for (const set of manifest.Period[0].AdaptationSet) {
      const transfer = [...(set.SupplementalProperty ?? []), ...(set.EssentialProperty ?? [])].find((p) =>
        p.schemeIdUri.endsWith('cicp:TransferCharacteristics'),
      );
      const range = rangeOf[transfer?.value];
      for (const r of set.Representation) {
        const base = r.SegmentList ?? r.SegmentTemplate;
        let at = 0;
        const segments = (base?.SegmentTimeline?.S ?? []).map((s) => {
          const start = s.t ?? at;
          at = start + s.d;
          return [start / base.timescale, at / base.timescale];
        });
        list.push({ kind: set.contentType, id: r.id, codecs: r.codecs, width: r.width, height: r.height, range, language: set.lang, segments });
      }
    }
    return list;
  },

  async hls(url) {
    const { M3U8Parser } = await import('/lib/hls.js/dist/hls.mjs');
    const text = async (u) => (await fetch(u)).text();
    const master = M3U8Parser.parseMasterPlaylist(await text(url), url);
    if (master.playlistParsingError) {
      throw master.playlistParsingError;
    }
    const media = M3U8Parser.parseMasterPlaylistMedia(await text(url), url, master);
    const list = [];
    const add = async (kind, type, i, entry, uri) => {
      const details = M3U8Parser.parseLevelPlaylist(await text(uri), uri, i, type, 0, null);
      if (details.playlistParsingError || details.live) {
        throw details.playlistParsingError ?? new Error(`${uri} has no end`);
      }
      const segments = details.fragments.map((f) => [f.start, f.end]);
      list.push({
        kind,
        id: entry.name ?? uri,
        codecs: entry.videoCodec ?? entry.audioCodec,
        width: entry.width,
        height: entry.height,
        range: entry.attrs?.['VIDEO-RANGE'],
        language: entry.lang,
        segments,
      });
    };
    const sound = media.AUDIO ?? [];
    for (const [i, level] of master.levels.entries()) {
      // sound alone: the level is the track that has no address of its own, or the only one
      const isSound = !level.videoCodec && !level.width;
      const track = isSound ? sound.find((t) => !t.url) : undefined;
      await add(isSound ? 'audio' : 'video', 'main', i, track ?? level, level.url);
    }
    for (const [i, track] of sound.entries()) {
      if (track.url) {
        await add('audio', 'audio', i, track, track.url);
      }
    }
    for (const [i, track] of (media.SUBTITLES ?? []).entries()) {
      await add('text', 'subtitle', i, track, track.url);
    }
    return list;
  },
};

const gm = {
  player: null,

  async open(name, url) {
    video.muted = false;
    this.player = await players[name](url);
    return { qualities: this.player.qualities(), tracks: this.player.tracks() };
  },

  parse: (name, url) => parsers[name](url),
  play: () => video.play(),
  pause: () => video.pause(),
  seek: (to) => void (video.currentTime = to),
  choose: (i) => void gm.player.choose(i),
  texts: () => gm.player.texts(),
  text: (i) => gm.player.text(i),

  // All cues that the player has given the element for the track that shows, and those that show now.
  cues() {
    const plain = (list) =>
      [...(list ?? [])].map((c) => [c.startTime, c.endTime, c.getCueAsHTML ? c.getCueAsHTML().textContent : c.text]);
    const shown = [...video.textTracks].filter((t) => t.mode === 'showing' && t.kind !== 'metadata');
    return { all: shown.flatMap((t) => plain(t.cues)), now: shown.flatMap((t) => plain(t.activeCues)), time: video.currentTime };
  },

  status() {
    const q = video.getVideoPlaybackQuality();
    return {
      ...seen,
      time: video.currentTime,
      duration: video.duration,
      isEnded: video.ended,
      isSeeking: video.seeking,
      ready: video.readyState,
      height: video.videoHeight,
      frames: q.totalVideoFrames,
      dropped: q.droppedVideoFrames,
      audioBytes: video.webkitAudioDecodedByteCount,
      buffered: ranges(video.buffered),
      sources: buffers
        .filter((b) => b.buffer.buffered !== undefined)
        .map((b) => ({ type: b.type, buffered: ranges(b.buffer.buffered) })),
    };
  },
};
window.gm = gm;
