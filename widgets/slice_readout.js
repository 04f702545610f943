/** The line that tells what lies under the pointer. */

import { element, fill } from "./elements.js";
import { clampIndex, isInside, toPoint } from "./slice_geometry.js";
import { indexUnder } from "./slice_pointer.js";
import { layerIndex, valueAt } from "./slice_sampling.js";

/** @typedef {import("./slice_view.js").Viewer} Viewer */
/** @typedef {import("./slice_types.js").Picture} Picture */

const ASK_AFTER = 150;

export class Readout {
  /** @param {Viewer} viewer */
  constructor(viewer) {
    this.viewer = viewer;
    this.element = element("div", { class: "mlab-readout" });
    this.spoken = element("div", { class: "mlab-hidden", "aria-live": "polite" });
    this.asked = 0;
    /** @type {{key: string, text: string}} value that the kernel told of an image that stays there */
    this.told = { key: "", text: "" };
  }

  /** Shows it with the next frame. */
  show() {
    this.asked ||= requestAnimationFrame(() => {
      this.asked = 0;
      this.element.textContent = this.text();
    });
  }

  /** Text for the voxel under the pointer, or for the linked position. */
  text() {
    const { hover, store, state } = this.viewer;
    const under = hover ? indexUnder(this.viewer, hover.view, [hover.x, hover.y]) : state.index;
    if (!isInside(under, store.base.size)) return "";
    return this.describe(clampIndex(under, store.base.size), under);
  }

  /**
   * @param {number[]} voxel
   * @param {number[]} exact continuous index
   */
  describe(voxel, exact) {
    const { store, state, numbers, t } = this.viewer;
    const point = toPoint(store.base.matrix, exact).map(numbers.mm).join("  ");
    const overlay = store.image(state.overlay);
    const values = [store.base, ...(overlay && overlay !== store.base ? [overlay] : [])];
    const texts = values.map((image) =>
      `${image.modality || image.name} ${this.value(image, image === store.base ? voxel : exact)}`);
    return [...texts, fill(t.slice_point, { point }), fill(t.slice_voxel, { voxel: voxel.join("  ") })].join("   ·   ");
  }

  /**
   * @param {Picture} image
   * @param {number[]} at index of the base; continuous for an overlay, which may have finer voxels
   */
  value(image, at) {
    const { store, numbers } = this.viewer;
    if (image.remote) return this.remoteValue(image, at);
    const layer = store.layers.get(image.id) ?? (image === store.base ? store.preview : null);
    const value = layer ? valueAt(layer, at) : NaN;
    if (Number.isNaN(value)) return "–";
    return `${layer?.coarse ? "≈ " : ""}${numbers.value(value)} ${image.unit}`.trim();
  }

  /**
   * @param {Picture} image
   * @param {number[]} at index of the base; continuous for an overlay, which may have finer voxels
   */
  remoteValue(image, at) {
    const { viewer } = this;
    const index = layerIndex({ size: image.size, ...viewer.store.placeOf(image) }, at);
    if (!index) return "–";
    const key = `${image.id}/${index}`;
    if (this.told.key === key) return this.told.text;
    viewer.later("value", ASK_AFTER, () => viewer.send({ type: "value", image: image.id, index }), true);
    return "…";
  }

  /** @param {{image: string, index: number[], text: string}} message */
  receive({ image, index, text }) {
    this.told = { key: `${image}/${index}`, text };
    this.show();
  }

  /** Reads the linked position out. */
  say() {
    const { index } = this.viewer.state;
    this.spoken.textContent = "";
    this.spoken.textContent = this.describe(index, index);
  }
}
