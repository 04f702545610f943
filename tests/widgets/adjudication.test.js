import assert from "node:assert/strict";
import { test } from "node:test";

import { CHOICE_KEYS, commandOf, inWords, nextOpen } from "../../widgets/adjudication_keys.js";

const plain = { ctrlKey: false, metaKey: false, altKey: false };

test("every choice has one key, which its button shows", () => {
  const keys = { "←": "ArrowLeft", "→": "ArrowRight", b: "b", n: "n", o: "o" };
  const found = CHOICE_KEYS.map(([, key]) => commandOf({ ...plain, key: /** @type {any} */ (keys)[key] }));
  assert.deepEqual(found, [["choose", "left"], ["choose", "right"], ["choose", "both"], ["choose", "neither"], ["own"]]);
});

test("keys that are not ours are left to others", () => {
  for (const key of ["x", "Tab", "Enter", "F5", "constructor", "toString"]) assert.equal(commandOf({ ...plain, key }), null);
  assert.equal(commandOf({ ...plain, key: "b", ctrlKey: true }), null);
  assert.equal(commandOf({ ...plain, key: "ArrowLeft", altKey: true }), null);
  assert.deepEqual(commandOf({ ...plain, key: "z", ctrlKey: true }), ["undo"]);
  assert.deepEqual(commandOf({ ...plain, key: "Z", metaKey: true }), ["undo"]);
  assert.deepEqual(commandOf({ ...plain, key: "J" }), ["note", 1]);
});

test("the next open dispute is further on, or from the beginning", () => {
  assert.equal(nextOpen(["", "left", ""], 0), 2);
  assert.equal(nextOpen(["", "left", "both"], 1), 0);
  assert.equal(nextOpen(["own", "neither"], 0), -1);
  assert.equal(nextOpen([], -1), -1);
});

test("a span is told with value, unit and context; a side without one says nothing", () => {
  const t = { adjudication_said: "{title}: «\u00A0{words}\u00A0»", adjudication_nothing: "says nothing here",
    context_negated: "negated", context_history: "history" };
  const span = /** @type {any} */ ({ value: "30", unit: "mm", context: ["negated", "history"] });
  assert.equal(inWords(span, "3 cm", "lesion size", t), "lesion size: «\u00A03 cm\u00A0» = 30 mm (negated, history)");
  assert.equal(inWords({ ...span, value: "", unit: "", context: [] }, "x", "grade", t), "grade: «\u00A0x\u00A0»");
  assert.equal(inWords(undefined, "", "", t), "says nothing here");
});
