/** The adjudicator's own answer: attribute, value, context, and where it begins and ends. */
import { button, choice, element, labelled, signButton } from "./elements.js";
import { characterFrom } from "./span_blocks.js";

/** @typedef {import("./span_runs.js").Span} Span */
/** @typedef {import("./span_state.js").NoteState} NoteState */
/** @typedef {{ attribute: string, start: number, end: number, value: string, context: string[] }} Own in code points */

export class OwnAnswer {
  /**
   * @param {import("./span_labels.js").Labels} labels
   * @param {string[]} contexts
   * @param {Record<string, string>} t
   * @param {{ given: (own: Own) => void, left: () => void, moved: (start: number, end: number) => void }} told
   */
  constructor(labels, contexts, t, told) {
    this.labels = labels;
    this.t = t;
    this.told = told;
    /** @type {NoteState | null} */
    this.state = null;
    this.start = this.end = 0;
    this.words = element("q", { class: "mlab-adjudication-words" });
    this.attribute = choice(labels.all.map(({ name, title }) => [name, title]), "");
    this.values = element("datalist", { id: `mlab-own-${Math.random().toString(36).slice(2)}` });
    this.value = element("input", { type: "text", autocomplete: "off", list: this.values.id });
    this.contexts = contexts.map((name) => /** @type {const} */ ([name, element("input", { type: "checkbox" })]));
    this.root = element("form", { class: "mlab-adjudication-own", hidden: true, "aria-label": t.adjudication_own },
      this.words, this.bounds(), labelled(t.adjudication_attribute, this.attribute),
      labelled(t.annotator_value, this.value), this.values, element("div", { class: "mlab-bar" },
        ...this.contexts.map(([name, box]) => element("label", {}, box, ` ${t[`context_${name}`]}`))),
      element("div", { class: "mlab-bar" }, element("button", { type: "submit", class: "mlab-primary" },
        t.adjudication_give), button(t.adjudication_cancel, () => this.close())));
    this.attribute.addEventListener("change", () => this.listValues());
    this.root.addEventListener("submit", (event) => this.give(event));
    this.root.addEventListener("keydown", (event) => this.onKey(event));
  }

  bounds() {
    const shifts = (/** @type {"start" | "end"} */ edge) => [this.shifting(edge, "earlier", -1),
      this.shifting(edge, "later", 1)];
    return element("div", { class: "mlab-bar", role: "group", "aria-label": this.t.adjudication_bounds },
      this.t.adjudication_begin, ...shifts("start"), this.t.adjudication_end, ...shifts("end"));
  }

  /** @param {"start" | "end"} edge @param {string} where @param {1 | -1} by */
  shifting(edge, where, by) {
    return signButton(by < 0 ? "◂" : "▸", this.t[`adjudication_${edge}_${where}`], () => this.shift(edge, by));
  }

  get shown() {
    return !this.root.hidden;
  }

  /** @param {NoteState} state @param {Span} like what it begins with @param {[number, number]} stretch UTF-16 units */
  open(state, like, [start, end]) {
    this.state = state;
    this.attribute.value = like.attribute;
    this.value.value = like.value;
    for (const [name, box] of this.contexts) box.checked = like.context.includes(name);
    this.root.hidden = false;
    this.listValues();
    this.place(start, end);
    this.attribute.focus();
  }

  close() {
    this.root.hidden = true;
    this.told.left();
  }

  /** @param {number} start @param {number} end */
  place(start, end) {
    [this.start, this.end] = [start, end];
    this.words.textContent = this.state?.text.slice(start, end) ?? "";
    this.told.moved(start, end);
  }

  /** Move a bound by what people see as one character. @param {"start" | "end"} edge @param {1 | -1} by */
  shift(edge, by) {
    const { state } = this;
    if (!state) return;
    const at = characterFrom(state.text, state.blocks, this[edge], by);
    const [start, end] = edge === "start" ? [at, this.end] : [this.start, at];
    if (start < end) this.place(start, end);
  }

  listValues() {
    const values = this.labels.byName.get(this.attribute.value)?.values ?? [];
    this.values.replaceChildren(...values.map((value) => element("option", { value })));
  }

  /** @param {SubmitEvent} event */
  give(event) {
    event.preventDefault();
    const { state } = this;
    if (!state) return;
    this.root.hidden = true;
    this.told.given({ attribute: this.attribute.value, value: this.value.value,
      start: state.offsets.toPoints(this.start), end: state.offsets.toPoints(this.end),
      context: this.contexts.filter(([, box]) => box.checked).map(([name]) => name) });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    event.stopPropagation(); // letters are typed here, and choose nothing
    if (event.key === "Escape") this.close();
  }
}
