/** One picture of the grid. */

import { thumbnail } from './api.js';
import { h } from './dom.js';
import { boxInRoom, putBox } from './found.js';
import { fileName, partOf, percent, spokenName } from './format.js';
import { alikeTo } from './state.js';

/** @typedef {import('./types.js').Hit} Hit */

const SHARP_FROM = 400;
const SECONDS_TO_RETRY = 2;

/** @type {HTMLElement|undefined} */
let plain;
/** @type {HTMLElement|undefined} */
let dress;

/** @returns {HTMLElement} what all tiles are copies of: copying is far cheaper than making */
function plainTile() {
  return (plain ??= h(
    'div',
    { class: 'tile', role: 'listitem', 'data-testid': 'tile' },
    h(
      'a',
      { class: 'tile-open', tabindex: '-1', draggable: 'false' },
      h('img', { alt: '', decoding: 'async', draggable: 'false' }),
    ),
  ));
}

/** @returns {HTMLElement} what lies on a picture; a place that is raced past never gets it */
function dressing() {
  return (dress ??= h(
    'div',
    {},
    h('span', { class: 'tile-found', 'aria-hidden': 'true', 'data-testid': 'tile-found' }),
    h(
      'span',
      { class: 'tile-foot', 'aria-hidden': 'true' },
      h('span', { class: 'tile-name' }),
      h('span', { class: 'tile-percent' }),
    ),
    h('span', { class: 'tile-sure', 'aria-hidden': 'true' }, h('i')),
    h('button', { class: 'tile-tick', type: 'button', role: 'checkbox', tabindex: '-1', 'aria-checked': 'false' }),
    h('a', { class: 'tile-alike', tabindex: '-1', draggable: 'false', 'data-testid': 'alike' }),
  ));
}

export class Tile {
  /** @type {Hit|undefined} */ hit;
  /** @type {HTMLElement[]} */ #dress = [];
  #retried = false;
  #isSelected = false;
  stamp = -1;
  room = { width: 1, height: 1 };

  constructor() {
    this.element = /** @type {HTMLElement} */ (plainTile().cloneNode(true));
    this.link = /** @type {HTMLAnchorElement} */ (this.element.firstElementChild);
    this.image = /** @type {HTMLImageElement} */ (this.link.firstElementChild);
    this.image.addEventListener('load', () => this.element.classList.add('is-here'));
    this.image.addEventListener('error', () => this.#onError());
  }

  /**
   * Put the tile in its place.
   *
   * @param {number} index
   * @param {[number, number]} position in its list, and how long that is
   * @param {import('./sheet.js').Place} place
   */
  put(index, [position, setSize], { left, top, width, height }) {
    const { element } = this;
    element.style.left = `${left}px`;
    element.style.top = `${top}px`;
    element.style.width = `${width}px`;
    element.style.height = `${height}px`;
    element.dataset.index = String(index);
    element.setAttribute('aria-posinset', String(position + 1));
    element.setAttribute('aria-setsize', String(setSize));
    this.room = { width, height };
    if (this.#dress.length && this.hit) this.#outline(this.#dress[0], this.hit);
  }

  /**
   * Show a picture, or a quiet place where one will be.
   *
   * @param {Hit|undefined} hit
   * @param {{address: string, isClosest: boolean}} [how]
   */
  show(hit, { address, isClosest } = { address: '', isClosest: false }) {
    if (hit === this.hit && this.link.dataset.address === address) return;
    const isOther = hit?.image_id !== this.hit?.image_id;
    if (isOther) this.clear();
    this.hit = hit;
    this.element.classList.toggle('is-closest', isClosest);
    this.element.dataset.imageId = hit?.image_id ?? '';
    this.element.dataset.rank = String(hit?.rank ?? '');
    this.link.dataset.address = address;
    this.link.setAttribute('aria-label', hit ? spokenName(hit) : 'Loading');
    if (hit) this.link.href = address;
    else this.link.removeAttribute('href');
    if (hit) this.#label(hit);
  }

  /** Fetch the picture itself. */
  paint() {
    if (!this.hit || this.image.hasAttribute('src')) return;
    const sharp = Math.max(this.room.width, this.room.height) * devicePixelRatio > SHARP_FROM;
    this.image.src = thumbnail(this.hit.image_id, sharp ? 640 : 320);
    if (this.image.complete && this.image.naturalWidth) this.element.classList.add('is-here', 'is-at-once');
  }

  /** @param {boolean} isSelected */
  mark(isSelected) {
    if (isSelected === this.#isSelected) return;
    this.#isSelected = isSelected;
    this.element.classList.toggle('is-selected', isSelected);
    this.#dress[3]?.setAttribute('aria-checked', String(isSelected));
  }

  /** Forget the picture; without this a browser goes on fetching what nobody sees. */
  clear() {
    this.image.removeAttribute('src');
    this.element.classList.remove('is-here', 'is-at-once', 'is-gone');
    this.#retried = false;
    this.hit = undefined;
  }

  /** @param {Hit} hit */
  #label(hit) {
    if (!this.#dress.length) {
      this.#dress = /** @type {HTMLElement[]} */ ([...dressing().cloneNode(true).childNodes]);
      this.element.append(...this.#dress);
    }
    const [found, foot, sure, tick, alike] = this.#dress;
    const name = [fileName(hit.path), partOf(hit.fragment)].filter(Boolean).join(' ');
    const hasConfidence = hit.score !== null;
    /** @type {HTMLElement} */ (foot.firstElementChild).textContent = name;
    /** @type {HTMLElement} */ (foot.lastElementChild).textContent = hasConfidence ? percent(hit.confidence) : '';
    this.#outline(found, hit);
    sure.hidden = !hasConfidence;
    /** @type {HTMLElement} */ (sure.firstElementChild).style.width = `${Math.round(hit.confidence * 100)}%`;
    tick.setAttribute('aria-label', `Select ${name}`);
    alike.hidden = !hit.folded.length;
    alike.textContent = `+${hit.folded.length}`;
    alike.setAttribute('href', alikeTo(hit.image_id));
    alike.setAttribute('aria-label', `Show the ${hit.folded.length} alike`);
  }

  /** @param {HTMLElement} found @param {Hit} hit */
  #outline(found, hit) {
    const box = hit.box && boxInRoom(hit.box, hit, this.room);
    found.hidden = !box;
    if (box) putBox(found, box);
  }

  /** A server that has too much to do gets a second chance; a file that is gone stays gone. */
  #onError() {
    const { src } = this.image;
    if (!this.image.hasAttribute('src')) return;
    this.element.classList.add('is-gone');
    if (this.#retried) return;
    this.#retried = true;
    setTimeout(() => {
      if (this.image.src !== src || !this.element.isConnected) return;
      this.element.classList.remove('is-gone');
      this.image.src = src;
    }, SECONDS_TO_RETRY * 1000);
  }
}
