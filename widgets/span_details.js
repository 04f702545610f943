/** The active span: what it says, and what can be done with it. */
import { button, element, fill, labelled } from "./elements.js";
import { CONTEXT_KEYS } from "./span_keys.js";

/** @typedef {import("./span_runs.js").Span} Span */
/** @typedef {import("./span_state.js").NoteState} NoteState */
/**
 * @typedef {{ command: (name: string, ...values: string[]) => void, typed: (field: string, value: string) => void,
 *   unrelate: (id: string) => void, pick: (id: string) => void, leave: () => void }} Told
 */

const FIELDS = /** @type {const} */ (["value", "unit", "qualifier"]);

export class Details {
  /**
   * @param {import("./span_labels.js").Labels} labels
   * @param {{ texts: Record<string, string>, contexts: string[], relations: [string, string][] }} offered
   * @param {Told} told
   */
  constructor(labels, offered, told) {
    this.labels = labels;
    this.t = offered.texts;
    this.kinds = new Map(offered.relations);
    this.told = told;
    this.title = element("div", { class: "mlab-span-title" });
    this.values = element("datalist", { id: `mlab-values-${Math.random().toString(36).slice(2)}` });
    this.inputs = FIELDS.map((field) => this.field(field));
    this.contexts = offered.contexts.map((name) => this.toggle(name));
    this.accept = this.act("accept", "a");
    this.reject = this.act("reject", "r");
    this.remove = this.act("remove", "x");
    this.relate = this.act("relate", "t");
    this.links = element("ul", { class: "mlab-span-links" });
    this.body = element("div", { class: "mlab-span-body" }, this.title,
      element("div", { class: "mlab-bar" }, this.accept, this.reject, this.remove),
      ...this.inputs.map((input, number) => labelled(this.t[`annotator_${FIELDS[number]}`], input)), this.values,
      element("div", { class: "mlab-span-contexts", role: "group",
        "aria-label": this.t.annotator_contexts }, ...this.contexts),
      this.links, this.relate);
    this.none = element("p", { class: "mlab-muted" }, this.t.annotator_no_span);
    this.root = element("section", { class: "mlab-span-details", "aria-label": this.t.annotator_span },
      element("h4", {}, this.t.annotator_span), this.none, this.body);
  }

  /** @param {string} field */
  field(field) {
    const input = element("input", { type: "text", "data-field": field, autocomplete: "off",
      list: field === "value" ? this.values.id : undefined });
    input.addEventListener("input", () => this.told.typed(field, input.value));
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== "Escape") return;
      event.preventDefault();
      this.told.leave();
    });
    return input;
  }

  /** @param {string} name */
  toggle(name) {
    const key = /** @type {Record<string, string>} */ (CONTEXT_KEYS)[name] ?? "";
    const made = button("", () => this.told.command("context", name), { "aria-pressed": "false", "data-context": name });
    made.append(element("kbd", {}, key), this.t[`context_${name}`]);
    return made;
  }

  /** @param {string} name @param {string} key */
  act(name, key) {
    const made = button("", () => this.told.command(name), { "data-act": name });
    made.append(element("kbd", {}, key), this.t[`annotator_${name}`]);
    return made;
  }

  /** @param {NoteState} state @param {Span | null} span @param {string | null} source of a relation that is being made */
  show(state, span, source) {
    this.body.hidden = span === null;
    this.none.hidden = span !== null;
    if (!span) return;
    const label = this.labels.byName.get(span.attribute);
    this.title.replaceChildren(element("strong", {}, this.labels.title(span.attribute)), " ",
      element("q", {}, state.wordsOf(span)), " ", element("span", { class: "mlab-muted" },
        [this.t[`status_${span.status}`], span.rule ? fill(this.t.annotator_rule, { rule: span.rule }) : ""]
          .filter(Boolean).join(", ")));
    this.title.title = label?.says ?? "";
    this.values.replaceChildren(...(label?.values ?? []).map((value) => element("option", { value })));
    this.inputs.forEach((input, number) => {
      const value = span[FIELDS[number]];
      if (document.activeElement !== input || input.value !== value) input.value = value;
    });
    for (const made of this.contexts) {
      made.setAttribute("aria-pressed", String(span.context.includes(made.dataset.context ?? "")));
    }
    this.accept.disabled = span.status === "accepted" || span.status === "added";
    this.reject.disabled = span.status === "rejected" || span.status === "added";
    this.relate.setAttribute("aria-pressed", String(source === span.id));
    this.links.replaceChildren(...state.relationsOf(span.id).map((link) => this.link(state, span, link)));
  }

  /** @param {NoteState} state @param {Span} span @param {import("./span_state.js").Relation} link */
  link(state, span, link) {
    const away = link.source === span.id;
    const other = state.spans.get(away ? link.target : link.source);
    const words = `${this.labels.title(other?.attribute ?? "")} « ${other ? state.wordsOf(other) : ""} »`;
    const kind = this.kinds.get(link.kind) ?? link.kind;
    return element("li", {}, away ? `${kind} → ` : `← ${kind} `,
      button(words, () => other && this.told.pick(other.id), { class: "mlab-span-link" }),
      button("×", () => this.told.unrelate(link.id), { "aria-label": fill(this.t.annotator_unrelate, { name: words }) }));
  }

  focus() {
    this.inputs[0].focus();
    this.inputs[0].select();
  }
}
