/** The planes that are shown, side by side in one PNG file. */

/** @typedef {import("./slice_view.js").Viewer} Viewer */

const GAP = 4;

/** @param {Viewer} viewer */
export function composed(viewer) {
  const canvases = viewer.shown.map((axis) => viewer.views[axis].canvas);
  const canvas = document.createElement("canvas");
  canvas.width = canvases.reduce((sum, { width }) => sum + width, GAP * (canvases.length - 1));
  canvas.height = Math.max(...canvases.map(({ height }) => height));
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  context.fillRect(0, 0, canvas.width, canvas.height);
  let left = 0;
  for (const each of canvases) {
    context.drawImage(each, left, 0);
    left += each.width + GAP;
  }
  return canvas;
}

/** @param {Viewer} viewer */
export function saveScreenshot(viewer) {
  composed(viewer).toBlob((blob) => {
    if (!blob) return;
    const address = URL.createObjectURL(blob);
    const link = document.createElement("a");
    [link.href, link.download] = [address, "slice_viewer.png"];
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  }, "image/png");
}
