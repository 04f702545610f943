/** How spans look in the text: lines under their words, tags behind them. */
import { element } from "./elements.js";

/** @typedef {import("./span_runs.js").Span} Span */
/** @typedef {import("./span_runs.js").Run} Run */
/**
 * @typedef {object} Look
 * @property {import("./span_state.js").NoteState} state
 * @property {import("./span_labels.js").Labels} labels
 * @property {Map<string, number>} levels on which line under the text each span lies
 * @property {string | null} active
 * @property {Set<string>} related spans that have a relation with the active one
 * @property {(span: Span) => boolean} fitting whether the filters leave a span in view
 * @property {boolean} tags whether labels are shown
 */

const STATUS_MARK = /** @type {Record<string, string>} */ ({ suggested: "", accepted: "✓", edited: "✎", rejected: "✗",
  added: "+" });
const CONTEXT_MARK = /** @type {Record<string, string>} */ ({ negated: "¬", uncertain: "?", family: "⌂", history: "↶",
  planned: "→" });
const LONGEST_TAG = 26;

/**
 * What stands behind a span: its label, its value where that is something else than its words, and marks.
 *
 * @param {Span} span
 * @param {string} title
 * @param {string} words
 * @returns {string}
 */
export function tagOf(span, title, words) {
  const value = span.value && span.value !== words ? ` ${span.value}` : "";
  const shown = `${title}${value}`;
  const cut = shown.length > LONGEST_TAG ? `${shown.slice(0, LONGEST_TAG - 1)}…` : shown;
  return [...span.context.map((name) => CONTEXT_MARK[name] ?? ""), cut, STATUS_MARK[span.status] ?? ""]
    .filter(Boolean).join(" ");
}

/** What the drawing of a run depends on. @param {Run} run @param {Look} look */
export function looksOf(run, { levels, active, related, fitting, tags }) {
  return [run.start, run.end, run.hit, ...run.spans.map((span) => [span.id, span.attribute, span.status, span.value,
    span.context.join(), levels.get(span.id), span.id === active, related.has(span.id), fitting(span),
    run.ends.includes(span) && tags])];
}

/** A run of characters with its spans. @param {Run} run @param {Text} node @param {Look} look @returns {HTMLElement} */
export function dressed(run, node, { labels, levels, active, fitting }) {
  const made = element("span", { class: "mlab-span-run" }, node);
  if (run.hit) made.classList.add("mlab-span-hit");
  const shown = run.spans.filter((span) => fitting(span));
  if (run.spans.length && !shown.length) made.classList.add("mlab-span-dim");
  if (run.spans.some((span) => span.id === active)) made.classList.add("mlab-span-active");
  const top = shown.filter((span) => span.status !== "rejected").at(-1);
  const tint = top ? `var(--mlab-tint${labels.colour(top.attribute)})` : "transparent";
  const lines = run.spans.map((span) => lineOf(span, labels.colour(span.attribute), levels.get(span.id) ?? 0,
    span.id === active ? 3 : 2));
  made.style.background = [...lines, `linear-gradient(${tint}, ${tint})`].join(", ");
  const deepest = Math.max(0, ...run.spans.map((span) => levels.get(span.id) ?? 0));
  made.style.paddingBottom = `${2 + 4 * Math.min(deepest, 3)}px`;
  return made;
}

/**
 * The line under a span: whole where it counts, broken where it is suggested, dotted where it was rejected.
 *
 * @param {Span} span
 * @param {number} number of its colour
 * @param {number} level
 * @param {number} depth pixels
 * @returns {string}
 */
function lineOf(span, number, level, depth) {
  const colour = `var(--mlab-line${number})`;
  const gaps = /** @type {Record<string, string>} */ ({
    suggested: `repeating-linear-gradient(90deg, ${colour} 0 5px, transparent 5px 8px)`,
    rejected: `repeating-linear-gradient(90deg, ${colour} 0 2px, transparent 2px 7px)` })[span.status];
  return `${gaps ?? `linear-gradient(${colour}, ${colour})`} 0 calc(100% - ${4 * Math.min(level, 3)}px) / 100% `
    + `${depth}px no-repeat`;
}

/** The tag of a span; the stylesheet draws its words, so that they are no part of the text.
 * @param {Span} span @param {Look} look @returns {HTMLElement} */
export function tagFor(span, { state, labels, active, related, fitting, tags }) {
  const colour = labels.colour(span.attribute);
  const made = element("span", { class: `mlab-span-tag mlab-span-${span.status}`, "data-id": span.id,
    "aria-hidden": "true", "data-tag": tags ? tagOf(span, labels.title(span.attribute), state.wordsOf(span)) : "" });
  if (span.id === active) made.classList.add("mlab-span-active");
  if (related.has(span.id)) made.classList.add("mlab-span-related");
  if (!fitting(span)) made.classList.add("mlab-span-dim");
  made.style.setProperty("--mlab-own", `var(--mlab-tint${colour})`);
  made.style.setProperty("--mlab-own-line", `var(--mlab-line${colour})`);
  return made;
}
