/** Annotates notes by mouse or by keyboard alone. views/span_annotator.py checks and stores every act. */
import { talk } from "./ask.js";
import { button, element, fill } from "./elements.js";
import { ownKeys } from "./own_keys.js";
import { trimmed, wordAt, wordFrom } from "./span_blocks.js";
import { Details } from "./span_details.js";
import { askKind, showHelp } from "./span_dialogs.js";
import { commandOf } from "./span_keys.js";
import { Labels, firstValue } from "./span_labels.js";
import { NoteList } from "./span_list.js";
import { Palette } from "./span_palette.js";
import { Saving } from "./span_saving.js";
import { NoteState, editedStatus, fits, newId } from "./span_state.js";
import { TextView } from "./span_text.js";

/** @typedef {import("./span_runs.js").Span} Span */

const SLOW_MS = 400; // after which it is said that a note is being read: the first one waits for the rules

class Annotator {
  /**
   * @param {import("@anywidget/types").AnyModel} model
   * @param {HTMLElement} el
   * @param {AbortSignal} signal
   */
  constructor(model, el, signal) {
    this.model = model;
    this.el = el;
    this.t = model.get("texts");
    const { ask, token } = talk(model, signal);
    this.ask = ask;
    this.token = token;
    this.labels = new Labels(model.get("groups"));
    /** @type {NoteState | null} */
    this.state = null;
    /** @type {string | null} the span from which a relation begins */
    this.source = null;
    this.lastLabel = "";
    this.typing = "";
    const leave = () => this.text.root.focus({ preventScroll: true });
    this.text = new TextView(this.labels, this.t, { moved: () => this.onMoved(), drawing: () => this.redraw(),
      picked: (span) => this.activate(span) });
    this.list = new NoteList(model, this.labels, { ask, leave, open: (place) => this.open(place, true),
      filtered: () => this.onFilter(), heard: (answer) => this.heard(answer), fault: (words) => this.say(words, true) });
    this.palette = new Palette(this.labels, this.t, { leave, chosen: (name) => this.setLabel(name) });
    this.details = new Details(this.labels, { texts: this.t, contexts: model.get("contexts"),
      relations: model.get("relations") }, { leave, command: (name, ...values) => this.run([name, ...values]),
      typed: (field, value) => this.type(field, value), unrelate: (id) => this.act("unrelate", { id }),
      pick: (id) => this.activate(this.state?.spans.get(id) ?? null) });
    this.title = element("strong", { class: "mlab-span-heading" });
    this.message = element("div", { class: "mlab-span-message", role: "status",
      "data-hint": this.t.annotator_hint });
    this.saving = new Saving(this.t, { tell: (name, values) => this.tell(name, values), shown: () => this.refresh(),
      silent: () => this.say(this.t.annotator_silent, true) });
    this.spoken = element("div", { class: "mlab-hidden", "aria-live": "polite" });
    this.bar = element("progress", { max: 1, value: 0, "aria-label": this.t.annotator_progress });
    this.counted = element("span", { class: "mlab-muted" });
    this.stale = element("details", { class: "mlab-span-stale", hidden: true });
    this.done = this.tool("annotator_done", "d", ["done"]);
    this.undo = this.tool("annotator_undo", "z", ["undo"]);
    this.redo = this.tool("annotator_redo", "y", ["redo"]);
    this.annotator = "";
    /** @type {Promise<unknown>} */
    this.keys = Promise.resolve();
    el.append(...this.parts());
    this.listen(signal);
    this.start();
  }

  parts() {
    const head = element("div", { class: "mlab-bar mlab-span-head" }, this.bar, this.counted, this.saving.root);
    const tools = element("div", { class: "mlab-bar mlab-span-tools", role: "toolbar",
      "aria-label": this.t.annotator_tools }, this.tool("annotator_previous", "⇧K", ["note", -1]),
    this.tool("annotator_next", "⇧J", ["note", 1]), this.done, this.undo, this.redo,
    this.tool("annotator_uncertain", "⇧U", ["uncertain_note"]), this.tool("annotator_keys", "?", ["help"]));
    const middle = element("div", { class: "mlab-span-middle" }, this.title, this.stale, this.text.root, this.message);
    const side = element("div", { class: "mlab-span-side" }, this.details.root, this.palette.root);
    return [head, tools, element("div", { class: "mlab-span-desk" }, this.list.root, middle, side), this.spoken];
  }

