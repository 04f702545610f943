/** The bar above the planes: tools, window, layout. */

import { choice, element, labelled, signButton } from "./elements.js";
import { carryOut, change, chooseTool, setWindow } from "./slice_commands.js";
import { windowOf } from "./slice_colour.js";
import { icon } from "./slice_icons.js";
import { CROSSHAIRS } from "./slice_state.js";

/** @typedef {import("./slice_view.js").Viewer} Viewer */

const TOOLS = /** @type {const} */ (["position", "window", "pan", "ruler"]);
const PAINTS = /** @type {const} */ (["brush", "eraser"]);

/**
 * @param {string} name of the picture
 * @param {string} label
 * @param {() => void} act
 */
export const iconButton = (name, label, act) => signButton(icon(name), label, act, { class: "mlab-icon" });

/**
 * Buttons of which one is pressed.
 * @param {Viewer} viewer
 * @param {readonly string[]} names
 * @param {string} label
 */
export function toolButtons(viewer, names, label) {
  const group = element("span", { class: "mlab-group", role: "group", "aria-label": label });
  const made = names.map((name) => iconButton(name, viewer.t[`slice_tool_${name}`], () => chooseTool(viewer, name)));
  group.append(...made);
  viewer.panels.push(() => made.forEach((each, k) => {
    each.ariaPressed = String(viewer.state.tool === names[k]);
  }));
  return group;
}

/** @param {Viewer} viewer */
export function paintButtons(viewer) {
  const group = toolButtons(viewer, PAINTS, viewer.t.slice_paint);
  const undo = iconButton("undo", viewer.t.slice_undo, () => viewer.edits.undo());
  const redo = iconButton("redo", viewer.t.slice_redo, () => viewer.edits.redo());
  viewer.panels.push(() => {
    const { draft } = viewer.edits;
    const known = viewer.model.get("editing");
    undo.disabled = !(draft && (draft.done.length || known?.can_undo));
    redo.disabled = !(draft && (draft.undone.length || known?.can_redo));
  });
  group.append(undo, redo);
  return group;
}

/** @param {Viewer} viewer */
function windowFields(viewer) {
  const { t } = viewer;
  const presets = choice([], "", { "aria-label": t.slice_presets });
  const level = element("input", { type: "number", step: "any", class: "mlab-number" });
  const width = element("input", { type: "number", step: "any", min: 0, class: "mlab-number" });
  presets.addEventListener("change", () => carryOut(viewer, ["preset", Number(presets.value)]));
  const typed = () => {
    const window = windowOf(Number(level.value), Math.max(Number(width.value), 1e-6));
    if (window.every(Number.isFinite)) setWindow(viewer, viewer.target.id, window);
  };
  for (const field of [level, width]) field.addEventListener("change", typed);
  let listed = "";
  viewer.panels.push(() => {
    const { target } = viewer;
    const [low, high] = viewer.windowOf(target);
    if (listed !== target.id) fillPresets(presets, target.presets, t.slice_preset);
    listed = target.id;
    presets.disabled = target.presets.length === 0;
    presets.value = String(target.presets.findIndex((one) => one.low === low && one.high === high));
    showNumber(level, (low + high) / 2);
    showNumber(width, high - low);
  });
  return [presets, labelled(t.slice_level, level), labelled(t.slice_width, width)];
}

/**
 * @param {HTMLSelectElement} select
 * @param {{name: string}[]} presets
 * @param {string} none
 */
function fillPresets(select, presets, none) {
  const options = presets.map(({ name }, k) => element("option", { value: k }, k < 9 ? `${k + 1} ${name}` : name));
  select.replaceChildren(element("option", { value: -1 }, none), ...options);
}

/**
 * Shows a number unless the person is typing one.
 * @param {HTMLInputElement} field
 * @param {number} value
 */
export function showNumber(field, value) {
  if (document.activeElement !== field) field.value = String(Number(value.toPrecision(5)));
}

/** @param {Viewer} viewer */
function targetChoice(viewer) {
  const { t } = viewer;
  const select = choice([], "");
  const row = labelled(t.slice_target, select);
  select.addEventListener("change", () => change(viewer, { target: select.value }));
  let listed = "";
  viewer.panels.push(() => {
    const overlay = viewer.store.image(viewer.state.overlay);
    row.hidden = !overlay;
    const shown = overlay ? [viewer.store.base, overlay] : [];
    const key = shown.map(({ id }) => id).join();
    if (key !== listed) select.replaceChildren(...shown.map(({ id, name }) => element("option", { value: id }, name)));
    listed = key;
    select.value = viewer.target.id;
  });
  return row;
}

/** @param {Viewer} viewer */
function lookControls(viewer) {
  const { t } = viewer;
  const crosshair = choice(CROSSHAIRS.map((name) => [name, t[`slice_cross_${name}`]]), viewer.state.crosshair);
  crosshair.addEventListener("change", () => change(viewer, { crosshair: crosshair.value }));
  const smooth = iconButton("smooth", t.slice_smooth, () => carryOut(viewer, ["smooth"]));
  const layout = iconButton("layout", t.slice_layout, () => carryOut(viewer, ["layout"]));
  viewer.panels.push(() => {
    crosshair.value = viewer.state.crosshair;
    smooth.ariaPressed = String(viewer.state.smooth);
    layout.ariaPressed = String(!viewer.state.single);
  });
  return [labelled(t.slice_crosshair, crosshair), smooth, layout];
}

/**
 * @param {Viewer} viewer
 * @param {() => void} help
 */
export function toolbar(viewer, help) {
  const { t } = viewer;
  const act = (/** @type {string} */ name, /** @type {number[]} */ ...values) => () =>
    carryOut(viewer, [name, ...values]);
  const bar = element("div", { role: "toolbar", "aria-label": t.slice_toolbar, class: "mlab-bar" });
  bar.append(toolButtons(viewer, TOOLS, t.slice_tools), ...windowFields(viewer), targetChoice(viewer));
  bar.append(element("span", { class: "mlab-group" }, iconButton("zoomIn", t.slice_zoom_in, act("zoom", 1.25)),
    iconButton("zoomOut", t.slice_zoom_out, act("zoom", 0.8)), iconButton("fit", t.slice_fit, act("fit"))));
  bar.append(...lookControls(viewer), iconButton("screenshot", t.slice_screenshot, act("screenshot")));
  bar.append(signButton("?", t.slice_help, help, { class: "mlab-icon" }));
  return bar;
}
