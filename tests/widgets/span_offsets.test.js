import assert from "node:assert/strict";
import { test } from "node:test";

import { Offsets } from "../../widgets/span_offsets.js";

const TEXTS = ["", "plain", "🙂", "a🙂b", "🙂🩺x", "E\u0301tude 👩‍⚕️ T2", "👩‍⚕️", "\uD83D lone", "x\r\n🙂\r\n𝒜"];

test("every place of a text is the same place in the other count", () => {
  for (const text of TEXTS) {
    const offsets = new Offsets(text);
    const points = [...text];
    let unit = 0;
    points.forEach((one, point) => {
      assert.equal(offsets.toUnits(point), unit, text);
      assert.equal(offsets.toPoints(unit), point, text);
      unit += one.length;
    });
    assert.equal(offsets.toUnits(points.length), text.length);
    assert.equal(offsets.toPoints(text.length), points.length);
  }
});

test("a combining accent is a code point of its own, an emoji is one and two units", () => {
  const offsets = new Offsets("🙂E\u0301T2a");
  assert.deepEqual([3, 6].map((point) => offsets.toUnits(point)), [4, 7]);
  assert.equal("🙂E\u0301T2a".slice(offsets.toUnits(3), offsets.toUnits(6)), "T2a");
});
