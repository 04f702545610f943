/** The labels that can be set: their keys, finding one by typing, and what a new span's value may be. */

/** @typedef {{ name: string, title: string, kind: string, unit: string, says: string, values: string[] }} Label */
/** @typedef {{ name: string, title: string, labels: Label[] }} Group */

/** @param {string} words @returns {string} without accents and capitals */
export function folded(words) {
  return words.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
}

export class Labels {
  /** @param {Group[]} groups */
  constructor(groups) {
    this.groups = groups;
    this.all = groups.flatMap((group) => group.labels);
    this.byName = new Map(this.all.map((label) => [label.name, label]));
    this.groupOf = new Map(groups.flatMap((group, number) => group.labels.map((label) => [label.name, number])));
  }

  /** @param {string} name @returns {string} an attribute without an entry keeps its name */
  title(name) {
    return this.byName.get(name)?.title ?? name;
  }

  /** @param {string} name @returns {number} of its group, for its colour; the last one for what is unknown */
  colour(name) {
    return Math.min(this.groupOf.get(name) ?? 7, 7);
  }

  /** @param {string} name @returns {string} the two digits that set it; empty where it has none */
  keys(name) {
    const group = this.groupOf.get(name);
    if (group === undefined) return "";
    const label = this.groups[group].labels.findIndex((one) => one.name === name);
    return group < 9 && label < 9 ? `${group + 1} ${label + 1}` : "";
  }

  /**
   * The labels that fit what was typed: those whose title begins with it, then those with a word that does, then those
   * that hold it anywhere.
   *
   * @param {string} typed
   * @returns {Label[]}
   */
  find(typed) {
    const wanted = folded(typed.trim());
    const rank = (/** @type {Label} */ label) => {
      const names = [folded(label.title), folded(label.name.replaceAll("_", " "))];
      if (names.some((name) => name.startsWith(wanted))) return 0;
      if (names.some((name) => name.split(/[^\p{L}\p{N}]+/u).some((word) => word.startsWith(wanted)))) return 1;
      return names.some((name) => name.includes(wanted)) ? 2 : 3;
    };
    const ranked = this.all.map((label) => ({ label, rank: rank(label) })).filter((one) => one.rank < 3);
    return ranked.sort((one, other) => one.rank - other.rank).map((one) => one.label);
  }
}

/**
 * A first value for a span that somebody marks: the value of the catalogue that stands there, or the number.
 *
 * @param {Label | undefined} label
 * @param {string} words
 * @returns {{ value: string, unit: string }}
 */
export function firstValue(label, words) {
  const said = folded(words.trim());
  const listed = label?.values.find((value) => folded(value) === said);
  if (listed !== undefined) return { value: listed, unit: "" };
  const number = label?.kind === "number" ? /\d+(?:[.,]\d+)?/.exec(words)?.[0].replace(",", ".") : undefined;
  return number === undefined ? { value: "", unit: "" } : { value: number, unit: label?.unit ?? "" };
}
