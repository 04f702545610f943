/** Decides between two annotators, side by side, by one key each. views/adjudication.py checks and stores it. */
import { CHOICE_KEYS, commandOf, inWords, nextOpen } from "./adjudication_keys.js";
import { OwnAnswer } from "./adjudication_own.js";
import { talk } from "./ask.js";
import { button, choice, element, fill, labelled } from "./elements.js";
import { Labels } from "./span_labels.js";
import { NoteState } from "./span_state.js";
import { TextView } from "./span_text.js";
import { widget } from "./widget.js";

/** @typedef {import("./span_runs.js").Span} Span */
/** @typedef {import("./adjudication_keys.js").Dispute} Dispute */
/**
 * @typedef {{ place: number, note: string, date: string, language: string, disputes: number, open: number,
 *   done: boolean }} Row
 */

const SIDES = /** @type {const} */ (["left", "right"]);

class Adjudication {
  /**
   * @param {import("@anywidget/types").AnyModel} model
   * @param {HTMLElement} el
   * @param {AbortSignal} signal
   */
  constructor(model, el, signal) {
    this.model = model;
    this.t = model.get("texts");
    const { ask, token } = talk(model, signal);
    this.ask = ask;
    this.token = token;
    this.labels = new Labels(model.get("groups"));
    /** @type {Row[]} */
    this.rows = [];
    /** @type {any} what is known of the note that is shown */
    this.shown = null;
    this.number = 0;
    this.waiting = 0;
    this.names = { left: "", right: "" };
    /** @type {Record<string, TextView>} */
    this.views = Object.fromEntries(SIDES.map((side) => [side, this.view()]));
    this.choosers = Object.fromEntries(SIDES.map((side) => [side, choice([], "")]));
    this.titles = Object.fromEntries(SIDES.map((side) => [side, element("h4", {})]));
    this.own = new OwnAnswer(this.labels, model.get("contexts"), this.t, { left: () => this.desk.focus(),
      given: (own) => this.decide("own", own), moved: (start, end) => this.select(start, end) });
    this.notes = element("ul", { class: "mlab-adjudication-notes", role: "listbox",
      "aria-label": this.t.adjudication_notes });
    this.list = element("ol", { class: "mlab-adjudication-disputes", role: "listbox",
      "aria-label": this.t.adjudication_disputes });
    this.counted = element("span", { class: "mlab-muted" });
    this.saved = element("span", { class: "mlab-span-saved", role: "status" });
    this.message = element("div", { class: "mlab-span-message", role: "status" });
    this.spoken = element("div", { class: "mlab-hidden", "aria-live": "polite" });
    this.undo = this.tool("undo", "z", ["undo"]);
    this.redo = this.tool("redo", "y", ["redo"]);
    this.choices = CHOICE_KEYS.map(([name, key]) => this.tool(name, key, name === "own" ? ["own"] : ["choose", name]));
    this.figures = element("details", { class: "mlab-adjudication-figures" },
      element("summary", {}, this.t.adjudication_agreement, " ", element("kbd", {}, "a")));
    this.desk = element("div", { class: "mlab-annotator mlab-adjudication-desk", role: "application", tabindex: 0,
      "aria-label": this.t.adjudication_title, "aria-description": this.t.adjudication_help }, ...this.parts());
    el.append(this.desk);
    this.listen(signal);
    this.reload({});
  }

  view() {
    return new TextView(this.labels, this.t, { moved: () => this.onSelected(),
      picked: (span) => { if (span) this.pick(span); }, drawing: () => {} });
  }

  parts() {
    const head = element("div", { class: "mlab-bar" }, labelled(this.t.adjudication_left, this.choosers.left),
      labelled(this.t.adjudication_right, this.choosers.right), this.counted, this.saved);
    const tools = element("div", { class: "mlab-bar", role: "toolbar", "aria-label": this.t.adjudication_tools },
      this.tool("previous", "⇧K", ["note", -1]), this.tool("next", "⇧J", ["note", 1]), this.undo, this.redo,
      this.tool("take", "t", ["take"]));
    const texts = element("div", { class: "mlab-adjudication-texts" }, ...SIDES.map((side) => element("section", {},
      this.titles[side], this.views[side].root)));
    const middle = element("div", { class: "mlab-adjudication-middle" }, texts,
      element("div", { class: "mlab-bar mlab-adjudication-choices", role: "toolbar",
        "aria-label": this.t.adjudication_choices }, ...this.choices), this.own.root, this.message, this.list);
    return [head, tools, element("div", { class: "mlab-adjudication-columns" }, this.notes, middle), this.figures,
      this.spoken];
  }

