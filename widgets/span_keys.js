/** Which key does what in the text of a note. The list is what the help shows, too. */

/**
 * @typedef {{ key: string, code?: string, ctrlKey: boolean, metaKey: boolean, altKey: boolean, shiftKey: boolean }} Press
 */
/** @typedef {[string, ...(string | number)[]]} Command */

/** Keys of the contexts: their first letters in English, near them in French. */
export const CONTEXT_KEYS = /** @type {const} */ ({ negated: "n", uncertain: "u", family: "f", history: "h",
  planned: "p" });

/** @type {Record<string, Command>} */
const PLAIN = {
  " ": ["word"], Enter: ["find_label"], ".": ["same_label"], Escape: ["escape"],
  j: ["span", 1], k: ["span", -1], s: ["suggestion"], a: ["accept"], r: ["reject"], e: ["edit"], b: ["bounds"],
  x: ["remove"], Delete: ["remove"], Backspace: ["remove"], t: ["relate"], z: ["undo"], y: ["redo"], d: ["done"],
  v: ["tags"], "/": ["search"], g: ["hit"], "?": ["help"],
  ...Object.fromEntries(Object.entries(CONTEXT_KEYS).map(([context, key]) => [key, ["context", context]])),
};

/** @type {Record<string, Command>} */
const SHIFTED = { J: ["note", 1], K: ["note", -1], U: ["uncertain_note"] };

/** @type {Record<string, [string, 1 | -1]>} */
const MOVES = { ArrowLeft: ["character", -1], ArrowRight: ["character", 1], ArrowUp: ["line", -1],
  ArrowDown: ["line", 1], Home: ["edge", -1], End: ["edge", 1], PageUp: ["page", -1], PageDown: ["page", 1] };

/** @type {Record<string, string>} */
const FURTHER = { character: "word", edge: "text", line: "block" };

/**
 * What a key press asks for; null for one that is not ours.
 *
 * @param {Press} press
 * @returns {Command | null} a move is ["move", what, direction, 1 where it extends the selection]
 */
export function commandOf(press) {
  const { key, altKey, shiftKey } = press;
  const control = press.ctrlKey || press.metaKey;
  const move = MOVES[key];
  if (move) return ["move", control || altKey ? FURTHER[move[0]] ?? move[0] : move[0], move[1], shiftKey ? 1 : 0];
  if (control) return controlled(key.toLowerCase(), shiftKey);
  if (altKey) return null;
  const digit = digitOf(press);
  if (digit) return ["digit", digit];
  return SHIFTED[key] ?? (shiftKey && /^[a-z]$/i.test(key) ? null : PLAIN[key] ?? PLAIN[key.toLowerCase()] ?? null);
}

/** A digit without Shift, also where the layout has it above Shift (French keyboards). */
function digitOf(/** @type {Press} */ { key, code, shiftKey }) {
  if (/^[1-9]$/.test(key)) return Number(key);
  const found = shiftKey ? null : /^Digit([1-9])$/.exec(code ?? "");
  return found ? Number(found[1]) : 0;
}

/** @param {string} key @param {boolean} shift @returns {Command | null} */
function controlled(key, shift) {
  if (key === "z") return [shift ? "redo" : "undo"];
  if (key === "y") return ["redo"];
  return key === "a" ? ["all"] : null;
}

/** What the help lists: sections of keys and the texts that explain them. */
export const HELP = /** @type {[string, [string, string][]][]} */ ([
  ["help_moving", [["← → ↑ ↓", "help_arrows"], ["Ctrl ← →", "help_words"], ["Shift", "help_shift"],
    ["Space", "help_space"], ["Home End", "help_edges"], ["Ctrl Home End", "help_text_edges"],
    ["Ctrl ↑ ↓", "help_blocks"], ["PgUp PgDn", "help_pages"], ["Ctrl A", "help_all"]]],
  ["help_labelling", [["1 … 9", "help_digits"], ["Enter", "help_enter"], [".", "help_same"], ["Esc", "help_escape"]]],
  ["help_answering", [["s", "help_suggestion"], ["a", "help_accept"], ["r", "help_reject"], ["e", "help_edit"],
    ["b", "help_bounds"], ["x  Del", "help_remove"], ["j  k", "help_spans"]]],
  ["help_saying", [["n", "context_negated"], ["u", "context_uncertain"], ["f", "context_family"],
    ["h", "context_history"], ["p", "context_planned"], ["t", "help_relate"]]],
  ["help_going", [["d", "help_done"], ["Shift J  K", "help_notes"], ["Shift U", "help_uncertain"], ["/", "help_search"],
    ["g", "help_hit"],
    ["Ctrl Z  z", "help_undo"], ["Ctrl Y  y", "help_redo"], ["v", "help_tags"], ["?", "help_help"]]],
]);
