import assert from "node:assert/strict";
import { test } from "node:test";

import { hasGrid, setLabels } from "../../widgets/fold_progress.js";

const row = (/** @type {string} */ set) => ({ set, repeat: "1", cells: [], mean: "" });

test("a set is named in its first row only", () => {
  assert.deepEqual(setLabels([row("clinical"), row("clinical"), row("genes")]), ["clinical", "", "genes"]);
});

test("a single test set needs no grid", () => {
  assert.equal(hasGrid({}), false);
  assert.equal(hasGrid({ rows: [row("a")], columns: ["1"] }), false);
  assert.equal(hasGrid({ rows: [row("a")], columns: ["1", "2"] }), true);
});
