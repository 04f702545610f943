/** Correcting a mask: begin, paint, save as a new ROI. */

import { button, choice, element, labelled } from "./elements.js";
import { change, chooseTool } from "./slice_commands.js";
import { paintButtons, showNumber } from "./slice_controls.js";

/** @typedef {import("./slice_view.js").Viewer} Viewer */

/** @param {Viewer} viewer */
function beginForm(viewer) {
  const { t } = viewer;
  const source = choice([], "");
  const name = element("input", { type: "text", maxlength: 64, placeholder: t.slice_name_free });
  const form = element("form", { class: "mlab-lines" }, labelled(t.slice_copy_of, source), labelled(t.slice_name, name),
    element("button", { type: "submit", class: "mlab-primary" }, t.slice_start));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    viewer.notice = viewer.fault = "";
    viewer.edits.start(source.value, name.value.trim());
    viewer.refresh();
  });
  let listed = "";
  viewer.panels.push(() => {
    const key = JSON.stringify(viewer.rois.map((roi) => [roi.id, roi.name]));
    if (key === listed) return;
    listed = key;
    const chosen = source.value || viewer.state.roi || viewer.rois[0]?.id;
    const options = [["", t.slice_empty_mask], ...viewer.rois.map((roi) => [roi.id, roi.name])];
    source.replaceChildren(...options.map(([id, label]) => element("option", { value: id }, label)));
    source.value = options.some(([id]) => id === chosen) ? chosen : "";
  });
  return form;
}

/** @param {Viewer} viewer */
function brushFields(viewer) {
  const { t } = viewer;
  const radius = element("input", { type: "number", min: 0.1, max: 200, step: "any", class: "mlab-number" });
  const ball = element("input", { type: "checkbox" });
  radius.addEventListener("change", () => {
    const value = Number(radius.value);
    if (value > 0) change(viewer, { radius: Math.min(200, value) });
  });
  ball.addEventListener("change", () => change(viewer, { ball: ball.checked }));
  viewer.panels.push(() => {
    showNumber(radius, viewer.state.radius);
    ball.checked = viewer.state.ball;
  });
  return [labelled(t.slice_radius, radius), labelled(t.slice_ball, ball)];
}

/** @param {Viewer} viewer */
function saveForm(viewer) {
  const { t } = viewer;
  const [name, author] = [0, 1].map(() => element("input", { type: "text", required: true, maxlength: 64 }));
  const note = element("textarea", { rows: 2, maxlength: 500 });
  const form = element("form", { class: "mlab-lines", "aria-label": t.slice_save_as, hidden: true },
    labelled(t.slice_name, name), labelled(t.slice_author, author), labelled(t.slice_note, note),
    element("span", { class: "mlab-group" }, element("button", { type: "submit", class: "mlab-primary" }, t.slice_save),
      button(t.slice_cancel, () => { form.hidden = true; })));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    viewer.edits.save({ name: name.value.trim(), author: author.value.trim(), note: note.value.trim() });
    form.hidden = true;
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Escape") form.hidden = true;
  });
  const open = () => {
    const known = viewer.model.get("editing");
    name.value = known?.name ?? "";
    author.value ||= known?.author || viewer.model.get("author") || "";
    form.hidden = false;
    name.focus();
  };
  return { form, open };
}

/**
 * A button that has to be pressed twice.
 * @param {string} label
 * @param {string} question
 * @param {() => void} act
 */
function discardButton(label, question, act) {
  let asked = false;
  const made = button(label, () => {
    if (asked) act();
    asked = !asked;
    made.textContent = asked ? question : label;
  });
  made.addEventListener("blur", () => {
    asked = false;
    made.textContent = label;
  });
  return made;
}

/** @param {Viewer} viewer */
export function editing(viewer) {
  const { t } = viewer;
  const begin = beginForm(viewer);
  const { form, open } = saveForm(viewer);
  const discard = discardButton(t.slice_discard, t.slice_discard_sure, () => viewer.edits.discard());
  const waiting = element("p", { class: "mlab-muted" }, t.slice_draft_comes);
  const under = element("div", { class: "mlab-lines" }, paintButtons(viewer), ...brushFields(viewer),
    element("span", { class: "mlab-group" }, button(t.slice_save_as, open, { class: "mlab-primary" }), discard), form);
  let had = false;
  viewer.panels.push(() => {
    const draft = Boolean(viewer.edits.draft);
    waiting.hidden = draft || !viewer.requests.isOpen("draft");
    [begin.hidden, under.hidden] = [draft || !waiting.hidden, !draft];
    if (draft && !had) chooseTool(viewer, "brush");
    if (!draft && ["brush", "eraser"].includes(viewer.state.tool)) chooseTool(viewer, "position");
    if (!draft) form.hidden = true;
    had = draft;
  });
  return [begin, waiting, under];
}
