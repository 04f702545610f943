// Pieces of page that the widgets about runs are made of; what comes from data is only ever text.

import { element } from "./elements.js";

/**
 * @param {string[]} head
 * @param {string[][]} rows first cell: the row's name
 * @param {string} [caption]
 * @param {boolean[]} [strong] rows that are bold
 */
export function table(head, rows, caption = "", strong = []) {
  const made = element("table");
  if (caption) made.createCaption().textContent = caption;
  made.append(element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)))));
  made.append(element("tbody", {}, ...rows.map(([first, ...rest], place) => element("tr",
    strong[place] ? { class: "mlab-runs-strong" } : {}, element("th", { scope: "row" }, first),
    ...rest.map((cell) => element("td", {}, cell))))));
  return made;
}

/**
 * A labelled list to choose from, whose entries may change while the choice stays.
 * @param {string} id
 * @param {string} label
 * @param {() => void} changed
 */
export function picker(id, label, changed) {
  const select = element("select", { id });
  select.addEventListener("change", changed);
  let offered = "";
  return {
    parts: [element("label", { for: id }, label), select],
    value: () => select.value,
    /** @param {string[][]} entries value and text of each */
    offer(entries) {
      // An open list would close if it were made anew for nothing.
      if (JSON.stringify(entries) === offered) return;
      offered = JSON.stringify(entries);
      const before = select.value;
      select.replaceChildren(...entries.map(([value, text]) => element("option", { value }, text)));
      if (entries.some(([value]) => value === before)) select.value = before;
    },
  };
}

/**
 * A box to tick that keeps the focus when its line is drawn anew.
 * @param {string} id
 * @param {string} label
 * @param {boolean} checked
 * @param {(checked: boolean) => void} changed
 */
export function checkbox(id, label, checked, changed) {
  const box = element("input", { type: "checkbox", id, "aria-label": label });
  box.checked = checked;
  box.addEventListener("change", () => changed(box.checked));
  box.addEventListener("refocus", () => box.focus());
  return box;
}
