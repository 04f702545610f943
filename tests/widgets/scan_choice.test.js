import assert from "node:assert/strict";
import { test } from "node:test";

import { Choice, byPatient, fitting } from "../../widgets/scan_choice.js";

/** @param {string} key @param {Partial<import("../../widgets/scan_choice.js").Card>} [values] */
const card = (key, values = {}) => ({ key, patient: "P1", modality: "CT", date: "2020-01-02", description: "thorax",
  files: 9, size: "", rois: [], problem: "", warnings: [], usable: true, picture: true, ...values });
const gtv = { name: "GTV", problem: "" };
const empty = { name: "Lung", problem: "it is empty" };

test("cards are found by patient, description, date and ROI, within a modality", () => {
  const cards = [card("s0"), card("s1", { modality: "PT", rois: [gtv] }), card("s2", { patient: "P2" })];
  const keys = (/** @type {string} */ text, /** @type {string} */ modality) =>
    fitting(cards, text, modality).map((one) => one.key);
  assert.deepEqual(keys("", ""), ["s0", "s1", "s2"]);
  assert.deepEqual(keys(" p2 ", ""), ["s2"]);
  assert.deepEqual(keys("gtv", ""), ["s1"]);
  assert.deepEqual(keys("THORAX", "CT"), ["s0", "s2"]);
  assert.deepEqual(keys("nothing", ""), []);
});

test("cards of a patient stay together in their order", () => {
  const groups = byPatient([card("s0"), card("s1", { patient: "P2" }), card("s2")]);
  assert.deepEqual(groups.map(([patient, own]) => [patient, own.map((one) => one.key)]),
    [["P1", ["s0", "s2"]], ["P2", ["s1"]]]);
});

test("a series brings the ROIs that can be used", () => {
  const choice = new Choice();
  choice.add(card("s0", { rois: [empty, gtv] }));
  assert.deepEqual(choice.asked(), { s0: [1] });
});

test("a ROI brings its series, which stays without it", () => {
  const choice = new Choice();
  const one = card("s0", { rois: [gtv, gtv] });
  choice.setRoi(one, 1, true);
  assert.deepEqual(choice.asked(), { s0: [1] });
  choice.setRoi(one, 0, true);
  choice.setRoi(one, 1, false);
  assert.equal(choice.hasRoi(one, 0), true);
  choice.setRoi(one, 0, false);
  assert.deepEqual(choice.asked(), { s0: [] });
});

test("a series that cannot be used is never chosen", () => {
  const choice = new Choice();
  const broken = card("s0", { usable: false, rois: [gtv] });
  choice.add(broken);
  choice.setRoi(broken, 0, true);
  assert.equal(choice.size, 0);
});

test("a pattern replaces what was chosen", () => {
  const choice = new Choice();
  choice.add(card("s0"));
  choice.replace({ s1: [2, 0] });
  assert.deepEqual(choice.asked(), { s1: [0, 2] });
  choice.clear();
  assert.equal(choice.size, 0);
});