  /** @param {string} name @param {string} key @param {import("./adjudication_keys.js").Command} command */
  tool(name, key, command) {
    const made = button(this.t[`adjudication_${name}`], () => {
      this.run(command);
      if (command[0] !== "own") this.desk.focus({ preventScroll: true });
    }, { "data-tool": name });
    made.append(element("kbd", {}, key));
    return made;
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    this.desk.addEventListener("keydown", (event) => this.onKey(event));
    for (const side of SIDES) this.choosers[side].addEventListener("change", () => this.compare());
    this.figures.addEventListener("toggle", () => this.figures.open && this.drawFigures());
    const acted = () => {
      const { token, place } = this.model.get("acted");
      if (token !== this.token && place === this.shown?.place) this.open(place);
    };
    this.model.on("change:acted", acted);
    signal.addEventListener("abort", () => {
      this.model.off("change:acted", acted);
      SIDES.forEach((side) => this.views[side].close());
    });
  }

  // -- notes --------------------------------------------------------------------------------------------------------

  /** @param {Record<string, unknown>} pair */
  async reload(pair) {
    const sent = await this.tell("list", pair);
    if (!sent) return;
    this.rows = sent.rows;
    for (const side of SIDES) {
      this.names[side] = sent[side];
      this.titles[side].textContent = sent[side];
      this.choosers[side].replaceChildren(...sent.annotators.map((/** @type {string} */ name) =>
        element("option", { value: name, selected: name === sent[side] }, name)));
      this.choosers[side].value = sent[side];
    }
    this.heard(sent);
    const first = this.rows.find((row) => row.open) ?? this.rows[0];
    if (first) await this.open(first.place);
    else this.say(this.t.adjudication_no_notes);
    if (this.figures.open) this.drawFigures();
  }

  compare() {
    const { left, right } = this.choosers;
    if (left.value === right.value) {
      this.say(this.t.adjudication_two, true);
      SIDES.forEach((side) => { this.choosers[side].value = this.names[side]; });
    } else this.reload({ left: left.value, right: right.value });
  }

  /** @param {any} answer */
  heard({ progress, row, saved }) {
    if (row) this.rows = this.rows.map((one) => (one.place === row.place ? row : one));
    this.counted.textContent = fill(this.t.adjudication_progress, progress);
    if (saved && !this.waiting) this.saved.textContent = fill(this.t.adjudication_saved, { time: saved });
    this.drawNotes();
  }

  drawNotes() {
    this.notes.replaceChildren(...this.rows.map((row) => {
      const standing = row.open ? fill(this.t.adjudication_open, { n: row.open })
        : `✓ ${fill(this.t.adjudication_settled, { n: row.disputes })}`;
      const made = element("li", { role: "option", "aria-selected": String(row.place === this.shown?.place),
        "data-place": row.place }, element("strong", {}, row.note), element("span", { class: "mlab-muted" }, standing));
      made.addEventListener("click", () => this.open(row.place));
      return made;
    }));
  }

  /** @param {number} place */
  async open(place) {
    const sent = await this.tell("open", { place });
    if (!sent) return;
    const common = { ...sent, stale: [], hits: [], relations: [] };
    this.shown = sent;
    /** @type {Record<string, NoteState>} */
    this.states = Object.fromEntries(SIDES.map((side) => [side, new NoteState({ ...common, spans: sent[side] })]));
    for (const side of SIDES) this.views[side].show(this.states[side]);
    this.number = Math.max(0, nextOpen(sent.chosen, -1));
    this.own.root.hidden = true;
    this.say(sent.disputes.length ? "" : this.t.adjudication_no_disputes);
    this.drawNotes();
    this.draw();
  }

