// Name, author, categories and tags; a file to download, or one in Diva's own folder.

import { complain, guarded } from "./alerts.js";
import { ask, askJson } from "./api.js";
import { bench, onBench, panelDescription } from "./bench.js";
import { byId, el, setText } from "./dom.js";
import { currentSound, currentTake, onChange, state } from "./store.js";

// The words of Diva's browser, as its presets use them.
const CATEGORIES = {
  Bass: ["Acid", "Analogue", "Dist+LoFi", "Electronic", "Plucks", "Sub"],
  Drums: ["Cymbals", "Kicks", "Percussion", "Snares", "Toms"],
  FX: ["Atmosphere", "Drones", "Impacts", "Risers", "Sweeps"],
  Keys: ["Analogue", "Bells", "E-Piano", "Organs", "Plucks", "Strings", "Synth"],
  Leads: ["Analogue", "Dist+LoFi", "Mono", "Poly", "Soft"],
  Pads: ["Airy", "Analogue", "Evolving", "Pads", "Rhythmic", "Soundscape", "Strings"],
  "Seq+Arp": ["Arps", "Bassline", "Seq+Arp"],
  Other: ["Template"],
};
const TAGS = {
  features: ["Mono", "Poly", "Percussive", "Soft Attack", "Slow Release", "Chord", "Modulated"],
  character: ["Bright", "Dark", "Soft", "Aggressive", "Phat", "Thin", "Moving", "Constant", "Synthetic", "Vintage", "Modern"],
};

const chosen = { features: new Set(), character: new Set() };
let place = null;
let named = null;

/** The patch as it is written: in tune, where only the comparison was tuned as the recording is. */
function written() {
  const patch = [...bench.patch];
  const { parameters } = panelDescription();
  if (byId("keep-tuning").checked) return patch;
  for (const [name, value] of Object.entries(currentTake()?.answer?.fixed ?? {})) {
    const place = parameters.findIndex((one) => one.name === name);
    if (patch[place] === bench.origin[place]) patch[place] = value;
  }
  return patch;
}

function words() {
  const kind = byId("keep-kind").value;
  return {
    patch: written(),
    name: byId("keep-name").value,
    author: byId("keep-author").value,
    description: byId("keep-description").value,
    categories: kind ? `${byId("keep-category").value}:${kind}` : "",
    features: [...chosen.features].join(", "),
    character: [...chosen.character].join(", "),
  };
}

function checked() {
  if (!byId("keep").reportValidity()) return null;
  localStorage.setItem("deepdiva.author", byId("keep-author").value);
  return words();
}

const download = guarded(async (event) => {
  event.preventDefault();
  const wanted = checked();
  if (!wanted) return;
  const blob = await (await ask("preset", { json: wanted })).blob();
  const link = el("a", { href: URL.createObjectURL(blob), download: `${wanted.name}.h2p` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  setText(byId("kept"), `${wanted.name}.h2p was downloaded.`);
});

function askConsent(sentence, label, overwrite) {
  const box = byId("consent");
  const yes = el("button", { class: "primary", type: "button", onclick: () => save(overwrite) }, label);
  box.replaceChildren(
    el("p", {}, sentence),
    el("div", { class: "row" }, yes, el("button", { type: "button", onclick: closeConsent }, "Cancel")),
  );
  box.hidden = false;
  yes.focus();
}

function closeConsent() {
  byId("consent").hidden = true;
  byId("save").focus();
}

async function save(overwrite) {
  const wanted = checked();
  if (!wanted) return;
  try {
    const { path } = await askJson("keep", { json: { ...wanted, overwrite } });
    byId("consent").hidden = true;
    setText(byId("kept"), `Saved as ${path}.`);
  } catch (error) {
    if (!overwrite && /exists already/.test(error.message)) {
      askConsent(`There is a preset ${wanted.name} already.`, "Overwrite it", true);
    } else {
      complain(error);
    }
  }
}

function drawKinds() {
  const kinds = CATEGORIES[byId("keep-category").value];
  byId("keep-kind").replaceChildren(el("option", { value: "" }, "none"), ...kinds.map((kind) => el("option", {}, kind)));
}

function draw() {
  const take = currentTake();
  byId("keep-card").hidden = !bench.patch;
  const cents = take?.cents ?? 0;
  const isTuned = Object.keys(take?.answer?.fixed ?? {}).length > 0;
  byId("keep-tuning").parentElement.hidden = !isTuned;
  setText(byId("keep-cents"), `keep the recording's tuning (${cents > 0 ? "+" : "−"}${Math.abs(cents).toFixed(0)} cents)`);
  if (!take || named === take.id) return;
  named = take.id;
  const sound = currentSound();
  byId("keep-name").value = (sound?.name ?? "").replace(/\.[^.]*$/, "").slice(0, 60);
  byId("keep-description").value = `Matched to ${sound?.name ?? "a sound"} by DeepDiva.`;
  setText(byId("kept"), "");
  byId("consent").hidden = true;
}

/** Listen to the page. */
export function begin() {
  byId("keep-category").append(...Object.keys(CATEGORIES).map((name) => el("option", {}, name)));
  byId("keep-category").addEventListener("change", drawKinds);
  drawKinds();
  byId("keep-author").value = localStorage.getItem("deepdiva.author") ?? "";
  for (const [group, tags] of Object.entries(TAGS)) {
    for (const tag of tags) {
      const button = el("button", { type: "button", "aria-pressed": "false" }, tag);
      button.addEventListener("click", () => {
        const on = !chosen[group].has(tag);
        if (on) chosen[group].add(tag);
        else chosen[group].delete(tag);
        button.setAttribute("aria-pressed", String(on));
      });
      byId("keep-tags").append(button);
    }
  }
  byId("keep").addEventListener("submit", download);
  byId("save").addEventListener("click", () => {
    if (checked()) askConsent(`DeepDiva will write ${byId("keep-name").value}.h2p into the folder DeepDiva in ${place}.`, "Save it there", false);
  });
  onBench(draw);
  onChange(async (kind) => {
    draw();
    if (kind !== "link" || !state.linked || place !== null) return;
    const { folder } = await askJson("keep").catch(() => ({ folder: null }));
    place = folder;
    byId("save").hidden = !folder;
    setText(byId("keep-place"), folder ? "" : "Diva's user folder is not on this machine.");
  });
}
