/**
 * Where voxels lie on the screen and in the patient.
 *
 * Index axes are x (to the patient's left), y (to the back), z (to the head); a voxel covers half a step on each side
 * of its centre. Screen positions are CSS pixels from the canvas's upper left corner, points are mm in LPS.
 */

/** @typedef {[number, number, number]} Triple */
/** @typedef {[number, number]} Pair */
/**
 * A plane across index axis `axis`: `column` and `row` are the index axes that run along its columns and rows.
 * @typedef {{axis: number, column: number, row: number, flip: boolean, name: "sagittal"|"coronal"|"axial"}} Plane
 */
/**
 * A plane on the screen: x = ox + column * sx, y = oy + row * sy (column and row are continuous indices).
 * @typedef {{pxPerMm: number, sx: number, sy: number, ox: number, oy: number}} Frame
 */

/** @type {Plane[]} in the order of their axes; radiological convention, so axial right is the patient's left. */
export const PLANES = [
  { axis: 0, column: 1, row: 2, flip: true, name: "sagittal" },
  { axis: 1, column: 0, row: 2, flip: true, name: "coronal" },
  { axis: 2, column: 0, row: 1, flip: false, name: "axial" },
];

const LETTERS = [["L", "R"], ["P", "A"], ["H", "F"]];
const SECOND_LETTER = 0.25;

/**
 * Unit vector along an index axis, LPS.
 * @param {number[]} matrix 16 numbers, row by row
 * @param {number} axis
 * @returns {Triple}
 */
export function direction(matrix, axis) {
  const [x, y, z] = [matrix[axis], matrix[4 + axis], matrix[8 + axis]];
  const length = Math.hypot(x, y, z) || 1;
  return [x / length, y / length, z / length];
}

/**
 * Letters of a direction in the patient: the main one, and a second one where the direction is oblique.
 * @param {number[]} vector
 */
export function letters(vector) {
  const parts = vector.map((value, k) => ({ size: Math.abs(value), letter: LETTERS[k][value > 0 ? 0 : 1] }));
  parts.sort((a, b) => b.size - a.size);
  return parts[0].letter + (parts[1].size > SECOND_LETTER ? parts[1].letter : "");
}

/**
 * Letters at the four edges of a plane.
 * @param {number[]} matrix
 * @param {Plane} plane
 */
export function edgeLetters(matrix, plane) {
  const right = direction(matrix, plane.column);
  const along = direction(matrix, plane.row);
  const down = plane.flip ? along.map((value) => -value) : along;
  const opposite = (/** @type {number[]} */ vector) => letters(vector.map((value) => -value));
  return { left: opposite(right), right: letters(right), top: opposite(down), bottom: letters(down) };
}

/**
 * The plane on a canvas: the whole plane fits at zoom 1, `centre` (column, row) lies in the canvas's middle.
 * @param {Plane} plane
 * @param {number[]} size
 * @param {number[]} spacing
 * @param {{width: number, height: number, zoom: number, centre: number[]}} shown
 * @returns {Frame}
 */
export function frameOf(plane, size, spacing, { width, height, zoom, centre }) {
  const wide = size[plane.column] * spacing[plane.column];
  const tall = size[plane.row] * spacing[plane.row];
  const pxPerMm = Math.max(1e-6, Math.min(width / wide, height / tall)) * zoom;
  const sx = pxPerMm * spacing[plane.column];
  const sy = pxPerMm * spacing[plane.row] * (plane.flip ? -1 : 1);
  return { pxPerMm, sx, sy, ox: width / 2 - centre[0] * sx, oy: height / 2 - centre[1] * sy };
}

/**
 * @param {Frame} frame
 * @param {number} column
 * @param {number} row
 * @returns {Pair}
 */
export const toScreen = (frame, column, row) => [frame.ox + column * frame.sx, frame.oy + row * frame.sy];

/**
 * Continuous column and row under a position on the screen.
 * @param {Frame} frame
 * @param {number} x
 * @param {number} y
 * @returns {Pair}
 */
export const toPlane = (frame, x, y) => [(x - frame.ox) / frame.sx, (y - frame.oy) / frame.sy];

/**
 * Where a plane is centred so that the whole of it is shown.
 * @param {Plane} plane
 * @param {number[]} size
 * @returns {Pair}
 */
export const middle = (plane, size) => [(size[plane.column] - 1) / 2, (size[plane.row] - 1) / 2];

/**
 * Centre after a zoom that leaves what is under (x, y) where it is.
 * @param {Frame} frame
 * @param {number[]} centre
 * @param {number} factor
 * @param {Pair} at
 * @returns {Pair}
 */
export function zoomedCentre(frame, centre, factor, at) {
  const held = toPlane(frame, at[0], at[1]);
  return [held[0] + (centre[0] - held[0]) / factor, held[1] + (centre[1] - held[1]) / factor];
}

/**
 * Continuous index (x, y, z) of a position in a plane.
 * @param {Plane} plane
 * @param {number} slice
 * @param {number[]} position column and row
 * @returns {Triple}
 */
export function indexAt(plane, slice, position) {
  const index = /** @type {Triple} */ ([0, 0, 0]);
  index[plane.axis] = slice;
  index[plane.column] = position[0];
  index[plane.row] = position[1];
  return index;
}

/**
 * The nearest voxel inside the grid.
 * @param {number[]} index
 * @param {number[]} size
 * @returns {Triple}
 */
export function clampIndex(index, size) {
  const clamped = index.map((value, k) => Math.min(size[k] - 1, Math.max(0, Math.round(value) || 0)));
  return /** @type {Triple} */ (clamped);
}

/**
 * @param {number[]} index
 * @param {number[]} size
 */
export const isInside = (index, size) => index.every((value, k) => value >= -0.5 && value < size[k] - 0.5);

/**
 * Point in mm of a continuous index.
 * @param {number[]} matrix
 * @param {number[]} index
 * @returns {Triple}
 */
export function toPoint(matrix, index) {
  const row = (/** @type {number} */ k) =>
    matrix[k] * index[0] + matrix[k + 1] * index[1] + matrix[k + 2] * index[2] + matrix[k + 3];
  return [row(0), row(4), row(8)];
}

/**
 * How another image's index follows from the base's: index = scale * base index + shift, axis by axis.
 * @param {{matrix: number[], spacing: number[]}} base
 * @param {{matrix: number[], spacing: number[]}} other its axes are parallel to the base's
 * @returns {{scale: Triple, shift: Triple}}
 */
export function relationTo(base, other) {
  const apart = [3, 7, 11].map((k) => base.matrix[k] - other.matrix[k]);
  const along = [0, 1, 2].map((axis) => {
    const unit = direction(other.matrix, axis);
    return unit[0] * apart[0] + unit[1] * apart[1] + unit[2] * apart[2];
  });
  return {
    scale: /** @type {Triple} */ (base.spacing.map((step, k) => step / other.spacing[k])),
    shift: /** @type {Triple} */ (along.map((mm, k) => mm / other.spacing[k])),
  };
}

/**
 * Length in mm between two continuous indices.
 * @param {number[]} from
 * @param {number[]} to
 * @param {number[]} spacing
 */
export const distance = (from, to, spacing) => Math.hypot(...spacing.map((step, k) => (to[k] - from[k]) * step));

/**
 * The longest of 1, 2, 5, 10 ... that is not above a length: what a scale bar shows.
 * @param {number} longest in mm
 */
export function roundLength(longest) {
  const power = 10 ** Math.floor(Math.log10(Math.max(longest, 1e-6)));
  const digit = longest / power;
  return (digit >= 5 ? 5 : digit >= 2 ? 2 : 1) * power;
}
