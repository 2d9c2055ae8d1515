// Talks to the server. The token stands in the fragment of the address and goes into a header.

const KEPT = "deepdiva.token";

function findToken() {
  const given = location.hash.slice(1);
  if (given) {
    localStorage.setItem(KEPT, given);
    return given;
  }
  return localStorage.getItem(KEPT) ?? "";
}

const token = findToken();

/** What the server refused, as a sentence. */
export class Refusal extends Error {
  constructor(sentence, status) {
    super(sentence);
    this.status = status;
  }
}

/**
 * Ask the server.
 *
 * @param {string} path - below /api/
 * @param {Object} [options] - of fetch; `json` becomes the body of a POST
 * @returns {Promise<Response>}
 * @throws {Refusal}
 */
export async function ask(path, { json, ...options } = {}) {
  const headers = { "X-DeepDiva-Token": token };
  if (json !== undefined) {
    options = { ...options, method: "POST", body: JSON.stringify(json) };
    headers["Content-Type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(`/api/${path}`, { ...options, headers, cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("DeepDiva does not answer: is it still running in the terminal?", 0);
  }
  if (!response.ok) {
    const told = await response.json().catch(() => ({}));
    throw new Refusal(told.error ?? `The server answers with ${response.status}.`, response.status);
  }
  return response;
}

/** Ask for JSON. */
export async function askJson(path, options) {
  return (await ask(path, options)).json();
}

/**
 * Hear everything that changes, for ever; after a break everything is told anew.
 *
 * @param {function(Object)} onEvent - gets each event
 * @param {function(boolean, string)} onLink - whether the server is there, and a sentence if not
 */
export async function listen(onEvent, onLink) {
  for (let wait = 250; ; wait = Math.min(4000, 2 * wait)) {
    try {
      const response = await ask("events");
      onLink(true, "");
      wait = 250;
      await readEvents(response.body.getReader(), onEvent);
    } catch (error) {
      onLink(false, error.message);
      if (error.status === 401) return;
    }
    onLink(false, "DeepDiva does not answer: is it still running in the terminal?");
    await new Promise((done) => setTimeout(done, wait));
  }
}

async function readEvents(reader, onEvent) {
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += decoder.decode(value, { stream: true });
    const parts = text.split("\n\n");
    text = parts.pop();
    for (const part of parts) {
      if (part.startsWith("data: ")) onEvent(JSON.parse(part.slice(6)));
    }
  }
}

/**
 * Read a WAV file of 32-bit floats, mono, as the server writes them.
 *
 * @param {Response} response
 * @returns {Promise<{samples: Float32Array, rate: number, distance: number|null}>}
 */
export async function readSound(response) {
  const data = await response.arrayBuffer();
  const view = new DataView(data);
  let at = 12;
  let rate = 44100;
  let samples = new Float32Array(0);
  while (at + 8 <= data.byteLength) {
    const name = String.fromCharCode(...new Uint8Array(data, at, 4));
    const size = view.getUint32(at + 4, true);
    if (name === "fmt ") rate = view.getUint32(at + 12, true);
    if (name === "data") samples = new Float32Array(data.slice(at + 8, at + 8 + size));
    at += 8 + size + (size % 2);
  }
  const distance = response.headers.get("X-Distance");
  return { samples, rate, distance: distance === null ? null : Number(distance) };
}
