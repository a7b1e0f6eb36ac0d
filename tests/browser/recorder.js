// Passes on every sample that the element plays, first channel, with the number of the block.
'use strict';

class Recorder extends AudioWorkletProcessor {
  process(inputs) {
    const samples = inputs[0][0];
    this.port.postMessage(samples ? samples.slice() : new Float32Array(128));
    return true;
  }
}
registerProcessor('recorder', Recorder);
