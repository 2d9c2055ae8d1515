// The patch that is on the panel: where it comes from, what was turned, what it sounds like.

import { ask, askJson } from "./api.js";
import { comparison, playOnce, render } from "./audio.js";
import { answersOf, currentTake, state } from "./store.js";

const MOST_STEPS = 200;
const KEEP_MS = 600;

/**
 * @property {string|null} take - id of the take whose patch is on the panel
 * @property {string} key - of the answer that it came from; "best" follows the search
 * @property {number[]|null} origin - that answer
 * @property {number[]|null} patch - as it is on the panel
 * @property {Set<string>} locked - parameters that a further search holds
 * @property {{samples: Float32Array, rate: number}|null} sound - of the patch
 * @property {number|null} distance - of the patch
 * @property {string} error - why the patch is not heard
 */
export const bench = {
  take: null,
  key: "best",
  origin: null,
  patch: null,
  locked: new Set(),
  undo: [],
  redo: [],
  sound: null,
  distance: null,
  error: "",
};

let description = null;
const listeners = new Set();

/** Modules and parameters, once they are known. */
export function panelDescription() {
  return description;
}

/** Ask the server for the panel; everything below needs it. */
export async function loadPanel() {
  description = await askJson("panel");
  tell("panel");
}

/** Be called with "panel", "patch", "sound" or "lock". */
export function onBench(listener) {
  listeners.add(listener);
}

function tell(kind) {
  for (const listener of listeners) listener(kind);
}

export const isTurned = () =>
  bench.patch !== null && bench.patch.some((value, index) => value !== bench.origin[index]);

/** Take up what a change of the take brought. */
export function follow() {
  const take = currentTake();
  const answers = answersOf(take);
  if (!take || !answers.length) {
    if (bench.take !== null || bench.patch !== null) clear();
    return;
  }
  if (bench.take !== take.id) {
    clear();
    bench.take = take.id;
    const aside = asides.get(take.id) ?? { undo: [], redo: [], locked: new Set(take.locked) };
    Object.assign(bench, aside);
    put(answers[0], take.edit);
    return;
  }
  const answer = answers.find(({ key }) => key === bench.key) ?? answers[0];
  const isNew = answer.patch.some((value, index) => value !== bench.origin[index]);
  if (isNew && !isTurned() && (bench.key === "best" || answer.key !== bench.key)) put(answer);
}

const asides = new Map(); // take -> what is undone, redone and locked there, while another is shown

function clear() {
  if (bench.take) {
    asides.set(bench.take, { undo: bench.undo, redo: bench.redo, locked: bench.locked });
  }
  Object.assign(bench, {
    take: null, key: "best", origin: null, patch: null, locked: new Set(), undo: [], redo: [],
    sound: null, distance: null, error: "",
  });
  comparison.set("match", null);
  tell("patch");
}

function put(answer, edit = null) {
  bench.key = answer.key;
  bench.origin = answer.patch;
  bench.patch = [...(edit ?? answer.patch)];
  tell("patch");
  refresh();
}

function remember() {
  bench.undo.push({ key: bench.key, origin: bench.origin, patch: [...bench.patch] });
  if (bench.undo.length > MOST_STEPS) bench.undo.shift();
  bench.redo = [];
}

/** Put an answer on the panel, to be undone. */
export function pick(answer, { plays = false } = {}) {
  if (bench.key === answer.key && !isTurned()) {
    if (plays) audition();
    return;
  }
  remember();
  put(answer);
  keep();
  if (plays) refresh({ plays });
}

/** Remember the patch before a knob is turned. */
export function beginTurn() {
  remember();
}

/** Turn a knob: set parameters by place, and hear it. */
export function turn(changes) {
  for (const [index, value] of changes) bench.patch[index] = value;
  tell("patch");
  refresh({ plays: true });
  keep();
}

/** Set the whole patch, as a morph does. */
export function setPatch(patch) {
  bench.patch = [...patch];
  tell("patch");
  refresh({ plays: true });
  keep();
}

function step(from, to) {
  const before = from.pop();
  if (!before) return;
  to.push({ key: bench.key, origin: bench.origin, patch: [...bench.patch] });
  Object.assign(bench, before);
  tell("patch");
  refresh({ plays: true });
  keep();
}

export const undo = () => step(bench.undo, bench.redo);
export const redo = () => step(bench.redo, bench.undo);

/** Back to the answer, to be undone. */
export function revert() {
  if (!isTurned()) return;
  remember();
  bench.patch = [...bench.origin];
  tell("patch");
  refresh({ plays: true });
  keep();
}

/** Hold parameters in a further search, or let them go. */
export function lock(names, held) {
  for (const name of names) {
    if (held) bench.locked.add(name);
    else bench.locked.delete(name);
  }
  tell("lock");
}

let keeping = null;

function keep() {
  clearTimeout(keeping);
  const { take } = bench;
  keeping = setTimeout(() => {
    if (bench.take !== take || !state.linked) return;
    const patch = isTurned() ? bench.patch : null;
    const known = state.takes.get(take);
    if (known) known.edit = patch && [...patch];
    ask(`takes/${encodeURIComponent(take)}/edit`, { json: { patch } }).catch(() => {});
  }, KEEP_MS);
}

let inFlight = false;
let wanted = null;

/** Render the patch; of many calls in a row the last one counts. */
export async function refresh({ plays = false } = {}) {
  wanted = { plays: plays || (wanted?.plays ?? false) };
  bench.distance = null; // that of the sound before
  if (inFlight) return;
  inFlight = true;
  while (wanted) {
    const { plays: playsNow } = wanted;
    wanted = null;
    const { take } = bench;
    if (!take) break;
    try {
      const sound = await render(bench.patch, { take });
      if (bench.take !== take) continue;
      bench.sound = sound;
      bench.distance = sound.distance;
      bench.error = "";
      comparison.set("match", sound);
      if (playsNow && !comparison.playing) audition();
      performance.mark("heard");
    } catch (error) {
      bench.error = error.message;
    }
    tell("sound");
  }
  inFlight = false;
}

/** Hear the patch once, at the level of the recording. */
export function audition() {
  if (comparison.playing) {
    comparison.swap("match");
  } else if (bench.sound) {
    comparison.side = "match";
    playOnce(bench.sound, { gain: comparison.gainOf("match") });
    comparison.onChange();
  }
}
