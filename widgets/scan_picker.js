/** Draws the series of a scan as cards, and sends what is chosen to views/scan_picker.py. */
import { talk } from "./ask.js";
import { button, choice, element, fill, labelled } from "./elements.js";
import { Choice, byPatient, fitting } from "./scan_choice.js";
import { widget } from "./widget.js";

const SETTLE_MS = 120;

/** @typedef {import("./scan_choice.js").Card} Card */

class Picker {
  /**
   * @param {import("@anywidget/types").AnyModel} model
   * @param {HTMLElement} el
   * @param {AbortSignal} signal
   */
  constructor(model, el, signal) {
    this.model = model;
    this.t = model.get("texts");
    this.talk = talk(model, signal);
    this.choice = new Choice();
    /** @type {Card[]} */
    this.cards = [];
    this.listed = "";
    /** @type {Map<string, string>} addresses of pictures by key */
    this.pictures = new Map();
    /** @type {Map<string, HTMLElement>} where pictures belong, by key */
    this.frames = new Map();
    /** @type {Set<string>} */
    this.inSight = new Set();
    this.status = element("span", { role: "status" });
    this.bar = element("progress", { max: 1, "aria-label": this.t.scanning, hidden: true });
    this.cancel = button(this.t.cancel_work, () => this.ask("cancel"), { hidden: true });
    this.summary = element("div", { role: "status" });
    this.warning = element("div", { class: "mlab-fault" });
    this.filter = element("input", { type: "search" });
    this.modality = choice([["", this.t.all_modalities]], "");
    this.pattern = element("input", { type: "text", placeholder: "GTV*", size: 10 });
    this.shown = element("span", { class: "mlab-muted" });
    this.chooseShown = button("", () => this.chooseAllShown());
    this.keyFile = element("input", { type: "text", size: 34, spellcheck: "false", autocomplete: "off" });
    this.add = button("", () => this.addChosen(), { class: "mlab-primary" });
    this.tools = element("div", { class: "mlab-scan-tools", hidden: true }, ...this.toolParts());
    this.list = element("div", { class: "mlab-cards", role: "group", "aria-label": this.t.series_of_scan, hidden: true });
    this.leftOut = element("details", { hidden: true });
    this.end = element("div", { class: "mlab-bar", hidden: true }, labelled(this.t.key_file, this.keyFile), this.add);
    this.report = element("ul", { class: "mlab-report" });
    el.append(this.warning, this.summary, this.tools, this.list, this.leftOut, this.end,
      element("div", { class: "mlab-bar" }, this.status, this.bar, this.cancel), this.report);
    this.watch = new IntersectionObserver((entries) => this.onSight(entries), { root: this.list, rootMargin: "150px" });
    this.groups = new IntersectionObserver((entries) => this.onGroups(entries),
      { root: this.list, rootMargin: "600px" });
    this.listen(signal);
    this.drawState();
  }

  toolParts() {
    return [element("div", { class: "mlab-bar" }, labelled(this.t.filter_cards, this.filter),
      labelled(this.t.modality_of_cards, this.modality), this.shown),
    element("div", { class: "mlab-bar" }, this.chooseShown,
      button(this.t.choose_no_series, () => { this.choice.clear(); this.drawChosen(); }),
      labelled(this.t.roi_pattern, this.pattern), button(this.t.choose_rois, () => this.choosePattern()))];
  }

  /** @param {AbortSignal} signal */
  listen(signal) {
    const changed = () => this.drawState();
    this.model.on("change:state", changed);
    this.filter.addEventListener("input", () => this.draw());
    this.modality.addEventListener("change", () => this.draw());
    this.pattern.addEventListener("keydown", (event) => { if (event.key === "Enter") this.choosePattern(); });
    this.talk.listen((content, buffers) => this.onPicture(content, buffers));
    signal.addEventListener("abort", () => {
      this.model.off("change:state", changed);
      this.watch.disconnect();
      this.groups.disconnect();
      clearTimeout(this.timer);
      this.forget();
    });
  }

  forget() {
    this.pictures.forEach((address) => URL.revokeObjectURL(address));
    this.pictures.clear();
    this.frames.clear();
    this.inSight.clear();
  }

  /** @param {string} name @param {Record<string, unknown>} [values] @returns {Promise<any>} null when it failed */
  async ask(name, values = {}) {
    try {
      return await this.talk.ask(name, values);
    } catch (fault) {
      this.say(/** @type {Error} */ (fault).message, true);
      return null;
    }
  }

  /** @param {string} words @param {boolean} [fault] */
  say(words, fault = false) {
    this.status.textContent = words;
    this.status.className = fault ? "mlab-fault" : "";
  }

