/** Draws the content of folders as views/file_browser.py lists it, and asks for others. */
import { talk } from "./ask.js";
import { button, choice, element, fill, labelled } from "./elements.js";
import { RowStore, inSight, scrolledTo } from "./virtual_rows.js";
import { widget } from "./widget.js";

const ROW = 26;
const PAGE = 10;

/** @typedef {{ name: string, path: string, folder: boolean, kind: string, size: string, usable: boolean }} Row */

/**
 * The folders on the way to a path, each with the path to it.
 *
 * @param {string} path with `/`, empty for the top
 * @returns {[string, string][]} name, path
 */
export function crumbs(path) {
  const parts = path.split("/").filter(Boolean);
  return parts.map((name, place) => [name, parts.slice(0, place + 1).join("/")]);
}

/**
 * The folder above; the top for the top itself.
 *
 * @param {string} path
 * @returns {string}
 */
export function above(path) {
  return path.split("/").filter(Boolean).slice(0, -1).join("/");
}

/**
 * The row that a key leads to, or null for a key that does not move.
 *
 * @param {string} key
 * @param {number} row
 * @param {number} total
 * @returns {number | null}
 */
export function moved(key, row, total) {
  const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE, Home: -total, End: total };
  const step = steps[/** @type {keyof typeof steps} */ (key)];
  return step === undefined ? null : Math.max(0, Math.min(total - 1, row + step));
}

class Browser {
  /**
   * @param {import("@anywidget/types").AnyModel} model
   * @param {HTMLElement} el
   * @param {AbortSignal} signal
   */
  constructor(model, el, signal) {
    this.t = model.get("texts");
    this.ask = talk(model, signal).ask;
    /** @type {RowStore<Row>} */
    this.store = new RowStore();
    this.place = 0;
    this.path = "";
    this.active = 0;
    this.asked = 0;
    this.loading = false;
    /** @type {string[]} */
    this.labels = [];
    this.all = 0;
    this.id = `mlab-files-${Math.random().toString(36).slice(2)}`;
    this.places = choice([], "0");
    this.filter = element("input", { type: "search" });
    this.trail = element("nav", { class: "mlab-trail", "aria-label": this.t.places });
    this.sizer = element("div", { class: "mlab-sizer", role: "presentation" });
    this.list = element("div", { class: "mlab-files", role: "listbox", tabindex: 0, "aria-label": this.t.file_list },
      this.sizer);
    this.message = element("div", { role: "status", class: "mlab-muted" });
    this.useFile = button(this.t.use_file, () => this.choose(), { class: "mlab-primary" });
    el.append(...this.parts());
    this.listen();
    const watch = new ResizeObserver(() => this.draw());
    watch.observe(this.list);
    signal.addEventListener("abort", () => watch.disconnect());
    this.begin();
  }

  parts() {
    const tools = element("div", { class: "mlab-bar" }, labelled(this.t.places, this.places),
      button(this.t.go_up, () => this.up()), labelled(this.t.filter_names, this.filter),
      button(this.t.read_again, () => this.open(this.path, this.place, true, true)));
    const head = element("div", { class: "mlab-file mlab-file-head", "aria-hidden": "true" },
      ...[this.t.file_name, this.t.file_kind, this.t.file_size].map((name) => element("span", {}, name)));
    const uses = element("div", { class: "mlab-bar" }, this.useFile,
      button(this.t.use_folder, () => this.chooseFolder()), element("span", { class: "mlab-muted" }, this.t.browse_hint));
    return [tools, this.trail, head, this.list, this.message, uses];
  }

  listen() {
    this.places.addEventListener("change", () => this.open("", Number(this.places.value)));
    this.filter.addEventListener("input", () => this.open(this.path, this.place, true));
    this.filter.addEventListener("keydown", (event) => this.onFilterKey(event));
    this.list.addEventListener("scroll", () => this.draw());
    this.list.addEventListener("keydown", (event) => this.onKey(event));
  }

  async begin() {
    const { places } = await this.ask("places");
    this.labels = places.map((/** @type {any} */ one) => one.label);
    places.forEach((/** @type {any} */ one, /** @type {number} */ place) =>
      this.places.append(element("option", { value: place, title: one.path }, one.label)));
    await this.open("", 0);
  }

  /**
   * @param {string} path
   * @param {number} place
   * @param {boolean} [keepFilter]
   * @param {boolean} [anew] read from the disk again
   * @param {string} [at] name of the entry to stand on
   */
  async open(path, place = this.place, keepFilter = false, anew = false, at = "") {
    const filter = keepFilter ? this.filter.value : "";
    this.asked += 1;
    const answer = await this.listed({ path, place, filter, start: 0, count: 60, anew: anew || !keepFilter });
    if (answer === null) return;
    this.filter.value = filter;
    [this.path, this.place, this.all] = [answer.path, place, answer.all];
    this.store.clear();
    this.store.put(answer.start, answer.rows, answer.total);
    this.list.scrollTop = 0;
    const row = answer.rows.findIndex((/** @type {Row} */ one) => one.name === at);
    this.drawTrail();
    this.activate(Math.max(0, row));
    this.say(this.count());
  }

