/** Mouse, pen and wheel on the canvases. */

import { brushTo, finishMeasure, moveTo, pan, setWindow, step, zoomAt } from "./slice_commands.js";
import { draggedWindow } from "./slice_colour.js";
import { indexAt, middle, toPlane } from "./slice_geometry.js";
import { gestureOf, Wheel } from "./slice_keys.js";

/** @typedef {import("./slice_view.js").Viewer} Viewer */
/** @typedef {import("./slice_view.js").PlaneView} PlaneView */
/** @typedef {[number, number]} At */
/** @typedef {{move?: (at: At, event: PointerEvent) => void, end?: (at: At) => void}} Drag */

/**
 * Continuous index under a position of the canvas.
 * @param {Viewer} viewer
 * @param {PlaneView} view
 * @param {At} at
 */
export const indexUnder = (viewer, { plane, frame }, at) =>
  indexAt(plane, viewer.state.index[plane.axis], toPlane(frame, at[0], at[1]));

/** @type {Record<string, (viewer: Viewer, view: PlaneView, start: At) => Drag>} */
const DRAGS = {
  position: (viewer, view, start) => {
    const move = (/** @type {At} */ at) => moveTo(viewer, indexUnder(viewer, view, at));
    move(start);
    return { move };
  },
  window: (viewer, _view, start) => {
    const { target } = viewer;
    const before = viewer.windowOf(target);
    return { move: (at) => setWindow(viewer, target.id, draggedWindow(before, at[0] - start[0], at[1] - start[1], target.range)) };
  },
  pan: (viewer, view, start) => {
    const centre = viewer.state.zoom[view.plane.axis].centre ?? middle(view.plane, viewer.store.base.size);
    return { move: (at) => pan(viewer, view, centre, at[0] - start[0], at[1] - start[1]) };
  },
  ruler: (viewer, view, start) => {
    const from = indexUnder(viewer, view, start);
    const { axis } = view.plane;
    viewer.measuring = { axis, slice: viewer.state.index[axis], from, to: from };
    const move = (/** @type {At} */ at) => {
      if (viewer.measuring) viewer.measuring.to = indexUnder(viewer, view, at);
      viewer.redraw([axis]);
    };
    return { move, end: (at) => finishMeasure(viewer, indexUnder(viewer, view, at)) };
  },
  brush: (viewer, view, start) => paints(viewer, view, start, 1),
  eraser: (viewer, view, start) => paints(viewer, view, start, 0),
};

/**
 * @param {Viewer} viewer
 * @param {PlaneView} view
 * @param {At} start
 * @param {number} value
 * @returns {Drag}
 */
function paints(viewer, view, start, value) {
  let last = indexUnder(viewer, view, start);
  viewer.edits.begin(value);
  brushTo(viewer, view, null, last);
  const move = (/** @type {At} */ at) => {
    const index = indexUnder(viewer, view, at);
    brushTo(viewer, view, last, index);
    last = index;
  };
  return { move, end: () => viewer.edits.flush(true) };
}

/**
 * Listens on a plane's canvas until the signal.
 * @param {Viewer} viewer
 * @param {PlaneView} view
 * @param {{readout: () => void}} shows
 * @param {AbortSignal} signal
 */
export function listen(viewer, view, shows, signal) {
  const { canvas } = view;
  const wheel = new Wheel();
  /** @type {{drag: Drag, cause: string, pointer: number} | null} */
  let held = null;
  const placeOf = (/** @type {MouseEvent} */ event) => {
    const edge = canvas.getBoundingClientRect();
    return /** @type {At} */ ([event.clientX - edge.left, event.clientY - edge.top]);
  };
  const on = (/** @type {string} */ type, /** @type {(event: any) => void} */ act) =>
    canvas.addEventListener(type, act, { signal, passive: false });

  on("pointerdown", (event) => {
    const gesture = gestureOf(event, viewer.state.tool);
    if (!gesture || held) return;
    canvas.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    viewer.because(gesture, event);
    held = { drag: DRAGS[gesture](viewer, view, placeOf(event)), cause: gesture, pointer: event.pointerId };
    event.preventDefault();
  });
  on("pointermove", (event) => {
    const at = placeOf(event);
    viewer.hover = { view, x: at[0], y: at[1] };
    if (held) {
      viewer.because(held.cause, event);
      const passed = held.cause === "brush" || held.cause === "eraser" ? event.getCoalescedEvents?.() ?? [] : [];
      for (const each of passed.length ? passed : [event]) held.drag.move?.(placeOf(each), each);
    } else if (viewer.state.tool === "brush" || viewer.state.tool === "eraser") viewer.redraw([view.plane.axis]);
    shows.readout();
  });
  const release = (/** @type {PointerEvent} */ event) => {
    held?.drag.end?.(placeOf(event));
    held = null;
    viewer.refresh();
  };
  on("pointerup", release);
  on("pointercancel", release);
  on("pointerleave", () => {
    viewer.hover = null;
    if (viewer.edits.draft) viewer.redraw([view.plane.axis]);
    shows.readout();
  });
  on("contextmenu", (event) => event.preventDefault());
  on("wheel", (event) => {
    event.preventDefault();
    viewer.because(event.ctrlKey ? "zoom" : "wheel", event);
    if (event.ctrlKey) zoomAt(viewer, view, Math.exp(-event.deltaY / 500), placeOf(event));
    else step(viewer, view.plane.axis, wheel.steps(event));
    shows.readout();
  });
}
