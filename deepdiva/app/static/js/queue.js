// The list of sounds, and all ways in: drop, paste, files, a folder.

import { complain, guarded } from "./alerts.js";
import { byId, el, seconds, setText } from "./dom.js";
import { addSound, choose, hideSound, onChange, startTake, state, takesOf } from "./store.js";

const MOST_BYTES = 96 * 2 ** 20;
const SUFFIXES =
  /\.(aif|aifc|aiff|au|caf|flac|mp3|oga|ogg|opus|rf64|snd|w64|wav|wave|m4a|mp4|aac|wma)$/i;

/** Give the server sounds, one after the other, and match them. */
export async function take(files) {
  const list = [...files];
  const sounds = list.length > 1 ? list.filter((file) => SUFFIXES.test(file.name)) : list;
  if (!sounds.length && list.length) complain("None of these files is a sound.");
  for (const file of sounds) await takeOne(file, file.name);
}

/** Give the server a sound, and match it where the user wants that. */
export const takeOne = guarded(async (blob, name) => {
  if (blob.size > MOST_BYTES) {
    throw new Error(`${name} has more than ${MOST_BYTES / 2 ** 20} MB: cut it, or export it as FLAC.`);
  }
  const sound = await addSound(blob, name);
  choose(sound.id);
  if (sound.heard && byId("at-once").checked) await startTake(sound.id, budget());
});

/** The budget that the user has chosen. */
export function budget() {
  return { mode: byId("mode").value };
}

async function filesOf(transfer) {
  const entries = [...transfer.items]
    .map((item) => item.webkitGetAsEntry?.())
    .filter((entry) => entry);
  if (!entries.some((entry) => entry.isDirectory)) return transfer.files;
  const found = [];
  for (const entry of entries) await walk(entry, found);
  return found;
}

async function walk(entry, found) {
  if (entry.isFile) {
    found.push(await new Promise((done, failed) => entry.file(done, failed)));
  } else {
    const reader = entry.createReader();
    for (;;) {
      const inside = await new Promise((done, failed) => reader.readEntries(done, failed));
      if (!inside.length) break;
      for (const one of inside) await walk(one, found);
    }
  }
}

function describe(sound) {
  if (sound.error) return { text: sound.error, bad: true, share: null };
  const last = takesOf(sound.id).at(-1);
  if (!last) return { text: sound.heard ? seconds(sound.heard.seconds) : "listening", share: null };
  if (last.state === "waiting") return { text: "waiting", share: 0 };
  if (last.state === "failed") return { text: last.error, bad: true, share: null };
  if (last.state === "running") {
    const best = last.live?.best;
    const share = last.live?.share ?? 0;
    const far = best ? `, distance ${best.distance.toFixed(3)}` : "";
    return { text: `${Math.round(100 * share)} %${far}`, share };
  }
  const { distance } = last.answer.best;
  return { text: distance === null ? "matched" : `matched, distance ${distance.toFixed(3)}`, share: null };
}

const rows = new Map();

function row(sound) {
  let made = rows.get(sound.id);
  if (!made) {
    const name = el("strong");
    const text = el("span");
    const pick = el("button", { class: "pick", type: "button", onclick: () => choose(sound.id) }, name, text);
    const away = el("button", {
      class: "away",
      type: "button",
      title: "Put away; its files stay",
      onclick: guarded(() => hideSound(sound.id)),
    }, "×");
    const bar = el("progress", { max: 1, value: 0, hidden: true });
    made = { item: el("li", {}, pick, away, bar), name, text, pick, away, bar };
    rows.set(sound.id, made);
  }
  const { text, bad, share } = describe(sound);
  setText(made.name, sound.name);
  setText(made.text, text);
  made.text.classList.toggle("bad", Boolean(bad));
  made.away.setAttribute("aria-label", `Put ${sound.name} away`);
  made.bar.setAttribute("aria-label", `Search for ${sound.name}`);
  made.bar.hidden = share === null;
  made.bar.value = share ?? 0;
  const chosen = sound.id === state.sound;
  made.item.toggleAttribute("data-chosen", chosen);
  made.pick.setAttribute("aria-current", chosen ? "true" : "false");
  return made.item;
}

function draw() {
  const list = byId("queue");
  for (const id of rows.keys()) {
    if (!state.sounds.has(id)) {
      rows.get(id).item.remove();
      rows.delete(id);
    }
  }
  [...state.sounds.values()].reverse().forEach((sound, place) => {
    const item = row(sound);
    if (list.children[place] !== item) list.insertBefore(item, list.children[place] ?? null);
  });
}

/** Listen to the page. */
export function begin() {
  onChange(draw);
  byId("choose-files").addEventListener("click", () => byId("files").click());
  byId("choose-folder").addEventListener("click", () => byId("folder").click());
  for (const id of ["files", "folder"]) {
    byId(id).addEventListener("change", async (event) => {
      await take(event.target.files);
      event.target.value = "";
    });
  }
  const veil = byId("veil");
  let depth = 0;
  addEventListener("dragenter", (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    depth += 1;
    veil.hidden = false;
  });
  addEventListener("dragleave", () => {
    depth = Math.max(0, depth - 1);
    veil.hidden = depth === 0;
  });
  addEventListener("dragover", (event) => event.preventDefault());
  addEventListener("drop", guarded(async (event) => {
    event.preventDefault();
    depth = 0;
    veil.hidden = true;
    await take(await filesOf(event.dataTransfer));
  }));
  addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) take(event.clipboardData.files);
  });
  for (const id of ["mode", "at-once"]) {
    const control = byId(id);
    const kept = localStorage.getItem(`deepdiva.${id}`);
    if (kept !== null) {
      if (control.type === "checkbox") control.checked = kept === "true";
      else if ([...control.options].some((option) => option.value === kept)) control.value = kept;
    }
    control.addEventListener("change", () => {
      localStorage.setItem(`deepdiva.${id}`, control.type === "checkbox" ? control.checked : control.value);
    });
  }
}
