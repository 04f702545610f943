/** A volume that arrives in parts, in any order, some perhaps twice. */

import { emptyValues } from "./slice_sampling.js";

export class Volume {
  /**
   * @param {string} dtype
   * @param {number[]} size
   */
  constructor(dtype, size) {
    this.total = size[0] * size[1] * size[2];
    this.data = emptyValues(dtype, this.total);
    /** @type {Map<number, number>} voxels by offset */
    this.parts = new Map();
  }

  /**
   * @param {number} offset in voxels
   * @param {DataView} bytes
   */
  receive(offset, bytes) {
    const width = this.data.BYTES_PER_ELEMENT;
    const count = Math.floor(bytes.byteLength / width);
    if (!(offset >= 0) || offset + count > this.total) return;
    new Uint8Array(this.data.buffer).set(new Uint8Array(bytes.buffer, bytes.byteOffset, count * width), offset * width);
    this.parts.set(offset, Math.max(count, this.parts.get(offset) ?? 0));
  }

  /** Voxels that are here. */
  get received() {
    let sum = 0;
    for (const count of this.parts.values()) sum += count;
    return Math.min(sum, this.total);
  }

  get complete() {
    return this.received === this.total;
  }
}
