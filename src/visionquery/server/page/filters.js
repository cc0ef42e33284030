/** The filter bar: a choice becomes a filter in the query, where it can be read and changed. */

import { ApiError, call, edited } from './api.js';
import { attachPopover, focusFirst, toast } from './dialogs.js';
import { button, byId, fill, h } from './dom.js';
import { dateRange, searchList, tickList } from './pickers.js';

/** @typedef {import('./types.js').Facets} Facets */
/** @typedef {import('./types.js').QueryPart} QueryPart */
/** @typedef {'date'|'camera'|'path'|'ext'} Field */

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
    for (const [field, control] of Object.entries(this.buttons)) {
      control.classList.toggle(
        'is-on',
        parts.some((part) => part.field === field),
      );
    }
  }

  /**
   * Put a filter into the query, in the place of all on some fields.
   *
   * @param {string[]} fields
   * @param {string} [add] query text
   */
  async choose(fields, add = '') {
    try {
      this.state.go({ q: await edited(this.state.view.q, { drop: fields, add }) });
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const isOld = error.isQuery && this.state.view.q;
      toast(isOld ? 'The query cannot be read as it stands: correct it first.' : error.message, { isError: true });
    }
  }

  /** @param {Field} field @param {HTMLElement} popover */
  #draw(field, popover) {
    const facets = this.#facets;
    if (facets) {
      fill(popover, this.#content(field, facets, popover));
    } else {
      fill(popover, h('p', { class: 'quiet' }, 'Asking what there is …'));
      void this.load().then(
        () => this.#draw(field, popover),
        () => popover.hidePopover(),
      );
    }
    if (popover.matches(':popover-open')) focusFirst(popover);
  }

  /** @param {Field} field @param {Facets} facets @param {HTMLElement} popover @returns {HTMLElement[]} */
  #content(field, facets, popover) {
    const now = this.#value(field);
    /** @param {string} value as query text, "" for none */
    const pick = (value) => {
      popover.hidePopover();
      void this.choose([field], value);
    };
    const isOn = this.buttons[field].classList.contains('is-on');
    const reset = isOn && button('Any', () => pick(''), { class: 'text-button' });
    if (field === 'date') {
      const { first_date: first, last_date: last } = facets;
      if (!first || !last) return [h('p', { class: 'quiet' }, 'No picture here says when it was taken.')];
      const onPick = (/** @type {string} */ value) => pick(value === '..' || !value ? '' : `date:${value}`);
      return dateRange(first, last, { now, onPick, reset });
    }
    if (field === 'ext') {
      const chosen = new Set(now.split(',').filter(Boolean));
      return tickList(
        facets.types,
        chosen,
        (types) => void this.choose([field], types.length ? `ext:${types.join(',')}` : ''),
      );
    }
    const isFolder = field === 'path';
    return searchList(isFolder ? facets.folders : facets.cameras, {
      name: isFolder ? 'folder' : 'camera',
      isOn: (value) => now === (isFolder ? inside(value) : value),
      onPick: (value) => pick(isFolder ? `path:${quoted(inside(value))}` : `camera:${quoted(value)}`),
      reset,
    });
  }

  /** @param {Field} field @returns {string} the value that the query has for it, "" for none */
  #value(field) {
    const text = this.#parts.find((part) => part.field === field && !part.excluded)?.text ?? '';
    return text
      .slice(text.indexOf(':') + 1)
      .replace(/^"|"$/g, '')
      .replaceAll('""', '"');
  }
}

/** @param {string} value @returns {string} as the query language quotes it */
function quoted(value) {
  return `"${value.replaceAll('"', '""')}"`;
}

/** @param {string} folder @returns {string} the pattern of what lies in it */
function inside(folder) {
  const separator = folder.includes('\\') && !folder.includes('/') ? '\\' : '/';
  return folder.endsWith(separator) ? `${folder}*` : `${folder}${separator}*`;
}
