import assert from "node:assert/strict";
import { test } from "node:test";

import { RowStore, inSight, scrolledTo } from "../../widgets/virtual_rows.js";

test("only rows in sight and a margin are drawn, however long the list", () => {
  assert.deepEqual(inSight(0, 260, 26, 20_000, 10), [0, 20]);
  assert.deepEqual(inSight(26_000, 260, 26, 20_000, 10), [990, 1020]);
  assert.deepEqual(inSight(26 * 19_990, 260, 26, 20_000, 10), [19_980, 20_000]);
});

test("short, empty and shortened lists have no rows beyond their end", () => {
  assert.deepEqual(inSight(0, 260, 26, 3), [0, 3]);
  assert.deepEqual(inSight(0, 260, 26, 0), [0, 0]);
  assert.deepEqual(inSight(5000, 260, 26, 3), [3, 3]);
});

test("a row is scrolled into sight from above and below, and no further", () => {
  assert.equal(scrolledTo(0, 100, 260, 26), 0);
  assert.equal(scrolledTo(20, 0, 260, 26), 286);
  assert.equal(scrolledTo(5, 26, 260, 26), 26);
});

test("what is unknown is asked for in one range", () => {
  const store = new RowStore();
  store.put(10, ["a", "b"], 100);
  assert.deepEqual(store.missing(8, 14), [8, 14]);
  assert.deepEqual(store.missing(10, 14), [12, 14]);
  assert.equal(store.missing(10, 12), null);
  store.clear();
  assert.deepEqual(store.missing(10, 12), [10, 12]);
});
