/** What is known of the open picture, and what it has to do with the query. */

import { ApiError, call, isAbort } from './api.js';
import { copyText } from './dialogs.js';
import { button, fill, h, iconButton } from './dom.js';
import { fileName, folderOf, moment, number, partOf, percent, plural, size } from './format.js';
import { usesUpload } from './state.js';

/** @typedef {import('./types.js').Hit} Hit */
/** @typedef {import('./types.js').Facts} Facts */
/** @typedef {import('./types.js').Explanation} Explanation */
/** @typedef {import('./types.js').Part} Part */

/** While an arrow key is held, pictures pass without being asked about. */
const PAUSE_MS = 90;

export class Details {
  /** @type {AbortController} */ #gone = new AbortController();
  #name = h('h2', { id: 'viewer-name' });
  #date = h('p', { class: 'quiet' });
  #why = h('section', { class: 'panel-section', hidden: true, 'data-testid': 'explanation' });
  #facts = h('section', { class: 'panel-section' });
  #places = h('section', { class: 'panel-section' });

  /**
   * @param {import('./actions.js').Actions} actions
   * @param {() => void} onGone called when the library does not have the picture
   * @param {() => Promise<Blob|undefined>} upload gives the picture that the query was made with
   */
  constructor(actions, onGone, upload) {
    this.upload = upload;
    this.actions = actions;
    this.onGone = onGone;
    this.id = '';
    this.element = h(
      'div',
      { class: 'panel-body' },
      h('header', { class: 'panel-head' }, this.#name, this.#date),
      h(
        'div',
        { class: 'panel-actions' },
        button('More like this', () => actions.moreLike(this.id), {
          symbol: 'similar',
          class: 'button is-primary',
          title: 'More like this (s)',
          'data-testid': 'more-like-this',
        }),
        button('Not this', () => void actions.notThis(this.id), {
          symbol: 'minus',
          title: 'Not this (n)',
          'data-testid': 'not-this',
        }),
        button('More of this', () => void actions.teachMore(this.id), {
          symbol: 'plus',
          title: 'The search learns from it, as from an example of what is meant (m)',
          'data-testid': 'teach-more',
        }),
        button('Less of this', () => void actions.teachLess(this.id), {
          symbol: 'minus',
          title: 'The search learns from it, as from an example of what is not meant (u)',
          'data-testid': 'teach-less',
        }),
      ),
      this.#why,
      this.#facts,
      this.#places,
    );
  }

  /**
   * Show a picture: what the answer said of it now, the rest when it comes.
   *
   * @param {string} id
   * @param {Hit|undefined} hit
   * @param {string} q
   * @returns {Promise<Facts|undefined>}
   */
  async show(id, hit, q) {
    this.#gone.abort();
    this.#gone = new AbortController();
    this.id = id;
    this.#name.textContent = hit ? fileName(hit.path) : 'Picture';
    this.#date.textContent = hit ? moment(hit.taken_at) : '';
    if (!this.element.isConnected || !hit) fill(this.#facts);
    this.#drawPlaces(hit?.paths ?? []);
    const { signal } = this.#gone;
    try {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      signal.throwIfAborted();
      const canExplain = Boolean(q.trim());
      if (!canExplain) this.#why.hidden = true;
      const [facts] = await Promise.all([this.#loadFacts(id, signal), canExplain && this.#loadWhy(id, q, signal)]);
      return facts;
    } catch (error) {
      if (!isAbort(error)) this.#onError(error);
      return undefined;
    }
  }

  /** @param {string} id @param {AbortSignal} signal @returns {Promise<Facts>} */
  async #loadFacts(id, signal) {
    /** @type {Facts} */
    const facts = await call(`/images/${id}`, { signal });
    this.#name.textContent = fileName(facts.paths[0] ?? null);
    this.#date.textContent = moment(facts.taken_at);
    this.#drawFacts(facts);
    this.#drawPlaces(facts.paths);
    return facts;
  }

  /** @param {string} id @param {string} q @param {AbortSignal} signal */
  async #loadWhy(id, q, signal) {
    try {
      const body = usesUpload(q) ? await this.upload() : undefined;
      const method = body ? 'POST' : 'GET';
      this.#drawWhy(await call(`/images/${id}/explanation`, { method, params: { q }, body, signal }));
    } catch (error) {
      if (isAbort(error)) throw error;
      this.#why.hidden = true; // A query that cannot be read explains nothing; the box says so.
    }
  }

  /** @param {unknown} error */
  #onError(error) {
    fill(
      this.#facts,
      h('p', { class: 'quiet' }, error instanceof Error ? error.message : 'Nothing is known of it.'),
    );
    this.#why.hidden = true;
    if (error instanceof ApiError && error.status === 404) this.onGone();
  }

  /** @param {Explanation} found */
  #drawWhy({ verdict, hit, relevant }) {
    const wanted = hit.parts.filter((part) => !part.excluded);
    const left = hit.parts.filter((part) => part.excluded).sort((a, b) => b.confidence - a.confidence);
    const rest = left.slice(1);
    fill(
      this.#why,
      h('h3', {}, relevant ? 'Why it matched' : 'Why it did not match'),
      h('p', { class: 'verdict' }, verdict),
      h('ul', { class: 'bars' }, [...wanted, ...left.slice(0, 1)].map(bar)),
      rest.length > 0 &&
        h(
          'details',
          { class: 'more' },
          h('summary', {}, `${plural(rest.length, 'more thing')} to leave out`),
          h('ul', { class: 'bars' }, rest.map(bar)),
        ),
    );
    this.#why.hidden = false;
  }

