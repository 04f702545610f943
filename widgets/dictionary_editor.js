/** Draws a data dictionary as a grid, and asks views/dictionary_editor.py to change it. */
import { talk } from "./ask.js";
import { button, choice, element, fill, labelled } from "./elements.js";
import { RowStore, inSight, scrolledTo } from "./virtual_rows.js";
import { widget } from "./widget.js";

const ROW = 30;
export const COLUMNS = ["chosen", "name", "role", "type", "unit", "endpoint", "description"];

/** @typedef {{ name: string, unsaved: string[], unlike: Record<string, string>, [field: string]: any }} Row */
/** @typedef {[number, number]} Cell row and column */

/**
 * The cell that a key leads to, or null for a key that does not move.
 *
 * @param {string} key
 * @param {Cell} cell
 * @param {number} rows
 * @param {number} page rows in sight
 * @returns {Cell | null}
 */
export function nextCell(key, [row, column], rows, page) {
  /** @type {Record<string, Cell>} */
  const targets = { ArrowDown: [row + 1, column], ArrowUp: [row - 1, column], ArrowLeft: [row, column - 1],
    ArrowRight: [row, column + 1], PageDown: [row + page, column], PageUp: [row - page, column], Home: [row, 0],
    End: [row, COLUMNS.length - 1] };
  const target = targets[key];
  if (target === undefined) return null;
  return [Math.max(0, Math.min(rows - 1, target[0])), Math.max(0, Math.min(COLUMNS.length - 1, target[1]))];
}

/**
 * What is told of a cell beside its value: that it is not saved, and what was guessed.
 *
 * @param {Row} row
 * @param {string} field
 * @param {Record<string, string>} t
 * @returns {string}
 */
export function remark(row, field, t) {
  const guess = row.unlike[field];
  return [row.unsaved.includes(field) ? t.unsaved_mark : "",
    guess === undefined ? "" : fill(t.guess_was, { value: guess || t.guess_empty })].filter(Boolean).join(", ");
}

class Grid {
  /**
   * @param {import("@anywidget/types").AnyModel} model
   * @param {HTMLElement} el
   * @param {AbortSignal} signal
   */
  constructor(model, el, signal) {
    this.model = model;
    this.t = model.get("texts");
    this.ask = talk(model, signal).ask;
    /** @type {RowStore<Row>} */
    this.store = new RowStore();
    /** @type {Cell} */
    this.active = [0, 2];
    /** @type {Set<string>} */
    this.chosen = new Set();
    this.allChosen = false;
    this.editing = false;
    this.loading = false;
    this.revision = 0;
    this.id = `mlab-grid-${Math.random().toString(36).slice(2)}`;
    /** @type {Record<string, Map<string, string>>} */
    this.words = Object.fromEntries(Object.entries(model.get("choices")).map(([field, pairs]) => [field, new Map(pairs)]));
    this.tables = choice([], "", {});
    this.search = element("input", { type: "search" });
    this.role = choice([["", this.t.all_roles], ...model.get("choices").role], "");
    this.sizer = element("div", { class: "mlab-sizer", role: "rowgroup" });
    this.body = element("div", { class: "mlab-grid-body", role: "presentation" }, this.head(), this.sizer);
    this.grid = element("div", { class: "mlab-grid", role: "grid", tabindex: 0, "aria-label": this.t.what_column_is,
      "aria-colcount": COLUMNS.length, "aria-multiselectable": "true" }, this.body);
    this.counted = element("span", { class: "mlab-muted" });
    this.message = element("span", { role: "status" });
    this.undo = button(this.t.undo_change, () => this.act("undo"));
    this.save = button(this.t.save_dictionary, () => this.saveAll(), { class: "mlab-primary" });
    this.bulk = choice([["", this.t.set_role_of_chosen], ...model.get("choices").role], "",
      { "aria-label": this.t.set_role_of_chosen });
    this.chosenCount = element("span", {});
    this.chooseAll = button("", () => this.toggleAll());
    this.el = el;
    el.append(...this.parts());
    this.listen(signal);
    this.showTables();
    this.reload();
  }

  parts() {
    const tools = element("div", { class: "mlab-bar" },
      ...(this.model.get("storing") ? [labelled(this.t.shown_table, this.tables)] : []),
      labelled(this.t.search_columns, this.search), labelled(this.t.filter_role, this.role), this.counted);
    const many = element("div", { class: "mlab-bar" }, this.chooseAll, this.chosenCount, this.bulk);
    const end = element("div", { class: "mlab-bar" }, ...(this.model.get("storing") ? [this.save] : []), this.undo,
      this.message);
    return [tools, many, this.grid, element("div", { class: "mlab-muted" }, this.t.edit_hint), end];
  }

