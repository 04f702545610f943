/** The text of a note: blocks, spans, caret and selection. A note's text is only ever set as text, never as markup. */
import { element } from "./elements.js";
import { blockAt, characterFrom, wordFrom } from "./span_blocks.js";
import { dressed, looksOf, tagFor } from "./span_marks.js";
import { LINE, Places } from "./span_places.js";
import { byBlock, levelsOf, runsOf } from "./span_runs.js";
import { fits } from "./span_state.js";

/** @typedef {import("./span_runs.js").Span} Span */
/** @typedef {import("./span_runs.js").Run} Run */
/** @typedef {import("./span_state.js").NoteState} NoteState */

const SELECTION = "mlab-span-selection";

/** Painted by the browser without a change of the document; shared by all annotators of a page. */
const highlight = typeof Highlight === "undefined" ? null : new Highlight();

export class TextView {
  /**
   * @param {import("./span_labels.js").Labels} labels
   * @param {Record<string, string>} t
   * @param {{ moved: () => void, picked: (span: Span | null) => void, drawing: () => void }} told what happens by the
   *   mouse, and that something is being drawn
   */
  constructor(labels, t, told) {
    this.labels = labels;
    this.told = told;
    this.content = element("div", { class: "mlab-span-content" });
    this.root = element("div", { class: "mlab-span-text", role: "application", tabindex: 0,
      "aria-label": t.annotator_text, "aria-description": t.annotator_text_help }, this.content);
    this.caret = element("div", { class: "mlab-span-caret" });
    /** @type {NoteState | null} */
    this.state = null;
    this.places = new Places(this.content);
    /** @type {Map<number, string>} */
    this.drawn = new Map();
    /** What is to be done before the browser paints: "draw", "paint", "reveal". @type {Set<string>} */
    this.pending = new Set();
    /** What all drawing needs, of a version of the note. */
    this.plan = { version: -1, levels: /** @type {Map<string, number>} */ (new Map()),
      spans: /** @type {Map<number, Span[]>} */ (new Map()), hits: /** @type {Map<number, Span[]>} */ (new Map()) };
    this.at = 0;
    this.anchor = 0;
    /** @type {number | null} */
    this.goal = null;
    /** @type {string | null} */
    this.active = null;
    this.tags = true;
    /** @type {import("./span_state.js").Wanted} */
    this.filter = { attribute: "", status: "", context: "" };
    /** What the drawing was made from. */
    this.shown = "";
    /** @type {Range | null} */
    this.range = null;
    this.root.addEventListener("mouseup", (event) => this.onMouse(event));
    this.root.addEventListener("copy", (event) => this.onCopy(event));
    if (highlight) CSS.highlights.set(SELECTION, highlight);
  }

  /** @param {NoteState} state */
  show(state) {
    this.state = state;
    this.drawn.clear();
    this.at = this.anchor = 0;
    this.active = this.goal = null;
    this.plan.version = -1;
    this.shown = "";
    this.places.show(state);
    this.root.scrollTop = 0;
    this.draw();
    this.paint();
  }

  /** The same note as it is stored now: caret and selection stay. @param {NoteState} state */
  renew(state) {
    this.state = state;
    this.plan.version = -1;
    this.shown = "";
    this.later("draw");
  }

  /** Have something done once, after everything else that a key does and before the browser paints. */
  later(/** @type {string[]} */ ...what) {
    if (this.pending.size === 0) queueMicrotask(() => this.flush());
    what.forEach((one) => this.pending.add(one));
  }

  flush() {
    const { pending } = this;
    this.pending = new Set();
    if (pending.has("draw")) {
      this.told.drawing();
      this.draw();
    }
    this.paint();
    if (pending.has("reveal") && this.state) this.reveal();
  }

