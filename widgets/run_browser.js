// The runs of a study: a table with filters, one run in detail, two side by side. All words come from Python.
import { button, element } from "./elements.js";
import { checkbox, picker, table } from "./run_parts.js";
import { widget } from "./widget.js";

/**
 * @typedef {{ id: string, stage: string, started: string, status: string, status_text: string, duration: string,
 *   stale: string, part: string }} Row
 * @typedef {{ what: string, equal: boolean, found: string }} Check
 * @typedef {{ kind?: "one" | "two", id?: string, ids?: string[], title?: string, summary?: string, error?: string,
 *   columns?: string[], rows?: string[][], strong?: boolean[], warnings?: string[], findings?: string[], stale?: string,
 *   settings?: string[][], replays?: string, checks?: Check[], can?: Record<string, boolean>, metrics?: string[][],
 *   paired?: string[] }} Detail
 * @typedef {Record<string, string>} Words
 */

/**
 * The rows that the filters let through; "stale" is a status of its own here.
 * @param {Row[]} rows
 * @param {string} stage empty: every one
 * @param {string} status empty: every one
 */
export function filtered(rows, stage, status) {
  return rows.filter((row) => (!stage || row.stage === stage)
    && (!status || (status === "stale" ? row.stale !== "" : row.status === status)));
}

/**
 * What is chosen after a click: at most two, the one chosen first goes.
 * @param {string[]} chosen
 * @param {string} id
 * @param {boolean} checked
 */
export function choose(chosen, id, checked) {
  const others = chosen.filter((one) => one !== id);
  return checked ? [...others, id].slice(-2) : others;
}

/**
 * Distinct values in the order in which they appear.
 * @param {string[]} values
 */
export function distinct(values) {
  return [...new Set(values)];
}

/** One open view of the widget. */
class View {
  /**
   * @param {import("@anywidget/types").AnyModel} model
   * @param {HTMLElement} el
   * @param {AbortSignal} signal
   */
  constructor(model, el, signal) {
    this.model = model;
    /** @type {Words} */
    this.t = model.get("texts");
    this.token = crypto.getRandomValues(new Uint32Array(2)).join("-");
    this.stage = picker(`mlab-stage-${this.token}`, this.t.runs_stage, () => this.drawRows());
    this.status = picker(`mlab-status-${this.token}`, this.t.runs_status, () => this.drawRows());
    this.count = element("span", { class: "mlab-muted", role: "status" });
    this.body = element("tbody");
    this.note = element("p", { class: "mlab-runs-note", role: "status" });
    this.detail = element("div", { class: "mlab-runs-detail" });
    this.frame = element("div", { class: "mlab-runs-frame" });
    this.build(el);
    this.changes = /** @type {const} */ ([["change:runs", () => this.drawRows()], ["change:chosen", () => this.drawRows()],
      ["change:detail", () => this.drawDetail()], ["change:note", () => this.drawNote()]]);
    for (const [event, handler] of this.changes) model.on(event, handler);
    model.on("msg:custom", this.receive);
    signal.addEventListener("abort", () => this.close());
    this.drawRows();
    this.drawDetail();
    this.drawNote();
  }

