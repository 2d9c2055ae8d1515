// Everything that sounds: target and match in one loop, and single notes.

import { ask, readSound } from "./api.js";

export const RATE = 44100;

const FADE_SECONDS = 0.008;

let context = null;

/** The context; the first call must come from a click or a key. */
export function audioContext() {
  context ??= new AudioContext({ sampleRate: RATE, latencyHint: "interactive" });
  if (context.state === "suspended") context.resume();
  return context;
}

/** A buffer of samples. */
export function bufferOf({ samples, rate }) {
  const buffer = new AudioBuffer({
    length: Math.max(1, samples.length),
    sampleRate: rate,
    numberOfChannels: 1,
  });
  buffer.copyToChannel(samples, 0);
  return buffer;
}

/** Root mean square of samples. */
export function rms(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / Math.max(1, samples.length));
}

/**
 * Render a note.
 *
 * @param {number[]} patch
 * @param {Object} options - `take` for its note and distance, `note` for changes, `signal`
 * @returns {Promise<{samples: Float32Array, rate: number, distance: number|null}>}
 */
export async function render(patch, { take = null, note = {}, signal = undefined } = {}) {
  return readSound(await ask("play", { json: { patch, take, note }, signal }));
}

/** Two sounds in one loop, of which one is heard. */
class Comparison {
  constructor() {
    this.sounds = { target: null, match: null };
    this.side = "match";
    this.loops = true;
    this.matchesLevel = true;
    this.began = null;
    this.voices = {};
    this.onChange = () => {};
    this.timer = null;
  }

  get playing() {
    return this.began !== null;
  }

  get length() {
    const both = Object.values(this.sounds).filter(Boolean);
    return Math.max(0.05, ...both.map((sound) => sound.samples.length / sound.rate));
  }

  /** Seconds into the loop; null where nothing plays. */
  get position() {
    if (!this.playing) return null;
    const since = audioContext().currentTime - this.began;
    return this.loops ? since % this.length : Math.min(since, this.length);
  }

  /** Take another sound for a side; what plays goes on in its place. */
  set(side, sound) {
    this.sounds[side] = sound;
    if (this.playing) this.startVoice(side, true);
    this.onChange();
  }

  gainOf(side) {
    if (side !== this.side) return 0;
    const { target, match } = this.sounds;
    if (side === "match" && this.matchesLevel && target && match) {
      const level = rms(match.samples);
      return level > 1e-6 ? Math.min(16, rms(target.samples) / level) : 1;
    }
    return 1;
  }

  play(side = this.side) {
    this.side = side;
    this.stop(false);
    this.began = audioContext().currentTime + 0.005;
    for (const one of ["target", "match"]) this.startVoice(one, false);
    this.onChange();
  }

  stop(tells = true) {
    for (const voice of Object.values(this.voices)) fadeOut(voice);
    this.voices = {};
    this.began = null;
    clearTimeout(this.timer);
    if (tells) this.onChange();
  }

  toggle() {
    if (this.playing) this.stop();
    else this.play();
  }

  /** Hear the other side, in place. */
  swap(side = this.side === "match" ? "target" : "match") {
    this.side = side;
    if (this.playing) this.level();
    else this.play();
    this.onChange();
  }

  level() {
    const now = audioContext().currentTime;
    for (const [side, voice] of Object.entries(this.voices)) {
      voice.gain.gain.setTargetAtTime(this.gainOf(side), now, FADE_SECONDS / 3);
    }
  }

  startVoice(side, inPlace) {
    const sound = this.sounds[side];
    if (this.voices[side]) fadeOut(this.voices[side]);
    delete this.voices[side];
    if (!sound) return;
    const ctx = audioContext();
    const padded = new Float32Array(Math.ceil(this.length * sound.rate));
    padded.set(sound.samples.subarray(0, padded.length));
    const source = new AudioBufferSourceNode(ctx, {
      buffer: bufferOf({ samples: padded, rate: sound.rate }),
      loop: this.loops,
    });
    const gain = new GainNode(ctx, { gain: 0 });
    source.connect(gain).connect(ctx.destination);
    const at = inPlace ? ctx.currentTime : this.began;
    gain.gain.setTargetAtTime(this.gainOf(side), at, FADE_SECONDS / 3);
    source.start(at, inPlace ? this.position : 0);
    if (!this.loops && side === this.side) {
      clearTimeout(this.timer);
      const left = this.length - (inPlace ? this.position : 0);
      this.timer = setTimeout(() => this.stop(), 1000 * left + 60);
    }
    this.voices[side] = { source, gain };
  }
}

function fadeOut({ source, gain }) {
  const now = audioContext().currentTime;
  gain.gain.setTargetAtTime(0, now, FADE_SECONDS / 3);
  source.stop(now + 4 * FADE_SECONDS);
}

export const comparison = new Comparison();

let single = null;

/** Play a sound once; it silences the one before. */
export function playOnce(sound, { gain = 1, offset = 0, onEnd = () => {} } = {}) {
  const ctx = audioContext();
  if (single) fadeOut(single);
  const source = new AudioBufferSourceNode(ctx, { buffer: bufferOf(sound) });
  const level = new GainNode(ctx, { gain });
  source.connect(level).connect(ctx.destination);
  source.start(0, offset);
  const own = { source, gain: level, began: ctx.currentTime, sound };
  source.onended = () => {
    if (single === own) single = null;
    onEnd();
  };
  single = own;
  return own;
}

/** Silence what `playOnce` plays. */
export function stopOnce() {
  if (single) fadeOut(single);
  single = null;
}
