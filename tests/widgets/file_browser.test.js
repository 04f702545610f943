import assert from "node:assert/strict";
import { test } from "node:test";

import { above, crumbs, moved } from "../../widgets/file_browser.js";

test("each folder on the way is a step back", () => {
  assert.deepEqual(crumbs("a/b c/d"), [["a", "a"], ["b c", "a/b c"], ["d", "a/b c/d"]]);
  assert.deepEqual(crumbs(""), []);
});

test("nothing lies above the top", () => {
  assert.equal(above("a/b"), "a");
  assert.equal(above("a"), "");
  assert.equal(above(""), "");
});

test("keys move within the list", () => {
  assert.equal(moved("ArrowDown", 3, 5), 4);
  assert.equal(moved("ArrowDown", 4, 5), 4);
  assert.equal(moved("ArrowUp", 0, 5), 0);
  assert.equal(moved("PageDown", 3, 100), 13);
  assert.equal(moved("Home", 50, 100), 0);
  assert.equal(moved("End", 50, 100), 99);
  assert.equal(moved("ArrowDown", 0, 0), 0);
  assert.equal(moved("Enter", 3, 5), null);
  assert.equal(moved("a", 3, 5), null);
});
