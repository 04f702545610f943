/** The notes of the study: search, filters, and a list of which only the rows in sight are asked for. */
import { button, choice, element, fill, labelled } from "./elements.js";
import { RowStore, inSight, scrolledTo } from "./virtual_rows.js";

const ROW = 44;
const PAUSE_MS = 250;

/**
 * @typedef {{ place: number, note: string, date: string, language: string, done: boolean, begun: boolean,
 *   answered: number, suggested: number }} Row
 */
/** @typedef {{ ask: import("./ask.js").Ask, open: (place: number) => void, filtered: () => void,
 *   heard: (answer: any) => void, fault: (words: string) => void, leave: () => void }} Told */

export class NoteList {
  /**
   * @param {import("@anywidget/types").AnyModel} model
   * @param {import("./span_labels.js").Labels} labels
   * @param {Told} told
   */
  constructor(model, labels, told) {
    this.t = model.get("texts");
    this.told = told;
    /** @type {RowStore<Row>} */
    this.store = new RowStore();
    this.row = 0;
    this.shown = -1;
    this.asked = 0;
    this.loading = false;
    this.id = `mlab-notes-${Math.random().toString(36).slice(2)}`;
    this.search = element("input", { type: "search", placeholder: this.t.annotator_search,
      "aria-label": this.t.annotator_search });
    this.fields = this.makeFields(model, labels);
    this.open = element("input", { type: "checkbox" });
    this.filterCount = element("span", {});
    this.folded = this.filters();
    this.counted = element("div", { class: "mlab-muted", role: "status" });
    this.sizer = element("div", { class: "mlab-sizer" });
    this.box = element("div", { class: "mlab-span-notes", role: "listbox", tabindex: 0,
      "aria-label": this.t.annotator_notes }, this.sizer);
    this.box.addEventListener("scroll", () => this.draw());
    this.box.addEventListener("keydown", (event) => this.onKey(event));
    this.root = element("div", { class: "mlab-span-list" }, this.search, this.folded, this.counted, this.box);
  }

  /** The choices, by the name that a filter has.
   * @param {import("@anywidget/types").AnyModel} model @param {import("./span_labels.js").Labels} labels */
  makeFields(model, labels) {
    const { t } = this;
    const offer = (/** @type {string[][]} */ pairs) => choice([["", t.annotator_any],
      .../** @type {[string, string][]} */ (pairs)], "");
    const statuses = ["suggested", "accepted", "edited", "rejected", "added"];
    return {
      attribute: offer(labels.all.map((label) => [label.name, label.title])),
      status: offer(statuses.map((name) => [name, t[`status_${name}`]])),
      context: offer(model.get("contexts").map((/** @type {string} */ name) => [name, t[`context_${name}`]])),
      language: offer(model.get("languages").map((/** @type {string} */ name) => [name, name])),
    };
  }

