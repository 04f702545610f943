/** What every widget does with the element that it is shown in, from its beginning to its end. */

import { ownKeys } from "./own_keys.js";

/** @typedef {import("@anywidget/types").AnyModel} Model */

/**
 * A widget for anywidget.
 *
 * @param {string} style the widget's own class
 * @param {(model: Model, el: HTMLElement, signal: AbortSignal) => unknown} begin shows it in the element, until the signal
 * @returns {{ render: import("@anywidget/types").Render }}
 */
export function widget(style, begin) {
  return {
    render({ model, el, signal }) {
      const ended = new AbortController();
      const end = () => ended.abort();
      signal?.addEventListener("abort", end, { once: true });
      el.classList.add("mlab", style);
      ownKeys(el);
      begin(model, el, ended.signal);
      return end;
    },
  };
}
