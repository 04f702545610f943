import assert from "node:assert/strict";
import { test } from "node:test";

import { barOpacity, binaryFigures, byHorizon, riskEnd, rowAt, rowNear, shown, stepped, survivalFigures } from "../../widgets/linked_figures.js";
import { faded } from "../../widgets/plotly.js";

const colours = { text: "#111111", line: "#222222", back: "#ffffff", one: "#0072b2", two: "#d55e00", three: "#00795a", four: "#a4467a", grey: "#57606a" };
const t = { linked_risk: "risk", linked_predicted: "predicted", linked_observed: "observed", linked_horizon: "by",
  linked_not_estimable: "not estimable" };
const thresholds = { threshold: [0.1, 0.5, 0.9], tp: [9, 6, 1], fp: [8, 3, 0], fn: [1, 4, 9], tn: [2, 7, 10], tpr: [0.9, 0.6, 0.1],
  fpr: [0.8, 0.3, 0], sensitivity: ["a", "b", "c"], specificity: ["a", "b", "c"], ppv: ["a", "b", "c"], npv: ["a", "b", "c"] };
const binary = { kind: "binary", blocks: "all", learner: "ridge", headline: "", n: 20, events: 10, thresholds,
  calibration: { predicted: [0.2, 0.6], observed: [0.1, 0.7], lower: [0.05, null], upper: [0.3, null], n: [10, 10] },
  histogram: { edges: [0, 0.5, 1], counts: { event: [4, 6], none: [7, 3] } },
  roc: { fpr: [0, 1], tpr: [0, 1], lower: [0, 1], upper: [0, 1] },
  decision: { threshold: [0.1, 0.5, 0.9], net_benefit: [0.4, 0.2, 0.01], lower: [], upper: [], all: [0.4, 0, -4] } };

test("the nearest threshold, the lower one of two", () => {
  assert.equal(rowAt([0.1, 0.2, 0.3], 0.26), 2);
  assert.equal(rowAt([0.1, 0.2, 0.3], 0.15), 0);
  assert.equal(rowNear(thresholds, 0.25, 0.65), 1);
});

test("one threshold moves the point on the ROC curve, the cut and the point on the decision curve together", () => {
  for (const row of [0, 1, 2]) {
    const figures = binaryFigures(binary, row, colours, t);
    const last = (/** @type {any} */ figure) => figure.data.at(-1);
    assert.deepEqual([last(figures.roc).x[0], last(figures.roc).y[0]], [thresholds.fpr[row], thresholds.tpr[row]]);
    assert.equal(figures.histogram.layout.shapes[0].x0, thresholds.threshold[row]);
    assert.deepEqual([last(figures.decision).x[0], last(figures.decision).y[0]], [thresholds.threshold[row], binary.decision.net_benefit[row]]);
    assert.equal(figures.calibration.layout.shapes[0].x1, thresholds.threshold[row]);
  }
  assert.deepEqual(barOpacity([0, 0.5, 1], 0.5), [0.4, 1]);
});

test("a group that is chosen stands out in every plot", () => {
  const group = (/** @type {string} */ name) => ({ name, predicted: 0.2, observed: 0.3, lower: 0.2, upper: 0.4, at_risk: [5], row: [name],
    curve: { time: [0, 10], survival: [1, 0.8], lower: [1, 0.6], upper: [1, 0.9] } });
  const model = { ...binary, kind: "survival", value: "survival", unit: "days", horizon: 5, ticks: [0, 5], groups: [group("low"), group("high")],
    histogram: { edges: [0, 1], counts: { low: [5], high: [6] } } };
  for (const figure of Object.values(survivalFigures(model, "high", colours, t))) {
    const own = figure.data.filter((/** @type {any} */ trace) => trace.meta);
    assert.deepEqual([...new Set(own.map((/** @type {any} */ trace) => `${trace.meta} ${trace.opacity}`))].sort(), ["high 1", "low 0.2"]);
  }
  const short = { ...model, groups: [{ ...group("low"), observed: null, lower: null, upper: null }, group("high")] };
  const names = survivalFigures(short, "", colours, t).calibration.data.map((/** @type {any} */ trace) => trace.name);
  assert.deepEqual(names.slice(-2), ["low (not estimable)", "high"]);
  assert.equal(shown("low", ""), 1);
  assert.equal(byHorizon(model, t).linked_observed, "observed by 5 days");
});

test("steps, ranges and transparency", () => {
  assert.deepEqual(stepped({ time: [0, 1, 2], lower: [1, 2, 3], upper: [4, 5, 6] }), {
    time: [0, 1, 1, 2, 2], lower: [1, 1, 2, 2, 3], upper: [4, 4, 5, 5, 6] });
  assert.equal(riskEnd([0.001], [null]), 0.05 * 1.08);
  assert.equal(riskEnd([0.99]), 1);
  assert.equal(faded("#0072b2", 0.5), "rgba(0,114,178,0.5)");
});
