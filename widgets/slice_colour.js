/** Values to colours: windows, colour maps, and tables that make both quick. Colours are 0xAABBGGRR, as in ImageData. */

/** @typedef {import("./slice_sampling.js").Values} Values */

/** @type {Record<string, number[][]>} colours at even steps, red, green, blue */
const ANCHORS = {
  grey: [[0, 0, 0], [255, 255, 255]],
  inverse: [[255, 255, 255], [0, 0, 0]],
  hot: [[0, 0, 0], [120, 0, 0], [230, 0, 0], [255, 90, 0], [255, 180, 0], [255, 255, 60], [255, 255, 255]],
  viridis: [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129],
    [92, 200, 99], [170, 220, 50], [253, 231, 37]],
  diverging: [[33, 60, 170], [120, 160, 230], [245, 245, 245], [235, 140, 110], [170, 20, 40]],
};

/** Names of the colour maps. */
export const COLOURMAPS = Object.keys(ANCHORS);

/** Maps whose low end is black: there an overlay fades out, so that the base stays visible. */
const FADES = new Set(["grey", "hot"]);
const FADE_SHARE = 0.3;

const STEPS = 256;

/** @param {number[]} colour red, green, blue @param {number} alpha 0 to 1 */
const packed = ([red, green, blue], alpha) =>
  ((Math.round(alpha * 255) << 24) | (blue << 16) | (green << 8) | red) >>> 0;

/**
 * 256 colours from low to high.
 * @param {string} name
 * @param {boolean} [overlay] maps that start in black fade out towards their low end
 */
export function colourTable(name, overlay = false) {
  const anchors = ANCHORS[name] ?? ANCHORS.grey;
  const table = new Uint32Array(STEPS);
  for (let k = 0; k < STEPS; k += 1) {
    const at = (k / (STEPS - 1)) * (anchors.length - 1);
    const first = Math.min(Math.floor(at), anchors.length - 2);
    const mixed = anchors[first].map((low, c) => Math.round(low + (anchors[first + 1][c] - low) * (at - first)));
    const fades = overlay && FADES.has(name);
    table[k] = packed(mixed, fades ? Math.min(1, k / (STEPS - 1) / FADE_SHARE) : 1);
  }
  return table;
}

/**
 * Factor and offset that turn a stored value into a step of the colour table.
 * @param {number} slope
 * @param {number} intercept
 * @param {number[]} window low and high, in units of the value
 */
export function stepsOf(slope, intercept, [low, high]) {
  const perUnit = (STEPS - 1) / Math.max(high - low, 1e-12);
  return { factor: slope * perUnit, offset: (intercept - low) * perUnit };
}

/**
 * A colour for each stored value of 16 bits (its lower 16 bits are the place in the table).
 * @param {boolean} signed
 * @param {{factor: number, offset: number}} steps
 * @param {Uint32Array} colours
 * @param {Uint32Array} out 65536 places
 */
export function fillLookup(signed, { factor, offset }, colours, out) {
  const first = signed ? -32768 : 0;
  const last = STEPS - 1;
  for (let stored = first; stored < first + 65536; stored += 1) {
    const step = stored * factor + offset;
    out[stored & 0xffff] = colours[step <= 0 ? 0 : step >= last ? last : (step + 0.5) | 0];
  }
}

/**
 * Colours of whole numbers, by their table.
 * @param {Values} values
 * @param {Uint32Array} lookup
 * @param {Uint32Array} pixels
 */
export function paintWhole(values, lookup, pixels) {
  for (let k = 0; k < pixels.length; k += 1) pixels[k] = lookup[values[k] & 0xffff];
}

/**
 * Colours of real numbers; what is not a number stays transparent.
 * @param {Values} values
 * @param {{factor: number, offset: number}} steps
 * @param {Uint32Array} colours
 * @param {Uint32Array} pixels
 */
export function paintReal(values, { factor, offset }, colours, pixels) {
  const last = STEPS - 1;
  for (let k = 0; k < pixels.length; k += 1) {
    const step = values[k] * factor + offset;
    pixels[k] = step >= last ? colours[last] : step > 0 ? colours[(step + 0.5) | 0] : step <= 0 ? colours[0] : 0;
  }
}

/**
 * Window after a drag: to the right widens it, upwards makes the picture brighter.
 * @param {number[]} start low and high where the drag began
 * @param {number} dx in CSS pixels
 * @param {number} dy in CSS pixels, positive downwards
 * @param {number[]} range lowest and highest value of the image
 * @returns {[number, number]}
 */
export function draggedWindow([low, high], dx, dy, range) {
  const smallest = Math.max((range[1] - range[0]) / 1e4, 1e-9);
  const perPixel = Math.max(high - low, smallest * 20) / 250;
  return windowOf((low + high) / 2 + dy * perPixel, Math.max(smallest, high - low + dx * perPixel));
}

/**
 * Low and high of a window that is given as level and width.
 * @param {number} level
 * @param {number} width
 * @returns {[number, number]}
 */
export const windowOf = (level, width) => [level - width / 2, level + width / 2];
