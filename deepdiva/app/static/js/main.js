// Puts the page together.

import { guarded } from "./alerts.js";
import * as bench from "./bench.js";
import { byId, setText } from "./dom.js";
import * as keep from "./keep.js";
import * as keys from "./keys.js";
import * as match from "./match.js";
import * as morph from "./morph.js";
import * as panel from "./panel.js";
import * as queue from "./queue.js";
import * as record from "./record.js";
import * as sound from "./sound.js";
import * as store from "./store.js";
import * as wave from "./wave.js";

const WARMING = "The engine is being compiled for this processor: some seconds, once.";
const COMPILING = (done, total) =>
  `Everything works. The rest of the engine is compiled in the background, once: ${done} of ${total}.`;

function drawStatus() {
  const { linked, linkError, ready, compiling, takes } = store.state;
  const running = [...takes.values()].filter((take) => take.state === "running").length;
  const waiting = [...takes.values()].filter((take) => take.state === "waiting").length;
  let text = linkError || "Connecting";
  if (linked) {
    text = ready || running ? "Ready" : "Warming up";
    if (running) text = `${running} searching${waiting ? `, ${waiting} waiting` : ""}`;
  }
  setText(byId("status"), text);
  byId("status").classList.toggle("bad", Boolean(linkError) && !linked);
  byId("warming").hidden = !linked || (ready && !compiling);
  setText(byId("warming"), ready && compiling ? COMPILING(...compiling) : WARMING);
}

for (const part of [wave, sound, queue, match, panel, morph, keys, record, keep]) part.begin();
store.onChange(drawStatus);
store.onChange((kind) => {
  if (kind !== "link" && kind !== "ready") bench.follow();
});

const loadPanel = guarded(bench.loadPanel);
store.onChange((kind) => {
  if (kind === "link" && store.state.linked && !bench.panelDescription()) loadPanel();
});
store.begin();
