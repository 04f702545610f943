import assert from "node:assert/strict";
import { test } from "node:test";

import * as colour from "../../widgets/slice_colour.js";

const rgba = (/** @type {number} */ packed) => [0, 8, 16, 24].map((shift) => (packed >>> shift) & 255);

test("colour maps run from their first to their last colour", () => {
  const grey = colour.colourTable("grey");
  const shown = [0, 128, 255].map((step) => rgba(grey[step]));
  assert.deepEqual(shown, [[0, 0, 0, 255], [128, 128, 128, 255], [255, 255, 255, 255]]);
  assert.deepEqual(rgba(colour.colourTable("inverse")[0]), [255, 255, 255, 255]);
  assert.deepEqual(rgba(colour.colourTable("viridis")[255]), [253, 231, 37, 255]);
  assert.deepEqual(colour.colourTable("unknown"), grey);
});

test("overlays fade out where their map is black, not where it has a colour", () => {
  const hot = colour.colourTable("hot", true);
  assert.deepEqual([hot[0] >>> 24, hot[255] >>> 24], [0, 255]);
  assert.ok(hot[30] >>> 24 > 50 && hot[30] >>> 24 < 200);
  assert.equal(colour.colourTable("diverging", true)[0] >>> 24, 255);
});

test("the window's ends and middle, negative stored values too", () => {
  const table = colour.colourTable("grey");
  const lookup = new Uint32Array(65536);
  colour.fillLookup(true, colour.stepsOf(2, -1000, [-1400, -600]), table, lookup); // stored -200 .. 200
  const pixels = new Uint32Array(6);
  colour.paintWhole(Int16Array.of(-300, -200, 10, 200, 32767, -32768), lookup, pixels);
  assert.deepEqual(Array.from(pixels, (each) => rgba(each)[0]), [0, 0, 134, 255, 255, 0]);
});

test("unsigned values above 32767 are bright", () => {
  const lookup = new Uint32Array(65536);
  colour.fillLookup(false, colour.stepsOf(1, 0, [0, 60000]), colour.colourTable("grey"), lookup);
  const pixels = new Uint32Array(2);
  colour.paintWhole(Uint16Array.of(30000, 60000), lookup, pixels);
  assert.deepEqual(Array.from(pixels, (each) => rgba(each)[0]), [128, 255]);
});

test("real values: what is not a number is not drawn", () => {
  const pixels = new Uint32Array(5);
  const values = Float32Array.of(NaN, -1, 0.5, 2, Infinity);
  colour.paintReal(values, colour.stepsOf(1, 0, [0, 1]), colour.colourTable("grey"), pixels);
  assert.deepEqual(Array.from(pixels, (each) => rgba(each)), [[0, 0, 0, 0], [0, 0, 0, 255], [128, 128, 128, 255],
    [255, 255, 255, 255], [255, 255, 255, 255]]);
});

test("a drag changes width and level apart, and never turns the window over", () => {
  const start = [-160, 240];
  const wider = colour.draggedWindow(start, 50, 0, [-1000, 3000]);
  assert.deepEqual([wider[1] - wider[0], (wider[0] + wider[1]) / 2], [480, 40]);
  const brighter = colour.draggedWindow(start, 0, -50, [-1000, 3000]);
  assert.deepEqual(brighter, [-240, 160]);
  const [low, high] = colour.draggedWindow(start, -5000, 0, [-1000, 3000]);
  assert.ok(high > low);
});
