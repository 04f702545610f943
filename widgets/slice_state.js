/** What a view shows: the part of its state that is kept in the model, and how it starts. */

import { clampIndex, PLANES } from "./slice_geometry.js";

/** @typedef {import("./slice_types.js").Picture} Picture */
/** @typedef {{zoom: number, centre: number[] | null}} Zoom centre is null where the whole plane is centred */
/** @typedef {{axis: number, slice: number, from: number[], to: number[]}} Measure continuous indices */
/**
 * @typedef {{
 *   index: [number, number, number], windows: Record<string, number[]>, maps: Record<string, string>,
 *   overlay: string, opacity: number, target: string, zoom: Zoom[], tool: string, crosshair: string, smooth: boolean,
 *   single: boolean, active: number, maximised: number | null, hidden: Record<string, boolean>, look: string,
 *   fill: number, roi: string, radius: number, ball: boolean, measures: Measure[],
 * }} State
 */

export const DRAFT_COLOUR = "#ff6cf0";
export const CROSSHAIRS = ["full", "thin", "hidden"];
export const LOOKS = ["contour", "fill", "both"];

/** Parts that are kept under their own names. */
const KEPT = /** @type {const} */ (["maps", "overlay", "opacity", "crosshair", "smooth", "single", "active",
  "maximised", "look", "fill", "roi", "radius", "ball", "measures"]);

/**
 * @param {Record<string, any>} view what an earlier view, or Python, left in the model
 * @param {Picture[]} images
 * @returns {State}
 */
export function startState(view, images) {
  const [base] = images;
  const overlay = images.slice(1).some(({ id }) => id === view.overlay) ? view.overlay : "";
  const kept = Object.fromEntries(KEPT.filter((name) => view[name] !== undefined).map((name) => [name, view[name]]));
  const chosen = images.find(({ id }) => id === overlay);
  return {
    maps: {}, opacity: chosen?.opacity ?? 0.5, crosshair: "full", smooth: true, single: false, active: 2,
    maximised: null, look: "contour", fill: 0.3, roi: "", radius: 5, ball: false, measures: [],
    ...kept,
    overlay,
    index: clampIndex(view.index ?? base.size.map((count) => (count - 1) / 2), base.size),
    windows: { ...(view.window ?? {}) },
    target: base.id,
    zoom: PLANES.map(({ axis }) => view.zoom?.[axis] ?? { zoom: 1, centre: null }),
    tool: "position",
    hidden: hiddenOf(view.rois ?? {}),
  };
}

/** @param {Record<string, {visible: boolean}>} rois */
const hiddenOf = (rois) => Object.fromEntries(Object.entries(rois).map(([id, { visible }]) => [id, !visible]));

/**
 * What the model keeps of the state.
 * @param {State} state
 * @param {string} by the view that writes
 * @param {number} stamp rises with each writing
 */
export function keptState(state, by, stamp) {
  const rois = Object.fromEntries(Object.entries(state.hidden).map(([id, hidden]) => [id, { visible: !hidden }]));
  const zoom = Object.fromEntries(state.zoom.map((value, axis) => [axis, value]));
  const kept = Object.fromEntries(KEPT.map((name) => [name, state[name]]));
  return structuredClone({ ...kept, index: state.index, window: state.windows, zoom, rois, by, stamp });
}

/**
 * Whether a change of the model's `view` comes from Python: it carries no new signature of a view.
 * @param {Record<string, any>} view
 * @param {string} last signature that was seen before
 */
export const isJump = (view, last) => !view.by || signatureOf(view) === last;

/** @param {Record<string, any>} view */
export const signatureOf = (view) => `${view.by ?? ""}:${view.stamp ?? ""}`;

/**
 * Axes of the planes that are shown.
 * @param {State} state
 * @param {boolean} narrow
 */
export function shownAxes(state, narrow) {
  if (state.maximised !== null) return [state.maximised];
  return narrow || state.single ? [state.active] : [2, 1, 0];
}
