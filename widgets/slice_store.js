/** Everything big that the kernel sends: volumes, slices, masks. Asks for what is needed, keeps what came. */

import { relationTo } from "./slice_geometry.js";
import { RemoteSlices } from "./slice_remote.js";
import { valuesOf } from "./slice_sampling.js";
import { Volume } from "./slice_volume.js";

/** @typedef {import("./slice_types.js").Picture} Picture */
/** @typedef {import("./slice_types.js").Roi} Roi */
/** @typedef {import("./slice_types.js").Message} Message */
/** @typedef {import("./slice_types.js").Model} Model */
/** @typedef {import("./slice_requests.js").Requests} Requests */
/** @typedef {import("./slice_sampling.js").Layer} Layer */

const identity = { scale: [1, 1, 1], shift: [0, 0, 0] };

export class Store {
  /**
   * @param {Model} model
   * @param {Requests} requests
   * @param {(message: Record<string, unknown>) => void} send
   * @param {(what: "pixels"|"masks"|"progress") => void} changed
   */
  constructor(model, requests, send, changed) {
    this.model = model;
    this.requests = requests;
    this.send = send;
    this.changed = changed;
    /** @type {Map<string, Volume>} on their way, by image */
    this.coming = new Map();
    /** @type {Map<string, Layer>} complete, by image */
    this.layers = new Map();
    /** @type {Map<string, string>} how the kernel described each complete image */
    this.described = new Map();
    /** @type {Map<string, Uint8Array>} bits, by ROI and its box */
    this.masks = new Map();
    this.remote = new RemoteSlices(requests, () => changed("pixels"));
    /** @type {Layer | null} */
    this.preview = this.previewLayer();
  }

  /** @returns {Picture[]} */
  get images() {
    return this.model.get("images") ?? [];
  }

  /** @returns {Picture} */
  get base() {
    return this.images[0];
  }

  /** @param {string} id */
  image(id) {
    return this.images.find((image) => image.id === id);
  }

  /** @returns {Layer | null} */
  previewLayer() {
    /** @type {DataView | undefined} */
    const bytes = this.model.get("preview");
    const image = this.base;
    if (!image || !bytes?.byteLength) return null;
    const scale = this.model.get("preview_step").map((/** @type {number} */ step) => 1 / step);
    const data = valuesOf(image.dtype, bytes);
    const size = [...this.model.get("preview_size")];
    return { ...described(image), data, size, scale, shift: [0, 0, 0], coarse: true };
  }

  /**
   * What can be shown of an image in a slice: the volume, else a slice from the kernel, else the preview.
   * @param {Picture} image
   * @param {number} axis
   * @param {number} index of the base
   * @param {number[]} window
   * @returns {Layer | null}
   */
  layerFor(image, axis, index, window) {
    const found = image.remote ? this.remoteLayer(image, axis, index, window) : this.volumeOf(image);
    return found ?? (image.id === this.base.id ? this.preview : null);
  }

  /**
   * The whole image; asks for it where it lacks.
   * @param {Picture} image
   * @returns {Layer | null}
   */
  volumeOf(image) {
    const found = this.layers.get(image.id);
    if (!found && !image.remote) this.requests.ask(`volume/${image.id}`, { type: "volume", image: image.id });
    return found ?? null;
  }

  /**
   * @param {Picture} image
   * @param {number} axis
   * @param {number} index
   * @param {number[]} window
   * @returns {Layer | null}
   */
  remoteLayer(image, axis, index, window) {
    const placed = this.placeOf(image);
    const slice = Math.round(placed.scale[axis] * index + placed.shift[axis]);
    if (slice < 0 || slice >= image.size[axis]) return null;
    const found = this.remote.get(image.id, axis, slice, window);
    if (!found) return null;
    const [low, high] = found.window;
    return { dtype: "uint8", data: found.values, size: image.size, ...placed, slope: (high - low) / 255, intercept: low,
      flat: true };
  }

  /** @param {Picture} image */
  placeOf(image) {
    return image.id === this.base.id ? identity : relationTo(this.base, image);
  }

  /**
   * Bits of a ROI, with its box; asks for them where they lack.
   * @param {Roi} roi
   */
  maskOf(roi) {
    const key = maskKey(roi);
    const found = this.masks.get(key);
    if (!found) this.requests.ask(`mask/${roi.id}`, { type: "mask", roi: roi.id });
    return found ?? null;
  }

  /** Share of the volumes on their way that is here, or null where none is. */
  get progress() {
    const asked = this.images.filter((image) => this.requests.isOpen(`volume/${image.id}`));
    if (!asked.length) return null;
    const { received, total } = this.coming.get(asked[0].id) ?? { received: 0, total: 1 };
    return received / total;
  }

  /**
   * @param {Message} message
   * @param {DataView[]} buffers
   */
  receive(message, buffers) {
    if (message.type === "chunk") this.receiveChunk(message, buffers[0]);
    if (message.type === "mask") this.receiveMask(message, buffers[0]);
    if (message.type === "slice") this.remote.receive(/** @type {any} */ (message), buffers[0]);
  }

  /**
   * @param {Message} message
   * @param {DataView} bytes
   */
  receiveChunk({ image: id, offset }, bytes) {
    const image = this.image(id);
    if (!image) return;
    const volume = this.layers.has(id) ? null : this.coming.get(id) ?? new Volume(image.dtype, image.size);
    if (volume) {
      this.coming.set(id, volume);
      volume.receive(offset, bytes);
      this.requests.touch(`volume/${id}`);
      if (volume.complete) this.complete(image, volume);
    }
    this.send({ type: "ack", image: id, received: volume?.received ?? image.size.reduce((a, b) => a * b) });
    this.changed("progress");
  }

  /**
   * @param {Picture} image
   * @param {Volume} volume
   */
  complete(image, volume) {
    this.coming.delete(image.id);
    this.requests.settle(`volume/${image.id}`);
    this.described.set(image.id, JSON.stringify(image));
    this.layers.set(image.id, { ...described(image), data: volume.data, size: image.size, ...this.placeOf(image) });
    this.changed("pixels");
  }

  /**
   * @param {Message} message
   * @param {DataView} bytes
   */
  receiveMask({ roi: id }, bytes) {
    this.requests.settle(`mask/${id}`);
    const roi = /** @type {Roi[]} */ (this.model.get("rois")).find((one) => one.id === id);
    if (!roi) return;
    this.masks.set(maskKey(roi), new Uint8Array(valuesOf("uint8", bytes)));
    this.changed("masks");
  }

  /** Frees what belongs to images that are not the same any more. */
  forgetChanged() {
    this.remote.clear();
    for (const id of this.layers.keys()) {
      if (this.described.get(id) !== JSON.stringify(this.image(id))) this.layers.delete(id);
    }
  }

  /**
   * Frees the volumes of overlays other than the one that is chosen.
   * @param {string} overlay
   */
  keepOnly(overlay) {
    for (const id of [...this.layers.keys(), ...this.coming.keys()]) {
      if (id === overlay || id === this.base.id) continue;
      this.layers.delete(id);
      this.coming.delete(id);
      this.requests.settle(`volume/${id}`);
    }
  }

  clear() {
    for (const kept of [this.coming, this.layers, this.masks, this.remote]) kept.clear();
    this.preview = null;
  }
}

/** @param {Picture} image */
const described = (image) => ({ dtype: image.dtype, slope: image.slope ?? 1, intercept: image.intercept ?? 0 });

/** @param {Roi} roi */
export const maskKey = (roi) => `${roi.id}/${roi.box.join(",")}`;
