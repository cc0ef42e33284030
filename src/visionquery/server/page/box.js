/** The search box: what is typed is asked, and what cannot be read is marked where it stands. */

import { attachPopover } from './dialogs.js';
import { byId, fill, h } from './dom.js';
import { Suggestions } from './suggest.js';

/** @typedef {import('./api.js').ApiError} ApiError */

/** In the middle of a word a query is seldom whole: an error waits for a pause. */
const PATIENCE_MS = 700;

const EXAMPLES = [
  ['a dog running on grass', 'plain words describe a picture'],
  ['a beach without people', 'leaves out what you name'],
  ['a street -cars', 'the same, with a mark'],
  ['cat OR dog', 'either'],
  ['bicycle AND snow', 'both, each judged on its own'],
  ['"red car"', 'exactly these words'],
  ['2:sunset 1:mountains', 'the first counts twice'],
  ['date:2023..2024', 'when it was taken'],
  ['path:holiday', 'where it lies'],
  ['camera:sony', 'what took it'],
  ['orientation:portrait width:>3000', 'its shape and size'],
  ['near:52.52,13.40,5km', 'where it was taken'],
];

export class Box {
  #patience = 0;
  input = byId('q', HTMLInputElement);
  #box = byId('box', HTMLElement);
  #problem = byId('problem', HTMLElement);
  #star = byId('save-search', HTMLButtonElement);
  #clear = byId('clear', HTMLButtonElement);

  /**
   * @param {object} with_
   * @param {import('./state.js').State} with_.state
   * @param {import('./history.js').SearchHistory} with_.history
   * @param {() => void} with_.onSubmit
   * @param {() => void} with_.onLeaveDown called when the keyboard goes on below the box
   */
  constructor({ state, history, onSubmit, onLeaveDown }) {
    this.state = state;
    this.history = history;
    this.onSubmit = onSubmit;
    this.onLeaveDown = onLeaveDown;
    this.suggestions = new Suggestions(this.input, byId('suggestions', HTMLElement), history, (q) => this.#take(q));
    this.input.value = state.view.q;
    this.#listen();
    this.#drawButtons();
    state.listen((view) => {
      if (view.q !== this.input.value) this.input.value = view.q;
      this.#drawButtons();
    });
    history.listen(() => this.#drawButtons());
    this.#drawHelp();
  }

  /** Put the keyboard into the box, with the text selected. */
  focus() {
    this.input.focus();
    this.input.select();
    if (!this.input.value) this.suggestions.open();
  }

  /**
   * Show what is wrong with a query, at once or after a pause.
   *
   * @param {string} q
   * @param {ApiError} error
   * @param {boolean} isTyping
   */
  showProblem(q, error, isTyping) {
    clearTimeout(this.#patience);
    const isShown = !this.#problem.hidden;
    this.#patience = setTimeout(() => this.#drawProblem(q, error), isTyping && !isShown ? PATIENCE_MS : 0);
  }

  hideProblem() {
    clearTimeout(this.#patience);
    this.#problem.hidden = true;
    this.#box.classList.remove('is-wrong');
    this.input.removeAttribute('aria-invalid');
  }

  /**
   * Do what Escape does: close the list, empty the box, leave it.
   *
   * @returns {boolean} whether there was anything to do
   */
  escape() {
    if (this.suggestions.isOpen) this.suggestions.close();
    else if (this.input.value) this.state.go({ q: '', upload: '' });
    else if (document.activeElement === this.input) this.input.blur();
    else return false;
    return true;
  }

  #listen() {
    const { input, state } = this;
    input.addEventListener('input', () => {
      state.draft({ q: input.value });
      if (input.value) this.suggestions.close();
      else this.suggestions.open();
    });
    input.addEventListener('click', () => {
      if (!input.value) this.suggestions.open();
    });
    input.addEventListener('blur', () => {
      this.suggestions.close();
      this.#settle();
    });
    input.addEventListener('keydown', (event) => this.#onKey(event));
    this.#box.addEventListener('pointerdown', (event) => this.#onPress(event));
    this.#clear.addEventListener('click', () => {
      state.go({ q: '', upload: '' });
      this.focus();
    });
    this.#star.addEventListener('click', () => this.history.toggleSaved(state.view.q));
  }

  /** @param {PointerEvent} event a press on the frame of the box is meant for the box */
  #onPress(event) {
    if (event.target !== this.#box) return;
    event.preventDefault();
    this.input.focus();
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    if (event.isComposing) return;
    const acts = {
      ArrowDown: () => this.#down(),
      ArrowUp: () => this.suggestions.isOpen && this.suggestions.move(-1),
      Enter: () => (this.suggestions.isOpen && this.suggestions.choose() ? true : this.#submit()),
      Delete: () => this.suggestions.isOpen && this.suggestions.deleteActive(),
    };
    if (event.key in acts && acts[/** @type {keyof acts} */ (event.key)]() !== false) event.preventDefault();
  }

  #down() {
    if (!this.suggestions.isOpen) this.suggestions.open();
    if (this.suggestions.isOpen && this.suggestions.move(1)) return;
    this.suggestions.close();
    this.onLeaveDown();
  }

  #submit() {
    this.suggestions.close();
    this.#settle();
    this.onSubmit();
    // On a phone the keyboard covers the pictures; one who pressed Search wants to see them.
    if (matchMedia('(pointer: coarse)').matches) this.input.blur();
  }

  #settle() {
    this.state.settle();
    if (this.#problem.hidden) this.history.remember(this.state.view.q);
  }

  /** @param {string} q */
  #take(q) {
    this.suggestions.close();
    this.state.go({ q });
    this.history.remember(q);
  }

