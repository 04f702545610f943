// Messages and marks that Python sends for a content: only texts and attributes change, never a control.

import { fill } from "./elements.js";
import { nearest } from "./form_content.js";

/**
 * @typedef {{id: string, faults: Record<string, string>, changed: string[]}} Answer
 */

/**
 * @param {HTMLElement} root
 * @param {Answer} answer
 * @param {Record<string, string>} texts
 */
export function showAnswer(root, answer, texts) {
  /** @type {Map<string, HTMLElement>} */
  const places = new Map();
  for (const node of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-place]"))) {
    places.set(node.dataset.place ?? "", node);
  }
  /** @type {Map<string, string>} */
  const faults = new Map();
  for (const [place, words] of Object.entries(answer.faults)) {
    const shown = nearest(place, (known) => places.has(known));
    faults.set(shown, faults.has(shown) ? `${faults.get(shown)}; ${words}` : words);
  }
  for (const [place, node] of places) {
    mark(node, faults.get(place) ?? "", answer.changed.includes(place));
  }
  for (const fold of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-fold]"))) {
    count(fold, fold.querySelector(":scope > summary > .mlab-form-counts"), "", texts);
  }
  count(root, root.querySelector(":scope > .mlab-form-bar > .mlab-form-counts"), texts.form_nothing_changed, texts);
}

/**
 * @param {HTMLElement} node
 * @param {string} fault
 * @param {boolean} changed
 */
function mark(node, fault, changed) {
  node.toggleAttribute("data-changed", changed);
  node.toggleAttribute("data-fault", Boolean(fault));
  for (const part of /** @type {NodeListOf<HTMLElement>} */ (node.querySelectorAll(".mlab-fault, input, select, textarea"))) {
    if (part.closest("[data-place]") !== node || part.matches(".mlab-form-counts")) continue;
    if (part.matches(".mlab-fault")) setText(part, fault && `⚠ ${fault}`);
    else if (fault) part.setAttribute("aria-invalid", "true");
    else part.removeAttribute("aria-invalid");
  }
}

/**
 * Only a new text is announced.
 * @param {Element} node
 * @param {string} words
 */
function setText(node, words) {
  if (node.textContent !== words) node.textContent = words;
}

/**
 * How much within differs from the default, and how much is wrong.
 * @param {HTMLElement} within
 * @param {Element | null} counts  where it is said
 * @param {string} otherwise  what is said when nothing differs
 * @param {Record<string, string>} texts
 */
function count(within, counts, otherwise, texts) {
  if (!counts) return;
  const changed = within.querySelectorAll("[data-place][data-changed]").length;
  const wrong = within.querySelectorAll("[data-place][data-fault]").length;
  const words = [changed ? fill(texts.form_changes, { n: changed }) : otherwise,
    wrong ? `⚠ ${fill(texts.form_to_correct, { n: wrong })}` : ""];
  counts.classList.toggle("mlab-fault", wrong > 0);
  setText(counts, words.filter(Boolean).join(" · "));
}
