/** What can be done with one picture, from the grid by a key and from the viewer by a button. */

import { ApiError, edited, original } from './api.js';
import { copyText, toast } from './dialogs.js';
import { h } from './dom.js';
import { alikeView } from './state.js';

/** @typedef {import('./types.js').Hit} Hit */

export class Actions {
  /** @param {import('./state.js').State} state */
  constructor(state) {
    this.state = state;
  }

  /** @param {string} id show what is folded into a picture, with all else that looks like it */
  showAlike(id) {
    this.state.go(alikeView(id));
  }

  /** @param {string} id search for more like a picture */
  moreLike(id) {
    this.state.go({ q: `like:${id}`, image: '' });
  }

  /**
   * Search for what looks like a part of a picture.
   *
   * @param {string} id
   * @param {{left: number, top: number, width: number, height: number}} part in percent
   */
  likePart(id, { left, top, width, height }) {
    const [x, y] = [tenth(left), tenth(top)];
    // Rounded on its own, a width could reach beyond the edge, which the server refuses.
    const numbers = [x, y, Math.min(tenth(width), tenth(100 - x)), Math.min(tenth(height), tenth(100 - y))];
    this.state.go({ q: `like:${id}@${numbers.join(',')}`, image: '' });
  }

  /** @param {string} id search on, without what looks like a picture */
  async notThis(id) {
    const { q: before } = this.state.view;
    const undo = { label: 'Undo', act: () => this.state.go({ q: before }) };
    if (await this.#add(`-like:${id}`)) toast('Left out what looks like it', { action: undo });
  }

  /** @param {string} id search on, for more of what a picture shows */
  async teachMore(id) {
    await this.#teach(`more:${id}`, 'Learnt from it');
  }

  /** @param {string} id search on, for less of what a picture shows */
  async teachLess(id) {
    await this.#teach(`less:${id}`, 'Learnt that it is not meant');
  }

  /** @param {string} example @param {string} says */
  async #teach(example, says) {
    const { q: before } = this.state.view;
    const undo = { label: 'Undo', act: () => this.state.go({ q: before }) };
    if (await this.#add(example)) toast(says, { action: undo });
  }

  /** @param {number} latitude @param {number} longitude */
  async near(latitude, longitude) {
    await this.#add(`near:${latitude.toFixed(4)},${longitude.toFixed(4)},5km`, ['near']);
  }

  /** @param {Hit} hit */
  copyPath(hit) {
    if (hit.path) void copyText(hit.path, 'the path');
    else toast('This picture has no place any more.', { isError: true });
  }

  /** @param {Hit} hit save its own file */
  async download(hit) {
    if (!(await isThere(hit.image_id))) return;
    const link = h('a', { href: original(hit.image_id, { download: true }), download: '', hidden: true });
    (document.querySelector('dialog:modal') ?? document.body).append(link);
    link.click();
    link.remove();
  }

  /** @param {string} part @param {string[]} [drop] @returns {Promise<boolean>} whether it was added */
  async #add(part, drop = []) {
    try {
      const q = await edited(this.state.view.q, { add: part, drop });
      this.state.go({ q, image: '' });
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      toast(error.message, { isError: true });
      return false;
    }
  }
}

/** @param {number} value @returns {number} */
function tenth(value) {
  return Math.round(value * 10) / 10;
}

/**
 * Ask whether a file can be had before the browser saves an error under its name.
 *
 * @param {string} id
 * @returns {Promise<boolean>}
 */
async function isThere(id) {
  const gone = new AbortController();
  try {
    const response = await fetch(original(id), { signal: gone.signal });
    if (response.ok) return true;
    const problem = await response.json().catch(() => ({}));
    toast(problem.detail ?? 'The file cannot be had.', { isError: true });
  } catch {
    toast('The server does not answer.', { isError: true });
  } finally {
    gone.abort();
  }
  return false;
}
