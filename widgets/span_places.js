/** Places in the text of a note (UTF-16 units), and where they are drawn. */
import { element } from "./elements.js";
import { blockAt } from "./span_blocks.js";

/** @typedef {{ node: Text, start: number, end: number }} Piece text of a block, with its place */

export const LINE = 27; // pixels of a line, as in the stylesheet
const PER_LINE = 75; // characters, for what was never drawn
const SECTION_LINES = 40;
const SECTION_CHARACTERS = 5000;

export class Places {
  /** @param {HTMLElement} content */
  constructor(content) {
    this.content = content;
    /** @type {import("./span_blocks.js").Block[]} */
    this.blocks = [];
    this.text = "";
    /** @type {HTMLElement[]} */
    this.elements = [];
    /** @type {Piece[][]} */
    this.pieces = [];
  }

  /** Put the text of a note into the document.
   * @param {{ text: string, blocks: import("./span_blocks.js").Block[] }} note */
  show({ text, blocks }) {
    this.text = text;
    this.blocks = blocks;
    this.elements = blocks.map((_, place) => element("div", { class: "mlab-span-block", "data-block": place }));
    this.pieces = blocks.map(({ start, end }, place) => {
      const node = document.createTextNode(text.slice(start, end));
      this.elements[place].append(node);
      return [{ node, start, end }];
    });
    this.content.replaceChildren(...this.sections());
  }

  /** Blocks in groups that the browser lays out only when they come into sight: a note may have many thousand. */
  sections() {
    const { blocks } = this;
    /** @type {HTMLElement[]} */
    const made = [];
    let first = 0;
    for (let place = 0; place < blocks.length; place += 1) {
      if (place + 1 < blocks.length && place - first < SECTION_LINES
        && blocks[place].end - blocks[first].start < SECTION_CHARACTERS) continue;
      const section = element("div", { class: "mlab-span-section" }, ...this.elements.slice(first, place + 1));
      const lines = blocks.slice(first, place + 1).reduce((sum, { start, end }) =>
        sum + Math.max(1, Math.ceil((end - start) / PER_LINE)), 0);
      section.style.containIntrinsicSize = `auto ${LINE * lines}px`;
      made.push(section);
      first = place + 1;
    }
    return made;
  }

  /** Where the block of a place stands in the document. @param {number} at */
  elementAt(at) {
    return this.elements[blockAt(this.blocks, at)];
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
    if (!this.content.contains(node) || Number.isNaN(place)) return null;
    const piece = this.pieces[place].find((one) => one.node === node);
    if (piece) return piece.start + Math.min(offset, piece.end - piece.start);
    const child = node.childNodes[offset] ?? null;
    const after = this.pieces[place].find((one) => child !== null
      && (child === one.node || child.contains(one.node) || (child.compareDocumentPosition(one.node) & 4) !== 0));
    return after ? after.start : this.blocks[place].end;
  }

  /** @param {number} at @returns {[Node, number]} */
  domAt(at) {
    const place = blockAt(this.blocks, at);
    const piece = this.pieces[place].find((one) => one.start <= at && at <= one.end) ?? this.pieces[place].at(-1);
    return piece ? [piece.node, Math.min(at, piece.end) - piece.start] : [this.elements[place], 0];
  }

  /** Where a place of the text is drawn: the edge of the character behind it, or before it at the end of a line.
   * @param {number} at @returns {DOMRect} without width */
  rectAt(at) {
    const { text } = this;
    const place = blockAt(this.blocks, at);
    const { start, end } = this.blocks[place];
    const next = at < end ? this.rectsOf(place, at, at + (/[\uD800-\uDBFF]/.test(text[at]) ? 2 : 1))[0] : null;
    if (next) return new DOMRect(next.left, next.top, 0, next.height);
    const from = at - (/[\uDC00-\uDFFF]/.test(text[at - 1] ?? "") ? 2 : 1);
    const last = at > start ? [...this.rectsOf(place, from, at)].at(-1) : null;
    if (last) return new DOMRect(last.right, last.top, 0, last.height);
    const box = this.elements[place].getBoundingClientRect();
    return new DOMRect(box.left, box.top + 4, 0, LINE - 8);
  }

  /** @param {number} place of the block @param {number} from @param {number} to
   * @returns {ArrayLike<DOMRect> & Iterable<DOMRect>} */
  rectsOf(place, from, to) {
    const piece = this.pieces[place].find((one) => one.start <= from && to <= one.end);
    if (!piece) return [];
    const range = document.createRange();
    range.setStart(piece.node, from - piece.start);
    range.setEnd(piece.node, to - piece.start);
    return range.getClientRects();
  }
}