  drawState() {
    const { state, name, task, done, total } = this.model.get("state");
    const running = state === "running";
    this.cancel.hidden = this.bar.hidden = !running;
    this.add.disabled = running;
    if (running) this.drawProgress(name, task, done, total);
    else if (state === undefined) this.say(this.t.scan_nothing_yet);
    else this.onEnd(name, state);
  }

  /** @param {string} name @param {string} task @param {number} done @param {number} total */
  drawProgress(name, task, done, total) {
    const doing = name === "scan" ? this.t.scanning : this.t.adding_images;
    this.say(`${doing} … ${task} ${total ? `${done} / ${total}` : done || ""}`);
    if (total) this.bar.value = done / total;
    else this.bar.removeAttribute("value");
    if (name === "scan") {
      this.tools.hidden = this.list.hidden = this.end.hidden = this.leftOut.hidden = true;
      this.summary.textContent = this.warning.textContent = "";
    }
    this.report.replaceChildren();
  }

  /** @param {string} name @param {string} state */
  async onEnd(name, state) {
    this.say(state === "cancelled" ? this.t.cancelled_work : "");
    const told = await this.ask("told");
    if (told?.fault) this.say(told.fault, true);
    this.report.replaceChildren(...(told?.report ?? []).map((/** @type {string} */ line) => element("li", {}, line)));
    if (name === "add" && state === "done") this.choice.clear();
    if (name === "add" || state === "done") await this.load();
  }

  /** The cards of the scan, in parts. */
  async load() {
    const first = await this.ask("cards", { start: 0 });
    if (first === null) return;
    /** @type {Card[]} */
    const cards = first.cards;
    while (cards.length < first.total) {
      const more = await this.ask("cards", { start: cards.length });
      if (!more?.cards.length) return;
      cards.push(...more.cards);
    }
    if (JSON.stringify(cards) !== JSON.stringify(this.cards)) this.choice.clear();
    this.cards = cards;
    this.listed = first.listed;
    this.warning.textContent = first.warning;
    this.forget();
    this.drawFound(first);
  }

  /** @param {{ left_out: string[], listed: string }} answer */
  drawFound(answer) {
    const modalities = [...new Set(this.cards.map((card) => card.modality))].sort();
    this.modality.replaceChildren(...[["", this.t.all_modalities], ...modalities.map((name) => [name, name])]
      .map(([value, label]) => element("option", { value }, label)));
    const rois = this.cards.reduce((sum, card) => sum + card.rois.length, 0);
    const patients = byPatient(this.cards).length;
    const some = this.cards.length > 0;
    this.summary.textContent = some ? fill(this.t.n_series_found, { series: this.cards.length, patients, rois })
      : this.listed;
    this.tools.hidden = this.list.hidden = !some;
    this.end.hidden = !some && !this.listed;
    this.leftOut.hidden = answer.left_out.length === 0;
    this.leftOut.replaceChildren(element("summary", {}, this.t.left_out_files),
      element("ul", {}, ...answer.left_out.map((line) => element("li", {}, line))));
    this.draw();
  }

  get filtered() {
    return fitting(this.cards, this.filter.value, this.modality.value);
  }

  draw() {
    const cards = this.filtered;
    this.watch.disconnect();
    this.groups.disconnect();
    this.frames.clear();
    this.inSight.clear();
    this.shown.textContent = fill(this.t.shown_cards, { n: cards.length, all: this.cards.length });
    this.chooseShown.textContent = fill(this.t.choose_shown, { n: cards.filter((card) => card.usable).length });
    this.list.replaceChildren(...byPatient(cards).map(([patient, own]) => this.group(patient, own)));
    this.drawChosen();
  }

  /**
   * A patient's cards; they are made when the group comes near what is in sight.
   *
   * @param {string} patient
   * @param {Card[]} cards
   */
  group(patient, cards) {
    const holder = element("div", { class: "mlab-card-row" });
    const lines = Math.ceil(cards.length / 3);
    holder.style.minHeight = `${lines * 150}px`;
    const made = element("section", { "aria-label": patient }, element("h4", {}, patient), holder);
    /** @type {any} */ (made).fillIn = () => {
      holder.style.minHeight = "";
      holder.append(...cards.map((card) => this.card(card)));
      this.drawChosen();
    };
    this.groups.observe(made);
    return made;
  }

