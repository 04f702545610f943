// Keys that are typed inside a widget belong to it and not to JupyterLab.

const MARK = "data-lm-suppress-shortcuts";

/**
 * Keep JupyterLab's shortcuts away from everything inside a widget.
 *
 * The mark on the root is not enough: JupyterLab looks from the focused element upwards and stops *at* a mark, and many
 * of its shortcuts name the focused element itself (`... :focus`): arrows on a slider or a list, Enter on a button,
 * letters in a list. So whatever gets the focus is marked too.
 * @param {HTMLElement} root
 */
export function ownKeys(root) {
  root.setAttribute(MARK, "true");
  root.addEventListener("focusin", (event) => {
    if (event.target instanceof Element) event.target.setAttribute(MARK, "true");
  });
}
