/** What an answer is, in a line; how it is sorted; and what to do where there is none. */

import { byId, fill, h, icon } from './dom.js';
import { milliseconds, number, plural } from './format.js';
import { usesUpload } from './state.js';

/** @typedef {import('./types.js').Answer} Answer */
/** @typedef {import('./state.js').View} View */

const SPOKEN_AFTER_MS = 700;
const FIELDS = ['date', 'camera', 'path', 'ext', 'width', 'height', 'orientation', 'near', 'keyword', 'text'];

export class Summary {
  #spoken = 0;
  #line = byId('summary', HTMLElement);
  #live = byId('live', HTMLElement);
  #notice = byId('notice', HTMLElement);

  /**
   * @param {object} with_
   * @param {import('./state.js').State} with_.state
   * @param {(id: string) => HTMLElement} with_.indexForm
   * @param {(fields: string[]) => void} with_.onAnyFilter called to take filters away
   */
  constructor({ state, indexForm, onAnyFilter }) {
    this.state = state;
    this.indexForm = indexForm;
    this.onAnyFilter = onAnyFilter;
    this.sorts = /** @type {HTMLInputElement[]} */ ([...document.querySelectorAll('#sort input')]);
    for (const input of this.sorts)
      input.addEventListener('change', () => state.go({ sort: input.value === 'relevance' ? '' : input.value }));
    this.fold = byId('fold', HTMLButtonElement);
    this.fold.addEventListener('click', () => state.go({ fold: !state.view.fold }));
    state.listen((view) => this.#drawSort(view));
    this.#drawSort(state.view);
  }

  /**
   * Show what an answer is.
   *
   * @param {Answer} answer
   * @param {View} view
   * @param {import('./types.js').Status|null} status
   */
  show(answer, view, status) {
    const isBrowsing = !view.q.trim();
    const count = plural(answer.total, 'picture');
    fill(
      this.#line,
      h('strong', {}, count),
      dot(),
      milliseconds(answer.seconds),
      dot(),
      answer.model,
      answer.folded_away > 0 && [dot(), `${number(answer.folded_away)} folded away`],
      answer.reranked_by && [dot(), h('span', { 'data-testid': 'refined' }, `refined by ${answer.reranked_by}`)],
      isBrowsing && !view.sort && [dot(), 'newest first'],
      !answer.exact && [
        dot(),
        h('span', { title: 'Not every picture was compared, to save time.' }, 'approximate'),
      ],
    );
    this.#say(answer.total || isBrowsing ? count : 'Nothing here fits');
    byId('sort', HTMLElement).hidden = answer.total < 2;
    byId('controls', HTMLElement).hidden = isBrowsing && !answer.total;
    if (answer.total) this.hideNotice();
    else if (isBrowsing) this.#showEmptyLibrary(status);
    else this.#showNothing(answer, view);
  }

  hideNotice() {
    this.#notice.hidden = true;
  }

  /** Say that a dropped picture is not kept any more. */
  showUploadGone() {
    this.#clearLine();
    this.#draw('picture', 'That picture is not here any more', [
      h(
        'p',
        {},
        'This search was made with a picture you dropped. Only this browser kept it, and it has been cleared.',
      ),
      h(
        'button',
        { type: 'button', class: 'button is-primary', onclick: () => byId('upload', HTMLButtonElement).click() },
        'Choose it again',
      ),
    ]);
  }

  /**
   * Say that the server does not answer, or has too much to do, where there is nothing else to show.
   *
   * @param {string} title
   * @param {string} says
   */
  showWaiting(title, says) {
    this.#clearLine();
    this.#draw('cloud', title, [h('p', {}, says)]);
  }

  /** @param {View} view */
  #drawSort({ sort, fold, q }) {
    this.fold.setAttribute('aria-pressed', String(fold));
    this.fold.classList.toggle('is-on', fold);
    const isBrowsing = !q.trim();
    const value = sort || 'relevance';
    for (const input of this.sorts) input.checked = input.value === value;
    const [first] = this.sorts;
    const label = first.nextElementSibling;
    if (label) label.textContent = isBrowsing ? 'Newest' : 'Best';
    // Without a question the best are the newest, so that the order by date is the same.
    const byDate = this.sorts.find((input) => input.value === 'date')?.closest('label');
    if (byDate) byDate.hidden = isBrowsing && sort !== 'date';
  }

  /** @param {import('./types.js').Status|null} status */
  #showEmptyLibrary(status) {
    const mayAdd = status?.may_index_new_folders ?? false;
    this.#draw('library', 'No pictures yet', [
      h(
        'p',
        {},
        'Point VisionQuery at a folder. It looks at every picture once, here on this machine; then you find them by what they show.',
      ),
      mayAdd
        ? this.indexForm('first-path')
        : h(
            'p',
            { class: 'quiet' },
            'On the machine where the server runs: ',
            h('code', {}, 'visionquery index ~/Pictures'),
          ),
    ]);
  }

  /** @param {Answer} answer @param {View} view */
  #showNothing({ query_parts: parts, closest }, { q }) {
    const filters = parts.filter((part) => part.kind === 'filter');
    const onlyFilters = filters.length === parts.length;
    const title = onlyFilters ? 'No picture passes these filters' : 'Nothing here fits';
    const says = onlyFilters
      ? 'Take one away, or make it wider.'
      : usesUpload(q)
        ? 'No picture of this library looks like that one.'
        : closest.length
          ? 'No picture of this library shows that, as far as the model can see. What comes closest is below.'
          : 'No picture of this library shows that, as far as the model can see.';
    this.#draw('search', title, [
      h('p', {}, says),
      filters.length > 0 &&
        h(
          'button',
          { type: 'button', class: 'button', onclick: () => this.onAnyFilter(FIELDS) },
          parts.length > filters.length ? 'Search without the filters' : 'Take all filters away',
        ),
    ]);
  }

  /** @param {string} symbol @param {string} title @param {import('./dom.js').Leaf[]} children */
  #draw(symbol, title, children) {
    fill(this.#notice, icon(symbol), h('h2', {}, title), children);
    this.#notice.hidden = false;
  }

  #clearLine() {
    fill(this.#line);
  }

  /** @param {string} text said once typing rests, not at every letter */
  #say(text) {
    clearTimeout(this.#spoken);
    this.#spoken = setTimeout(() => {
      this.#live.textContent = text;
    }, SPOKEN_AFTER_MS);
  }
}

/** @returns {HTMLElement} */
function dot() {
  return h('span', { class: 'dot', 'aria-hidden': 'true' }, ' · ');
}
