/** Keys of the adjudication, and what is said of a dispute in words. Nothing here draws. */
import { fill } from "./elements.js";

/** @typedef {import("./span_runs.js").Span} Span */
/** @typedef {{ left: string | null, right: string | null, start: number, end: number }} Dispute */
/** @typedef {[name: string, value?: string | number]} Command */

/** The key of each choice, as its button shows it. The digits and letters are there for keyboards without arrows. */
export const CHOICE_KEYS = /** @type {[string, string][]} */ ([["left", "←"], ["right", "→"], ["both", "b"],
  ["neither", "n"], ["own", "o"]]);

const KEYS = /** @type {Map<string, Command>} */ (new Map(Object.entries({
  ArrowLeft: ["choose", "left"], 1: ["choose", "left"], l: ["choose", "left"],
  ArrowRight: ["choose", "right"], 2: ["choose", "right"], r: ["choose", "right"],
  b: ["choose", "both"], n: ["choose", "neither"], 0: ["choose", "neither"], o: ["own"],
  ArrowDown: ["step", 1], j: ["step", 1], ArrowUp: ["step", -1], k: ["step", -1], s: ["open"],
  J: ["note", 1], K: ["note", -1], z: ["undo"], y: ["redo"], t: ["take"], a: ["agreement"],
})));

/**
 * @param {{ key: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean }} press
 * @returns {Command | null} null for a key that is not ours
 */
export function commandOf({ key, ctrlKey, metaKey, altKey }) {
  if (altKey) return null;
  const named = ctrlKey || metaKey ? key.toLowerCase() : key;
  return (ctrlKey || metaKey) && !"zy".includes(named) ? null : KEYS.get(named) ?? null;
}

/**
 * The number of the next dispute that is not decided, from the beginning again where there is none further on.
 *
 * @param {string[]} chosen what was chosen in each; empty where nothing was
 * @param {number} from
 * @returns {number} -1 when all are decided
 */
export function nextOpen(chosen, from) {
  const ahead = chosen.findIndex((choice, number) => number > from && !choice);
  return ahead >= 0 ? ahead : chosen.findIndex((choice) => !choice);
}

/**
 * What an annotator says of a stretch of text.
 *
 * @param {Span | undefined} span
 * @param {string} words
 * @param {string} title of its attribute
 * @param {Record<string, string>} t
 * @returns {string}
 */
export function inWords(span, words, title, t) {
  if (span === undefined) return t.adjudication_nothing;
  const contexts = span.context.map((name) => t[`context_${name}`]).join(", ");
  const value = [span.value, span.unit].filter(Boolean).join(" ");
  return [fill(t.adjudication_said, { title, words }), value && `= ${value}`, contexts && `(${contexts})`]
    .filter(Boolean).join(" ");
}
