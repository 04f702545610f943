/** Long lists of which only the rows in sight are drawn and asked for. */

/**
 * The rows that are in sight, with a margin, as [first, end).
 *
 * @param {number} scrolled pixels above the window
 * @param {number} height of the window, pixels
 * @param {number} rowHeight pixels
 * @param {number} total rows
 * @param {number} [margin] rows above and below
 * @returns {[number, number]}
 */
export function inSight(scrolled, height, rowHeight, total, margin = 10) {
  const first = Math.max(0, Math.floor(scrolled / rowHeight) - margin);
  const end = Math.min(total, Math.ceil((scrolled + height) / rowHeight) + margin);
  return [Math.min(first, end), end];
}

/**
 * Where to scroll so that a row is wholly in sight; as it is where it is already.
 *
 * @param {number} row
 * @param {number} scrolled
 * @param {number} height
 * @param {number} rowHeight
 * @returns {number}
 */
export function scrolledTo(row, scrolled, height, rowHeight) {
  const top = row * rowHeight;
  if (top < scrolled) return top;
  return Math.max(scrolled, top + rowHeight - height);
}

/**
 * Rows that are known, by number, and which range to ask for next.
 *
 * @template R
 */
export class RowStore {
  constructor() {
    /** @type {Map<number, R>} */
    this.rows = new Map();
    this.total = 0;
  }

  /** @param {number} start @param {R[]} rows @param {number} total */
  put(start, rows, total) {
    this.total = total;
    rows.forEach((row, place) => this.rows.set(start + place, row));
  }

  clear() {
    this.rows.clear();
  }

  /**
   * The smallest range within [first, end) that holds all unknown rows; null when all are known.
   *
   * @param {number} first
   * @param {number} end
   * @returns {[number, number] | null}
   */
  missing(first, end) {
    const unknown = [];
    for (let row = first; row < end; row += 1) if (!this.rows.has(row)) unknown.push(row);
    return unknown.length ? [unknown[0], unknown[unknown.length - 1] + 1] : null;
  }
}
