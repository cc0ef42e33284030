/** The address is the state: what is asked, how it is sorted, which picture is open. */

/**
 * @typedef {object} View
 * @property {string} q
 * @property {string} sort "" is the default order
 * @property {boolean} fold whether pictures that are much the same come as one
 * @property {string} image id of the open picture, "" for none
 * @property {string} upload key of the picture that `image:upload` stands for
 */

/** @typedef {{origin: 'typing'|'choice'|'history'}} Change */

const UPLOAD = /(?:^|[\s(:-])image:upload(?=$|[\s),])/;

/** @param {string} q @returns {boolean} whether a query uses the picture that comes with it */
export function usesUpload(q) {
  return UPLOAD.test(q);
}

/**
 * Return the address of a view.
 *
 * @param {View} view
 * @returns {string}
 */
export function addressOf(view) {
  const params = new URLSearchParams();
  if (view.q.trim()) params.set('q', view.q);
  if (view.sort) params.set('sort', view.sort);
  if (view.fold) params.set('fold', 'true');
  if (view.upload && usesUpload(view.q)) params.set('upload', view.upload);
  if (view.image) params.set('image', view.image);
  const text = params.toString();
  return text ? `/?${text}` : '/';
}

/** @param {string} id @returns {View} a picture and all that looks like it, each by itself */
export function alikeView(id) {
  return { q: `like:${id}`, sort: '', fold: false, image: '', upload: '' };
}

/** @param {string} id @returns {string} the address of that */
export function alikeTo(id) {
  return addressOf(alikeView(id));
}

/** @param {string} search @returns {View} */
function viewOf(search) {
  const params = new URLSearchParams(search);
  const sort = params.get('sort') ?? '';
  const image = params.get('image') ?? '';
  return {
    q: params.get('q') ?? '',
    sort: ['relevance', 'spread', 'date', 'path'].includes(sort) ? sort : '',
    fold: params.get('fold') === 'true',
    image: /^[0-9a-f]{32}$/.test(image) ? image : '',
    upload: params.get('upload') ?? '',
  };
}

/**
 * Holds the view. Typing changes the address in place; what is settled on becomes an entry of its
 * own, and the entry before it goes back to what had been settled on there.
 */
export class State {
  /** @type {View} */ #now = viewOf(location.search);
  /** @type {View} */ #settled = this.#now;
  /** @type {Set<(view: View, before: View, change: Change) => void>} */ #listeners = new Set();
  #late = 0;

  constructor() {
    addEventListener('popstate', () => {
      const before = this.#now;
      this.#now = this.#settled = viewOf(location.search);
      this.#tell(before, { origin: 'history' });
    });
  }

  /** @returns {View} */
  get view() {
    return this.#now;
  }

  /**
   * Call a function after every change.
   *
   * @param {(view: View, before: View, change: Change) => void} listener
   */
  listen(listener) {
    this.#listeners.add(listener);
  }

  /**
   * Change the view while somebody types: the address follows, history does not.
   *
   * @param {Partial<View>} changes
   */
  draft(changes) {
    this.#set(changes, { origin: 'typing' });
    this.#replace();
  }

  /**
   * Change the view for good, as a new entry of the history or in the place of the present one.
   *
   * @param {Partial<View>} changes
   * @param {{push?: boolean}} [how]
   */
  go(changes, { push = true } = {}) {
    const before = this.#now;
    this.#now = { ...this.#now, ...changes };
    if (push) {
      this.#push();
    } else {
      this.#settled = this.#now;
      this.#replace();
    }
    this.#tell(before, { origin: 'choice' });
  }

  /** Settle on what was typed. */
  settle() {
    if (addressOf(this.#now) !== addressOf(this.#settled)) this.#push();
  }

  /** Leave the open picture: back to where it was opened from, if that was here. */
  closeImage() {
    if (history.state?.opened) history.back();
    else this.go({ image: '' }, { push: false });
  }

  /** @param {Partial<View>} changes @param {Change} change */
  #set(changes, change) {
    const before = this.#now;
    this.#now = { ...this.#now, ...changes };
    this.#tell(before, change);
  }

  #push() {
    const address = addressOf(this.#now);
    if (address !== addressOf(this.#settled)) {
      const opened = Boolean(this.#now.image) && !this.#settled.image;
      history.replaceState(history.state, '', addressOf(this.#settled));
      history.pushState({ opened }, '', address);
    }
    this.#settled = this.#now;
  }

  /** Browsers refuse many changes in a short time (a held arrow key): the last one comes later. */
  #replace() {
    clearTimeout(this.#late);
    try {
      history.replaceState(history.state, '', addressOf(this.#now));
    } catch {
      this.#late = setTimeout(() => this.#replace(), 1000);
    }
  }

  /** @param {View} before @param {Change} change */
  #tell(before, change) {
    for (const listener of this.#listeners) listener(this.#now, before, change);
  }
}