  filters() {
    const { t, fields } = this;
    const made = element("details", { class: "mlab-span-filters" },
      element("summary", {}, t.annotator_filters, " ", this.filterCount),
      labelled(t.annotator_attribute, fields.attribute), labelled(t.annotator_status, fields.status),
      labelled(t.annotator_context, fields.context), labelled(t.annotator_language, fields.language),
      labelled(t.annotator_not_done, this.open), button(t.annotator_reset, () => this.reset()));
    for (const field of [...Object.values(fields), this.open]) field.addEventListener("change", () => this.changed());
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    this.search.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => this.changed(), PAUSE_MS);
    });
    this.search.addEventListener("keydown", (event) => this.onSearchKey(event));
    return made;
  }

  /** Enter opens the first note that was found, Escape goes back to the text. @param {KeyboardEvent} event */
  async onSearchKey(event) {
    if (event.key === "ArrowDown") this.box.focus();
    else if (event.key === "Escape") this.told.leave();
    else if (event.key === "Enter") {
      await this.reload(false);
      const first = this.store.rows.get(0);
      if (first) this.told.open(first.place);
    } else return;
    event.preventDefault();
  }

  /** What is asked for; views/span_annotator.py has the same names. */
  get filter() {
    const { attribute, status, context, language } = this.fields;
    return { words: this.search.value, attribute: attribute.value, status: status.value, context: context.value,
      language: language.value, open_only: this.open.checked };
  }

  reset() {
    [this.search, ...Object.values(this.fields)].forEach((field) => { field.value = ""; });
    this.open.checked = false;
    this.changed();
  }

  changed() {
    const { words: _, ...others } = this.filter;
    const count = Object.values(others).filter(Boolean).length;
    this.filterCount.textContent = count ? `(${count})` : "";
    this.told.filtered();
    this.reload(true);
  }

  /** Ask for the rows anew. @param {boolean} anew whether notes that fit no more leave the list */
  async reload(anew) {
    this.asked += 1;
    const mine = this.asked;
    let answer = await this.rowsFrom(0, 40, anew);
    while (answer && mine === this.asked) {
      this.store.clear();
      this.store.put(answer.start, answer.rows, answer.total);
      this.row = Math.min(this.row, Math.max(0, answer.total - 1));
      this.told.heard(answer);
      this.count(answer);
      this.draw();
      if (!answer.unknown) return;
      answer = await this.rowsFrom(0, 40, true);
    }
  }

  /** @param {any} answer */
  count({ total, unknown, progress }) {
    const words = fill(this.t.annotator_listed, { n: total, total: progress.notes });
    this.counted.textContent = unknown ? `${words} ${fill(this.t.annotator_looking, { n: unknown })}` : words;
  }

  /** @param {number} start @param {number} count @param {boolean} [anew] @returns {Promise<any>} */
  async rowsFrom(start, count, anew = false) {
    try {
      return await this.told.ask("list", { ...this.filter, start, count, anew });
    } catch (fault) {
      this.told.fault(/** @type {Error} */ (fault).message);
      return null;
    }
  }

  /** A row as it is after an act. @param {Row} row */
  update(row) {
    for (const [number, known] of this.store.rows) if (known.place === row.place) this.store.rows.set(number, row);
    this.draw();
  }

  /** Mark the note that is open. @param {number} place */
  mark(place) {
    this.shown = place;
    const found = [...this.store.rows].find(([, row]) => row.place === place);
    if (found) this.row = found[0];
    this.box.scrollTop = scrolledTo(this.row, this.box.scrollTop, this.box.clientHeight || 300, ROW);
    this.draw();
  }

  draw() {
    const { total } = this.store;
    this.sizer.style.height = `${total * ROW}px`;
    const [first, end] = inSight(this.box.scrollTop, this.box.clientHeight || 300, ROW, total, 4);
    const rows = [];
    for (let number = first; number < end; number += 1) rows.push(this.option(number, total));
    this.sizer.replaceChildren(...rows);
    if (total) this.box.setAttribute("aria-activedescendant", `${this.id}-${this.row}`);
    else this.box.removeAttribute("aria-activedescendant");
    const missing = this.store.missing(first, end);
    if (missing && !this.loading) this.more(missing);
  }

  /** @param {[number, number]} range */
  async more([start, end]) {
    this.loading = true;
    const mine = this.asked;
    const answer = await this.rowsFrom(start, end - start);
    this.loading = false;
    if (!answer || mine !== this.asked) return;
    this.store.put(answer.start, answer.rows, answer.total);
    if (answer.rows.length) this.draw();
  }

  /** @param {number} number @param {number} total @returns {HTMLElement} */
  option(number, total) {
    const row = this.store.rows.get(number);
    const made = element("div", { role: "option", id: `${this.id}-${number}`, "aria-setsize": total,
      "aria-posinset": number + 1, "aria-selected": String(row !== undefined && row.place === this.shown),
      class: number === this.row ? "mlab-span-note mlab-span-here" : "mlab-span-note" });
    made.style.transform = `translateY(${number * ROW}px)`;
    if (row) made.append(...this.parts(row));
    made.addEventListener("click", () => row && this.told.open(row.place));
    return made;
  }

  /** @param {Row} row */
  parts(row) {
    const state = row.done ? "done" : row.begun ? "begun" : "open";
    const counts = row.answered + row.suggested ? fill(this.t.annotator_counts, { n: row.answered,
      total: row.answered + row.suggested }) : "";
    return [element("span", { class: `mlab-span-state mlab-span-${state}`, title: this.t[`note_${state}`] },
      { done: "✓", begun: "◐", open: "○" }[state]),
    element("span", { class: "mlab-hidden" }, this.t[`note_${state}`]),
    element("span", { class: "mlab-span-name" }, row.note),
    element("span", { class: "mlab-span-about" }, [row.date, row.language, counts].filter(Boolean).join(" · "))];
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const page = Math.max(1, Math.floor(this.box.clientHeight / ROW) - 1);
    const steps = /** @type {Record<string, number>} */ ({ ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page,
      Home: -this.store.total, End: this.store.total });
    if (event.key in steps) {
      this.row = Math.max(0, Math.min(this.store.total - 1, this.row + steps[event.key]));
      this.box.scrollTop = scrolledTo(this.row, this.box.scrollTop, this.box.clientHeight || 300, ROW);
      this.draw();
    } else if (event.key === "Enter" || event.key === " ") {
      const row = this.store.rows.get(this.row);
      if (row) this.told.open(row.place);
    } else if (event.key === "Escape") this.told.leave();
    else return;
    event.preventDefault();
  }
}
