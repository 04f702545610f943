import assert from "node:assert/strict";
import { test } from "node:test";

import { Labels, firstValue } from "../../widgets/span_labels.js";

const label = (/** @type {string} */ name, /** @type {string} */ title, /** @type {string} */ kind = "category",
  /** @type {string[]} */ values = [], unit = "") => ({ name, title, kind, unit, says: "", values });
const labels = new Labels([
  { name: "one", title: "One", labels: [label("er", "récepteurs des œstrogènes"), label("tumour_size", "taille", "size")] },
  { name: "two", title: "Two", labels: [label("stage", "stade", "category", ["II", "IIA"]),
    label("karnofsky", "indice de Karnofsky", "number", [], "%")] }]);

test("two digits set a label", () => {
  assert.deepEqual(["er", "karnofsky", "unknown"].map((name) => labels.keys(name)), ["1 1", "2 2", ""]);
  assert.equal(labels.title("unknown"), "unknown");
});

test("typing finds a label by any word of its title or name, without accents", () => {
  const found = (/** @type {string} */ typed) => labels.find(typed).map((one) => one.name);
  assert.deepEqual(found("RECEP"), ["er"]);
  assert.deepEqual(found("kar"), ["karnofsky"]);
  assert.deepEqual(found("size"), ["tumour_size"]);
  assert.deepEqual(found("ta"), ["tumour_size", "stage"]);
  assert.deepEqual(found("xyz"), []);
  assert.equal(found("").length, 4);
});

test("a first value is one of the catalogue or a number, and never a guess", () => {
  assert.deepEqual(firstValue(labels.byName.get("stage"), "iia"), { value: "IIA", unit: "" });
  assert.deepEqual(firstValue(labels.byName.get("stage"), "iia or so"), { value: "", unit: "" });
  assert.deepEqual(firstValue(labels.byName.get("karnofsky"), "IK 82,5 %"), { value: "82.5", unit: "%" });
  assert.deepEqual(firstValue(undefined, "4"), { value: "", unit: "" });
});
