import assert from "node:assert/strict";
import { test } from "node:test";

import { commandOf, gestureOf, Wheel } from "../../widgets/slice_keys.js";

const press = (/** @type {string} */ key, more = {}) =>
  commandOf({ key, ctrlKey: false, metaKey: false, shiftKey: false, altKey: false, ...more });

test("keys mean what the help says", () => {
  assert.deepEqual(press("PageUp"), ["step", 1]);
  assert.deepEqual(press(","), ["step", -1]);
  assert.deepEqual(press("ArrowUp"), ["arrow", 0, -1]);
  assert.deepEqual(press("ArrowRight", { shiftKey: true }), ["arrow", 10, 0]);
  assert.deepEqual(press("PageDown", { shiftKey: true }), ["step", -10]);
  assert.deepEqual(press("3"), ["preset", 2]);
  assert.deepEqual(press("B", { shiftKey: true }), ["tool", "brush"]);
  assert.deepEqual(press("?", { shiftKey: true }), ["help"]);
  assert.deepEqual(press("0"), ["fit"]);
});

test("undo and redo; other combinations belong to the browser", () => {
  assert.deepEqual(press("z", { ctrlKey: true }), ["undo"]);
  assert.deepEqual(press("Z", { metaKey: true, shiftKey: true }), ["redo"]);
  assert.deepEqual(press("y", { ctrlKey: true }), ["redo"]);
  assert.equal(press("c", { ctrlKey: true }), null);
  assert.equal(press("ArrowLeft", { altKey: true }), null);
  assert.equal(press("q"), null);
});

test("buttons and keys choose what a drag does", () => {
  const drag = (/** @type {number} */ button, more = {}) =>
    gestureOf({ button, shiftKey: false, altKey: false, ...more }, "ruler");
  assert.deepEqual([drag(0), drag(1), drag(2)], ["ruler", "pan", "window"]);
  assert.deepEqual([drag(0, { shiftKey: true }), drag(0, { altKey: true }), drag(3)], ["window", "pan", null]);
});

test("a notch is a step, small turns of a touchpad add up", () => {
  const wheel = new Wheel();
  const turn = (/** @type {number} */ deltaY, deltaMode = 0) => wheel.steps({ deltaY, deltaMode });
  assert.deepEqual([turn(-100), turn(120), turn(-480), turn(3, 1)], [1, -1, 4, -1]);
  assert.deepEqual([turn(-20), turn(-20), turn(-20)].map(Math.abs), [0, 0, 1]);
});
