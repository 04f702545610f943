// Making elements; every text is set as text, never as markup.

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Record<string, string | boolean | null | undefined>} [attributes]  null, undefined and false are left out
 * @param {(Node | string | null)[]} [children]
 * @returns {HTMLElementTagNameMap[T]}
 */
export function element(tag, attributes = {}, children = []) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined && value !== false) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

/**
 * @param {string} label  what is read aloud, and shown where there is no sign
 * @param {() => void} act
 * @param {string} [sign]
 */
export function button(label, act, sign) {
  const made = element("button", { type: "button", "aria-label": sign && label, title: sign && label }, [sign ?? label]);
  made.addEventListener("click", act);
  return made;
}
