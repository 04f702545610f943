// What happens to the content of a form's controls: plain functions without a document.

/**
 * @typedef {{kind: string, [key: string]: any}} Control
 * @typedef {{name: string, label: string, help: string, unit: string, empty: string, advanced: boolean,
 *   required: boolean, bounds: string, default: string, reset: any, control: Control}} Field
 */

/**
 * Tokens that are complete, and what is still being typed. A comma between double quotes does not end a token.
 * @param {string} typed
 * @returns {{tokens: string[], rest: string}}
 */
export function splitTokens(typed) {
  const parts = typed.match(/"(?:[^"\\]|\\.)*"?|,|[^",]+|"/g) ?? [];
  const tokens = [""];
  for (const part of parts) {
    if (part === ",") tokens.push("");
    else tokens[tokens.length - 1] += part;
  }
  const rest = tokens.pop() ?? "";
  return { tokens: tokens.map((token) => token.trim()).filter(Boolean), rest: rest.trimStart() };
}

/**
 * The number one step up or down in its last typed digit, within the bounds; null where the text is no number.
 * @param {string} typed
 * @param {1 | -1} direction
 * @param {number | null} [min]
 * @param {number | null} [max]
 * @returns {string | null}
 */
export function stepped(typed, direction, min, max) {
  if (!/^\s*[-+]?\d+(\.\d+)?\s*$/.test(typed)) return null;
  const digits = (typed.trim().split(".")[1] ?? "").length;
  const value = Number(typed) + direction * 10 ** -digits;
  if (direction < 0 && min != null && value < min) return typed;
  if (direction > 0 && max != null && value > max) return typed;
  return value.toFixed(digits);
}

/**
 * The chosen options after one was ticked or unticked, in the order in which they are offered.
 * @param {any[]} options
 * @param {any[]} chosen
 * @param {any} option
 */
export function toggled(options, chosen, option) {
  const wanted = chosen.includes(option) ? chosen.filter((one) => one !== option) : [...chosen, option];
  return options.filter((one) => wanted.includes(one));
}

/**
 * The list with one element moved.
 * @template T
 * @param {T[]} list
 * @param {number} from
 * @param {number} to
 * @returns {T[]}
 */
export function moved(list, from, to) {
  const rest = list.filter((_, place) => place !== from);
  rest.splice(Math.max(0, Math.min(to, rest.length)), 0, list[from]);
  return rest;
}

/**
 * The content in which every field has its default; fields that must be given, which have none, keep theirs.
 * @param {Field[]} fields
 * @param {Record<string, any>} values
 */
export function resetAll(fields, values) {
  return Object.fromEntries(fields.map((field) =>
    [field.name, field.required ? values[field.name] : structuredClone(field.reset)]));
}

/**
 * Where a message is shown: at its place, or at the nearest place around it.
 * @param {string} place
 * @param {(place: string) => boolean} known
 * @returns {string}
 */
export function nearest(place, known) {
  let found = place;
  while (found && !known(found)) found = found.includes(".") ? found.slice(0, found.lastIndexOf(".")) : "";
  return found;
}

/**
 * Content that is reached by a path; what is set is told.
 * @typedef {{get: () => any, set: (content: any, now?: boolean) => void, at: (...keys: (string | number)[]) => Slot}} Slot
 */

/**
 * @param {{values: any}} store
 * @param {(now: boolean) => void} changed  told after every change; now: nobody is in the middle of typing
 * @param {(string | number)[]} path
 * @returns {Slot}
 */
export function slot(store, changed, path = []) {
  const get = () => path.reduce((inner, key) => inner[key], store.values);
  return {
    get,
    set(content, now = false) {
      const last = path[path.length - 1];
      if (last === undefined) store.values = content;
      else path.slice(0, -1).reduce((inner, key) => inner[key], store.values)[last] = content;
      changed(now);
    },
    at: (...keys) => slot(store, changed, [...path, ...keys]),
  };
}
