// What the server knows, what the user looks at, and who is told when either changes.

import { ask, askJson, listen } from "./api.js";

/**
 * @property {Map<string, Object>} sounds - by id, in the order in which they came
 * @property {Map<string, Object>} takes - by id
 * @property {boolean} ready - whether one chain of the engine is compiled
 * @property {[number, number]?} compiling - chains that are compiled in the background, and all of them
 * @property {string|null} sound - id of the sound that is looked at
 * @property {string|null} take - id of its take
 */
export const state = {
  sounds: new Map(),
  takes: new Map(),
  ready: false,
  compiling: null,
  folder: "",
  linked: false,
  linkError: "",
  sound: null,
  take: null,
};

const listeners = new Set();

/** Be called after every change with what changed: "all", "link", "ready", "sound", "take" or "choice". */
export function onChange(listener) {
  listeners.add(listener);
}

function tell(kind, id = null) {
  for (const listener of listeners) listener(kind, id);
}

export function currentSound() {
  return state.sounds.get(state.sound) ?? null;
}

export function currentTake() {
  return state.takes.get(state.take) ?? null;
}

/** Takes of a sound, the first one first. */
export function takesOf(soundId) {
  return [...state.takes.values()]
    .filter((take) => take.sound === soundId)
    .sort((one, other) => one.number - other.number);
}

/** Look at a sound, and at its last take unless another is named. */
export function choose(soundId, takeId = null) {
  state.sound = soundId;
  state.take = takeId ?? takesOf(soundId).at(-1)?.id ?? null;
  if (soundId) sessionStorage.setItem("deepdiva.sound", soundId);
  tell("choice");
}

/** Look at a take of the sound that is looked at. */
export function chooseTake(takeId) {
  state.take = takeId;
  tell("choice");
}

function take(event) {
  if (event.type === "all") {
    state.ready = event.ready;
    state.compiling = event.compiling;
    state.folder = event.folder;
    state.sounds = new Map(event.sounds.map((sound) => [sound.id, sound]));
    state.takes = new Map(event.takes.map((one) => [one.id, one]));
    if (!state.sounds.has(state.sound)) {
      const last = sessionStorage.getItem("deepdiva.sound");
      choose(state.sounds.has(last) ? last : [...state.sounds.keys()].at(-1) ?? null);
    } else if (!state.takes.has(state.take)) {
      choose(state.sound);
    }
    tell("all");
  } else if (event.type === "ready") {
    state.ready = true;
    tell("ready");
  } else if (event.type === "compiling") {
    state.compiling = event.compiling;
    tell("ready");
  } else if (event.type === "sound") {
    const { sound } = event;
    if (sound.is_hidden) state.sounds.delete(sound.id);
    else state.sounds.set(sound.id, sound);
    if (!state.sounds.has(state.sound)) choose([...state.sounds.keys()].at(-1) ?? null);
    tell("sound", sound.id);
  } else if (event.type === "take") {
    const isNew = !state.takes.has(event.take.id);
    state.takes.set(event.take.id, event.take);
    if (isNew && event.take.sound === state.sound) chooseTake(event.take.id);
    tell("take", event.take.id);
  }
}

/** Begin to hear from the server. */
export function begin() {
  listen(take, (linked, sentence) => {
    state.linked = linked;
    state.linkError = sentence;
    tell("link");
  });
}

/**
 * Give the server a sound.
 *
 * @param {Blob} blob
 * @param {string} name - that the user knows it by
 * @returns {Promise<Object>} the sound
 */
export async function addSound(blob, name) {
  const sound = await askJson(`sounds?name=${encodeURIComponent(name)}`, {
    method: "POST",
    body: blob,
  });
  take({ type: "sound", sound });
  return sound;
}

/** Search for a sound; `wanted` holds note, part, patch, locked names and budget. */
export async function startTake(soundId, wanted = {}) {
  const started = await askJson("takes", { json: { sound: soundId, ...wanted } });
  take({ type: "take", take: started });
  return started;
}

export async function stopTake(takeId) {
  await ask(`takes/${encodeURIComponent(takeId)}/stop`, { json: {} });
}

export async function searchAgain(takeId) {
  await ask(`takes/${encodeURIComponent(takeId)}/again`, { json: {} });
}

export async function hideSound(soundId) {
  await ask(`sounds/${encodeURIComponent(soundId)}`, { json: { hidden: true } });
}

/** The answers of a take: the best match, the best of other switches, and others as good. */
export function answersOf(one) {
  if (!one) return [];
  const found = [];
  const best = one.answer?.best ?? one.live?.best;
  if (best) found.push({ key: "best", label: one.answer ? "Best match" : "Best so far", ...best });
  if (one.answer) {
    one.answer.others.forEach((other, place) => {
      const label = other.chain ? `Another way ${place + 1}` : `As good ${place + 1}`;
      found.push({ key: `other-${place}`, label, distance: null, ...other });
    });
  } else {
    (one.live?.branches ?? []).forEach((branch) => {
      found.push({ ...branch, key: `branch ${branch.label}` });
    });
  }
  return found;
}
