import assert from "node:assert/strict";
import { test } from "node:test";

// Node imports no blobs: their text stands in the address here.
/** @type {string[]} */
const made = [];
const Text = /** @type {any} */ (class { constructor(/** @type {string[]} */ parts) { this.text = parts.join(""); } });
globalThis.Blob = Text;
URL.createObjectURL = (blob) => {
  made.push(/** @type {any} */ (blob).text);
  return `data:text/javascript,${encodeURIComponent(/** @type {any} */ (blob).text)}`;
};

const { default: loader, loaded } = await import("../../widgets/loader.js");

/** @type {[string, string][]} */
const MODULES = [["count.js#1", "export const counted = { n: 0 };"],
  ["a.js#1", `import { counted } from "linked:count.js#1";
export default { render: ({ el }) => { counted.n += 1; el.push(counted.n); } };`]];

/** @param {Record<string, any>} values */
const modelOf = (values) => {
  /** @type {Record<string, (model: any) => void>} */
  const heard = {};
  const on = (/** @type {string} */ name, /** @type {(model: any) => void} */ act) => { heard[name] = act; };
  return { heard, on, get: (/** @type {string} */ name) => values[name] };
};

test("modules that two widgets share are loaded once", async () => {
  const before = made.length;
  await loaded(MODULES);
  await loaded([MODULES[0], ["b.js#1", MODULES[1][1]], MODULES[1]]);
  assert.equal(made.length - before, 3);
  const other = await loaded([MODULES[0], ["a.js#2", "export default { render: () => 'other' };"]]);
  assert.equal(other.default.render(/** @type {any} */ ({})), "other");
});

test("a view is drawn by the model's module, and none that has ended while that was loaded", async () => {
  const model = /** @type {any} */ (modelOf({ _modules: MODULES }));
  /** @type {any} */
  const el = [];
  loader.initialize({ model });
  await loader.render(/** @type {any} */ ({ model, el, signal: new AbortController().signal }));
  await loader.render(/** @type {any} */ ({ model, el, signal: AbortSignal.abort() }));
  assert.deepEqual(el, [1]);
});

test("models that are closed let go of their comms", () => {
  const layout = modelOf({});
  const model = modelOf({ _modules: MODULES, layout });
  loader.initialize({ model: /** @type {any} */ (model) });
  for (const { heard } of [model, layout]) {
    /** @type {Record<string, unknown>} */
    const comm = {};
    heard.destroy({ comm: { on_msg: (/** @type {unknown} */ act) => { comm.msg = act; },
      on_close: (/** @type {unknown} */ act) => { comm.close = act; } } });
    assert.deepEqual(Object.keys(comm), ["msg", "close"]);
    assert.doesNotThrow(() => heard.destroy({}));
  }
});
