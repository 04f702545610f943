// Linked plots of a models run: one model, one threshold (two classes) or one risk group (survival), in every plot.
import { button, element } from "./elements.js";
import { binaryFigures, rowAt, rowNear, survivalFigures } from "./linked_figures.js";
import { loadPlotly, loadedPlotly, themeColours } from "./plotly.js";
import { table } from "./run_parts.js";
import { widget } from "./widget.js";

/**
 * @typedef {import("./linked_figures.js").Model} Model
 * @typedef {import("./linked_figures.js").Figure} Figure
 * @typedef {Record<string, string>} Words
 */

const CONFIG = { displaylogo: false, responsive: true, displayModeBar: false };
const PANELS = {
  binary: [["roc", "linked_roc"], ["histogram", "linked_histogram"], ["decision", "linked_decision"], ["calibration", "linked_calibration"]],
  survival: [["curves", "linked_km"], ["histogram", "linked_histogram"], ["calibration", "linked_calibration"]],
};

/** One open view of the widget. */
class View {
  /**
   * @param {import("@anywidget/types").AnyModel} model
   * @param {HTMLElement} el
   * @param {AbortSignal} signal
   */
  constructor(model, el, signal) {
    this.model = model;
    this.el = el;
    /** @type {Words} */
    this.t = model.get("texts");
    this.token = crypto.getRandomValues(new Uint32Array(2)).join("-");
    /** @type {Model | undefined} */
    this.shown = undefined;
    /** @type {import("./plotly.js").Plotly | undefined} */
    this.plotly = undefined;
    this.row = 0;
    this.group = "";
    this.hovered = "";
    this.waiting = 0;
    /** @type {number | undefined} */
    this.frame = undefined;
    this.sets = this.select(`mlab-sets-${this.token}`, model.get("sets"));
    this.learners = this.select(`mlab-learners-${this.token}`, model.get("learners"));
    this.status = element("p", { role: "status", class: "mlab-linked-status" }, this.t.linked_loading);
    this.control = element("div", { class: "mlab-linked-control" });
    this.panels = Object.fromEntries(this.kinds().map(([name, title]) => [name, element("div", {
      class: "mlab-linked-plot", role: "img", "aria-label": this.t[title] })]));
    this.titles = this.kinds().map(([, title]) => element("figcaption", {}, this.t[title]));
    this.below = element("div", { class: "mlab-linked-below" });
    this.build();
    this.observer = new MutationObserver(() => this.draw());
    this.observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light"] });
    model.on("msg:custom", this.receive);
    signal.addEventListener("abort", () => this.close());
    void this.begin();
  }

  build() {
    const { t, el } = this;
    el.append(
      element("h3", {}, t.linked_title),
      element("div", { class: "mlab-linked-choice" },
        element("label", { for: this.sets.id }, t.linked_sets), this.sets,
        element("label", { for: this.learners.id }, t.linked_learner), this.learners),
      this.status, this.control,
      element("div", { class: `mlab-linked-plots mlab-linked-${this.model.get("kind")}` }, ...this.kinds().map(([name], place) => element("figure", {},
        this.titles[place], this.panels[name]))),
      this.below);
  }

  /** @returns {string[][]} */
  kinds() {
    return this.model.get("kind") === "binary" ? PANELS.binary : PANELS.survival;
  }

  /**
   * @param {string} id
   * @param {string[]} values
   */
  select(id, values) {
    const made = element("select", { id }, ...values.map((value) => element("option", { value }, value)));
    made.addEventListener("change", () => this.ask());
    return made;
  }

  async begin() {
    const there = loadedPlotly();
    if (there) this.plotly = await there;
    else this.model.send({ kind: "plotly", token: this.token });
    this.ask();
  }

  ask() {
    clearTimeout(this.waiting);
    this.waiting = window.setTimeout(() => this.say(this.t.linked_no_kernel), 20000);
    this.model.send({ kind: "model", token: this.token, blocks: this.sets.value, learner: this.learners.value });
  }

  /** @param {string} words */
  say(words) {
    this.status.textContent = words;
  }

  /** @param {any} content @param {DataView[]} buffers */
  receive = async (content, buffers) => {
    if (content.token !== this.token) return;
    if (content.kind === "plotly") {
      this.plotly = await loadPlotly(buffers[0]);
    } else {
      clearTimeout(this.waiting);
      if (content.fault) {
        this.say(content.fault);
        return;
      }
      this.take(content.model);
    }
    this.draw();
  };

  /** @param {Model} model */
  take(model) {
    const first = this.shown === undefined;
    this.shown = model;
    this.say([model.headline, `n = ${model.n}`, `${this.t.linked_events}: ${model.events}`].filter(Boolean).join(" · "));
    if (model.thresholds && first) this.row = rowAt(model.thresholds.threshold, model.events / Math.max(1, model.n));
    if (model.groups && !model.groups.some((group) => group.name === this.group)) this.group = "";
    if (model.value === "incidence") this.titles[0].textContent = this.t.linked_incidence;
    this.buildControl(model);
  }

  /** @param {Model} model */
  buildControl(model) {
    this.control.replaceChildren();
    if (model.thresholds) this.buildSlider(model.thresholds.threshold);
    else this.buildGroups(model.groups ?? []);
  }

