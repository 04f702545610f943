/** The histogram of a ROI, from numbers that the kernel counted. */

import { element, fill } from "./elements.js";

/** @typedef {import("./slice_types.js").Histogram} Histogram */

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 260;
const HEIGHT = 90;

/**
 * Outline of the bars, in a box of the given size; the highest bar reaches its top.
 * @param {Pick<Histogram, "edges"|"counts">} histogram
 * @param {number} width
 * @param {number} height
 */
export function barsPath({ edges, counts }, width, height) {
  const span = edges[edges.length - 1] - edges[0] || 1;
  const highest = Math.max(...counts, 1);
  const x = (/** @type {number} */ edge) => round(((edge - edges[0]) / span) * width);
  const bars = counts.map((count, k) => `V${round(height - (count / highest) * height)}H${x(edges[k + 1])}`);
  return `M0 ${height}${bars.join("")}V${height}Z`;
}

/** @param {number} value */
const round = (value) => Math.round(value * 100) / 100;

/**
 * @param {Histogram} histogram
 * @param {string} label
 * @param {import("./slice_format.js").Numbers} numbers
 */
export function histogramFigure(histogram, label, numbers) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", barsPath(histogram, WIDTH, HEIGHT));
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  svg.append(path);
  const { edges, unit, lines } = histogram;
  const ends = [edges[0], edges[edges.length - 1]].map((edge) => element("span", {}, numbers.value(edge)));
  const axis = element("div", { class: "mlab-axis" }, ends[0], element("span", {}, unit), ends[1]);
  const rows = lines.map(([name, text]) => element("div", {}, element("dt", {}, name), element("dd", {}, text)));
  return element("figure", {}, svg, axis, element("dl", { class: "mlab-numbers" }, ...rows));
}

/**
 * @param {import("./slice_view.js").Viewer} viewer
 */
export function histogramPanel(viewer) {
  const { t } = viewer;
  const body = element("div");
  let shown = /** @type {unknown} */ (undefined);
  viewer.panels.push(() => {
    const roi = viewer.rois.find(({ id }) => id === viewer.state.roi) ?? viewer.rois[0];
    if (shown === roi) return;
    shown = roi;
    const label = fill(t.slice_histogram_of, { name: roi?.name ?? "" });
    if (roi?.histogram) body.replaceChildren(histogramFigure(roi.histogram, label, viewer.numbers));
    else body.replaceChildren(element("p", { class: "mlab-muted" }, t.slice_no_histogram));
    if (roi) body.prepend(element("div", { class: "mlab-strong" }, roi.name));
  });
  return body;
}
