import assert from "node:assert/strict";
import { test } from "node:test";

import { hasLosses, linePoints } from "../../widgets/round_progress.js";

const row = (/** @type {string} */ loss) => ({ site: "north", state: "answered", words: "", rounds: "1", loss });

test("the line goes from left to right, the highest loss on top", () => {
  assert.equal(linePoints([[3, 0.8], [4, 0.5], [5, 0.2]]), "4.0,4.0 130.0,30.0 256.0,56.0");
});

test("one loss, or a loss that stays, is drawn all the same", () => {
  assert.equal(linePoints([[3, 0.8]]), "4.0,4.0");
  assert.equal(linePoints([[3, 0.8], [4, 0.8]]), "4.0,4.0 256.0,4.0");
});

test("losses of sites have a column where some site tells one", () => {
  assert.equal(hasLosses([row(""), row("")]), false);
  assert.equal(hasLosses([row(""), row("0.5")]), true);
});
