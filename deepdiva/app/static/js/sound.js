// What was understood of a sound, and correcting it.

import { guarded } from "./alerts.js";
import { byId, el, keyName, keyOf, seconds, setText } from "./dom.js";
import { budget } from "./queue.js";
import { chooseTake, currentSound, currentTake, onChange, startTake, state, takesOf } from "./store.js";
import { part } from "./wave.js";

const FIELDS = { velocity: "note-velocity", length_seconds: "note-held", render_seconds: "note-length" };

const KINDS = {
  note: "one note", noise: "noise", drum: "a drum", chord: "a chord", melody: "a melody",
  hits: "several hits", glide: "a glide", sweep: "a sweep", vibrato: "a vibrato",
  inharmonic: "an inharmonic sound",
};

const touched = new Set();

function sentence({ heard, name }) {
  const parts = [KINDS[heard.kind] ?? heard.kind];
  if (heard.key !== null) {
    const cents = heard.cents === null || Math.abs(heard.cents) < 0.5 ? "" : ` ${heard.cents >= 0 ? "+" : "−"}${Math.abs(heard.cents).toFixed(0)} cents`;
    const source = heard.key_source === "the sound" ? "" : `, by ${heard.key_source}`;
    parts.push(`${keyName(heard.key)}${cents}${source}`);
  }
  parts.push(`begins at ${seconds(heard.onset_seconds)}`);
  if (heard.release_seconds !== null) parts.push(`released at ${seconds(heard.release_seconds)}`);
  parts.push(`${heard.is_cut ? "breaks off" : "ends"} at ${seconds(heard.end_seconds)}`);
  parts.push(`peak ${heard.peak_db.toFixed(1)} dBFS`);
  parts.push(`${heard.channels === 1 ? "mono" : `${heard.channels} channels`}, ${heard.sample_rate} Hz`);
  return `Heard: ${parts.join(" · ")}`;
}

function fillNote() {
  const sound = currentSound();
  const note = currentTake()?.note ?? sound?.heard?.note;
  if (!note) return;
  if (!touched.has("note-key")) byId("note-key").value = keyName(note.pitch);
  for (const [name, id] of Object.entries(FIELDS)) {
    if (!touched.has(id)) byId(id).value = Math.round(1000 * note[name]) / 1000;
  }
}

function wantedNote() {
  const note = { ...currentTake()?.wanted };
  if (touched.has("note-key")) {
    note.pitch = keyOf(byId("note-key").value);
    if (!(note.pitch >= 0 && note.pitch <= 127)) {
      throw new Error(`${byId("note-key").value} is no key: it must be a name such as C3, or 0 to 127.`);
    }
  }
  for (const [name, id] of Object.entries(FIELDS)) {
    if (touched.has(id)) note[name] = Number(byId(id).value);
  }
  return note;
}

function draw(kind) {
  const sound = currentSound();
  byId("welcome").hidden = Boolean(sound);
  byId("bench").hidden = !sound;
  if (!sound) return;
  if (kind === "choice") touched.clear();
  setText(byId("sound-title"), sound.name);
  setText(byId("facts"), sound.heard ? sentence(sound) : sound.error || (sound.suffix ? "Listening" : "Only its results are here: drop the recording to compare."));
  byId("facts").classList.toggle("bad", Boolean(sound.error));
  byId("note").hidden = !sound.heard;
  byId("wave").hidden = Boolean(sound.error) || !sound.suffix;
  fillNote();
  const take = currentTake();
  setText(byId("match"), take ? "Match again" : "Match");
  byId("remarks").replaceChildren(...(sound.heard?.remarks ?? []).map((text) => el("li", {}, text)));
  drawTakes();
}

function drawTakes() {
  const takes = takesOf(state.sound);
  byId("takes").hidden = takes.length < 2;
  const place = byId("takes");
  if (place.dataset.shown === JSON.stringify([state.take, takes.map(({ id }) => id)])) return;
  place.dataset.shown = JSON.stringify([state.take, takes.map(({ id }) => id)]);
  place.replaceChildren(
    ...takes.map((take) =>
      el(
        "button",
        {
          class: "small",
          type: "button",
          "aria-pressed": take.id === state.take ? "true" : "false",
          onclick: () => chooseTake(take.id),
        },
        `Take ${take.number}`,
      ),
    ),
  );
}

/** Listen to the page. */
export function begin() {
  onChange(draw);
  byId("note").addEventListener("input", (event) => touched.add(event.target.id));
  byId("note").addEventListener(
    "submit",
    guarded(async (event) => {
      event.preventDefault();
      await startTake(state.sound, { ...part(), ...budget(), note: wantedNote() });
      touched.clear();
    }),
  );
}