  /** The next note that has something to decide, in one direction. @param {number} by */
  goTo(by) {
    const here = this.rows.findIndex((row) => row.place === this.shown?.place);
    const ahead = by > 0 ? this.rows.slice(here + 1) : this.rows.slice(0, Math.max(here, 0)).reverse();
    const next = ahead.find((row) => row.open) ?? ahead[0];
    if (next) this.open(next.place);
    else this.say(this.t.adjudication_no_more);
  }

  // -- what is shown ------------------------------------------------------------------------------------------------

  /** @returns {Dispute | undefined} */
  get dispute() {
    return this.shown?.disputes[this.number];
  }

  /** @param {string} side @param {Dispute} dispute @returns {Span | undefined} in UTF-16 units */
  spanOf(side, dispute) {
    const id = dispute[/** @type {"left" | "right"} */ (side)];
    return id === null ? undefined : this.states?.[side].spans.get(id);
  }

  draw() {
    const { shown, dispute } = this;
    /** @type {Dispute[]} */
    const disputes = shown?.disputes ?? [];
    this.list.replaceChildren(...disputes.map((each, number) => this.line(each, number)));
    this.undo.disabled = !shown?.undo;
    this.redo.disabled = !shown?.redo;
    this.choices.forEach((made) => {
      made.disabled = !dispute;
      made.setAttribute("aria-pressed", String(Boolean(dispute) && shown.chosen[this.number] === made.dataset.tool));
    });
    for (const side of SIDES) this.views[side].active = dispute?.[side] ?? null;
    for (const side of SIDES) this.views[side].draw();
    if (dispute && this.states) {
      const { offsets } = this.states.left;
      this.select(offsets.toUnits(dispute.start), offsets.toUnits(dispute.end));
      this.speak(this.list.children[this.number]?.textContent ?? "");
      this.list.children[this.number]?.scrollIntoView({ block: "nearest" });
    }
  }

  /** @param {Dispute} dispute @param {number} number */
  line(dispute, number) {
    const chosen = this.shown.chosen[number];
    const said = SIDES.map((side) => {
      const dropped = chosen && chosen !== "both" && chosen !== side;
      return element("span", { class: dropped ? "mlab-adjudication-dropped" : undefined },
        element("strong", {}, `${this.names[side]} `), this.words(side, dispute));
    });
    const made = element("li", { role: "option", "aria-selected": String(number === this.number),
      "data-chosen": chosen }, ...said,
      element("em", {}, chosen ? this.t[`adjudication_${chosen}`] : this.t.adjudication_undecided));
    made.addEventListener("click", () => this.show(number));
    return made;
  }

  /** @param {string} side @param {Dispute} dispute */
  words(side, dispute) {
    const span = this.spanOf(side, dispute);
    const title = span ? this.labels.title(span.attribute) : "";
    return inWords(span, span ? this.states?.[side].wordsOf(span) ?? "" : "", title, this.t);
  }

  /** @param {number} number */
  show(number) {
    if (!this.shown?.disputes.length) return;
    this.number = Math.max(0, Math.min(this.shown.disputes.length - 1, number));
    this.draw();
  }

  /** A span that was clicked: its dispute. @param {Span} span */
  pick(span) {
    /** @type {Dispute[]} */
    const disputes = this.shown?.disputes ?? [];
    const number = disputes.findIndex((one) => one.left === span.id || one.right === span.id);
    if (number >= 0) this.show(number);
  }

  /** @param {number} start @param {number} end UTF-16 units */
  select(start, end) {
    SIDES.forEach((side) => this.views[side].select(start, end));
  }

  /** A stretch was selected by the mouse: the bounds of one's own answer, while it is being given. */
  onSelected() {
    if (!this.own.shown) return;
    const [start, end] = SIDES.map((side) => this.views[side].selection).find(([from, to]) => from < to
      && (from !== this.own.start || to !== this.own.end)) ?? [0, 0];
    if (start < end) this.own.place(start, end);
  }