  head() {
    const cells = COLUMNS.map((name) => element("div", { role: "columnheader" },
      name === "chosen" ? "" : this.t[`column_${name}`]));
    cells[0].setAttribute("aria-label", this.t.choose_none);
    return element("div", { class: "mlab-grid-row mlab-grid-head", role: "row" }, ...cells);
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    this.tables.addEventListener("change", () => this.openTable());
    this.search.addEventListener("input", () => this.reload());
    this.role.addEventListener("change", () => this.reload());
    this.bulk.addEventListener("change", () => this.setRoles());
    this.grid.addEventListener("scroll", () => this.draw());
    this.grid.addEventListener("keydown", (event) => this.onKey(event));
    const changed = () => this.reload(true);
    const tables = () => this.showTables();
    this.model.on("change:revision", changed);
    this.model.on("change:tables", tables);
    this.model.on("change:table", tables);
    const watch = new ResizeObserver(() => this.draw());
    watch.observe(this.grid);
    signal.addEventListener("abort", () => {
      this.model.off("change:revision", changed);
      this.model.off("change:tables", tables);
      this.model.off("change:table", tables);
      watch.disconnect();
    });
  }

  showTables() {
    const table = this.model.get("table");
    this.tables.replaceChildren(...this.model.get("tables").map((/** @type {string} */ name) =>
      element("option", { value: name, selected: name === table }, name)));
    this.tables.value = table;
  }

  async openTable() {
    if (this.model.get("state").unsaved) {
      this.say(this.t.drop_changes, true);
      this.showTables();
      return;
    }
    this.search.value = this.role.value = "";
    this.chooseNone();
    await this.act("open", { table: this.tables.value });
  }

  chooseNone() {
    this.chosen.clear();
    this.allChosen = false;
  }

  get filter() {
    return { search: this.search.value, role: this.role.value };
  }

  /** @param {boolean} [keepPlace] */
  async reload(keepPlace = false) {
    if (!keepPlace) this.chooseNone();
    const first = keepPlace ? Math.max(0, Math.floor(this.grid.scrollTop / ROW) - 10) : 0;
    this.revision += 1;
    const mine = this.revision;
    const answer = await this.rowsFrom(first, 60);
    if (answer === null || mine !== this.revision) return;
    this.store.clear();
    this.store.put(answer.start, answer.rows, answer.total);
    if (!keepPlace) this.grid.scrollTop = 0;
    this.active = [Math.min(this.active[0], Math.max(0, answer.total - 1)), this.active[1]];
    this.draw();
  }

  /** @param {number} start @param {number} count @returns {Promise<any>} */
  async rowsFrom(start, count) {
    try {
      return await this.ask("rows", { ...this.filter, start, count });
    } catch (fault) {
      this.say(/** @type {Error} */ (fault).message, true);
      return null;
    }
  }

  /** @param {string} words @param {boolean} [fault] */
  say(words, fault = false) {
    this.message.textContent = words;
    this.message.className = fault ? "mlab-fault" : "";
  }

  drawState() {
    const state = this.model.get("state");
    const storing = this.model.get("storing");
    this.counted.textContent = fill(this.t.listed_columns, { n: this.store.total, total: state.total });
    this.undo.disabled = !state.undo;
    this.save.disabled = !state.unsaved;
    if (state.unsaved) this.say(fill(storing ? this.t.unsaved_changes : this.t.unsaved_new, { n: state.unsaved }));
    const count = this.allChosen ? this.store.total : this.chosen.size;
    this.chosenCount.textContent = count ? fill(this.t.chosen_columns, { n: count }) : "";
    this.bulk.disabled = count === 0;
    this.chooseAll.textContent = count ? this.t.choose_none : fill(this.t.choose_all_columns, { n: this.store.total });
  }

  draw() {
    this.drawState();
    this.el.hidden = this.model.get("state").total === 0;
    if (this.editing) return;
    const { total } = this.store;
    this.sizer.style.height = `${total * ROW}px`;
    this.grid.setAttribute("aria-rowcount", String(total + 1));
    const [first, end] = inSight(this.grid.scrollTop, this.grid.clientHeight || 330, ROW, total);
    const rows = [];
    for (let place = first; place < end; place += 1) rows.push(this.row(place));
    this.sizer.replaceChildren(...rows);
    this.grid.setAttribute("aria-activedescendant", total ? this.cellId(this.active) : "");
    const missing = this.store.missing(first, end);
    if (missing && !this.loading) this.more(missing);
  }

  /** @param {[number, number]} range */
  async more([start, end]) {
    this.loading = true;
    const mine = this.revision;
    const answer = await this.rowsFrom(start, end - start);
    this.loading = false;
    if (answer === null || mine !== this.revision) return;
    this.store.put(answer.start, answer.rows, answer.total);
    if (answer.rows.length) this.draw();
  }

  /** @param {Cell} cell */
  cellId([row, column]) {
    return `${this.id}-${row}-${column}`;
  }

  /** @param {number} place */
  row(place) {
    const row = this.store.rows.get(place);
    const selected = row !== undefined && (this.allChosen || this.chosen.has(row.name));
    const made = element("div", { class: "mlab-grid-row", role: "row", "aria-rowindex": place + 2,
      "aria-selected": String(selected) }, ...COLUMNS.map((field, column) => this.cell(row, field, [place, column])));
    made.style.transform = `translateY(${place * ROW}px)`;
    return made;
  }

