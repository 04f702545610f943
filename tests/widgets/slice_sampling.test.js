import assert from "node:assert/strict";
import { test } from "node:test";

import { PLANES } from "../../widgets/slice_geometry.js";
import { emptyValues, extractSlice, layerIndex, layerSlice, valueAt, valuesOf } from "../../widgets/slice_sampling.js";
import { Volume } from "../../widgets/slice_volume.js";

const SIZE = [3, 4, 5];
/** Value 100 z + 10 y + x. */
const DATA = Int16Array.from({ length: 60 }, (_, at) =>
  100 * Math.floor(at / 12) + 10 * (Math.floor(at / 3) % 4) + (at % 3));

function slice(/** @type {number} */ axis, /** @type {number} */ index) {
  const { column, row } = PLANES[axis];
  const out = emptyValues("int16", SIZE[column] * SIZE[row]);
  extractSlice(DATA, SIZE, PLANES[axis], index, out);
  return Array.from(out);
}

test("slices hold rows along the right axes", () => {
  assert.deepEqual(slice(2, 4).slice(0, 6), [400, 401, 402, 410, 411, 412]);
  assert.deepEqual(slice(1, 3).slice(0, 6), [30, 31, 32, 130, 131, 132]);
  assert.deepEqual(slice(0, 2).slice(0, 6), [2, 12, 22, 32, 102, 112]);
  assert.deepEqual([0, 1, 2].map((axis) => slice(axis, 0).length), [20, 15, 12]);
});

test("values are read where the base's index falls in another grid, none outside", () => {
  const placed = { scale: [0.5, 1, 2], shift: [1, -1, 0], slope: 2, intercept: 1 };
  const layer = { data: DATA, dtype: "int16", size: SIZE, ...placed };
  assert.deepEqual(layerIndex(layer, [2, 3, 1]), [2, 2, 2]);
  assert.equal(valueAt(layer, [2, 3, 1]), 222 * 2 + 1);
  assert.equal(layerIndex(layer, [2, 0, 1]), null);
  assert.ok(Number.isNaN(valueAt(layer, [2, 0, 1])));
  assert.equal(layerSlice(layer, 2, 3), null);
});

test("a preview serves up to the last slice", () => {
  const preview = { size: [2, 2, 3], scale: [0.5, 0.5, 0.5], shift: [0, 0, 0], coarse: true };
  assert.equal(layerSlice(preview, 2, 5), 2);
  assert.equal(layerSlice(preview, 2, 2), 1);
});

test("bytes at odd places become values", () => {
  const bytes = new Uint8Array([9, 1, 0, 255, 255, 7]);
  assert.deepEqual(Array.from(valuesOf("int16", new DataView(bytes.buffer, 1, 5))), [1, -1]);
});

test("a volume is complete when every part came, whatever the order and however often", () => {
  const volume = new Volume("int16", SIZE);
  const part = (/** @type {number} */ from, /** @type {number} */ to) =>
    volume.receive(from, new DataView(DATA.slice(from, to).buffer));
  part(40, 60);
  part(40, 60);
  part(0, 20);
  assert.deepEqual([volume.received, volume.complete], [40, false]);
  part(20, 40);
  assert.ok(volume.complete);
  assert.deepEqual(volume.data, DATA);
});

test("parts beyond the volume are refused", () => {
  const volume = new Volume("uint8", [2, 1, 1]);
  volume.receive(1, new DataView(new Uint8Array([5, 6]).buffer));
  assert.deepEqual([volume.received, volume.data[1]], [0, 0]);
});
