import assert from "node:assert/strict";
import { test } from "node:test";

import { Draft } from "../../widgets/slice_draft.js";
import { Edits } from "../../widgets/slice_edits.js";
import { PLANES } from "../../widgets/slice_geometry.js";
import { bitAt, brushPath, brushVoxels, bytesFor, maskSlice, writeBits } from "../../widgets/slice_masks.js";
import { Requests } from "../../widgets/slice_requests.js";

const SIZE = [10, 20, 30];
const SPACING = [0.5, 1, 2];
const VOXELS = 6000;
const at = (/** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ z) => x + 10 * (y + 20 * z);
const inMask = (/** @type {Uint8Array} */ bits) =>
  Array.from({ length: VOXELS }, (_, k) => k).filter((k) => bitAt(bits, k));

function edited() {
  /** @type {{message: Record<string, any>, buffers?: any[]}[]} */
  const sent = [];
  const send = (/** @type {Record<string, any>} */ message, /** @type {any} */ buffers = undefined) =>
    sent.push({ message, buffers });
  const requests = new Requests((message) => send(message), () => 0);
  const edits = new Edits("me", requests, send, () => {});
  const deliver = (bits = new Uint8Array(bytesFor(VOXELS))) =>
    edits.receive({ type: "draft", token: "me" }, [new DataView(bits.buffer)], SIZE);
  return { sent, edits, requests, deliver };
}

test("bits are the lowest first, as numpy.packbits(bitorder='little') makes them", () => {
  const bits = new Uint8Array(2);
  writeBits(bits, [0, 3, 9], 1);
  assert.deepEqual(Array.from(bits), [9, 2]);
  writeBits(bits, [3], 0);
  assert.deepEqual([bitAt(bits, 3), bitAt(bits, 9)], [0, 1]);
});

test("slices of a mask along each axis; empty ones are null", () => {
  const bits = new Uint8Array(bytesFor(VOXELS));
  writeBits(bits, [at(3, 7, 11)], 1);
  assert.equal(maskSlice(bits, SIZE, PLANES[2], 11)?.indexOf(1), 7 * 10 + 3);
  assert.equal(maskSlice(bits, SIZE, PLANES[1], 7)?.indexOf(1), 11 * 10 + 3);
  assert.equal(maskSlice(bits, SIZE, PLANES[0], 3)?.indexOf(1), 11 * 20 + 7);
  assert.equal(maskSlice(bits, SIZE, PLANES[0], 4), null);
});

test("a disc covers the voxels whose centre lies within the radius in mm", () => {
  const found = brushVoxels(SIZE, SPACING, [5, 10, 15], 1, [0, 1]).sort((a, b) => a - b);
  const row = [3, 4, 5, 6, 7].map((x) => at(x, 10, 15));
  assert.deepEqual(found, [at(5, 9, 15), ...row, at(5, 11, 15)]);
});

test("a disc in the coronal plane stays in its slice; a ball does not", () => {
  const disc = brushVoxels(SIZE, SPACING, [5, 10.3, 15], 2, [0, 2]);
  assert.ok(disc.includes(at(5, 10, 16)) && disc.includes(at(9, 10, 15)) && !disc.includes(at(5, 11, 15)));
  const ball = brushVoxels(SIZE, SPACING, [5, 10, 15], 2, [0, 1, 2]);
  assert.ok(ball.includes(at(5, 12, 15)) && ball.includes(at(5, 10, 14)) && !ball.includes(at(5, 12, 14)));
});

test("the smallest brush paints the voxel under it, the edge of the image cuts it off", () => {
  assert.deepEqual(brushVoxels(SIZE, SPACING, [5.4, 10.4, 15], 0.01, [0, 1]), [at(5, 10, 15)]);
  assert.deepEqual(brushVoxels(SIZE, SPACING, [5, 25, 15], 3, [0, 1]), []);
  assert.ok(brushVoxels(SIZE, SPACING, [0, 0, 0], 3, [0, 1, 2]).every((place) => place >= 0 && place < VOXELS));
});

test("a quick movement of the brush leaves no gaps", () => {
  const path = brushPath([0, 0, 0], [9, 0, 0], SPACING, 1.5);
  assert.deepEqual(path.at(-1), [9, 0, 0]);
  assert.ok(path.length >= 9);
});

