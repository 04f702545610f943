// Figures of the linked plots as plain plotly descriptions: from a model's numbers, what is chosen, colours and texts.
import { faded } from "./plotly.js";

/**
 * @typedef {Record<string, string>} Words
 * @typedef {(number | null)[]} Numbers
 * @typedef {{ edges: number[], counts: Record<string, number[]> }} Histogram
 * @typedef {{ threshold: number[], tp: number[], fp: number[], fn: number[], tn: number[], tpr: Numbers, fpr: Numbers,
 *   sensitivity: string[], specificity: string[], ppv: string[], npv: string[] }} Thresholds
 * @typedef {{ name: string, curve: Record<string, Numbers>, at_risk: number[], predicted: number, observed: number | null,
 *   lower: number | null, upper: number | null, row: string[] }} Group
 * @typedef {{ kind: string, blocks: string, learner: string, headline: string, n: number, events: number,
 *   calibration: Record<string, Numbers>, histogram: Histogram, thresholds?: Thresholds, roc?: Record<string, Numbers>,
 *   decision?: Record<string, Numbers>, points?: string[][], groups?: Group[], ticks?: number[], horizon?: number,
 *   value?: string, unit?: string, p?: string }} Model
 * @typedef {Record<"text" | "line" | "back" | "one" | "two" | "three" | "four" | "grey", string>} Colours
 * @typedef {{ data: any[], layout: any }} Figure
 */

/**
 * Row of the threshold nearest to a value.
 * @param {number[]} thresholds rising
 * @param {number} value
 */
export function rowAt(thresholds, value) {
  let best = 0;
  thresholds.forEach((one, row) => {
    if (Math.abs(one - value) < Math.abs(thresholds[best] - value) - 1e-12) best = row;
  });
  return best;
}

/**
 * Row of the threshold whose point of the ROC curve is nearest.
 * @param {Thresholds} table
 * @param {number} fpr
 * @param {number} tpr
 */
export function rowNear(table, fpr, tpr) {
  let best = 0;
  let least = Infinity;
  table.threshold.forEach((_, row) => {
    const distance = ((table.fpr[row] ?? 9) - fpr) ** 2 + ((table.tpr[row] ?? 9) - tpr) ** 2;
    if (distance < least) [best, least] = [row, distance];
  });
  return best;
}

/**
 * Opacity of each bar: those below the threshold are faint.
 * @param {number[]} edges
 * @param {number} threshold
 */
export function barOpacity(edges, threshold) {
  return edges.slice(0, -1).map((edge, place) => ((edge + edges[place + 1]) / 2 >= threshold ? 1 : 0.4));
}

/**
 * Range of an axis of risks: up to the largest that is there, with room.
 * @param {Numbers[]} values
 */
export function riskEnd(...values) {
  const known = values.flat().filter((value) => value !== null);
  return Math.min(1, Math.max(0.05, ...known) * 1.08);
}

/**
 * @param {Colours} colours
 * @param {string} x
 * @param {string} y
 * @returns {any}
 */
function layout(colours, x, y) {
  const axis = { gridcolor: faded(solid(colours.grey), 0.25), linecolor: colours.grey, zeroline: false, showline: true,
    ticks: "outside", tickcolor: colours.grey, automargin: true };
  return {
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", height: 300, margin: { l: 56, r: 14, t: 10, b: 44 },
    font: { color: colours.text, size: 12 }, hovermode: "closest", showlegend: true,
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { size: 11 } }, barmode: "stack", bargap: 0.06,
    xaxis: { ...axis, title: { text: x, standoff: 6 } }, yaxis: { ...axis, title: { text: y, standoff: 6 } },
  };
}

/**
 * "#rrggbb" of what may be a short or empty colour.
 * @param {string} colour
 */
function solid(colour) {
  return /^#[0-9a-f]{6}$/i.test(colour) ? colour : "#777777";
}

/**
 * A shaded interval around a curve; without limits nothing.
 * @param {Numbers} x
 * @param {Numbers} lower
 * @param {Numbers} upper
 * @param {string} colour
 * @param {object} [more]
 */
