/** Enlarging the open picture: double click, pinch, Ctrl and wheel, `z`; and swiping to the next. */

const MOST = 8;
const ONE_CLICK = 2.5;
const SWIPE = 56;

export class Zoom {
  #scale = 1;
  #x = 0;
  #y = 0;
  /** @type {Map<number, {x: number, y: number}>} */ #pointers = new Map();
  /** @type {{x: number, y: number}} */ #start = { x: 0, y: 0 };
  #wasPinched = false;

  /**
   * @param {HTMLElement} stage
   * @param {HTMLElement} frame
   * @param {() => boolean} isBusy whether the pointer is used for something else
   * @param {(step: -1|1) => void} onSwipe
   */
  constructor(stage, frame, isBusy, onSwipe) {
    this.stage = stage;
    this.frame = frame;
    this.isBusy = isBusy;
    this.onSwipe = onSwipe;
    stage.addEventListener('dblclick', (event) => this.#onDouble(event));
    stage.addEventListener('wheel', (event) => this.#onWheel(event), { passive: false });
    stage.addEventListener('pointerdown', (event) => this.#down(event));
    stage.addEventListener('pointermove', (event) => this.#move(event));
    stage.addEventListener('pointerup', (event) => this.#up(event, true));
    stage.addEventListener('pointercancel', (event) => this.#up(event, false));
  }

  /** @returns {boolean} */
  get isZoomed() {
    return this.#scale > 1;
  }

  reset() {
    this.#scale = 1;
    this.#x = this.#y = 0;
    this.#draw();
  }

  toggle() {
    if (this.isZoomed) this.reset();
    else this.#zoomAt(ONE_CLICK, 0, 0);
  }

  /** @param {MouseEvent} event */
  #onDouble(event) {
    if (this.isBusy() || (event.target instanceof Element && event.target.closest('button'))) return;
    if (this.isZoomed) this.reset();
    else this.#zoomAt(ONE_CLICK, ...this.#fromMiddle(event));
  }

  /** @param {WheelEvent} event browsers send a pinch on a touchpad as a wheel with Ctrl */
  #onWheel(event) {
    if (this.isBusy() || !(event.ctrlKey || this.isZoomed)) return;
    event.preventDefault();
    if (event.ctrlKey) {
      this.#zoomAt(this.#scale * Math.exp(-event.deltaY / 200), ...this.#fromMiddle(event));
    } else {
      this.#x -= event.deltaX;
      this.#y -= event.deltaY;
      this.#draw();
    }
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (this.isBusy() || event.button !== 0 || (event.target instanceof Element && event.target.closest('button')))
      return;
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    this.#start = { x: event.clientX, y: event.clientY };
    this.#wasPinched = this.#pointers.size > 1;
    if (this.isZoomed || event.pointerType === 'mouse') event.preventDefault();
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const before = this.#pointers.get(event.pointerId);
    if (!before) return;
    const now = { x: event.clientX, y: event.clientY };
    const [other] = [...this.#pointers].filter(([id]) => id !== event.pointerId).map(([, point]) => point);
    this.#pointers.set(event.pointerId, now);
    if (other) {
      const factor = distance(now, other) / Math.max(1, distance(before, other));
      const middle = { clientX: (now.x + other.x) / 2, clientY: (now.y + other.y) / 2 };
      this.#zoomAt(this.#scale * factor, ...this.#fromMiddle(middle));
    } else if (this.isZoomed) {
      this.#x += now.x - before.x;
      this.#y += now.y - before.y;
      this.#draw();
    }
  }

  /** @param {PointerEvent} event @param {boolean} isWhole */
  #up(event, isWhole) {
    if (!this.#pointers.delete(event.pointerId) || !isWhole) return;
    const dx = event.clientX - this.#start.x;
    const dy = event.clientY - this.#start.y;
    const isSwipe = event.pointerType === 'touch' && !this.isZoomed && !this.#wasPinched;
    if (isSwipe && Math.abs(dx) > SWIPE && Math.abs(dx) > Math.abs(dy) * 1.6) this.onSwipe(dx < 0 ? 1 : -1);
  }

  /** @param {number} scale @param {number} x from the middle of the stage @param {number} y */
  #zoomAt(scale, x, y) {
    const next = Math.min(MOST, Math.max(1, scale));
    const factor = next / this.#scale;
    this.#x = x - (x - this.#x) * factor;
    this.#y = y - (y - this.#y) * factor;
    this.#scale = next;
    this.#draw();
  }

  /** @param {{clientX: number, clientY: number}} point @returns {[number, number]} */
  #fromMiddle({ clientX, clientY }) {
    const { left, top, width, height } = this.stage.getBoundingClientRect();
    return [clientX - left - width / 2, clientY - top - height / 2];
  }

  #draw() {
    const roomX = Math.max(0, (this.frame.offsetWidth * this.#scale - this.stage.clientWidth) / 2);
    const roomY = Math.max(0, (this.frame.offsetHeight * this.#scale - this.stage.clientHeight) / 2);
    this.#x = Math.min(roomX, Math.max(-roomX, this.#x));
    this.#y = Math.min(roomY, Math.max(-roomY, this.#y));
    this.frame.style.transform =
      this.#scale === 1 ? '' : `translate(${this.#x}px, ${this.#y}px) scale(${this.#scale})`;
    // What lies on the picture keeps the size of its lines and letters.
    this.frame.style.setProperty('--zoom', String(this.#scale));
    this.stage.classList.toggle('is-zoomed', this.isZoomed);
  }
}

/** @param {{x: number, y: number}} a @param {{x: number, y: number}} b */
function distance(a, b) {
  return Math.hypot(a.x - b.x, a.y - b.y);
}
