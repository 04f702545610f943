/** Editing a mask: the draft in this view, and the messages that keep the kernel's copy the same. */

import { Draft } from "./slice_draft.js";

/** @typedef {import("./slice_requests.js").Requests} Requests */
/** @typedef {import("./slice_types.js").Message} Message */
/** @typedef {(message: Record<string, unknown>, buffers?: ArrayBufferView[]) => void} Send */

export class Edits {
  /**
   * @param {string} token of this view
   * @param {Requests} requests
   * @param {Send} send
   * @param {() => void} changed
   */
  constructor(token, requests, send, changed) {
    this.token = token;
    this.requests = requests;
    this.send = send;
    this.changed = changed;
    /** @type {Draft | null} */
    this.draft = null;
    /** @type {import("./slice_draft.js").Part[]} painted since the draft was asked for */
    this.since = [];
  }

  /** @param {string} roi to be copied, or "" @param {string} name */
  start(roi, name) {
    this.ask({ type: "edit", roi, name });
  }

  /** Asks for the draft that the kernel has. */
  resume() {
    this.ask({ type: "get_draft" });
  }

  /** @param {Record<string, unknown>} message */
  ask(message) {
    this.flush(false);
    this.since = [];
    this.requests.settle("draft");
    this.requests.ask("draft", message);
  }

  /**
   * @param {number[]} size
   * @param {Uint8Array} bits
   */
  receiveDraft(size, bits) {
    this.requests.settle("draft");
    const before = this.draft;
    const draft = new Draft(size, bits);
    if (before) {
      Object.assign(draft, { done: before.done, undone: before.undone, open: before.open, sent: before.sent });
      Object.assign(draft, { begun: before.begun, version: before.version + 1 });
    }
    for (const { places, value } of this.since) draft.apply(places, value);
    if (draft.open) draft.apply(draft.open.places, draft.open.value);
    this.since = [];
    this.draft = draft;
    this.changed();
  }

  /** @param {number} value */
  begin(value) {
    this.flush(true);
    this.draft?.begin(value);
  }

  /** @param {ArrayLike<number>} places */
  paint(places) {
    this.draft?.paint(places);
  }

  /**
   * Tells the kernel what was painted since the last time.
   * @param {boolean} end
   */
  flush(end) {
    const part = this.draft?.take(end);
    if (!part) return;
    const { value, begin, places } = part;
    if (this.requests.isOpen("draft")) this.since.push(part);
    this.send({ type: "stroke", value, begin, end: part.end }, [places]);
    if (end) this.changed();
  }

  undo() {
    this.revert("undo");
  }

  redo() {
    this.revert("redo");
  }

  /**
   * At once in this view where the stroke is its own; else the kernel knows better and sends the draft again.
   * @param {"undo"|"redo"} type
   */
  revert(type) {
    if (!this.draft || this.draft.open) return;
    const own = !this.requests.isOpen("draft") && this.draft[type]();
    this.send({ type });
    if (!own) this.foreign();
    this.changed();
  }

  /** The draft was changed by somebody else. */
  foreign() {
    if (!this.draft) return;
    this.draft.forget();
    this.resume();
  }

  /**
   * @param {Message} message
   * @param {DataView[]} buffers
   * @param {number[]} size of the base
   */
  receive(message, buffers, size) {
    const own = message.token === this.token;
    if (message.type === "draft" && own) {
      const { buffer, byteOffset, byteLength } = buffers[0];
      this.receiveDraft(size, new Uint8Array(buffer, byteOffset, byteLength).slice());
    }
    if (["undone", "redone"].includes(message.type) && !own) this.foreign();
    if (message.type === "stroke" && !own) this.follow(message.value, buffers[0]);
  }

  /**
   * Somebody else's stroke, shown here too.
   * @param {number} value
   * @param {DataView} bytes
   */
  follow(value, bytes) {
    const places = new Uint32Array(bytes.byteLength / 4);
    new Uint8Array(places.buffer).set(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    if (this.requests.isOpen("draft")) this.since.push({ value, begin: true, end: true, places });
    this.draft?.forget();
    this.draft?.apply(places, value);
    this.changed();
  }

  /** @param {{name: string, author: string, note: string}} what */
  save(what) {
    this.flush(true);
    this.send({ type: "save", ...what });
  }

  discard() {
    this.flush(true);
    this.send({ type: "discard" });
  }

  /** The kernel has no draft any more. */
  close() {
    this.draft = null;
    this.since = [];
    this.requests.settle("draft");
    this.changed();
  }
}
