/** The filter bar: a choice becomes a filter in the query, where it can be read and changed. */

import { ApiError, call, edited } from './api.js';
import { attachPopover, focusFirst, toast } from './dialogs.js';
import { byId, fill, h } from './dom.js';
import { fileName, folderOf, number } from './format.js';

/** @typedef {import('./types.js').Facets} Facets */
/** @typedef {import('./types.js').Count} Count */
/** @typedef {import('./types.js').QueryPart} QueryPart */
/** @typedef {'date'|'camera'|'path'|'ext'} Field */

const SHOWN = 200;

export class Filters {
  /** @type {Facets|null} */ #facets = null;
  /** @type {QueryPart[]} */ #parts = [];

  /** @param {import('./state.js').State} state */
  constructor(state) {
    this.state = state;
    /** @type {Record<Field, HTMLButtonElement>} */
    this.buttons = {
      date: byId('filter-date', HTMLButtonElement),
      camera: byId('filter-camera', HTMLButtonElement),
      path: byId('filter-folder', HTMLButtonElement),
      ext: byId('filter-type', HTMLButtonElement),
    };
    for (const field of /** @type {Field[]} */ (Object.keys(this.buttons))) {
      const popover = byId(`${this.buttons[field].id}-list`, HTMLElement);
      attachPopover(this.buttons[field], popover, () => this.#draw(field, popover));
    }
  }

  /** Learn what there is to choose from; again after the library has changed. */
  async load() {
    this.#facets = await call('/facets');
  }

  /** @param {QueryPart[]} parts of the answer that is shown */
  setParts(parts) {
    this.#parts = parts;
    for (const [field, button] of Object.entries(this.buttons)) {
      button.classList.toggle(
        'is-on',
        parts.some((part) => part.field === field),
      );
    }
  }

  /**
   * Put a filter into the query, in the place of others on its field.
   *
   * @param {string} field
   * @param {string} add query text, "" to have none on this field
   */
  async choose(field, add) {
    await this.#edit([field], add);
  }

  /** @param {string[]} fields take all filters on them out of the query */
  async chooseNone(fields) {
    await this.#edit(fields, '');
  }

  /** @param {string[]} drop @param {string} add */
  async #edit(drop, add) {
    try {
      const q = await edited(this.state.view.q, { drop, add });
      this.state.go({ q });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const isQuery = error.isQuery && this.state.view.q;
      toast(isQuery ? 'The query cannot be read as it stands: correct it first.' : error.message, {
        isError: true,
      });
    }
  }

  /** @param {Field} field @param {HTMLElement} popover */
  #draw(field, popover) {
    const close = () => popover.hidePopover();
    const facets = this.#facets;
    if (!facets) {
      fill(popover, h('p', { class: 'quiet' }, 'Asking what there is …'));
      void this.load().then(
        () => this.#draw(field, popover),
        () => close(),
      );
      return;
    }
    if (field === 'date') fill(popover, this.#dates(facets, close));
    else if (field === 'camera')
      fill(
        popover,
        this.#list('camera', facets.cameras, close, (value) => `camera:${quoted(value)}`),
      );
    else if (field === 'path')
      fill(
        popover,
        this.#list('path', facets.folders, close, (value) => `path:${quoted(inside(value))}`),
      );
    else fill(popover, this.#types(facets.types));
    if (popover.matches(':popover-open')) focusFirst(popover);
  }

  /** @param {Field} field @returns {string} the value that the query has for it, "" for none */
  #value(field) {
    const text = this.#parts.find((part) => part.field === field && !part.excluded)?.text ?? '';
    return text
      .slice(text.indexOf(':') + 1)
      .replace(/^"|"$/g, '')
      .replaceAll('""', '"');
  }

