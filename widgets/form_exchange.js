// Import, export, and the texts that do the same as the form.

import { button, element } from "./elements.js";

/**
 * @typedef {{texts: Record<string, string>, uid: string, file: string,
 *   ask: (kind: string, content?: Record<string, string>) => void}} Context
 * @typedef {{fault?: string, done?: string, texts?: Record<string, string>}} Reply
 */

/**
 * The fold with everything; ``answer`` shows a reply, ``refresh`` asks for new texts while the fold is open.
 * @param {Context} context
 */
export function exchange(context) {
  const { texts, uid, file, ask } = context;
  const said = element("div", { role: "status", class: "mlab-form-said" });
  const fault = element("div", { role: "alert", class: "mlab-fault" });
  const only = element("input", { type: "checkbox" });
  const pasted = element("textarea", { id: `${uid}-pasted`, rows: 3, spellcheck: "false" });
  const chosen = element("input", { id: `${uid}-file`, type: "file", accept: ".yaml,.yml,.json" });
  /** @type {Record<string, string>} */
  let ready = {};
  const shown = { full: area(`${uid}-yaml`, 6), cell: area(`${uid}-cell`, 6), line: area(`${uid}-line`, 2) };
  const show = () => {
    shown.full.value = (only.checked ? ready.short : ready.full) ?? "";
    shown.cell.value = ready.cell ?? "";
    shown.line.value = ready.line ?? "";
  };
  only.addEventListener("change", show);
  chosen.addEventListener("change", async () => {
    const picked = chosen.files?.[0];
    chosen.value = "";
    if (picked) ask("import", { text: await picked.text() });
  });
  const save = button(texts.form_download, () => download(`${file}.yaml`, shown.full.value));
  const copier = (/** @type {HTMLTextAreaElement} */ from) =>
    button(texts.form_copy, async () => { said.textContent = await copy(from) ? texts.form_copied : texts.form_press_copy; });
  const fold = element("details", { class: "mlab-form-exchange" },
    element("summary", {}, texts.form_exchange),
    part(texts.form_import, [element("label", { for: chosen.id }, texts.form_file), chosen,
      element("label", { for: pasted.id }, texts.form_paste), pasted,
      button(texts.form_apply, () => ask("import", { text: pasted.value }))]),
    part(texts.form_export, [element("label", {}, only, " ", texts.form_only_changes), shown.full, save, copier(shown.full)],
      shown.full),
    part(texts.form_code, [element("label", { for: shown.cell.id }, texts.form_cell), shown.cell, copier(shown.cell),
      element("label", { for: shown.line.id }, texts.form_line), shown.line, copier(shown.line)]),
    said, fault);
  const refresh = () => { if (fold.open) ask("export"); };
  fold.addEventListener("toggle", refresh);
  return {
    fold,
    refresh,
    /** @param {Reply} reply */
    answer(reply) {
      fault.textContent = reply.fault ?? "";
      if (reply.done) said.textContent = reply.done;
      if (!reply.done) ready = reply.texts ?? {};
      show();
      if (reply.done) refresh();
    },
  };
}

/**
 * @param {string} id
 * @param {number} rows
 */
const area = (id, rows) => element("textarea", { id, rows, readonly: true, spellcheck: "false" });

/**
 * @param {string} title
 * @param {Node[]} children
 * @param {HTMLElement} [unlabelled]
 */
function part(title, children, unlabelled) {
  unlabelled?.setAttribute("aria-label", title);
  return element("fieldset", {}, element("legend", {}, title), ...children);
}

/**
 * Whether the clipboard took it; otherwise the text is selected.
 * @param {HTMLTextAreaElement} from
 */
async function copy(from) {
  try {
    await navigator.clipboard.writeText(from.value);
    return true;
  } catch {
    from.focus();
    from.select();
    return false;
  }
}

/**
 * @param {string} name
 * @param {string} text
 */
function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "application/yaml" }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