function band(x, lower, upper, colour, more = {}) {
  const rows = x.map((_, row) => row).filter((row) => lower[row] !== null && upper[row] !== null && lower.length);
  return {
    x: [...rows.map((row) => x[row]), ...rows.map((row) => x[row]).reverse()],
    y: [...rows.map((row) => upper[row]), ...rows.map((row) => lower[row]).reverse()],
    fill: "toself", fillcolor: faded(colour, 0.18), line: { width: 0 }, mode: "lines", hoverinfo: "skip",
    showlegend: false, type: "scatter", ...more,
  };
}

/**
 * A vertical line at the threshold.
 * @param {number} at
 * @param {Colours} colours
 */
function cut(at, colours) {
  return { type: "line", x0: at, x1: at, y0: 0, y1: 1, yref: "paper", line: { color: colours.text, width: 1.5, dash: "dash" } };
}

/**
 * @param {Model} model
 * @param {number} row
 * @param {Colours} colours
 * @param {Words} t
 * @returns {Record<"roc" | "histogram" | "calibration" | "decision", Figure>}
 */
export function binaryFigures(model, row, colours, t) {
  const table = /** @type {Thresholds} */ (model.thresholds);
  const at = table.threshold[row];
  return {
    roc: rocFigure(model, table, row, colours, t),
    histogram: histogramFigure(model, at, colours, t),
    calibration: calibrationFigure(model, [], "", colours, t, at),
    decision: decisionFigure(model, table, row, colours, t),
  };
}

/**
 * @param {Model} model
 * @param {Thresholds} table
 * @param {number} row
 * @param {Colours} colours
 * @param {Words} t
 * @returns {Figure}
 */
function rocFigure(model, table, row, colours, t) {
  const roc = model.roc ?? {};
  const drawn = layout(colours, t.linked_fpr, t.linked_tpr);
  const mark = { x: [table.fpr[row]], y: [table.tpr[row]], mode: "markers", type: "scatter", showlegend: false,
    marker: { size: 12, color: colours.two, line: { color: colours.text, width: 1.5 } },
    hovertemplate: `${t.linked_threshold} ${table.threshold[row].toFixed(2)}<extra></extra>` };
  return {
    data: [
      band(roc.fpr ?? [], roc.lower ?? [], roc.upper ?? [], colours.one),
      { x: [0, 1], y: [0, 1], mode: "lines", type: "scatter", hoverinfo: "skip", showlegend: false,
        line: { color: colours.grey, width: 1, dash: "dot" } },
      { x: [1, ...table.fpr, 0], y: [1, ...table.tpr, 0], customdata: [0.01, ...table.threshold, 0.99], mode: "lines+markers",
        type: "scatter", showlegend: false, line: { color: colours.one, width: 2 }, marker: { size: 4, color: colours.one },
        hovertemplate: `${t.linked_threshold} %{customdata:.2f}<extra></extra>` },
      mark,
    ],
    layout: { ...drawn, xaxis: { ...drawn.xaxis, range: [-0.02, 1.02] }, yaxis: { ...drawn.yaxis, range: [-0.02, 1.02] } },
  };
}

/**
 * @param {Model} model
 * @param {number} at
 * @param {Colours} colours
 * @param {Words} t
 * @returns {Figure}
 */
function histogramFigure(model, at, colours, t) {
  const { edges, counts } = model.histogram;
  const opacity = barOpacity(edges, at);
  const bars = (/** @type {string} */ part, /** @type {string} */ name, /** @type {string} */ colour, /** @type {string} */ pattern) => ({
    ...bar(edges, counts[part], name, colour), marker: { color: colour, opacity, pattern: { shape: pattern, solidity: 0.2 } } });
  return {
    data: [bars("none", t.linked_no_event, colours.one, ""), bars("event", t.linked_event, colours.two, "/")],
    layout: { ...layout(colours, t.linked_risk, t.linked_patients), shapes: [cut(at, colours)] },
  };
}

/**
 * @param {number[]} edges
 * @param {number[]} counts
 * @param {string} name
 * @param {string} colour
 * @returns {any}
 */