  /** @param {Field} field @param {() => void} close */
  #reset(field, close) {
    return (
      this.buttons[field].classList.contains('is-on') &&
      h(
        'button',
        {
          type: 'button',
          class: 'text-button',
          onclick: () => {
            close();
            void this.choose(field, '');
          },
        },
        'Any',
      )
    );
  }

  /**
   * @param {'camera'|'path'} field
   * @param {Count[]} counts
   * @param {() => void} close
   * @param {(value: string) => string} grammar
   */
  #list(field, counts, close, grammar) {
    const name = field === 'path' ? 'folder' : 'camera';
    if (!counts.length) return [h('p', { class: 'quiet' }, `No picture here names a ${name}.`)];
    const now = this.#value(field);
    const list = h('ul', { class: 'pick-list', 'aria-label': `${name}s` });
    const draw = () => {
      const text = search.value.trim().toLowerCase();
      const fitting = counts.filter(({ value }) => value.toLowerCase().includes(text)).slice(0, SHOWN);
      fill(
        list,
        fitting.map(({ value, count }) =>
          h(
            'li',
            {},
            this.#row(value, count, field === 'path', {
              isOn: now === value || now === inside(value),
              act: () => {
                close();
                void this.choose(field, grammar(value));
              },
            }),
          ),
        ),
        !fitting.length && h('li', { class: 'quiet' }, `No ${name} of this name.`),
      );
    };
    const search = h('input', {
      type: 'search',
      class: 'field',
      placeholder: `Find a ${name}`,
      'aria-label': `Find a ${name}`,
      oninput: draw,
    });
    search.addEventListener('keydown', (event) => {
      if (event.key === 'Enter') list.querySelector('button')?.click();
    });
    list.addEventListener('keydown', (event) => step(event, list, search));
    search.addEventListener('keydown', (event) => step(event, list, search));
    draw();
    return [h('div', { class: 'pick-head' }, search, this.#reset(field, close)), list];
  }

  /** @param {string} value @param {number} count @param {boolean} isFolder @param {{isOn: boolean, act: () => void}} how */
  #row(value, count, isFolder, { isOn, act }) {
    return h(
      'button',
      {
        type: 'button',
        class: isOn ? 'pick is-on' : 'pick',
        'aria-pressed': String(isOn),
        onclick: act,
        title: value,
      },
      h(
        'span',
        { class: 'pick-text' },
        isFolder ? fileName(value) : value,
        isFolder && h('small', {}, folderOf(value)),
      ),
      h('span', { class: 'count' }, number(count)),
    );
  }

  /** @param {Count[]} counts */
  #types(counts) {
    if (!counts.length) return [h('p', { class: 'quiet' }, 'No pictures yet.')];
    const chosen = new Set(this.#value('ext').split(',').filter(Boolean));
    const list = h('ul', { class: 'pick-list', 'aria-label': 'File types' });
    const draw = () =>
      fill(
        list,
        counts.map(({ value, count }) =>
          h(
            'li',
            {},
            h(
              'label',
              { class: chosen.has(value) ? 'pick is-on' : 'pick' },
              h('input', { type: 'checkbox', checked: chosen.has(value), onchange: () => toggle(value) }),
              h('span', { class: 'pick-text' }, value),
              h('span', { class: 'count' }, number(count)),
            ),
          ),
        ),
      );
    /** @param {string} value */
    const toggle = (value) => {
      if (!chosen.delete(value)) chosen.add(value);
      void this.choose('ext', chosen.size ? `ext:${[...chosen].join(',')}` : '');
      draw();
      list.querySelectorAll('input')[counts.findIndex((each) => each.value === value)]?.focus();
    };
    draw();
    return [list];
  }

  /** @param {Facets} facets @param {() => void} close */
  #dates({ first_date: first, last_date: last }, close) {
    if (!first || !last) return [h('p', { class: 'quiet' }, 'No picture here says when it was taken.')];
    const now = this.#value('date');
    const [low, high = low] = now.split('..');
    const span = { min: first.slice(0, 10), max: last.slice(0, 10) };
    const from = h('input', { type: 'date', class: 'field', 'data-testid': 'date-from', ...span });
    const to = h('input', { type: 'date', class: 'field', 'data-testid': 'date-to', ...span });
    from.value = bound(low, '-01-01', '-01');
    to.value = bound(high, '-12-31', '-31');
    /** @param {string} value */
    const apply = (value) => {
      close();
      void this.choose('date', value && `date:${value}`);
    };
    return [
      h('div', { class: 'pick-head' }, h('span', { class: 'pick-title' }, 'Taken'), this.#reset('date', close)),
      h(
        'div',
        { class: 'date-range' },
        h('label', {}, 'From', from),
        h('label', {}, 'To', to),
        h(
          'button',
          {
            type: 'button',
            class: 'button is-primary',
            'data-testid': 'date-apply',
            onclick: () => {
              const { value: start } = from;
              const { value: end } = to;
              apply(!start && !end ? '' : start === end ? start : `${start}..${end}`);
            },
          },
          'Apply',
        ),
      ),
      h(
        'div',
        { class: 'years' },
        years(first, last).map((year) =>
          h(
            'button',
            {
              type: 'button',
              class: now === year ? 'year is-on' : 'year',
              'aria-pressed': String(now === year),
              onclick: () => apply(year),
            },
            year,
          ),
        ),
      ),
    ];
  }
}

/**
 * Make arrow keys go through a list and its search field.
 *
 * @param {KeyboardEvent} event
 * @param {HTMLElement} list
 * @param {HTMLInputElement} search
 */
function step(event, list, search) {
  if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
  event.preventDefault();
  event.stopPropagation();
  const stops = [search, ...list.querySelectorAll('button')];
  const now = stops.findIndex((stop) => stop === document.activeElement);
  stops[Math.min(stops.length - 1, Math.max(0, now + (event.key === 'ArrowDown' ? 1 : -1)))].focus();
}

/** @param {string} value @returns {string} as the query language quotes it */
export function quoted(value) {
  return `"${value.replaceAll('"', '""')}"`;
}

/** @param {string} folder @returns {string} the pattern of what lies in it */
function inside(folder) {
  const separator = folder.includes('\\') && !folder.includes('/') ? '\\' : '/';
  return folder.endsWith(separator) ? `${folder}*` : `${folder}${separator}*`;
}

/** @param {string} first @param {string} last @returns {string[]} newest first */
function years(first, last) {
  const [from, to] = [first, last].map((iso) => Number(iso.slice(0, 4)));
  return Array.from({ length: Math.min(60, to - from + 1) }, (_, i) => String(to - i));
}

/**
 * Complete a date of the query language for a date field; "" where it is none.
 *
 * @param {string} text
 * @param {string} ofYear
 * @param {string} ofMonth
 * @returns {string}
 */
function bound(text, ofYear, ofMonth) {
  if (/^\d{4}$/.test(text)) return text + ofYear;
  if (/^\d{4}-\d\d$/.test(text)) {
    if (ofMonth === '-01') return text + ofMonth;
    const [year, month] = text.split('-').map(Number);
    return `${text}-${new Date(Date.UTC(year, month, 0)).getUTCDate()}`;
  }
  return /^\d{4}-\d\d-\d\d$/.test(text) ? text : '';
}
