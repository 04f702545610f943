/** What anywidget loads for every widget: it loads the modules that the model carries, each of them once a page. */

/**
 * @typedef {import("@anywidget/types").AnyModel} Model
 * @typedef {[name: string, source: string]} Module the name says what is in it; imports are `linked:NAME`
 * @typedef {{ __medomicslabModules?: Map<string, string> }} Holder
 */

/** A page never forgets a module: loaded for every widget anew, they would pile up. */
const addresses = /** @type {Holder} */ (globalThis).__medomicslabModules ??= new Map();

/**
 * The last of the modules, each of which follows what it imports.
 * @param {Module[]} modules
 * @returns {Promise<{ default: { render: import("@anywidget/types").Render } }>}
 */
export function loaded(modules) {
  for (const [name, source] of modules) {
    if (addresses.has(name)) continue;
    const text = source.replace(/"linked:([^"]+)"/g, (_, other) => JSON.stringify(addresses.get(other)));
    addresses.set(name, URL.createObjectURL(new Blob([text], { type: "text/javascript" })));
  }
  return import(/** @type {string} */ (addresses.get(modules[modules.length - 1][0])));
}

/**
 * JupyterLab keeps every comm for as long as its kernel runs: one that is closed must not keep its model, and with it
 * the views and all that they showed.
 * @param {any} model ipywidgets' own
 */
function letGo(model) {
  model.comm?.on_msg?.(() => {});
  model.comm?.on_close?.(() => {});
}

export default {
  /**
   * Loads nothing: a model that is not ready within two seconds hears nothing from its kernel, says anywidget.
   * @param {{ model: Model }} context
   */
  initialize({ model }) {
    model.on("destroy", letGo);
    model.get("layout")?.on?.("destroy", letGo);
  },
  /** @param {import("@anywidget/types").RenderProps} shown */
  async render(shown) {
    const { default: widget } = await loaded(shown.model.get("_modules"));
    return shown.signal?.aborted ? undefined : widget.render(shown);
  },
};
