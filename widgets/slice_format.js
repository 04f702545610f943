/** Numbers, ready to show. */

/**
 * Writers of numbers in a language.
 * @param {string} language
 */
export function numbersIn(language) {
  const fixed = (/** @type {number} */ digits) =>
    new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits, useGrouping: false });
  const few = new Intl.NumberFormat(language, { maximumSignificantDigits: 4, useGrouping: false });
  const one = fixed(1);
  return {
    /** @param {number} value millimetres */
    mm: (value) => one.format(value),
    /** Whole numbers stay whole, others get four digits. @param {number} value */
    value: (value) => (Number.isInteger(value) ? String(value).replace("-", "\u2212") : few.format(value).replace("-", "\u2212")),
  };
}

/** @typedef {ReturnType<typeof numbersIn>} Numbers */
