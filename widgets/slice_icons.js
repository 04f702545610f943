/** Small pictures for buttons, drawn as lines in a square of 16. */

const SVG = "http://www.w3.org/2000/svg";

/** @type {Record<string, string>} */
const PATHS = {
  position: "M8 1v5M8 10v5M1 8h5M10 8h5",
  window: "M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12M8 2v12M8 5h5M8 8h6M8 11h5",
  pan: "M8 1v14M1 8h14M6 3l2-2l2 2M6 13l2 2l2-2M3 6l-2 2l2 2M13 6l2 2l-2 2",
  ruler: "M1 11L11 1l4 4L5 15zM4 8l2 2M6.500 5.500l1.500 1.500M9 3l2 2",
  brush: "M14 2L7 9M7 9c-2-1-4 0-4 2c0 2-1 2-2 2c2 2 7 2 7-2c0-1 0-1-1-2",
  eraser: "M2 10l7-7l5 5l-6 6H5zM5 7l5 5M8 14h6",
  undo: "M6 3L2 7l4 4M2 7h8a4 4 0 0 1 0 7H7",
  redo: "M10 3l4 4l-4 4M14 7H6a4 4 0 0 0 0 7h3",
  fit: "M2 6V2h4M10 2h4v4M14 10v4h-4M6 14H2v-4",
  zoomIn: "M7 2a5 5 0 1 0 0 10a5 5 0 1 0 0-10M11 11l4 4M5 7h4M7 5v4",
  zoomOut: "M7 2a5 5 0 1 0 0 10a5 5 0 1 0 0-10M11 11l4 4M5 7h4",
  screenshot: "M1 5h3l1-2h6l1 2h3v9H1zM8 7a2.500 2.500 0 1 0 0 5a2.500 2.500 0 1 0 0-5",
  layout: "M1 3h14v10H1zM6 3v10M11 3v10",
  maximise: "M9 2h5v5M14 2L9 7M7 14H2V9M2 14l5-5",
  smooth: "M1 12c4 0 4-8 7-8s3 8 7 8",
  goto: "M8 2a6 6 0 1 0 0 12a6 6 0 1 0 0-12M8 5v6M5 8h6",
};

/**
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
