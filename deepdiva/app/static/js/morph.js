// Between two answers: knobs move, switches change half-way.

import * as bench from "./bench.js";
import { byId, el, setText } from "./dom.js";
import { answersOf, currentTake, onChange, state, takesOf } from "./store.js";

let shown = "";
let begun = false;

/** Every answer of every take of the sound. */
function choices() {
  return takesOf(state.sound).flatMap((take) =>
    answersOf(take)
      .filter(({ key }) => !key.startsWith("branch"))
      .map((answer) => ({
        id: `${take.id} ${answer.key}`,
        text: `Take ${take.number}, ${answer.label.toLowerCase()}`,
        patch: answer.patch,
      })),
  );
}

/** A patch between two, `share` of the way. */
export function between(from, to, share, parameters) {
  return from.map((value, place) => {
    if (parameters[place].choices.length) return share < 0.5 ? value : to[place];
    return Math.round(100 * (value + share * (to[place] - value))) / 100;
  });
}

function draw() {
  const all = choices();
  byId("morph").hidden = all.length < 2;
  const key = JSON.stringify([state.take, all.map(({ id }) => id)]);
  if (key === shown) return;
  shown = key;
  for (const [id, usual] of [["morph-from", 0], ["morph-to", 1]]) {
    const list = byId(id);
    const before = list.value;
    list.replaceChildren(...all.map(({ id: name, text }) => el("option", { value: name }, text)));
    list.value = all.some(({ id: name }) => name === before) ? before : (all[usual] ?? all[0])?.id ?? "";
  }
  if (byId("morph-from").value === byId("morph-to").value) {
    byId("morph-to").value = all.find(({ id }) => id !== byId("morph-from").value)?.id ?? "";
  }
  byId("morph-at").value = 0;
  setText(byId("morph-text"), "");
}

function move() {
  const all = choices();
  const [from, to] = ["morph-from", "morph-to"].map((id) => all.find((one) => one.id === byId(id).value));
  const described = bench.panelDescription();
  if (!from || !to || !described || !currentTake()) return;
  if (!begun) bench.beginTurn();
  begun = true;
  const share = Number(byId("morph-at").value) / 100;
  setText(byId("morph-text"), `${Math.round(100 * share)} %`);
  bench.setPatch(between(from.patch, to.patch, share, described.parameters));
}

/** Listen to the page. */
export function begin() {
  onChange(draw);
  byId("morph-at").addEventListener("input", move);
  byId("morph-at").addEventListener("change", () => {
    begun = false;
  });
}
