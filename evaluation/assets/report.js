"use strict";

// Sorting, filtering and listening. The page holds everything without this script as well.

const data = JSON.parse(document.getElementById("data").textContent);
const body = document.body;

/* ---------- colours ---------- */

const theme = document.getElementById("theme");
theme.hidden = false;
theme.addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});

/* ---------- tables that sort ---------- */

/** What a row is sorted by in a column: a number, a text, or null for an empty cell. */
function sortKey(row, column) {
  const cell = row.cells[column];
  const value = cell.dataset[body.dataset.statistic] ?? cell.dataset.value;
  if (value === undefined) return cell.textContent.trim().toLowerCase();
  return value === "" ? null : Number(value);
}

/** Sort a table's rows. Empty cells stay at the end in both directions. */
function sortTable(table, column, descending) {
  const keyed = [...table.tBodies[0].rows].map((row) => [sortKey(row, column), row]);
  const order = new Intl.Collator("en", { numeric: true }).compare;
  keyed.sort(([a], [b]) => {
    if (a === null || b === null) return (a === null) - (b === null);
    const difference = typeof a === "number" ? a - b : order(a, b);
    return descending ? -difference : difference;
  });
  table.tBodies[0].append(...keyed.map(([, row]) => row));
  for (const [place, header] of [...table.tHead.rows[0].cells].entries()) {
    if (place === column) header.ariaSort = descending ? "descending" : "ascending";
    else header.removeAttribute("aria-sort");
  }
  table.dispatchEvent(new Event("sorted"));
}

function resort(table) {
  const headers = [...table.tHead.rows[0].cells];
  const column = headers.findIndex((header) => header.ariaSort);
  if (column >= 0) sortTable(table, column, headers[column].ariaSort === "descending");
}

for (const table of document.querySelectorAll("table.sortable")) {
  for (const [column, header] of [...table.tHead.rows[0].cells].entries()) {
    header.querySelector("button").addEventListener("click", () => {
      const first = header.dataset.first === "descending";
      sortTable(table, column, header.ariaSort ? header.ariaSort === "ascending" : first);
    });
  }
}

/* ---------- mean or median ---------- */

const statistic = document.getElementById("statistic");
statistic.addEventListener("change", () => {
  body.dataset.statistic = statistic.value;
  document.querySelectorAll("table.sortable").forEach(resort);
});

/* ---------- the index of sounds ---------- */

const index = document.getElementById("index");
const list = document.getElementById("list");
const search = document.getElementById("search");
const show = document.getElementById("show");
const measure = document.getElementById("measure");
const count = document.getElementById("count");

/** As `number` in deepdiva.evaluation.tables writes it. */
function written(value) {
  if (value === null || value === undefined) return "-";
  if (value === 0 || Math.abs(value) >= 100) {
    return value.toLocaleString("en", { maximumFractionDigits: 0 });
  }
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(Math.min(digits, 4));
}

function fillIndex() {
  const chosen = data.measures.find(({ key }) => key === measure.value);
  const best = chosen.better === "lower" ? Math.min : Math.max;
  for (const row of index.tBodies[0].rows) {
    const values = data.methods.map(
      (method) => data.values[chosen.key][method]?.[row.dataset.sound] ?? null
    );
    const winner = best(...values.filter((value) => value !== null));
    for (const [place, value] of values.entries()) {
      const cell = row.cells[place + data.lead];
      const failed = data.failed[data.methods[place]].includes(row.dataset.sound);
      cell.dataset.value = value ?? "";
      cell.textContent = written(value) + (failed ? " ✕" : "");
      cell.className = value !== null && value === winner ? "best" : "";
    }
  }
  for (const header of index.querySelectorAll("th[data-method]")) {
    header.dataset.first = chosen.better === "lower" ? "descending" : "ascending";
  }
  resort(index);
}

function filterIndex() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of index.tBodies[0].rows) {
    const name = row.dataset.sound.toLowerCase();
    const fits =
      words.every((word) => name.includes(word)) &&
      (show.value === "all" || row.dataset.marks.split(" ").includes(show.value));
    row.hidden = !fits;
    const card = document.getElementById(row.dataset.card);
    if (card) card.hidden = !fits;
    shown += fits;
  }
  count.textContent = `${shown} of ${index.tBodies[0].rows.length} sounds`;
}

index.addEventListener("sorted", () => {
  const cards = [...index.tBodies[0].rows].map((row) => document.getElementById(row.dataset.card));
  list.append(...cards.filter(Boolean));
});
measure.addEventListener("change", fillIndex);
search.addEventListener("input", filterIndex);
show.addEventListener("change", filterIndex);
filterIndex();

/** A link to a sound opens it. */
function openTarget() {
  const card = document.getElementById(location.hash.slice(1));
  if (card?.matches("details.sound")) {
    card.hidden = false;
    card.open = true;
    card.scrollIntoView();
    card.querySelector("summary").focus({ preventScroll: true });
  }
}
addEventListener("hashchange", openTarget);
openTarget();

/* ---------- listening ---------- */

// Browsers keep a limited number of loaded players: the ones used longest ago are unloaded.
const LOADED = 48;
const loaded = [];

function load(player) {
  if (loaded.includes(player)) loaded.splice(loaded.indexOf(player), 1);
  else if (player.preload === "none") player.preload = "metadata";
  loaded.push(player);
  while (loaded.length > LOADED) {
    const oldest = loaded.shift();
    oldest.preload = "none";
    oldest.load();
  }
}

/** A large report fills a card when it is opened first. */
function fill(card) {
  const later = card.querySelector(":scope > script");
  if (!later) return;
  later.insertAdjacentHTML("afterend", later.textContent);
  later.remove();
  for (const player of card.querySelectorAll("audio[data-gain]")) {
    player.volume = Number(player.dataset.gain);
  }
}

list.addEventListener(
  "toggle",
  ({ target }) => {
    if (target.open) fill(target);
    if (target.open) target.querySelectorAll("audio").forEach(load);
  },
  true
);

list.addEventListener(
  "play",
  ({ target }) => {
    for (const player of loaded) if (player !== target) player.pause();
    load(target);
    const picture = target.closest(".take").querySelector(".picture");
    picture.classList.add("playing");
    const move = () => {
      picture.querySelector(".head").style.left = `${(100 * target.currentTime) / target.duration}%`;
      if (target.paused) picture.classList.remove("playing");
      else requestAnimationFrame(move);
    };
    move();
  },
  true
);
