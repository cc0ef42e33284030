/** Pictures that were picked out, over any number of searches, and what can be done with them. */

import { byId, fill, h, icon } from './dom.js';
import { copyText, toast } from './dialogs.js';
import { number, plural } from './format.js';

/** @typedef {import('./types.js').Hit} Hit */

/** The set itself. */
export class Selection {
  /** @type {Map<string, Hit>} */ #hits = new Map();
  /** @type {Set<() => void>} */ #listeners = new Set();
  /** The index that a range with the shift key begins at. */
  anchor = -1;

  /** @param {() => void} listener */
  listen(listener) {
    this.#listeners.add(listener);
  }

  /** @returns {number} */
  get size() {
    return this.#hits.size;
  }

  /** @returns {Hit[]} */
  get hits() {
    return [...this.#hits.values()];
  }

  /** @param {string} id @returns {boolean} */
  has(id) {
    return this.#hits.has(id);
  }

  /** @param {Hit} hit @param {number} [index] where it is, to begin a range at */
  toggle(hit, index = -1) {
    if (!this.#hits.delete(hit.image_id)) this.#hits.set(hit.image_id, hit);
    this.anchor = index;
    this.#tell();
  }

  /** @param {Hit[]} hits */
  add(hits) {
    for (const hit of hits) this.#hits.set(hit.image_id, hit);
    this.#tell();
  }

  clear() {
    this.#hits.clear();
    this.anchor = -1;
    this.#tell();
  }

  #tell() {
    for (const listener of this.#listeners) listener();
  }
}

const COLUMNS = /** @type {const} */ (['path', 'image_id', 'width', 'height', 'taken_at', 'confidence']);

/**
 * Return pictures as a table; every path of a picture has a line of its own.
 *
 * @param {Hit[]} hits
 * @returns {string}
 */
function asCsv(hits) {
  const lines = hits.flatMap((hit) =>
    placesOf(hit).map((path) => {
      const confidence = hit.score === null ? '' : hit.confidence;
      return COLUMNS.map((name) => cell({ ...hit, path, confidence }[name])).join(',');
    }),
  );
  return [COLUMNS.join(','), ...lines, ''].join('\r\n');
}

/** @param {Hit[]} hits @returns {string} one path per line, one per picture */
function asPaths(hits) {
  return hits
    .map((hit) => hit.path)
    .filter(Boolean)
    .join('\n');
}

/** @param {Hit} hit @returns {(string|null)[]} */
function placesOf(hit) {
  return hit.paths.length ? hit.paths : [hit.path];
}

/** @param {string|number|null} value @returns {string} */
function cell(value) {
  const text = String(value ?? '');
  // A table program runs what begins like a formula, and a file may be named like one.
  const safe = typeof value === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/**
 * Show the bar of what can be done while anything is selected.
 *
 * @param {Selection} selection
 */
export function attachSelectionBar(selection) {
  const bar = byId('selection', HTMLElement);
  const count = h('strong', { class: 'selection-count', role: 'status' });
  const all = () => selection.hits;
  fill(
    bar,
    count,
    action('Copy paths', 'copy', 'copy-paths', () => void copyText(asPaths(all()), plural(selection.size, 'path'))),
    action('Text', 'text', 'export-text', () => save('pictures.txt', 'text/plain', `${asPaths(all())}\n`)),
    action('CSV', 'table', 'export-csv', () => save('pictures.csv', 'text/csv', asCsv(all()))),
    action('JSON', 'braces', 'export-json', () => {
      save('pictures.json', 'application/json', JSON.stringify(all(), null, 2));
    }),
    action('Clear', 'close', 'selection-clear', () => selection.clear()),
  );
  selection.listen(() => {
    count.textContent = `${number(selection.size)} selected`;
    bar.hidden = selection.size === 0;
    document.documentElement.classList.toggle('has-selection', selection.size > 0);
  });
}

/** @param {string} label @param {string} symbol @param {string} testid @param {() => void} act */
function action(label, symbol, testid, act) {
  const props = { type: 'button', class: 'bar-button', 'data-testid': testid, onclick: act, title: label };
  return h('button', props, icon(symbol), h('span', {}, label));
}

/** @param {string} name @param {string} type @param {string} text */
function save(name, type, text) {
  const address = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = h('a', { href: address, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
  toast(`Saved ${name}`);
}
