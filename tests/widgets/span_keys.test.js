import assert from "node:assert/strict";
import { test } from "node:test";

import { HELP, commandOf } from "../../widgets/span_keys.js";

const press = (/** @type {string} */ key, more = {}) => commandOf({ key, ctrlKey: false, metaKey: false, altKey: false,
  shiftKey: false, ...more });

test("arrows move by characters and lines, with Control by words and blocks, with Shift they select", () => {
  assert.deepEqual(press("ArrowRight"), ["move", "character", 1, 0]);
  assert.deepEqual(press("ArrowLeft", { ctrlKey: true, shiftKey: true }), ["move", "word", -1, 1]);
  assert.deepEqual(press("ArrowDown", { altKey: true }), ["move", "block", 1, 0]);
  assert.deepEqual(press("Home", { ctrlKey: true }), ["move", "text", -1, 0]);
});

test("digits label, on a French keyboard too", () => {
  assert.deepEqual(press("1"), ["digit", 1]);
  assert.deepEqual(press("&", { code: "Digit1" }), ["digit", 1]);
  assert.deepEqual(press("1", { code: "Digit1", shiftKey: true }), ["digit", 1]);
  assert.equal(press("!", { code: "Digit1", shiftKey: true }), null);
});

test("a letter is one command, with Shift another or none", () => {
  assert.deepEqual([press("a"), press("r"), press("n"), press("J", { shiftKey: true })], [["accept"], ["reject"],
    ["context", "negated"], ["note", 1]]);
  assert.equal(press("A", { shiftKey: true }), null);
  assert.deepEqual(press("?", { shiftKey: true }), ["help"]);
  assert.deepEqual(press("A"), ["accept"], "Caps Lock");
  assert.equal(press("q"), null);
  assert.equal(press("Tab"), null, "Tab leaves the text");
});

test("undo and redo have their usual keys", () => {
  assert.deepEqual([press("z", { ctrlKey: true }), press("Z", { metaKey: true, shiftKey: true }), press("y", { ctrlKey: true })],
    [["undo"], ["redo"], ["redo"]]);
  assert.equal(press("c", { ctrlKey: true }), null, "copying is the browser's");
});

test("the help names every key that does something", () => {
  const shown = HELP.flatMap(([, keys]) => keys.flatMap(([key]) => key.split(/\s+/)));
  for (const key of ["s", "a", "r", "e", "b", "x", "j", "k", "n", "u", "f", "h", "p", "t", "d", "z", "y", "v", "g", "/", "?", "."]) {
    assert.ok(press(key), key);
    assert.ok(shown.includes(key), key);
  }
});
