/** Acts on their way to the kernel: shown at once, confirmed when they are on the disk. */
import { element, fill } from "./elements.js";

const SILENT_MS = 8000;

/** @typedef {import("./span_runs.js").Span} Span */
/**
 * @typedef {{ tell: (name: string, values: Record<string, unknown>) => Promise<any>, shown: () => void,
 *   silent: () => void }} Told
 */

export class Saving {
  /** @param {Record<string, string>} t @param {Told} told */
  constructor(t, told) {
    this.t = t;
    this.told = told;
    this.root = element("span", { class: "mlab-span-saved", role: "status" });
    /** How many acts were not confirmed yet. */
    this.waiting = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.silence = undefined;
  }

  /**
   * @param {import("./span_state.js").NoteState} state
   * @param {string} name
   * @param {Record<string, any>} values
   * @param {Span[]} put spans as they will be
   * @param {string[]} removed
   * @returns {Promise<any>} what was stored; null when it was refused
   */
  async act(state, name, values, put, removed) {
    const touched = state.expect(put, removed);
    this.told.shown();
    const sent = values.spans ? { ...values, spans: values.spans.map((/** @type {Span} */ span) => state.toSend(span)) }
      : values;
    this.count(1);
    const answer = await this.told.tell("act", { place: state.place, do: name, ...sent });
    this.count(-1, answer?.saved);
    if (answer) state.confirm(answer, touched);
    return answer;
  }

  /** @param {number} more @param {string} [saved] time of day */
  count(more, saved) {
    this.waiting += more;
    clearTimeout(this.silence);
    if (this.waiting > 0) this.silence = setTimeout(this.told.silent, SILENT_MS);
    this.root.classList.toggle("mlab-span-waiting", this.waiting > 0);
    if (this.waiting > 0) this.root.textContent = fill(this.t.annotator_saving, { n: this.waiting });
    else this.root.textContent = saved ? fill(this.t.annotator_saved, { time: saved }) : this.t.annotator_not_saved;
  }
}
