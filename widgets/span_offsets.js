/** The only place where offsets are converted: Python counts code points, JavaScript counts UTF-16 units. */

const PAIR = /[\uD800-\uDBFF][\uDC00-\uDFFF]/g;

/** How many of the sorted numbers are less than a limit. */
function countBelow(/** @type {number[]} */ numbers, /** @type {number} */ limit) {
  let low = 0;
  let high = numbers.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle] < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Converts between the two counts for one text. */
export class Offsets {
  /** @param {string} text */
  constructor(text) {
    /** Where the characters of two units begin, in units and in code points. @type {number[]} */
    this.pairUnits = [...text.matchAll(PAIR)].map((match) => match.index);
    this.pairPoints = this.pairUnits.map((unit, before) => unit - before);
  }

  /** @param {number} unit @returns {number} code points before it; a place within a character counts it */
  toPoints(unit) {
    return unit - countBelow(this.pairUnits, unit);
  }

  /** @param {number} point @returns {number} units before it */
  toUnits(point) {
    return point + countBelow(this.pairPoints, point);
  }
}
