/** A frame drawn on a picture, to search by just that part: by pointer, by touch, by keys. */

import { button, fill, h } from './dom.js';

/** @typedef {{left: number, top: number, width: number, height: number}} Box in percent */

const HANDLES = ['nw', 'n', 'ne', 'e', 'se', 's', 'sw', 'w'];
const LEAST = 4;
const STEP = 2;

export class BoxDraw {
  /** @type {Box} */ #box = { left: 25, top: 25, width: 50, height: 50 };
  /** @type {{edges: string, x: number, y: number, box: Box}|null} */ #drag = null;

  /**
   * @param {HTMLElement} frame what the picture fills exactly
   * @param {(box: Box) => void} onSearch
   */
  constructor(frame, onSearch) {
    this.onSearch = onSearch;
    this.area = h('div', {
      class: 'draw-box-area',
      tabindex: '0',
      role: 'application',
      hidden: true,
      'aria-label':
        'Part to search by. Arrow keys move it, with Shift they resize it, Enter searches, Escape leaves.',
    });
    this.rect = h(
      'div',
      { class: 'draw-box' },
      HANDLES.map((edges) => h('i', { class: `handle is-${edges}`, 'data-edges': edges })),
    );
    this.bar = h(
      'div',
      { class: 'draw-box-bar' },
      button('Search this part', () => this.#search(), {
        symbol: 'search',
        class: 'button is-primary',
        'data-testid': 'draw-box-search',
      }),
      button('Cancel', () => this.close()),
    );
    this.shade = h('div', { class: 'draw-box-shade' });
    fill(this.area, this.shade, this.rect, this.bar);
    frame.append(this.area);
    this.area.addEventListener('pointerdown', (event) => this.#down(event));
    this.area.addEventListener('pointermove', (event) => this.#move(event));
    this.area.addEventListener('pointerup', () => this.#up());
    this.area.addEventListener('pointercancel', () => this.#up());
    this.area.addEventListener('keydown', (event) => this.#key(event));
  }

  /** @returns {boolean} */
  get isOpen() {
    return !this.area.hidden;
  }

  open() {
    this.#box = { left: 25, top: 25, width: 50, height: 50 };
    this.area.hidden = false;
    this.#draw();
    this.area.focus({ preventScroll: true });
  }

  close() {
    this.area.hidden = true;
    this.#drag = null;
  }

  #search() {
    const box = this.#box;
    this.close();
    this.onSearch(box);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button !== 0 || !(event.target instanceof Element) || event.target.closest('.draw-box-bar')) return;
    event.preventDefault();
    this.area.setPointerCapture(event.pointerId);
    const { x, y } = this.#at(event);
    const edges = event.target instanceof HTMLElement ? event.target.dataset.edges : undefined;
    const isInside = event.target === this.rect;
    if (!edges && !isInside) this.#box = { left: x, top: y, width: 0, height: 0 };
    this.#drag = { edges: edges ?? (isInside ? 'move' : 'se'), x, y, box: { ...this.#box } };
    this.area.classList.add('is-drawing');
    this.area.focus({ preventScroll: true });
    this.#draw();
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (!this.#drag) return;
    const { x, y } = this.#at(event);
    this.#box = dragged(this.#drag.box, this.#drag.edges, x - this.#drag.x, y - this.#drag.y);
    this.#draw();
  }

  #up() {
    if (!this.#drag) return;
    this.#drag = null;
    this.area.classList.remove('is-drawing');
    const { left, top, width, height } = this.#box;
    // A press without a drag draws nothing that could be searched by.
    if (width < LEAST || height < LEAST) {
      const [w, t] = [Math.max(width, 20), Math.max(height, 20)];
      this.#box = { left: Math.min(left, 100 - w), top: Math.min(top, 100 - t), width: w, height: t };
    }
    this.#draw();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.target !== this.area) {
      event.stopPropagation();
      if (event.key !== 'Escape') return;
    }
    const by = { ArrowLeft: [-STEP, 0], ArrowRight: [STEP, 0], ArrowUp: [0, -STEP], ArrowDown: [0, STEP] }[
      event.key
    ];
    if (by) this.#box = dragged(this.#box, event.shiftKey ? 'se' : 'move', by[0], by[1]);
    else if (event.key === 'Enter') this.#search();
    else if (event.key === 'Escape') this.close();
    else return;
    event.preventDefault();
    event.stopPropagation();
    this.#draw();
  }

  /** @param {PointerEvent} event @returns {{x: number, y: number}} in percent of the picture */
  #at(event) {
    const { left, top, width, height } = this.area.getBoundingClientRect();
    return { x: clamp(((event.clientX - left) / width) * 100), y: clamp(((event.clientY - top) / height) * 100) };
  }

  #draw() {
    const { left, top, width, height } = this.#box;
    Object.assign(this.rect.style, { left: `${left}%`, top: `${top}%`, width: `${width}%`, height: `${height}%` });
    const [right, bottom] = [left + width, top + height];
    const hole = `${left}% ${top}%, ${right}% ${top}%, ${right}% ${bottom}%, ${left}% ${bottom}%, ${left}% ${top}%`;
    this.shade.style.clipPath = `polygon(evenodd, 0 0, 100% 0, 100% 100%, 0 100%, 0 0, ${hole})`;
    const isLow = top + height > 80;
    Object.assign(this.bar.style, {
      left: `${Math.min(80, Math.max(20, left + width / 2))}%`,
      top: isLow ? 'auto' : `${top + height}%`,
      bottom: isLow ? `${Math.min(80, 100 - top)}%` : 'auto',
    });
    if (isLow && top < 20) this.bar.style.bottom = '0%';
  }
}

/**
 * Return a box after some of its edges, or all of it, were moved.
 *
 * @param {Box} box
 * @param {string} edges letters of n, e, s, w, or "move"
 * @param {number} dx
 * @param {number} dy
 * @returns {Box}
 */
function dragged(box, edges, dx, dy) {
  const { left, top, width, height } = box;
  if (edges === 'move') {
    return { ...box, left: clamp(left + dx, 100 - width), top: clamp(top + dy, 100 - height) };
  }
  const x1 = clamp(left + (edges.includes('w') ? dx : 0));
  const x2 = clamp(left + width + (edges.includes('e') ? dx : 0));
  const y1 = clamp(top + (edges.includes('n') ? dy : 0));
  const y2 = clamp(top + height + (edges.includes('s') ? dy : 0));
  return { left: Math.min(x1, x2), top: Math.min(y1, y2), width: Math.abs(x2 - x1), height: Math.abs(y2 - y1) };
}

/** @param {number} value @param {number} [most] */
function clamp(value, most = 100) {
  return Math.min(most, Math.max(0, value));
}
