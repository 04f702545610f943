// Fields with label, help and message; groups of them, groups in lists, mappings as rows.

import { element, fill, signButton } from "./elements.js";
import { moved } from "./form_content.js";
import { labelled, leaves } from "./form_controls.js";

/**
 * @typedef {import("./form_content.js").Control} Control
 * @typedef {import("./form_content.js").Field} Field
 * @typedef {import("./form_content.js").Slot} Slot
 * @typedef {import("./form_controls.js").Context & {uid: string, open: Map<string, boolean>, redrawn: () => void}} Context
 *   open says which folds a person has opened or closed; redrawn is called when places have changed
 * @typedef {(control: Control, slot: Slot, place: string, label: string, context: Context) => HTMLElement} DrawPart
 */

/**
 * @param {Context} context
 * @param {string} place
 * @param {string} [part]
 */
const idOf = (context, place, part = "") => `${context.uid}-${place.replaceAll(".", "-")}${part && `--${part}`}`;

/**
 * Fields one below the other, the advanced ones in a fold.
 * @param {Field[]} fields
 * @param {Slot} slot
 * @param {string} place
 * @param {Context} context
 * @returns {HTMLElement[]}
 */
export function drawFields(fields, slot, place, context) {
  const draw = (/** @type {Field} */ field) =>
    drawField(field, slot.at(field.name), place ? `${place}.${field.name}` : field.name, context);
  const rows = fields.filter((field) => !field.advanced).map(draw);
  const advanced = fields.filter((field) => field.advanced);
  if (!advanced.length) return rows;
  const title = [context.texts.form_advanced];
  return [...rows, fold(title, advanced.map(draw), `${place}/advanced`, false, context)];
}

/**
 * @param {Field} field
 * @param {Slot} slot
 * @param {string} place
 * @param {Context} context
 */
function drawField(field, slot, place, context) {
  const { kind } = field.control;
  if (kind === "group") return plainGroup(field, slot, place, context);
  const id = idOf(context, place);
  const labelId = idOf(context, place, "label");
  const one = labelled.includes(kind) || kind === "switched";
  const label = one ? element("label", { id: labelId, for: id }, field.label)
    : element("span", { id: labelId }, field.label);
  const about = { id, label: "", labelledby: one ? null : labelId, describedby: described(context, place),
    empty: field.empty };
  const body = leaves[kind] ? null : parts[kind](field.control, slot, place, field.label, context);
  const control = leaves[kind]?.(field.control, slot, about, context) ?? (kind === "switched" ? body?.firstChild : null);
  const redraw = () => {
    slot.set(structuredClone(field.reset), true);
    const fresh = drawField(field, slot, place, context);
    row.replaceWith(fresh);
    context.redrawn();
    /** @type {HTMLElement | null} */ (fresh.querySelector("input, select, textarea, button"))?.focus();
  };
  const row = element("div", { class: `mlab-form-row mlab-form-is-${kind}`, "data-field": field.name, "data-place": place },
    element("div", { class: "mlab-form-name" }, label, code(field.name)),
    control ? element("div", { class: "mlab-form-control" }, control, field.unit ? element("span", {}, field.unit) : null)
      : null,
    notes(field, place, redraw, context),
    body ? element("div", { class: "mlab-form-body" }, body) : null);
  return row;
}

/** @param {string} name */
const code = (name) => element("code", { class: "mlab-form-code" }, name);

/**
 * @param {Context} context
 * @param {string} place
 */
const described = (context, place) => `${idOf(context, place, "fault")} ${idOf(context, place, "help")}`;

/**
 * What is said beside a field: the message, the mark of a change, bounds and default, the help.
 * @param {Field} field
 * @param {string} place
 * @param {() => void} reset
 * @param {Context} context
 */
function notes(field, place, reset, context) {
  const { texts } = context;
  const fallback = field.required ? texts.form_required : fill(texts.form_default, { default: field.default });
  const change = element("span", { class: "mlab-form-changed" },
    `● ${fill(texts.form_changed, { default: field.default })} `,
    signButton("↺", `${texts.form_reset}: ${field.label}`, reset));
  return element("div", { class: "mlab-form-notes" },
    message(place, context),
    element("div", { class: "mlab-form-state" },
      field.bounds ? element("span", {}, `${field.bounds} · `) : null,
      element("span", { class: "mlab-form-default" }, fallback), field.required ? null : change),
    element("div", { id: idOf(context, place, "help"), class: "mlab-muted" }, field.help));
}

/**
 * @param {string} place
 * @param {Context} context
 */
export function message(place, context) {
  return element("div", { id: idOf(context, place, "fault"), class: "mlab-fault medomicslab-fault", "aria-live": "polite" });
}

/**
 * A fold that stays as a person left it.
 * @param {(Node | string)[]} title
 * @param {Node[]} children
 * @param {string} key
 * @param {boolean} open
 * @param {Context} context
 */
