/** A view of the volumes: its state, its planes, and the loop that draws once a frame what changed. */

import { fill } from "./elements.js";
import { Edits } from "./slice_edits.js";
import { numbersIn } from "./slice_format.js";
import { distance, edgeLetters, frameOf, middle, PLANES, toPlane, toScreen } from "./slice_geometry.js";
import { Outlines } from "./slice_outlines.js";
import { drawPlane } from "./slice_paint.js";
import { Lookups, SlicePicture } from "./slice_picture.js";
import { Requests } from "./slice_requests.js";
import { DRAFT_COLOUR, keptState, shownAxes, signatureOf, startState } from "./slice_state.js";
import { maskKey, Store } from "./slice_store.js";

/** @typedef {import("./slice_types.js").Model} Model */
/** @typedef {import("./slice_types.js").Picture} Picture */
/** @typedef {import("./slice_types.js").Roi} Roi */
/** @typedef {import("./slice_geometry.js").Plane} Plane */
/**
 * A plane with its canvas; sizes in CSS pixels, `ratio` device pixels to each.
 * @typedef {{plane: Plane, canvas: HTMLCanvasElement, context: CanvasRenderingContext2D, base: SlicePicture,
 *   overlay: SlicePicture, width: number, height: number, ratio: number,
 *   frame: import("./slice_geometry.js").Frame, dirty: boolean}} PlaneView
 */

const KEEP_AFTER = 350;
const REFRESH_AFTER = 120;

export class Viewer {
  /**
   * @param {Model} model
   * @param {HTMLElement} root
   */
  constructor(model, root) {
    this.model = model;
    this.root = root;
    /** @type {Record<string, string>} */
    this.t = model.get("texts");
    this.numbers = numbersIn(this.t.slice_locale);
    this.token = Math.random().toString(36).slice(2) + Date.now().toString(36);
    const requests = new Requests((message) => this.send(message), () => performance.now());
    this.requests = requests;
    this.store = new Store(model, requests, (message) => this.send(message), (what) => this.arrived(what));
    this.edits = new Edits(this.token, requests, (...sent) => this.send(...sent), () => this.edited());
    this.state = startState(model.get("view") ?? {}, this.store.images);
    this.lookups = new Lookups();
    this.outlines = new Outlines();
    this.views = PLANES.map((plane) => this.planeView(plane));
    this.narrow = false;
    /** @type {{view: PlaneView, x: number, y: number} | null} */
    this.hover = null;
    /** @type {{axis: number, slice: number, from: number[], to: number[]} | null} */
    this.measuring = null;
    /** @type {(() => void)[]} */
    this.panels = [];
    this.signature = signatureOf(model.get("view") ?? {});
    this.stamp = 0;
    this.drawn = 0;
    this.asked = 0;
    this.closed = false;
    /** @type {{time: number, cause: string} | null} of the next call of redraw */
    this.reason = null;
    /** @type {{time: number, cause: string} | null} of the drawing that is asked for */
    this.pending = null;
    /** @type {Record<string, number>} */
    this.timing = {};
    /** @type {Map<string, ReturnType<typeof setTimeout>>} */
    this.timers = new Map();
    this.fault = "";
    this.notice = "";
  }

  /**
   * @param {Plane} plane
   * @returns {PlaneView}
   */
  planeView(plane) {
    const canvas = document.createElement("canvas");
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
    const [base, overlay] = [new SlicePicture(plane, this.lookups), new SlicePicture(plane, this.lookups)];
    const frame = { pxPerMm: 1, sx: 1, sy: 1, ox: 0, oy: 0 };
    return { plane, canvas, context, base, overlay, width: 0, height: 0, ratio: 1, frame, dirty: true };
  }

  /** @returns {Roi[]} */
  get rois() {
    return this.model.get("rois") ?? [];
  }

  get shown() {
    return shownAxes(this.state, this.narrow);
  }

  /** @returns {Picture} the image whose window the window tool changes */
  get target() {
    const { target, overlay } = this.state;
    return (target === overlay && this.store.image(target)) || this.store.base;
  }

  /** @param {Picture} image */
  windowOf(image) {
    return this.state.windows[image.id] ?? image.window;
  }

  /** @param {Picture} image */
  lookOf(image) {
    const overlay = image.id !== this.store.base.id;
    return { window: this.windowOf(image), colourmap: this.state.maps[image.id] ?? image.colormap, overlay };
  }

  /** @param {Roi} roi */
  isVisible(roi) {
    return !(this.state.hidden[roi.id] ?? roi.visible === false);
  }

