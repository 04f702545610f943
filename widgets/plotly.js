// plotly.js on this page: unpacked from what the kernel sends, once, and kept on `window` for every widget.

/**
 * @typedef {{
 *   react: (el: HTMLElement, data: object[], layout: object, config: object) => Promise<unknown>,
 *   restyle: (el: HTMLElement, change: object, traces?: number[]) => Promise<unknown>,
 *   purge: (el: HTMLElement) => void,
 *   Plots: { resize: (el: HTMLElement) => void }
 * }} Plotly
 * @typedef {{ __medomicslabPlotly?: Promise<Plotly> }} Holder
 */

/** @returns {Promise<Plotly> | undefined} */
export function loadedPlotly() {
  return /** @type {Holder} */ (globalThis).__medomicslabPlotly;
}

/**
 * @param {DataView} packed gzipped source
 * @returns {Promise<Plotly>}
 */
export function loadPlotly(packed) {
  const holder = /** @type {Holder} */ (globalThis);
  holder.__medomicslabPlotly ??= unpack(packed);
  return holder.__medomicslabPlotly;
}

/**
 * @param {DataView} packed
 * @returns {Promise<Plotly>}
 */
async function unpack(packed) {
  const bytes = new Uint8Array(packed.buffer, packed.byteOffset, packed.byteLength).slice();
  const source = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
  // As a CommonJS module: where a page has RequireJS (Voila), the script would register itself there instead.
  const module = { exports: {} };
  new Function("module", "exports", "define", source)(module, module.exports, undefined);
  return /** @type {Plotly} */ (module.exports);
}

/**
 * Colours of the page as it is now, light or dark.
 * @param {HTMLElement} el
 * @returns {Record<"text" | "line" | "back" | "one" | "two" | "three" | "four" | "grey", string>}
 */
export function themeColours(el) {
  const style = getComputedStyle(el);
  const read = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
  return {
    text: read("--mlab-text"), line: read("--mlab-line"), back: read("--mlab-back"), one: read("--mlab-plot-1"),
    two: read("--mlab-plot-2"), three: read("--mlab-plot-3"), four: read("--mlab-plot-4"), grey: read("--mlab-plot-grey"),
  };
}

/**
 * A colour with transparency.
 * @param {string} colour "#rrggbb"
 * @param {number} alpha
 * @returns {string}
 */
export function faded(colour, alpha) {
  const part = (/** @type {number} */ from) => parseInt(colour.slice(from, from + 2), 16);
  return `rgba(${part(1)},${part(3)},${part(5)},${alpha})`;
}
