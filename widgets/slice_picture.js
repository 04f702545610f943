/** One slice of one image as a bitmap, redone only where the slice, the window or the colours changed. */

import { colourTable, fillLookup, paintReal, paintWhole, stepsOf } from "./slice_colour.js";
import { emptyValues, extractSlice, layerSlice } from "./slice_sampling.js";

/** @typedef {import("./slice_sampling.js").Layer} Layer */
/** @typedef {import("./slice_geometry.js").Plane} Plane */
/** @typedef {{window: number[], colourmap: string, overlay: boolean}} Look */

/** Tables from stored values to colours, one an image, shared by the planes. */
export class Lookups {
  constructor() {
    /** @type {Map<string, {key: string, table: Uint32Array}>} */
    this.kept = new Map();
    /** @type {Map<string, Uint32Array>} */
    this.colours = new Map();
  }

  /** @param {Look} look */
  coloursOf({ colourmap, overlay }) {
    const key = `${colourmap}/${overlay}`;
    const found = this.colours.get(key) ?? colourTable(colourmap, overlay);
    this.colours.set(key, found);
    return found;
  }

  /**
   * @param {string} image
   * @param {Layer} layer
   * @param {Look} look
   */
  tableOf(image, layer, look) {
    const key = [layer.dtype, layer.slope, layer.intercept, ...look.window, look.colourmap, look.overlay].join();
    const kept = this.kept.get(image) ?? { key: "", table: new Uint32Array(65536) };
    if (kept.key !== key) {
      const steps = stepsOf(layer.slope, layer.intercept, look.window);
      fillLookup(layer.dtype === "int16", steps, this.coloursOf(look), kept.table);
      this.kept.set(image, { key, table: kept.table });
    }
    return kept.table;
  }
}

export class SlicePicture {
  /**
   * @param {Plane} plane
   * @param {Lookups} lookups
   */
  constructor(plane, lookups) {
    this.plane = plane;
    this.lookups = lookups;
    this.canvas = document.createElement("canvas");
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d", { willReadFrequently: true }));
    /** @type {ImageData | null} */
    this.bitmap = null;
    /** @type {Uint32Array} */
    this.pixels = new Uint32Array(0);
    /** @type {import("./slice_sampling.js").Values | null} */
    this.values = null;
    /** @type {Layer | null} */
    this.layer = null;
    this.slice = -1;
    this.key = "";
  }

  /**
   * Makes the bitmap show a slice of the base.
   * @param {string} image
   * @param {Layer} layer
   * @param {number} index of the base
   * @param {Look} look
   * @returns {boolean} false where the layer does not reach
   */
  show(image, layer, index, look) {
    const slice = layerSlice(layer, this.plane.axis, index);
    if (slice === null) return false;
    const moved = this.layer?.data !== layer.data || this.slice !== slice;
    const key = [image, layer.slope, layer.intercept, ...look.window, look.colourmap, look.overlay].join();
    if (moved) this.extract(layer, slice);
    if (moved || key !== this.key) this.paint(image, layer, look);
    this.key = key;
    return true;
  }

  /**
   * @param {Layer} layer
   * @param {number} slice
   */
  extract(layer, slice) {
    const { column, row } = this.plane;
    const [width, height] = [layer.size[column], layer.size[row]];
    if (!this.bitmap || this.bitmap.width !== width || this.bitmap.height !== height) {
      [this.canvas.width, this.canvas.height] = [width, height];
      this.bitmap = this.context.createImageData(width, height);
      this.pixels = new Uint32Array(this.bitmap.data.buffer);
    }
    if (layer.flat) {
      this.values = layer.data;
    } else {
      if (this.values?.length !== width * height || this.layer?.flat || this.layer?.dtype !== layer.dtype) {
        this.values = emptyValues(layer.dtype, width * height);
      }
      extractSlice(layer.data, layer.size, this.plane, slice, this.values);
    }
    this.layer = layer;
    this.slice = slice;
  }

  /**
   * @param {string} image
   * @param {Layer} layer
   * @param {Look} look
   */
  paint(image, layer, look) {
    if (!this.values || !this.bitmap) return;
    if (layer.flat || layer.dtype === "float32") {
      const steps = stepsOf(layer.slope, layer.intercept, look.window);
      paintReal(this.values, steps, this.lookups.coloursOf(look), this.pixels);
    } else {
      paintWhole(this.values, this.lookups.tableOf(image, layer, look), this.pixels);
    }
    this.context.putImageData(this.bitmap, 0, 0);
  }

  /** Left, top, width and height of the bitmap in column and row indices of the base. */
  get extent() {
    const { scale, shift, size } = /** @type {Layer} */ (this.layer);
    const { column, row } = this.plane;
    return [column, row].map((axis) => (-0.5 - shift[axis]) / scale[axis])
      .concat([column, row].map((axis) => size[axis] / scale[axis]));
  }

  free() {
    [this.canvas.width, this.canvas.height] = [0, 0];
    this.bitmap = this.values = this.layer = null;
    this.pixels = new Uint32Array(0);
  }
}
