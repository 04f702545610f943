/** Draws a plane: image, overlay, masks, crosshair, letters, scale bar, measurements. */

import { roundLength, toScreen } from "./slice_geometry.js";

/** @typedef {import("./slice_geometry.js").Frame} Frame */
/** @typedef {import("./slice_picture.js").SlicePicture} SlicePicture */
/** @typedef {{path: Path2D, colour: string}} Drawn */
/** @typedef {{from: number[], to: number[], text: string}} Line positions are column and row */
/**
 * @typedef {{
 *   frame: Frame, width: number, height: number, ratio: number, smooth: boolean,
 *   base: SlicePicture | null, overlay: SlicePicture | null, opacity: number,
 *   masks: Drawn[], look: string, fill: number,
 *   crosshair: string, position: number[], letters: {left: string, right: string, top: string, bottom: string},
 *   caption: string, note: string, lines: Line[], brush: {at: number[], radius: number} | null,
 *   barText: (mm: number) => string,
 * }} Scene
 */

const CONTOUR_WIDTH = 1.5;
const CROSS = "#ffe066";
const RULER = "#7ce8ff";
const GAP = 9;

/**
 * @param {CanvasRenderingContext2D} context of a canvas of `width` x `height` CSS pixels, `ratio` device pixels each
 * @param {Scene} scene
 */
export function drawPlane(context, scene) {
  const { ratio } = scene;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.fillStyle = "#000";
  context.fillRect(0, 0, scene.width * ratio, scene.height * ratio);
  if (scene.base) drawPicture(context, scene, scene.base, 1);
  if (scene.overlay) drawPicture(context, scene, scene.overlay, scene.opacity);
  for (const mask of scene.masks) drawMask(context, scene, mask);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  drawCrosshair(context, scene);
  for (const line of scene.lines) drawLine(context, scene.frame, line);
  if (scene.brush) drawBrush(context, scene.frame, scene.brush);
  drawTexts(context, scene);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {SlicePicture} picture
 * @param {number} opacity
 */
function drawPicture(context, { frame, ratio, smooth }, picture, opacity) {
  const { sx, sy, ox, oy } = frame;
  const [left, top, width, height] = picture.extent;
  context.setTransform(sx * ratio, 0, 0, sy * ratio, ox * ratio, oy * ratio);
  context.imageSmoothingEnabled = smooth;
  context.globalAlpha = opacity;
  context.drawImage(picture.canvas, left, top, width, height);
  context.globalAlpha = 1;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 * @param {Drawn} mask
 */
function drawMask(context, { frame, ratio, look, fill }, { path, colour }) {
  const { sx, sy, ox, oy } = frame;
  const placed = new Path2D();
  placed.addPath(path, new DOMMatrix([sx * ratio, 0, 0, sy * ratio, ox * ratio, oy * ratio]));
  context.setTransform(1, 0, 0, 1, 0, 0);
  if (look !== "contour") {
    context.globalAlpha = fill;
    context.fillStyle = colour;
    context.fill(placed, "evenodd");
    context.globalAlpha = 1;
  }
  if (look !== "fill") {
    context.strokeStyle = colour;
    context.lineWidth = CONTOUR_WIDTH * ratio;
    context.lineJoin = "miter";
    context.stroke(placed);
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 */
function drawCrosshair(context, { frame, crosshair, position, width, height }) {
  if (crosshair === "hidden") return;
  const [x, y] = toScreen(frame, position[0], position[1]).map((at) => Math.round(at) + 0.5);
  const gap = crosshair === "thin" ? GAP : 0;
  context.beginPath();
  const arms = [[0, y, x - gap, y], [x + gap, y, width, y], [x, 0, x, y - gap], [x, y + gap, x, height]];
  for (const [x0, y0, x1, y1] of arms) {
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
  }
  context.strokeStyle = CROSS;
  context.globalAlpha = crosshair === "thin" ? 0.5 : 0.9;
  context.lineWidth = crosshair === "thin" ? 0.5 : 1;
  context.stroke();
  context.globalAlpha = 1;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {Line} line
 */
function drawLine(context, frame, { from, to, text }) {
  const [a, b] = [toScreen(frame, from[0], from[1]), toScreen(frame, to[0], to[1])];
  for (const [colour, width] of /** @type {[string, number][]} */ ([["#000", 3], [RULER, 1.5]])) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(a[0], a[1]);
    context.lineTo(b[0], b[1]);
    for (const [x, y] of [a, b]) {
      context.moveTo(x + 3, y);
      context.arc(x, y, 3, 0, 2 * Math.PI);
    }
    context.stroke();
  }
  write(context, text, b[0] + 7, b[1] - 7, "left", RULER);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Frame} frame
 * @param {{at: number[], radius: number}} brush
 */
function drawBrush(context, frame, { at, radius }) {
  const [x, y] = toScreen(frame, at[0], at[1]);
  context.lineWidth = 1;
  for (const [colour, grow] of /** @type {[string, number][]} */ ([["#000", 1], ["#fff", 0]])) {
    context.strokeStyle = colour;
    context.beginPath();
    context.arc(x, y, radius * frame.pxPerMm + grow, 0, 2 * Math.PI);
    context.stroke();
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 */
function drawTexts(context, scene) {
  const { width, height, letters, caption, note } = scene;
  context.font = "600 14px system-ui, sans-serif";
  write(context, letters.left, 6, height / 2, "left");
  write(context, letters.right, width - 6, height / 2, "right");
  write(context, letters.top, width / 2, 12, "center");
  write(context, letters.bottom, width / 2, height - 12, "center");
  context.font = "12px system-ui, sans-serif";
  write(context, caption, 6, 12, "left");
  write(context, note, width - 6, height - 12, "right");
  drawScaleBar(context, scene);
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {Scene} scene
 */
function drawScaleBar(context, { frame, width, height, barText }) {
  const mm = roundLength((width * 0.25) / frame.pxPerMm);
  const length = mm * frame.pxPerMm;
  context.fillStyle = "#000";
  context.fillRect(5, height - 11, length + 2, 5);
  context.fillStyle = "#fff";
  context.fillRect(6, height - 10, length, 3);
  write(context, barText(mm), 6, height - 20, "left");
}

/**
 * White (or coloured) text with a dark halo.
 * @param {CanvasRenderingContext2D} context
 * @param {string} text
 * @param {number} x
 * @param {number} y
 * @param {CanvasTextAlign} align
 * @param {string} [colour]
 */
function write(context, text, x, y, align, colour = "#fff") {
  context.textAlign = align;
  context.textBaseline = "middle";
  context.lineJoin = "round";
  context.lineWidth = 3;
  context.strokeStyle = "rgba(0, 0, 0, 0.85)";
  context.strokeText(text, x, y);
  context.fillStyle = colour;
  context.fillText(text, x, y);
}
