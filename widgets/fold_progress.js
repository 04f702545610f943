// The grid of folds of a validation: a row a set of blocks and repeat, a cell a fold. All words come from Python.

import { element } from "./elements.js";
import { widget } from "./widget.js";

/**
 * @typedef {{state: string, text: string, label: string}} Cell
 * @typedef {{set: string, repeat: string, cells: Cell[], mean: string}} Row
 * @typedef {{line: string, done: number, total: number, columns: string[], rows: Row[], caption: string}} State
 */

/**
 * A set's name only in its first row; the others continue it.
 * @param {Row[]} rows
 * @returns {string[]}
 */
export function setLabels(rows) {
  return rows.map((row, place) => (place > 0 && rows[place - 1].set === row.set ? "" : row.set));
}

/**
 * Whether the grid says more than the bar: more than one fold.
 * @param {Partial<State>} state
 * @returns {boolean}
 */
export function hasGrid(state) {
  return Boolean(state.rows && state.columns && state.rows.length * state.columns.length > 1);
}

/**
 * @param {State} state
 * @param {Record<string, string>} texts
 * @returns {HTMLTableElement}
 */
function table(state, texts) {
  const made = document.createElement("table");
  if (state.caption) made.createCaption().textContent = state.caption;
  const head = made.createTHead().insertRow();
  for (const name of [texts.folds_set, texts.folds_repeat, ...state.columns, texts.folds_mean]) {
    head.append(element("th", { scope: "col" }, name));
  }
  const body = made.createTBody();
  const labels = setLabels(state.rows);
  state.rows.forEach((row, place) => {
    const line = body.insertRow();
    line.append(element("th", { scope: "row" }, labels[place]), element("td", {}, row.repeat));
    for (const cell of row.cells) {
      line.append(element("td", { class: `mlab-fold mlab-fold-${cell.state}`, title: cell.label }, cell.text));
    }
    line.append(element("td", { class: "mlab-fold-mean" }, row.mean));
  });
  return made;
}

/**
 * @param {import("@anywidget/types").AnyModel} model
 * @param {HTMLElement} el
 * @param {AbortSignal} signal
 */
function show(model, el, signal) {
  const texts = model.get("texts");
  const line = element("p", { class: "mlab-folds-line" });
  const bar = element("progress", { "aria-label": texts.folds_progress });
  const holder = element("div", { class: "mlab-folds-grid" });
  el.append(line, bar, holder);

  const draw = () => {
    /** @type {Partial<State>} */
    const state = model.get("state");
    const shown = state.line !== undefined;
    el.hidden = !shown;
    if (!shown) return;
    line.textContent = state.line ?? "";
    bar.max = state.total || 1;
    if (state.total) bar.value = state.done ?? 0;
    else bar.removeAttribute("value");
    holder.replaceChildren(...(hasGrid(state) ? [table(/** @type {State} */ (state), texts)] : []));
  };
  model.on("change:state", draw);
  draw();
  signal.addEventListener("abort", () => model.off("change:state", draw));
}

export default widget("mlab-folds", show);