function bar(edges, counts, name, colour) {
  return { type: "bar", name, x: edges.slice(0, -1).map((edge, place) => (edge + edges[place + 1]) / 2), y: counts,
    customdata: edges, marker: { color: colour }, hovertemplate: `%{x:.3f}: %{y}<extra>${name}</extra>` };
}

/**
 * @param {Model} model
 * @param {Group[]} groups
 * @param {string} chosen
 * @param {Colours} colours
 * @param {Words} t
 * @param {number} [at] threshold
 * @returns {Figure}
 */
function calibrationFigure(model, groups, chosen, colours, t, at) {
  const bins = model.calibration;
  const end = riskEnd(bins.predicted, bins.observed, bins.upper, groups.map((group) => group.upper));
  const drawn = layout(colours, t.linked_predicted, t.linked_observed);
  const colour = groups.length ? colours.grey : colours.one;
  return {
    data: [
      { x: [0, 1], y: [0, 1], mode: "lines", type: "scatter", hoverinfo: "skip", showlegend: false,
        line: { color: colours.grey, width: 1, dash: "dot" } },
      { x: bins.predicted, y: bins.observed, type: "scatter", mode: "lines+markers", name: t.linked_bins,
        line: { color: colour, width: 1.5 }, marker: { size: 7, color: colour }, text: bins.n.map((n) => `n = ${n}`),
        showlegend: groups.length > 0, error_y: limits(bins.observed, bins.lower, bins.upper, colour) },
      ...groups.map((group, place) => ({
        x: [group.predicted], y: [group.observed], type: "scatter", mode: "markers",
        name: group.observed === null ? `${group.name} (${t.linked_not_estimable})` : group.name,
        meta: group.name, opacity: shown(group.name, chosen),
        marker: { size: 13, symbol: SYMBOLS[place], color: groupColour(place, colours), line: { color: colours.text, width: 1 } },
        error_y: limits([group.observed], [group.lower], [group.upper], groupColour(place, colours)) })),
    ],
    layout: { ...drawn, xaxis: { ...drawn.xaxis, range: [0, end] }, yaxis: { ...drawn.yaxis, range: [0, end] },
      shapes: at === undefined ? [] : [cut(at, colours)] },
  };
}

/**
 * @param {Numbers} middle
 * @param {Numbers} lower
 * @param {Numbers} upper
 * @param {string} color
 */
function limits(middle, lower, upper, color) {
  const away = (/** @type {Numbers} */ other) => middle.map((value, row) => Math.abs((value ?? 0) - (other[row] ?? value ?? 0)));
  return { type: "data", symmetric: false, array: away(upper), arrayminus: away(lower), color, thickness: 1.2, width: 4 };
}

/**
 * @param {Model} model
 * @param {Thresholds} table
 * @param {number} row
 * @param {Colours} colours
 * @param {Words} t
 * @returns {Figure}
 */
function decisionFigure(model, table, row, colours, t) {
  const curve = model.decision ?? {};
  const at = table.threshold[row];
  const place = rowAt(/** @type {number[]} */ (curve.threshold ?? [0]), at);
  const top = Math.max(0.02, ...(curve.net_benefit ?? []).map((value) => value ?? 0), ...(curve.upper ?? []).map((value) => value ?? 0)) * 1.1;
  const line = (/** @type {Numbers} */ y, /** @type {string} */ name, /** @type {object} */ style) => (
    { x: curve.threshold, y, mode: "lines", type: "scatter", name, line: style });
  const drawn = layout(colours, t.linked_threshold, t.linked_benefit);
  return {
    data: [
      band(curve.threshold ?? [], curve.lower ?? [], curve.upper ?? [], colours.one),
      line(curve.net_benefit, t.linked_model, { color: colours.one, width: 2.2 }),
      line(curve.all, t.linked_all, { color: colours.grey, width: 1.5 }),
      { x: [0, 1], y: [0, 0], mode: "lines", type: "scatter", name: t.linked_none, hoverinfo: "skip",
        line: { color: colours.text, width: 1, dash: "dot" } },
      { x: [at], y: [curve.net_benefit?.[place] ?? null], mode: "markers", type: "scatter", showlegend: false,
        marker: { size: 12, color: colours.two, line: { color: colours.text, width: 1.5 } } },
    ],
    layout: { ...drawn, shapes: [cut(at, colours)], xaxis: { ...drawn.xaxis, range: [0, 1] },
      yaxis: { ...drawn.yaxis, range: [-0.25 * top, top] } },
  };
}

