// Recording from the microphone, as it is: no gain control, no noise suppression.

import { complain, guarded } from "./alerts.js";
import { byId, setText } from "./dom.js";
import { takeOne } from "./queue.js";

const LONGEST_SECONDS = 120;
const QUIETEST = 0.003;

let recording = null;

/** A WAV file of 32-bit floats. */
export function wavOf(pieces, rate) {
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const view = new DataView(new ArrayBuffer(44 + 4 * length));
  const text = (at, word) => [...word].forEach((letter, i) => view.setUint8(at + i, letter.charCodeAt(0)));
  text(0, "RIFF");
  view.setUint32(4, 36 + 4 * length, true);
  text(8, "WAVEfmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 3, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, rate, true);
  view.setUint32(28, 4 * rate, true);
  view.setUint16(32, 4, true);
  view.setUint16(34, 32, true);
  text(36, "data");
  view.setUint32(40, 4 * length, true);
  let at = 44;
  for (const piece of pieces) {
    for (const sample of piece) {
      view.setFloat32(at, sample, true);
      at += 4;
    }
  }
  return new Blob([view.buffer], { type: "audio/wav" });
}

async function start() {
  if (!navigator.mediaDevices?.getUserMedia) throw new Error("This browser has no microphone here.");
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: { autoGainControl: false, noiseSuppression: false, echoCancellation: false, channelCount: 1 },
    });
  } catch (error) {
    throw new Error(
      error.name === "NotFoundError"
        ? "No microphone was found: connect one, or drop a file."
        : "The browser does not allow the microphone here: allow it beside the address.",
    );
  }
  const context = new AudioContext();
  await context.audioWorklet.addModule("/js/recorder-worklet.js");
  const node = new AudioWorkletNode(context, "recorder");
  context.createMediaStreamSource(stream).connect(node);
  const own = { stream, context, pieces: [], samples: 0, peak: 0 };
  node.port.onmessage = ({ data }) => {
    if (recording !== own) return;
    own.pieces.push(data);
    own.samples += data.length;
    let level = 0;
    for (const sample of data) level = Math.max(level, Math.abs(sample));
    own.peak = Math.max(own.peak, level);
    byId("input-level").value = Math.min(1, level);
    const time = own.samples / context.sampleRate;
    setText(byId("record-time"), `${time.toFixed(1)} s`);
    if (time > LONGEST_SECONDS) stop();
  };
  recording = own;
}

async function stop() {
  const { stream, context, pieces, peak } = recording;
  const rate = context.sampleRate;
  recording = null;
  for (const track of stream.getTracks()) track.stop();
  await context.close();
  show();
  if (peak < QUIETEST) {
    complain("The recording is silent: choose another microphone in the browser's settings.");
    return;
  }
  const time = new Date().toTimeString().slice(0, 8).replaceAll(":", "-");
  await takeOne(wavOf(pieces, rate), `Recording ${time}.wav`);
}

function show() {
  byId("record").setAttribute("aria-pressed", String(Boolean(recording)));
  byId("record").textContent = recording ? "Stop recording" : "Record";
  byId("recorder").hidden = !recording;
}

/** Listen to the page. */
export function begin() {
  byId("record").addEventListener(
    "click",
    guarded(async () => {
      if (recording) await stop();
      else await start();
      show();
    }),
  );
}
