/** Mouse, pen and wheel on the canvases. */

import { brushTo, finishMeasure, moveTo, pan, setWindow, step, zoomAt } from "./slice_commands.js";
import { draggedWindow } from "./slice_colour.js";
import { indexAt, middle, toPlane } from "./slice_geometry.js";
import { gestureOf, Wheel } from "./slice_keys.js";

/** @typedef {import("./slice_view.js").Viewer} Viewer */
/** @typedef {import("./slice_view.js").PlaneView} PlaneView */
/** @typedef {[number, number]} At */
/** @typedef {{move?: (at: At) => void, end?: (at: At) => void}} Drag */

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
    const dragged = (/** @type {At} */ at) => draggedWindow(before, at[0] - start[0], at[1] - start[1], target.range);
    return { move: (at) => setWindow(viewer, target.id, dragged(at)) };
  },
  pan: (viewer, view, start) => {
    const centre = viewer.state.zoom[view.plane.axis].centre ?? middle(view.plane, viewer.store.base.size);
    return { move: (at) => pan(viewer, view, centre, at[0] - start[0], at[1] - start[1]) };
  },
  ruler: (viewer, view, start) => {
    const { axis } = view.plane;
    const slice = viewer.state.index[axis];
    // The wheel may turn meanwhile: the line stays in its slice.
    const under = (/** @type {At} */ at) => indexAt(view.plane, slice, toPlane(view.frame, at[0], at[1]));
    viewer.measuring = { axis, slice, from: under(start), to: under(start) };
    const move = (/** @type {At} */ at) => {
      if (viewer.measuring) viewer.measuring.to = under(at);
      viewer.redraw([axis]);
    };
    return { move, end: (at) => finishMeasure(viewer, under(at)) };
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
    const { axis } = view.plane;
    // A disc begins anew where the wheel turned: slices in between are not painted.
    const anew = !viewer.state.ball && index[axis] !== last[axis];
    brushTo(viewer, view, anew ? null : last, index);
    last = index;
  };
  return { move, end: () => viewer.edits.flush(true) };
}

/** What the pointer does on one plane. */
class Hand {
  /**
   * @param {Viewer} viewer
   * @param {PlaneView} view
   * @param {() => void} show tells what lies under the pointer
   */
  constructor(viewer, view, show) {
    this.viewer = viewer;
    this.view = view;
    this.show = show;
    this.turning = new Wheel();
    /** @type {{drag: Drag, gesture: string} | null} */
    this.held = null;
  }

  get paints() {
    return ["brush", "eraser"].includes(this.held?.gesture ?? this.viewer.state.tool);
  }

  /**
   * CSS pixels from the canvas's upper left corner.
   * @param {MouseEvent} event
   * @returns {At}
   */
  place(event) {
    const edge = this.view.canvas.getBoundingClientRect();
    return [event.clientX - edge.left, event.clientY - edge.top];
  }

  /** @param {PointerEvent} event */
  press(event) {
    const { viewer, view } = this;
    const gesture = gestureOf(event, viewer.state.tool);
    if (!gesture || this.held) return;
    view.canvas.focus({ preventScroll: true });
    view.canvas.setPointerCapture(event.pointerId);
    viewer.because(gesture, event);
    this.held = { drag: DRAGS[gesture](viewer, view, this.place(event)), gesture };
    event.preventDefault();
  }

  /** @param {PointerEvent} event */
  move(event) {
    const { viewer, view, held } = this;
    const [x, y] = this.place(event);
    viewer.hover = { view, x, y };
    if (held) {
      viewer.because(held.gesture, event);
      // A brush needs all the places that the pointer passed since the last frame.
      const passed = this.paints ? event.getCoalescedEvents?.() ?? [] : [];
      for (const each of passed.length ? passed : [event]) held.drag.move?.(this.place(each));
    } else if (this.paints) viewer.redraw([view.plane.axis]);
    this.show();
  }

  /** @param {PointerEvent} event */
  release(event) {
    this.held?.drag.end?.(this.place(event));
    this.held = null;
    this.viewer.refresh();
  }

  leave() {
    this.viewer.hover = null;
    if (this.paints) this.viewer.redraw([this.view.plane.axis]);
    this.show();
  }

  /** @param {WheelEvent} event */
  turn(event) {
    const { viewer, view } = this;
    event.preventDefault();
    viewer.because(event.ctrlKey ? "zoom" : "wheel", event);
    if (event.ctrlKey) zoomAt(viewer, view, Math.exp(-event.deltaY / 500), this.place(event));
    else step(viewer, view.plane.axis, this.turning.steps(event));
    this.show();
  }
}

/**
 * Listens on a plane's canvas until the signal.
 * @param {Viewer} viewer
 * @param {PlaneView} view
 * @param {() => void} show tells what lies under the pointer
 * @param {AbortSignal} signal
 */
export function listen(viewer, view, show, signal) {
  const hand = new Hand(viewer, view, show);
  const on = (/** @type {string} */ type, /** @type {(event: any) => void} */ act) =>
    view.canvas.addEventListener(type, act, { signal, passive: false });
  on("pointerdown", (event) => hand.press(event));
  on("pointermove", (event) => hand.move(event));
  on("pointerup", (event) => hand.release(event));
  on("pointercancel", (event) => hand.release(event));
  on("pointerleave", () => hand.leave());
  on("contextmenu", (event) => event.preventDefault());
  on("wheel", (event) => hand.turn(event));
}