  /** @param {Record<string, unknown>} what @returns {Promise<any>} null when it failed or is out of date */
  async listed(what) {
    const mine = this.asked;
    try {
      const answer = await this.ask("list", what);
      return mine === this.asked ? answer : null;
    } catch (fault) {
      this.say(/** @type {Error} */ (fault).message, true);
      return null;
    }
  }

  count() {
    const { total } = this.store;
    if (this.all === 0) return this.t.empty_folder;
    if (total === 0) return this.t.no_such_names;
    return fill(total === this.all ? this.t.n_entries : this.t.n_of_entries, { n: total, all: this.all });
  }

  /** @param {string} words @param {boolean} [fault] */
  say(words, fault = false) {
    this.message.textContent = words;
    this.message.className = fault ? "mlab-fault" : "mlab-muted";
  }

  drawTrail() {
    const steps = [[this.labels[this.place] ?? "", ""], ...crumbs(this.path)];
    this.trail.replaceChildren(...steps.flatMap(([name, path], place) => [
      ...(place ? [element("span", { "aria-hidden": "true" }, " / ")] : []),
      button(name, () => this.open(path), { class: "mlab-crumb" })]));
  }

  draw() {
    const { total } = this.store;
    this.sizer.style.height = `${total * ROW}px`;
    const [first, end] = inSight(this.list.scrollTop, this.list.clientHeight || 286, ROW, total);
    const rows = [];
    for (let place = first; place < end; place += 1) rows.push(this.row(place));
    this.sizer.replaceChildren(...rows);
    this.list.setAttribute("aria-activedescendant", total ? `${this.id}-${this.active}` : "");
    this.useFile.disabled = !this.current || this.current.folder || !this.current.usable;
    const missing = this.store.missing(first, end);
    if (missing && !this.loading) this.more(missing);
  }

  /** @param {[number, number]} range */
  async more([start, end]) {
    this.loading = true;
    const answer = await this.listed({ path: this.path, place: this.place, filter: this.filter.value, start,
      count: end - start });
    this.loading = false;
    if (answer === null) return;
    this.store.put(answer.start, answer.rows, answer.total);
    if (answer.rows.length) this.draw();
  }

  /** @param {number} place */
  row(place) {
    const row = this.store.rows.get(place);
    const made = element("div", { class: "mlab-file", role: "option", id: `${this.id}-${place}`,
      "aria-selected": String(place === this.active), "aria-posinset": place + 1, "aria-setsize": this.store.total,
      "aria-disabled": row && !row.usable }, ...this.cells(row));
    made.style.transform = `translateY(${place * ROW}px)`;
    made.addEventListener("click", () => this.activate(place));
    made.addEventListener("dblclick", () => this.enter());
    return made;
  }

  /** @param {Row | undefined} row */
  cells(row) {
    return [element("span", { title: row?.name, class: row && (row.folder ? "mlab-folder" : "mlab-plain-file") },
      row?.name ?? "…"), element("span", {}, row?.kind ?? ""), element("span", {}, row?.size ?? "")];
  }

  get current() {
    return this.store.rows.get(this.active);
  }

  /** @param {number} place */
  activate(place) {
    this.active = place;
    this.list.scrollTop = scrolledTo(place, this.list.scrollTop, this.list.clientHeight || 286, ROW);
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const place = moved(event.key, this.active, this.store.total);
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (place !== null) this.activate(place);
    else if (event.key === "Enter") this.enter();
    else if (event.key === "Backspace" && this.filter.value === "") this.up();
    else if (!this.typed(event.key)) return;
    event.preventDefault();
  }

  /** @param {string} key @returns {boolean} whether the filter took it */
  typed(key) {
    const before = this.filter.value;
    if (key === "Backspace") this.filter.value = before.slice(0, -1);
    else if (key === "Escape" && before) this.filter.value = "";
    else if (key.length === 1) this.filter.value = before + key;
    else return false;
    this.open(this.path, this.place, true);
    return true;
  }

  /** @param {KeyboardEvent} event */
  onFilterKey(event) {
    if (event.key === "ArrowDown") this.list.focus();
    else if (event.key === "Enter") this.enter();
    else return;
    event.preventDefault();
  }

  up() {
    const name = this.path.split("/").pop() ?? "";
    if (this.path) this.open(above(this.path), this.place, false, false, name);
  }

  enter() {
    const row = this.current;
    if (!row || !row.usable) return;
    if (row.folder) this.open(row.path);
    else this.choose();
  }

  choose() {
    const row = this.current;
    if (row && row.usable && !row.folder) this.send(row.path);
  }

  /** The folder that is marked; where none is, the one that is shown. */
  chooseFolder() {
    this.send(this.current?.folder ? this.current.path : this.path);
  }

  /** @param {string} path */
  async send(path) {
    try {
      await this.ask("choose", { path, place: this.place });
    } catch (fault) {
      this.say(/** @type {Error} */ (fault).message, true);
    }
  }
}

export default widget("mlab-file-browser", (...shown) => new Browser(...shown));