  /** @param {string} name @param {string} key @param {import("./span_keys.js").Command} command */
  tool(name, key, command) {
    const made = button("", () => {
      this.run(command);
      if (command[0] !== "help") this.text.root.focus({ preventScroll: true });
    }, { "data-tool": command[0] });
    made.append(this.t[name], element("kbd", {}, key));
    return made;
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    this.text.root.addEventListener("keydown", (event) => this.onKey(event));
    const acted = () => this.onActed();
    this.model.on("change:acted", acted);
    const ready = () => this.onReady();
    this.model.on("change:ready", ready);
    const watch = new ResizeObserver(() => this.text.paint());
    watch.observe(this.text.root);
    const warn = (/** @type {BeforeUnloadEvent} */ event) => this.saving.waiting && event.preventDefault();
    window.addEventListener("beforeunload", warn);
    signal.addEventListener("abort", () => {
      this.model.off("change:acted", acted);
      this.model.off("change:ready", ready);
      window.removeEventListener("beforeunload", warn);
      watch.disconnect();
      this.text.close();
    });
  }

  async start() {
    await this.list.reload(true);
    const rows = [...this.list.store.rows.values()];
    const first = rows.find((row) => !row.done) ?? rows[0];
    if (first) await this.open(first.place, false);
    else this.say(this.t.annotator_no_notes);
    if (this.model.get("ready")) await this.onReady();
  }

  // -- notes --------------------------------------------------------------------------------------------------------

  /** @param {number} place @param {boolean} focus */
  async open(place, focus) {
    this.opening = place;
    const slow = setTimeout(() => this.say(this.t.annotator_opening), SLOW_MS);
    const sent = await this.tell("open", { place, words: this.list.filter.words });
    clearTimeout(slow);
    if (!sent || this.opening !== place) return;
    const same = this.state?.place === place && this.state.text === sent.text;
    if (same && this.saving.waiting) { // something was done since it was asked for
      await this.open(place, focus);
      return;
    }
    this.state = new NoteState(sent);
    if (same && !focus) {
      this.text.renew(this.state);
      if (sent.fault) this.say(sent.fault, true);
      return;
    }
    this.source = null;
    this.text.active = null;
    this.text.show(this.state);
    this.list.update(sent);
    this.list.mark(place);
    this.drawTitle();
    this.refresh();
    this.say(sent.fault || (this.model.get("ready") ? "" : this.t.annotator_rules_load), Boolean(sent.fault));
    const hit = this.state.hits[0];
    if (hit) this.text.select(...hit);
    if (focus) this.text.root.focus({ preventScroll: true });
    this.speak(fill(this.t.annotator_opened, { note: sent.note, n: this.state.spans.size }));
  }

  drawTitle() {
    if (!this.state) return;
    const { note, date, language, stale } = this.state;
    this.title.replaceChildren([note, date, language].filter(Boolean).join(" · "));
    this.stale.hidden = stale.length === 0;
    this.stale.replaceChildren(element("summary", {}, fill(this.t.annotator_stale, { n: stale.length })),
      element("ul", {}, ...stale.map((/** @type {string[]} */ [attribute, words, value]) => element("li", {},
        `${this.labels.title(attribute)}: « ${words} » ${value}`))));
  }

  /** @param {any} answer of the list or of an act */
  heard({ progress, annotator }) {
    if (annotator) this.annotator = annotator;
    this.bar.max = Math.max(1, progress.notes);
    this.bar.value = progress.done;
    const { notes, done, answered } = progress;
    this.counted.textContent = fill(this.t.annotator_progress_words, { annotator: this.annotator, notes, done, answered });
  }

  /** Another tab did something to the note that is open here. */
  onActed() {
    const { token, place } = this.model.get("acted");
    if (token === this.token || place !== this.state?.place) return;
    this.open(place, false);
  }

