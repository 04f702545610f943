/** Outlines of masks as paths in column and row indices of the base, kept per mask, plane and slice. */

import { traceOutlines } from "./slice_cracks.js";
import { maskSlice } from "./slice_masks.js";

/** @typedef {import("./slice_geometry.js").Plane} Plane */
/**
 * A mask to draw; `version` rises when its bits change.
 * @typedef {{id: string, bits: Uint8Array, box: number[], colour: string, version: number}} Mask
 */

const KEPT = 900;

/**
 * Corners of the outlines in a slice, in indices of the base.
 * @param {Mask} mask
 * @param {Plane} plane
 * @param {number} index
 * @returns {number[][]} column, row, column, row ...
 */
export function outlinesIn({ bits, box }, plane, index) {
  const inside = index - box[plane.axis];
  const size = box.slice(3);
  if (inside < 0 || inside >= size[plane.axis]) return [];
  const slice = maskSlice(bits, size, plane, inside);
  if (!slice) return [];
  const start = [box[plane.column] - 0.5, box[plane.row] - 0.5];
  const loops = traceOutlines(slice, size[plane.column], size[plane.row]);
  return loops.map((loop) => loop.map((value, k) => value + start[k % 2]));
}

export class Outlines {
  constructor() {
    /** @type {Map<string, {version: number, path: Path2D | null}>} */
    this.kept = new Map();
  }

  /**
   * @param {Mask} mask
   * @param {Plane} plane
   * @param {number} index
   * @returns {Path2D | null} null where the slice shows nothing of it
   */
  path(mask, plane, index) {
    const key = `${mask.id}/${plane.axis}/${index}`;
    const found = this.kept.get(key);
    if (found?.version === mask.version) return found.path;
    const path = pathOf(outlinesIn(mask, plane, index));
    this.kept.delete(key);
    this.kept.set(key, { version: mask.version, path });
    if (this.kept.size > KEPT) this.kept.delete(/** @type {string} */ (this.kept.keys().next().value));
    return path;
  }

  clear() {
    this.kept.clear();
  }
}

/** @param {number[][]} loops */
function pathOf(loops) {
  if (!loops.length) return null;
  const path = new Path2D();
  for (const loop of loops) {
    path.moveTo(loop[0], loop[1]);
    for (let k = 2; k < loop.length; k += 2) path.lineTo(loop[k], loop[k + 1]);
    path.closePath();
  }
  return path;
}
