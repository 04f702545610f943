/** Numbers, ready to show. */

/**
 * Writers of numbers in a language.
 * @param {string} language
 */
export function numbersIn(language) {
  const options = { useGrouping: false };
  const one = new Intl.NumberFormat(language, { ...options, minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const few = new Intl.NumberFormat(language, { ...options, maximumSignificantDigits: 4 });
  const minus = (/** @type {string} */ text) => text.replace("-", "\u2212");
  return {
    /** @param {number} value millimetres */
    mm: (value) => minus(one.format(value)),
    /** Whole numbers stay whole, others get four digits. @param {number} value */
    value: (value) => minus(Number.isInteger(value) ? String(value) : few.format(value)),
  };
}

/** @typedef {ReturnType<typeof numbersIn>} Numbers */
