import assert from "node:assert/strict";
import { test } from "node:test";

import { options } from "../../widgets/add_table.js";
import { fill } from "../../widgets/elements.js";

test("fields that were left empty are not asked for", () => {
  assert.deepEqual(options({ name: { value: " clinical " }, block: { value: "" }, date_order: { value: "day-first" },
    replace: { value: "on", type: "checkbox", checked: false } }), { name: "clinical", date_order: "day-first" });
  assert.deepEqual(options({ replace: { value: "on", type: "checkbox", checked: true } }), { replace: true });
});

test("places in braces are filled in, unknown ones stay, and values are no patterns", () => {
  assert.equal(fill("{n} of {all}, {n} {other}", { n: "$&", all: 0 }), "$& of 0, $& {other}");
});
