import assert from "node:assert/strict";
import { test } from "node:test";

import { blockAt, blocksOf, characterFrom, trimmed, wordAt, wordFrom } from "../../widgets/span_blocks.js";

const text = "🙂 E\u0301tat\r\n\r\n👩‍⚕️ pT2a, fin";
const blocks = blocksOf(text);

test("lines are blocks, whatever ends them, and every unit is in one", () => {
  assert.deepEqual(blocks.map(({ start, end }) => text.slice(start, end)), ["🙂 E\u0301tat", "", "👩‍⚕️ pT2a, fin"]);
  assert.deepEqual(blocksOf("a\nb\rc\u2028d\f").map(({ end, next }) => [end, next]), [[1, 2], [3, 4], [5, 6], [7, 8], [8, 8]]);
  assert.deepEqual(blocksOf(""), [{ start: 0, end: 0, next: 0 }]);
});

test("a long line is cut at a space, or between characters, and nothing is lost", () => {
  for (const long of ["mot ".repeat(5000), "x".repeat(9999), "👩‍⚕️".repeat(900), "e\u0301".repeat(3000), "🙂".repeat(2001)]) {
    const cut = blocksOf(long);
    assert.equal(cut.map(({ start, end }) => long.slice(start, end)).join(""), long);
    assert.ok(cut.every(({ start, end }) => end - start <= 1200));
    assert.ok(cut.every(({ start }) => !/^[\uDC00-\uDFFF\u0301\u200d]/.test(long.slice(start))), long.slice(0, 9));
  }
});

test("the block of a place is the last that begins at or before it", () => {
  assert.deepEqual([0, 8, 9, 10, 11, 12, text.length].map((at) => blockAt(blocks, at)), [0, 0, 0, 1, 1, 2, 2]);
});

test("the caret goes by what people see as characters, there and back again", () => {
  const places = [0];
  for (let at = 0; characterFrom(text, blocks, at, 1) !== at;) {
    at = characterFrom(text, blocks, at, 1);
    places.push(at);
  }
  const seen = places.slice(0, -1).map((at, number) => text.slice(at, places[number + 1]));
  assert.deepEqual(seen, ["🙂", " ", "E\u0301", "t", "a", "t", "\r\n", "\r\n", "👩‍⚕️", " ", "p", "T", "2", "a", ",", " ",
    "f", "i", "n"]);
  const back = [text.length];
  for (let at = text.length; at > 0;) {
    at = characterFrom(text, blocks, at, -1);
    back.push(at);
  }
  assert.deepEqual(back.reverse(), places);
});

test("by words it goes to the end of the next and the beginning of the last one", () => {
  const ahead = [0, 3, 9, 20, 22].map((at) => wordFrom(text, blocks, at, 1));
  assert.equal(text.slice(3, ahead[1]), "E\u0301tat");
  assert.ok(ahead.every((at, number) => at > [0, 3, 9, 20, 22][number]));
  assert.equal(text.slice(wordFrom(text, blocks, text.length, -1)), "fin");
  assert.equal(wordFrom(text, blocks, text.length, 1), text.length);
  assert.equal(wordFrom(text, blocks, 0, -1), 0);
  const at = text.indexOf("T2a");
  assert.deepEqual(wordAt(text, blocks, at), [at - 1, at + 3]);
  assert.equal(wordAt(text, blocks, text.length), null);
});

test("white space around a selection does not count", () => {
  assert.deepEqual(trimmed("  ab \n", 0, 6), [2, 4]);
  assert.deepEqual(trimmed("   ", 0, 3), [3, 3]);
});
