/** The text of a note: blocks, spans, caret and selection. A note's text is only ever set as text, never as markup. */
import { element } from "./elements.js";
import { blockAt, characterFrom, wordFrom } from "./span_blocks.js";
import { byBlock, levelsOf, runsOf } from "./span_runs.js";

/** @typedef {import("./span_runs.js").Span} Span */
/** @typedef {import("./span_runs.js").Run} Run */
/** @typedef {import("./span_state.js").NoteState} NoteState */
/** @typedef {{ node: Text, start: number, end: number }} Piece text of a block, with its place */

const LINE = 27; // pixels of a line, as in the stylesheet: for blocks that were never drawn
const PER_LINE = 75; // characters, for the same
const SELECTION = "mlab-span-selection";
const STATUS_MARK = /** @type {Record<string, string>} */ ({ suggested: "", accepted: "✓", edited: "✎", rejected: "✗",
  added: "+" });
const CONTEXT_MARK = /** @type {Record<string, string>} */ ({ negated: "¬", uncertain: "?", family: "⌂", history: "↶",
  planned: "→" });
const LONGEST_TAG = 26;
const SECTION_LINES = 40;
const SECTION_CHARACTERS = 5000;

/** Painted by the browser without a change of the document; shared by all annotators of a page. */
const highlight = typeof Highlight === "undefined" ? null : new Highlight();

/**
 * What stands behind a span: its label, its value where that is something else than its words, and marks.
 *
 * @param {Span} span
 * @param {string} title
 * @param {string} words
 * @returns {string}
 */
