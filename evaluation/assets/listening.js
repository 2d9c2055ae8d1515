"use strict";

// One trial after the other: play, rate, next; at the end the answers are a file.

const data = JSON.parse(document.getElementById("data").textContent);
const find = (id) => document.getElementById(id);
const REFERENCE = "(hidden reference)";

/** A random order; each listener has another. */
function shuffled(list) {
  const mixed = [...list];
  for (let place = mixed.length - 1; place > 0; place -= 1) {
    const [word] = crypto.getRandomValues(new Uint32Array(1));
    const other = word % (place + 1);
    [mixed[place], mixed[other]] = [mixed[other], mixed[place]];
  }
  return mixed;
}

/** The address of a sound that the page holds. */
function address(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return URL.createObjectURL(new Blob([bytes], { type: "audio/mpeg" }));
}

const trials = shuffled(data.trials);
const answers = [];
const player = new Audio();
let current = null;
let began = 0;
let playing = null;

function stop() {
  player.pause();
  playing?.classList.remove("playing");
  playing = null;
}

function play(url, button) {
  stop();
  player.src = url;
  player.currentTime = 0;
  // What is stopped before it has begun to play is no error.
  player.play().catch((error) => {
    if (error.name !== "AbortError") throw error;
  });
  playing = button;
  button.classList.add("playing");
}

player.addEventListener("ended", stop);

/* ---------- a trial ---------- */

function show(number) {
  const trial = trials[number];
  const sounds = trial.stimuli.map(({ name, audio }) => ({
    name,
    url: address(audio),
    plays: 0,
    rated: false,
    value: 0,
  }));
  current = {
    number,
    sound: trial.sound,
    reference: sounds.find(({ name }) => name === REFERENCE).url,
    sounds: shuffled(sounds),
    referencePlays: 0,
  };
  began = performance.now();
  find("trial-title").textContent = `Trial ${number + 1} of ${trials.length}`;
  find("stimuli").replaceChildren(...current.sounds.map(row));
  find("next").disabled = true;
  tell();
  find("trial-title").focus();
}

function row(sound, place) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.innerHTML = `Play <kbd>${place + 1}</kbd>`;
  const slider = document.createElement("input");
  Object.assign(slider, { type: "range", min: 0, max: 100, step: 1, value: 0 });
  slider.setAttribute("aria-label", `Rating of sound ${place + 1}`);
  const output = document.createElement("output");
  output.textContent = "–";
  const heard = () => {
    sound.plays += 1;
    play(sound.url, button);
    tell();
  };
  const rate = () => {
    sound.value = Number(slider.value);
    sound.rated = true;
    output.textContent = slider.value;
    tell();
  };
  button.addEventListener("click", heard);
  slider.addEventListener("input", rate);
  slider.addEventListener("change", rate);
  item.append(button, slider, output);
  return item;
}

function tell() {
  const unheard = current.sounds.filter(({ plays }) => !plays).length;
  const unrated = current.sounds.filter(({ rated }) => !rated).length;
  const highest = Math.max(...current.sounds.map(({ value }) => value));
  find("next").disabled = unheard > 0 || unrated > 0;
  const words = [];
  if (unheard) words.push(`${unheard} not heard yet`);
  if (unrated) words.push(`${unrated} not rated yet`);
  if (!words.length && highest < 100) words.push("One of them is the reference: none has 100");
  find("status").textContent = words.length ? `${words.join(", ")}.` : "";
}

function next() {
  if (find("next").disabled) return;
  stop();
  answers.push({
    sound: current.sound,
    seconds: Math.round(performance.now() - began) / 1000,
    reference_plays: current.referencePlays,
    ratings: current.sounds.map(({ name, value, plays }) => ({ stimulus: name, value, plays })),
  });
  current.sounds.forEach(({ url }) => URL.revokeObjectURL(url));
  if (current.number + 1 < trials.length) show(current.number + 1);
  else finish();
}

function finish() {
  current = null;
  removeEventListener("beforeunload", warn);
  const listener = find("listener").value.trim();
  const text = JSON.stringify(
    {
      format: data.format,
      format_version: data.format_version,
      run: data.run,
      test_set: data.test_set,
      listener,
      finished: new Date().toISOString(),
      trials: answers,
    },
    null,
    1
  );
  const link = find("save");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  const who = listener.replace(/[^\w.-]+/g, "-") || new Date().toISOString().replace(/\D/g, "");
  link.download = `listening-${who}.json`;
  find("trial").hidden = true;
  find("end").hidden = false;
  find("end-title").focus();
}

/* ---------- keys and buttons ---------- */

function warn(event) {
  event.preventDefault();
}

find("try").addEventListener("click", () => {
  const [first] = data.trials;
  play(address(first.stimuli.find(({ name }) => name === REFERENCE).audio), find("try"));
});
find("begin").addEventListener("click", () => {
  stop();
  find("start").hidden = true;
  find("trial").hidden = false;
  addEventListener("beforeunload", warn);
  show(0);
});
find("reference").addEventListener("click", () => {
  current.referencePlays += 1;
  play(current.reference, find("reference"));
});
find("stop").addEventListener("click", stop);
find("next").addEventListener("click", next);

addEventListener("keydown", (event) => {
  if (!current || event.ctrlKey || event.altKey || event.metaKey) return;
  const key = event.key.toLowerCase();
  if (key === "r") find("reference").click();
  else if (key === "n") next();
  else if (key === " ") stop();
  else if (/^[1-9]$/.test(key) && current.sounds[key - 1]) {
    const item = find("stimuli").children[key - 1];
    item.querySelector("button").click();
    item.querySelector("input").focus();
  } else return;
  event.preventDefault();
});