const SYMBOLS = ["circle", "diamond", "square", "triangle-up"];
const DASHES = ["solid", "dash", "dot", "dashdot"];

/**
 * @param {number} place
 * @param {Colours} colours
 */
export function groupColour(place, colours) {
  return [colours.one, colours.two, colours.three, colours.four][place % 4];
}

/**
 * @param {string} name
 * @param {string} chosen empty: every group
 */
export function shown(name, chosen) {
  return chosen === "" || chosen === name ? 1 : 0.2;
}

/**
 * @param {Model} model
 * @param {string} chosen group, or empty
 * @param {Colours} colours
 * @param {Words} t
 * @returns {Record<"curves" | "calibration" | "histogram", Figure>}
 */
export function survivalFigures(model, chosen, colours, t) {
  const groups = model.groups ?? [];
  return {
    curves: curvesFigure(model, groups, chosen, colours, t),
    calibration: calibrationFigure(model, groups, chosen, colours, { ...t, ...byHorizon(model, t) }),
    histogram: {
      data: groups.map((group, place) => ({
        ...bar(model.histogram.edges, model.histogram.counts[group.name], group.name, groupColour(place, colours)),
        meta: group.name, opacity: shown(group.name, chosen) })),
      layout: layout(colours, byHorizon(model, t).linked_risk, t.linked_patients),
    },
  };
}

/**
 * The texts of risks with the horizon at which they are meant.
 * @param {Model} model
 * @param {Words} t
 * @returns {Words}
 */
export function byHorizon(model, t) {
  const when = model.horizon ? ` ${t.linked_horizon} ${model.horizon} ${model.unit ?? ""}`.trimEnd() : "";
  return { linked_risk: t.linked_risk + when, linked_predicted: t.linked_predicted + when,
    linked_observed: t.linked_observed + when };
}

/**
 * Curves by group; the patients at risk stand in the table below the plots.
 * @param {Model} model
 * @param {Group[]} groups
 * @param {string} chosen
 * @param {Colours} colours
 * @param {Words} t
 * @returns {Figure}
 */
function curvesFigure(model, groups, chosen, colours, t) {
  const value = model.value ?? "survival";
  const drawn = layout(colours, model.unit ? `${t.linked_time} (${model.unit})` : t.linked_time,
    value === "incidence" ? t.linked_cumulative : t.linked_event_free);
  const traces = groups.flatMap((group, place) => {
    const colour = groupColour(place, colours);
    const opacity = shown(group.name, chosen);
    const steps = stepped(group.curve);
    return [
      { ...band(steps.time, steps.lower, steps.upper, colour), meta: group.name, opacity },
      { x: group.curve.time, y: group.curve[value], mode: "lines", type: "scatter", name: group.name, meta: group.name,
        opacity, line: { shape: "hv", color: colour, width: 2.2, dash: DASHES[place % 4] } },
    ];
  });
  return { data: traces, layout: { ...drawn, yaxis: { ...drawn.yaxis, range: [0, 1.03] },
    xaxis: { ...drawn.xaxis, tickvals: model.ticks }, shapes: model.horizon ? [cut(model.horizon, colours)] : [] } };
}

/**
 * Both ends of every step, so that a band follows a step curve.
 * @param {Record<string, Numbers>} curve
 * @returns {Record<"time" | "lower" | "upper", Numbers>}
 */
export function stepped(curve) {
  const twice = (/** @type {Numbers} */ values) => values.flatMap((value) => [value, value]);
  return { time: twice(curve.time).slice(1), lower: twice(curve.lower).slice(0, -1), upper: twice(curve.upper).slice(0, -1) };
}