  /** Draw anew the blocks in which something looks different from what is drawn. */
  draw() {
    const { state, plan } = this;
    if (!state) return;
    const shown = JSON.stringify([state.version, this.active, this.tags, this.filter]);
    if (shown === this.shown) return;
    this.shown = shown;
    if (plan.version !== state.version) {
      const hits = state.hits.map(([start, end]) => /** @type {any} */ ({ start, end }));
      this.plan = { version: state.version, levels: levelsOf(state.order),
        spans: byBlock(state.blocks, state.order, blockAt), hits: byBlock(state.blocks, hits, blockAt) };
    }
    const { levels, spans, hits } = this.plan;
    /** @type {import("./span_marks.js").Look} */
    const look = { state, labels: this.labels, levels, active: this.active, fitting: (span) => fits(span, this.filter), tags: this.tags,
      related: new Set(this.active === null ? [] : state.relationsOf(this.active).flatMap((link) =>
        [link.source, link.target]).filter((id) => id !== this.active)) };
    for (const place of new Set([...spans.keys(), ...hits.keys(), ...this.drawn.keys()])) {
      const runs = runsOf(state.blocks[place], spans.get(place) ?? [],
        (hits.get(place) ?? []).map(({ start, end }) => [start, end]));
      this.drawBlock(place, runs, look);
    }
  }

  /** @param {number} place @param {Run[]} runs @param {import("./span_marks.js").Look} look */
  drawBlock(place, runs, look) {
    const signature = JSON.stringify(runs.map((run) => looksOf(run, look)));
    if (this.drawn.get(place) === signature) return;
    if (runs.some((run) => run.spans.length || run.hit)) this.drawn.set(place, signature);
    else this.drawn.delete(place);
    const { text, blocks } = look.state;
    const { start, end } = blocks[place];
    /** @type {import("./span_places.js").Piece[]} */
    const pieces = [];
    /** @type {Node[]} */
    const children = [];
    for (const run of runs.length ? runs : [{ start, end, spans: [], ends: [], hit: false }]) {
      const node = document.createTextNode(text.slice(run.start, run.end));
      pieces.push({ node, start: run.start, end: run.end });
      children.push(run.spans.length || run.hit ? dressed(run, node, look) : node,
        ...run.ends.map((span) => tagFor(span, look)));
    }
    this.places.pieces[place] = pieces;
    this.places.elements[place].replaceChildren(...children);
  }

  // -- caret and selection ------------------------------------------------------------------------------------------

  /** @returns {[number, number]} the selected stretch; empty at the caret */
  get selection() {
    return [Math.min(this.at, this.anchor), Math.max(this.at, this.anchor)];
  }

  /** @param {number} anchor @param {number} [at] */
  select(anchor, at = anchor) {
    this.anchor = anchor;
    this.at = at;
    this.goal = null;
    this.later("reveal");
  }

  /** @param {string} what @param {1 | -1} by @param {boolean} extend */
  move(what, by, extend) {
    const goal = this.goal;
    const at = this.target(what, by);
    this.at = at;
    if (!extend) this.anchor = at;
    this.goal = what === "line" || what === "page" ? goal ?? this.goal : null;
    this.later("reveal");
  }

  /** @param {string} what @param {1 | -1} by @returns {number} */
  target(what, by) {
    const state = this.state;
    if (!state) return 0;
    const { text, blocks } = state;
    const block = blockAt(blocks, this.at);
    switch (what) {
      case "character": return characterFrom(text, blocks, this.at, by);
      case "word": return wordFrom(text, blocks, this.at, by);
      case "edge": return by > 0 ? blocks[block].end : blocks[block].start;
      case "text": return by > 0 ? text.length : 0;
      case "block": return this.nextBlock(block, by);
      case "page": return this.page(by);
      default: return this.lineFrom(by);
    }
  }

  /** @param {number} block @param {1 | -1} by */
  nextBlock(block, by) {
    const { blocks } = this.places;
    if (by < 0) return this.at > blocks[block].start ? blocks[block].start : blocks[Math.max(0, block - 1)].start;
    return block + 1 < blocks.length ? blocks[block + 1].start : blocks[block].end;
  }

  /** The place above or below, as drawn. @param {1 | -1} by */
  lineFrom(by) {
    const rect = this.places.rectAt(this.at);
    this.goal ??= rect.left;
    this.scrollTo(rect.top + by * LINE, rect.bottom + by * LINE);
    const now = this.places.rectAt(this.at);
    for (let step = 4; step <= LINE * 1.5; step += 6) {
      const y = by > 0 ? now.bottom + step : now.top - step;
      const found = this.places.placeAt(this.goal, y);
      const there = found === null ? null : this.places.rectAt(found);
      if (found !== null && there && (there.top - now.top) * by > 3) return found;
    }
    const { blocks, text } = this.places;
    const block = blockAt(blocks, this.at);
    if (by > 0) return block + 1 < blocks.length ? blocks[block + 1].start : blocks[block].end;
    return block > 0 ? characterFrom(text, blocks, blocks[block].start, -1) : 0;
  }