export function tagOf(span, title, words) {
  const value = span.value && span.value !== words ? ` ${span.value}` : "";
  const shown = `${title}${value}`;
  const cut = shown.length > LONGEST_TAG ? `${shown.slice(0, LONGEST_TAG - 1)}…` : shown;
  return [...span.context.map((name) => CONTEXT_MARK[name] ?? ""), cut, STATUS_MARK[span.status] ?? ""]
    .filter(Boolean).join(" ");
}

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
    /** @type {HTMLElement[]} */
    this.blocks = [];
    /** @type {Piece[][]} */
    this.pieces = [];
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
    /** @type {(span: Span) => boolean} */
    this.fitting = () => true;
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
    this.blocks = state.blocks.map((_, place) => element("div", { class: "mlab-span-block", "data-block": place }));
    this.pieces = state.blocks.map(({ start, end }, place) => {
      const node = document.createTextNode(state.text.slice(start, end));
      this.blocks[place].append(node);
      return [{ node, start, end }];
    });
    this.content.replaceChildren(...this.sections());
    this.root.scrollTop = 0;
    this.draw();
    this.paint();
  }

  /** Blocks in groups that the browser lays out only when they come into sight: a note may have many thousand. */
  sections() {
    const blocks = this.state?.blocks ?? [];
    /** @type {HTMLElement[]} */
    const made = [];
    let first = 0;
    for (let place = 0; place < blocks.length; place += 1) {
      if (place + 1 < blocks.length && place - first < SECTION_LINES
        && blocks[place].end - blocks[first].start < SECTION_CHARACTERS) continue;
      const section = element("div", { class: "mlab-span-section" }, ...this.blocks.slice(first, place + 1));
      const lines = blocks.slice(first, place + 1).reduce((sum, { start, end }) =>
        sum + Math.max(1, Math.ceil((end - start) / PER_LINE)), 0);
      section.style.containIntrinsicSize = `auto ${LINE * lines}px`;
      made.push(section);
      first = place + 1;
    }
    return made;
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
    if (plan.version !== state.version) {
      const hits = state.hits.map(([start, end]) => /** @type {any} */ ({ start, end }));
      this.plan = { version: state.version, levels: levelsOf(state.order), spans: byBlock(state.blocks, state.order, blockAt),
        hits: byBlock(state.blocks, hits, blockAt) };
    }
    const { levels, spans, hits } = this.plan;
    for (const place of new Set([...spans.keys(), ...hits.keys(), ...this.drawn.keys()])) {
      const runs = runsOf(state.blocks[place], spans.get(place) ?? [],
        (hits.get(place) ?? []).map(({ start, end }) => [start, end]));
      this.drawBlock(place, runs, levels);
    }
  }

  /** @param {number} place @param {Run[]} runs @param {Map<string, number>} levels */
  drawBlock(place, runs, levels) {
    const looks = runs.map((run) => this.looks(run, levels));
    const signature = JSON.stringify(looks);
    if (this.drawn.get(place) === signature) return;
    const { start, end } = this.state?.blocks[place] ?? { start: 0, end: 0 };
    if (runs.some((run) => run.spans.length || run.hit)) this.drawn.set(place, signature);
    else this.drawn.delete(place);
    const text = this.state?.text ?? "";
    /** @type {Piece[]} */
    const pieces = [];
    /** @type {Node[]} */
    const children = [];
    for (const run of runs.length ? runs : [{ start, end, spans: [], ends: [], hit: false }]) {
      const node = document.createTextNode(text.slice(run.start, run.end));
      pieces.push({ node, start: run.start, end: run.end });
      children.push(run.spans.length || run.hit ? this.dressed(run, node, levels) : node,
        ...run.ends.map((span) => this.tag(span)));
    }
    this.pieces[place] = pieces;
    this.blocks[place].replaceChildren(...children);
  }

  /** What the drawing of a run depends on. @param {Run} run @param {Map<string, number>} levels */
  looks(run, levels) {
    return [run.start, run.end, run.hit, ...run.spans.map((span) => [span.id,
      span.attribute, span.status, span.value, span.context.join(), levels.get(span.id), this.relationTo(span),
      this.fitting(span), run.ends.includes(span) && this.tags])];
  }

  /** Whether a span is the active one, or related to it. @param {Span} span @returns {"active" | "related" | ""} */
  relationTo(span) {
    if (span.id === this.active) return "active";
    const links = this.active === null ? [] : this.state?.relationsOf(this.active) ?? [];
    return links.some((link) => link.source === span.id || link.target === span.id) ? "related" : "";
  }

  /** @param {Run} run @param {Text} node @param {Map<string, number>} levels @returns {HTMLElement} */
  dressed(run, node, levels) {
    const made = element("span", { class: "mlab-span-run" }, node);
    if (run.hit) made.classList.add("mlab-span-hit");
    const shown = run.spans.filter((span) => this.fitting(span));
    if (run.spans.length && !shown.length) made.classList.add("mlab-span-dim");
    if (run.spans.some((span) => span.id === this.active)) made.classList.add("mlab-span-active");
    const top = shown.filter((span) => span.status !== "rejected").at(-1);
    const lines = run.spans.map((span) => this.line(span, levels.get(span.id) ?? 0));
    const tint = top ? `var(--mlab-tint${this.labels.colour(top.attribute)})` : "transparent";
    made.style.background = [...lines, `linear-gradient(${tint}, ${tint})`].join(", ");
    const deepest = Math.max(0, ...run.spans.map((span) => levels.get(span.id) ?? 0));
    made.style.paddingBottom = `${2 + 4 * Math.min(deepest, 3)}px`;
    return made;
  }

  /** The line under a span: whole where it counts, broken where it is suggested, dotted where it was rejected. */
  line(/** @type {Span} */ span, /** @type {number} */ level) {
    const colour = `var(--mlab-line${this.labels.colour(span.attribute)})`;
    const gaps = /** @type {Record<string, string>} */ ({
      suggested: `repeating-linear-gradient(90deg, ${colour} 0 5px, transparent 5px 8px)`,
      rejected: `repeating-linear-gradient(90deg, ${colour} 0 2px, transparent 2px 7px)` })[span.status];
    const depth = span.id === this.active ? 3 : 2;
    return `${gaps ?? `linear-gradient(${colour}, ${colour})`} 0 calc(100% - ${4 * Math.min(level, 3)}px) / 100% `
      + `${depth}px no-repeat`;
  }

  /** @param {Span} span @returns {HTMLElement} drawn by the stylesheet, so that it is no part of the text */
  tag(span) {
    const words = this.state?.wordsOf(span) ?? "";
    const made = element("span", { class: "mlab-span-tag", "data-id": span.id, "aria-hidden": "true",
      "data-tag": this.tags ? tagOf(span, this.labels.title(span.attribute), words) : "" });
    made.classList.add(`mlab-span-${span.status}`);
    const relation = this.relationTo(span);
    if (relation) made.classList.add(`mlab-span-${relation}`);
    if (!this.fitting(span)) made.classList.add("mlab-span-dim");
    made.style.setProperty("--mlab-own", `var(--mlab-tint${this.labels.colour(span.attribute)})`);
    made.style.setProperty("--mlab-own-line", `var(--mlab-line${this.labels.colour(span.attribute)})`);
    return made;
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
    const blocks = this.state?.blocks ?? [];
    if (by < 0) return this.at > blocks[block].start ? blocks[block].start : blocks[Math.max(0, block - 1)].start;
    return block + 1 < blocks.length ? blocks[block + 1].start : blocks[block].end;
  }

  /** The place above or below, as drawn. @param {1 | -1} by */
  lineFrom(by) {
    const rect = this.rectAt(this.at);
    this.goal ??= rect.left;
    this.scrollTo(rect.top + by * LINE, rect.bottom + by * LINE);
    const now = this.rectAt(this.at);
    for (let step = 4; step <= LINE * 1.5; step += 6) {
      const y = by > 0 ? now.bottom + step : now.top - step;
      const found = this.placeAt(this.goal, y);
      const there = found === null ? null : this.rectAt(found);
      if (found !== null && there && (there.top - now.top) * by > 3) return found;
    }
    const block = blockAt(this.state?.blocks ?? [], this.at);
    const blocks = this.state?.blocks ?? [];
    if (by > 0) return block + 1 < blocks.length ? blocks[block + 1].start : blocks[block].end;
    return block > 0 ? characterFrom(this.state?.text ?? "", blocks, blocks[block].start, -1) : 0;
  }

  /** @param {1 | -1} by */
  page(by) {
    const rect = this.rectAt(this.at);
    this.goal ??= rect.left;
    const step = Math.max(LINE, this.root.clientHeight - 2 * LINE);
    const before = this.root.scrollTop;
    this.root.scrollTop += by * step;
    if (Math.abs(this.root.scrollTop - before) < step / 2) return by > 0 ? this.state?.text.length ?? 0 : 0;
    const box = this.root.getBoundingClientRect();
    const y = Math.min(box.bottom - LINE, Math.max(box.top + LINE, rect.top));
    return this.placeAt(this.goal, y) ?? this.placeAt(box.left + 40, y + LINE / 2) ?? this.at;
  }

  /** @param {number} x @param {number} y @returns {number | null} the place in the text under a point of the window */
  placeAt(x, y) {
    const box = this.content.getBoundingClientRect();
    const inside = Math.min(box.right - 2, Math.max(box.left + 2, x));
    const anywhere = /** @type {any} */ (document);
    const found = anywhere.caretPositionFromPoint?.(inside, y);
    if (found) return this.placeOf(found.offsetNode, found.offset);
    const range = anywhere.caretRangeFromPoint?.(inside, y);
    return range ? this.placeOf(range.startContainer, range.startOffset) : null;
  }

  /** @param {Node} node @param {number} offset @returns {number | null} a place of the document as one of the text */
  placeOf(node, offset) {
    const holder = node instanceof Element ? node : node.parentElement;
    const place = Number(holder?.closest("[data-block]")?.getAttribute("data-block") ?? NaN);
    if (!this.content.contains(node) || Number.isNaN(place) || !this.state) return null;
    const piece = this.pieces[place].find((one) => one.node === node);
    if (piece) return piece.start + Math.min(offset, piece.end - piece.start);
    const child = node.childNodes[offset] ?? null;
    const after = this.pieces[place].find((one) => child !== null
      && (child === one.node || child.contains(one.node) || (child.compareDocumentPosition(one.node) & 4) !== 0));
    return after ? after.start : this.state.blocks[place].end;
  }

  /** @param {number} at @returns {[Node, number]} */
  domAt(at) {
    const place = blockAt(this.state?.blocks ?? [], at);
    const piece = this.pieces[place].find((one) => one.start <= at && at <= one.end) ?? this.pieces[place].at(-1);
    return piece ? [piece.node, Math.min(at, piece.end) - piece.start] : [this.blocks[place], 0];
  }

  /** Where a place of the text is drawn. @param {number} at */
  rectAt(at) {
    const { blocks, text } = this.state ?? { blocks: [{ start: 0, end: 0 }], text: "" };
    const place = blockAt(/** @type {any} */ (blocks), at);
    const { start, end } = blocks[place];
    const range = document.createRange();
    const unit = (/** @type {number} */ from, /** @type {number} */ to) => {
      const piece = this.pieces[place].find((one) => one.start <= from && to <= one.end);
      if (!piece) return null;
      range.setStart(piece.node, from - piece.start);
      range.setEnd(piece.node, to - piece.start);
      const rects = range.getClientRects();
      return rects.length ? rects : null;
    };
    const next = at < end ? unit(at, at + (/[\uD800-\uDBFF]/.test(text[at]) ? 2 : 1)) : null;
    if (next) return new DOMRect(next[0].left, next[0].top, 0, next[0].height);
    const before = at > start ? unit(at - (/[\uDC00-\uDFFF]/.test(text[at - 1]) ? 2 : 1), at) : null;
    const last = before?.[before.length - 1];
    if (last) return new DOMRect(last.right, last.top, 0, last.height);
    const box = this.blocks[place].getBoundingClientRect();
    return new DOMRect(box.left, box.top + 4, 0, LINE - 8);
  }

  /** Paint caret and selection. */
  paint() {
    if (!this.state) return;
    const block = this.blocks[blockAt(this.state.blocks, this.at)];
    if (this.range) highlight?.delete(this.range);
    this.range = document.createRange();
    const [from, to] = this.selection;
    this.range.setStart(...this.domAt(from));
    this.range.setEnd(...this.domAt(to));
    if (to > from) highlight?.add(this.range);
    const rect = this.rectAt(this.at);
    const box = block.getBoundingClientRect();
    Object.assign(this.caret.style, { left: `${rect.left - box.left}px`, top: `${rect.top - box.top}px`,
      height: `${rect.height}px` });
    if (this.caret.parentElement !== block) block.append(this.caret);
  }

  /** Scroll so that the caret is in sight. */
  reveal() {
    const block = this.blocks[blockAt(this.state?.blocks ?? [], this.at)];
    const box = this.root.getBoundingClientRect();
    const far = block.getBoundingClientRect();
    if (far.bottom < box.top - 400 || far.top > box.bottom + 400) {
      this.root.scrollTop += far.top - box.top - this.root.clientHeight / 3;
    }
    const rect = this.rectAt(this.at);
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
    const [start, end] = native && native.rangeCount ? [this.placeOf(native.anchorNode ?? this.content,
      native.anchorOffset), this.placeOf(native.focusNode ?? this.content, native.focusOffset)] : [null, null];
    native?.removeAllRanges();
    if (tag) {
      this.told.picked(this.state.spans.get(tag) ?? null);
    } else if (start !== null && end !== null && start !== end) {
      this.told.picked(null);
      this.select(start, end);
      this.told.moved();
    } else this.click(this.placeAt(event.clientX, event.clientY));
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
