/** Masks as bits (lowest bit first) in the order (z, y, x), and what a brush covers. */

import { stridesOf } from "./slice_sampling.js";

/** @typedef {[number, number, number]} Triple */

/** @param {number} voxels */
export const bytesFor = (voxels) => Math.ceil(voxels / 8);

/**
 * @param {Uint8Array} bits
 * @param {number} at
 */
export const bitAt = (bits, at) => (bits[at >>> 3] >>> (at & 7)) & 1;

/**
 * @param {Uint8Array} bits
 * @param {ArrayLike<number>} places
 * @param {number} value 0 or 1
 */
export function writeBits(bits, places, value) {
  for (let k = 0; k < places.length; k += 1) {
    const at = places[k];
    if (value) bits[at >>> 3] |= 1 << (at & 7);
    else bits[at >>> 3] &= ~(1 << (at & 7));
  }
}

/**
 * One slice of a mask, a byte a voxel.
 * @param {Uint8Array} bits
 * @param {number[]} size
 * @param {{axis: number, column: number, row: number}} plane
 * @param {number} index
 * @returns {Uint8Array | null} null where it is empty
 */
export function maskSlice(bits, size, plane, index) {
  const strides = stridesOf(size);
  const [columns, rows] = [size[plane.column], size[plane.row]];
  const out = new Uint8Array(columns * rows);
  const step = strides[plane.column];
  let any = 0;
  for (let row = 0, at = 0; row < rows; row += 1) {
    let from = index * strides[plane.axis] + row * strides[plane.row];
    for (let column = 0; column < columns; column += 1, from += step, at += 1) {
      out[at] = (bits[from >>> 3] >>> (from & 7)) & 1;
      any |= out[at];
    }
  }
  return any ? out : null;
}

/**
 * Voxels whose centre lies within the radius, and always the one under the brush.
 * @param {number[]} size
 * @param {number[]} spacing
 * @param {number[]} centre continuous index
 * @param {number} radius in mm
 * @param {number[]} axes those the brush extends along: two for a disc, three for a ball
 * @returns {number[]} linear indices
 */
export function brushVoxels(size, spacing, centre, radius, axes) {
  const middle = centre.map(Math.round);
  if (middle.some((value, k) => value < 0 || value >= size[k])) return [];
  const reach = size.map((_, k) => (axes.includes(k) ? radius / spacing[k] : 0));
  const first = middle.map((value, k) => Math.max(0, axes.includes(k) ? Math.ceil(centre[k] - reach[k]) : value));
  const last = middle.map((value, k) =>
    Math.min(size[k] - 1, axes.includes(k) ? Math.floor(centre[k] + reach[k]) : value));
  const far = (/** @type {number} */ value, /** @type {number} */ k) =>
    axes.includes(k) ? ((value - centre[k]) * spacing[k]) ** 2 : 0;
  const strides = stridesOf(size);
  const found = [];
  for (let z = first[2]; z <= last[2]; z += 1) {
    for (let y = first[1]; y <= last[1]; y += 1) {
      const left = radius * radius - far(z, 2) - far(y, 1);
      for (let x = first[0]; x <= last[0]; x += 1) {
        if (far(x, 0) <= left) found.push(x + y * strides[1] + z * strides[2]);
      }
    }
  }
  if (!found.length) found.push(middle[0] + middle[1] * strides[1] + middle[2] * strides[2]);
  return found;
}

/**
 * Places at which the brush is put down on its way, close enough to leave no gaps; the start is left out.
 * @param {number[]} from continuous index
 * @param {number[]} to
 * @param {number[]} spacing
 * @param {number} radius in mm
 * @returns {number[][]}
 */
export function brushPath(from, to, spacing, radius) {
  const length = Math.hypot(...spacing.map((step, k) => (to[k] - from[k]) * step));
  const closest = Math.max(radius / 3, Math.min(...spacing) / 2);
  const steps = Math.max(1, Math.ceil(length / closest));
  return Array.from({ length: steps }, (_, n) => from.map((value, k) => value + ((to[k] - value) * (n + 1)) / steps));
}
