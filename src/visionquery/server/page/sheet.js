/**
 * Where every picture of an answer lies, block by block. A block that is not loaded has the shape
 * of one that is, so that the scrollbar tells the truth long before the pictures are here.
 */

import { justify } from './layout.js';

/** @typedef {import('./layout.js').Layout} Layout */
/** @typedef {{left: number, top: number, width: number, height: number}} Place */

export const BLOCK = 100;

/** Browsers lose count beyond some 17 million pixels; what lies further is not laid out. */
const TALLEST = 16e6;
const HEADING = 92;
const GUESS = [1.5, 0.75, 1.33, 1.5, 1, 1.5, 1.33, 0.67, 1.5, 1.78];

export class Sheet {
  /** @type {(Float32Array|null)[]} */ #aspects = [];
  /** @type {(Layout|null)[]} */ #layouts = [];
  /** @type {Float64Array} */ #tops = new Float64Array(1);
  /** @type {Float32Array} */ #closest = new Float32Array(0);
  /** @type {Layout|null} */ #closestLayout = null;
  /** @type {Float32Array} */ #typical = Float32Array.from({ length: BLOCK }, (_, i) => GUESS[i % GUESS.length]);
  /** @type {Layout|null} */ #ghost = null;
  #firstWrong = 0;
  /** @type {import('./layout.js').Frame} */ #frame = { width: 1, target: 220, gap: 8 };
  count = 0;

  /**
   * Begin an answer of `total` pictures.
   *
   * @param {number} total
   */
  reset(total) {
    this.count = total;
    this.#aspects = Array(Math.ceil(total / BLOCK)).fill(null);
    this.#closest = new Float32Array(0);
    this.#forget();
    this.#cap();
  }

  /**
   * Lay everything out anew in another width.
   *
   * @param {{width: number, target: number, gap: number}} frame
   * @returns {boolean} whether anything changed
   */
  setFrame(frame) {
    const { width, target, gap } = this.#frame;
    if (frame.width === width && frame.target === target && frame.gap === gap) return false;
    this.#frame = { ...frame };
    this.#forget();
    return true;
  }

  /**
   * Say which shapes the pictures of a block have.
   *
   * @param {number} block
   * @param {Float32Array} aspects
   */
  setBlock(block, aspects) {
    if (aspects.length === BLOCK && !this.#aspects.some(Boolean)) {
      this.#typical = aspects;
      this.#forget();
    }
    this.#aspects[block] = aspects;
    this.#layouts[block] = null;
    this.#firstWrong = Math.min(this.#firstWrong, block);
  }

  /** @param {Float32Array} aspects of the pictures under the heading "Closest" */
  setClosest(aspects) {
    this.#closest = aspects;
    this.#closestLayout = null;
  }

