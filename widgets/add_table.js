/** Draws a table that was read and is not stored yet, as views/add_table.py describes it. */
import { talk } from "./ask.js";
import { button, choice, element, labelled } from "./elements.js";
import { widget } from "./widget.js";

const SETTLE_MS = 500;

/**
 * What the form asks for: fields that were left empty are not named.
 *
 * @param {Record<string, { value: string, checked?: boolean, type?: string }>} fields
 * @returns {Record<string, string | boolean>}
 */
export function options(fields) {
  return Object.fromEntries(Object.entries(fields)
    .map(([name, field]) => [name, field.type === "checkbox" ? field.checked === true : field.value.trim()])
    .filter(([, value]) => value !== "" && value !== false));
}

/** Work that follows what is typed, a moment later; whoever needs its end now does not wait for that moment. */
export class Later {
  /** @param {() => Promise<boolean>} work tells whether it went well */
  constructor(work) {
    this.work = work;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    /** @type {Promise<boolean>} */
    this.last = Promise.resolve(true);
  }

  /** @param {number} wait in ms */
  soon(wait) {
    this.stop();
    this.timer = setTimeout(() => this.now(), wait);
  }

  now() {
    this.stop();
    this.last = this.work();
    return this.last;
  }

  /** Whether the last work went well; what still waits is done first. */
  async settled() {
    let good = await this.last;
    while (this.timer !== undefined) good = await this.now();
    return good;
  }

  stop() {
    clearTimeout(this.timer);
    this.timer = undefined;
  }
}

class Form {
  /**
   * @param {import("@anywidget/types").AnyModel} model
   * @param {HTMLElement} el
   * @param {AbortSignal} signal
   */
  constructor(model, el, signal) {
    this.model = model;
    this.t = model.get("texts");
    this.ask = talk(model, signal).ask;
    this.asked = 0;
    this.known = false;
    this.later = new Later(() => this.prepare());
    const line = () => element("input", { type: "text", size: 14, spellcheck: "false", autocomplete: "off" });
    /** @type {Record<string, HTMLInputElement | HTMLSelectElement>} */
    this.fields = { name: line(), block: line(), level: choice([], ""), id_column: element("input", { type: "text", size: 14, placeholder: this.t.found_by_itself }), date_column: choice([], ""),
      date_order: choice([], ""), sheet: line(), replace: element("input", { type: "checkbox" }) };
    this.title = element("h4", {});
    this.size = element("div", { class: "mlab-muted" });
    this.fault = element("div", { class: "mlab-fault", role: "alert" });
    this.warning = element("div", { class: "mlab-fault" });
    this.notes = element("ul", { class: "mlab-report", "aria-label": this.t.reading_notes });
    this.preview = element("div", { class: "mlab-preview", tabindex: 0, role: "region", "aria-label": this.t.first_rows });
    this.keyFile = element("input", { type: "text", size: 34, spellcheck: "false", autocomplete: "off" });
    this.shown = element("div", { class: "mlab-add-body" });
    this.add = button(this.t.add_to_study, () => this.store(), { class: "mlab-primary" });
    this.form = element("div", { class: "mlab-add-form" }, ...this.rows());
    this.body = element("div", { class: "mlab-add-body", hidden: true }, this.title, this.size, this.fault, this.form,
      this.notes, this.shown);
    this.shown.append(element("div", { class: "mlab-strong" }, this.t.first_rows), this.preview, this.warning,
      element("div", { class: "mlab-bar" }, labelled(this.t.table_key_file, this.keyFile), this.add),
      element("div", { class: "mlab-muted" }, this.t.correct_below));
    this.done = element("div", { role: "status", class: "mlab-good" });
    el.append(this.done, this.body);
    this.listen(signal);
    this.begin();
  }

  rows() {
    return Object.entries(this.fields).map(([name, field]) => labelled(this.t[`table_${name}`], field));
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    const changed = () => this.begin();
    this.model.on("change:revision", changed);
    for (const field of Object.values(this.fields)) {
      field.addEventListener("input", () => {
        this.later.soon(field.tagName === "SELECT" || field.type === "checkbox" ? 0 : SETTLE_MS);
      });
    }
    signal.addEventListener("abort", () => {
      this.model.off("change:revision", changed);
      this.later.stop();
    });
  }

  /** Another file: the fields are emptied, since they were for the one before. */
  begin() {
    if (this.model.get("revision") === 0) return;
    for (const field of Object.values(this.fields)) {
      field.value = "";
      if (field instanceof HTMLInputElement) field.checked = false;
    }
    this.keyFile.value = this.done.textContent = "";
    this.known = false;
    this.later.now();
  }

  /** Has the table read as the fields say; whether it can be stored so. */
  async prepare() {
    this.asked += 1;
    const mine = this.asked;
    this.size.textContent = this.t.reading_table;
    try {
      const answer = await this.ask("prepare", options(this.fields));
      if (mine === this.asked) this.draw(answer);
      return answer.fault === undefined;
    } catch (fault) {
      this.fault.textContent = /** @type {Error} */ (fault).message;
      return false;
    }
  }

  /** @param {any} answer */
  draw(answer) {
    this.body.hidden = answer.name === undefined;
    if (this.body.hidden) return;
    this.title.textContent = answer.file;
    this.size.textContent = answer.size ?? "";
    this.fault.textContent = answer.fault ?? "";
    this.warning.textContent = answer.warning ?? "";
    this.shown.hidden = answer.fault !== undefined;
    this.fields.name.value ||= answer.name;
    if (answer.block) this.fields.block.value ||= answer.block;
    this.fillChoices(answer);
    this.notes.replaceChildren(...(answer.notes ?? []).map((/** @type {string} */ line) => element("li", {}, line)));
    this.drawPreview(answer.preview);
  }

  /** @param {any} answer */
  fillChoices(answer) {
    if (!this.known) {
      this.known = true;
      this.refill("level", answer.levels);
      this.refill("date_order", [["", this.t.as_written], ...answer.date_orders]);
    }
    if (answer.dates) this.refill("date_column", [["", this.t.no_date], ...answer.dates.map((/** @type {string} */ name) => [name, name])]);
  }

  /** @param {string} name @param {[string, string][]} pairs */
  refill(name, pairs) {
    const field = this.fields[name];
    const before = field.value || pairs[0][0];
    field.replaceChildren(...pairs.map(([value, label]) => element("option", { value }, label)));
    field.value = before;
  }

  /** @param {{ columns: string[], rows: string[][] } | undefined} preview */
  drawPreview(preview) {
    if (preview === undefined) return;
    const head = element("tr", {}, ...preview.columns.map((name) => element("th", { scope: "col" }, name)));
    const rows = preview.rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, cell))));
    this.preview.replaceChildren(element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
  }

  /** Stores the table as the fields say now: what was typed last is read first, and a fault of it ends this. */
  async store() {
    this.add.disabled = true;
    if (await this.later.settled()) await this.storePrepared();
    this.add.disabled = false;
  }

  async storePrepared() {
    try {
      const answer = await this.ask("add", { key_file: this.keyFile.value });
      this.body.hidden = true;
      this.done.textContent = [answer.done, ...answer.notes].join(" ");
    } catch (fault) {
      this.fault.textContent = /** @type {Error} */ (fault).message;
      this.warning.textContent = "";
    }
  }
}

export default widget("mlab-add-table", (...shown) => new Form(...shown));
