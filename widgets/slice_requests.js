/** Questions to the kernel: asked again, ever more rarely, while it is busy. */

const FIRST_WAIT = 8000;
const LONGEST_WAIT = 60000;
const MOST_TRIES = 12;

/** @typedef {{message: Record<string, unknown>, due: number, wait: number, tries: number}} Question */

export class Requests {
  /**
   * @param {(message: Record<string, unknown>) => void} send
   * @param {() => number} now milliseconds
   */
  constructor(send, now) {
    this.send = send;
    this.now = now;
    /** @type {Map<string, Question>} */
    this.open = new Map();
  }

  /**
   * Asks once; the same question is not asked twice while it is open.
   * @param {string} key
   * @param {Record<string, unknown>} message
   */
  ask(key, message) {
    if (this.open.has(key)) return;
    this.open.set(key, { message, due: this.now() + FIRST_WAIT, wait: FIRST_WAIT, tries: 1 });
    this.send(message);
  }

  /**
   * A part of the answer came: the rest gets time.
   * @param {string} key
   */
  touch(key) {
    const question = this.open.get(key);
    if (question) Object.assign(question, { wait: FIRST_WAIT, due: this.now() + FIRST_WAIT });
  }

  /**
   * The answer is complete.
   * @param {string} key
   * @returns {boolean} the question was open
   */
  settle(key) {
    return this.open.delete(key);
  }

  /** @param {string} key */
  isOpen(key) {
    return this.open.has(key);
  }

  /** Asks again what is overdue; to be called every second or so. */
  tick() {
    const now = this.now();
    for (const [key, question] of this.open) {
      if (question.due > now) continue;
      question.tries += 1;
      question.wait = Math.min(LONGEST_WAIT, question.wait * 2);
      question.due = now + question.wait;
      if (question.tries > MOST_TRIES) this.open.delete(key);
      else this.send(question.message);
    }
  }
}