  /** @param {number} index @returns {boolean} whether a place is where its picture will stay */
  isKnown(index) {
    return index >= this.count || Boolean(this.#aspects[Math.floor(index / BLOCK)]);
  }

  /** @returns {number} */
  get blocks() {
    return this.#aspects.length;
  }

  /** @returns {number} how many places there are, the closest included */
  get length() {
    return this.count + this.#closest.length;
  }

  /** @returns {number} */
  get height() {
    return this.headingTop + (this.#closest.length ? HEADING + this.#closestRows().height : 0);
  }

  /** @returns {number} where the heading of the closest lies */
  get headingTop() {
    return this.#top(this.blocks);
  }

  /** @param {number} index @returns {Place} */
  place(index) {
    const { layout, top, first } = this.#home(index);
    const inner = index - first;
    const row = rowOf(layout, inner);
    return { left: layout.left[inner], top: top + row.top, width: layout.width[inner], height: row.height };
  }

  /**
   * Return the stretch of pictures whose rows touch a stretch of height.
   *
   * @param {number} from
   * @param {number} to
   * @returns {[number, number]} the first, and the one after the last
   */
  between(from, to) {
    if (!this.length) return [0, 0];
    const start = this.#indexAt(from, false);
    return [start, Math.max(start, this.#indexAt(to, true))];
  }

  /**
   * Return the nearest picture in the row above or below another one.
   *
   * @param {number} index
   * @param {-1|1} step
   * @param {number} x the column to stay in
   * @returns {number}
   */
  inNextRow(index, step, x) {
    const { layout, first } = this.#home(index);
    const row = rowOf(layout, index - first);
    const edge = first + (step < 0 ? row.first - 1 : row.end);
    if (edge < 0 || edge >= this.length) return index;
    const next = this.#home(edge);
    const { first: from, end } = rowOf(next.layout, edge - next.first);
    let best = from;
    for (let i = from; i < end; i += 1) {
      if (this.#off(next.layout, i, x) < this.#off(next.layout, best, x)) best = i;
    }
    return next.first + best;
  }

  /** @param {Layout} layout @param {number} i @param {number} x */
  #off(layout, i, x) {
    return Math.abs(layout.left[i] + layout.width[i] / 2 - x);
  }

  /** @param {number} index @returns {{layout: Layout, top: number, first: number}} */
  #home(index) {
    if (index >= this.count && this.#closest.length) {
      return { layout: this.#closestRows(), top: this.headingTop + HEADING, first: this.count };
    }
    const block = Math.min(this.blocks - 1, Math.floor(index / BLOCK));
    return { layout: this.#layout(block), top: this.#top(block), first: block * BLOCK };
  }

  /** @param {number} y @param {boolean} after @returns {number} */
  #indexAt(y, after) {
    if (y >= this.headingTop && this.#closest.length) {
      return this.count + indexIn(this.#closestRows(), y - this.headingTop - HEADING, after);
    }
    if (!this.blocks) return 0;
    const block = this.#blockAt(y);
    return block * BLOCK + indexIn(this.#layout(block), y - this.#top(block), after);
  }

  /** @param {number} y @returns {number} */
  #blockAt(y) {
    this.#sum();
    let low = 0;
    let high = this.blocks - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#tops[middle] <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** @param {number} block @returns {Layout} */
  #layout(block) {
    return (this.#layouts[block] ??= this.#made(block));
  }

  /** @param {number} block @returns {Layout} */
  #made(block) {
    const isLast = block === this.blocks - 1;
    const own = this.#aspects[block];
    if (own) return justify(own, { ...this.#frame, ragged: isLast });
    const length = isLast ? this.count - block * BLOCK : BLOCK;
    if (length < BLOCK) return justify(this.#typical.subarray(0, length), { ...this.#frame, ragged: true });
    return (this.#ghost ??= justify(this.#typical, this.#frame));
  }

  #closestRows() {
    return (this.#closestLayout ??= justify(this.#closest, { ...this.#frame, ragged: true }));
  }

  /** @param {number} block @returns {number} */
  #top(block) {
    this.#sum();
    return this.#tops[block];
  }

  #sum() {
    for (let block = this.#firstWrong; block < this.blocks; block += 1) {
      this.#tops[block + 1] = this.#tops[block] + this.#layout(block).height;
    }
    this.#firstWrong = Infinity;
  }

  #forget() {
    this.#layouts = Array(this.blocks).fill(null);
    this.#tops = new Float64Array(this.blocks + 1);
    this.#closestLayout = null;
    this.#ghost = null;
    this.#firstWrong = 0;
  }

  #cap() {
    const most = Math.floor(TALLEST / justify(this.#typical, this.#frame).height);
    if (this.blocks <= most) return;
    this.#aspects.length = most;
    this.count = most * BLOCK;
    this.#forget();
  }
}

/** @param {Layout} layout @param {number} index @returns {import('./layout.js').Row} */
function rowOf({ rows }, index) {
  let low = 0;
  let high = rows.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (rows[middle].first <= index) low = middle;
    else high = middle - 1;
  }
  return rows[low];
}

/** @param {Layout} layout @param {number} y @param {boolean} after @returns {number} */
function indexIn({ rows }, y, after) {
  let found = rows[0];
  for (const row of rows) {
    if (row.top > y) break;
    found = row;
  }
  return after ? found.end : found.first;
}
