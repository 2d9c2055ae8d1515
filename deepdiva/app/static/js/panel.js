// The panel: modules in the order of the signal, and what of them is known for sure.

import { guarded } from "./alerts.js";
import { askJson } from "./api.js";
import * as bench from "./bench.js";
import { byId, el, onceAFrame, setText } from "./dom.js";
import { control } from "./knob.js";
import { budget } from "./queue.js";
import { currentTake, onChange, startTake, state } from "./store.js";

let modules = [];
let places = new Map(); // name of a parameter -> its place in a patch
let acting = new Set();
let askedFor = "";

const { bench: now } = bench;
const value = (name) => now.patch[places.get(name)];

/** Names that a module has with the choice that its selector makes. */
function namesOf(module) {
  const chosen = module.selector ? module.choices[String(Math.round(value(module.selector)))] ?? [] : [];
  const names = [...new Set([...module.names, ...chosen])];
  return names.sort((one, other) => places.get(one) - places.get(other));
}

function told(name, roles, free) {
  const role = roles.get(name);
  if (role) return role.uncertain ? "untold" : "sure";
  return free.has(name) ? "searched" : "kept";
}

function build() {
  const { modules: described, parameters } = bench.panelDescription();
  places = new Map(parameters.map((one, place) => [one.name, place]));
  const act = (name) => ({
    begin: bench.beginTurn,
    turn: (to) => bench.turn([[places.get(name), to]]),
    lock: (held) => bench.lock([name], held),
  });
  modules = described.map((module) => {
    const controls = new Map();
    const heads = [module.switch, module.selector].filter(Boolean);
    const all = new Set([...heads, ...module.names, ...Object.values(module.choices).flat()]);
    for (const name of all) controls.set(name, control(parameters[places.get(name)], act(name)));
    const knobs = el("div", { class: "knobs" });
    const lock = el("button", { class: "small", type: "button", "aria-pressed": "false" }, "Lock");
    lock.setAttribute("aria-label", `Lock ${module.title}`);
    const root = el(
      "section",
      { class: "module", "aria-label": module.title },
      el("header", {}, el("h3", {}, module.title), lock),
      knobs,
    );
    const made = { ...module, heads, controls, knobs, lock, root };
    lock.addEventListener("click", () => {
      const names = lockable(made);
      bench.lock(names, !names.every((name) => now.locked.has(name)));
    });
    return made;
  });
  byId("panel").replaceChildren(...modules.map(({ root }) => root));
}

const lockable = (module) => [...module.heads, ...namesOf(module)];

/** Ask which parameters shape the sound, where a switch has changed. */
const askActing = guarded(async () => {
  const { parameters } = bench.panelDescription();
  const key = JSON.stringify(
    now.patch.map((one, place) => (parameters[place].choices.length ? one : one === 0)),
  );
  if (key === askedFor) return;
  askedFor = key;
  const answer = await askJson("acting", { json: { patch: now.patch } });
  if (key !== askedFor) return;
  acting = new Set(answer.acting);
  draw();
});

const draw = onceAFrame(() => {
  const known = bench.panelDescription() && now.patch;
  byId("panel-card").hidden = !known;
  if (!known) return;
  if (!modules.length) build();
  const take = currentTake();
  const roles = new Map((take?.answer?.roles ?? []).map((role) => [role.name, role]));
  const free = new Set(take?.answer?.free ?? []);
  const shows = byId("all-knobs").checked;
  for (const module of modules) {
    const names = namesOf(module).filter(
      (name) => shows || acting.has(name) || free.has(name) || now.locked.has(name) ||
        value(name) !== now.origin[places.get(name)],
    );
    const isOff = module.switch !== "" && value(module.switch) < 0.5;
    const wanted = isOff && !shows ? [module.switch] : [...module.heads, ...names];
    module.root.hidden = !shows && wanted.length === 0;
    module.root.classList.toggle("off", isOff);
    const roots = wanted.map((name) => module.controls.get(name).root);
    const present = [...module.knobs.children];
    if (roots.length !== present.length || roots.some((root, place) => root !== present[place])) {
      const focused = document.activeElement;
      module.knobs.replaceChildren(...roots);
      if (focused instanceof Element && module.knobs.contains(focused)) focused.focus();
    }
    for (const name of wanted) {
      module.controls.get(name).show({
        value: value(name),
        origin: now.origin[places.get(name)],
        told: told(name, roles, free),
        locked: now.locked.has(name),
      });
    }
    const all = lockable(module);
    module.lock.setAttribute("aria-pressed", String(all.every((name) => now.locked.has(name))));
    module.root.style.flexBasis = `${Math.min(9, Math.max(1.6, wanted.length)) * 83 + 22}px`;
  }
  byId("undo").disabled = !now.undo.length;
  byId("redo").disabled = !now.redo.length;
  byId("revert").disabled = !bench.isTurned();
  byId("search-on").disabled = !state.sounds.get(take?.sound)?.heard;
  const held = now.locked.size;
  setText(byId("search-on"), held ? `Search on, ${held} locked` : "Search on from here");
  askActing();
});

const isTyping = (element) => element.closest("input:not([type='checkbox'], [type='range']), textarea");

/** Listen to the page. */
export function begin() {
  bench.onBench(draw);
  onChange(draw);
  byId("all-knobs").addEventListener("change", draw);
  byId("undo").addEventListener("click", bench.undo);
  byId("redo").addEventListener("click", bench.redo);
  byId("revert").addEventListener("click", bench.revert);
  byId("search-on").addEventListener(
    "click",
    guarded(async () => {
      const take = currentTake();
      await startTake(take.sound, {
        ...budget(),
        note: take.wanted,
        start_seconds: take.start_seconds,
        length_seconds: take.length_seconds,
        patch: now.patch,
        locked: [...now.locked],
        seed: take.seed + 1,
      });
    }),
  );
  addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey) return;
    if (event.target instanceof Element && isTyping(event.target)) return;
    const key = event.key.toLowerCase();
    if (key === "z" || key === "y") {
      event.preventDefault();
      if (key === "y" || event.shiftKey) bench.redo();
      else bench.undo();
    }
  });
}
