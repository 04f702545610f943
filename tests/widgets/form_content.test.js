// What happens to the content of a form's controls.

import assert from "node:assert/strict";
import { test } from "node:test";

import { moved, nearest, resetAll, slot, splitTokens, stepped, toggled } from "../../widgets/form_content.js";

test("a comma ends a token, but not between quotes", () => {
  assert.deepEqual(splitTokens("a, b ,c"), { tokens: ["a", "b"], rest: "c" });
  assert.deepEqual(splitTokens('"a, b",'), { tokens: ['"a, b"'], rest: "" });
  assert.deepEqual(splitTokens('"a \\" , b",x'), { tokens: ['"a \\" , b"'], rest: "x" });
  assert.deepEqual(splitTokens('"a, b'), { tokens: [], rest: '"a, b' });
  assert.deepEqual(splitTokens(",, ,"), { tokens: [], rest: "" });
  assert.deepEqual(splitTokens(""), { tokens: [], rest: "" });
});

test("a number is stepped in its last digit and stays within its bounds", () => {
  assert.equal(stepped("5", 1), "6");
  assert.equal(stepped("0.75", -1), "0.74");
  assert.equal(stepped("0.1", 1), "0.2");
  assert.equal(stepped("-1", 1), "0");
  assert.equal(stepped("20", 1, 2, 20), "20");
  assert.equal(stepped("2", -1, 2, 20), "2");
  assert.equal(stepped("1", 1, 2, 20), "2");
  assert.equal(stepped("1e3", 1), null);
  assert.equal(stepped("", 1), null);
});

test("ticked options stand in the order in which they are offered", () => {
  assert.deepEqual(toggled(["a", "b", "c"], ["c"], "a"), ["a", "c"]);
  assert.deepEqual(toggled(["a", "b", "c"], ["c", "a", "c"], "c"), ["a"]);
});

test("an element moves, and nothing is lost at the ends", () => {
  assert.deepEqual(moved([1, 2, 3], 0, 1), [2, 1, 3]);
  assert.deepEqual(moved([1, 2, 3], 2, 1), [1, 3, 2]);
  assert.deepEqual(moved([1, 2, 3], 0, -1), [1, 2, 3]);
  assert.deepEqual(moved([1, 2, 3], 2, 3), [1, 2, 3]);
});

test("all fields are reset, but one that must be given keeps its content", () => {
  const field = { label: "", help: "", unit: "", empty: "", advanced: false, bounds: "", default: "", control: { kind: "text" } };
  const fields = [{ ...field, name: "outcome", required: true, reset: null }, { ...field, name: "tables", required: false, reset: ["a"] }];
  const reset = resetAll(fields, { outcome: "os", tables: [] });
  assert.deepEqual(reset, { outcome: "os", tables: ["a"] });
  assert.notEqual(reset.tables, fields[1].reset);
});

test("a message without a place of its own stands at the nearest around it", () => {
  const known = new Set(["", "cohort", "cohort.1"]);
  assert.equal(nearest("cohort.1.label", (place) => known.has(place)), "cohort.1");
  assert.equal(nearest("cohort.2", (place) => known.has(place)), "cohort");
  assert.equal(nearest("other", (place) => known.has(place)), "");
});

test("content is changed at its path and the change is told", () => {
  const store = { values: { blocks: [{ key: "a", value: ["x"] }] } };
  /** @type {boolean[]} */
  const told = [];
  const value = slot(store, (now) => told.push(now)).at("blocks", 0).at("value");
  value.set([...value.get(), "y"], true);
  assert.deepEqual(store.values.blocks[0].value, ["x", "y"]);
  slot(store, (now) => told.push(now)).set({ blocks: [] });
  assert.deepEqual(store.values, { blocks: [] });
  assert.deepEqual(told, [true, false]);
});
