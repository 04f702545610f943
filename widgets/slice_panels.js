/** Below the planes: ROIs, overlay, measurements. */

import { button, choice, element, fill, labelled } from "./elements.js";
import { change, chooseOverlay, moveTo } from "./slice_commands.js";
import { COLOURMAPS } from "./slice_colour.js";
import { iconButton } from "./slice_controls.js";
import { DRAFT_COLOUR, LOOKS } from "./slice_state.js";

/** @typedef {import("./slice_view.js").Viewer} Viewer */
/** @typedef {import("./slice_types.js").Roi} Roi */

/**
 * A part of the controls that can be folded.
 * @param {string} title
 * @param {boolean} open
 * @param {...Node} content
 */
export function panel(title, open, ...content) {
  return element("details", { class: "mlab-panel", open }, element("summary", {}, title), ...content);
}

/** @param {string} colour */
function swatch(colour) {
  const made = element("span", { class: "mlab-swatch", "aria-hidden": "true" });
  made.style.background = colour;
  return made;
}

/**
 * @param {Viewer} viewer
 * @param {Roi} roi
 */
function legendRow(viewer, roi) {
  const { t, state } = viewer;
  const box = element("input", { type: "checkbox", "aria-label": fill(t.slice_show, { name: roi.name }) });
  box.checked = viewer.isVisible(roi);
  box.addEventListener("change", () => change(viewer, { hidden: { ...state.hidden, [roi.id]: !box.checked } }));
  const name = button(roi.name, () => change(viewer, { roi: roi.id }), { class: "mlab-name" });
  name.ariaPressed = String(state.roi === roi.id);
  const centre = [0, 1, 2].map((k) => roi.box[k] + (roi.box[k + 3] - 1) / 2);
  const go = iconButton("goto", fill(t.slice_goto, { name: roi.name }), () => moveTo(viewer, centre));
  return element("li", {}, box, swatch(roi.colour), name, element("span", { class: "mlab-muted" }, roi.volume), go);
}

/** @param {Viewer} viewer */
function draftRow(viewer) {
  const name = viewer.model.get("editing")?.name ?? "";
  return element("li", {}, swatch(DRAFT_COLOUR), fill(viewer.t.slice_draft, { name }));
}

/**
 * Puts new content in place only where it differs, so that the focus stays where it is.
 * @param {HTMLElement} list
 * @param {() => string} keyOf
 * @param {() => Node[]} make
 */
function renewed(list, keyOf, make) {
  let shown = "\0";
  return () => {
    const key = keyOf();
    if (key === shown) return;
    shown = key;
    const buttons = [...list.querySelectorAll("button, input")];
    const focused = buttons.indexOf(/** @type {Element} */ (document.activeElement));
    list.replaceChildren(...make());
    /** @type {HTMLElement | undefined} */ (list.querySelectorAll("button, input")[focused])?.focus();
  };
}

/** @param {Viewer} viewer */
export function legend(viewer) {
  const { t, state } = viewer;
  const list = element("ul", { class: "mlab-legend" });
  const key = () => JSON.stringify([viewer.rois.map(({ id, name, colour, volume }) => [id, name, colour, volume]),
    state.hidden, state.roi, viewer.edits.draft ? viewer.model.get("editing")?.name : null]);
  viewer.panels.push(renewed(list, key, () => {
    const rows = viewer.rois.map((roi) => legendRow(viewer, roi));
    if (viewer.edits.draft) rows.push(draftRow(viewer));
    return rows.length ? rows : [element("li", { class: "mlab-muted" }, t.slice_no_rois)];
  }));
  const look = choice(LOOKS.map((name) => [name, t[`slice_look_${name}`]]), state.look);
  look.addEventListener("change", () => change(viewer, { look: look.value }));
  const fillField = slider(state.fill, (value) => change(viewer, { fill: value }));
  viewer.panels.push(() => {
    [look.value, fillField.value] = [state.look, String(state.fill)];
    fillField.disabled = state.look === "contour";
  });
  return [list, labelled(t.slice_look, look), labelled(t.slice_fill, fillField)];
}

/**
 * @param {number} value between 0 and 1
 * @param {(value: number) => void} moved
 */
function slider(value, moved) {
  const field = element("input", { type: "range", min: 0, max: 1, step: 0.05, value });
  field.addEventListener("input", () => moved(Number(field.value)));
  return field;
}

/** @param {Viewer} viewer */
export function overlayControls(viewer) {
  const { t, state } = viewer;
  const select = choice([], "");
  const map = choice(COLOURMAPS.map((name) => [name, t[`slice_map_${name}`]]), "");
  const opacity = slider(state.opacity, (value) => change(viewer, { opacity: value }));
  const about = element("p", { class: "mlab-muted" });
  select.addEventListener("change", () => chooseOverlay(viewer, select.value));
  map.addEventListener("change", () => change(viewer, { maps: { ...state.maps, [state.overlay]: map.value } }));
  const listed = renewed(select, () => JSON.stringify(viewer.store.images.map(({ id, name }) => [id, name])), () =>
    [["", t.slice_no_overlay], ...viewer.store.images.slice(1).map(({ id, name }) => [id, name])]
      .map(([id, name]) => element("option", { value: id }, name)));
  viewer.panels.push(() => {
    listed();
    const image = viewer.store.image(state.overlay);
    [select.value, opacity.value] = [state.overlay, String(state.opacity)];
    [map.disabled, opacity.disabled] = [!image, !image];
    if (image) map.value = viewer.lookOf(image).colourmap;
    about.textContent = (image ?? viewer.store.base).description ?? "";
  });
  return [labelled(t.slice_overlay, select), labelled(t.slice_opacity, opacity), labelled(t.slice_map, map), about];
}

/** @param {Viewer} viewer */
export function measurements(viewer) {
  const { t, state } = viewer;
  const list = element("ol", { class: "mlab-legend" });
  viewer.panels.push(renewed(list, () => JSON.stringify(state.measures), () => {
    const rows = state.measures.map((line, k) => {
      const plane = viewer.views[line.axis].plane;
      const text = `${viewer.lengthOf(line)} (${t[`slice_${plane.name}`]} ${line.slice + 1})`;
      const half = line.from.map((value, axis) => (value + line.to[axis]) / 2);
      const drop = button(t.slice_delete, () => change(viewer, { measures: state.measures.filter((_, n) => n !== k) }),
        { "aria-label": fill(t.slice_delete_line, { text }) });
      return element("li", {}, button(text, () => moveTo(viewer, half), { class: "mlab-name" }), drop);
    });
    return rows.length ? rows : [element("li", { class: "mlab-muted" }, t.slice_no_measures)];
  }));
  return [list];
}
