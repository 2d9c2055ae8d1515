// The recording: waveform and spectrogram, zoom, and the part that is matched.

import { ask, readSound } from "./api.js";
import { guarded } from "./alerts.js";
import { audioContext, bufferOf } from "./audio.js";
import { byId, colour, onceAFrame, seconds, sharpContext, setText } from "./dom.js";
import { spectrogram } from "./spectrum.js";
import { currentSound, currentTake, onChange } from "./store.js";

const SHORTEST_SECONDS = 0.02;
const SNAP_PIXELS = 8;

const view = {
  id: null,
  sound: null, // samples and rate
  from: 0, // seconds at the left edge
  until: 1,
  part: null, // [start, end] in seconds
};

let voice = null;

/** The part that is to be matched: start and length in seconds, or nulls for all. */
export function part() {
  if (!view.part) return { start_seconds: null, length_seconds: null };
  const [start, end] = view.part;
  return { start_seconds: round(start), length_seconds: round(end - start) };
}

const round = (value) => Math.round(value * 1e4) / 1e4;
const total = () => (view.sound ? view.sound.samples.length / view.sound.rate : 1);
const width = () => byId("waveform").getBoundingClientRect().width || 1;
const toSeconds = (x) => view.from + (x / width()) * (view.until - view.from);
const toPixels = (time) => ((time - view.from) / (view.until - view.from)) * width();

const load = guarded(async () => {
  const sound = currentSound();
  const id = sound?.suffix ? sound.id : null;
  if (id === view.id) return;
  stopVoice();
  Object.assign(view, { id, sound: null, part: null, from: 0, until: 1 });
  draw();
  if (!id || sound.error) return;
  const read = await readSound(await ask(`sounds/${encodeURIComponent(id)}/audio`));
  if (view.id !== id) return;
  view.sound = read;
  view.until = total();
  takePart();
  draw();
});

/** Show the part that the take was made with. */
function takePart() {
  const take = currentTake();
  if (!view.sound || !take || take.start_seconds === null) {
    view.part = null;
  } else {
    const length = take.length_seconds ?? take.note.render_seconds;
    view.part = [take.start_seconds, Math.min(total(), take.start_seconds + length)];
  }
}

function drawWaveform() {
  const { context, width: wide, height } = sharpContext(byId("waveform"));
  context.clearRect(0, 0, wide, height);
  if (!view.sound) return;
  const { samples, rate } = view.sound;
  let peak = 1e-6;
  for (let i = 0; i < samples.length; i += 1) peak = Math.max(peak, Math.abs(samples[i]));
  context.strokeStyle = colour("line");
  context.beginPath();
  context.moveTo(0, height / 2);
  context.lineTo(wide, height / 2);
  context.stroke();
  context.fillStyle = colour("target");
  const scale = (0.46 * height) / peak;
  for (let x = 0; x < wide; x += 1) {
    const first = Math.max(0, Math.floor(toSeconds(x) * rate));
    const last = Math.min(samples.length, Math.max(first + 1, Math.floor(toSeconds(x + 1) * rate)));
    let low = Infinity;
    let high = -Infinity;
    for (let i = first; i < last; i += 1) {
      low = Math.min(low, samples[i]);
      high = Math.max(high, samples[i]);
    }
    if (high < low) continue;
    context.fillRect(x, height / 2 - high * scale, 1, Math.max(1, (high - low) * scale));
  }
}

function drawSpectrogram() {
  const canvas = byId("spectrogram");
  const { context, width: wide, height } = sharpContext(canvas);
  context.clearRect(0, 0, wide, height);
  if (!view.sound) return;
  const columns = Math.min(420, Math.round(wide / 2));
  const rows = Math.round(height / 1.5);
  const image = spectrogram(view.sound, view.from, view.until, columns, rows);
  const small = new OffscreenCanvas(columns, rows);
  small.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = true;
  context.drawImage(small, 0, 0, wide, height);
  context.fillStyle = "#fff";
  context.font = "10px system-ui, sans-serif";
  for (const [hertz, label] of [[100, "100"], [1000, "1k"], [10000, "10k"]]) {
    const y = height * (1 - Math.log(hertz / 40) / Math.log(16000 / 40));
    context.fillRect(0, y, 5, 1);
    context.fillText(label, 8, y + 3);
  }
}

let spectrum = null;

const draw = onceAFrame(() => {
  drawWaveform();
  drawPart();
  clearTimeout(spectrum);
  spectrum = setTimeout(drawSpectrogram, 30);
});

function drawPart() {
  const region = byId("region");
  region.hidden = !view.part;
  byId("part-add").textContent = view.part ? "Match all of it" : "Choose a part";
  if (!view.part) {
    const text = view.sound ? `${seconds(total())}. Drag over the waveform to match a part.` : "";
    setText(byId("region-text"), text);
    return;
  }
  const [start, end] = view.part;
  const left = toPixels(start);
  region.style.left = `${left}px`;
  region.style.width = `${Math.max(1, toPixels(end) - left)}px`;
  setText(byId("region-text"), `${seconds(start)} to ${seconds(end)}, ${seconds(end - start)}`);
  for (const [id, value, low, high] of [
    ["region-start", start, 0, end],
    ["region-end", end, start, total()],
  ]) {
    const handle = byId(id);
    handle.setAttribute("aria-valuenow", round(value));
    handle.setAttribute("aria-valuemin", round(low));
    handle.setAttribute("aria-valuemax", round(high));
    handle.setAttribute("aria-valuetext", seconds(value));
  }
}

