/** What was searched for and what was saved, kept in this browser alone. */

import { usesUpload } from './state.js';

const RECENT = 'visionquery.recent';
const SAVED = 'visionquery.saved';
const MOST_RECENT = 30;

export class SearchHistory {
  /** @type {Set<() => void>} */ #listeners = new Set();

  constructor() {
    addEventListener('storage', (event) => {
      if (event.key === RECENT || event.key === SAVED) this.#tell();
    });
  }

  /** @param {() => void} listener */
  listen(listener) {
    this.#listeners.add(listener);
  }

  /** @returns {string[]} latest first */
  get recent() {
    return read(RECENT);
  }

  /** @returns {string[]} */
  get saved() {
    return read(SAVED);
  }

  /** @param {string} q @returns {boolean} whether a query means something without this page */
  canKeep(q) {
    return Boolean(q.trim()) && !usesUpload(q);
  }

  /** @param {string} q @returns {boolean} */
  isSaved(q) {
    return this.saved.includes(q.trim());
  }

  /** @param {string} q */
  remember(q) {
    const text = q.trim();
    if (!this.canKeep(text)) return;
    this.#write(RECENT, [text, ...this.recent.filter((each) => each !== text)].slice(0, MOST_RECENT));
  }

  /** @param {string} q @returns {boolean} whether it is saved now */
  toggleSaved(q) {
    const text = q.trim();
    const others = this.saved.filter((each) => each !== text);
    const isNew = others.length === this.saved.length;
    this.#write(SAVED, isNew ? [text, ...others] : others);
    return isNew;
  }

  /** @param {string} q forget it, saved or not */
  forget(q) {
    this.#write(
      RECENT,
      this.recent.filter((each) => each !== q),
    );
    this.#write(
      SAVED,
      this.saved.filter((each) => each !== q),
    );
  }

  /** Forget what was searched for; what was saved stays. */
  clearRecent() {
    this.#write(RECENT, []);
  }

  /** @param {string} key @param {string[]} queries */
  #write(key, queries) {
    try {
      localStorage.setItem(key, JSON.stringify(queries));
    } catch {
      // A full or forbidden store is no reason to stop searching.
    }
    this.#tell();
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }
}

/** @param {string} key @returns {string[]} */
function read(key) {
  try {
    const found = JSON.parse(localStorage.getItem(key) ?? '[]');
    return Array.isArray(found) ? found.filter((each) => typeof each === 'string') : [];
  } catch {
    return [];
  }
}
