import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";

import { numbersIn } from "../../widgets/slice_format.js";
import { barsPath } from "../../widgets/slice_histogram.js";
import { RemoteSlices } from "../../widgets/slice_remote.js";
import { Requests } from "../../widgets/slice_requests.js";
import { isJump, keptState, shownAxes, signatureOf, startState } from "../../widgets/slice_state.js";
import { Store } from "../../widgets/slice_store.js";

const MATRIX = [0.5, 0, 0, 1, 0, 1, 0, 2, 0, 0, 2, 3, 0, 0, 0, 1];
const BASE = { id: "base", name: "CT", modality: "CT", unit: "HU", size: [3, 4, 5], spacing: [0.5, 1, 2], matrix: MATRIX,
  dtype: "int16", window: [-160, 240], presets: [], colormap: "grey", range: [-1000, 1000] };
const PET = { ...BASE, id: "fusion", modality: "PT", opacity: 0.7, dtype: "float32" };
const ROI = { id: "roi-1", name: "tumour", colour: "#ff0000", box: [0, 1, 2, 2, 2, 2], volume: "", histogram: null };

/** A store of a kernel that answers when it is told to. */
function stored(traits = {}) {
  /** @type {Record<string, any>} */
  const values = { images: [BASE, PET], rois: [ROI], preview: new DataView(new ArrayBuffer(0)), ...traits };
  /** @type {Record<string, any>[]} */
  const sent = [];
  /** @type {string[]} */
  const changes = [];
  const send = (/** @type {Record<string, any>} */ message) => void sent.push(message);
  const model = /** @type {any} */ ({ get: (/** @type {string} */ key) => values[key] });
  const store = new Store(model, new Requests(send, () => 0), send, (what) => changes.push(what));
  return { store, sent, changes, values };
}
const chunk = (/** @type {number} */ offset, /** @type {ArrayLike<number>} */ values) =>
  /** @type {[import("../../widgets/slice_types.js").Message, DataView[]]} */ ([
    { type: "chunk", token: "me", image: "base", offset }, [new DataView(Int16Array.from(values).buffer)]]);

test("the state that is kept starts the next view", () => {
  const state = startState({}, [BASE, PET]);
  assert.deepEqual([state.index, state.overlay, state.crosshair], [[1, 2, 2], "", "full"]);
  Object.assign(state, { index: [2, 0, 4], overlay: "fusion", windows: { base: [0, 50] }, look: "both" });
  state.hidden = { "roi-1": true };
  state.zoom[1] = { zoom: 2, centre: [1, 2] };
  const again = startState(keptState(state, "me", 1), [BASE, PET]);
  assert.deepEqual(again, state);
});

test("an overlay that is gone is not chosen, an index outside is brought inside", () => {
  const state = startState({ overlay: "fusion", index: [9, -3, 1] }, [BASE]);
  assert.deepEqual([state.overlay, state.index], ["", [2, 0, 1]]);
});

test("Python's jumps are followed, what other views wrote is not", () => {
  const mine = { by: "me", stamp: 1 };
  assert.ok(isJump({ ...mine, index: [1, 1, 1] }, signatureOf(mine)));
  assert.ok(isJump({ index: [1, 1, 1] }, signatureOf(mine)));
  assert.ok(!isJump({ by: "other", stamp: 1, index: [1, 1, 1] }, signatureOf(mine)));
});

test("one plane where there is little room", () => {
  const state = startState({}, [BASE]);
  assert.deepEqual([shownAxes(state, false), shownAxes(state, true)], [[2, 1, 0], [2]]);
  assert.deepEqual(shownAxes({ ...state, maximised: 1 }, false), [1]);
});

test("a preview is shown until the volume is complete; each part is acknowledged", () => {
  const preview = new DataView(Int16Array.of(5, 6, 7, 8).buffer);
  const { store, sent, changes } = stored({ preview, preview_step: [2, 2, 4], preview_size: [1, 2, 2] });
  assert.equal(store.layerFor(BASE, 2, 1, [0, 1])?.coarse, true);
  store.receive(...chunk(0, new Array(30).fill(1)));
  assert.deepEqual([store.progress, store.layerFor(BASE, 2, 1, [0, 1])?.coarse], [0.5, true]);
  store.receive(...chunk(30, new Array(30).fill(2)));
  assert.deepEqual([store.progress, store.layerFor(BASE, 2, 1, [0, 1])?.data[59]], [null, 2]);
  assert.deepEqual(sent.map(({ type, received }) => [type, received]), [["volume", undefined], ["ack", 30], ["ack", 60]]);
  assert.ok(changes.includes("pixels"));
});