  /**
   * @param {Record<string, unknown>} message
   * @param {ArrayBufferView[]} [buffers]
   */
  send(message, buffers) {
    // A view that outlives its kernel still shows what it has.
    try {
      this.model.send({ ...message, token: this.token }, undefined, buffers);
    } catch (error) {
      console.warn("the kernel does not answer", error);
    }
  }

  /**
   * One at a time under a name; a later call replaces the earlier one only if `restart` is set.
   * @param {string} name
   * @param {number} wait
   * @param {() => void} act
   * @param {boolean} [restart]
   */
  later(name, wait, act, restart = false) {
    const waiting = this.timers.get(name);
    if (this.closed || (waiting && !restart)) return;
    clearTimeout(waiting);
    this.timers.set(name, setTimeout(() => {
      this.timers.delete(name);
      act();
    }, wait));
  }

  /** Writes what is to outlive the page into the model, a little later. */
  keep() {
    this.later("keep", KEEP_AFTER, () => this.keepNow(), true);
  }

  keepNow() {
    const view = keptState(this.state, this.token, (this.stamp += 1));
    this.signature = signatureOf(view);
    this.model.set("view", view);
    this.model.save_changes();
  }

  /** Brings the controls up to date, a little later. */
  refresh() {
    this.later("refresh", REFRESH_AFTER, () => this.panels.forEach((update) => update()));
  }

  /** @param {"pixels"|"masks"|"progress"} what */
  arrived(what) {
    if (this.closed) return;
    if (what !== "progress") {
      this.because("volume");
      this.redraw();
    }
    this.refresh();
  }

  edited() {
    this.redraw();
    this.refresh();
  }

  /**
   * Why the next drawing happens, and when that began.
   * @param {string} cause
   * @param {Event} [event]
   */
  because(cause, event) {
    this.reason = { cause, time: event?.timeStamp ?? performance.now() };
  }

  /** @param {number[]} [axes] */
  redraw(axes = [0, 1, 2]) {
    for (const axis of axes) this.views[axis].dirty = true;
    this.pending ??= this.reason ?? { cause: "state", time: performance.now() };
    this.reason = null;
    if (!this.asked && !this.closed) this.asked = requestAnimationFrame(() => this.drawFrame());
  }

  drawFrame() {
    this.asked = 0;
    const { cause, time } = this.pending ?? { cause: "state", time: performance.now() };
    this.pending = null;
    const views = this.shown.map((axis) => this.views[axis]).filter(({ dirty, width }) => dirty && width > 0);
    for (const view of views) this.drawView(view);
    if (!views.length) return;
    this.root.dataset.drawn = String((this.drawn += 1));
    const now = performance.now();
    Object.assign(this.timing, { event: time, drawn: now });
    this.noteFirst(views[0], now);
    this.root.dispatchEvent(new CustomEvent("mlab-drawn", { bubbles: true, detail: { cause, ms: now - time } }));
  }

  /**
   * When the first pixels, and the whole volume, stood on the canvas.
   * @param {PlaneView} view
   * @param {number} now
   */
  noteFirst({ base }, now) {
    if (base.layer) this.timing.preview ??= now;
    if (base.layer && !base.layer.coarse) this.timing.volume ??= now;
  }

  /** @param {PlaneView} view */
  drawView(view) {
    const { plane, width, height } = view;
    const { size, spacing } = this.store.base;
    view.dirty = false;
    const { zoom, centre } = this.state.zoom[plane.axis];
    view.frame = frameOf(plane, size, spacing, { width, height, zoom, centre: centre ?? middle(plane, size) });
    drawPlane(view.context, this.scene(view));
    const label = fill(this.t.slice_canvas, { caption: this.captionOf(plane) });
    if (view.canvas.ariaLabel !== label) view.canvas.ariaLabel = label;
  }

  /**
   * @param {PlaneView} view
   * @returns {import("./slice_paint.js").Scene}
   */
  scene(view) {
    const { plane, frame, width, height, ratio } = view;
    const { state, store } = this;
    const position = [state.index[plane.column], state.index[plane.row]];
    const overlay = store.image(state.overlay);
    return {
      frame, width, height, ratio, smooth: state.smooth,
      base: this.pictureOf(view, view.base, store.base),
      overlay: overlay && overlay !== store.base ? this.pictureOf(view, view.overlay, overlay) : null,
      opacity: state.opacity, masks: this.masksIn(plane), look: state.look, fill: state.fill,
      crosshair: state.crosshair, position, letters: edgeLetters(store.base.matrix, plane),
      caption: this.captionOf(plane), note: this.windowText(), lines: this.linesIn(plane), brush: this.brushIn(view),
      barText: (mm) => (mm >= 10 ? `${mm / 10} cm` : `${this.numbers.value(mm)} mm`),
    };
  }

