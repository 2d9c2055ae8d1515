// Playing the patch: by mouse and touch, by the computer's keys, by MIDI.
//
// A key that goes down plays a long note. When it goes up, the same note of the length that it was
// held is rendered and takes the place of the long one just before its key is released: the engine
// repeats itself to the bit, so that nothing is heard of the change.

import { complain } from "./alerts.js";
import { audioContext, bufferOf, comparison, render, rms } from "./audio.js";
import { bench, onBench } from "./bench.js";
import { byId, el, keyName, setText } from "./dom.js";
import { currentTake } from "./store.js";

const HELD_SECONDS = 4;
const RELEASE_SECONDS = 2;
const AHEAD_SECONDS = 0.08;
const FADE_SECONDS = 0.004;
const MOST_CACHED = 200;
const VELOCITY = 100;
const LETTERS = "awsedftgyhujkol";
const BLACK = new Set([1, 3, 6, 8, 10]);

let octave = 3;
let patchKey = "";
const cache = new Map();
const down = new Map(); // key -> voice
const faces = new Map(); // key -> button
let played = 0;

const octavesShown = () => (byId("keys").clientWidth < 560 ? 1 : 3);

function invalidate() {
  const key = bench.patch ? bench.patch.join() : "";
  if (key === patchKey) return;
  patchKey = key;
  cache.clear();
  scheduleAhead();
}

/** A note of the patch, rendered once. */
function note(pitch, velocity, held) {
  const name = `${pitch} ${velocity} ${held}`;
  let found = cache.get(name);
  if (!found) {
    const release = held === HELD_SECONDS ? 0.25 : RELEASE_SECONDS;
    found = render(bench.patch, {
      note: { pitch, velocity, length_seconds: held, render_seconds: held + release },
    });
    cache.set(name, found);
    found.catch(() => cache.delete(name));
    if (cache.size > MOST_CACHED) cache.delete(cache.keys().next().value);
  }
  return found;
}

let ahead = null;

/** While nothing else is played, render the keys that are likely to come. */
function scheduleAhead() {
  clearTimeout(ahead);
  const key = patchKey;
  if (!key || byId("keys-card").hidden) return;
  ahead = setTimeout(async () => {
    const first = 12 * (octave + 1);
    for (let pitch = first; pitch < first + LETTERS.length && patchKey === key; pitch += 1) {
      if (pitch <= 127) await note(pitch, VELOCITY, HELD_SECONDS).catch(() => {});
    }
  }, 700);
}

/** As loud as the comparison plays the match. */
function loudness() {
  const { target } = comparison.sounds;
  if (!comparison.matchesLevel || !target || !bench.sound) return 1;
  const level = rms(bench.sound.samples);
  return level > 1e-6 ? Math.min(8, rms(target.samples) / level) : 1;
}

function startVoice(sound, at, offset, gain) {
  const ctx = audioContext();
  const source = new AudioBufferSourceNode(ctx, { buffer: bufferOf(sound) });
  const level = new GainNode(ctx, { gain: 0 });
  source.connect(level).connect(ctx.destination);
  level.gain.setTargetAtTime(gain, at, FADE_SECONDS / 3);
  source.start(at, offset);
  return { source, level };
}

function endVoice({ source, level }, at) {
  level.gain.setTargetAtTime(0, at, FADE_SECONDS / 3);
  source.stop(at + 4 * FADE_SECONDS);
}

/** A key goes down. */
export async function strike(pitch, velocity = VELOCITY) {
  if (!bench.patch || pitch < 0 || pitch > 127 || down.has(pitch)) return;
  const own = { pitch, velocity, began: null, voice: null, isUp: false };
  down.set(pitch, own);
  faces.get(pitch)?.setAttribute("data-down", "");
  audioContext();
  const start = performance.now();
  try {
    const sound = await note(pitch, velocity, HELD_SECONDS);
    own.began = audioContext().currentTime;
    own.gain = loudness();
    own.voice = startVoice(sound, own.began, 0, own.gain);
    performance.measure("strike to sound", { start });
    byId("keys").dataset.played = (played += 1);
    if (own.isUp) await letGo(own);
  } catch (error) {
    complain(error);
  }
}

/** A key goes up. */
export function release(pitch) {
  const own = down.get(pitch);
  if (!own) return;
  down.delete(pitch);
  faces.get(pitch)?.removeAttribute("data-down");
  own.isUp = true;
  if (own.voice) letGo(own).catch(complain);
}

async function letGo(own) {
  const ctx = audioContext();
  const held = Math.min(HELD_SECONDS, Math.ceil(100 * (ctx.currentTime - own.began + AHEAD_SECONDS)) / 100);
  const sound = await note(own.pitch, own.velocity, held);
  const at = Math.max(ctx.currentTime, own.began + held - 0.01);
  startVoice(sound, at, at - own.began, own.gain);
  endVoice(own.voice, at);
}

