// A search as it goes: candidates, target against match, distance over time, the report.

import { guarded } from "./alerts.js";
import { ask, readSound } from "./api.js";
import { comparison, playOnce, render } from "./audio.js";
import { bench, isTurned, onBench, panelDescription, pick } from "./bench.js";
import { byId, el, onceAFrame, seconds, setText, svg } from "./dom.js";
import { answersOf, currentTake, onChange, searchAgain, state, stopTake } from "./store.js";

const STAGES = {
  preparing: "getting ready", survey: "looking everywhere", race: "several branches against each other",
  jumps: "other switches", rematch: "the best branches again", polish: "fine steps", descent: "downhill",
  "start phases": "how it was played", choice: "choosing",
};

let target = { take: null };

const loadTarget = guarded(async () => {
  const take = currentTake();
  const id = take && state.sounds.get(take.sound)?.suffix ? take.id : null;
  if (target.take === id) return;
  target = { take: id };
  comparison.set("target", null);
  if (!id) return;
  const sound = await readSound(await ask(`takes/${encodeURIComponent(id)}/target`));
  if (target.take === id) comparison.set("target", sound);
});

function describe(take) {
  const { live } = take;
  if (take.state === "waiting") return "Waiting for a free process.";
  if (take.state === "failed") return take.error;
  if (take.state === "done") {
    const { answer } = take;
    const ends = { interrupted: "stopped", target: "near enough" };
    const how = ends[answer.end] ?? "done";
    const count = answer.evaluations ? `, ${answer.evaluations.toLocaleString()} candidates in ${seconds(answer.seconds)}` : "";
    const grade = answer.grade ? ` ${answer.grade}` : "";
    return `${how[0].toUpperCase()}${how.slice(1)}${count}.${grade}`;
  }
  if (live.is_stopping) return "Stopping.";
  if (live.share >= 1) return "Examining what the match rests on, and writing it.";
  const left = live.left_seconds === null ? "" : `, about ${seconds(live.left_seconds)} left`;
  return `${STAGES[live.stage] ?? live.stage}, ${live.evaluations.toLocaleString()} candidates${left}`;
}

function drawState(take) {
  setText(byId("search-state"), describe(take));
  byId("search-state").classList.toggle("bad", take.state === "failed");
  const goes = take.state === "running" || take.state === "waiting";
  byId("stop").hidden = !goes;
  byId("stop").disabled = Boolean(take.live?.is_stopping);
  byId("again").hidden = take.state !== "failed";
  byId("search-progress").hidden = !goes;
  byId("search-progress").value = take.live?.share ?? 0;
}

const rows = new Map();

function drawAnswers(take) {
  const list = byId("answers");
  const answers = answersOf(take);
  const keys = new Set(answers.map(({ key }) => key));
  for (const [key, made] of rows) {
    if (!keys.has(key)) {
      made.item.remove();
      rows.delete(key);
    }
  }
  setText(byId("answers-title"), take.answer ? "Answers" : "Candidates");
  answers.forEach((answer, place) => {
    let made = rows.get(answer.key);
    if (!made) {
      made = { name: el("strong"), far: el("span") };
      made.hear = el("button", { class: "hear", type: "button", onclick: () => hear(made.answer) }, "▶");
      made.pick = el("button", { class: "pick", type: "button", onclick: () => pick(made.answer, { plays: true }) }, made.name, made.far);
      made.item = el("li", {}, made.hear, made.pick);
      rows.set(answer.key, made);
    }
    made.answer = answer;
    setText(made.name, answer.label);
    const far = answer.distance === null ? "hardly to be told apart" : `distance ${answer.distance.toFixed(4)}`;
    setText(made.far, answer.chain ? `${answer.chain}, ${far}` : far);
    made.hear.setAttribute("aria-label", `Hear ${answer.label}`);
    const chosen = bench.take === take.id && bench.key === answer.key;
    made.item.toggleAttribute("data-chosen", chosen);
    made.pick.setAttribute("aria-current", chosen ? "true" : "false");
    if (list.children[place] !== made.item) list.insertBefore(made.item, list.children[place] ?? null);
  });
  if (!answers.length) {
    rows.clear();
    list.replaceChildren(el("li", { class: "quiet" }, el("span"), el("span", {}, "The first one comes within seconds.")));
    rows.set("none", { item: list.firstChild });
  }
}

const hear = guarded(async (answer) => {
  const sound = await render(answer.patch, { take: state.take });
  comparison.stop();
  const level = comparison.sounds.match;
  comparison.sounds.match = sound;
  comparison.side = "match";
  const gain = comparison.gainOf("match");
  comparison.sounds.match = level;
  playOnce(sound, { gain });
});

const drawCurve = onceAFrame((take) => {
  const plot = byId("curve");
  const figure = plot.parentElement;
  for (const label of figure.querySelectorAll(".label")) label.remove();
  const points = take.curve;
  plot.replaceChildren();
  if (points.length < 2) return;
  const until = points.at(-1)[0] || 1;
  const distances = points.map((point) => point[2]);
  const top = Math.max(...distances);
  const low = Math.min(...distances);
  const base = Math.max(0, low - 0.15 * (top - low || top));
  const x = (time) => 400 * (time / until);
  const y = (distance) => 172 - 164 * ((distance - base) / (top - base || 1));
  for (const share of [0, 0.5, 1]) {
    const at = 172 - 164 * share;
    plot.append(svg("line", { x1: 0, x2: 400, y1: at, y2: at }));
    const label = el("span", { class: "label" }, (base + share * (top - base)).toFixed(3));
    label.style.left = "6px";
    label.style.bottom = `${Math.min(161, 181 - at)}px`;
    figure.append(label);
  }
  const path = points.map(([time, , far], i) => `${i ? `H${x(time).toFixed(1)}V` : `M${x(time).toFixed(1)} `}${y(far).toFixed(1)}`);
  plot.append(svg("path", { d: path.join("") }));
  plot.setAttribute("aria-label", `Distance over time: from ${top.toFixed(3)} to ${low.toFixed(3)} in ${seconds(until)}`);
  const end = el("span", { class: "label" }, seconds(until));
  end.style.right = "6px";
  end.style.top = "2px";
  figure.append(end);
});