  /** Other suggestions can be made now: the list and the note that is open are asked for anew. */
  async onReady() {
    if (this.el.dataset.ready === "") await this.list.reload(true);
    if (this.state) await this.open(this.state.place, false);
    if ([this.t.annotator_rules_load, this.t.annotator_opening].includes(this.message.textContent ?? "")) this.say("");
    this.el.dataset.ready = "";
  }

  /** @param {Record<string, unknown>} values @param {string} nothing what to say when there is no such note */
  async goTo(values, nothing) {
    if (!this.state) return;
    const answer = await this.tell("step", { ...this.list.filter, place: this.state.place, ...values });
    if (answer && answer.place !== null) await this.open(answer.place, true);
    else if (answer) this.say(nothing);
  }

  async uncertainNote() {
    let answer = await this.tell("uncertain", { ...this.list.filter, place: this.state?.place ?? 0 });
    while (answer?.unknown) {
      this.say(fill(this.t.annotator_looking, { n: answer.unknown }));
      answer = await this.tell("uncertain", { ...this.list.filter, place: this.state?.place ?? 0 });
    }
    if (answer && answer.place !== null) await this.open(answer.place, true);
    else if (answer) this.say(this.t.annotator_none_uncertain);
  }

  // -- what is shown ------------------------------------------------------------------------------------------------

  /** @returns {Span | null} */
  get active() {
    return this.state?.spans.get(this.text.active ?? "") ?? null;
  }

  /** Have drawn what has changed. */
  refresh() {
    this.text.later("draw");
  }

  redraw() {
    const { state } = this;
    if (!state) return;
    if (this.text.active && !state.spans.has(this.text.active)) this.text.active = null;
    const { attribute, status, context } = this.list.filter;
    this.text.filter = { attribute, status, context };
    this.details.show(state, this.active, this.source);
    this.done.setAttribute("aria-pressed", String(state.done));
    this.undo.disabled = !state.undo;
    this.redo.disabled = !state.redo;
  }

  onFilter() {
    this.refresh();
  }

  onMoved() {
    this.typing = "";
    if (this.text.active === null) return;
    const [start, end] = this.text.selection;
    if (start === end) this.activate(null);
  }

  /** @param {Span | null} span */
  activate(span) {
    this.typing = "";
    this.text.active = span?.id ?? null;
    this.refresh();
    if (span) this.text.select(span.start, span.end);
    if (span) this.speak(this.inWords(span));
  }

  /** @param {Span} span @returns {string} */
  inWords(span) {
    return [`${this.labels.title(span.attribute)} ${this.state?.wordsOf(span) ?? ""}`, span.value, span.unit,
      this.t[`status_${span.status}`], ...span.context.map((name) => this.t[`context_${name}`])]
      .filter(Boolean).join(", ");
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

  // -- keys ---------------------------------------------------------------------------------------------------------

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const command = event.isComposing ? null : commandOf(event);
    if (!command || !this.state) return;
    event.preventDefault();
    event.stopPropagation();
    // One after the other: what is typed while another note is on its way is meant for that note.
    this.keys = this.keys.catch(() => undefined).then(() => this.run(command));
  }

  /** @param {(string | number)[]} command @returns {unknown} a promise where later keys have to wait */
  run([name, ...values]) {
    const by = values[0] === -1 ? -1 : 1;
    /** @type {Record<string, () => unknown>} */
    const commands = {
      move: () => this.move(String(values[0]), values[1] === -1 ? -1 : 1, values[2] === 1),
      word: () => this.selectWord(), all: () => this.text.select(0, this.state?.text.length ?? 0),
      digit: () => this.digit(Number(values[0])), find_label: () => this.palette.focus(),
      same_label: () => this.lastLabel && this.setLabel(this.lastLabel), escape: () => this.escape(),
      span: () => this.go(by, () => true),
      suggestion: () => this.go(1, (span) => span.status === "suggested"),
      accept: () => this.answer("accepted"), reject: () => this.answer("rejected"), edit: () => this.edit(),
      bounds: () => this.setBounds(), remove: () => this.remove(), relate: () => this.relate(),
      context: () => this.toggleContext(String(values[0])),
      undo: () => this.turn("undo"), redo: () => this.turn("redo"), done: () => this.markDone(),
      note: () => this.goTo({ by }, this.t.annotator_no_more), uncertain_note: () => this.uncertainNote(),
      hit: () => this.nextHit(), tags: () => this.toggleTags(), search: () => this.list.search.focus(), help: () => showHelp(this.el, this.t),
    };
    return commands[name]?.();
  }

