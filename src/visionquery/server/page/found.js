/** Where in a picture the search found it: an outline over it, and a search for just that part. */

import { button, h } from './dom.js';
import { placeIn } from './format.js';

/** @typedef {[number, number, number, number]} Box left, top, width and height, in percent */

const MOST_MOVED = 4;
const OFFER = 'found-offer';

/**
 * Return where a box lies in a room that the middle of its picture covers, as in the grid.
 *
 * @param {Box} box
 * @param {{width: number, height: number}} picture
 * @param {{width: number, height: number}} room
 * @returns {Box|null} in percent of the room; null where too little of it is left to be seen
 */
export function boxInRoom(box, picture, room) {
  const scale = Math.max(room.width / picture.width, room.height / picture.height);
  const [left, width] = span(box[0], box[2], (picture.width * scale) / room.width);
  const [top, height] = span(box[1], box[3], (picture.height * scale) / room.height);
  return width > 1 && height > 1 ? [left, top, width, height] : null;
}

/**
 * @param {number} start
 * @param {number} length
 * @param {number} stretch how much longer a side of the picture is than the room
 * @returns {[number, number]} start and length of what is in the room
 */
function span(start, length, stretch) {
  const at = (/** @type {number} */ x) => Math.min(100, Math.max(0, 50 + (x - 50) * stretch));
  return [at(start), at(start + length) - at(start)];
}

/** @param {HTMLElement} element @param {Box} box its place, in percent of what it lies in */
export function putBox(element, [left, top, width, height]) {
  Object.assign(element.style, { left: `${left}%`, top: `${top}%`, width: `${width}%`, height: `${height}%` });
}

/** The outline over the open picture. A click on it offers to search by what is in it. */
export class Found {
  /** @type {Box|null} */ #box = null;
  /** @type {{x: number, y: number}} */ #pressed = { x: 0, y: 0 };

  /**
   * @param {HTMLElement} frame what the picture fills exactly
   * @param {(box: {left: number, top: number, width: number, height: number}) => void} onSearch
   */
  constructor(frame, onSearch) {
    this.onSearch = onSearch;
    this.label = button('Found here', () => this.toggle(), {
      class: 'found-label',
      'aria-controls': OFFER,
      'data-testid': 'found-label',
    });
    this.offer = h(
      'div',
      { class: 'found-offer', id: OFFER },
      button('Search this part', () => this.#search(), {
        symbol: 'search',
        class: 'button is-primary',
        'data-testid': 'found-search',
      }),
      button('Hide', () => this.#hide(), { 'data-testid': 'found-hide' }),
    );
    this.rect = h('div', { class: 'found-box', 'data-testid': 'found-box' });
    this.element = h('div', { class: 'found', hidden: true }, this.rect, this.label, this.offer);
    this.rect.addEventListener('pointerdown', ({ clientX: x, clientY: y }) => {
      this.#pressed = { x, y };
    });
    this.rect.addEventListener('click', (event) => this.#onClick(event));
    frame.append(this.element);
  }

  /** @returns {boolean} whether a search by the part is on offer */
  get isOpen() {
    return !this.element.hidden && !this.offer.hidden;
  }

  /** @param {Box|null|undefined} box where it was found; without one there is nothing to show */
  show(box) {
    this.#box = box ?? null;
    this.reveal();
  }

  /** Show the outline as at first, also one that a person has hidden. */
  reveal() {
    this.offer.hidden = true;
    this.element.hidden = !this.#box;
    this.#draw();
  }

  /** Offer to search by the part, or not any more. */
  toggle() {
    this.offer.hidden = !this.offer.hidden;
    this.#draw();
  }

  #hide() {
    this.offer.hidden = true;
    this.element.hidden = true;
  }

  #search() {
    if (!this.#box) return;
    const [left, top, width, height] = this.#box;
    this.onSearch({ left, top, width, height });
  }

  /** @param {MouseEvent} event which may only be the end of moving an enlarged picture */
  #onClick({ clientX, clientY }) {
    const moved = Math.hypot(clientX - this.#pressed.x, clientY - this.#pressed.y);
    if (moved <= MOST_MOVED) this.toggle();
  }

  #draw() {
    if (!this.#box) return;
    const [left, top, width, height] = this.#box;
    putBox(this.rect, this.#box);
    this.label.setAttribute('aria-label', `Found here, ${placeIn(this.#box)}: search this part`);
    this.label.setAttribute('aria-expanded', String(!this.offer.hidden));
    // The label stands on the outline, or hangs inside it at the upper edge of the picture.
    const [isHigh, isRight, isLow] = [top < 8, left + width / 2 > 50, top + height > 88];
    const [right, bottom] = [100 - left - width, 100 - top - height];
    for (const [name, is] of Object.entries({ high: isHigh, right: isRight, low: isLow })) {
      this.element.classList.toggle(`is-${name}`, is);
    }
    Object.assign(this.label.style, {
      top: isHigh ? `${top}%` : 'auto',
      bottom: isHigh ? 'auto' : `${100 - top}%`,
      left: isRight ? 'auto' : `${left}%`,
      right: isRight ? `${right}%` : 'auto',
    });
    Object.assign(this.offer.style, {
      top: isLow ? 'auto' : `${top + height}%`,
      bottom: isLow ? `${bottom}%` : 'auto',
      left: `clamp(130px, ${left + width / 2}%, calc(100% - 130px))`,
    });
  }
}