function draw() {
  const board = byId("keys");
  const count = octavesShown();
  const first = 12 * (Math.min(octave, 10 - count) + 1);
  setText(byId("octave"), `C${octave}`);
  const wanted = `${first} ${count} ${octave}`;
  if (board.dataset.shown === wanted) return;
  board.dataset.shown = wanted;
  faces.clear();
  const pitches = Array.from({ length: 12 * count + 1 }, (_, place) => first + place).filter((pitch) => pitch <= 127);
  const whites = pitches.filter((pitch) => !BLACK.has(pitch % 12));
  const wide = 100 / whites.length;
  let place = 0;
  const made = pitches.map((pitch) => {
    const isBlack = BLACK.has(pitch % 12);
    const letter = LETTERS[pitch - 12 * (octave + 1)] ?? "";
    const button = el(
      "button",
      { class: `key ${isBlack ? "black" : "white"}`, type: "button", tabindex: -1, "aria-label": keyName(pitch) },
      letter.toUpperCase(),
    );
    button.style.left = `${isBlack ? place * wide - 0.31 * wide : place * wide}%`;
    button.style.width = `${isBlack ? 0.62 * wide : wide}%`;
    if (!isBlack) place += 1;
    faces.set(pitch, button);
    button.dataset.pitch = pitch;
    return button;
  });
  made[0].tabIndex = 0;
  board.replaceChildren(...made);
}

function setOctave(to) {
  octave = Math.min(8, Math.max(0, to));
  draw();
  scheduleAhead();
}

function beginMouse() {
  const board = byId("keys");
  let sounding = null;
  const keyAt = (event) => {
    const found = document.elementFromPoint(event.clientX, event.clientY)?.closest?.(".key");
    return found ? Number(found.dataset.pitch) : null;
  };
  const move = (event) => {
    const pitch = keyAt(event);
    if (pitch === sounding) return;
    if (sounding !== null) release(sounding);
    sounding = pitch;
    if (pitch === null) return;
    const box = faces.get(pitch).getBoundingClientRect();
    const share = (event.clientY - box.top) / box.height;
    strike(pitch, Math.round(40 + 87 * Math.min(1, Math.max(0, share))));
  };
  board.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    move(event);
    const end = () => {
      if (sounding !== null) release(sounding);
      sounding = null;
      removeEventListener("pointermove", move);
      removeEventListener("pointerup", end);
      removeEventListener("pointercancel", end);
    };
    addEventListener("pointermove", move);
    addEventListener("pointerup", end);
    addEventListener("pointercancel", end);
  });
  // Tab reaches one key; arrows go on from there, Space and Enter play.
  board.addEventListener("keydown", (event) => {
    const face = event.target.closest(".key");
    if (!face) return;
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) {
      const next = faces.get(Number(face.dataset.pitch) + step);
      if (next) {
        face.tabIndex = -1;
        next.tabIndex = 0;
        next.focus();
      }
      event.preventDefault();
    } else if ((event.key === " " || event.key === "Enter") && !event.repeat) {
      event.preventDefault();
      strike(Number(face.dataset.pitch));
    }
  });
  board.addEventListener("keyup", (event) => {
    const face = event.target.closest(".key");
    if (face && (event.key === " " || event.key === "Enter")) release(Number(face.dataset.pitch));
  });
}

function beginComputer() {
  const struck = new Map();
  const isTyping = (element) => element.closest("input:not([type='checkbox'], [type='range']), select, textarea");
  addEventListener("keydown", (event) => {
    if (event.repeat || event.ctrlKey || event.metaKey || event.altKey || !currentTake()) return;
    if (event.target instanceof Element && isTyping(event.target)) return;
    const letter = event.key.toLowerCase();
    const step = LETTERS.indexOf(letter);
    if (letter === "z") setOctave(octave - 1);
    else if (letter === "x") setOctave(octave + 1);
    else if (letter.length === 1 && step >= 0) {
      const pitch = 12 * (octave + 1) + step;
      struck.set(letter, pitch);
      strike(pitch);
    }
  });
  addEventListener("keyup", (event) => {
    const letter = event.key.toLowerCase();
    if (struck.has(letter)) release(struck.get(letter));
    struck.delete(letter);
  });
  addEventListener("blur", () => {
    for (const pitch of [...down.keys()]) release(pitch);
  });
}

/** What a MIDI keyboard sends. */
export function hearMidi([status, pitch, velocity]) {
  const kind = status & 0xf0;
  if (kind === 0x90 && velocity > 0) strike(pitch, velocity);
  else if (kind === 0x80 || kind === 0x90) release(pitch);
}

async function connectMidi() {
  const say = (text) => setText(byId("midi-text"), text);
  if (!navigator.requestMIDIAccess) {
    say("This browser has no MIDI; Chromium and Firefox do.");
    return;
  }
  try {
    const access = await navigator.requestMIDIAccess();
    const hear = () => {
      const inputs = [...access.inputs.values()];
      for (const input of inputs) input.onmidimessage = ({ data }) => hearMidi(data);
      say(inputs.length ? `Hears ${inputs.map(({ name }) => name).join(", ")}.` : "No MIDI keyboard is connected; one that is plugged in now is heard.");
    };
    access.onstatechange = hear;
    hear();
    byId("midi").setAttribute("aria-pressed", "true");
  } catch {
    say("The browser does not allow MIDI here: allow it beside the address.");
  }
}

/** Listen to the page. */
export function begin() {
  onBench((kind) => {
    byId("keys-card").hidden = !bench.patch;
    draw();
    if (kind === "patch") invalidate();
  });
  byId("octave-down").addEventListener("click", () => setOctave(octave - 1));
  byId("octave-up").addEventListener("click", () => setOctave(octave + 1));
  byId("midi").addEventListener("click", connectMidi);
  beginMouse();
  beginComputer();
  new ResizeObserver(draw).observe(byId("keys"));
}