let reported = null;

function drawReport(take) {
  byId("report").hidden = !take.answer && !take.live?.said.length;
  const shown = JSON.stringify([take.id, take.state, take.live?.said.length]);
  if (shown === reported) return;
  reported = shown;
  const body = byId("report-body");
  body.replaceChildren();
  const said = take.answer ? take.answer.said : take.live?.said ?? [];
  if (said.length) body.append(el("ul", { class: "said" }, ...said.map((text) => el("li", {}, text))));
  if (!take.answer) return;
  if (take.answer.roles.length) body.append(el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "What the match rests on" }, roleTable(take.answer.roles)));
  if (take.answer.preset) body.append(el("p", { class: "quiet" }, `Preset, preview, picture and record lie at ${take.answer.preset}.`));
  showPicture(take, body);
}

async function showPicture(take, body) {
  try {
    const blob = await (await ask(`takes/${encodeURIComponent(take.id)}/picture`)).blob();
    if (state.take !== take.id) return;
    const picture = el("img", { alt: "Spectrograms, spectra and envelopes of recording and match", src: URL.createObjectURL(blob) });
    picture.addEventListener("load", () => URL.revokeObjectURL(picture.src), { once: true });
    body.append(picture);
  } catch {
    // A search that was stopped early has none.
  }
}

function roleTable(roles) {
  const parameters = new Map((panelDescription()?.parameters ?? []).map((one) => [one.name, one]));
  const text = (name, value) => {
    const choice = parameters.get(name)?.choices.find((one) => one.value === value);
    return choice ? choice.label : String(Math.round(100 * value) / 100);
  };
  return el(
    "table",
    {},
    el("thead", {}, el("tr", {}, ...["Parameter", "Value", "As good", "Matters"].map((name) => el("th", { scope: "col" }, name)))),
    el(
      "tbody",
      {},
      ...roles.map((role) =>
        el(
          "tr",
          {},
          el("th", { scope: "row" }, role.name),
          el("td", {}, text(role.name, role.value)),
          el("td", {}, role.low === role.high ? "" : `${text(role.name, role.low)} to ${text(role.name, role.high)}`),
          el("td", {}, role.uncertain ? "no" : `+${role.effect.toFixed(3)}`),
        ),
      ),
    ),
  );
}

function drawDistance() {
  if (!bench.patch) {
    setText(byId("distance"), "");
    return;
  }
  const place = byId("distance");
  if (bench.error) setText(place, bench.error);
  else if (bench.distance === null) setText(place, isTurned() ? "turned" : "");
  else setText(place, `${isTurned() ? "turned, " : ""}distance ${bench.distance.toFixed(4)}`);
}

function drawTransport() {
  const { playing, side, sounds } = comparison;
  byId("play").textContent = playing ? "■" : "▶";
  byId("play").setAttribute("aria-label", playing ? "Stop" : "Play");
  byId("play").disabled = !sounds.target && !sounds.match;
  for (const [id, which] of [["hear-target", "target"], ["hear-match", "match"]]) {
    const button = byId(id);
    button.setAttribute("aria-checked", side === which ? "true" : "false");
    button.tabIndex = side === which ? 0 : -1;
    button.disabled = !sounds[which];
  }
}

function draw() {
  const take = currentTake();
  byId("match-card").hidden = !take;
  loadTarget();
  if (!take) {
    comparison.stop();
    return;
  }
  drawState(take);
  drawAnswers(take);
  drawCurve(take);
  drawReport(take);
}

const isTyping = (element) => element.closest("input:not([type='checkbox']), select, textarea, [role='slider']");

/** Listen to the page. */
export function begin() {
  onChange((kind) => {
    if (kind === "choice") comparison.stop();
    draw();
  });
  onBench(() => {
    drawDistance();
    const take = currentTake();
    if (take) drawAnswers(take);
  });
  comparison.onChange = drawTransport;
  drawTransport();
  byId("play").addEventListener("click", () => comparison.toggle());
  byId("hear-target").addEventListener("click", () => comparison.swap("target"));
  byId("hear-match").addEventListener("click", () => comparison.swap("match"));
  document.querySelector(".switch").addEventListener("keydown", (event) => {
    if (!["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].includes(event.key)) return;
    event.preventDefault();
    comparison.swap();
    byId(comparison.side === "target" ? "hear-target" : "hear-match").focus();
  });
  byId("loops").addEventListener("change", (event) => {
    comparison.loops = event.target.checked;
    if (comparison.playing) comparison.play();
  });
  byId("levels").addEventListener("change", (event) => {
    comparison.matchesLevel = event.target.checked;
    if (comparison.playing) comparison.level();
  });
  byId("stop").addEventListener("click", guarded(() => stopTake(state.take)));
  byId("again").addEventListener("click", guarded(() => searchAgain(state.take)));
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !currentTake()) return;
    if (event.target instanceof Element && isTyping(event.target)) return;
    if (event.key.toLowerCase() === "b" && !event.repeat) {
      comparison.swap();
    } else if (event.key === " " && !event.target.closest?.("button, summary, a, input")) {
      event.preventDefault();
      comparison.toggle();
    }
  });
}
