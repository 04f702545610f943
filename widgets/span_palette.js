/** The labels with their keys, and the field that finds one by typing. */
import { button, element } from "./elements.js";

const MOST_FOUND = 9;

export class Palette {
  /**
   * @param {import("./span_labels.js").Labels} labels
   * @param {Record<string, string>} t
   * @param {{ chosen: (name: string) => void, leave: () => void }} told
   */
  constructor(labels, t, told) {
    this.labels = labels;
    this.t = t;
    this.told = told;
    /** Number of the group whose labels have keys now; null: the groups have. @type {number | null} */
    this.group = null;
    this.place = 0;
    /** @type {import("./span_labels.js").Label[]} */
    this.shown = [];
    this.id = `mlab-labels-${Math.random().toString(36).slice(2)}`;
    this.input = element("input", { type: "text", role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list",
      "aria-controls": `${this.id}-found`, "aria-label": t.annotator_find_label, placeholder: t.annotator_find_label,
      autocomplete: "off" });
    this.found = element("div", { class: "mlab-span-found", role: "listbox", id: `${this.id}-found`,
      "aria-label": t.annotator_labels });
    this.groups = element("div", { class: "mlab-span-groups" });
    this.root = element("section", { class: "mlab-span-palette", "aria-label": t.annotator_labels },
      element("h4", {}, t.annotator_labels), this.input, this.found, this.groups);
    this.input.addEventListener("input", () => this.search());
    this.input.addEventListener("focus", () => this.search());
    this.input.addEventListener("blur", () => this.close());
    this.input.addEventListener("keydown", (event) => this.onKey(event));
    this.close();
    this.drawGroups();
  }

  /** All groups, or the open one alone, so that its labels are in sight. */
  drawGroups() {
    const shown = this.labels.groups.map((group, number) => ({ group, number }))
      .filter(({ number }) => this.group === null || number === this.group);
    this.groups.replaceChildren(...shown.map(({ group, number }) => this.groupRow(group, number)));
  }

  /** @param {import("./span_labels.js").Group} group @param {number} number */
  groupRow(group, number) {
    const open = this.group === number;
    const head = button("", () => this.open(open ? null : number), { class: "mlab-span-group",
      "aria-expanded": String(open) });
    head.append(this.key(open ? "Esc" : String(number + 1)), this.swatch(number), group.title);
    const row = element("div", { class: open ? "mlab-span-open" : "" }, head);
    if (open) row.append(...group.labels.map((label, place) => this.labelButton(label, place)));
    return row;
  }

  /** @param {import("./span_labels.js").Label} label @param {number} place */
  labelButton(label, place) {
    const made = button("", () => {
      this.open(null);
      this.choose(label.name);
    }, { class: "mlab-span-label", title: label.says });
    made.append(this.key(place < 9 ? String(place + 1) : ""), label.title);
    return made;
  }

  /** @param {string} words */
  key(words) {
    return element("kbd", {}, words);
  }

  /** @param {number} number */
  swatch(number) {
    const made = element("span", { class: "mlab-span-swatch", "aria-hidden": "true" });
    made.style.setProperty("--mlab-own", `var(--mlab-tint${Math.min(number, 7)})`);
    made.style.setProperty("--mlab-own-line", `var(--mlab-line${Math.min(number, 7)})`);
    return made;
  }

  /** @param {number | null} group */
  open(group) {
    this.group = group !== null && group < this.labels.groups.length ? group : null;
    this.drawGroups();
  }

  /** A digit: first the group, then the label. @param {number} digit @returns {string} what to say of it */
  digit(digit) {
    if (this.group === null) {
      this.open(digit - 1);
      return this.group === null ? "" : this.labels.groups[digit - 1].labels.map((label, place) =>
        `${place + 1} ${label.title}`).join(", ");
    }
    const label = this.labels.groups[this.group].labels[digit - 1];
    if (!label) return "";
    this.open(null);
    this.told.chosen(label.name);
    return label.title;
  }

  // -- finding by typing --------------------------------------------------------------------------------------------

  focus() {
    this.input.value = "";
    this.input.focus();
  }

  search() {
    this.place = 0;
    this.shown = this.labels.find(this.input.value).slice(0, MOST_FOUND);
    this.drawFound();
  }

  drawFound() {
    const { shown } = this;
    this.found.replaceChildren(...shown.map((label, place) => {
      const made = element("div", { role: "option", id: `${this.id}-${place}`, class: "mlab-span-option",
        "aria-selected": String(place === this.place) }, this.swatch(this.labels.colour(label.name)),
        element("span", {}, label.title), element("kbd", {}, this.labels.keys(label.name)));
      made.addEventListener("mousedown", (event) => {
        event.preventDefault();
        this.choose(label.name);
      });
      return made;
    }));
    this.found.hidden = shown.length === 0;
    this.input.setAttribute("aria-expanded", String(shown.length > 0));
    if (shown.length) this.input.setAttribute("aria-activedescendant", `${this.id}-${this.place}`);
    else this.input.removeAttribute("aria-activedescendant");
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const { shown } = this;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const by = event.key === "ArrowDown" ? 1 : -1;
      this.place = (this.place + by + shown.length) % (shown.length || 1);
      this.drawFound();
    } else if (event.key === "Enter" && shown[this.place]) this.choose(shown[this.place].name);
    else if (event.key === "Escape") this.told.leave();
    else return;
    event.preventDefault();
  }

  /** @param {string} name */
  choose(name) {
    this.told.leave();
    this.told.chosen(name);
  }

  close() {
    this.shown = [];
    this.input.value = "";
    this.drawFound();
  }
}
