/** Which key does what. */

/** @type {Record<string, [string, ...(string|number)[]]>} */
const PLAIN = {
  ArrowLeft: ["arrow", -1, 0], ArrowRight: ["arrow", 1, 0], ArrowUp: ["arrow", 0, -1], ArrowDown: ["arrow", 0, 1],
  PageUp: ["step", 1], PageDown: ["step", -1], ".": ["step", 1], ",": ["step", -1],
  Home: ["end", 0], End: ["end", 1],
  c: ["tool", "position"], w: ["tool", "window"], p: ["tool", "pan"], r: ["tool", "ruler"], b: ["tool", "brush"],
  e: ["tool", "eraser"], Enter: ["use"], " ": ["use"],
  "[": ["radius", 1 / 1.25], "]": ["radius", 1.25], d: ["ball"],
  "+": ["zoom", 1.25], "=": ["zoom", 1.25], "-": ["zoom", 0.8], 0: ["fit"],
  x: ["crosshair"], s: ["smooth"], v: ["rois"], f: ["look"], o: ["overlay"], m: ["maximise"], l: ["layout"],
  i: ["say"], g: ["screenshot"], Delete: ["remove"], Backspace: ["remove"], "?": ["help"], Escape: ["escape"],
};

/**
 * The command of a key press; null where it is not ours.
 * @param {{key: string, ctrlKey: boolean, metaKey: boolean, shiftKey: boolean, altKey: boolean}} press
 * @returns {[string, ...(string|number)[]] | null}
 */
export function commandOf({ key, ctrlKey, metaKey, shiftKey, altKey }) {
  if (ctrlKey || metaKey) return controlled(key.toLowerCase(), shiftKey);
  if (altKey) return null;
  if (/^[1-9]$/.test(key)) return ["preset", Number(key) - 1];
  const found = PLAIN[key] ?? PLAIN[key.toLowerCase()];
  if (!found) return null;
  const tenfold = shiftKey && ["arrow", "step"].includes(found[0]);
  return tenfold ? [found[0], ...found.slice(1).map((value) => Number(value) * 10)] : found;
}

/**
 * @param {string} key
 * @param {boolean} shift
 * @returns {[string] | null}
 */
function controlled(key, shift) {
  if (key === "z") return [shift ? "redo" : "undo"];
  return key === "y" ? ["redo"] : null;
}

/**
 * What a drag does: the right button and Shift always change the window, the middle button and Alt move the picture.
 * @param {{button: number, shiftKey: boolean, altKey: boolean}} press
 * @param {string} tool
 */
export function gestureOf({ button, shiftKey, altKey }, tool) {
  if (button === 2 || (button === 0 && shiftKey)) return "window";
  if (button === 1 || (button === 0 && altKey)) return "pan";
  return button === 0 ? tool : null;
}

/** Turns of a wheel or of a touchpad into whole steps. */
export class Wheel {
  constructor() {
    this.left = 0;
  }

  /**
   * Steps of a turn; small ones add up. Upwards is positive.
   * @param {{deltaY: number, deltaMode: number}} turn
   */
  steps({ deltaY, deltaMode }) {
    if (deltaMode !== 0 || Math.abs(deltaY) >= 50) {
      this.left = 0;
      const notches = deltaMode === 0 ? Math.abs(deltaY) / 120 : Math.abs(deltaY) / 3;
      return -Math.sign(deltaY) * Math.max(1, Math.round(notches));
    }
    this.left -= deltaY;
    const steps = Math.trunc(this.left / 50);
    this.left -= steps * 50;
    return steps;
  }
}
