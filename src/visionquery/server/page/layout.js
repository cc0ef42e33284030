/**
 * The justified layout: rows of equal width whose heights are as near to the wanted one as the
 * pictures allow. Pure arithmetic, no document.
 */

/**
 * @typedef {object} Row
 * @property {number} top
 * @property {number} height
 * @property {number} first index in the block of its first picture
 * @property {number} end index after its last
 *
 * @typedef {object} Layout
 * @property {Row[]} rows
 * @property {number} height with a gap after the last row, so that blocks follow each other
 * @property {Int32Array} left by picture
 * @property {Int32Array} width by picture
 *
 * @typedef {object} Frame
 * @property {number} width
 * @property {number} target wanted height of a row
 * @property {number} gap
 * @property {boolean} [ragged] whether the last row may stay short, at the end of an answer
 */

const NARROWEST = 0.45;
const WIDEST = 3.2;
const LOWEST_ROW = 0.6;

/**
 * Return the shape that a picture has in the grid; strips are cut, lest they become threads.
 *
 * @param {{width: number, height: number}} picture
 * @returns {number} width over height
 */
export function aspectOf({ width, height }) {
  return width > 0 && height > 0 ? Math.min(WIDEST, Math.max(NARROWEST, width / height)) : 1;
}

/**
 * Lay pictures out in rows. The breaks are the best of all possible ones (a shortest path), not
 * the first that fit: a block ends in a full row without one row that sticks out.
 *
 * @param {ArrayLike<number>} aspects
 * @param {Frame} frame
 * @returns {Layout}
 */
export function justify(aspects, frame) {
  const ends = breaks(aspects, frame);
  const left = new Int32Array(aspects.length);
  const width = new Int32Array(aspects.length);
  /** @type {Row[]} */
  const rows = [];
  let top = 0;
  let first = 0;
  for (const end of ends) {
    const height = placeRow(aspects, { first, end, left, width, frame });
    rows.push({ top, height, first, end });
    top += height + frame.gap;
    first = end;
  }
  return { rows, height: top, left, width };
}

/**
 * @param {ArrayLike<number>} aspects
 * @param {Frame} frame
 * @returns {number[]} where each row ends
 */
function breaks(aspects, { width, target, gap, ragged = false }) {
  const count = aspects.length;
  const cost = new Float64Array(count + 1).fill(Infinity);
  const from = new Int32Array(count + 1);
  cost[0] = 0;
  for (let first = 0; first < count; first += 1) {
    let sum = 0;
    for (let last = first; last < count; last += 1) {
      sum += aspects[last];
      const height = (width - gap * (last - first)) / sum;
      if (last > first && height < target * LOWEST_ROW) break;
      const isShort = ragged && last === count - 1 && height > target;
      const here = cost[first] + (isShort ? 0 : Math.log(Math.max(1, height) / target) ** 2);
      if (here < cost[last + 1]) {
        cost[last + 1] = here;
        from[last + 1] = first;
      }
    }
  }
  const ends = [];
  for (let end = count; end > 0; end = from[end]) ends.push(end);
  return ends.reverse();
}

/**
 * Place the pictures of a row on whole pixels, so that edges are sharp and the row ends exactly
 * where the others do.
 *
 * @param {ArrayLike<number>} aspects
 * @param {{first: number, end: number, left: Int32Array, width: Int32Array, frame: Frame}} row
 * @returns {number} its height
 */
function placeRow(aspects, { first, end, left, width, frame }) {
  let sum = 0;
  for (let i = first; i < end; i += 1) sum += aspects[i];
  const full = (frame.width - frame.gap * (end - first - 1)) / sum;
  const isShort = Boolean(frame.ragged) && end === aspects.length && full > frame.target;
  const height = isShort ? frame.target : full;
  let x = 0;
  for (let i = first; i < end; i += 1) {
    const next = x + aspects[i] * height;
    left[i] = Math.round(x);
    width[i] = Math.round(next) - left[i];
    x = next + frame.gap;
  }
  return Math.round(height);
}
