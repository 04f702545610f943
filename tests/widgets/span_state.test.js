import assert from "node:assert/strict";
import { test } from "node:test";

import { NoteState, editedStatus, fits, newId } from "../../widgets/span_state.js";

const sent = (/** @type {string} */ id, /** @type {number} */ start, /** @type {number} */ end, more = {}) => ({ id, attribute: "grade",
  start, end, value: "", unit: "", qualifier: "", context: [], rule: "r", status: "suggested", ...more });
const note = (/** @type {any[]} */ spans, /** @type {any[]} */ relations = []) => new NoteState({ place: 3, note: "N", date: "",
  language: "", text: "🙂🙂 grade 2 T2", stale: [], done: false, undo: false, redo: false, hits: [[3, 8]], spans, relations });
const answer = (more = {}) => ({ spans: {}, relations: {}, done: false, undo: true, redo: false, ...more });

test("spans come in code points, are used in units, and go back in code points", () => {
  const state = note([sent("a", 3, 8)]);
  const span = state.order[0];
  assert.deepEqual([span.start, span.end, state.wordsOf(span)], [5, 10, "grade"]);
  assert.deepEqual(state.hits, [[5, 10]]);
  assert.deepEqual([state.toSend(span).start, state.toSend(span).end], [3, 8]);
});

test("an act shows at once; an older answer does not overwrite a newer act", () => {
  const state = note([sent("a", 3, 8)]);
  const first = state.expect([{ ...state.order[0], status: "accepted" }], []);
  const second = state.expect([{ ...state.order[0], value: "2" }], []);
  state.confirm(answer({ spans: { a: sent("a", 3, 8, { status: "accepted" }) } }), first);
  assert.deepEqual([state.order[0].value, state.undo], ["2", false]);
  state.confirm(answer({ spans: { a: sent("a", 3, 8, { status: "accepted", value: "2" }) } }), second);
  assert.deepEqual([state.order[0].value, state.undo], ["2", true]);
  state.confirm(answer({ spans: { a: null, b: sent("b", 9, 10) } }), state.expect([], []));
  assert.deepEqual(state.order.map((span) => span.id), ["b"]);
});

test("relations go with a span that is taken away or rejected", () => {
  const state = note([sent("a", 3, 8), sent("b", 9, 10), sent("c", 11, 13)],
    [{ id: "1", kind: "of", source: "a", target: "b" }, { id: "2", kind: "of", source: "b", target: "c" }]);
  assert.equal(state.relationsOf("b").length, 2);
  state.expect([{ ...state.order[0], status: "rejected" }], []);
  assert.deepEqual([...state.relations.keys()], ["2"]);
  state.expect([], ["c"]);
  assert.equal(state.relations.size, 0);
});

test("next and previous go round, from the caret or from the active span, among those that fit", () => {
  const state = note([sent("a", 0, 1), sent("b", 3, 8, { status: "accepted" }), sent("c", 9, 10)]);
  const open = (/** @type {any} */ span) => span.status === "suggested";
  assert.equal(state.next(null, 3, 1, open)?.id, "c");
  assert.equal(state.next("c", 0, 1, open)?.id, "a");
  assert.equal(state.next("a", 0, -1, open)?.id, "c");
  assert.equal(state.next("a", 0, 1, () => true)?.id, "b");
  assert.equal(state.next("a", 0, 1, (span) => span.status === "edited"), null);
});

test("around a place the shortest span comes first", () => {
  const state = note([sent("long", 3, 10), sent("short", 3, 8)]);
  assert.deepEqual(state.around(6).map((span) => span.id), ["short", "long"]);
  assert.deepEqual(state.around(0), []);
});

test("filters look at label, status and context together", () => {
  const span = { ...sent("a", 0, 1), context: ["negated"] };
  const none = { attribute: "", status: "", context: "" };
  assert.ok(fits(span, none));
  assert.ok(fits(span, { attribute: "grade", status: "suggested", context: "negated" }));
  assert.ok(!fits(span, { ...none, context: "family" }));
});

test("who adds a span goes on owning it, identifiers are the store's kind", () => {
  assert.deepEqual(["added", "suggested", "accepted", "rejected"].map((status) => editedStatus({ ...sent("a", 0, 1), status })),
    ["added", "edited", "edited", "edited"]);
  assert.match(newId(), /^[0-9a-f]{16}$/);
});
