/** Values of volumes: arrays in the order (z, y, x), so that x runs fastest. */

/** @typedef {Int16Array|Uint8Array|Uint16Array|Float32Array} Values */
/**
 * A volume placed on the base's grid: its index = scale * base index + shift; value = stored * slope + intercept.
 * `coarse`: a thinned out preview, of which the nearest voxel serves everywhere. `flat`: data is one slice only.
 * @typedef {{data: Values, dtype: string, size: number[], scale: number[], shift: number[], slope: number,
 *   intercept: number, coarse?: boolean, flat?: boolean}} Layer
 */

/** @type {Record<string, {new (length: number): Values, BYTES_PER_ELEMENT: number}>} */
const ARRAYS = { int16: Int16Array, uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array };

/**
 * @param {string} dtype
 * @param {number} length
 * @returns {Values}
 */
export const emptyValues = (dtype, length) => new ARRAYS[dtype](length);

/**
 * Bytes that arrived, as values; copied, because they may lie anywhere in their buffer.
 * @param {string} dtype
 * @param {DataView} bytes
 * @returns {Values}
 */
export function valuesOf(dtype, bytes) {
  const values = emptyValues(dtype, Math.floor(bytes.byteLength / ARRAYS[dtype].BYTES_PER_ELEMENT));
  const source = new Uint8Array(bytes.buffer, bytes.byteOffset, values.byteLength);
  new Uint8Array(values.buffer).set(source);
  return values;
}

/**
 * Steps between neighbours along the three axes.
 * @param {number[]} size
 */
export const stridesOf = (size) => [1, size[0], size[0] * size[1]];

/**
 * One slice, row by row in rising order of its row axis.
 * @param {Values} data
 * @param {number[]} size
 * @param {{axis: number, column: number, row: number}} plane
 * @param {number} index
 * @param {Values} out at least columns * rows
 */
export function extractSlice(data, size, plane, index, out) {
  const strides = stridesOf(size);
  const [columns, rows] = [size[plane.column], size[plane.row]];
  const [stepColumn, stepRow] = [strides[plane.column], strides[plane.row]];
  let start = index * strides[plane.axis];
  for (let row = 0, at = 0; row < rows; row += 1, start += stepRow) {
    if (stepColumn === 1) {
      out.set(data.subarray(start, start + columns), at);
      at += columns;
    } else {
      for (let column = 0, from = start; column < columns; column += 1, from += stepColumn) out[at++] = data[from];
    }
  }
}

/** @typedef {Pick<Layer, "size"|"scale"|"shift"|"coarse">} Grid */

/**
 * The slice of a layer that a slice of the base shows; null outside.
 * @param {Grid} grid
 * @param {number} axis
 * @param {number} index
 */
export function layerSlice({ size, scale, shift, coarse }, axis, index) {
  const found = Math.round(scale[axis] * index + shift[axis]);
  if (coarse) return Math.min(size[axis] - 1, Math.max(0, found));
  return found >= 0 && found < size[axis] ? found : null;
}

/**
 * Where a base index falls in a layer's grid, to the nearest voxel; null outside.
 * @param {Grid} grid
 * @param {number[]} index
 * @returns {number[] | null}
 */
export function layerIndex(grid, index) {
  const found = index.map((value, axis) => layerSlice(grid, axis, value));
  return found.includes(null) ? null : /** @type {number[]} */ (found);
}

/**
 * Value at a base index; NaN outside.
 * @param {Layer} layer
 * @param {number[]} index
 */
export function valueAt(layer, index) {
  const found = layerIndex(layer, index);
  if (!found) return NaN;
  const strides = stridesOf(layer.size);
  const at = found[0] + found[1] * strides[1] + found[2] * strides[2];
  return layer.data[at] * layer.slope + layer.intercept;
}