  /** @param {string} what @param {1 | -1} by @param {boolean} extend */
  move(what, by, extend) {
    this.text.move(what, by, extend);
    if (!extend && this.text.active !== null) {
      this.text.active = null;
      this.refresh();
    }
    const [start, end] = this.text.selection;
    this.speak(start < end ? this.state?.text.slice(start, Math.min(end, start + 200)) ?? "" : this.near(what));
  }

  /** What stands at the caret: the character, or the word. @param {string} what */
  near(what) {
    const { text, blocks } = this.state ?? { text: "", blocks: [] };
    if (what === "character") return text.slice(this.text.at, this.text.at + 1);
    const word = wordAt(text, blocks, this.text.at);
    return word ? text.slice(...word) : "";
  }

  /** Select the word at the caret; once more: the next word too. */
  selectWord() {
    const { state, text } = this;
    if (!state) return;
    const [start, end] = text.selection;
    const word = start === end ? wordAt(state.text, state.blocks, start) : null;
    if (word) text.select(...word);
    else if (start < end) text.select(start, wordFrom(state.text, state.blocks, end, 1));
    this.speak(state.text.slice(...text.selection));
  }

  escape() {
    if (this.palette.group !== null) this.palette.open(null);
    else if (this.source !== null) {
      this.source = null;
      this.say("");
    } else {
      this.text.active = null;
      this.text.select(this.text.at);
    }
    this.refresh();
  }

  toggleTags() {
    this.text.tags = !this.text.tags;
    this.el.classList.toggle("mlab-span-bare", !this.text.tags);
    this.refresh();
  }

  /** Select the next place of the words that were searched. */
  nextHit() {
    const hits = this.state?.hits ?? [];
    const next = hits.find(([start]) => start >= this.text.selection[1]) ?? hits[0];
    if (!next) {
      this.say(this.t.annotator_no_hit);
      return;
    }
    this.text.active = null;
    this.refresh();
    this.text.select(...next);
    this.speak(this.state?.text.slice(...next) ?? "");
  }

  /** @param {number} digit */
  digit(digit) {
    this.speak(this.palette.digit(digit));
  }

  /** @param {1 | -1} by @param {(span: Span) => boolean} fitting */
  go(by, fitting) {
    const found = this.state?.next(this.text.active, this.text.at, by, (span) => fitting(span)
      && fits(span, this.list.filter));
    if (found) this.activate(found);
    else this.say(this.t.annotator_no_more_spans);
  }

  // -- acts ---------------------------------------------------------------------------------------------------------

  /** Label the selection; where the active span is selected as it is, give it another label. @param {string} name */
  setLabel(name) {
    const { state, active } = this;
    if (!state) return;
    this.lastLabel = name;
    const [start, end] = trimmed(state.text, ...this.text.selection);
    if (active && active.start === start && active.end === end) {
      this.put({ ...active, attribute: name, status: editedStatus(active) });
    } else if (start < end) this.add(name, start, end);
    else {
      const word = wordAt(state.text, state.blocks, this.text.at);
      if (word) this.add(name, ...word);
      else this.say(this.t.annotator_select_first);
    }
  }

  /** @param {string} attribute @param {number} start @param {number} end */
  add(attribute, start, end) {
    const words = this.state?.text.slice(start, end) ?? "";
    const span = { id: newId(), attribute, start, end, qualifier: "", context: [], rule: "", status: "added",
      ...firstValue(this.labels.byName.get(attribute), words) };
    this.text.active = span.id;
    this.put(span);
    this.text.select(start, end);
  }

  /** @param {Span} span @param {boolean} [amend] */
  put(span, amend = false) {
    this.act("put", { spans: [span], amend }, [span], []);
    this.speak(this.inWords(span));
  }

