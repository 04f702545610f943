// One function a kind of control: it draws the content and writes into it what is typed.

import { element, signButton } from "./elements.js";
import { splitTokens, stepped, toggled } from "./form_content.js";

/**
 * @typedef {import("./form_content.js").Control} Control
 * @typedef {import("./form_content.js").Slot} Slot
 * @typedef {{texts: Record<string, string>, offer: (texts: string[]) => string | null}} Context
 *   offer gives the id of a list of suggestions
 * @typedef {{id: string, label: string, labelledby: string | null, describedby: string | null, empty: string}} About
 * @typedef {(control: Control, slot: Slot, about: About, context: Context) => HTMLElement} Draw
 */

/**
 * A line of text, whatever it stands for.
 * @type {Draw}
 */
function line(control, slot, about, context) {
  const input = element("input", {
    ...named(about), type: "text", autocomplete: "off", spellcheck: "false", placeholder: about.empty || null,
    list: context.offer(control.suggestions ?? []),
  });
  input.value = slot.get();
  input.addEventListener("input", () => slot.set(input.value));
  return input;
}

/** @type {Draw} */
function number(control, slot, about, context) {
  const input = /** @type {HTMLInputElement} */ (line(control, slot, about, context));
  input.inputMode = control.integer ? "numeric" : "decimal";
  input.classList.add("mlab-form-number");
  input.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    const next = stepped(input.value, event.key === "ArrowUp" ? 1 : -1, control.min, control.max);
    if (next === null) return;
    event.preventDefault();
    input.value = next;
    slot.set(next);
  });
  return input;
}

/** @type {Draw} */
function day(control, slot, about, context) {
  return line(control, slot, { ...about, empty: about.empty || "2021-04-30" }, context);
}

/** @type {Draw} */
function yaml(control, slot, about, context) {
  if (control.lines === 1) return line(control, slot, about, context);
  const area = element("textarea", { ...named(about), rows: control.lines, spellcheck: "false" });
  area.value = slot.get();
  area.addEventListener("input", () => slot.set(area.value));
  return area;
}

/** @type {Draw} */
function check(_, slot, about) {
  const input = element("input", { ...named(about), type: "checkbox" });
  input.checked = slot.get() === true;
  input.addEventListener("change", () => slot.set(input.checked, true));
  return input;
}

/** @type {Draw} */
function choice(control, slot, about, { texts }) {
  const options = control.optional ? [{ value: null, label: about.empty || texts.form_none }, ...control.options]
    : control.options;
  const select = element("select", named(about));
  for (const option of options) select.append(element("option", {}, option.label));
  select.selectedIndex = options.findIndex((/** @type {any} */ option) => option.value === slot.get());
  select.addEventListener("change", () => slot.set(options[select.selectedIndex].value, true));
  return select;
}

/** @type {Draw} */
function checks(control, slot, about) {
  const values = control.options.map((/** @type {any} */ option) => option.value);
  return group(about, "mlab-form-checks", control.options.map((/** @type {any} */ option) => {
    const input = element("input", { type: "checkbox" });
    input.checked = slot.get().includes(option.value);
    input.addEventListener("change", () => slot.set(toggled(values, slot.get(), option.value), true));
    return element("label", {}, input, " ", option.label);
  }));
}

/** @type {Draw} */
function series(control, slot, about, context) {
  return group(about, "mlab-form-series", control.items.map((/** @type {Control} */ item, /** @type {number} */ place) => {
    const id = `${about.id}-${place}`;
    const part = { id, label: "", labelledby: null, describedby: about.describedby, empty: "" };
    return element("span", {}, element("label", { for: id }, control.names[place]),
      number(item, slot.at(place), part, context));
  }));
}

/** @type {Draw} */
function tokens(control, slot, about, context) {
  const { texts } = context;
  const chips = element("span", { class: "mlab-form-chips" });
  const input = element("input", {
    ...named(about), type: "text", autocomplete: "off", spellcheck: "false", placeholder: about.empty || null,
    title: texts.form_add_hint, list: context.offer(control.item.suggestions ?? []),
  });
  const show = () => {
    chips.replaceChildren(...slot.get().map((/** @type {string} */ token, /** @type {number} */ place) =>
      element("span", { class: "mlab-form-chip" }, token, signButton("×", `${texts.form_remove} ${token}`, () => {
        put(slot.get().filter((/** @type {string} */ _, /** @type {number} */ other) => other !== place));
        input.focus();
      }))));
    input.placeholder = slot.get().length ? "" : about.empty;
  };
  /** @param {string[]} content */
  const put = (content) => {
    slot.set(content, true);
    show();
  };
  /** @param {string} typed */
  const take = (typed) => {
    const { tokens: complete, rest } = splitTokens(typed);
    input.value = rest;
    if (complete.length) put([...slot.get(), ...complete]);
  };
  input.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      take(`${input.value},`);
    } else if (event.key === "Backspace" && !input.value && slot.get().length) {
      put(slot.get().slice(0, -1));
    }
  });
  input.addEventListener("input", (event) => {
    // A choice from the list of suggestions is complete; so is all before a comma.
    const chosen = !(event instanceof InputEvent) || event.inputType === "insertReplacementText";
    const offered = (control.item.suggestions ?? []).includes(input.value);
    take(chosen && offered ? `${input.value},` : input.value);
  });
  input.addEventListener("blur", () => take(`${input.value},`));
  show();
  return element("span", { class: "mlab-form-tokens" }, chips, input);
}

/** @param {About} about */
function named(about) {
  return { id: about.id, "aria-label": about.label || null, "aria-labelledby": about.labelledby,
    "aria-describedby": about.describedby };
}

/**
 * @param {About} about
 * @param {string} style
 * @param {Node[]} children
 */
function group(about, style, children) {
  return element("span", { ...named(about), role: "group", class: style }, ...children);
}

/** @type {Record<string, Draw>} */
export const leaves = { text: line, number, day, yaml, check, choice, checks, series, tokens };

/** Kinds of which one element bears the field's label; of the others a group does. */
export const labelled = ["text", "number", "day", "yaml", "check", "choice", "tokens"];
