/**
 * Editing a mask: the draft in this view, and the messages that keep the kernel's copy the same.
 *
 * The kernel carries out what all views send in one order, and tells it in that order. Each message of this view has a
 * number, which the kernel echoes: what has no echo yet comes later, in the kernel, than all that was heard from there.
 */

import { Draft } from "./slice_draft.js";

/** @typedef {import("./slice_requests.js").Requests} Requests */
/** @typedef {import("./slice_types.js").Message} Message */
/** @typedef {import("./slice_draft.js").Part} Part */
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
    /** Of the last message. */
    this.number = 0;
    /** The number of the question for the draft that is to be answered, or 0. */
    this.waiting = 0;
    /** @type {{number: number, part: Part | null}[]} without echo yet; an undo or redo has no part */
    this.unheard = [];
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
    this.requests.settle("draft");
    this.waiting = this.number += 1;
    this.requests.ask("draft", { ...message, number: this.number });
  }

  /** The question for the draft is answered, or needs no answer any more. */
  settle() {
    this.waiting = 0;
    this.requests.settle("draft");
  }

  /**
   * Sends what changes the draft.
   * @param {Record<string, unknown>} message
   * @param {Part | null} part what is painted; null for an undo or redo
   */
  tell(message, part) {
    this.number += 1;
    // What was painted before an undo may be what it takes back: it is not to be painted again.
    this.unheard = [...(part ? this.unheard : []), { number: this.number, part }];
    this.send({ ...message, number: this.number }, part ? [part.places] : undefined);
  }

  /**
   * Paints again what the kernel does after all that was heard from it.
   * @param {Draft} draft
   */
  repaint(draft) {
    for (const { part } of this.unheard) if (part) draft.apply(part.places, part.value);
    if (draft.open) draft.apply(draft.open.places.slice(draft.sent), draft.open.value);
  }

  /**
   * @param {number[]} size
   * @param {Uint8Array} bits
   */
  receiveDraft(size, bits) {
    this.settle();
    const before = this.draft;
    const draft = new Draft(size, bits);
    if (before) {
      // What was painted meanwhile changed other voxels in the kernel than here: only the kernel can take it back.
      const { open, sent, begun, version } = before;
      Object.assign(draft, { open, sent, begun, mixed: true, version: version + 1 });
    }
    this.repaint(draft);
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
    this.tell({ type: "stroke", value: part.value, begin: part.begin, end: part.end }, part);
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
    const own = !this.waiting && this.draft[type]();
    this.tell({ type }, null);
    if (!own) {
      this.draft.forget();
      this.resume();
    }
    this.changed();
  }

  /** The draft was changed by somebody else. A question that is open already is answered after that change. */
  foreign() {
    if (!this.draft) return;
    this.draft.forget();
    if (!this.requests.isOpen("draft")) this.resume();
  }

  /**
   * @param {Message} message
   * @param {DataView[]} buffers
   * @param {number[]} size of the base
   */
  receive(message, buffers, size) {
    if (message.token === this.token) this.receiveOwn(message, buffers, size);
    else if (["undone", "redone"].includes(message.type)) this.foreign();
    else if (message.type === "stroke") this.follow(message.value, buffers[0]);
  }

  /**
   * An echo, or the answer to the newest question for the draft; older answers lack what was done since.
   * @param {Message} message
   * @param {DataView[]} buffers
   * @param {number[]} size of the base
   */
  receiveOwn({ type, number }, buffers, size) {
    if (!number) return;
    this.unheard = this.unheard.filter((sent) => sent.number > number);
    // What the kernel refused must not stay painted here.
    if (type === "error" && number !== this.waiting && this.draft) this.foreign();
    if (number !== this.waiting) return;
    if (type === "error") this.settle();
    if (type !== "draft") return;
    const { buffer, byteOffset, byteLength } = buffers[0];
    this.receiveDraft(size, new Uint8Array(buffer, byteOffset, byteLength).slice());
  }

  /**
   * Somebody else's stroke, shown here too; under what this view did that the kernel has not come to yet.
   * @param {number} value
   * @param {DataView} bytes
   */
  follow(value, bytes) {
    const places = new Uint32Array(bytes.byteLength / 4);
    new Uint8Array(places.buffer).set(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
    if (!this.draft) return;
    this.draft.forget();
    this.draft.apply(places, value);
    this.repaint(this.draft);
    if (this.unheard.length) this.foreign();
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
    this.unheard = [];
    this.settle();
    this.changed();
  }
}
