/** A mask under edit: strokes, undo and redo, and what has still to be told to the kernel. */

import { bitAt, writeBits } from "./slice_masks.js";

/** @typedef {{value: number, places: number[]}} Stroke */
/** @typedef {{value: number, begin: boolean, end: boolean, places: Uint32Array}} Part */

export class Draft {
  /**
   * @param {number[]} size of the base
   * @param {Uint8Array} bits a bit a voxel, lowest bit first
   */
  constructor(size, bits) {
    this.size = size;
    this.bits = bits;
    /** Rises with every change, for caches. */
    this.version = 0;
    /** @type {Stroke[]} */
    this.done = [];
    /** @type {Stroke[]} */
    this.undone = [];
    /** @type {Stroke | null} */
    this.open = null;
    this.sent = 0;
    this.begun = false;
    /** Somebody else's stroke came during the open one: the kernel may keep that one in two. */
    this.mixed = false;
  }

  /** @param {number} value 1 paints, 0 erases */
  begin(value) {
    this.open = { value, places: [] };
    this.sent = 0;
    this.begun = false;
    this.mixed = false;
  }

  /**
   * Paints voxels; those that have the value already count for nothing.
   * @param {ArrayLike<number>} places linear indices
   */
  paint(places) {
    if (!this.open) return;
    const { value, places: painted } = this.open;
    const changed = Array.prototype.filter.call(places, (/** @type {number} */ at) => bitAt(this.bits, at) !== value);
    if (!changed.length) return;
    writeBits(this.bits, changed, value);
    for (const at of changed) painted.push(at);
    this.version += 1;
  }

  /**
   * What changed since the last call, to be sent; null where there is nothing to say.
   * @param {boolean} end the stroke is complete
   * @returns {Part | null}
   */
  take(end) {
    if (!this.open) return null;
    const { value, places } = this.open;
    const fresh = Uint32Array.from(places.slice(this.sent));
    const begin = !this.begun;
    if (end) this.close();
    if (!fresh.length && (begin || !end)) return null;
    this.sent = places.length;
    this.begun = true;
    return { value, begin, end, places: fresh };
  }

  close() {
    if (this.open?.places.length) {
      if (!this.mixed) this.done.push(this.open);
      this.undone = [];
    }
    this.open = null;
  }

  /** Takes the last stroke back; false where none of this view's is left. */
  undo() {
    const stroke = this.done.pop();
    if (!stroke) return false;
    this.apply(stroke.places, 1 - stroke.value);
    this.undone.push(stroke);
    return true;
  }

  redo() {
    const stroke = this.undone.pop();
    if (!stroke) return false;
    this.apply(stroke.places, stroke.value);
    this.done.push(stroke);
    return true;
  }

  /** Strokes of others came between: the order of this view's own strokes is no longer the whole story. */
  forget() {
    this.done = [];
    this.undone = [];
    this.mixed = true;
  }

  /**
   * @param {ArrayLike<number>} places
   * @param {number} value
   */
  apply(places, value) {
    writeBits(this.bits, places, value);
    this.version += 1;
  }
}