  /** @param {IntersectionObserverEntry[]} entries */
  onGroups(entries) {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      this.groups.unobserve(target);
      /** @type {any} */ (target).fillIn();
    }
  }

  /** @param {Card} card */
  card(card) {
    const what = [card.modality, card.date, card.description].filter(Boolean).join(", ");
    const box = element("input", { type: "checkbox", disabled: !card.usable, "data-key": card.key,
      "aria-label": fill(this.t.choose_series, { what }) });
    box.addEventListener("change", () => { this.choice.set(card, box.checked); this.drawChosen(); });
    const frame = element("div", { class: "mlab-picture", "data-key": card.key });
    const made = element("div", { class: "mlab-card", role: "group", "aria-label": what, "data-key": card.key },
      this.frame(card, frame, what), element("div", { class: "mlab-card-words" },
        element("label", { class: "mlab-card-title" }, box, `${card.modality} ${card.date}`),
        ...this.facts(card), ...this.rois(card)));
    return made;
  }

  /** @param {Card} card @param {HTMLElement} frame @param {string} what */
  frame(card, frame, what) {
    frame.title = fill(this.t.picture_of, { what });
    this.frames.set(card.key, frame);
    const known = this.pictures.get(card.key);
    if (known !== undefined) this.place(frame, known);
    else if (card.picture) this.watch.observe(frame);
    else frame.textContent = this.t.picture_none;
    return frame;
  }

  /** @param {Card} card */
  facts(card) {
    const lines = [card.description, [fill(this.t.n_files, { n: card.files }), card.size].filter(Boolean).join(", ")];
    return [...lines.filter(Boolean).map((line) => element("div", { class: "mlab-muted", title: line }, line)),
      ...(card.problem ? [element("div", { class: "mlab-fault" }, card.problem)] : []),
      ...card.warnings.map((line) => element("div", { class: "mlab-fault" }, line))];
  }

  /** @param {Card} card */
  rois(card) {
    if (!card.rois.length) return card.picture ? [element("div", { class: "mlab-muted" }, this.t.no_rois)] : [];
    return card.rois.map((roi, place) => {
      const box = element("input", { type: "checkbox", disabled: !card.usable, "data-key": card.key, "data-roi": place });
      box.addEventListener("change", () => { this.choice.setRoi(card, place, box.checked); this.drawChosen(); });
      return element("label", { class: "mlab-roi" }, box, roi.name,
        ...(roi.problem ? [element("span", { class: "mlab-fault" }, ` ${roi.problem}`)] : []));
    });
  }

  drawChosen() {
    const cards = new Map(this.cards.map((card) => [card.key, card]));
    for (const box of /** @type {NodeListOf<HTMLInputElement>} */ (this.list.querySelectorAll("input[data-key]"))) {
      const card = cards.get(box.dataset.key ?? "");
      if (card) box.checked = box.dataset.roi === undefined ? this.choice.has(card)
        : this.choice.hasRoi(card, Number(box.dataset.roi));
    }
    this.add.textContent = this.listed ? this.t.add_all_listed : fill(this.t.add_series, { n: this.choice.size });
    this.add.disabled = this.model.get("state").state === "running" || (!this.listed && this.choice.size === 0);
  }

  chooseAllShown() {
    this.filtered.forEach((card) => this.choice.add(card));
    this.drawChosen();
  }

  async choosePattern() {
    const answer = await this.ask("match", { pattern: this.pattern.value });
    if (answer === null) return;
    this.say("");
    this.choice.replace(answer.rois);
    this.drawChosen();
  }

  async addChosen() {
    this.say("");
    await this.ask("add", { chosen: this.choice.asked(), key_file: this.keyFile.value });
  }

  // -- pictures -------------------------------------------------------------------------------------------------------

  /** @param {IntersectionObserverEntry[]} entries */
  onSight(entries) {
    for (const { target, isIntersecting } of entries) {
      const key = /** @type {HTMLElement} */ (target).dataset.key ?? "";
      if (isIntersecting) this.inSight.add(key);
      else this.inSight.delete(key);
    }
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.askForPictures(), SETTLE_MS);
  }

  askForPictures() {
    const keys = [...this.inSight].filter((key) => !this.pictures.has(key));
    if (keys.length) this.ask("pictures", { keys });
  }

  /** @param {any} content @param {DataView[]} buffers */
  onPicture(content, buffers) {
    const frame = this.frames.get(content.picture);
    if (!buffers.length) {
      this.pictures.set(content.picture, "");
      if (frame) frame.textContent = this.t.picture_none;
      return;
    }
    const bytes = /** @type {ArrayBuffer} */ (buffers[0].buffer).slice(buffers[0].byteOffset,
      buffers[0].byteOffset + buffers[0].byteLength);
    const address = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
    this.pictures.set(content.picture, address);
    if (frame) this.place(frame, address);
  }

  /** @param {HTMLElement} frame @param {string} address */
  place(frame, address) {
    if (address) frame.replaceChildren(element("img", { src: address, alt: frame.title }));
    else frame.textContent = this.t.picture_none;
  }
}

export default widget("mlab-scan", (...shown) => new Picker(...shown));