  /** @param {Facts} facts */
  #drawFacts(facts) {
    const pixels = (facts.width * facts.height) / 1e6;
    /** @type {[string, import('./dom.js').Child][]} */
    const rows = [
      ['Taken', moment(facts.taken_at)],
      ['Camera', facts.camera],
      [
        'Size',
        `${number(facts.width)} × ${number(facts.height)}${pixels >= 0.95 ? ` · ${pixels.toFixed(1)} MP` : ''}`,
      ],
      ['File', `${facts.format} · ${size(facts.size_bytes)}`],
      ['In the file', partOf(facts.fragments[facts.paths[0] ?? ''])],
      ['Where', this.#where(facts)],
      ['Caption', facts.caption],
      [
        'Keywords',
        facts.keywords.length
          ? h(
              'span',
              { class: 'keywords' },
              facts.keywords.map((word) => h('span', { class: 'keyword' }, word)),
            )
          : null,
      ],
      ['Text in it', facts.text ? h('q', { class: 'ocr' }, facts.text) : null],
    ];
    fill(
      this.#facts,
      h('h3', {}, 'About'),
      h(
        'dl',
        { class: 'facts' },
        rows
          .filter(([, value]) => value)
          .map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))),
      ),
    );
  }

  /** @param {Facts} facts */
  #where({ latitude, longitude }) {
    if (latitude === null || longitude === null) return null;
    const numbers = `${latitude.toFixed(5)},${longitude.toFixed(5)}`;
    const says = `${degrees(latitude, 'N', 'S')}, ${degrees(longitude, 'E', 'W')}`;
    return [
      h(
        'span',
        { class: 'with-button' },
        h('a', { href: `geo:${numbers}`, title: 'Open in a map program' }, says),
        iconButton('copy', 'Copy the coordinates', {
          class: 'icon-button is-small',
          onclick: () => copyText(numbers, 'the coordinates'),
        }),
      ),
      h(
        'button',
        {
          type: 'button',
          class: 'text-button',
          'data-testid': 'find-near',
          onclick: () => this.actions.near(latitude, longitude),
        },
        'Find near here',
      ),
    ];
  }

  /** @param {string[]} paths */
  #drawPlaces(paths) {
    const title = paths.length > 1 ? `Lies in ${number(paths.length)} places` : 'Lies in';
    fill(
      this.#places,
      paths.length > 0 && h('h3', {}, title),
      h(
        'ul',
        { class: 'places' },
        paths.map((path) =>
          h(
            'li',
            { class: 'with-button' },
            h('span', { class: 'place', title: path }, h('small', {}, `${folderOf(path)}/`), fileName(path)),
            iconButton('copy', `Copy the path ${path}`, {
              class: 'icon-button is-small',
              title: 'Copy this path',
              'data-testid': 'copy-place',
              onclick: () => copyText(path, 'the path'),
            }),
          ),
        ),
      ),
    );
  }
}

/** @param {Part} part @returns {HTMLElement} */
function bar({ text, kind, excluded, confidence, words }) {
  const says = text
    .replace(/(more|less):([0-9a-f]{6})[0-9a-f]*/g, '$1 like the picture $2…')
    .replace(/like:([0-9a-f]{6})[0-9a-f]*/g, 'the picture $1…');
  const isFilter = kind === 'filter';
  const holds = confidence >= 0.5;
  const value = isFilter ? (holds ? 'yes' : 'no') : percent(confidence);
  const gauge = h('span', { class: 'bar', 'aria-hidden': 'true' }, h('i'));
  /** @type {HTMLElement} */ (gauge.firstElementChild).style.width = `${Math.round(confidence * 100)}%`;
  return h(
    'li',
    { class: excluded ? 'bar-row is-excluded' : 'bar-row' },
    h('span', { class: 'bar-text' }, excluded && h('span', { class: 'bar-not' }, 'not '), says),
    h('span', { class: 'bar-value' }, value),
    !isFilter && gauge,
    words.length > 0 && h('small', {}, `its name or text says: ${words.join(', ')}`),
  );
}

/** @param {number} angle @param {string} above @param {string} below @returns {string} */
function degrees(angle, above, below) {
  return `${Math.abs(angle).toFixed(4)}° ${angle < 0 ? below : above}`;
}
