import assert from "node:assert/strict";
import { test } from "node:test";

import { Later, options } from "../../widgets/add_table.js";

test("fields that were left empty are not asked for", () => {
  assert.deepEqual(options({ name: { value: " clinical " }, block: { value: "" }, date_order: { value: "day-first" },
    replace: { value: "on", type: "checkbox", checked: false } }), { name: "clinical", date_order: "day-first" });
  assert.deepEqual(options({ replace: { value: "on", type: "checkbox", checked: true } }), { replace: true });
});

/** @param {boolean[]} answers */
function recorded(answers) {
  /** @type {string[]} */
  const events = [];
  const later = new Later(async () => {
    events.push("begun");
    await new Promise((resolve) => { setTimeout(resolve, 5); });
    events.push("ended");
    return answers.shift() ?? true;
  });
  return { events, later };
}

test("what was typed just before is read to its end, once, before anything is stored", async () => {
  const { events, later } = recorded([false, true]);
  assert.equal(await later.now(), false);
  later.soon(60);
  later.soon(60);
  assert.equal(await later.settled(), true);
  assert.deepEqual(events, ["begun", "ended", "begun", "ended"]);
  await new Promise((resolve) => { setTimeout(resolve, 90); });
  assert.equal(events.length, 4);
});

test("a fault of what was typed last is told to whoever wants to store", async () => {
  const { events, later } = recorded([true, false]);
  await later.now();
  later.soon(60);
  assert.equal(await later.settled(), false);
  assert.equal(events.length, 4);
});

test("reading that is under way is waited for; without any, nothing is done", async () => {
  const { events, later } = recorded([false]);
  assert.equal(await later.settled(), true);
  later.now();
  assert.equal(await later.settled(), false);
  assert.deepEqual(events, ["begun", "ended"]);
});

test("what was stopped is not done", async () => {
  const { events, later } = recorded([]);
  later.soon(1);
  later.stop();
  await new Promise((resolve) => { setTimeout(resolve, 20); });
  assert.deepEqual(events, []);
});
