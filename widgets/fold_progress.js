// The grid of folds of a validation: a row a set of blocks and repeat, a cell a fold. All words come from Python.

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
 * @param {string} tag
 * @param {string} content
 * @param {Record<string, string>} [attributes]
 * @returns {HTMLElement}
 */
function element(tag, content, attributes = {}) {
  const made = document.createElement(tag);
  made.textContent = content;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
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
    head.append(element("th", name, { scope: "col" }));
  }
  const body = made.createTBody();
  const labels = setLabels(state.rows);
  state.rows.forEach((row, place) => {
    const line = body.insertRow();
    line.append(element("th", labels[place], { scope: "row" }), element("td", row.repeat));
    for (const cell of row.cells) {
      line.append(element("td", cell.text, { class: `mlab-fold mlab-fold-${cell.state}`, title: cell.label }));
    }
    line.append(element("td", row.mean, { class: "mlab-fold-mean" }));
  });
  return made;
}

/** @param {{ model: import("@anywidget/types").AnyModel, el: HTMLElement }} context */
function render({ model, el }) {
  el.classList.add("mlab", "mlab-folds");
  const texts = model.get("texts");
  const line = element("p", "", { class: "mlab-folds-line" });
  const bar = /** @type {HTMLProgressElement} */ (element("progress", "", { "aria-label": texts.folds_progress }));
  const holder = document.createElement("div");
  holder.className = "mlab-folds-grid";
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
  return () => model.off("change:state", draw);
}

export default { render };
