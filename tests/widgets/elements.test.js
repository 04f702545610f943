import assert from "node:assert/strict";
import { test } from "node:test";

import { fill } from "../../widgets/elements.js";

test("places in braces are filled in, unknown ones stay, and values are no patterns and no places", () => {
  assert.equal(fill("{n} of {all}, {n} {other}", { n: "$&", all: 0 }), "$& of 0, $& {other}");
  assert.equal(fill("{n} of {all}", { n: 2, all: "{n}" }), "2 of {n}");
});
