/** What can be done in a view; keys, buttons and drags all end here. */

import { draggedWindow } from "./slice_colour.js";
import { clampIndex, indexAt, middle, PLANES, zoomedCentre } from "./slice_geometry.js";
import { brushPath, brushVoxels } from "./slice_masks.js";
import { saveScreenshot } from "./slice_screenshot.js";
import { CROSSHAIRS, LOOKS } from "./slice_state.js";

/** @typedef {import("./slice_view.js").Viewer} Viewer */
/** @typedef {import("./slice_view.js").PlaneView} PlaneView */
/** @typedef {import("./slice_state.js").State} State */

const LARGEST_ZOOM = 40;
const FLUSH_EVERY = 100;
const ARROW_PX = 10;

/**
 * @param {Viewer} viewer
 * @param {Partial<State>} values
 */
export function change(viewer, values) {
  Object.assign(viewer.state, values);
  viewer.redraw();
  viewer.refresh();
  viewer.keep();
}

/**
 * Moves the linked position; only planes that look different then are drawn again.
 * @param {Viewer} viewer
 * @param {number[]} wanted
 */
export function moveTo(viewer, wanted) {
  const { state } = viewer;
  const index = clampIndex(wanted, viewer.store.base.size);
  const moved = [0, 1, 2].filter((axis) => index[axis] !== state.index[axis]);
  if (!moved.length) return;
  state.index = index;
  viewer.redraw(state.crosshair === "hidden" ? moved : undefined);
  viewer.refresh();
  viewer.keep();
}

/**
 * @param {Viewer} viewer
 * @param {number} axis
 * @param {number} steps
 */
export function step(viewer, axis, steps) {
  const index = [...viewer.state.index];
  index[axis] += steps;
  moveTo(viewer, index);
}

/**
 * @param {Viewer} viewer
 * @param {string} image
 * @param {number[]} window
 */
export function setWindow(viewer, image, window) {
  viewer.state.windows = { ...viewer.state.windows, [image]: window };
  viewer.redraw();
  viewer.refresh();
  viewer.keep();
}

/**
 * @param {Viewer} viewer
 * @param {string} overlay
 */
export function chooseOverlay(viewer, overlay) {
  const opacity = viewer.store.image(overlay)?.opacity ?? viewer.state.opacity;
  if (overlay) viewer.store.keepOnly(overlay);
  change(viewer, { overlay, opacity, target: overlay || viewer.store.base.id });
}

/**
 * @param {Viewer} viewer
 * @param {string} tool
 */
export function chooseTool(viewer, tool) {
  const paints = ["brush", "eraser"].includes(tool);
  if (paints && !viewer.edits.draft) viewer.notice = viewer.t.slice_start_first;
  else viewer.state.tool = tool;
  viewer.measuring = null;
  viewer.redraw();
  viewer.refresh();
}

/**
 * @param {Viewer} viewer
 * @param {PlaneView} view
 * @param {number} factor
 * @param {[number, number]} at CSS pixels
 */
export function zoomAt(viewer, { plane, frame }, factor, at) {
  const shown = viewer.state.zoom[plane.axis];
  const zoom = Math.min(LARGEST_ZOOM, Math.max(0.5, shown.zoom * factor));
  const centre = shown.centre ?? middle(plane, viewer.store.base.size);
  setZoom(viewer, plane.axis, zoom, zoomedCentre(frame, centre, zoom / shown.zoom, at));
}

/**
 * @param {Viewer} viewer
 * @param {number} axis
 * @param {number} zoom
 * @param {number[] | null} centre
 */
export function setZoom(viewer, axis, zoom, centre) {
  viewer.state.zoom[axis] = { zoom, centre };
  viewer.redraw([axis]);
  viewer.keep();
}

/**
 * Moves the picture by CSS pixels from where it was centred.
 * @param {Viewer} viewer
 * @param {PlaneView} view
 * @param {number[]} centre
 * @param {number} dx
 * @param {number} dy
 */
export function pan(viewer, { plane, frame }, centre, dx, dy) {
  const { zoom } = viewer.state.zoom[plane.axis];
  setZoom(viewer, plane.axis, zoom, [centre[0] - dx / frame.sx, centre[1] - dy / frame.sy]);
}

/** @param {Viewer} viewer */
export function fitAll(viewer) {
  for (const { axis } of PLANES) viewer.state.zoom[axis] = { zoom: 1, centre: null };
  viewer.redraw();
  viewer.keep();
}

/**
 * Puts the brush down along a way; the stroke has begun.
 * @param {Viewer} viewer
 * @param {PlaneView} view
 * @param {number[] | null} from continuous index, null at the start of a stroke
 * @param {number[]} to
 */
export function brushTo(viewer, { plane }, from, to) {
  const { size, spacing } = viewer.store.base;
  const { radius, ball } = viewer.state;
  const axes = ball ? [0, 1, 2] : [plane.column, plane.row];
  const path = from ? brushPath(from, to, spacing, radius) : [to];
  for (const centre of path) viewer.edits.paint(brushVoxels(size, spacing, centre, radius, axes));
  viewer.redraw();
  viewer.later("flush", FLUSH_EVERY, () => viewer.edits.flush(false));
}

