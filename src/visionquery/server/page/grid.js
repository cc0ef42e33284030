/**
 * The grid: of an answer of any length only the rows near the window are in the document. The
 * window scrolls, not a box in it, so that phones fold their address bar away.
 */

import { addressOf } from './state.js';
import { h } from './dom.js';
import { plural } from './format.js';
import { aspectOf } from './layout.js';
import { BLOCK, Sheet } from './sheet.js';
import { Tile } from './tile.js';

/** @typedef {import('./types.js').Hit} Hit */
/** @typedef {import('./blocks.js').Results} Results */
/** @typedef {{index: number, offset: number}} Anchor */

const SETTLE_MS = 80;
/** Windows per frame: from here on pictures are left out, and from there on blocks as well. */
const FAST = 0.35;
const SKIPPING = 1.2;
const LABEL_ROOM = 64;

export class Grid {
  /** @type {Map<number, Tile>} */ #tiles = new Map();
  /** @type {Results|null} */ #results = null;
  #sheet = new Sheet();
  #current = 0;
  #column = 0;
  #frame = 0;
  #settling = 0;
  #lastY = 0;
  /** Changes whenever tiles may have to move or to show another picture. */
  #stamp = 0;
  #isRushing = false;
  #heading = h(
    'h2',
    { class: 'closest-heading', id: 'closest', 'data-testid': 'closest-heading', hidden: true },
    'Closest, but probably not what you meant',
  );
  #matches = h('div', { role: 'list', 'aria-label': 'Pictures' });
  #closest = h('div', { role: 'list', 'aria-labelledby': 'closest' });

  /**
   * @param {HTMLElement} element
   * @param {object} with_
   * @param {import('./state.js').State} with_.state
   * @param {import('./selection.js').Selection} with_.selection
   * @param {() => number} with_.topBar height of the bar that covers the top
   */
  constructor(element, { state, selection, topBar }) {
    this.element = element;
    this.state = state;
    this.selection = selection;
    this.topBar = topBar;
    element.append(this.#matches, this.#heading, this.#closest);
    addEventListener('scroll', () => this.#schedule(), { passive: true });
    new ResizeObserver(() => this.#resize()).observe(element);
    element.addEventListener('focusin', (event) => this.#onFocus(event));
    selection.listen(() => this.#markAll());
    this.#resize();
  }

  /** @returns {Results|null} */
  get results() {
    return this.#results;
  }

  /** @returns {number} the picture that the keyboard is at */
  get current() {
    return this.#current;
  }

  /** @returns {Hit|undefined} */
  get currentHit() {
    return this.#results?.hit(this.#current);
  }

  /**
   * Show another answer, now: its first rows are in the document when this returns.
   *
   * @param {Results} results
   * @param {{keepPlace?: boolean}} [how] stay where the window is, after the library has changed
   */
  show(results, { keepPlace = false } = {}) {
    this.#results?.close();
    this.#results = results;
    results.listen((block) => this.#onBlock(block));
    this.#sheet.reset(results.total);
    this.#learn(0);
    if (!keepPlace) {
      this.#current = 0;
      if (scrollY > 0) scrollTo({ top: 0, behavior: 'instant' });
    }
    this.#recycle();
    this.#stamp += 1;
    this.render();
  }

  /** Bring the document in line with the window. */
  render() {
    this.#frame = 0;
    if (!this.#results) return;
    const top = this.#top();
    const height = innerHeight;
    const y = scrollY - top;
    const mayFetch = this.#noteSpeed(y, height);
    this.element.style.height = `${Math.ceil(this.#sheet.height)}px`;
    this.#placeHeading();
    const [first, end] = this.#sheet.between(y - height * 0.75, y + height * 1.75);
    this.#prune(first, end);
    this.#placeAll(first, end);
    if (mayFetch) this.#want(y, height);
  }

  /**
   * Return the tile of a picture, where it is in the document.
   *
   * @param {number} index
   * @returns {Tile|undefined}
   */
  tile(index) {
    return this.#tiles.get(index);
  }

  /**
   * Go to a picture: it is scrolled into sight, and gets the keyboard if wanted.
   *
   * @param {number} index
   * @param {{focus?: boolean, keepColumn?: boolean}} [how]
   */
  goTo(index, { focus = true, keepColumn = false } = {}) {
    if (!this.#results || !this.#sheet.length) return;
    const before = this.#tiles.get(this.#current);
    this.#current = Math.min(this.#sheet.length - 1, Math.max(0, index));
    const place = this.#sheet.place(this.#current);
    if (!keepColumn) this.#column = place.left + place.width / 2;
    this.#reveal(place);
    this.render();
    before?.link.setAttribute('tabindex', '-1');
    const tile = this.#tiles.get(this.#current);
    tile?.link.setAttribute('tabindex', '0');
    if (focus) tile?.link.focus({ preventScroll: true });
  }

  /**
   * Go a step as the arrow keys do: left and right in order, up and down to what lies there.
   *
   * @param {'left'|'right'|'up'|'down'|'home'|'end'|'pageup'|'pagedown'} step
   */
  step(step) {
    const last = this.#sheet.length - 1;
    /** @type {Record<string, number|undefined>} */
    const verticals = { up: -1, down: 1, pageup: -1, pagedown: 1 };
    const vertical = verticals[step];
    if (vertical) {
      let index = this.#current;
      const rows = step.startsWith('page') ? Math.max(1, Math.floor(innerHeight / 260)) : 1;
      for (let i = 0; i < rows; i += 1) {
        index = this.#sheet.inNextRow(index, vertical < 0 ? -1 : 1, this.#column);
      }
      this.goTo(index, { keepColumn: true });
    } else {
      /** @type {Record<string, number>} */
      const to = { left: this.#current - 1, right: this.#current + 1, home: 0, end: last };
      this.goTo(to[step]);
    }
  }

  /** @param {boolean} isStale whether what is shown answers an older question */
  setStale(isStale) {
    this.element.classList.toggle('is-stale', isStale);
  }

  #schedule() {
    this.#frame ||= requestAnimationFrame(() => this.render());
  }

  /** @returns {number} where the grid begins in the document */
  #top() {
    return this.element.getBoundingClientRect().top + scrollY;
  }

  #resize() {
    const anchor = this.#anchor();
    const { clientWidth: width } = this.element;
    const isPhone = width < 620;
    const target = isPhone ? 130 : width < 1000 ? 190 : width < 2200 ? 220 : 260;
    if (!width || !this.#sheet.setFrame({ width, target, gap: isPhone ? 6 : 8 })) return;
    this.#stamp += 1;
    this.#keep(anchor);
    this.render();
  }

  /**
   * While the window races past, pictures are left out; they come when it is slow again.
   *
   * @param {number} y
   * @param {number} height
   * @returns {boolean} whether to fetch blocks: not while whole windows are skipped, but after a
   *   jump, which stays where it is
   */
  #noteSpeed(y, height) {
    const windows = Math.abs(y - this.#lastY) / height;
    this.#lastY = y;
    if (windows < FAST) return true;
    const isFirst = !this.#isRushing;
    this.#isRushing = true;
    clearTimeout(this.#settling);
    this.#settling = setTimeout(() => {
      this.#isRushing = false;
      this.render();
    }, SETTLE_MS);
    return isFirst || windows < SKIPPING;
  }

  /** @param {number} y @param {number} height */
  #want(y, height) {
    const results = this.#results;
    const [first, end] = this.#sheet.between(y - height * 0.5, y + height * 1.5);
    const last = Math.floor(Math.max(first, end - 1) / BLOCK);
    const isEnd = end >= this.#sheet.count && this.#sheet.count === results?.total;
    const extra = isEnd && results.total > 0 && results.total % BLOCK === 0 ? 1 : 0;
    results?.want(Math.floor(first / BLOCK), Math.min(last, Math.max(0, this.#sheet.blocks - 1)) + extra);
  }

  /** Take tiles over that the new answer needs too, so that they do not flicker. */
  #recycle() {
    const old = new Map([...this.#tiles.values()].map((tile) => [tile.hit?.image_id, tile]));
    const focused = document.activeElement;
    this.#tiles.clear();
    const [first, end] = this.#sheet.between(scrollY - this.#top() - 1, scrollY + innerHeight * 1.75);
    for (let index = first; index < end; index += 1) {
      const id = this.#results?.hit(index)?.image_id;
      const tile = id && old.get(id);
      if (!tile) continue;
      old.delete(id);
      this.#tiles.set(index, tile);
      if (tile.element.contains(focused)) this.#current = index;
    }
    for (const tile of old.values()) this.#remove(tile);
  }

  /** @param {number} first @param {number} end */
  #prune(first, end) {
    for (const [index, tile] of this.#tiles) {
      const isNear = index >= first && index < end;
      if (isNear || (index < this.#sheet.length && tile.element.contains(document.activeElement))) continue;
      this.#tiles.delete(index);
      this.#remove(tile);
    }
  }

  /** @param {Tile} tile */
  #remove(tile) {
    tile.element.remove();
    tile.clear();
  }

  /** @param {number} first @param {number} end */
  #placeAll(first, end) {
    const hasCurrent = this.#current >= first && this.#current < end;
    const indexes = [...this.#tiles.keys()].filter((index) => index < first || index >= end);
    for (let index = first; index < end; index += 1) indexes.push(index);
    let list = this.#matches;
    let next = list.firstElementChild;
    for (const index of indexes.sort((a, b) => a - b)) {
      if (index >= this.#sheet.count && list === this.#matches) {
        list = this.#closest;
        next = list.firstElementChild;
      }
      const tile = this.#place(index);
      tile.link.setAttribute('tabindex', index === (hasCurrent ? this.#current : first) ? '0' : '-1');
      if (tile.element === next) next = next.nextElementSibling;
      else list.insertBefore(tile.element, next);
    }
  }

  /** @param {number} index @returns {Tile} */
  #place(index) {
    let tile = this.#tiles.get(index);
    if (!tile) {
      tile = new Tile();
      this.#tiles.set(index, tile);
    }
    if (tile.stamp !== this.#stamp) {
      const hit = this.#results?.hit(index);
      const isClosest = index >= this.#sheet.count;
      tile.stamp = this.#stamp;
      const { count, length } = this.#sheet;
      tile.put(index, isClosest ? [index - count, length - count] : [index, count], this.#sheet.place(index));
      tile.show(hit, { address: hit ? addressOf({ ...this.state.view, image: hit.image_id }) : '', isClosest });
      tile.mark(Boolean(hit && this.selection.has(hit.image_id)));
    }
    if (!this.#isRushing) tile.paint();
    return tile;
  }

  #placeHeading() {
    this.#heading.hidden = this.#closest.hidden = this.#sheet.length === this.#sheet.count;
    this.#matches.hidden = this.#sheet.count === 0;
    this.#heading.style.top = `${this.#sheet.headingTop}px`;
  }

  #markAll() {
    for (const tile of this.#tiles.values()) tile.mark(Boolean(tile.hit && this.selection.has(tile.hit.image_id)));
    this.element.classList.toggle('is-selecting', this.selection.size > 0);
  }

  /** @param {number} block */
  #onBlock(block) {
    const anchor = this.#anchor();
    this.#learn(block);
    this.#stamp += 1;
    this.#keep(anchor);
    this.render();
  }

  /** @param {number} block */
  #learn(block) {
    const hits = this.#results?.block(block);
    if (hits?.length && block < this.#sheet.blocks) this.#sheet.setBlock(block, Float32Array.from(hits, aspectOf));
    if (this.#results && this.#sheet.count === this.#results.total) {
      this.#sheet.setClosest(Float32Array.from(this.#results.closest, aspectOf));
    }
  }

  /**
   * Return what must not move: the first picture in sight, rather than a place where one will be.
   *
   * @returns {Anchor|null} null at the top, which stays the top
   */
  #anchor() {
    const y = scrollY - this.#top();
    if (!this.#results || y <= 0) return null;
    const [first, end] = this.#sheet.between(y + this.topBar(), y + innerHeight - 1);
    let index = first;
    while (index < end && !this.#sheet.isKnown(index)) index += 1;
    if (index === end) index = first;
    return { index, offset: this.#sheet.place(index).top - y };
  }

  /** @param {Anchor|null} anchor */
  #keep(anchor) {
    if (!anchor || anchor.index >= this.#sheet.length) return;
    this.element.style.height = `${Math.ceil(this.#sheet.height)}px`;
    const y = this.#sheet.place(anchor.index).top - anchor.offset + this.#top();
    if (Math.abs(y - scrollY) >= 1) scrollTo({ top: y, behavior: 'instant' });
    this.#lastY = scrollY - this.#top();
  }

  /** @param {import('./sheet.js').Place} place */
  #reveal({ top, height }) {
    const y = this.#top() + top;
    const above = y - this.topBar() - 12;
    const below = y + height + LABEL_ROOM - innerHeight;
    const to = this.#current === 0 ? 0 : scrollY > above ? above : scrollY < below ? below : scrollY;
    if (to !== scrollY) scrollTo({ top: to, behavior: 'instant' });
  }

  /** @param {FocusEvent} event */
  #onFocus(event) {
    const tile = event.target instanceof Element ? event.target.closest('.tile') : null;
    if (!(tile instanceof HTMLElement)) return;
    const index = Number(tile.dataset.index);
    if (index === this.#current) return;
    this.#tiles.get(this.#current)?.link.setAttribute('tabindex', '-1');
    this.#current = index;
    this.#tiles.get(index)?.link.setAttribute('tabindex', '0');
    const place = this.#sheet.place(index);
    this.#column = place.left + place.width / 2;
  }

  /** @returns {string} what is not laid out, for a line under the grid; "" where all is */
  get beyond() {
    const more = (this.#results?.total ?? 0) - this.#sheet.count;
    return more > 0 ? `${plural(more, 'picture')} more are not shown here: narrow the search to see them.` : '';
  }
}
