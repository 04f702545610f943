/** Slices of images that stay in the kernel: asked for one by one, kept for a while. */

/** @typedef {import("./slice_requests.js").Requests} Requests */
/** @typedef {{values: Uint8Array, window: number[]}} Slice */

const KEPT = 120;

/**
 * Grey values of a JPEG.
 * @param {DataView} bytes
 */
async function decodeGrey(bytes) {
  const blob = new Blob([/** @type {any} */ (bytes)], { type: "image/jpeg" });
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: "none" });
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return Uint8Array.from({ length: data.length / 4 }, (_, k) => data[4 * k]);
}

export class RemoteSlices {
  /**
   * @param {Requests} requests
   * @param {() => void} arrived
   * @param {(bytes: DataView) => Promise<Uint8Array>} [decode]
   */
  constructor(requests, arrived, decode = decodeGrey) {
    this.requests = requests;
    this.arrived = arrived;
    this.decode = decode;
    /** @type {Map<string, Slice>} */
    this.kept = new Map();
  }

  /**
   * The slice if it is here, perhaps with another window; asks for what lacks, one question an axis at a time.
   * @param {string} image
   * @param {number} axis
   * @param {number} index
   * @param {number[]} window
   * @returns {Slice | null}
   */
  get(image, axis, index, window) {
    const found = this.kept.get(`${image}/${axis}/${index}`);
    if (found?.window.every((value, k) => value === window[k])) return found;
    this.requests.ask(`slice/${image}/${axis}`, { type: "slice", image, axis, index, window: [...window] });
    return found ?? null;
  }

  /**
   * @param {{image: string, axis: number, index: number, window: number[], width: number, height: number}} message
   * @param {DataView} bytes
   */
  async receive({ image, axis, index, window, width, height }, bytes) {
    const values = await this.decode(bytes).catch(() => null);
    this.requests.settle(`slice/${image}/${axis}`);
    if (values?.length !== width * height) return;
    const key = `${image}/${axis}/${index}`;
    this.kept.delete(key);
    this.kept.set(key, { values, window });
    if (this.kept.size > KEPT) this.kept.delete(/** @type {string} */ (this.kept.keys().next().value));
    this.arrived();
  }

  clear() {
    this.kept.clear();
  }
}
