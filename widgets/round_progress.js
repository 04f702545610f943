// The sites of a federated run while it is under way: who has answered, and how the loss falls. All words come from Python.

import { element } from "./elements.js";
import { widget } from "./widget.js";

/**
 * @typedef {{site: string, state: string, words: string, rounds: string, loss: string}} Row
 * @typedef {{line: string, rows: Row[], waiting: string, losses: [number, number][], loss: string}} State
 */

const WIDTH = 260;
const HEIGHT = 60;
const EDGE = 4;
const SVG = "http://www.w3.org/2000/svg";
/** Signs beside the words, so that states can be told apart at a glance and without colour. */
const SIGNS = /** @type {Record<string, string>} */ ({ answered: "✓", asked: "…", waiting: "!", idle: "·" });

/**
 * Places of a line through the losses in a box of the given size, the first round at the left, the highest loss on top.
 * @param {[number, number][]} losses
 * @returns {string}
 */
export function linePoints(losses) {
  const rounds = losses.map(([round]) => round);
  const values = losses.map(([, loss]) => loss);
  const [first, last] = [Math.min(...rounds), Math.max(...rounds)];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const across = (WIDTH - 2 * EDGE) / (last - first || 1);
  const down = (HEIGHT - 2 * EDGE) / (high - low || 1);
  return losses.map(([round, loss]) => `${(EDGE + (round - first) * across).toFixed(1)},${(EDGE + (high - loss) * down).toFixed(1)}`)
    .join(" ");
}

/**
 * Whether some site tells a loss of its own.
 * @param {Row[]} rows
 */
export function hasLosses(rows) {
  return rows.some((row) => row.loss !== "");
}

/**
 * @param {[number, number][]} losses
 * @param {string} label
 */
function chart(losses, label) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [name, value] of Object.entries({ viewBox: `0 0 ${WIDTH} ${HEIGHT}`, width: WIDTH, height: HEIGHT, role: "img" })) {
    svg.setAttribute(name, String(value));
  }
  svg.setAttribute("aria-label", label);
  const line = document.createElementNS(SVG, "polyline");
  line.setAttribute("points", linePoints(losses));
  svg.append(line);
  return svg;
}

/**
 * @param {Row[]} rows
 * @param {Record<string, string>} texts
 */
function table(rows, texts) {
  const losses = hasLosses(rows);
  const made = document.createElement("table");
  const head = made.createTHead().insertRow();
  for (const name of [texts.rounds_site, texts.rounds_state, texts.rounds_count, ...(losses ? [texts.rounds_site_loss] : [])]) {
    head.append(element("th", { scope: "col" }, name));
  }
  const body = made.createTBody();
  for (const row of rows) {
    const sign = element("span", { class: "mlab-round-sign", "aria-hidden": "true" }, SIGNS[row.state] ?? "");
    body.insertRow().append(
      element("th", { scope: "row" }, row.site),
      element("td", { class: `mlab-round mlab-round-${row.state}` }, sign, row.words),
      element("td", {}, row.rounds),
      ...(losses ? [element("td", {}, row.loss)] : []),
    );
  }
  return made;
}

/**
 * @param {import("@anywidget/types").AnyModel} model
 * @param {HTMLElement} el
 * @param {AbortSignal} signal
 */
function show(model, el, signal) {
  const texts = model.get("texts");
  const line = element("p", { class: "mlab-rounds-line" });
  const waiting = element("p", { class: "mlab-fault", role: "status" });
  const holder = element("div", { class: "mlab-rounds-table" });
  const loss = element("div", { class: "mlab-rounds-loss" });
  el.append(line, waiting, holder, loss);

  const draw = () => {
    /** @type {Partial<State>} */
    const state = model.get("state");
    el.hidden = state.line === undefined;
    if (el.hidden) return;
    line.textContent = state.line ?? "";
    // Said once: a screen reader would repeat what is written anew.
    if (waiting.textContent !== (state.waiting ?? "")) waiting.textContent = state.waiting ?? "";
    const rows = state.rows ?? [];
    holder.replaceChildren(...(rows.length ? [table(rows, texts)] : []));
    const losses = state.losses ?? [];
    loss.replaceChildren(
      ...(losses.length > 1 ? [chart(losses, texts.rounds_chart)] : []),
      ...(state.loss ? [element("span", { class: "mlab-muted" }, state.loss)] : []),
    );
  };
  model.on("change:state", draw);
  draw();
  signal.addEventListener("abort", () => model.off("change:state", draw));
}

export default widget("mlab-rounds", show);
