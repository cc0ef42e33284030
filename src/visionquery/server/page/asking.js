/** From the address to an answer: one question at a time, and never an answer to an older one. */

import { ApiError, call, isAbort } from './api.js';
import { Results } from './blocks.js';
import { BLOCK } from './sheet.js';
import { usesUpload } from './state.js';

/** @typedef {import('./types.js').Answer} Answer */
/** @typedef {import('./state.js').View} View */

/**
 * @typedef {object} Asked
 * @property {View} view
 * @property {boolean} isTyping whether somebody is in the middle of a word
 * @property {boolean} isRefresh whether the same was asked before and the library has changed
 * @property {boolean} [isRefined] whether a second model has looked at what was answered before
 *
 * @typedef {object} Listener
 * @property {() => void} onAsk
 * @property {(results: Results, asked: Asked) => void} onAnswer
 * @property {(error: ApiError, asked: Asked) => void} onRefused
 * @property {(error: ApiError, seconds: number, retry: () => void) => void} onWaiting
 * @property {() => void} onUploadGone
 */

const TYPING_MS = 120;
const LONGEST_WAIT = 30;
/** A second look is too much for every letter. */
const RESTING_MS = 600;

export class Asking {
  #timer = 0;
  #failures = 0;
  /** @type {AbortController} */ #gone = new AbortController();
  /** @type {Asked|null} */ #due = null;

  /**
   * @param {import('./state.js').State} state
   * @param {{get: (key: string) => Promise<Blob|undefined>}} uploads
   * @param {Listener} listener
   */
  constructor(state, uploads, listener) {
    this.state = state;
    this.uploads = uploads;
    this.listener = listener;
    state.listen((view, before, { origin }) => {
      const isOther = ['q', 'sort', 'fold', 'upload'].some((name) => view[name] !== before[name]);
      if (isOther) this.#ask({ view, isTyping: origin === 'typing', isRefresh: false });
    });
  }

  /** Ask what the address says, at once. */
  start() {
    this.#ask({ view: this.state.view, isTyping: false, isRefresh: false });
  }

  /** Ask the same again: the library has changed. */
  refresh() {
    this.#ask({ view: this.state.view, isTyping: false, isRefresh: true });
  }

  /** Do not wait for more letters. */
  flush() {
    if (this.#due) this.#ask({ ...this.#due, isTyping: false });
  }

  /** @param {Asked} asked */
  #ask(asked) {
    clearTimeout(this.#timer);
    this.#gone.abort();
    this.#gone = new AbortController();
    this.#due = asked;
    this.listener.onAsk();
    const { signal } = this.#gone;
    if (asked.isTyping) this.#timer = setTimeout(() => this.#run(asked, signal), TYPING_MS);
    else void this.#run(asked, signal);
  }

  /** @param {Asked} asked @param {AbortSignal} signal */
  async #run(asked, signal) {
    try {
      const fetchPage = await this.#pages(asked.view);
      if (signal.aborted) return;
      if (!fetchPage) {
        this.listener.onUploadGone();
        return;
      }
      const answer = await fetchPage(0, signal);
      if (signal.aborted) return;
      this.#due = null;
      this.#failures = 0;
      performance.mark('visionquery-answer');
      this.listener.onAnswer(new Results(answer, fetchPage), asked);
      afterPaint(() => performance.mark('visionquery-first-results'));
      if (answer.second_look) void this.#refine(asked, signal);
    } catch (error) {
      if (!isAbort(error) && !signal.aborted) this.#fail(error, asked);
    }
  }

  /**
   * Have a second model look at the best, while the first answer is there already: where it cannot,
   * that answer stays, and nobody is told.
   *
   * @param {Asked} asked
   * @param {AbortSignal} signal
   */
  async #refine(asked, signal) {
    try {
      await new Promise((resolve) => setTimeout(resolve, asked.isTyping ? RESTING_MS : 0));
      if (signal.aborted) return;
      const fetchPage = await this.#pages(asked.view, { rerank: true });
      if (!fetchPage || signal.aborted) return;
      const answer = await fetchPage(0, signal);
      if (signal.aborted || !answer.reranked_by) return;
      this.listener.onAnswer(new Results(answer, fetchPage), { ...asked, isRefined: true });
    } catch (error) {
      if (!isAbort(error) && !(error instanceof ApiError)) throw error;
    }
  }

  /** @param {unknown} error @param {Asked} asked */
  #fail(error, asked) {
    if (!(error instanceof ApiError)) throw error;
    if (!error.isPassing) {
      this.#due = null;
      this.listener.onRefused(error, asked);
      return;
    }
    const seconds = Math.max(error.retryAfter, Math.min(LONGEST_WAIT, 2 ** this.#failures));
    this.#failures += 1;
    this.#timer = setTimeout(() => this.#ask({ ...asked, isTyping: false }), seconds * 1000);
    this.listener.onWaiting(error, seconds, () => this.#ask({ ...asked, isTyping: false }));
  }

  /**
   * Return what fetches a page of the answer; nothing where the picture that is asked about is not
   * kept any more.
   *
   * @param {View} view
   * @param {{rerank?: true}} [how] whether a second model looks at the best
   * @returns {Promise<((offset: number, signal: AbortSignal) => Promise<Answer>)|undefined>}
   */
  async #pages({ q, sort, fold, upload }, { rerank } = {}) {
    const body = usesUpload(q) ? await this.uploads.get(upload) : undefined;
    if (usesUpload(q) && !body) return undefined;
    const method = body ? 'POST' : 'GET';
    return (offset, signal) => {
      const spread = sort === 'spread' || undefined;
      const order = (!spread && sort) || undefined;
      const params = { q: q.trim(), limit: BLOCK, offset, sort: order, spread, fold, rerank };
      return call('/search', { method, params, body, signal });
    };
  }
}

/** @param {() => void} act what to do once the next frame is on the screen */
function afterPaint(act) {
  requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = act;
    port2.postMessage(null);
  });
}