  /**
   * @param {PlaneView} view
   * @param {SlicePicture} picture
   * @param {Picture} image
   */
  pictureOf({ plane }, picture, image) {
    const index = this.state.index[plane.axis];
    const layer = this.store.layerFor(image, plane.axis, index, this.windowOf(image));
    return layer && picture.show(image.id, layer, index, this.lookOf(image)) ? picture : null;
  }

  /** @param {Plane} plane */
  captionOf(plane) {
    const name = this.t[`slice_${plane.name}`];
    return `${name} ${this.state.index[plane.axis] + 1}/${this.store.base.size[plane.axis]}`;
  }

  windowText() {
    const [low, high] = this.windowOf(this.target);
    const values = { level: this.short((low + high) / 2), width: this.short(high - low) };
    return fill(this.t.slice_window_text, values);
  }

  /** @param {number} value */
  short(value) {
    return this.numbers.value(Math.abs(value) >= 100 ? Math.round(value) : Number(value.toPrecision(3)));
  }

  /** @param {Plane} plane */
  masksIn(plane) {
    const index = this.state.index[plane.axis];
    /** @type {import("./slice_outlines.js").Mask[]} */
    const masks = [];
    for (const roi of this.rois.filter((one) => this.isVisible(one))) {
      const bits = this.store.maskOf(roi);
      if (bits) masks.push({ id: maskKey(roi), bits, box: roi.box, colour: roi.colour, version: 0 });
    }
    const { draft } = this.edits;
    if (draft) {
      const box = [0, 0, 0, ...draft.size];
      masks.push({ id: "draft", bits: draft.bits, box, colour: DRAFT_COLOUR, version: draft.version });
    }
    return masks.flatMap((mask) => {
      const path = this.outlines.path(mask, plane, index);
      return path ? [{ path, colour: mask.colour }] : [];
    });
  }

  /** @param {Plane} plane */
  linesIn(plane) {
    const slice = this.state.index[plane.axis];
    const all = this.measuring ? [...this.state.measures, this.measuring] : this.state.measures;
    return all.filter((line) => line.axis === plane.axis && line.slice === slice).map(({ from, to }) => ({
      from: [from[plane.column], from[plane.row]],
      to: [to[plane.column], to[plane.row]],
      text: this.lengthOf({ from, to }),
    }));
  }

  /** @param {{from: number[], to: number[]}} line */
  lengthOf({ from, to }) {
    return `${this.numbers.mm(distance(from, to, this.store.base.spacing))} mm`;
  }

  /** @param {PlaneView} view */
  brushIn(view) {
    const { hover, state } = this;
    if (!["brush", "eraser"].includes(state.tool) || !this.edits.draft || hover?.view !== view) return null;
    return { at: toPlane(view.frame, hover.x, hover.y), radius: state.radius };
  }

  /** For tests and benchmarks: where voxels lie on the canvases, in CSS pixels from their upper left corner. */
  get exposed() {
    const planes = this.views.map((view) => ({
      axis: view.plane.axis,
      name: view.plane.name,
      canvas: view.canvas,
      get pxPerMm() {
        return view.frame.pxPerMm;
      },
      toScreen: (/** @type {number[]} */ ...index) =>
        toScreen(view.frame, index[view.plane.column], index[view.plane.row]),
    }));
    return { planes, state: this.state, token: this.token };
  }

  /** Images other than the base came, went or changed. */
  overlaysChanged() {
    this.store.forgetChanged();
    if (!this.store.image(this.state.overlay)) this.state.overlay = "";
    this.redraw();
    this.refresh();
  }

  /** @param {boolean} keep whether what is not written yet still counts */
  close(keep) {
    this.edits.flush(true);
    if (keep && this.timers.has("keep")) this.keepNow();
    this.send({ type: "closed" });
    this.closed = true;
    for (const timer of this.timers.values()) clearTimeout(timer);
    cancelAnimationFrame(this.asked);
    for (const view of this.views) {
      view.base.free();
      view.overlay.free();
      [view.canvas.width, view.canvas.height] = [0, 0];
    }
    this.store.clear();
    this.outlines.clear();
    this.edits.draft = null;
    this.panels = [];
  }
}
