// A form: what is typed goes to Python, which answers with messages and marks. Nothing that comes back while one types
// touches a control.

import { button, element } from "./elements.js";
import { showAnswer } from "./form_answer.js";
import { resetAll, slot } from "./form_content.js";
import { exchange } from "./form_exchange.js";
import { drawFields, message } from "./form_fields.js";
import { ownKeys } from "./own_keys.js";

const PAUSE_MS = 200;

/** @typedef {import("@anywidget/types").AnyModel} Model */

/** @param {{model: Model, el: HTMLElement}} context */
function render({ model, el }) {
  const texts = model.get("texts");
  const fields = model.get("fields");
  const token = Math.random().toString(36).slice(2);
  const lists = new Map();
  const root = element("div", { class: "mlab mlab-form" });
  ownKeys(root);
  const body = element("div");
  const store = { values: structuredClone(model.get("content").values) };
  let id = model.get("content").id;
  let edits = 0;
  let timer = 0;

  const send = () => {
    if (!timer) return;
    clearTimeout(timer);
    timer = 0;
    model.set("content", { id, values: structuredClone(store.values) });
    model.save_changes();
  };
  const changed = (/** @type {boolean} */ now) => {
    id = `${token}:${++edits}`;
    clearTimeout(timer);
    timer = window.setTimeout(send, PAUSE_MS);
    if (now) send();
  };
  const mark = () => {
    const answer = model.get("answer");
    if (answer.id === id) showAnswer(root, answer, texts);
    return answer.id === id;
  };

  const context = {
    texts, uid: `mlab-${token}`, open: new Map(), redrawn: mark,
    /** @param {string[]} offered */
    offer(offered) {
      if (!offered.length) return null;
      if (!lists.has(offered)) {
        const list = element("datalist", { id: `mlab-${token}-list-${lists.size}` },
          ...offered.map((one) => element("option", { value: one })));
        lists.set(offered, list.id);
        root.append(list);
      }
      return lists.get(offered);
    },
  };
  const whole = slot(store, changed);
  const draw = () => {
    const focused = root.contains(document.activeElement) ? document.activeElement?.id : "";
    body.replaceChildren(...drawFields(fields, whole, "", context));
    if (focused) /** @type {HTMLElement | null} */ (body.querySelector(`#${CSS.escape(focused)}`))?.focus();
    mark();
  };
  const panel = exchange({
    texts, uid: context.uid, file: model.get("file"),
    ask(kind, content = {}) {
      send();
      model.send({ ...content, kind, token });
    },
  });
  const reset = button(texts.form_reset_all, () => {
    whole.set(resetAll(fields, store.values), true);
    draw();
  });
  const counts = element("span", { class: "mlab-form-counts" });
  const bar = element("div", { class: "mlab-form-bar" }, counts, reset);
  root.append(bar, body, element("div", { "data-place": "" }, message("", context)), model.get("file") ? panel.fold : "");

  const hear = (/** @type {any} */ content) => { if (content.token === token) panel.answer(content); };
  const adopt = () => {
    const content = model.get("content");
    if (content.id === id || content.id.startsWith(`${token}:`)) return;
    clearTimeout(timer);
    timer = 0;
    id = content.id;
    store.values = structuredClone(content.values);
    draw();
  };
  const answered = () => { if (mark()) panel.refresh(); };
  // What was typed must have arrived before a button elsewhere is pressed.
  root.addEventListener("focusout", send);
  model.on("change:content", adopt);
  model.on("change:answer", answered);
  model.on("msg:custom", hear);
  draw();
  el.append(root);
  return () => {
    send();
    model.off("change:content", adopt);
    model.off("change:answer", answered);
    model.off("msg:custom", hear);
  };
}

export default { render };