test("strokes hold only what changed; undo and redo give back every voxel", () => {
  const draft = new Draft(SIZE, new Uint8Array(bytesFor(VOXELS)));
  draft.begin(1);
  draft.paint([1, 2, 3]);
  draft.paint([3, 4]);
  assert.deepEqual(draft.take(false), { value: 1, begin: true, end: false, places: Uint32Array.of(1, 2, 3, 4) });
  assert.equal(draft.take(false), null);
  draft.paint([5]);
  assert.deepEqual(draft.take(true), { value: 1, begin: false, end: true, places: Uint32Array.of(5) });
  draft.begin(0);
  draft.paint([2, 9]);
  assert.deepEqual(draft.take(true)?.places, Uint32Array.of(2));
  assert.deepEqual(inMask(draft.bits), [1, 3, 4, 5]);
  draft.undo();
  assert.deepEqual(inMask(draft.bits), [1, 2, 3, 4, 5]);
  draft.undo();
  assert.deepEqual([inMask(draft.bits), draft.undo()], [[], false]);
  draft.redo();
  draft.redo();
  assert.deepEqual([inMask(draft.bits), draft.redo()], [[1, 3, 4, 5], false]);
});

test("the end is told even where the last part holds nothing new; an empty stroke is not told", () => {
  const draft = new Draft(SIZE, new Uint8Array(bytesFor(VOXELS)));
  draft.begin(1);
  draft.paint([7]);
  draft.take(false);
  assert.deepEqual(draft.take(true), { value: 1, begin: false, end: true, places: new Uint32Array(0) });
  draft.begin(1);
  draft.paint([7]);
  assert.deepEqual([draft.take(true), draft.done.length], [null, 1]);
});

test("what is painted is sent as strokes; own undo is at once and told", () => {
  const { sent, edits, deliver } = edited();
  edits.start("roi-1", "new");
  deliver();
  edits.begin(1);
  edits.paint([1, 2]);
  edits.flush(true);
  edits.undo();
  assert.deepEqual(sent.map(({ message }) => message.type), ["edit", "stroke", "undo"]);
  assert.deepEqual(sent[1].buffers?.[0], Uint32Array.of(1, 2));
  assert.deepEqual(inMask(edits.draft?.bits ?? new Uint8Array()), []);
});

test("an undo of what this view did not paint asks for the draft again", () => {
  const { sent, edits, deliver, requests } = edited();
  edits.resume();
  const bits = new Uint8Array(bytesFor(VOXELS));
  bits[0] = 3;
  deliver(bits);
  edits.undo();
  assert.deepEqual(sent.map(({ message }) => message.type), ["get_draft", "undo", "get_draft"]);
  assert.ok(requests.isOpen("draft"));
});

test("what is painted while the draft is on its way is not lost", () => {
  const { edits, deliver } = edited();
  edits.start("", "new");
  deliver();
  edits.receive({ type: "undone", token: "other" }, [], SIZE); // asks again
  edits.begin(1);
  edits.paint([40, 41]);
  edits.flush(true);
  edits.begin(1);
  edits.paint([50]); // still going on
  deliver();
  assert.deepEqual(inMask(edits.draft?.bits ?? new Uint8Array()), [40, 41, 50]);
  edits.flush(true);
  assert.equal(edits.draft?.done.length, 2);
});

test("others' strokes show here, and own ones are not done twice", () => {
  const { sent, edits, deliver } = edited();
  edits.resume();
  deliver();
  const bytes = new DataView(Uint32Array.of(8, 9).buffer);
  edits.receive({ type: "stroke", token: "other", value: 1 }, [bytes], SIZE);
  edits.receive({ type: "stroke", token: "me", value: 0 }, [bytes], SIZE);
  assert.deepEqual(inMask(edits.draft?.bits ?? new Uint8Array()), [8, 9]);
  assert.equal(sent.length, 1);
});

test("questions are asked again, ever more rarely, until they are answered", () => {
  let now = 0;
  /** @type {unknown[]} */
  const sent = [];
  const requests = new Requests((message) => sent.push(message.type), () => now);
  requests.ask("a", { type: "volume" });
  requests.ask("a", { type: "volume" });
  const counts = [];
  for (now = 1000; now <= 60000; now += 1000) {
    requests.tick();
    counts.push(sent.length);
  }
  assert.deepEqual([counts[6], counts[7], counts[22], counts[23], counts[59]], [1, 2, 2, 3, 4]);
  requests.settle("a");
  now = 1e6;
  requests.tick();
  assert.equal(sent.length, 4);
});
