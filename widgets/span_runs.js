/** Spans that may overlap as runs of characters that are drawn alike. */

/**
 * @typedef {object} Span
 * @property {string} id
 * @property {string} attribute
 * @property {number} start UTF-16 units
 * @property {number} end
 * @property {string} value
 * @property {string} unit
 * @property {string} qualifier
 * @property {string[]} context
 * @property {string} rule
 * @property {string} status
 */
/** @typedef {{ start: number, end: number, spans: Span[], hit: boolean, ends: Span[] }} Run */

/** In the order of the text; of those that begin together the longest first. */
export function inOrder(/** @type {Span} */ one, /** @type {Span} */ other) {
  return one.start - other.start || other.end - one.end || (one.attribute < other.attribute ? -1 : 1);
}

/**
 * The line under the text on which each span is drawn, 0 being the nearest: those that overlap get different ones.
 *
 * @param {Span[]} spans in order
 * @returns {Map<string, number>}
 */
export function levelsOf(spans) {
  const levels = new Map();
  /** @type {number[]} */
  const ends = [];
  for (const span of spans) {
    let level = ends.findIndex((end) => end <= span.start);
    if (level < 0) level = ends.length;
    ends[level] = span.end;
    levels.set(span.id, level);
  }
  return levels;
}

/**
 * What a block is drawn from.
 *
 * @param {{ start: number, end: number }} block
 * @param {Span[]} spans those that touch it, in order
 * @param {[number, number][]} hits found words that touch it
 * @returns {Run[]} they cover the block without gaps
 */
export function runsOf({ start, end }, spans, hits) {
  const cuts = [start, end, ...spans.flatMap((span) => [span.start, span.end]), ...hits.flat()];
  const places = [...new Set(cuts.filter((at) => at >= start && at <= end))].sort((one, other) => one - other);
  return places.slice(0, -1).map((from, number) => {
    const to = places[number + 1];
    const covering = spans.filter((span) => span.start <= from && span.end >= to);
    return { start: from, end: to, spans: covering, ends: covering.filter((span) => Math.min(span.end, end) === to
      && (span.end <= end)), hit: hits.some(([first, last]) => first <= from && last >= to) };
  });
}

/**
 * Which spans touch which block.
 *
 * @param {import("./span_blocks.js").Block[]} blocks
 * @param {Span[]} spans in order
 * @param {(blocks: import("./span_blocks.js").Block[], at: number) => number} blockAt
 * @returns {Map<number, Span[]>}
 */
export function byBlock(blocks, spans, blockAt) {
  /** @type {Map<number, Span[]>} */
  const found = new Map();
  for (const span of spans) {
    for (let place = blockAt(blocks, span.start); place < blocks.length && blocks[place].start < span.end; place += 1) {
      const known = found.get(place);
      if (known) known.push(span);
      else found.set(place, [span]);
    }
  }
  return found;
}
