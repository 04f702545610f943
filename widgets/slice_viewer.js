/** Slice viewer: linked planes on canvases, with ROIs, an overlay, measurements and correction of masks. */

import { button, element, fill } from "./elements.js";
import { carryOut, change, chooseOverlay, step } from "./slice_commands.js";
import { iconButton, toolbar } from "./slice_controls.js";
import { editing } from "./slice_editing.js";
import { histogramPanel } from "./slice_histogram.js";
import { clampIndex } from "./slice_geometry.js";
import { commandOf } from "./slice_keys.js";
import { legend, measurements, overlayControls, panel } from "./slice_panels.js";
import { listen } from "./slice_pointer.js";
import { Readout } from "./slice_readout.js";
import { isJump, signatureOf } from "./slice_state.js";
import { Viewer } from "./slice_view.js";
import { widget } from "./widget.js";

/** @typedef {import("./slice_view.js").PlaneView} PlaneView */
/** @typedef {import("./slice_types.js").Message} Message */
/** @typedef {import("./slice_types.js").Model} Model */

const NARROW = 620;
const TICK = 1000;

/**
 * A plane's canvas with the slider of its slices.
 * @param {Viewer} viewer
 * @param {PlaneView} view
 */
function planeBox(viewer, view) {
  const { plane, canvas } = view;
  const name = viewer.t[`slice_${plane.name}`];
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.dataset.axis = String(plane.axis);
  canvas.dataset.jpSuppressContextMenu = ""; // the right button changes the window
  const last = viewer.store.base.size[plane.axis] - 1;
  const label = fill(viewer.t.slice_slider, { name });
  const slider = element("input", { type: "range", min: 0, max: last, "aria-label": label });
  slider.addEventListener("input", () =>
    step(viewer, plane.axis, Number(slider.value) - viewer.state.index[plane.axis]));
  const larger = iconButton("maximise", fill(viewer.t.slice_maximise, { name }), () => maximise(viewer, plane.axis));
  const box = element("div", { class: "mlab-plane" }, element("div", { class: "mlab-canvas" }, canvas),
    element("div", { class: "mlab-under" }, slider, larger));
  canvas.addEventListener("focus", () => { viewer.state.active = plane.axis; });
  canvas.addEventListener("dblclick", () => { if (viewer.state.tool === "position") maximise(viewer, plane.axis); });
  viewer.panels.push(() => {
    box.hidden = !viewer.shown.includes(plane.axis);
    slider.value = String(viewer.state.index[plane.axis]);
    larger.ariaPressed = String(viewer.state.maximised === plane.axis);
  });
  return box;
}

/** @param {Viewer} viewer @param {number} axis */
const maximise = (viewer, axis) =>
  change(viewer, { active: axis, maximised: viewer.state.maximised === axis ? null : axis });

/**
 * Which plane is shown where there is room for one only.
 * @param {Viewer} viewer
 */
function planeButtons(viewer) {
  const made = [2, 1, 0].map((axis) =>
    button(viewer.t[`slice_${viewer.views[axis].plane.name}`], () => {
      const { maximised } = viewer.state;
      change(viewer, { active: axis, maximised: maximised === null ? null : axis });
    }));
  const group = element("div", { class: "mlab-group", role: "group", "aria-label": viewer.t.slice_planes }, ...made);
  viewer.panels.push(() => {
    group.hidden = viewer.shown.length > 1;
    made.forEach((each, k) => { each.ariaPressed = String(viewer.shown[0] === [2, 1, 0][k]); });
  });
  return group;
}

/**
 * Gives the canvases their size whenever the room for them changes.
 * @param {Viewer} viewer
 * @param {HTMLElement} planes
 */
function fitted(viewer, planes) {
  const measure = () => {
    viewer.narrow = planes.clientWidth < NARROW;
    viewer.panels.forEach((update) => update());
    for (const view of viewer.views) resize(view);
    viewer.redraw();
  };
  const observer = new ResizeObserver(measure);
  observer.observe(planes);
  for (const { canvas } of viewer.views) observer.observe(/** @type {HTMLElement} */ (canvas.parentElement));
  return () => observer.disconnect();
}

/** @param {PlaneView} view */
function resize(view) {
  const { canvas } = view;
  const { clientWidth, clientHeight } = /** @type {HTMLElement} */ (canvas.parentElement);
  const ratio = window.devicePixelRatio || 1;
  if (view.width === clientWidth && view.height === clientHeight && view.ratio === ratio) return;
  Object.assign(view, { width: clientWidth, height: clientHeight, ratio });
  [canvas.width, canvas.height] = [Math.round(clientWidth * ratio), Math.round(clientHeight * ratio)];
}

