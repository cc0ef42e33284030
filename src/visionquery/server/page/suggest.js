/** The list under the empty box: saved and recent searches, or examples where there are none. */

import { fill, h, icon, iconButton } from './dom.js';

const EXAMPLES = ['a dog on a beach', 'children playing in water -people', 'sunset date:2024'];
const SHOWN = 8;

/** @typedef {{q: string, symbol: string, isOwn: boolean}} Entry */

export class Suggestions {
  /** @type {HTMLElement[]} */ #options = [];
  #active = -1;

  /**
   * @param {HTMLInputElement} input
   * @param {HTMLElement} list
   * @param {import('./history.js').SearchHistory} history
   * @param {(q: string) => void} onChoose
   */
  constructor(input, list, history, onChoose) {
    this.input = input;
    this.list = list;
    this.history = history;
    this.onChoose = onChoose;
    // The box keeps the keyboard while the pointer is on the list.
    list.addEventListener('pointerdown', (event) => event.preventDefault());
    history.listen(() => {
      if (this.isOpen) this.open();
    });
  }

  /** @returns {boolean} */
  get isOpen() {
    return !this.list.hidden;
  }

  open() {
    const sections = this.#sections();
    this.#options = [];
    this.#active = -1;
    fill(
      this.list,
      sections.map(({ title, entries, clear }) => this.#section(title, entries, clear)),
    );
    this.list.hidden = this.#options.length === 0;
    this.#point();
  }

  close() {
    this.list.hidden = true;
    this.#active = -1;
    this.#point();
  }

  /** @param {-1|1} step @returns {boolean} false where the list ends and the keyboard may go on */
  move(step) {
    const next = this.#active + step;
    if (next >= this.#options.length) return false;
    this.#active = Math.max(-1, next);
    this.#point();
    return true;
  }

  /** @returns {boolean} whether an entry was chosen */
  choose() {
    const q = this.#options[this.#active]?.dataset.query;
    if (q === undefined) return false;
    this.onChoose(q);
    return true;
  }

  /** @returns {boolean} whether an entry was there to be deleted */
  deleteActive() {
    const q = this.#options[this.#active]?.dataset.query;
    if (q === undefined) return false;
    this.history.forget(q);
    return true;
  }

  /** @returns {{title: string, entries: Entry[], clear?: boolean}[]} */
  #sections() {
    const text = this.input.value.trim().toLowerCase();
    /** @param {string} q */
    const fits = (q) => q.toLowerCase().includes(text) && q.toLowerCase() !== text;
    const { saved } = this.history;
    const recent = this.history.recent.filter((q) => !saved.includes(q) && fits(q)).slice(0, SHOWN);
    const kept = saved.filter(fits).slice(0, SHOWN);
    const sections = [];
    if (kept.length)
      sections.push({ title: 'Saved', entries: kept.map((q) => ({ q, symbol: 'star', isOwn: true })) });
    if (recent.length) {
      sections.push({
        title: 'Recent',
        entries: recent.map((q) => ({ q, symbol: 'clock', isOwn: true })),
        clear: true,
      });
    }
    if (sections.length || text) return sections;
    return [{ title: 'For example', entries: EXAMPLES.map((q) => ({ q, symbol: 'search', isOwn: false })) }];
  }

  /** @param {string} title @param {Entry[]} entries @param {boolean} [clear] */
  #section(title, entries, clear) {
    return h(
      'div',
      { class: 'suggest-section', role: 'group', 'aria-label': title },
      h(
        'div',
        { class: 'suggest-title', role: 'presentation' },
        h('span', {}, title),
        clear &&
          h(
            'button',
            { type: 'button', class: 'text-button', tabindex: '-1', onclick: () => this.history.clearRecent() },
            'Clear all',
          ),
      ),
      entries.map((entry) => this.#row(entry)),
    );
  }

  /** @param {Entry} entry */
  #row({ q, symbol, isOwn }) {
    const option = h(
      'div',
      {
        class: 'suggest-option',
        role: 'option',
        id: `suggestion-${this.#options.length}`,
        'aria-selected': 'false',
        'data-query': q,
        onclick: () => this.onChoose(q),
      },
      icon(symbol),
      h('span', {}, q),
    );
    this.#options.push(option);
    return h(
      'div',
      { class: 'suggest-row', role: 'presentation' },
      option,
      isOwn &&
        iconButton('close', `Delete ${q}`, {
          tabindex: '-1',
          class: 'icon-button is-small',
          onclick: () => this.history.forget(q),
        }),
    );
  }

  #point() {
    this.#options.forEach((option, place) => option.setAttribute('aria-selected', String(place === this.#active)));
    const active = this.#options[this.#active];
    active?.scrollIntoView({ block: 'nearest' });
    if (active) this.input.setAttribute('aria-activedescendant', active.id);
    else this.input.removeAttribute('aria-activedescendant');
    this.input.setAttribute('aria-expanded', String(this.isOpen));
  }
}