  /** @param {1 | -1} by */
  page(by) {
    const rect = this.places.rectAt(this.at);
    this.goal ??= rect.left;
    const step = Math.max(LINE, this.root.clientHeight - 2 * LINE);
    const before = this.root.scrollTop;
    this.root.scrollTop += by * step;
    if (Math.abs(this.root.scrollTop - before) < step / 2) return by > 0 ? this.places.text.length : 0;
    const box = this.root.getBoundingClientRect();
    const y = Math.min(box.bottom - LINE, Math.max(box.top + LINE, rect.top));
    return this.places.placeAt(this.goal, y) ?? this.places.placeAt(box.left + 40, y + LINE / 2) ?? this.at;
  }

  /** Paint caret and selection. */
  paint() {
    if (!this.state) return;
    const block = this.places.elementAt(this.at);
    if (this.range) highlight?.delete(this.range);
    this.range = document.createRange();
    const [from, to] = this.selection;
    this.range.setStart(...this.places.domAt(from));
    this.range.setEnd(...this.places.domAt(to));
    if (to > from) this.showRange(this.range);
    const rect = this.places.rectAt(this.at);
    const box = block.getBoundingClientRect();
    Object.assign(this.caret.style, { left: `${rect.left - box.left}px`, top: `${rect.top - box.top}px`,
      height: `${rect.height}px` });
    if (this.caret.parentElement !== block) block.append(this.caret);
  }

  /** @param {Range} range */
  showRange(range) {
    if (highlight) highlight.add(range);
    else if (document.activeElement === this.root) { // browsers without painted ranges, such as Firefox before 140
      document.getSelection()?.setBaseAndExtent(range.startContainer, range.startOffset, range.endContainer,
        range.endOffset);
    }
  }

  /** Scroll so that the caret is in sight. */
  reveal() {
    const block = this.places.elementAt(this.at);
    const box = this.root.getBoundingClientRect();
    const far = block.getBoundingClientRect();
    if (far.bottom < box.top - 400 || far.top > box.bottom + 400) {
      this.root.scrollTop += far.top - box.top - this.root.clientHeight / 3;
    }
    const rect = this.places.rectAt(this.at);
    this.scrollTo(rect.top, rect.bottom);
  }

  /** Scroll so that a stretch of the window's height is in sight. @param {number} top @param {number} bottom */
  scrollTo(top, bottom) {
    const box = this.root.getBoundingClientRect();
    if (top < box.top + 6) this.root.scrollTop -= box.top + LINE - top;
    else if (bottom > box.bottom - 6) this.root.scrollTop += bottom - box.bottom + LINE;
  }

  // -- mouse --------------------------------------------------------------------------------------------------------

  /** @param {MouseEvent} event */
  onMouse(event) {
    if (event.button !== 0 || !this.state) return;
    const tag = event.target instanceof HTMLElement ? event.target.dataset.id : undefined;
    const native = document.getSelection();
    const [start, end] = native && native.rangeCount ? [this.places.placeOf(native.anchorNode ?? this.content,
      native.anchorOffset), this.places.placeOf(native.focusNode ?? this.content, native.focusOffset)] : [null, null];
    native?.removeAllRanges();
    if (tag) {
      this.told.picked(this.state.spans.get(tag) ?? null);
    } else if (start !== null && end !== null && start !== end) {
      this.told.picked(null);
      this.select(start, end);
      this.told.moved();
    } else this.click(this.places.placeAt(event.clientX, event.clientY));
  }

  /** The caret to a place; a span there becomes the active one, another click the one around it. */
  click(/** @type {number | null} */ at) {
    if (at === null || !this.state) return;
    const spans = this.state.around(at);
    const next = spans[(spans.findIndex((span) => span.id === this.active) + 1) % (spans.length || 1)] ?? null;
    this.told.picked(next);
    if (next) return;
    this.select(at);
    this.told.moved();
  }

  /** @param {ClipboardEvent} event */
  onCopy(event) {
    const [from, to] = this.selection;
    if (from === to || !event.clipboardData) return;
    event.clipboardData.setData("text/plain", this.state?.text.slice(from, to) ?? "");
    event.preventDefault();
  }

  /** Take what was painted away. */
  close() {
    if (this.range) highlight?.delete(this.range);
  }
}