/** The nearest zero crossing, or the onset or end that was heard, if the user wants that. */
function snapped(time) {
  if (!byId("snap").checked || !view.sound) return time;
  const heard = currentSound()?.heard;
  const reach = (SNAP_PIXELS / width()) * (view.until - view.from);
  const marks = [0, total(), heard?.onset_seconds, heard?.release_seconds, heard?.end_seconds];
  for (const mark of marks) {
    if (mark !== null && mark !== undefined && Math.abs(mark - time) < reach) return mark;
  }
  const { samples, rate } = view.sound;
  const middle = Math.round(time * rate);
  for (let away = 0; away < 0.005 * rate; away += 1) {
    for (const at of [middle + away, middle - away]) {
      if (at > 0 && at < samples.length && samples[at - 1] <= 0 && samples[at] > 0) return at / rate;
    }
  }
  return time;
}

function setPart(start, end) {
  const [low, high] = [Math.max(0, Math.min(start, end)), Math.min(total(), Math.max(start, end))];
  view.part = high - low < SHORTEST_SECONDS ? null : [low, high];
  drawPart();
}

function zoom(factor, middle = (view.from + view.until) / 2) {
  const span = Math.min(total(), Math.max(0.005, (view.until - view.from) * factor));
  const share = (middle - view.from) / (view.until - view.from);
  view.from = Math.min(Math.max(0, middle - share * span), total() - span);
  view.until = view.from + span;
  draw();
}

function follow(event, move) {
  const area = document.querySelector(".plots");
  const end = () => {
    removeEventListener("pointermove", move);
    removeEventListener("pointerup", end);
    removeEventListener("pointercancel", end);
  };
  addEventListener("pointermove", move);
  addEventListener("pointerup", end);
  addEventListener("pointercancel", end);
  event.preventDefault();
  return area.getBoundingClientRect().left;
}

function stopVoice() {
  voice?.stop();
  voice = null;
  byId("play-line").hidden = true;
  byId("play-sound").textContent = "Play recording";
}

function playPart() {
  if (voice) {
    stopVoice();
    return;
  }
  if (!view.sound) return;
  const [start, end] = view.part ?? [0, total()];
  const ctx = audioContext();
  const source = new AudioBufferSourceNode(ctx, { buffer: bufferOf(view.sound) });
  source.connect(ctx.destination);
  source.start(0, start, end - start);
  const began = ctx.currentTime;
  voice = source;
  source.onended = () => {
    if (voice === source) stopVoice();
  };
  byId("play-sound").textContent = "Stop";
  const line = byId("play-line");
  line.hidden = false;
  const move = () => {
    if (voice !== source) return;
    line.style.transform = `translateX(${toPixels(start + ctx.currentTime - began)}px)`;
    requestAnimationFrame(move);
  };
  move();
}

/** Listen to the page. */
export function begin() {
  onChange((kind) => {
    if (kind === "choice") {
      takePart();
      drawPart();
    }
    load();
  });
  const area = document.querySelector(".plots");
  area.addEventListener("pointerdown", (event) => {
    if (event.target.closest(".handle") || event.button !== 0 || !view.sound) return;
    if (event.pointerType === "touch") return; // touches scroll; the button chooses
    const { left } = area.getBoundingClientRect();
    const first = snapped(toSeconds(event.clientX - left));
    follow(event, (moved) => setPart(first, snapped(toSeconds(moved.clientX - left))));
  });
  area.addEventListener(
    "wheel",
    (event) => {
      if (!view.sound || !(event.ctrlKey || event.shiftKey || event.altKey)) return;
      event.preventDefault();
      const { left } = area.getBoundingClientRect();
      if (event.shiftKey && !event.ctrlKey) {
        const move = ((event.deltaX || event.deltaY) / width()) * (view.until - view.from);
        const by = Math.min(Math.max(move, -view.from), total() - view.until);
        view.from += by;
        view.until += by;
        draw();
      } else {
        zoom(Math.exp(event.deltaY * 0.003), toSeconds(event.clientX - left));
      }
    },
    { passive: false },
  );
  for (const [id, side] of [["region-start", 0], ["region-end", 1]]) {
    const handle = byId(id);
    handle.addEventListener("pointerdown", (event) => {
      const { left } = area.getBoundingClientRect();
      handle.focus();
      follow(event, (moved) => {
        const both = [...(view.part ?? [0, total()])];
        both[side] = snapped(toSeconds(moved.clientX - left));
        if (both[1] - both[0] >= SHORTEST_SECONDS) setPart(...both);
      });
    });
    handle.addEventListener("keydown", (event) => {
      const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -10, PageUp: 10 };
      const by = steps[event.key];
      if (!by || !view.part) return;
      event.preventDefault();
      const both = [...view.part];
      both[side] += by * (event.shiftKey ? 0.001 : 0.01);
      if (both[1] - both[0] >= SHORTEST_SECONDS) setPart(...both);
    });
  }
  byId("part-add").addEventListener("click", () => {
    if (view.part) {
      view.part = null;
      drawPart();
        } else if (view.sound) {
      const heard = currentSound()?.heard;
      setPart(heard?.onset_seconds ?? 0, heard?.end_seconds ?? total());
      byId("region-start").focus();
    }
  });
  byId("zoom-in").addEventListener("click", () => zoom(0.5));
  byId("zoom-out").addEventListener("click", () => zoom(2));
  byId("zoom-all").addEventListener("click", () => zoom(Infinity, 0));
  byId("play-sound").addEventListener("click", playPart);
  new ResizeObserver(draw).observe(area);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}
