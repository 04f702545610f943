import assert from "node:assert/strict";
import { test } from "node:test";

import { COLUMNS, nextCell, remark } from "../../widgets/dictionary_editor.js";

const t = { unsaved_mark: "not saved yet", guess_was: "guessed: {value}", guess_empty: "(empty)" };
const last = COLUMNS.length - 1;

test("arrows move between cells and stop at the edges", () => {
  assert.deepEqual(nextCell("ArrowRight", [2, 1], 9, 5), [2, 2]);
  assert.deepEqual(nextCell("ArrowLeft", [2, 0], 9, 5), [2, 0]);
  assert.deepEqual(nextCell("ArrowRight", [2, last], 9, 5), [2, last]);
  assert.deepEqual(nextCell("ArrowDown", [8, 1], 9, 5), [8, 1]);
  assert.deepEqual(nextCell("PageDown", [1, 1], 9, 5), [6, 1]);
  assert.deepEqual(nextCell("PageUp", [1, 1], 9, 5), [0, 1]);
  assert.deepEqual(nextCell("Home", [3, 4], 9, 5), [3, 0]);
  assert.deepEqual(nextCell("End", [3, 4], 9, 5), [3, last]);
  assert.equal(nextCell("Enter", [3, 4], 9, 5), null);
});

test("what is not saved and what was guessed is told in words", () => {
  const row = { name: "age", unsaved: ["unit"], unlike: { unit: "", role: "predictor" } };
  assert.equal(remark(row, "unit", t), "not saved yet, guessed: (empty)");
  assert.equal(remark(row, "role", t), "guessed: predictor");
  assert.equal(remark(row, "type", t), "");
});