  /** Accept or reject the active suggestion, and go to the next one. @param {string} status */
  answer(status) {
    const span = this.active;
    if (!span) this.go(1, (one) => one.status === "suggested");
    else if (span.status === "added") this.say(this.t.annotator_own_span);
    else {
      this.put({ ...span, status });
      const next = this.state?.next(span.id, span.start, 1, (one) => one.status === "suggested"
        && fits(one, this.list.filter));
      if (next) this.activate(next);
      else this.say(this.t.annotator_all_answered);
    }
  }

  edit() {
    if (this.active) this.details.focus();
    else this.say(this.t.annotator_no_span);
  }

  /** A letter was typed into a field; those of one visit to it are undone together.
   * @param {string} field @param {string} value */
  type(field, value) {
    const span = this.active;
    if (!span) return;
    const visit = `${span.id} ${field}`;
    const amend = this.typing === visit;
    this.put({ ...span, [field]: value, status: editedStatus(span) }, amend);
    this.typing = visit;
  }

  setBounds() {
    const { state, active } = this;
    const [start, end] = trimmed(state?.text ?? "", ...this.text.selection);
    if (!active) this.say(this.t.annotator_no_span);
    else if (start === end) this.say(this.t.annotator_select_first);
    else this.put({ ...active, start, end, status: editedStatus(active) });
  }

  remove() {
    const span = this.active;
    if (!span) this.say(this.t.annotator_no_span);
    else if (span.status !== "added") this.answer("rejected");
    else {
      this.text.active = null;
      this.text.select(span.start);
      this.act("remove", { ids: [span.id] }, [], [span.id]);
    }
  }

  /** @param {string} name */
  toggleContext(name) {
    const span = this.active;
    if (!span) {
      this.say(this.t.annotator_no_span);
      return;
    }
    const has = span.context.includes(name);
    const context = this.model.get("contexts").filter((/** @type {string} */ one) =>
      (one === name ? !has : span.context.includes(one)));
    this.put({ ...span, context, status: editedStatus(span) });
  }

  /** First from where, then to where. */
  relate() {
    const span = this.active;
    if (!span) {
      this.say(this.t.annotator_no_span);
      return;
    }
    if (this.source === null || this.source === span.id) {
      this.source = this.source === span.id ? null : span.id;
      this.say(this.source ? this.t.annotator_relate_to : "");
      this.refresh();
      return;
    }
    const source = this.source;
    askKind(this.el, this.t, this.model.get("relations"), (kind) => {
      this.source = null;
      this.say("");
      this.act("relate", { kind, source, target: span.id });
    });
  }

  async markDone() {
    const { state } = this;
    if (!state) return;
    const value = !state.done;
    const answer = await this.act("done", { value });
    if (answer && value) await this.goTo({ to_open: true }, this.t.annotator_all_done);
  }

  /** @param {"undo" | "redo"} name */
  async turn(name) {
    if (!(name === "undo" ? this.state?.undo : this.state?.redo) && !this.saving.waiting) return;
    const answer = await this.act(name, {});
    const span = answer && this.state?.spans.get(Object.keys(answer.spans)[0] ?? "");
    if (span) this.activate(span);
  }

  /**
   * Show an act on the note at once, and have it stored.
   *
   * @param {string} name
   * @param {Record<string, any>} values
   * @param {Span[]} [put] spans as they will be
   * @param {string[]} [removed]
   * @returns {Promise<any>} null when it was refused
   */
  async act(name, values, put = [], removed = []) {
    const { state } = this;
    if (!state) return null;
    if (!values.amend) this.typing = "";
    const answer = await this.saving.act(state, name, values, put, removed);
    if (!answer) {
      if (this.state === state) await this.recover(state.place);
      return null;
    }
    this.heard(answer);
    this.list.update(answer.row);
    this.refresh();
    return answer;
  }

  /** After an act that was refused: show what is stored, and keep what was said of it. @param {number} place */
  async recover(place) {
    const words = this.message.textContent ?? "";
    await this.open(place, false);
    this.say(words, true);
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

/** @type {import("@anywidget/types").Render} */
function render({ model, el, signal }) {
  const ended = new AbortController();
  signal?.addEventListener("abort", () => ended.abort());
  el.classList.add("mlab", "mlab-annotator");
  ownKeys(el);
  new Annotator(model, el, ended.signal);
  return () => ended.abort();
}

export default { render };
