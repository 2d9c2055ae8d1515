// One parameter on the panel: a knob that is turned, or a list of choices.

import { el, setText, svg } from "./dom.js";

const TURN = 270; // degrees from end to end
const PIXELS = 160; // of a drag from end to end

function arc(from, to) {
  const point = (share) => {
    const angle = ((share - 0.5) * TURN * Math.PI) / 180;
    return `${(25 + 20 * Math.sin(angle)).toFixed(2)} ${(25 - 20 * Math.cos(angle)).toFixed(2)}`;
  };
  const large = (to - from) * TURN > 180 ? 1 : 0;
  return `M${point(from)}A20 20 0 ${large} 1 ${point(to)}`;
}

/** A value as people read it. */
export function label(parameter, value) {
  const choice = parameter.choices.find((one) => one.value === value);
  if (choice) return choice.label;
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  const unit = { "%": " %", semitones: " st", cents: " ct", ms: " ms" }[parameter.unit] ?? "";
  return `${Number(value.toFixed(digits))}${unit}`;
}

/** `Tune1ModDepth` as words, which can be broken into lines. */
const spaced = (title) => title.replace(/ #.*/, "").replace(/([a-z0-9])([A-Z])/g, "$1 $2");

const MEANINGS = {
  sure: "sure",
  untold: "the sound does not tell",
  searched: "searched, not examined",
  kept: "not searched",
};

const LOCK = "M7 11V8a5 5 0 0 1 10 0v3M5 11h14v9H5z";

/**
 * What shows and sets one parameter.
 *
 * @param {Object} parameter - as the server describes it
 * @param {{begin: function(), turn: function(number), lock: function(boolean)}} act
 * @returns {{root: Element, show: function(Object)}} `show` takes value, origin, told and locked
 */
export function control(parameter, act) {
  const lock = el(
    "button",
    { class: "lock", type: "button", tabindex: -1, "aria-pressed": "false", "aria-label": `Lock ${parameter.name}` },
    svg("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: LOCK })),
  );
  const shown = { value: parameter.default, origin: parameter.default, locked: false };
  lock.addEventListener("click", () => act.lock(!shown.locked));
  const made = parameter.choices.length ? choice(parameter, act) : dial(parameter, act, shown);
  const root = el(
    "div",
    { class: `knob${parameter.choices.length ? " choice" : ""}`, title: parameter.description },
    made.face,
    el("span", { class: "name", "aria-hidden": "true" }, spaced(parameter.title)),
    made.text,
    lock,
  );
  made.face.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      act.lock(!shown.locked);
    }
  });
  return {
    root,
    show({ value, origin, told, locked }) {
      Object.assign(shown, { value, origin, locked });
      root.dataset.told = told;
      root.toggleAttribute("data-turned", value !== origin);
      lock.setAttribute("aria-pressed", String(locked));
      const meaning = MEANINGS[told];
      made.show(value, `${meaning}${locked ? ", locked" : ""}`);
    },
  };
}

function choice(parameter, act) {
  const face = el(
    "select",
    { "aria-label": parameter.name },
    ...parameter.choices.map(({ value, label: text }) => el("option", { value }, text)),
  );
  face.addEventListener("change", () => {
    act.begin();
    act.turn(Number(face.value));
  });
  return {
    face,
    text: null,
    show(value, meaning) {
      const near = parameter.choices.reduce((best, one) =>
        Math.abs(one.value - value) < Math.abs(best.value - value) ? one : best,
      );
      face.value = String(near.value);
      face.setAttribute("aria-description", meaning);
    },
  };
}

function dial(parameter, act, shown) {
  const { minimum, maximum } = parameter;
  const span = maximum - minimum;
  const zero = minimum < 0 && maximum > 0 ? -minimum / span : 0;
  const value = svg("path", { class: "arc" });
  const hand = svg("line", { class: "hand", x1: 25, y1: 13, x2: 25, y2: 20 });
  const face = svg(
    "svg",
    {
      class: "dial",
      viewBox: "0 0 50 50",
      tabindex: 0,
      role: "slider",
      "aria-label": parameter.name,
      "aria-valuemin": minimum,
      "aria-valuemax": maximum,
    },
    svg("path", { class: "track", d: arc(0, 1) }),
    value,
    svg("circle", { class: "cap", cx: 25, cy: 25, r: 14 }),
    hand,
  );
  const text = el("span", { class: "value", "aria-hidden": "true" });

  let turning = false;
  let quiet = null;
  const begin = () => {
    clearTimeout(quiet);
    if (!turning) act.begin();
    turning = true;
  };
  const end = () => {
    turning = false;
  };
  const endSoon = () => {
    clearTimeout(quiet);
    quiet = setTimeout(end, 500);
  };
  const set = (share) => {
    const next = minimum + span * Math.min(1, Math.max(0, share));
    const rounded = Math.min(maximum, Math.max(minimum, Math.round(100 * next) / 100));
    if (rounded !== shown.value) act.turn(rounded);
  };
  const share = () => (shown.value - minimum) / span;

  face.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    face.focus();
    face.setPointerCapture(event.pointerId);
    let last = event.clientY;
    let at = share();
    const move = (moved) => {
      const by = (last - moved.clientY) / (PIXELS * (moved.shiftKey ? 8 : 1));
      last = moved.clientY;
      if (!by) return;
      begin();
      at = Math.min(1, Math.max(0, at + by));
      set(at);
    };
    const up = () => {
      face.removeEventListener("pointermove", move);
      end();
    };
    face.addEventListener("pointermove", move);
    face.addEventListener("pointerup", up, { once: true });
    face.addEventListener("pointercancel", up, { once: true });
  });
  face.addEventListener(
    "wheel",
    (event) => {
      if (document.activeElement !== face) return; // else the page scrolls
      event.preventDefault();
      begin();
      set(share() - (Math.sign(event.deltaY) * (event.shiftKey ? 0.2 : 2)) / 100);
      endSoon();
    },
    { passive: false },
  );
  face.addEventListener("dblclick", () => {
    act.begin();
    act.turn(shown.origin);
  });
  face.addEventListener("keydown", (event) => {
    const fine = event.shiftKey ? 0.1 : 1;
    const steps = {
      ArrowUp: 0.01 * fine, ArrowRight: 0.01 * fine, ArrowDown: -0.01 * fine, ArrowLeft: -0.01 * fine,
      PageUp: 0.1, PageDown: -0.1, Home: -2, End: 2,
    };
    const by = steps[event.key];
    if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      act.begin();
      act.turn(shown.origin);
    } else if (by) {
      event.preventDefault();
      begin();
      set(share() + by);
      endSoon();
    }
  });
  return {
    face,
    text,
    show(now, meaning) {
      const at = Math.min(1, Math.max(0, (now - minimum) / span));
      value.setAttribute("d", at === zero ? "" : arc(Math.min(zero, at), Math.max(zero, at)));
      hand.setAttribute("transform", `rotate(${((at - 0.5) * TURN).toFixed(1)} 25 25)`);
      setText(text, label(parameter, now));
      face.setAttribute("aria-valuenow", now);
      face.setAttribute("aria-valuetext", `${label(parameter, now)}, ${meaning}`);
    },
  };
}