/** @param {Viewer} viewer */
const activeView = (viewer) => viewer.views[viewer.state.active];

/**
 * Arrows act through the tool: they move the position, the window or the picture.
 * @param {Viewer} viewer
 * @param {number} dx
 * @param {number} dy
 */
function arrow(viewer, dx, dy) {
  const view = activeView(viewer);
  const { plane } = view;
  const { tool, zoom, index } = viewer.state;
  if (tool === "window") {
    const { target } = viewer;
    setWindow(viewer, target.id, draggedWindow(viewer.windowOf(target), dx * ARROW_PX, dy * ARROW_PX, target.range));
  } else if (tool === "pan") {
    const centre = zoom[plane.axis].centre ?? middle(plane, viewer.store.base.size);
    pan(viewer, view, centre, dx * ARROW_PX, dy * ARROW_PX);
  } else {
    const position = [index[plane.column] + dx, index[plane.row] + (plane.flip ? -dy : dy)];
    moveTo(viewer, indexAt(plane, index[plane.axis], position));
  }
}

/**
 * The tool at the linked position: a touch of the brush, or an end of a measurement.
 * @param {Viewer} viewer
 */
function use(viewer) {
  const view = activeView(viewer);
  const { tool, index } = viewer.state;
  if (tool === "ruler") measureAt(viewer, view.plane.axis, index);
  if (tool !== "brush" && tool !== "eraser") return;
  viewer.edits.begin(tool === "brush" ? 1 : 0);
  brushTo(viewer, view, null, index);
  viewer.edits.flush(true);
}

/**
 * @param {Viewer} viewer
 * @param {number} axis
 * @param {number[]} index
 */
function measureAt(viewer, axis, index) {
  const slice = index[axis];
  const begun = viewer.measuring;
  if (begun?.axis === axis && begun.slice === slice) finishMeasure(viewer, index);
  else viewer.measuring = { axis, slice, from: [...index], to: [...index] };
  viewer.redraw();
}

/**
 * Keeps the measurement that was begun, unless it has no length.
 * @param {Viewer} viewer
 * @param {number[]} to
 */
export function finishMeasure(viewer, to) {
  const begun = viewer.measuring;
  viewer.measuring = null;
  if (!begun || begun.from.every((value, k) => value === to[k])) return viewer.redraw();
  change(viewer, { measures: [...viewer.state.measures, { ...begun, to: [...to] }] });
}

/**
 * @template T
 * @param {T[]} values
 * @param {T} value
 */
const after = (values, value) => values[(values.indexOf(value) + 1) % values.length];

/** @param {Viewer} viewer */
function toggleRois(viewer) {
  const any = viewer.rois.some((roi) => viewer.isVisible(roi));
  change(viewer, { hidden: Object.fromEntries(viewer.rois.map(({ id }) => [id, any])) });
}

/** @param {Viewer} viewer @param {number} number */
function preset(viewer, number) {
  const { target } = viewer;
  const found = target.presets[number];
  if (found) setWindow(viewer, target.id, [found.low, found.high]);
}

/** @type {Record<string, (viewer: Viewer, ...values: any[]) => void>} */
const COMMANDS = {
  arrow, use, preset, tool: chooseTool, fit: fitAll, rois: toggleRois, screenshot: saveScreenshot,
  step: (viewer, steps) => step(viewer, viewer.state.active, steps),
  end: (viewer, last) => step(viewer, viewer.state.active, last ? 1e9 : -1e9),
  zoom: (viewer, factor) => {
    const view = activeView(viewer);
    zoomAt(viewer, view, factor, [view.width / 2, view.height / 2]);
  },
  radius: (viewer, factor) => change(viewer, { radius: Math.min(200, Math.max(0.1, viewer.state.radius * factor)) }),
  ball: (viewer) => change(viewer, { ball: !viewer.state.ball }),
  crosshair: (viewer) => change(viewer, { crosshair: after(CROSSHAIRS, viewer.state.crosshair) }),
  smooth: (viewer) => change(viewer, { smooth: !viewer.state.smooth }),
  look: (viewer) => change(viewer, { look: after(LOOKS, viewer.state.look) }),
  overlay: (viewer) => {
    const ids = ["", ...viewer.store.images.slice(1).map(({ id }) => id)];
    chooseOverlay(viewer, after(ids, viewer.state.overlay));
  },
  maximise: (viewer) => change(viewer, { maximised: viewer.state.maximised === null ? viewer.state.active : null }),
  layout: (viewer) => change(viewer, { single: !viewer.state.single, maximised: null }),
  remove: (viewer) => change(viewer, { measures: viewer.state.measures.slice(0, -1) }),
  undo: (viewer) => viewer.edits.undo(),
  redo: (viewer) => viewer.edits.redo(),
};

/**
 * @param {Viewer} viewer
 * @param {[string, ...(string|number)[]]} command
 * @returns {boolean} false where there is no such command
 */
export function carryOut(viewer, [name, ...values]) {
  COMMANDS[name]?.(viewer, ...values);
  return name in COMMANDS;
}