  async drawFigures() {
    const sent = await this.tell("agreement", {});
    if (!sent) return;
    const cells = (/** @type {"td" | "th"} */ kind, /** @type {string[]} */ row) => element("tr", {},
      ...row.map((cell) => element(kind, {}, cell)));
    const table = element("table", {}, element("thead", {}, cells("th", sent.columns)),
      element("tbody", {}, ...sent.rows.map((/** @type {string[]} */ row) => cells("td", row))));
    this.figures.replaceChildren(this.figures.children[0], element("p", { class: "mlab-muted" },
      fill(this.t.adjudication_figures, { n: sent.notes })), table);
  }

  /** @param {string} words @param {boolean} [fault] */
  say(words, fault = false) {
    this.message.textContent = words;
    this.message.classList.toggle("mlab-fault", fault);
  }

  /** For screen readers. @param {string} words */
  speak(words) {
    this.spoken.textContent = words;
  }

  // -- acts ---------------------------------------------------------------------------------------------------------

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const typing = event.target instanceof HTMLSelectElement || event.target instanceof HTMLInputElement;
    const command = typing || event.isComposing ? null : commandOf(event);
    if (!command) return;
    event.preventDefault();
    event.stopPropagation();
    this.run(command);
  }

  /** @param {import("./adjudication_keys.js").Command} command */
  run([name, value]) {
    /** @type {Record<string, () => unknown>} */
    const commands = {
      choose: () => this.decide(String(value)), own: () => this.openOwn(),
      step: () => this.show(this.number + Number(value)), note: () => this.goTo(Number(value)),
      open: () => this.show(Math.max(0, nextOpen(this.shown?.chosen ?? [], this.number))),
      undo: () => this.turn(false), redo: () => this.turn(true), take: () => this.take(),
      agreement: () => { this.figures.open = !this.figures.open; },
    };
    commands[name]?.();
  }

  /**
   * Decide the dispute that is shown, and go on to the next one at once: the keys of a quick hand must not wait.
   *
   * @param {string} made
   * @param {import("./adjudication_own.js").Own} [own]
   */
  decide(made, own) {
    if (!this.dispute) return;
    const dispute = this.number;
    this.shown.chosen[dispute] = made;
    const next = nextOpen(this.shown.chosen, dispute);
    this.show(next < 0 ? dispute : next);
    this.act("decide", { dispute, choice: made, ...(own ? { own } : {}) });
    this.desk.focus({ preventScroll: true });
  }

  openOwn() {
    const { dispute, states } = this;
    if (!dispute || !states) return;
    const like = this.spanOf("left", dispute) ?? this.spanOf("right", dispute);
    const selected = this.views.left.selection;
    if (like) this.own.open(states.left, like, selected[0] < selected[1] ? selected : [like.start, like.end]);
  }

  /** @param {boolean} again */
  turn(again) {
    if (this.shown) this.act("turn", { again });
  }

  async take() {
    const answer = await this.tell("take", {});
    if (!answer) return;
    await this.reload({});
    this.say(fill(this.t.adjudication_taken, { n: answer.taken }));
  }

  /** An act on the note that is shown; what stands is drawn when all acts are confirmed. */
  async act(/** @type {string} */ name, /** @type {Record<string, unknown>} */ values) {
    const { place } = this.shown;
    this.waiting += 1;
    this.saved.textContent = "…";
    const answer = await this.tell(name, { place, ...values });
    this.waiting -= 1;
    if (answer) this.heard(answer);
    if (this.shown.place !== place || this.waiting) return;
    if (!answer) {
      const fault = this.message.textContent ?? "";
      await this.open(place);
      this.say(fault, true);
      return;
    }
    Object.assign(this.shown, { chosen: answer.chosen, undo: answer.undo, redo: answer.redo });
    this.say(answer.row.open ? "" : this.t.adjudication_all_decided);
    this.draw();
  }

  /** @param {string} name @param {Record<string, unknown>} values @returns {Promise<any>} null when it failed */
  async tell(name, values) {
    try {
      return await this.ask(name, values);
    } catch (fault) {
      this.say(/** @type {Error} */ (fault).message, true);
      return null;
    }
  }
}

export default widget("mlab-adjudication", (...shown) => new Adjudication(...shown));
