// Runs in the page, after page.js: when a flash is shown and when its beep sounds, both in media time.
//
// Picture: requestVideoFrameCallback gives each shown frame's mediaTime; a flash is three frames of falling brightness,
// so that its start follows from any of them that was shown.
// Sound: an AudioWorklet records what the element plays. Chromium begins to play at exactly the position that was sought
// (its renderer cuts the decoded sound there), so the first sample that is not zero is that position, and media time
// runs from there with the sample rate.
// The clip hums between the beeps with a period of 1001 samples; where that is broken playback stuttered.
'use strict';

const HUM = 1001; // samples
const LEVELS = [255, 191, 127]; // brightness of the frames of a flash; all others are black

const avsync = {
  blocks: [],
  pictures: [],

  async start() {
    const audio = new AudioContext({ sampleRate: 48000 });
    await audio.audioWorklet.addModule('/recorder.js');
    const recorder = new AudioWorkletNode(audio, 'recorder', { numberOfOutputs: 0 });
    audio.createMediaElementSource(video).connect(recorder);
    recorder.port.onmessage = (e) => this.blocks.push(e.data);
    const canvas = new OffscreenCanvas(8, 8).getContext('2d', { willReadFrequently: true });
    const look = (_, frame) => {
      canvas.drawImage(video, 0, 0, 8, 8);
      this.pictures.push({ time: frame.mediaTime, height: frame.height, level: canvas.getImageData(4, 4, 1, 1).data[1] });
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
  },

  // Plays `seconds` from `from`; gives {flashes: [s], beeps: [s], broken, change}: `broken` is where the hum before the last
  // beep is broken, s, or null. `change`: after the first second and a half another quality is chosen, {height, sizes: [{height, time}]}: its own
  // height, and what was shown from then on, and from when.
  async measure(from, seconds, frame_s, switches) {
    video.pause();
    while (video.readyState < 3) { // without data a seek is no event
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const there = new Promise((resolve) => video.addEventListener('seeked', resolve, { once: true }));
    video.currentTime = from;
    await there;
    await new Promise((resolve) => setTimeout(resolve, 500)); // what was playing has drained from the graph
    this.blocks.length = 0;
    this.pictures.length = 0;
    await video.play();
    let change = null;
    while (video.currentTime < from + seconds && !video.ended) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      if (switches && change === null && video.currentTime > from + 1.5) {
        change = this.change();
      }
    }
    video.pause();
    const sound = new Float32Array(this.blocks.length * 128);
    this.blocks.forEach((block, i) => sound.set(block, i * 128));
    const { height, first } = change ?? {};
    const sizes = change && this.pictures.slice(first).filter((p, i, all) => p.height !== all[i - 1]?.height);
    return { ...this.hear(sound, from, seconds), flashes: this.see(frame_s), change: change && { height, sizes } };
  },

  change() {
    const heights = gm.player.qualities();
    const other = heights.findIndex((h) => h !== video.videoHeight);
    gm.choose(other);
    return { height: heights[other], first: this.pictures.length };
  },

  hear(sound, from, seconds) {
    const first = sound.findIndex((x) => Math.abs(x) > 1e-3);
    const last = Math.min(sound.length, first + seconds * 48000);
    const beeps = [];
    let broken = first < 0 ? from : null;
    let loud = -48000; // the last loud sample
    for (let i = Math.max(first, 0); i < last && broken === null; i++) {
      if (Math.abs(sound[i]) > 0.25) {
        if (i - loud > 24000) {
          beeps.push(from + (i - first) / 48000);
        }
        loud = i;
      } else if (i - loud > 4 * HUM && i > first + 2 * HUM && Math.abs(sound[i] - sound[i - HUM]) > 0.015) {
        // an encoder smears a beep to some 20 ms before it
        broken = sound.subarray(i, i + 1440).some((x) => Math.abs(x) > 0.25) ? null : from + (i - first) / 48000;
      }
    }
    return { beeps, broken };
  },

  see(frame_s) {
    const flashes = [];
    for (const p of this.pictures) {
      const k = LEVELS.findIndex((level) => Math.abs(level - p.level) <= 31);
      const start = p.time - k * frame_s;
      if (k >= 0 && !flashes.some((f) => Math.abs(f - start) < 1)) {
        flashes.push(start);
      }
    }
    return flashes;
  },
};
window.avsync = avsync;