/** @param {Viewer} viewer */
function statusLines(viewer) {
  const bar = element("progress", { max: 1, "aria-label": viewer.t.slice_loading });
  const text = element("span", { class: "mlab-muted" });
  const fault = element("p", { class: "mlab-fault", role: "alert" });
  viewer.panels.push(() => {
    const { progress } = viewer.store;
    const percent = Math.floor((progress ?? 0) * 100);
    const loading = progress === null ? "" : fill(viewer.t.slice_loading_share, { percent });
    bar.hidden = progress === null;
    if (progress) bar.value = progress;
    text.textContent = [loading, viewer.notice, viewer.model.get("status")].filter(Boolean).join("   ");
    const said = viewer.fault || viewer.model.get("fault") || "";
    if (fault.textContent !== said) fault.textContent = said;
    fault.hidden = !said;
  });
  return element("div", { class: "mlab-status" }, bar, text, fault);
}

/** @param {Viewer} viewer */
function helpBox(viewer) {
  const rows = viewer.t.slice_keys.trim().split("\n").map((line) => {
    const [keys, ...what] = line.split(":");
    return element("tr", {}, element("th", { scope: "row" }, keys.trim()), element("td", {}, what.join(":").trim()));
  });
  const close = button(viewer.t.slice_close, () => toggle());
  const box = element("div", { class: "mlab-help", role: "dialog", "aria-label": viewer.t.slice_help, hidden: true },
    element("table", {}, element("tbody", {}, ...rows)), close);
  const toggle = () => {
    box.hidden = !box.hidden;
    if (box.hidden) viewer.views[viewer.state.active].canvas.focus();
    else close.focus();
  };
  const hide = () => { if (!box.hidden) toggle(); };
  return { box, toggle, hide };
}

/**
 * Keys, wherever the focus is in the view, except where something is typed.
 * @param {Viewer} viewer
 * @param {Record<string, () => void>} own commands of this module
 * @param {AbortSignal} signal
 */
function listenKeys(viewer, own, signal) {
  viewer.root.addEventListener("keydown", (event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    if (target.closest("input, select, textarea")) return;
    if (target.closest("button, summary") && ["Enter", " "].includes(event.key)) return;
    const command = commandOf(event);
    if (!command) return;
    viewer.because(`key ${command[0]}`, event);
    const [name] = command;
    if (own[name]) own[name]();
    else if (!carryOut(viewer, command)) return;
    event.preventDefault();
    event.stopPropagation();
  }, { signal });
}

/**
 * Changes of the model and messages from the kernel.
 * @param {Viewer} viewer
 * @param {Readout} readout
 * @returns {() => void} ends it
 */
function follow(viewer, readout) {
  const { model } = viewer;
  const handlers = {
    "msg:custom": (/** @type {Message} */ message, /** @type {DataView[]} */ buffers) =>
      receive(viewer, readout, message, buffers),
    "change:rois": () => viewer.edited(),
    "change:editing": () => follows(viewer),
    "change:status": () => viewer.refresh(),
    "change:fault": () => viewer.refresh(),
    "change:view": () => jump(viewer),
  };
  for (const [name, handler] of Object.entries(handlers)) model.on(name, handler);
  return () => Object.entries(handlers).forEach(([name, handler]) => model.off(name, handler));
}

/** @param {Viewer} viewer */
function follows(viewer) {
  const { edits, model, requests } = viewer;
  if (!model.get("editing")) edits.close();
  else if (!edits.draft && !requests.isOpen("draft")) edits.resume();
  viewer.refresh();
}

/**
 * Python asks for another position or overlay; what other views wrote does not concern this one.
 * @param {Viewer} viewer
 */
function jump(viewer) {
  const view = viewer.model.get("view") ?? {};
  const wanted = isJump(view, viewer.signature);
  viewer.signature = signatureOf(view);
  if (!wanted) return;
  if (view.index) viewer.state.index = clampIndex(view.index, viewer.store.base.size);
  const overlay = view.overlay ?? viewer.state.overlay;
  if (overlay !== viewer.state.overlay) chooseOverlay(viewer, viewer.store.image(overlay) ? overlay : "");
  viewer.redraw();
  viewer.refresh();
}

/**
 * @param {Viewer} viewer
 * @param {Readout} readout
 * @param {Message} message
 * @param {DataView[]} buffers
 */
