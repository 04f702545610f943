import assert from "node:assert/strict";
import { test } from "node:test";

import { widget } from "../../widgets/widget.js";

/** @param {AbortSignal} [signal] */
function shown(signal) {
  /** @type {{ classes: string[], begun: number, ended: number }} */
  const seen = { classes: [], begun: 0, ended: 0 };
  const el = { classList: { add: (/** @type {string[]} */ ...names) => seen.classes.push(...names) }, setAttribute() {},
    addEventListener() {} };
  const { render } = widget("mlab-one", (_, __, until) => {
    seen.begun += 1;
    until.addEventListener("abort", () => { seen.ended += 1; });
  });
  const end = /** @type {() => void} */ (render(/** @type {any} */ ({ model: {}, el, signal })));
  return { seen, end };
}

test("a view has the style, and ends once, whoever ends it first", () => {
  const page = new AbortController();
  const { seen, end } = shown(page.signal);
  assert.deepEqual(seen, { classes: ["mlab", "mlab-one"], begun: 1, ended: 0 });
  page.abort();
  end();
  assert.equal(seen.ended, 1);
});

test("a view ends where its host has no signal", () => {
  const { seen, end } = shown();
  end();
  assert.equal(seen.ended, 1);
});
