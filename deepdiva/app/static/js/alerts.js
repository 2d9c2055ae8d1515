// Errors are sentences in the page.

import { byId, el } from "./dom.js";

/** Say what went wrong, until the user has read it. */
export function complain(error) {
  const sentence = error instanceof Error ? error.message : String(error);
  const place = byId("alerts");
  if ([...place.children].some((child) => child.dataset.sentence === sentence)) return;
  const note = el(
    "div",
    { class: "alert" },
    el("p", {}, sentence),
    el("button", { class: "small", type: "button", onclick: () => note.remove() }, "Close"),
  );
  note.dataset.sentence = sentence;
  place.append(note);
}

/** A function that does the same, and complains where it fails. */
export function guarded(act) {
  return async (...args) => {
    try {
      return await act(...args);
    } catch (error) {
      complain(error);
      if (!(error instanceof Error) || error.name === "TypeError") console.error(error);
      return undefined;
    }
  };
}