  /** @param {number[]} thresholds */
  buildSlider(thresholds) {
    const id = `mlab-threshold-${this.token}`;
    this.slider = element("input", { type: "range", id, min: 0, max: thresholds.length - 1, step: 1 });
    this.output = element("output", { for: id });
    this.slider.addEventListener("input", () => this.choose(Number(this.slider?.value)));
    this.control.append(element("label", { for: id }, this.t.linked_threshold), this.slider, this.output,
      element("span", { class: "mlab-muted" }, this.t.linked_hint));
  }

  /** @param {import("./linked_figures.js").Group[]} groups */
  buildGroups(groups) {
    this.buttons = ["", ...groups.map((group) => group.name)].map((name) => {
      const choose = () => {
        this.group = name;
        this.draw();
      };
      return button(name || this.t.linked_in_all, choose, { value: name });
    });
    this.control.append(...this.buttons, element("span", { class: "mlab-muted" }, this.t.linked_groups_hint));
  }

  /** @param {number} row */
  choose(row) {
    this.row = row;
    cancelAnimationFrame(this.frame ?? 0);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  draw() {
    if (!this.shown || !this.plotly || !this.el.isConnected) return;
    const colours = themeColours(this.el);
    const figures = this.shown.kind === "binary" ? binaryFigures(this.shown, this.row, colours, this.t)
      : survivalFigures(this.shown, this.hovered || this.group, colours, this.t);
    for (const [name, figure] of Object.entries(figures)) void this.put(name, /** @type {Figure} */ (figure));
    if (this.shown.kind === "binary") this.drawThreshold(this.shown);
    else this.drawGroups(this.shown);
  }

  /** @param {string} name @param {Figure} figure */
  async put(name, figure) {
    const panel = this.panels[name];
    const fresh = !panel.classList.contains("js-plotly-plot");
    await this.plotly?.react(panel, figure.data, figure.layout, CONFIG);
    if (fresh) this.listen(name, /** @type {any} */ (panel));
  }

  /** @param {string} name @param {{ on: (event: string, handler: (event: any) => void) => void }} panel */
  listen(name, panel) {
    panel.on("plotly_click", (event) => this.click(name, event.points[0]));
    if (this.shown?.kind === "binary") return;
    panel.on("plotly_hover", (event) => this.hover(event.points[0]?.data.meta ?? ""));
    panel.on("plotly_unhover", () => this.hover(""));
  }

  /** @param {string} name @param {any} point */
  click(name, point) {
    const thresholds = this.shown?.thresholds;
    if (thresholds) this.choose(name === "roc" ? rowNear(thresholds, point.x, point.y) : rowAt(thresholds.threshold, point.x));
    else if (point.data.meta) {
      this.group = this.group === point.data.meta ? "" : point.data.meta;
      this.draw();
    }
  }

  /** @param {string} group */
  hover(group) {
    if (group === this.hovered) return;
    this.hovered = group;
    cancelAnimationFrame(this.frame ?? 0);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  /** @param {Model} model */
  drawThreshold(model) {
    const { t, row } = this;
    const at = /** @type {import("./linked_figures.js").Thresholds} */ (model.thresholds);
    if (this.slider && this.output) {
      this.slider.value = String(row);
      this.slider.setAttribute("aria-valuetext", at.threshold[row].toFixed(2));
      this.output.textContent = at.threshold[row].toFixed(2);
    }
    const counts = table(["", t.linked_event, t.linked_no_event], [
      [t.linked_above, String(at.tp[row]), String(at.fp[row])], [t.linked_below, String(at.fn[row]), String(at.tn[row])]],
    t.linked_counts);
    const shares = table(["", t.linked_share], [[t.linked_sensitivity, at.sensitivity[row]],
      [t.linked_specificity, at.specificity[row]], [t.linked_ppv, at.ppv[row]], [t.linked_npv, at.npv[row]]]);
    const points = model.points?.length ? [table(["", t.linked_sensitivity, t.linked_specificity, t.linked_ppv, t.linked_npv],
      model.points, t.linked_points)] : [];
    this.below.replaceChildren(element("div", { class: "mlab-linked-tables", "aria-live": "polite" }, counts, shares), ...points,
      element("p", { class: "mlab-caution" }, t.linked_optimism), element("p", { class: "mlab-muted" }, t.linked_first_repeat));
  }

  /** @param {Model} model */
  drawGroups(model) {
    const { t } = this;
    const chosen = this.hovered || this.group;
    for (const button of this.buttons ?? []) button.setAttribute("aria-pressed", String(button.value === this.group));
    const unit = model.unit ? ` (${model.unit})` : "";
    const ticks = model.ticks ?? [];
    const made = table([t.linked_group, t.linked_n, t.linked_events, t.linked_median + unit, t.linked_ratio,
      ...ticks.map((tick) => `${t.linked_at_risk} ${tick}`)],
    (model.groups ?? []).map((group) => [...group.row, ...group.at_risk.map(String)]));
    made.querySelectorAll("tbody tr").forEach((line, place) => {
      line.classList.toggle("mlab-linked-faint", chosen !== "" && model.groups?.[place].name !== chosen);
    });
    this.below.replaceChildren(made, element("p", {}, `${t.linked_log_rank} ${model.p}`),
      element("p", { class: "mlab-caution" }, t.linked_groups_optimism));
  }

  close() {
    clearTimeout(this.waiting);
    cancelAnimationFrame(this.frame ?? 0);
    this.observer.disconnect();
    this.model.off("msg:custom", this.receive);
    for (const panel of Object.values(this.panels ?? {})) this.plotly?.purge(panel);
  }
}

export default widget("mlab-linked", (...shown) => new View(...shown));