test("masks are asked for once, and again where the box is another", () => {
  const { store, sent, values } = stored();
  assert.deepEqual([store.maskOf(ROI), store.maskOf(ROI), sent.length], [null, null, 1]);
  store.receive({ type: "mask", token: "me", roi: "roi-1" }, [new DataView(Uint8Array.of(129).buffer)]);
  assert.deepEqual(store.maskOf(ROI), Uint8Array.of(129));
  values.rois = [{ ...ROI, box: [1, 1, 2, 2, 2, 2] }];
  assert.equal(store.maskOf(values.rois[0]), null);
});

test("volumes of overlays that are not shown are freed, those that changed too", () => {
  const { store, values } = stored();
  store.receive(...chunk(0, new Array(60).fill(1)));
  const bytes = new DataView(new Float32Array(60).buffer);
  store.receive({ type: "chunk", token: "me", image: "fusion", offset: 0 }, [bytes]);
  values.images = [BASE, { ...PET, name: "another" }];
  store.forgetChanged();
  assert.deepEqual([...store.layers.keys()], ["base"]);
  store.receive({ type: "chunk", token: "me", image: "fusion", offset: 0 }, [bytes]);
  store.keepOnly("other");
  assert.deepEqual([...store.layers.keys()], ["base"]);
});

test("slices from the kernel: one question an axis, another window is asked for but the slice is shown", async () => {
  /** @type {any[]} */
  const sent = [];
  const requests = new Requests((message) => void sent.push(message), () => 0);
  const remote = new RemoteSlices(requests, () => {}, async () => Uint8Array.of(1, 2, 3, 4, 5, 6));
  assert.equal(remote.get("base", 2, 7, [0, 100]), null);
  remote.get("base", 2, 8, [0, 100]);
  assert.equal(sent.length, 1);
  await remote.receive({ ...sent[0], width: 2, height: 3 }, new DataView(new ArrayBuffer(1)));
  assert.equal(remote.get("base", 2, 7, [0, 100])?.values.length, 6);
  assert.deepEqual(remote.get("base", 2, 7, [0, 50])?.window, [0, 100]);
  assert.deepEqual(sent.at(-1), { type: "slice", image: "base", axis: 2, index: 7, window: [0, 50] });
});

test("numbers in the person's language", () => {
  assert.equal(numbersIn("fr").mm(12.34), "12,3");
  assert.equal(numbersIn("en").value(-1000), "\u22121000");
  assert.equal(numbersIn("en").value(0.123456), "0.1235");
});

test("bars of a histogram: uneven widths, the highest fills the height", () => {
  assert.equal(barsPath({ edges: [0, 1, 4], counts: [1, 2] }, 100, 50), "M0 50V25H25V0H100V50Z");
});

test("every text that the modules use is in the catalogue, and every text is used", () => {
  const widgets = new URL("../../widgets/", import.meta.url);
  const code = readdirSync(widgets).filter((name) => /^slice_.*\.js$/.test(name))
    .map((name) => readFileSync(new URL(name, widgets), "utf-8")).join("\n");
  const texts = new URL("../../medomicslab_nb/views/texts/slice_viewer.yaml", import.meta.url);
  const catalogue = readFileSync(texts, "utf-8");
  const keys = new Set([...catalogue.matchAll(/^(slice_\w+):/gm)].map(([, key]) => key));
  const used = new Set([...code.matchAll(/\bt\.(slice_\w+)/g)].map(([, key]) => key));
  const families = { tool: ["position", "window", "pan", "ruler", "brush", "eraser"], cross: ["full", "thin", "hidden"],
    look: ["contour", "fill", "both"], map: ["grey", "inverse", "hot", "viridis", "diverging"] };
  for (const [family, names] of Object.entries(families)) names.forEach((name) => used.add(`slice_${family}_${name}`));
  for (const plane of ["axial", "coronal", "sagittal"]) used.add(`slice_${plane}`);
  assert.deepEqual([...used].sort(), [...keys].sort());
});
