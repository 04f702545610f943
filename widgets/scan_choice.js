/** Which cards of a scan are shown and which are chosen; nothing of the page is in it. */

/**
 * @typedef {{ key: string, patient: string, modality: string, date: string, description: string, files: number,
 *   size: string, rois: { name: string, problem: string }[], problem: string, warnings: string[], usable: boolean,
 *   picture: boolean }} Card
 */

/**
 * The cards of a modality whose patient, description or ROIs hold the text.
 *
 * @param {Card[]} cards
 * @param {string} text
 * @param {string} modality empty for all
 * @returns {Card[]}
 */
export function fitting(cards, text, modality) {
  const wanted = text.trim().toLowerCase();
  return cards.filter((card) => (!modality || card.modality === modality) && (!wanted
    || [card.patient, card.description, card.modality, card.date, ...card.rois.map((roi) => roi.name)]
      .some((part) => part.toLowerCase().includes(wanted))));
}

/**
 * Cards by patient, in the order given.
 *
 * @param {Card[]} cards
 * @returns {[string, Card[]][]}
 */
export function byPatient(cards) {
  /** @type {Map<string, Card[]>} */
  const groups = new Map();
  for (const card of cards) groups.set(card.patient, [...(groups.get(card.patient) ?? []), card]);
  return [...groups];
}

/** What is chosen: cards, each with places of its ROIs. */
export class Choice {
  constructor() {
    /** @type {Map<string, Set<number>>} */
    this.chosen = new Map();
  }

  get size() {
    return this.chosen.size;
  }

  /** @param {Card} card */
  has(card) {
    return this.chosen.has(card.key);
  }

  /** @param {Card} card @param {number} roi */
  hasRoi(card, roi) {
    return this.chosen.get(card.key)?.has(roi) ?? false;
  }

  /**
   * A card with all of its ROIs that can be used.
   *
   * @param {Card} card
   */
  add(card) {
    if (!card.usable) return;
    this.chosen.set(card.key, new Set(card.rois.flatMap((roi, place) => (roi.problem ? [] : [place]))));
  }

  /** @param {Card} card @param {boolean} on */
  set(card, on) {
    if (on) this.add(card);
    else this.chosen.delete(card.key);
  }

  /**
   * One ROI; its card is chosen with it, and stays chosen when no ROI is.
   *
   * @param {Card} card
   * @param {number} roi
   * @param {boolean} on
   */
  setRoi(card, roi, on) {
    if (!card.usable) return;
    const rois = this.chosen.get(card.key) ?? new Set();
    if (on) rois.add(roi);
    else rois.delete(roi);
    this.chosen.set(card.key, rois);
  }

  /**
   * Exactly these ROIs with their cards.
   *
   * @param {Record<string, number[]>} rois places by key of card
   */
  replace(rois) {
    this.chosen = new Map(Object.entries(rois).map(([key, places]) => [key, new Set(places)]));
  }

  clear() {
    this.chosen.clear();
  }

  /** @returns {Record<string, number[]>} what the kernel is asked to add */
  asked() {
    return Object.fromEntries([...this.chosen].map(([key, places]) => [key, [...places].sort((a, b) => a - b)]));
  }
}
