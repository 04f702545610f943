/** What is laid over the annotator for a moment: all keys, and the kinds of a relation. */
import { button, element } from "./elements.js";
import { HELP } from "./span_keys.js";

/**
 * A dialog over a widget. Escape and its button close it; the focus goes back to where it was.
 *
 * @param {HTMLElement} over
 * @param {string} title
 * @param {string} close label of the button
 * @param {...Node} content
 * @returns {HTMLDialogElement}
 */
function dialog(over, title, close, ...content) {
  const before = document.activeElement;
  const made = element("dialog", { class: "mlab-span-dialog", "aria-label": title });
  made.append(element("h4", {}, title), ...content, button(close, () => made.close()));
  made.addEventListener("close", () => {
    made.remove();
    if (before instanceof HTMLElement) before.focus({ preventScroll: true });
  });
  over.append(made);
  made.showModal();
  return made;
}

/** @param {HTMLElement} over @param {Record<string, string>} t */
export function showHelp(over, t) {
  const sections = HELP.map(([title, keys]) => element("div", {}, element("h5", {}, t[title]), element("table", {},
    ...keys.map(([key, words]) => element("tr", {}, element("th", { scope: "row" }, element("kbd", {}, key)),
      element("td", {}, t[words]))))));
  const made = dialog(over, t.help_title, t.help_close, element("div", { class: "mlab-span-help" }, ...sections));
  made.addEventListener("keydown", (event) => {
    if (event.key === "?") made.close();
  });
}

/**
 * Ask which kind of relation is meant; a digit or a button chooses.
 *
 * @param {HTMLElement} over
 * @param {Record<string, string>} t
 * @param {[string, string][]} kinds
 * @param {(kind: string) => void} chosen
 */
export function askKind(over, t, kinds, chosen) {
  const choose = (/** @type {string} */ kind) => {
    made.close();
    chosen(kind);
  };
  const buttons = kinds.map(([kind, title], number) => {
    const one = button("", () => choose(kind));
    one.append(element("kbd", {}, String(number + 1)), title);
    return one;
  });
  const made = dialog(over, t.annotator_kind, t.help_close, element("div", { class: "mlab-bar" }, ...buttons));
  made.addEventListener("keydown", (event) => {
    const digit = /^Digit([1-9])$/.exec(event.code)?.[1] ?? event.key;
    const kind = kinds[Number(digit) - 1]?.[0];
    if (kind) choose(kind);
  });
}
