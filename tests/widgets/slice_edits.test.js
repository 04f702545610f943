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

/** @param {Edits} edits */
const shownBy = (edits) => inMask(edits.draft?.bits ?? new Uint8Array());

function edited() {
  /** @type {{message: Record<string, any>, buffers?: any[]}[]} */
  const sent = [];
  const send = (/** @type {Record<string, any>} */ message, /** @type {any} */ buffers = undefined) =>
    sent.push({ message, buffers });
  const requests = new Requests((message) => send(message), () => 0);
  const edits = new Edits("me", requests, send, () => {});
  const deliver = (bits = new Uint8Array(bytesFor(VOXELS)), number = edits.waiting) =>
    edits.receive({ type: "draft", token: "me", number }, [new DataView(bits.buffer)], SIZE);
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
  const { sent, edits, deliver } = edited();
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
  edits.undo(); // by the kernel, which knows what these strokes changed
  assert.deepEqual([shownBy(edits), sent.at(-1)?.message.type], [[40, 41, 50], "get_draft"]);
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

/** The kernel's side: it carries out what views send, one after the other, when it is told to. */
function kernel() {
  const bits = new Uint8Array(bytesFor(VOXELS));
  /** @typedef {{places: number[], value: number}[]} Parts of a stroke, as data/stroke_journal.py keeps them */
  /** @type {Parts[]} */
  const done = [];
  /** @type {Parts[]} */
  let undone = [];
  let going = false;
  /** @type {{token: string, message: Record<string, any>, places: ArrayLike<number>}[]} */
  const queue = [];
  /** @type {Edits[]} */
  const views = [];
  let now = 0;
  /** @type {Requests[]} */
  const asking = [];
  const open = (/** @type {string} */ token) => {
    const send = (/** @type {Record<string, any>} */ message, /** @type {any[]} */ buffers = []) =>
      void queue.push({ token, message, places: buffers[0] ?? [] });
    const requests = new Requests((message) => send(message), () => now);
    const edits = new Edits(token, requests, send, () => {});
    views.push(edits);
    asking.push(requests);
    edits.resume();
    return edits;
  };
  /** @type {(content: Record<string, any>, ...buffers: DataView[]) => () => void} */
  const told = (content, ...buffers) => () =>
    views.forEach((view) => view.receive(/** @type {any} */ (content), buffers, SIZE));
  const revert = (/** @type {string} */ type, /** @type {string} */ token, /** @type {number} */ number) => {
    const back = type === "undo";
    const last = (back ? done : undone).pop();
    if (!last) return () => {};
    going = false;
    (back ? undone : done).push(last);
    const parts = back ? [...last].reverse() : last;
    for (const { places, value } of parts) writeBits(bits, places, back ? 1 - value : value);
    return told({ type: back ? "undone" : "redone", token, number });
  };
  /** Carries the oldest message out; what it tells is heard when the result is called. */
  const next = () => {
    const { token, message: { type, value, number, begin, end }, places } = /** @type {any} */ (queue.shift());
    if (type === "get_draft") return told({ type: "draft", token, number }, new DataView(bits.slice().buffer));
    if (type !== "stroke") return revert(type, token, number);
    const changed = [...new Set(places)].filter((at) => bitAt(bits, at) !== value);
    writeBits(bits, changed, value);
    undone = [];
    if (begin || !going) done.push([]);
    done[done.length - 1].push({ places: changed, value });
    going = !end;
    return told({ type: "stroke", token, value, number }, new DataView(Uint32Array.from(places).buffer));
  };
  const run = () => {
    while (queue.length) next()();
  };
  const wait = (/** @type {number} */ ms) => {
    now += ms;
    asking.forEach((requests) => requests.tick());
  };
  return { bits, queue, open, next, run, wait };
}

/** @param {Edits} edits @param {number} value @param {number[]} places */
function stroke(edits, value, places) {
  edits.begin(value);
  edits.paint(places);
  edits.flush(true);
}

test("a draft that was asked for earlier does not take newer strokes away", () => {
  const { bits, open, run } = kernel();
  stroke(open("before"), 1, [1]);
  const edits = open("me");
  run();
  edits.undo();
  edits.undo();
  stroke(edits, 1, [5]);
  run();
  assert.deepEqual([shownBy(edits), inMask(bits)], [[5], [5]]);
});

test("a question that was asked twice is answered once", () => {
  const { bits, open, next, run, wait } = kernel();
  const edits = open("me");
  run();
  edits.resume();
  wait(8000);
  const [first, second] = [next(), next()];
  stroke(edits, 1, [5]);
  first();
  stroke(edits, 1, [6]);
  second();
  assert.deepEqual(shownBy(edits), [5, 6]);
  run();
  assert.deepEqual([shownBy(edits), inMask(bits)], [[5, 6], [5, 6]]);
});

test("strokes are kept until the draft comes, however long the kernel takes", () => {
  const { open, next, run, wait } = kernel();
  const edits = open("me");
  run();
  edits.resume();
  const answer = next();
  for (let minutes = 0; minutes < 15; minutes += 1) wait(60000);
  assert.ok(!edits.requests.isOpen("draft"));
  stroke(edits, 1, [5]);
  answer();
  assert.deepEqual(shownBy(edits), [5]);
});

test("an error ends the question for the draft only where it is its answer", () => {
  const { edits, requests, deliver } = edited();
  edits.start("", "new");
  edits.receive({ type: "error", token: "me", message: "another matter" }, [], SIZE);
  assert.ok(requests.isOpen("draft"));
  deliver();
  edits.resume();
  edits.receive({ type: "error", token: "me", number: edits.waiting, message: "no" }, [], SIZE);
  assert.deepEqual([requests.isOpen("draft"), edits.waiting], [false, 0]);
});

test("a stroke that the kernel refuses does not stay: the draft is asked for", () => {
  const { open, run } = kernel();
  const mine = open("me");
  run();
  stroke(mine, 1, [3]);
  const [{ number }] = mine.unheard;
  mine.receive({ type: "error", token: "me", number, message: "the disk is full" }, [], SIZE);
  assert.ok(mine.waiting > number);
});

test("an undo that takes back what another view painted meanwhile shows the same in both", () => {
  const { bits, queue, open, run } = kernel();
  const [mine, other] = [open("me"), open("other")];
  run();
  stroke(mine, 1, [1, 2]);
  run();
  stroke(other, 1, [8, 9]);
  mine.undo(); // this view has not heard of the other's stroke
  assert.equal(queue.length, 2);
  run();
  assert.deepEqual([shownBy(mine), shownBy(other), inMask(bits)], [[1, 2], [1, 2], [1, 2]]);
});

test("what this view painted later stays over what another view did in between", () => {
  const { bits, queue, open, next, run } = kernel();
  const [mine, other] = [open("me"), open("other")];
  run();
  stroke(mine, 1, [5, 6]);
  run();
  stroke(mine, 0, [5]);
  stroke(other, 0, [5, 6]);
  stroke(mine, 1, [5]);
  next()();
  next()();
  assert.deepEqual(shownBy(mine), [5]);
  assert.ok(queue.some(({ token, message }) => token === "me" && message.type === "get_draft"));
  run();
  assert.deepEqual([shownBy(mine), shownBy(other), inMask(bits)], [[5], [5], [5]]);
});

test("two views that paint at once ask for one draft at a time", () => {
  const { queue, open, next, run } = kernel();
  const [mine, other] = [open("me"), open("other")];
  run();
  for (let place = 0; place < 5; place += 1) stroke(other, 1, [place]);
  stroke(mine, 1, [9]);
  for (let count = 0; count < 5; count += 1) next()();
  assert.equal(queue.filter(({ token, message }) => token === "me" && message.type === "get_draft").length, 1);
  run();
  assert.deepEqual([shownBy(mine), shownBy(other)], [[0, 1, 2, 3, 4, 9], [0, 1, 2, 3, 4, 9]]);
});

test("a stroke during which another view painted is not taken back here, but by the kernel", () => {
  const { sent, edits, deliver } = edited();
  edits.resume();
  deliver();
  edits.begin(1);
  edits.paint([1]);
  const bytes = new DataView(Uint32Array.of(8).buffer);
  edits.receive({ type: "stroke", token: "other", value: 1 }, [bytes], SIZE);
  edits.paint([2]);
  edits.flush(true);
  edits.undo();
  assert.deepEqual(shownBy(edits), [1, 2, 8]);
  assert.deepEqual(sent.slice(-2).map(({ message }) => message.type), ["undo", "get_draft"]);
});

test("views that paint and undo at random end with what the kernel has", () => {
  let seed = 7;
  const random = (/** @type {number} */ below) => (seed = (seed * 48271) % 2147483647) % below;
  for (let round = 0; round < 200; round += 1) {
    const { bits, queue, open, next, run } = kernel();
    const views = [open("me"), open("other")];
    run();
    /** @type {(() => void)[]} */
    const onTheWay = [];
    for (let count = 0; count < 60; count += 1) {
      const view = views[random(2)];
      const acts = [() => view.undo(), () => view.redo(), () => view.begin(random(2)), () => view.flush(true),
        () => view.flush(false), () => view.paint([random(6)]), () => view.paint([random(6)])];
      acts[random(acts.length)]();
      if (random(2) && queue.length) onTheWay.push(next());
      if (random(2)) onTheWay.shift()?.();
    }
    onTheWay.forEach((hear) => hear());
    views.forEach((view) => view.flush(true));
    run();
    assert.deepEqual(views.map(shownBy), [inMask(bits), inMask(bits)], `round ${round}`);
  }
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
