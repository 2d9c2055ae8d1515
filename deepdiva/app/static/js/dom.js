// Elements are made here, and text becomes text: no name or sentence is ever read as markup.

/**
 * Make an element.
 *
 * @param {string} tag - such as "button"
 * @param {Object} [attributes] - "class", "aria-label" ...; functions are listeners ("onclick"),
 *   true and false set and leave out
 * @param {...(Node|string|null)} children - strings become text
 */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, ...children);
}

/** Make an SVG element; takes what `el` takes. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, ...children);
}

function fill(element, attributes, ...children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** The element of an id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Set text only where it changes, so that a screen reader is not told twice. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Call a function at most once a frame, with its last arguments. */
export function onceAFrame(act) {
  let waiting = null;
  return (...args) => {
    const first = waiting === null;
    waiting = args;
    if (first) {
      requestAnimationFrame(() => {
        const last = waiting;
        waiting = null;
        act(...last);
      });
    }
  };
}

/** Give a canvas as many pixels as it covers, and return its context, size in CSS pixels. */
export function sharpContext(canvas) {
  const { width, height } = canvas.getBoundingClientRect();
  const scale = Math.min(3, window.devicePixelRatio || 1);
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  context.setTransform(scale, 0, 0, scale, 0, 0);
  return { context, width, height };
}

/** A colour of the style sheet. */
export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

const NAMES = ["C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B"];

/** Name of a MIDI key; 60 is C4. */
export function keyName(key) {
  return `${NAMES[key % 12]}${Math.floor(key / 12) - 1}`;
}

/** MIDI key of a number or name; NaN for anything else. */
export function keyOf(text) {
  const found = /^\s*([A-Ga-g])([#b♯♭]?)(-?\d+)\s*$/.exec(text);
  if (!found) return /^\s*\d+\s*$/.test(text) ? Number(text) : NaN;
  const step = { C: 0, D: 2, E: 4, F: 5, G: 7, A: 9, B: 11 }[found[1].toUpperCase()];
  const sign = { "#": 1, "♯": 1, b: -1, "♭": -1 }[found[2]] ?? 0;
  return step + sign + 12 * (Number(found[3]) + 1);
}

/** Seconds as people read them. */
export function seconds(value) {
  if (value < 1) return `${Math.round(value * 1000)} ms`;
  if (value < 60) return `${value.toFixed(value < 10 ? 2 : 1)} s`;
  return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
}
