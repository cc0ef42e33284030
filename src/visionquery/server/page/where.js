/** Where in the open picture the query is seen: a heatmap over it, fetched when asked for. */

import { heatmap, isAbort } from './api.js';
import { fill, h } from './dom.js';
import { usesUpload } from './state.js';

export class Where {
  /** @type {AbortController} */ #gone = new AbortController();
  #address = '';
  #layer = h('img', { class: 'viewer-heat', alt: '', draggable: 'false', hidden: true, 'data-testid': 'heatmap' });
  note = h('p', { class: 'viewer-note', role: 'status', 'data-testid': 'heatmap-note' });

  /**
   * @param {HTMLElement} frame what the picture fills exactly
   * @param {HTMLButtonElement} control which shows whether the heatmap is there
   * @param {() => Promise<Blob|undefined>} upload gives the picture that the query was made with
   */
  constructor(frame, control, upload) {
    this.control = control;
    this.upload = upload;
    frame.append(this.#layer);
    this.close();
  }

  /** @returns {boolean} */
  get isOpen() {
    return this.control.getAttribute('aria-pressed') === 'true';
  }

  /** Take the heatmap away. */
  close() {
    this.#gone.abort();
    this.control.setAttribute('aria-pressed', 'false');
    this.#layer.classList.remove('is-here');
    this.#layer.hidden = true;
    this.#layer.removeAttribute('src');
    URL.revokeObjectURL(this.#address);
    fill(this.note);
  }

  /**
   * Lay the heatmap over a picture, or take it away.
   *
   * @param {string} id
   * @param {string} q
   */
  async toggle(id, q) {
    if (this.isOpen) {
      this.close();
      return;
    }
    this.#gone = new AbortController();
    const { signal } = this.#gone;
    this.control.setAttribute('aria-pressed', 'true');
    fill(this.note, 'Looking …');
    try {
      const body = usesUpload(q) ? await this.upload() : undefined;
      const found = await heatmap(id, q, body, signal);
      signal.throwIfAborted();
      await this.#show(found);
    } catch (error) {
      if (isAbort(error)) return;
      this.close();
      fill(this.note, error instanceof Error ? error.message : 'Where it is cannot be shown.');
    }
  }

  /** @param {import('./api.js').Heatmap} found */
  async #show({ picture, box, isWeak }) {
    this.#address = URL.createObjectURL(picture);
    this.#layer.src = this.#address;
    this.#layer.hidden = false;
    await this.#layer.decode().catch(() => {});
    this.#layer.classList.add('is-here');
    const [left, top, width, height] = box.map((side) => `${Math.round(side)} %`);
    const place = `${left} from the left, ${top} from the top, ${width} wide, ${height} high`;
    if (isWeak) fill(this.note, 'Little evidence: nothing here stands out as what was asked for.');
    else fill(this.note, 'Strongest in the frame', h('span', { class: 'visually-hidden' }, `: ${place}`), '.');
  }
}
