import assert from "node:assert/strict";
import { test } from "node:test";

import { PLANES, relationTo } from "../../widgets/slice_geometry.js";
import { bitAt, bytesFor } from "../../widgets/slice_masks.js";
import { listen } from "../../widgets/slice_pointer.js";
import { Readout } from "../../widgets/slice_readout.js";
import { numbersIn } from "../../widgets/slice_format.js";
import { Draft } from "../../widgets/slice_draft.js";

const SIZE = [20, 20, 10];

/** A viewer without a browser: one pixel a voxel on the axial plane, and what its canvas listens to. */
function held(/** @type {string} */ tool, ball = false) {
  /** @type {Record<string, (event: any) => void>} */
  const on = {};
  const canvas = {
    addEventListener: (/** @type {string} */ type, /** @type {any} */ act) => { on[type] = act; },
    getBoundingClientRect: () => ({ left: 0, top: 0 }),
    focus: () => {},
    setPointerCapture: () => {},
  };
  const draft = new Draft(SIZE, new Uint8Array(bytesFor(4000)));
  const nothing = () => {};
  const edits = { begin: (/** @type {number} */ value) => draft.begin(value),
    paint: (/** @type {number[]} */ places) => draft.paint(places), flush: nothing };
  const viewer = /** @type {any} */ ({
    state: { index: [5, 5, 2], tool, radius: 1, ball, measures: [], crosshair: "full" }, measuring: null, edits,
    store: { base: { size: SIZE, spacing: [1, 1, 1] } },
    because: nothing, redraw: nothing, refresh: nothing, keep: nothing, later: nothing,
  });
  const view = /** @type {any} */ ({ plane: PLANES[2], canvas, frame: { pxPerMm: 1, sx: 1, sy: 1, ox: 0, oy: 0 } });
  listen(viewer, view, nothing, new AbortController().signal);
  /** @type {(type: string, x: number, y: number) => void} */
  const point = (type, x, y) => on[type]({ clientX: x, clientY: y, button: 0, buttons: 1, preventDefault: nothing });
  const painted = () => [...Array(SIZE[2]).keys()].filter((z) =>
    Array.from({ length: 400 }, (_, k) => bitAt(draft.bits, z * 400 + k)).includes(1));
  return { viewer, point, painted };
}

test("a measurement stays in its slice when the wheel turns meanwhile", () => {
  const { viewer, point } = held("ruler");
  point("pointerdown", 3, 4);
  viewer.state.index = [5, 5, 6];
  point("pointermove", 6, 8);
  assert.deepEqual([viewer.measuring.from, viewer.measuring.to], [[3, 4, 2], [6, 8, 2]]);
  point("pointerup", 6, 8);
  assert.deepEqual(viewer.state.measures, [{ axis: 2, slice: 2, from: [3, 4, 2], to: [6, 8, 2] }]);
});

test("a disc does not paint slices over which the wheel turned; a ball does", () => {
  const expected = /** @type {[boolean, number[]][]} */ ([[false, [2, 6]], [true, [1, 2, 3, 4, 5, 6, 7]]]);
  for (const [ball, slices] of expected) {
    const { viewer, point, painted } = held("brush", ball);
    point("pointerdown", 5, 5);
    viewer.state.index = [5, 5, 6];
    point("pointermove", 6, 5);
    assert.deepEqual(painted(), slices);
  }
});

/** Position of an image with cubic voxels. @param {number} spacing */
const placed = (spacing) => ({ spacing: [spacing, spacing, spacing],
  matrix: [spacing, 0, 0, 0, 0, spacing, 0, 0, 0, 0, spacing, 0, 0, 0, 0, 1] });

/** The readout of a PET of 4 mm under a CT of 1 mm, of which each voxel holds its x. */
function readout(remote = false) {
  const base = { id: "base", name: "", modality: "PT", unit: "", size: [5, 5, 5], ...placed(4) };
  const overlay = { ...base, id: "fusion", modality: "CT", size: [17, 17, 17], ...placed(1), remote };
  const place = relationTo(base, overlay);
  const layer = { data: Int16Array.from({ length: 17 ** 3 }, (_, k) => k % 17), size: overlay.size, slope: 1,
    intercept: 0, ...place };
  const data = Int16Array.from({ length: 125 }, (_, k) => 100 + (k % 5));
  const layers = new Map([["base", { ...layer, data, size: base.size, scale: [1, 1, 1] }], ["fusion", layer]]);
  /** @type {any[]} */
  const sent = [];
  const viewer = { numbers: numbersIn("en"), state: { overlay: "fusion" }, t: { slice_point: "", slice_voxel: "" },
    store: { base, layers, image: () => overlay, placeOf: () => place },
    later: (/** @type {any} */ _n, /** @type {any} */ _w, /** @type {() => void} */ act) => act(),
    send: (/** @type {any} */ message) => sent.push(message) };
  const made = Object.assign(Object.create(Readout.prototype), { viewer, told: { key: "", text: "" } });
  return { made, sent };
}

test("an overlay with finer voxels is read at the pixel under the pointer", () => {
  const { made } = readout();
  assert.match(made.describe([1, 0, 0], [1.45, 0, 0]), /^PT 101 .* CT 6 /); // 5.8 mm
});

test("an overlay that stays in the kernel is asked for at the pixel under the pointer, and not outside it", () => {
  const { made, sent } = readout(true);
  assert.match(made.describe([1, 0, 0], [1.45, 0, 0]), /CT … /);
  assert.deepEqual(sent, [{ type: "value", image: "fusion", index: [6, 0, 0] }]);
  assert.match(made.describe([4, 0, 0], [4.4, 0, 0]), /CT – /);
  assert.equal(sent.length, 1);
});
