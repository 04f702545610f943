import assert from "node:assert/strict";
import { test } from "node:test";

import * as geometry from "../../widgets/slice_geometry.js";

const SIZE = [10, 20, 30];
const SPACING = [0.5, 1, 2];
const [sagittal, coronal, axial] = geometry.PLANES;

/** Columns along the given unit vectors, scaled by the spacing. */
function matrixOf(/** @type {number[][]} */ axes, spacing = SPACING, origin = [0, 0, 0]) {
  return [0, 1, 2].flatMap((row) => [...axes.map((axis, k) => axis[row] * spacing[k]), origin[row]]).concat(0, 0, 0, 1);
}
const STRAIGHT = matrixOf([[1, 0, 0], [0, 1, 0], [0, 0, 1]], SPACING, [-3, 7, 11]);

test("letters at the edges follow the radiological convention", () => {
  assert.deepEqual(geometry.edgeLetters(STRAIGHT, axial), { left: "R", right: "L", top: "A", bottom: "P" });
  assert.deepEqual(geometry.edgeLetters(STRAIGHT, coronal), { left: "R", right: "L", top: "H", bottom: "F" });
  assert.deepEqual(geometry.edgeLetters(STRAIGHT, sagittal), { left: "A", right: "P", top: "H", bottom: "F" });
});

test("oblique directions get a second letter, nearly straight ones do not", () => {
  const turned = (/** @type {number} */ degrees) => {
    const [c, s] = [Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)];
    return geometry.edgeLetters(matrixOf([[c, s, 0], [-s, c, 0], [0, 0, 1]]), axial);
  };
  assert.deepEqual(turned(30), { left: "RA", right: "LP", top: "AL", bottom: "PR" });
  assert.equal(turned(10).right, "L");
  assert.equal(turned(-20).right, "LA");
});

test("the whole plane fits, in mm, and its corners lie at the voxels' outer edges", () => {
  const shown = { width: 300, height: 120, zoom: 1, centre: geometry.middle(sagittal, SIZE) };
  const frame = geometry.frameOf(sagittal, SIZE, SPACING, shown);
  assert.equal(frame.pxPerMm, 2); // 60 mm in 120 pixels
  assert.deepEqual(geometry.toScreen(frame, -0.5, 29.5), [150 - 20, 0]); // most anterior, at the head
  assert.deepEqual(geometry.toScreen(frame, 19.5, -0.5), [150 + 20, 120]);
});

test("screen and plane positions are inverse to each other at any zoom", () => {
  for (const plane of geometry.PLANES) {
    const frame = geometry.frameOf(plane, SIZE, SPACING, { width: 301, height: 117, zoom: 3.7, centre: [4.2, 8.1] });
    const [column, row] = geometry.toPlane(frame, ...geometry.toScreen(frame, 2.25, 17.5));
    assert.ok(Math.abs(column - 2.25) < 1e-9 && Math.abs(row - 17.5) < 1e-9);
  }
});

test("zooming leaves what is under the pointer where it is", () => {
  const shown = { width: 200, height: 200, zoom: 1, centre: [4, 9] };
  const frame = geometry.frameOf(axial, SIZE, SPACING, shown);
  const centre = geometry.zoomedCentre(frame, shown.centre, 2.5, [30, 170]);
  const after = geometry.frameOf(axial, SIZE, SPACING, { ...shown, zoom: 2.5, centre });
  const [before, now] = [geometry.toPlane(frame, 30, 170), geometry.toPlane(after, 30, 170)];
  before.forEach((value, k) => assert.ok(Math.abs(value - now[k]) < 1e-9));
});

test("positions of a plane become indices in the order x, y, z", () => {
  assert.deepEqual(geometry.indexAt(sagittal, 3, [11, 22]), [3, 11, 22]);
  assert.deepEqual(geometry.indexAt(coronal, 3, [11, 22]), [11, 3, 22]);
  assert.deepEqual(geometry.indexAt(axial, 3, [11, 22]), [11, 22, 3]);
  assert.deepEqual(geometry.clampIndex([-4, 8.6, 99], SIZE), [0, 9, 29]);
  assert.deepEqual(geometry.toPoint(STRAIGHT, [2, 3, 4]), [-2, 10, 19]);
});

test("an overlay's index follows from the base's through the points, oblique too", () => {
  const axes = [[0.8, 0.6, 0], [-0.6, 0.8, 0], [0, 0, 1]];
  const base = { spacing: SPACING, matrix: matrixOf(axes, SPACING, [5, -6, 7]) };
  const other = { spacing: [2, 3, 4], matrix: matrixOf(axes, [2, 3, 4], [1, 2, -3]) };
  const { scale, shift } = geometry.relationTo(base, other);
  const index = [3, 8, 5];
  const found = index.map((value, k) => scale[k] * value + shift[k]);
  const [there, here] = [geometry.toPoint(other.matrix, found), geometry.toPoint(base.matrix, index)];
  there.forEach((value, k) => assert.ok(Math.abs(value - here[k]) < 1e-9));
});

test("distances are in mm, scale bars have round lengths", () => {
  assert.equal(geometry.distance([0, 0, 0], [6, 4, 0], SPACING), 5);
  assert.equal(geometry.distance([1, 1, 1], [1, 1, 4], SPACING), 6);
  assert.deepEqual([0.7, 1, 4.9, 5, 99, 240].map(geometry.roundLength), [0.5, 1, 2, 5, 50, 200]);
});
