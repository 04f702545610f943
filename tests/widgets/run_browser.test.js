import assert from "node:assert/strict";
import { test } from "node:test";

import { choose, distinct, filtered } from "../../widgets/run_browser.js";

const row = (/** @type {string} */ id, /** @type {string} */ stage, /** @type {string} */ status, stale = "") => ({
  id, stage, status, stale, started: "", status_text: status, duration: "", part: "" });
const rows = [row("3", "models", "running"), row("2", "models", "completed", "stale: clinical"), row("1", "data", "completed")];

test("filters by stage and status; stale is a status of its own", () => {
  const ids = (/** @type {string} */ stage, /** @type {string} */ status) => filtered(rows, stage, status).map((one) => one.id).join("");
  assert.equal(ids("", ""), "321");
  assert.equal(ids("models", ""), "32");
  assert.equal(ids("", "completed"), "21");
  assert.equal(ids("", "stale"), "2");
  assert.equal(ids("data", "stale"), "");
});

test("at most two are chosen, and the first one goes", () => {
  assert.deepEqual(choose([], "a", true), ["a"]);
  assert.deepEqual(choose(["a"], "b", true), ["a", "b"]);
  assert.deepEqual(choose(["a", "b"], "c", true), ["b", "c"]);
  assert.deepEqual(choose(["a", "b"], "a", false), ["b"]);
  assert.deepEqual(choose(["a"], "a", true), ["a"]);
});

test("distinct values keep their order", () => assert.deepEqual(distinct(["b", "a", "b"]), ["b", "a"]));
