/** One note as the browser knows it: text, spans in UTF-16 units, relations, and what was not confirmed yet. */
import { Offsets } from "./span_offsets.js";
import { blocksOf } from "./span_blocks.js";
import { inOrder } from "./span_runs.js";

/** @typedef {import("./span_runs.js").Span} Span */
/** @typedef {{ id: string, kind: string, source: string, target: string }} Relation */
/** @typedef {{ attribute: string, status: string, context: string }} Wanted */

/** @param {Span} span @param {Wanted} wanted @returns {boolean} whether the filters leave it in view */
export function fits(span, { attribute, status, context }) {
  return (!attribute || span.attribute === attribute) && (!status || span.status === status)
    && (!context || span.context.includes(context));
}

/** @returns {string} an identifier for a new span */
export function newId() {
  return [...crypto.getRandomValues(new Uint8Array(8))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** The status of a span after an annotator has changed it. @param {Span} span */
export function editedStatus(span) {
  return span.status === "added" ? "added" : "edited";
}

export class NoteState {
  /** @param {any} sent what views/span_annotator.py says of a note */
  constructor(sent) {
    this.place = sent.place;
    this.note = sent.note;
    this.date = sent.date;
    this.language = sent.language;
    /** @type {string} */
    this.text = sent.text;
    this.stale = sent.stale;
    this.done = sent.done;
    this.undo = sent.undo;
    this.redo = sent.redo;
    this.offsets = new Offsets(this.text);
    this.blocks = blocksOf(this.text);
    /** @type {[number, number][]} */
    this.hits = sent.hits.map((/** @type {[number, number]} */ [start, end]) => [this.offsets.toUnits(start),
      this.offsets.toUnits(end)]);
    /** @type {Map<string, Span>} */
    this.spans = new Map(sent.spans.map((/** @type {Span} */ span) => [span.id, this.received(span)]));
    /** @type {Map<string, Relation>} */
    this.relations = new Map(sent.relations.map((/** @type {Relation} */ one) => [one.id, one]));
    /** Spans that an act on its way has changed. @type {Set<string>[]} */
    this.waiting = [];
    /** @type {Span[]} */
    this.order = [];
    /** Grows with every change. */
    this.version = 0;
    this.sorted();
  }

  /** @param {Span} span as sent @returns {Span} */
  received(span) {
    return { ...span, start: this.offsets.toUnits(span.start), end: this.offsets.toUnits(span.end) };
  }

  /** @param {Span} span @returns {Span} as it is sent */
  toSend(span) {
    return { ...span, start: this.offsets.toPoints(span.start), end: this.offsets.toPoints(span.end) };
  }

  sorted() {
    this.order = [...this.spans.values()].sort(inOrder);
    this.version += 1;
  }

  /** @param {Span} span @returns {string} */
  wordsOf(span) {
    return this.text.slice(span.start, span.end);
  }

  /** Show an act before it is confirmed. @param {Span[]} put @param {string[]} removed @returns {Set<string>} */
  expect(put, removed) {
    put.forEach((span) => this.spans.set(span.id, span));
    removed.forEach((id) => this.spans.delete(id));
    const gone = [...removed, ...put.filter((span) => span.status === "rejected").map((span) => span.id)];
    for (const [id, one] of this.relations) {
      if (gone.includes(one.source) || gone.includes(one.target)) this.relations.delete(id);
    }
    const touched = new Set([...put.map((span) => span.id), ...removed]);
    this.waiting.push(touched);
    this.sorted();
    return touched;
  }

  /**
   * What an act has changed; what a later act has changed since stays as it is shown.
   *
   * @param {any} answer
   * @param {Set<string>} touched what expect gave
   * @returns {string[]} identifiers of the spans that changed
   */
  confirm(answer, touched) {
    this.waiting = this.waiting.filter((one) => one !== touched);
    const later = (/** @type {string} */ id) => this.waiting.some((one) => one.has(id));
    const changed = Object.entries(answer.spans).filter(([id]) => !later(id));
    const before = JSON.stringify([changed.map(([id]) => this.spans.get(id)), [...this.relations]]);
    for (const [id, span] of changed) {
      if (span === null) this.spans.delete(id);
      else this.spans.set(id, { ...this.spans.get(id), ...this.received(/** @type {Span} */ (span)) });
    }
    for (const [id, one] of Object.entries(answer.relations)) {
      if (one === null) this.relations.delete(id);
      else this.relations.set(id, /** @type {Relation} */ (one));
    }
    if (this.waiting.length === 0) ({ done: this.done, undo: this.undo, redo: this.redo } = answer);
    // Mostly it is what is shown already, and nothing has to be drawn again.
    if (before !== JSON.stringify([changed.map(([id]) => this.spans.get(id)), [...this.relations]])) this.sorted();
    return changed.map(([id]) => id);
  }

  /**
   * The next or previous span that fits; from the other end of the note when there is none further on.
   *
   * @param {string | null} from the active span
   * @param {number} at the caret, where no span is active
   * @param {1 | -1} by
   * @param {(span: Span) => boolean} fitting
   * @returns {Span | null}
   */
  next(from, at, by, fitting) {
    const active = this.order.findIndex((span) => span.id === from);
    const ahead = active < 0 ? this.order.filter((span) => (by > 0 ? span.start >= at : span.start < at))
      : by > 0 ? this.order.slice(active + 1) : this.order.slice(0, active);
    const first = (/** @type {Span[]} */ spans) => (by > 0 ? spans.find(fitting) : spans.filter(fitting).at(-1));
    return first(ahead) ?? first(this.order) ?? null;
  }

  /** @param {number} at @returns {Span[]} the spans around a place, the shortest first */
  around(at) {
    return this.order.filter((span) => span.start <= at && span.end > at)
      .sort((one, other) => (one.end - one.start) - (other.end - other.start));
  }

  /** @param {string} id @returns {Relation[]} */
  relationsOf(id) {
    return [...this.relations.values()].filter((one) => one.source === id || one.target === id);
  }
}
