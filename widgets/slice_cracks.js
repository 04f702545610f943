/** Outlines of a mask along the edges of its voxels. */

// Right, down, left, up: the inside always lies to the right of the way.
const STEP_X = [1, 0, -1, 0];
const STEP_Y = [0, 1, 0, -1];

/**
 * Ways out of every corner: bit d is set where an edge of the outline leaves in direction d.
 * @param {Uint8Array} mask rows of `width`
 * @param {number} width
 * @param {number} height
 */
function edgesOf(mask, width, height) {
  const corners = new Uint8Array((width + 1) * (height + 1));
  const next = width + 1;
  for (let y = 0, at = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1, at += 1) {
      if (!mask[at]) continue;
      const corner = y * next + x;
      if (y === 0 || !mask[at - width]) corners[corner] |= 1;
      if (x === width - 1 || !mask[at + 1]) corners[corner + 1] |= 2;
      if (y === height - 1 || !mask[at + width]) corners[corner + next + 1] |= 4;
      if (x === 0 || !mask[at - 1]) corners[corner + next] |= 8;
    }
  }
  return corners;
}

/** @param {number} ways */
const lowestBit = (ways) => 31 - Math.clz32(ways & -ways);

/**
 * Direction in which the way goes on: right first, so that voxels that touch at a corner only stay apart.
 * @param {number} ways
 * @param {number} came
 */
function turn(ways, came) {
  for (const change of [1, 0, 3]) {
    const direction = (came + change) % 4;
    if (ways & (1 << direction)) return direction;
  }
  return -1;
}

/**
 * Follows one outline and takes its edges away.
 * @param {Uint8Array} corners
 * @param {number} next corners in a row
 * @param {number} start
 * @param {number} first direction
 */
function follow(corners, next, start, first) {
  const loop = [];
  let at = start;
  let direction = first;
  let before = -1;
  while (direction >= 0 && corners[at] & (1 << direction)) {
    if (direction !== before) loop.push(at % next, Math.floor(at / next));
    corners[at] &= ~(1 << direction);
    at += STEP_X[direction] + STEP_Y[direction] * next;
    before = direction;
    direction = at === start && !(corners[at] & (1 << ((before + 1) % 4))) ? -1 : turn(corners[at], before);
  }
  return loop;
}

/**
 * Closed outlines of a mask, holes too. Corner (x, y) is the upper left one of voxel (x, y): its index minus a half.
 * @param {Uint8Array} mask rows of `width`
 * @param {number} width
 * @param {number} height
 * @returns {number[][]} corners of each outline: x, y, x, y ...
 */
export function traceOutlines(mask, width, height) {
  const corners = edgesOf(mask, width, height);
  const loops = [];
  for (let at = 0; at < corners.length; at += 1) {
    while (corners[at]) loops.push(follow(corners, width + 1, at, lowestBit(corners[at])));
  }
  return loops;
}