  /** @param {Row | undefined} row @param {string} field @param {Cell} at */
  cell(row, field, at) {
    const active = at[0] === this.active[0] && at[1] === this.active[1];
    const made = element("div", { role: field === "name" ? "rowheader" : "gridcell", id: this.cellId(at),
      class: active ? "mlab-grid-active" : undefined, "data-field": field });
    if (row === undefined) made.textContent = field === "name" ? "…" : "";
    else if (field === "chosen") made.append(this.box(row));
    else this.fillCell(made, row, field);
    made.addEventListener("click", () => this.onClick(at));
    return made;
  }

  /** @param {Row} row */
  box(row) {
    return element("input", { type: "checkbox", tabindex: -1, "aria-label": fill(this.t.choose_column, { name: row.name }),
      checked: this.allChosen || this.chosen.has(row.name) });
  }

  /** @param {HTMLElement} made @param {Row} row @param {string} field */
  fillCell(made, row, field) {
    const value = this.words[field]?.get(row[field]) ?? row[field];
    made.append(element("span", {}, value || "\u00A0"));
    if (field in this.words) made.append(element("span", { "aria-hidden": "true", class: "mlab-grid-down" }, "▾"));
    const words = field === "name" ? "" : remark(row, field, this.t);
    made.title = words ? `${value} (${words})` : value;
    if (row.unsaved.includes(field)) made.classList.add("mlab-grid-unsaved");
    if (words) made.append(element("span", { class: "mlab-grid-mark" }, row.unsaved.includes(field) ? "●" : "≠"),
      element("span", { class: "mlab-hidden" }, words));
  }

  /** @param {Cell} at */
  onClick(at) {
    this.activate(at);
    if (at[1] === 0) this.toggle(at[0]);
    else if (at[1] > 1) this.edit();
  }

  /** @param {Cell} cell */
  activate(cell) {
    this.active = cell;
    const height = (this.grid.clientHeight || 330) - ROW;
    this.grid.scrollTop = scrolledTo(cell[0], this.grid.scrollTop, height, ROW);
    this.draw();
  }

  /** @param {number} place */
  toggle(place) {
    const row = this.store.rows.get(place);
    if (row === undefined) return;
    if (this.allChosen) this.chooseNone();
    else if (!this.chosen.delete(row.name)) this.chosen.add(row.name);
    this.draw();
  }

  toggleAll() {
    const none = !this.allChosen && this.chosen.size === 0;
    this.chooseNone();
    this.allChosen = none;
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (this.editing || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.floor((this.grid.clientHeight || 330) / ROW) - 1;
    const cell = nextCell(event.key, this.active, this.store.total, page);
    if (cell) {
      if (event.shiftKey && cell[0] !== this.active[0]) this.toggle(this.active[0]);
      this.activate(cell);
    } else if (event.key === " " || (event.key === "Enter" && this.active[1] === 0)) this.toggle(this.active[0]);
    else if (event.key === "Enter") this.edit();
    else return;
    event.preventDefault();
  }

  edit() {
    const row = this.store.rows.get(this.active[0]);
    const field = COLUMNS[this.active[1]];
    const cell = document.getElementById(this.cellId(this.active));
    if (row === undefined || cell === null || this.active[1] < 2) return;
    this.editing = true;
    const attributes = { "aria-label": `${this.t[`column_${field}`]}: ${row.name}` };
    const input = field in this.words ? choice([...this.words[field]], row[field], attributes)
      : element("input", { type: "text", ...attributes });
    input.value = row[field];
    cell.replaceChildren(input);
    input.focus();
    this.watchInput(input, row, field);
  }

  /** @param {HTMLInputElement | HTMLSelectElement} input @param {Row} row @param {string} field */
  watchInput(input, row, field) {
    let done = false;
    const end = (/** @type {boolean} */ keep) => {
      if (done) return;
      done = true;
      this.editing = false;
      const hadFocus = document.activeElement === input;
      this.draw();
      if (hadFocus) this.grid.focus({ preventScroll: true });
      if (keep && input.value !== row[field]) this.act("change", { names: [row.name], field, value: input.value });
    };
    input.addEventListener("blur", () => end(true));
    if (field in this.words) input.addEventListener("change", () => end(true));
    input.addEventListener("keydown", (event) => {
      const { key } = /** @type {KeyboardEvent} */ (event);
      if (key !== "Enter" && key !== "Escape") return;
      event.preventDefault();
      event.stopPropagation();
      end(key === "Enter");
    });
  }

  async setRoles() {
    const value = this.bulk.value;
    this.bulk.value = "";
    if (value) await this.act("change", { ...this.filter, all: this.allChosen, names: [...this.chosen], field: "role", value });
  }

  async saveAll() {
    const answer = await this.act("save");
    if (answer) this.say(fill(this.t.dictionary_saved, { n: answer.saved }));
  }

  /** @param {string} name @param {Record<string, unknown>} [values] @returns {Promise<any>} null when it failed */
  async act(name, values = {}) {
    try {
      this.say("");
      return await this.ask(name, values);
    } catch (fault) {
      this.say(/** @type {Error} */ (fault).message, true);
      return null;
    }
  }
}

export default widget("mlab-dictionary", (...shown) => new Grid(...shown));
