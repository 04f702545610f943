/** A note's text as blocks (lines), and where the caret goes. All offsets are UTF-16 units of the whole text. */

const LINE_END = /\r\n|[\n\r\v\f\u0085\u2028\u2029]/g;
const WORD = /[\p{L}\p{N}\p{M}_]+|[^\s\p{L}\p{N}\p{M}_]+/gu;
const LONGEST = 1200;
const NEAR = 80; // characters around the caret that are enough to find the one beside it
const characters = new Intl.Segmenter(undefined, { granularity: "grapheme" });

/** @typedef {{ start: number, end: number, next: number }} Block `next`: where the following block begins */

/**
 * The lines of a text without what ends them; a very long one in several parts, cut at a space.
 *
 * @param {string} text
 * @returns {Block[]} at least one
 */
export function blocksOf(text) {
  /** @type {Block[]} */
  const blocks = [];
  let start = 0;
  for (const match of text.matchAll(LINE_END)) {
    pushLine(blocks, text, start, match.index, match.index + match[0].length);
    start = match.index + match[0].length;
  }
  pushLine(blocks, text, start, text.length, text.length);
  return blocks;
}

/** @param {Block[]} blocks @param {string} text @param {number} start @param {number} end @param {number} next */
function pushLine(blocks, text, start, end, next) {
  let from = start;
  while (end - from > LONGEST) {
    const cut = cutBefore(text, from, from + LONGEST);
    blocks.push({ start: from, end: cut, next: cut });
    from = cut;
  }
  blocks.push({ start: from, end, next });
}

/** Where to cut a line: after the last space, else between two characters. */
function cutBefore(/** @type {string} */ text, /** @type {number} */ from, /** @type {number} */ limit) {
  const space = Math.max(text.lastIndexOf(" ", limit - 1), text.lastIndexOf("\t", limit - 1));
  if (space > from) return space + 1;
  const last = [...characters.segment(text.slice(limit - NEAR, limit + NEAR))].filter(
    (one) => one.index <= NEAR).at(-1);
  return last && last.index > 0 ? limit - NEAR + last.index : limit;
}

/** @param {Block[]} blocks @param {number} at @returns {number} number of the block in which a place lies */
export function blockAt(blocks, at) {
  let low = 0;
  let high = blocks.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (blocks[middle].start <= at) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * The place one character further; characters are what people see as one (an accent belongs to its letter).
 *
 * @param {string} text
 * @param {Block[]} blocks
 * @param {number} at
 * @param {1 | -1} by
 * @returns {number}
 */
export function characterFrom(text, blocks, at, by) {
  const place = blockAt(blocks, at);
  const { start, end, next } = blocks[place];
  if (by > 0) {
    if (at >= end) return place + 1 < blocks.length ? next : at;
    const first = characters.segment(text.slice(at, Math.min(end, at + NEAR)))[Symbol.iterator]().next().value;
    return at + (first?.segment.length ?? 1);
  }
  if (at <= start) return place > 0 ? endOf(text, blocks, place - 1) : at;
  const from = Math.max(start, at - NEAR);
  const last = [...characters.segment(text.slice(from, at))].at(-1);
  return from + (last?.index ?? 0);
}

/** The last place within a block: where a long line was cut, one character before the cut. */
function endOf(/** @type {string} */ text, /** @type {Block[]} */ blocks, /** @type {number} */ place) {
  const { end, next } = blocks[place];
  return next > end ? end : characterFrom(text, [{ ...blocks[place], next: end + 1 }], end, -1);
}

/** @param {string} text @param {Block} block @returns {[number, number][]} begin and end of each word */
function wordsIn(text, { start, end }) {
  return [...text.slice(start, end).matchAll(WORD)].map((match) => [start + match.index,
    start + match.index + match[0].length]);
}

/**
 * The end of the next word, or the beginning of the one before.
 *
 * @param {string} text
 * @param {Block[]} blocks
 * @param {number} at
 * @param {1 | -1} by
 * @returns {number}
 */
export function wordFrom(text, blocks, at, by) {
  for (let place = blockAt(blocks, at); place >= 0 && place < blocks.length; place += by) {
    const words = wordsIn(text, blocks[place]);
    const found = by > 0 ? words.find(([, end]) => end > at)?.[1] : words.filter(([start]) => start < at).at(-1)?.[0];
    if (found !== undefined) return found;
  }
  return by > 0 ? text.length : 0;
}

/**
 * The word at a place, or the next one of its line; null in a line without words behind it.
 *
 * @param {string} text
 * @param {Block[]} blocks
 * @param {number} at
 * @returns {[number, number] | null}
 */
export function wordAt(text, blocks, at) {
  return wordsIn(text, blocks[blockAt(blocks, at)]).find(([, end]) => end > at) ?? null;
}

/**
 * A stretch without the white space around it.
 *
 * @param {string} text
 * @param {number} start
 * @param {number} end
 * @returns {[number, number]} equal numbers where nothing is left
 */
export function trimmed(text, start, end) {
  const words = text.slice(start, end);
  const from = start + (words.length - words.trimStart().length);
  return [from, Math.max(from, end - (words.length - words.trimEnd().length))];
}