  #drawButtons() {
    const { q } = this.state.view;
    const isSaved = this.history.isSaved(q);
    this.#clear.hidden = !q;
    this.#star.hidden = !this.history.canKeep(q);
    this.#star.setAttribute('aria-pressed', String(isSaved));
    this.#star.title = isSaved ? 'Saved: click to forget' : 'Save this search';
  }

  /** @param {string} q @param {ApiError} error */
  #drawProblem(q, error) {
    const letters = [...q];
    const position = error.isQuery ? Math.min(letters.length, error.problem.position ?? 0) : letters.length;
    const rest = letters.slice(position).join('');
    const word = rest.match(/^\s*\S+/)?.[0] ?? '\u00a0\u00a0';
    const mirror = h(
      'div',
      { class: 'problem-mirror', 'aria-hidden': 'true' },
      h('span', {}, letters.slice(0, position).join('')),
      h('mark', {}, word),
      h('span', {}, rest.slice(word.length)),
    );
    fill(this.#problem, error.isQuery && mirror, h('p', { 'data-testid': 'error', role: 'alert' }, error.message));
    this.#problem.hidden = false;
    this.#box.classList.add('is-wrong');
    this.input.setAttribute('aria-invalid', 'true');
    const mark = mirror.querySelector('mark');
    if (mark) mirror.scrollLeft = Math.max(0, mark.offsetLeft - 80);
  }

  #drawHelp() {
    const popover = byId('syntax', HTMLElement);
    fill(
      popover,
      h('h2', {}, 'Say what you are looking for'),
      h(
        'ul',
        { class: 'syntax-list' },
        EXAMPLES.map(([q, says]) =>
          h(
            'li',
            {},
            h(
              'button',
              {
                type: 'button',
                onclick: () => {
                  popover.hidePopover();
                  this.#take(q);
                  this.input.focus();
                },
              },
              h('code', {}, q),
              h('span', {}, says),
            ),
          ),
        ),
      ),
      h('p', { class: 'quiet' }, 'Everything can be combined. Drop or paste a picture anywhere to search by it.'),
    );
    attachPopover(byId('help', HTMLButtonElement), popover);
  }
}
