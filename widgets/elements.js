/** Elements with their attributes and content in one call. Content is text, never markup. */

/**
 * `class`, `role` ...; false, null and undefined are left out, true is written without a value.
 * @typedef {Record<string, string | number | boolean | null | undefined>} Attributes
 */

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 * @param {...(Node | string | null)} content null is left out
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, attributes = {}, ...content) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...content.filter((each) => each !== null));
  return made;
}

/**
 * A button that does something.
 *
 * @param {Node | string} label
 * @param {() => void} act
 * @param {Attributes} [attributes]
 * @returns {HTMLButtonElement}
 */
export function button(label, act, attributes = {}) {
  const made = element("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", act);
  return made;
}

/**
 * A button that shows a sign or a picture; its words are what a screen reader says and what the pointer shows.
 *
 * @param {Node | string} sign
 * @param {string} words
 * @param {() => void} act
 * @param {Attributes} [attributes]
 */
export function signButton(sign, words, act, attributes = {}) {
  return button(sign, act, { "aria-label": words, title: words, ...attributes });
}

let made = 0;

/**
 * A label and its field beside it.
 *
 * @param {string} label
 * @param {HTMLElement} field
 * @returns {HTMLElement}
 */
export function labelled(label, field) {
  made += 1;
  field.id ||= `mlab-field-${made}-${Math.random().toString(36).slice(2, 8)}`;
  return element("span", { class: "mlab-labelled" }, element("label", { for: field.id }, label), field);
}

/**
 * A choice among values.
 *
 * @param {[string, string][]} options value and label
 * @param {string} value
 * @param {Attributes} [attributes]
 * @returns {HTMLSelectElement}
 */
export function choice(options, value, attributes = {}) {
  const shown = options.map(([each, label]) => element("option", { value: each, selected: each === value }, label));
  return element("select", attributes, ...shown);
}

/**
 * A text of the catalogue with its places in braces filled in.
 *
 * @param {string} text
 * @param {Record<string, unknown>} values
 * @returns {string}
 */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (place, name) => (name in values ? String(values[name]) : place));
}