function receive(viewer, readout, message, buffers) {
  viewer.edits.receive(message, buffers, viewer.store.base.size);
  if (message.token !== viewer.token) return;
  viewer.store.receive(message, buffers);
  if (message.type === "value") readout.receive(/** @type {any} */ (message));
  if (message.type === "saved") viewer.notice = fill(viewer.t.slice_saved, { name: message.name });
  if (message.type === "error") viewer.fault = message.message;
  if (message.type === "saved") viewer.fault = "";
  viewer.refresh();
}

/**
 * @param {Viewer} viewer
 * @param {Readout} readout
 */
function build(viewer, readout) {
  const { t, root } = viewer;
  const { box, toggle, hide } = helpBox(viewer);
  const boxes = [2, 1, 0].map((axis) => planeBox(viewer, viewer.views[axis]));
  const planes = element("div", { class: "mlab-planes" }, ...boxes);
  planes.style.setProperty("--mlab-height", `${viewer.model.get("height") || 420}px`);
  const below = element("div", { class: "mlab-panels" }, panel(t.slice_rois, true, ...legend(viewer)),
    panel(t.slice_overlay_panel, true, ...overlayControls(viewer)),
    panel(t.slice_histogram, true, histogramPanel(viewer)), panel(t.slice_measures, true, ...measurements(viewer)));
  if (viewer.model.get("can_edit")) below.append(panel(t.slice_edit, true, ...editing(viewer)));
  root.append(toolbar(viewer, toggle), statusLines(viewer), planeButtons(viewer), planes);
  root.append(readout.element, readout.spoken, box, below);
  return { planes, help: { toggle, hide } };
}

/**
 * @param {Viewer} viewer
 * @param {AbortController} life
 */
function open(viewer, life) {
  const readout = new Readout(viewer);
  const { planes, help } = build(viewer, readout);
  const { signal } = life;
  for (const view of viewer.views) listen(viewer, view, () => readout.show(), signal);
  listenKeys(viewer, { help: help.toggle, escape: () => escape(viewer, help.hide), say: () => readout.say() }, signal);
  for (const type of ["click", "input", "change"]) {
    viewer.root.addEventListener(type, (event) => viewer.because("control", event), { signal, capture: true });
  }
  viewer.panels.push(() => readout.show());
  document.addEventListener("visibilitychange", () => viewer.edits.flush(false), { signal });
  window.addEventListener("pagehide", () => viewer.edits.flush(true), { signal });
  const ticks = setInterval(() => viewer.requests.tick(), TICK);
  const ends = [follow(viewer, readout), fitted(viewer, planes), () => clearInterval(ticks)];
  signal.addEventListener("abort", () => ends.forEach((end) => end()), { once: true });
  if (viewer.model.get("editing")) viewer.edits.resume();
  viewer.because("preview");
  viewer.redraw();
}

/** @param {Viewer} viewer @param {() => void} hideHelp */
function escape(viewer, hideHelp) {
  viewer.measuring = null;
  hideHelp();
  if (viewer.state.maximised !== null) change(viewer, { maximised: null });
  viewer.redraw();
}

/**
 * A view in an element, until it is ended.
 * @param {Model} model
 * @param {HTMLElement} el
 */
function opened(model, el) {
  const base = JSON.stringify(model.get("images")[0]);
  const life = new AbortController();
  const viewer = new Viewer(model, el);
  Object.assign(el, { __viewer: viewer.exposed, __timing: viewer.timing });
  open(viewer, life);
  const end = (/** @type {boolean} */ keep) => {
    viewer.close(keep);
    life.abort();
    Object.assign(el, { __viewer: null, __timing: null });
    el.replaceChildren();
  };
  return { viewer, base, end };
}

/**
 * @param {Model} model
 * @param {HTMLElement} el
 * @param {AbortSignal} signal
 */
function show(model, el, signal) {
  /** @type {ReturnType<typeof opened> | null} */
  let shown = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let waiting;
  const start = () => {
    shown?.end(false);
    shown = model.get("images")?.length ? opened(model, el) : null;
  };
  // Python changes several traits for another image: one new start is enough.
  const startSoon = () => {
    clearTimeout(waiting);
    waiting = setTimeout(start, 0);
  };
  const imagesChanged = () => {
    if (shown && shown.base === JSON.stringify(model.get("images")?.[0])) shown.viewer.overlaysChanged();
    else startSoon();
  };
  model.on("change:images", imagesChanged);
  model.on("change:preview", startSoon);
  signal.addEventListener("abort", () => {
    clearTimeout(waiting);
    model.off("change:images", imagesChanged);
    model.off("change:preview", startSoon);
    shown?.end(true);
    shown = null;
  });
  start();
}

export default widget("mlab-slices", show);
