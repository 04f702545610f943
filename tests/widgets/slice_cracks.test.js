import assert from "node:assert/strict";
import { test } from "node:test";

import { traceOutlines } from "../../widgets/slice_cracks.js";
import { PLANES } from "../../widgets/slice_geometry.js";
import { outlinesIn } from "../../widgets/slice_outlines.js";

/** A mask drawn with letters. */
function mask(/** @type {string[]} */ ...rows) {
  const bits = Uint8Array.from(rows.join(""), (each) => (each === "#" ? 1 : 0));
  return /** @type {const} */ ([bits, rows[0].length, rows.length]);
}

/** Signed area: positive where the inside lies to the right, with y downwards. */
function area(/** @type {number[]} */ loop) {
  let sum = 0;
  for (let k = 0; k < loop.length; k += 2) {
    const next = (k + 2) % loop.length;
    sum += loop[k] * loop[next + 1] - loop[next] * loop[k + 1];
  }
  return sum / 2;
}

test("a rectangle has four corners at its outer edges", () => {
  assert.deepEqual(traceOutlines(...mask("....", ".##.", ".##.", "....", "....")), [[1, 1, 3, 1, 3, 3, 1, 3]]);
});

test("a mask that fills the slice is outlined along its border", () => {
  assert.deepEqual(traceOutlines(...mask("###", "###")), [[0, 0, 3, 0, 3, 2, 0, 2]]);
});

test("holes are outlines of their own, turned the other way", () => {
  const areas = traceOutlines(...mask("####", "#..#", "####", "####")).map(area);
  assert.deepEqual(areas, [16, -2]);
});

test("voxels that touch at a corner only are apart", () => {
  assert.deepEqual(traceOutlines(...mask("#.", ".#")).map(area), [1, 1]);
  assert.deepEqual(traceOutlines(...mask(".#", "#.")).map(area), [1, 1]);
});

test("holes that touch at a corner: all edges are used once, the area is right", () => {
  const loops = traceOutlines(...mask("####", "#.##", "##.#", "####"));
  assert.equal(loops.map(area).reduce((a, b) => a + b), 14);
});

test("random masks: the areas of the outlines add up to the voxels", () => {
  let seed = 7;
  const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647;
  for (let n = 0; n < 60; n += 1) {
    const bits = Uint8Array.from({ length: 9 * 13 }, () => (random() < 0.5 ? 1 : 0));
    const voxels = bits.reduce((a, b) => a + b, 0);
    const loops = traceOutlines(bits, 9, 13);
    assert.equal(loops.map(area).reduce((a, b) => a + b, 0), voxels);
    for (const loop of loops) {
      for (let k = 0; k < loop.length; k += 2) {
        const next = (k + 2) % loop.length;
        assert.ok(loop[k] === loop[next] || loop[k + 1] === loop[next + 1], "edges run along rows or columns");
      }
    }
  }
});

test("outlines of a box lie half a voxel outside its outermost voxels, in each plane", () => {
  const box = [4, 6, 8, 2, 3, 5];
  const filled = { id: "a", bits: new Uint8Array(4).fill(255), box, colour: "", version: 0 };
  const corners = (/** @type {number} */ axis, /** @type {number} */ index) => outlinesIn(filled, PLANES[axis], index);
  assert.deepEqual(corners(2, 8), [[3.5, 5.5, 5.5, 5.5, 5.5, 8.5, 3.5, 8.5]]);
  assert.deepEqual(corners(1, 8), [[3.5, 7.5, 5.5, 7.5, 5.5, 12.5, 3.5, 12.5]]);
  assert.deepEqual(corners(0, 5), [[5.5, 7.5, 8.5, 7.5, 8.5, 12.5, 5.5, 12.5]]);
  assert.deepEqual([corners(2, 7), corners(2, 13), corners(0, 6)], [[], [], []]);
});
