/**
 * Questions to the kernel and their answers, as custom messages: for what must not stand in a widget's state.
 * The other side is views/answers.py.
 */

/** @typedef {(name: string, values?: Record<string, unknown>) => Promise<any>} Ask */
/** @typedef {{ ask: Ask, token: string, listen: (heard: (content: any, buffers: DataView[]) => void) => void }} Talk */

/**
 * A way to ask the kernel. Every tab that shows the widget hears every answer; a token tells whose it is.
 *
 * @param {import("@anywidget/types").AnyModel} model
 * @param {AbortSignal} [signal] ends it
 * @returns {Talk}
 */
export function talk(model, signal) {
  const token = Math.random().toString(36).slice(2);
  /** @type {Map<number, { resolve: (answer: any) => void, reject: (fault: Error) => void }>} */
  const waiting = new Map();
  /** @type {((content: any, buffers: DataView[]) => void)[]} */
  const listeners = [];
  let last = 0;

  /** @param {any} content @param {DataView[]} buffers */
  function hear(content, buffers) {
    if (content?.token !== token) return;
    const one = waiting.get(content.number);
    if (one === undefined) {
      listeners.forEach((heard) => heard(content, buffers));
      return;
    }
    waiting.delete(content.number);
    if (content.fault !== undefined) one.reject(new Error(content.fault));
    else one.resolve(content.answer);
  }

  model.on("msg:custom", hear);
  signal?.addEventListener("abort", () => model.off("msg:custom", hear));
  return {
    token,
    ask: (name, values = {}) => new Promise((resolve, reject) => {
      last += 1;
      waiting.set(last, { resolve, reject });
      model.send({ ...values, ask: name, token, number: last });
    }),
    listen: (heard) => { listeners.push(heard); },
  };
}
