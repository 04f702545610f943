import assert from "node:assert/strict";
import { test } from "node:test";

import { talk } from "../../widgets/ask.js";

/** A model that keeps what is sent, and into which a test speaks. */
function fakeModel() {
  /** @type {any[]} */
  const sent = [];
  /** @type {Set<(content: any, buffers: DataView[]) => void>} */
  const listeners = new Set();
  const model = /** @type {any} */ ({
    send: (/** @type {any} */ content) => sent.push(content),
    on: (/** @type {string} */ _, /** @type {any} */ heard) => listeners.add(heard),
    off: (/** @type {string} */ _, /** @type {any} */ heard) => listeners.delete(heard),
  });
  const say = (/** @type {any} */ content) => listeners.forEach((heard) => heard(content, []));
  return { model, sent, say, listeners };
}

test("an answer reaches the question with its number, in any order", async () => {
  const { model, sent, say } = fakeModel();
  const { ask } = talk(model);
  const [first, second] = [ask("rows", { start: 1 }), ask("rows", { start: 2 })];
  assert.deepEqual(sent.map(({ ask: name, start }) => [name, start]), [["rows", 1], ["rows", 2]]);
  say({ ...sent[1], answer: "two" });
  say({ ...sent[0], answer: "one" });
  assert.deepEqual(await Promise.all([first, second]), ["one", "two"]);
});

test("a fault rejects with its words", async () => {
  const { model, sent, say } = fakeModel();
  const asked = talk(model).ask("rows");
  say({ ...sent[0], fault: "the file is gone" });
  await assert.rejects(asked, /the file is gone/);
});

test("what is said to another tab is not heard", () => {
  const { model, say } = fakeModel();
  const one = talk(model);
  const two = talk(model);
  /** @type {string[]} */
  const heard = [];
  one.listen((content) => heard.push(`one ${content.picture}`));
  two.listen((content) => heard.push(`two ${content.picture}`));
  say({ token: two.token, picture: "s1" });
  assert.deepEqual(heard, ["two s1"]);
});

test("a question cannot be overwritten by its values", () => {
  const { model, sent } = fakeModel();
  const { ask, token } = talk(model);
  ask("rows", { ask: "save", token: "other", number: 9 });
  assert.deepEqual(sent, [{ ask: "rows", token, number: 1 }]);
});

test("nothing is left behind when the view ends", () => {
  const { model, listeners } = fakeModel();
  const ended = new AbortController();
  talk(model, ended.signal);
  assert.equal(listeners.size, 1);
  ended.abort();
  assert.equal(listeners.size, 0);
});
