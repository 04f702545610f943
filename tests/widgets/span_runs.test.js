import assert from "node:assert/strict";
import { test } from "node:test";

import { blockAt, blocksOf } from "../../widgets/span_blocks.js";
import { byBlock, inOrder, levelsOf, runsOf } from "../../widgets/span_runs.js";

const span = (/** @type {string} */ id, /** @type {number} */ start, /** @type {number} */ end) =>
  ({ id, attribute: "grade", start, end, value: "", unit: "", qualifier: "", context: [], rule: "", status: "added" });

test("spans that overlap lie on different lines, others on the first", () => {
  const spans = [span("a", 0, 10), span("b", 2, 5), span("c", 4, 8), span("d", 5, 6), span("e", 10, 12)];
  assert.deepEqual([...levelsOf(spans)], [["a", 0], ["b", 1], ["c", 2], ["d", 1], ["e", 0]]);
});

test("runs cover a block without gaps and name every span that covers them", () => {
  const spans = [span("a", 0, 6), span("b", 4, 9), span("c", 20, 30)].sort(inOrder);
  const runs = runsOf({ start: 2, end: 12 }, spans, [[5, 7]]);
  assert.deepEqual(runs.map(({ start, end, spans: over, hit, ends }) => [start, end, over.map((one) => one.id).join(""),
    hit, ends.map((one) => one.id).join("")]), [[2, 4, "a", false, ""], [4, 5, "ab", false, ""], [5, 6, "ab", true, "a"],
    [6, 7, "b", true, ""], [7, 9, "b", false, "b"], [9, 12, "", false, ""]]);
  assert.deepEqual(runsOf({ start: 3, end: 3 }, spans, []), []);
});

test("a span over several lines is drawn in each, its tag at its end only", () => {
  const text = "one\ntwo\nthree";
  const blocks = blocksOf(text);
  const spans = [span("a", 1, 10)];
  const found = byBlock(blocks, spans, blockAt);
  assert.deepEqual([...found.keys()], [0, 1, 2]);
  const ends = blocks.map((block, place) => runsOf(block, found.get(place) ?? [], []).flatMap((run) => run.ends).length);
  assert.deepEqual(ends, [0, 0, 1]);
});