export function fold(title, children, key, open, context) {
  const counts = element("span", { class: "mlab-form-counts" });
  const made = element("details", { "data-fold": key, open: context.open.get(key) ?? open },
    element("summary", {}, ...title, " ", counts), ...children);
  made.addEventListener("toggle", () => context.open.set(key, made.open));
  return made;
}

/**
 * @param {Field} field
 * @param {Slot} slot
 * @param {string} place
 * @param {Context} context
 */
function plainGroup(field, slot, place, context) {
  const inner = parts.group(field.control, slot, place, field.label, context);
  const help = element("div", { id: idOf(context, place, "help"), class: "mlab-muted" }, field.help);
  return element("div", { class: "mlab-form-group", "data-field": field.name, "data-place": place },
    fold([field.label, " ", code(field.name)], [message(place, context), help, inner], place, false, context));
}

/** @type {DrawPart} */
function group(control, slot, place, label, context) {
  return element("fieldset", {}, element("legend", { class: "mlab-form-hidden" }, label),
    ...drawFields(control.fields, slot, place, context));
}

/** @type {DrawPart} */
function switched(control, slot, place, label, context) {
  const input = element("input", { id: idOf(context, place), type: "checkbox", "aria-describedby": described(context, place) });
  input.checked = slot.get().on === true;
  const inner = fold([label], [group(control.group, slot.at("content"), place, label, context)], place, true, context);
  inner.hidden = !input.checked;
  input.addEventListener("change", () => {
    inner.hidden = !input.checked;
    slot.at("on").set(input.checked, true);
  });
  return element("div", {}, input, inner);
}

/**
 * A list of parts, each drawn anew when one comes, goes or moves.
 * @param {string} style
 * @param {Slot} slot
 * @param {any} blank
 * @param {string} label
 * @param {Context} context
 * @param {(number: number, tools: HTMLElement[]) => HTMLElement} draw
 */
function list(style, slot, blank, label, context, draw) {
  const { texts } = context;
  const items = element("div", { class: style });
  const add = signButton(`+ ${texts.form_add}`, `${texts.form_add}: ${label}`,
    () => put([...slot.get(), structuredClone(blank)], slot.get().length));
  /**
   * @param {any[]} content
   * @param {number} focus
   */
  const put = (content, focus) => {
    slot.set(content, true);
    show();
    context.redrawn();
    const target = /** @type {HTMLElement | null} */ (items.children[focus]?.querySelector("input, select, textarea"));
    (target ?? add).focus();
  };
  /** @param {number} number */
  const tools = (number) => {
    const all = slot.get();
    const made = [["form_up", "↑", -1], ["form_down", "↓", 1]].map(([name, sign, step]) => {
      const to = number + Number(step);
      const tool = signButton(String(sign), `${texts[name]}: ${label} ${number + 1}`,
        () => put(moved(slot.get(), number, to), to));
      tool.disabled = to < 0 || to >= all.length;
      return tool;
    });
    return [...made, signButton("×", `${texts.form_remove}: ${label} ${number + 1}`, () =>
      put(slot.get().filter((/** @type {any} */ _, /** @type {number} */ other) => other !== number), -1))];
  };
  const show = () => items.replaceChildren(...slot.get().map((/** @type {any} */ _, /** @type {number} */ number) =>
    draw(number, tools(number))));
  show();
  return element("div", {}, items, add);
}

/** @type {DrawPart} */
function repeated(control, slot, place, label, context) {
  return list("mlab-form-repeated", slot, control.blank, label, context, (number, tools) => {
    const here = `${place}.${number}`;
    return element("fieldset", { "data-place": here },
      element("legend", {}, `${label} ${number + 1} `, ...tools), message(here, context),
      ...drawFields(control.group.fields, slot.at(number), here, context));
  });
}

/** @type {DrawPart} */
function rows(control, slot, place, label, context) {
  const { texts } = context;
  return list("mlab-form-rows", slot, control.blank, label, context, (number, tools) => {
    const here = `${place}.${number}`;
    const about = { id: idOf(context, here), label: `${label} ${number + 1}: ${texts.form_key}`, labelledby: null,
      describedby: idOf(context, here, "fault"), empty: texts.form_key };
    return element("div", { class: "mlab-form-pair", "data-place": here },
      leaves.text(control.key, slot.at(number, "key"), about, context),
      value(control.value, slot.at(number, "value"), `${here}.value`, `${label} ${number + 1}`, context),
      // The order of names means nothing.
      tools[tools.length - 1], message(here, context));
  });
}

/**
 * The value of a row.
 * @param {Control} control
 * @param {Slot} slot
 * @param {string} place
 * @param {string} label
 * @param {Context} context
 */
function value(control, slot, place, label, context) {
  const about = { id: idOf(context, place), label: `${label}: ${context.texts.form_value}`, labelledby: null,
    describedby: idOf(context, place, "fault"), empty: context.texts.form_value };
  const drawn = leaves[control.kind]?.(control, slot, about, context) ?? parts[control.kind](control, slot, place, label, context);
  return element("div", { "data-place": place }, drawn, message(place, context));
}

/** @type {Record<string, DrawPart>} */
const parts = { group, switched, repeated, rows };