  /** @param {HTMLElement} el */
  build(el) {
    const { t } = this;
    const refresh = button(t.runs_refresh, () => this.model.send({ kind: "refresh" }));
    const head = ["", t.runs_stage, t.runs_started, t.runs_duration, t.runs_status, "", t.runs_id];
    el.append(element("h3", {}, t.runs_title),
      element("div", { class: "mlab-runs-filters" }, ...this.stage.parts, ...this.status.parts, refresh, this.count),
      element("p", { class: "mlab-muted" }, t.runs_hint),
      element("div", { class: "mlab-runs-table" }, element("table", {},
        element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name)))), this.body)),
      this.note, this.detail, this.frame);
  }

  drawRows() {
    const { t } = this;
    /** @type {Row[]} */
    const rows = this.model.get("runs");
    this.stage.offer([["", t.runs_every_stage], ...distinct(rows.map((row) => row.stage)).map((name) => [name, name])]);
    const statuses = distinct(rows.map((row) => row.status)).map((name) => [name, t[`runs_${name}`] ?? name]);
    this.status.offer([["", t.runs_every_status], ...statuses, ...(rows.some((row) => row.stale) ? [["stale", t.runs_stale]] : [])]);
    const shown = filtered(rows, this.stage.value(), this.status.value());
    this.count.textContent = shown.length ? `${shown.length} / ${rows.length} ${t.runs_shown}` : t.runs_empty;
    const focused = /** @type {HTMLElement | null} */ (this.body.querySelector(":focus"))?.id;
    this.body.replaceChildren(...shown.map((row) => this.line(row)));
    if (focused) this.body.querySelector(`#${CSS.escape(focused)}`)?.dispatchEvent(new Event("refocus"));
  }

  /** @param {Row} row */
  line(row) {
    /** @type {string[]} */
    const chosen = this.model.get("chosen");
    const box = checkbox(`mlab-run-${this.token}-${row.id}`, `${this.t.runs_choose}: ${row.stage}, ${row.started}, ${row.status_text}`,
      chosen.includes(row.id), (checked) => {
        this.frame.replaceChildren();
        this.model.set("chosen", choose(this.model.get("chosen"), row.id, checked));
        this.model.save_changes();
      });
    const status = element("td", {}, element("span", { class: `mlab-run-status mlab-run-${row.status}` }, row.status_text));
    const mark = element("td", {}, ...(row.stale ? [element("span", { class: "mlab-run-stale" }, row.stale)] : []), row.part);
    const line = element("tr", { "data-run": row.id }, element("td", {}, box), element("th", { scope: "row" }, row.stage),
      element("td", {}, row.started), element("td", {}, row.duration), status, mark, element("td", { class: "mlab-run-id" }, row.id));
    line.classList.toggle("mlab-run-chosen", chosen.includes(row.id));
    return line;
  }

  drawNote() {
    this.note.textContent = this.model.get("note");
  }

  drawDetail() {
    /** @type {Detail} */
    const detail = this.model.get("detail");
    const parts = detail.kind === "one" ? this.one(detail) : detail.kind === "two" ? this.two(detail) : [];
    this.detail.replaceChildren(...parts);
  }

  /** @param {Detail} detail */
  one(detail) {
    const { t } = this;
    const list = (/** @type {string} */ title, /** @type {string[]} */ lines, /** @type {string} */ style) => (lines.length
      ? [element("div", { class: style }, element("b", {}, title), element("ul", {}, ...lines.map((line) => element("li", {}, line))))] : []);
    const settings = detail.settings?.length ? table([t.runs_setting, t.runs_value, t.runs_default], detail.settings, t.runs_settings)
      : element("p", { class: "mlab-muted" }, t.runs_all_default);
    return [
      element("h4", {}, detail.title ?? ""), element("p", { class: "mlab-muted" }, [detail.id, detail.replays].filter(Boolean).join(" · ")),
      element("p", {}, detail.summary ?? ""), ...(detail.error ? [element("p", { class: "mlab-fault" }, detail.error)] : []),
      this.actions(detail),
      ...(detail.checks?.length ? [this.checks(detail.checks)] : []),
      ...(detail.rows?.length ? [table(detail.columns ?? [], detail.rows, "", detail.strong)] : []),
      ...list(t.runs_findings, detail.findings ?? [], "mlab-runs-findings"),
      ...list(t.runs_warnings, [...(detail.stale ? [detail.stale] : []), ...(detail.warnings ?? [])], "mlab-caution"),
      settings,
    ];
  }

  /** @param {Detail} detail */
  actions(detail) {
    const { t } = this;
    const can = detail.can ?? {};
    const ask = (/** @type {string} */ kind) => () => this.model.send({ kind, run: detail.id, token: this.token });
    const offered = /** @type {[string, string, boolean][]} */ ([["open", t.runs_open, can.open], ["report", t.runs_report, can.report && !can.open],
      ["verify", t.runs_verify, can.verify], ["replay", t.runs_replay, can.replay], ["cancel", t.runs_cancel, can.cancel]]);
    return element("div", { class: "mlab-runs-actions" },
      ...offered.filter(([, , possible]) => possible).map(([kind, label]) => button(label, ask(kind))));
  }

  /** @param {Check[]} checks */
  checks(checks) {
    const { t } = this;
    const made = table([t.runs_check, "", t.runs_found],
      checks.map((check) => [check.what, check.equal ? `✓ ${t.runs_equal}` : `✗ ${t.runs_unequal}`, check.found]), t.runs_checks);
    made.querySelectorAll("tbody tr").forEach((line, place) => line.classList.toggle("mlab-fault", !checks[place].equal));
    return made;
  }

  /** @param {Detail} detail */
  two(detail) {
    const { t } = this;
    const [first, second] = detail.ids ?? ["", ""];
    return [
      element("h4", {}, t.runs_compared),
      detail.settings?.length ? table([t.runs_setting, first, second], detail.settings, t.runs_settings_differ)
        : element("p", {}, t.runs_same_settings),
      ...(detail.metrics?.length ? [table([t.runs_metric, first, second], detail.metrics, t.runs_metrics)] : []),
      ...(detail.paired ?? []).map((line) => element("p", {}, line)),
    ];
  }

  /** @param {any} content @param {DataView[]} buffers */
  receive = async (content, buffers) => {
    if (content.kind !== "report" || content.token !== this.token) return;
    const bytes = new Uint8Array(buffers[0].buffer, buffers[0].byteOffset, buffers[0].byteLength).slice();
    const page = await new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
    // Apart from this page: its scripts draw figures and can reach nothing here.
    const frame = element("iframe", { sandbox: "allow-scripts", title: this.t.runs_report_frame });
    frame.srcdoc = page;
    const close = button(this.t.runs_close, () => this.frame.replaceChildren());
    this.frame.replaceChildren(close, frame);
    close.focus();
  };

  close() {
    for (const [event, handler] of this.changes) this.model.off(event, handler);
    this.model.off("msg:custom", this.receive);
  }
}

export default widget("mlab-runs", (...shown) => new View(...shown));
