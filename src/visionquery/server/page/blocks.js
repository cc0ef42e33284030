/**
 * An answer that may be longer than memory: its blocks are fetched when they are looked at, given
 * up when they are scrolled past, and let go when they are far away.
 */

import { ApiError, isAbort } from './api.js';
import { BLOCK } from './sheet.js';

/** @typedef {import('./types.js').Answer} Answer */
/** @typedef {import('./types.js').Hit} Hit */
/** @typedef {(offset: number, signal: AbortSignal) => Promise<Answer>} FetchPage */

const KEPT = 60;
const SHOWN_CLOSEST = 24;
const LONGEST_WAIT = 30;

export class Results {
  /** @type {Map<number, Hit[]>} */ #blocks = new Map();
  /** @type {Map<number, {gone: AbortController, done: Promise<void>, isHeld: boolean}>} */ #loading = new Map();
  /** @type {FetchPage} */ #fetchPage;
  /** @type {(block: number) => void} */ #onBlock = () => {};
  /** @type {[number, number]} */ #wanted = [0, 0];
  #isOver = false;
  /** @type {Hit[]} */ closest = [];

  /**
   * @param {Answer} answer with the first block
   * @param {FetchPage} fetchPage
   */
  constructor(answer, fetchPage) {
    this.answer = answer;
    /** How many tiles the pictures make: those that stand behind others have none. */
    this.total = answer.total - answer.folded_away;
    this.#fetchPage = fetchPage;
    this.#take(0, answer);
  }

  /** @param {(block: number) => void} onBlock called whenever one more block is here */
  listen(onBlock) {
    this.#onBlock = onBlock;
  }

  /** @returns {number} all pictures, the closest included */
  get length() {
    return this.total + this.closest.length;
  }

  /** @param {number} index @returns {Hit|undefined} */
  hit(index) {
    if (index >= this.total) return this.closest[index - this.total];
    return this.#blocks.get(Math.floor(index / BLOCK))?.[index % BLOCK];
  }

  /** @param {number} block @returns {Hit[]|undefined} */
  block(block) {
    return this.#blocks.get(block);
  }

  /**
   * Find a picture among those that are here.
   *
   * @param {string} id
   * @returns {number} its index, -1 where it is not
   */
  indexOf(id) {
    for (const [block, hits] of this.#blocks) {
      const place = hits.findIndex((hit) => hit.image_id === id);
      if (place >= 0) return block * BLOCK + place;
    }
    const place = this.closest.findIndex((hit) => hit.image_id === id);
    return place < 0 ? -1 : this.total + place;
  }

  /**
   * Say which blocks are looked at: they are fetched, and requests for others are given up.
   *
   * @param {number} first
   * @param {number} last
   */
  want(first, last) {
    this.#wanted = [first, last];
    for (const [block, { gone, isHeld }] of this.#loading) {
      if (!isHeld && (block < first || block > last)) gone.abort();
    }
    for (let block = first; block <= last; block += 1) this.#fetch(block, false);
    this.#letGo();
  }

  /**
   * Return a picture that may have to be fetched first.
   *
   * @param {number} index
   * @returns {Promise<Hit|undefined>} undefined where there is none, or it cannot be had
   */
  async load(index) {
    if (index < 0 || index >= this.length) return undefined;
    if (!this.hit(index)) await this.#fetch(Math.floor(index / BLOCK), true);
    return this.hit(index);
  }

  /** Give up whatever is under way. */
  close() {
    this.#isOver = true;
    for (const { gone } of this.#loading.values()) gone.abort();
  }

  /** @param {number} block @param {boolean} isHeld @returns {Promise<void>} */
  #fetch(block, isHeld) {
    const known = this.#loading.get(block);
    if (known && !known.gone.signal.aborted) {
      known.isHeld ||= isHeld;
      return known.done;
    }
    // The block after the last one holds nothing but the closest, where total is a round number.
    if (this.#blocks.has(block) || block * BLOCK > this.total || this.#isOver) return Promise.resolve();
    const gone = new AbortController();
    const entry = { gone, isHeld, done: Promise.resolve() };
    this.#loading.set(block, entry);
    entry.done = this.#ask(block, gone.signal).finally(() => {
      if (this.#loading.get(block) === entry) this.#loading.delete(block);
    });
    return entry.done;
  }

  /** @param {number} block @param {AbortSignal} signal */
  async #ask(block, signal) {
    for (let wait = 1; !signal.aborted; wait = Math.min(LONGEST_WAIT, wait * 2)) {
      try {
        this.#take(block, await this.#fetchPage(block * BLOCK, signal));
        this.#onBlock(block);
        return;
      } catch (error) {
        if (isAbort(error)) return;
        if (!(error instanceof ApiError && error.isPassing)) throw error;
        await pause(Math.max(wait, error.retryAfter), signal);
      }
    }
  }

  /** @param {number} block @param {Answer} page */
  #take(block, page) {
    this.#blocks.set(block, page.results);
    if (page.closest.length && (block + 1) * BLOCK >= this.total) {
      this.closest = page.closest.slice(0, SHOWN_CLOSEST);
    }
  }

  #letGo() {
    if (this.#blocks.size <= KEPT) return;
    const [first, last] = this.#wanted;
    /** @param {number} block */
    const distance = (block) => Math.max(first - block, block - last, 0);
    const far = [...this.#blocks.keys()].sort((a, b) => distance(b) - distance(a));
    for (const block of far.slice(0, this.#blocks.size - KEPT)) this.#blocks.delete(block);
  }
}

/** @param {number} seconds @param {AbortSignal} signal @returns {Promise<void>} */
function pause(seconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
