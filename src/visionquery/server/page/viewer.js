/** One picture, large, with everything about it; through the whole answer with the arrow keys. */

import { originalAt, thumbnail } from './api.js';
import { BoxDraw } from './boxdraw.js';
import { Details } from './details.js';
import { openDialog } from './dialogs.js';
import { byId, fill, h, icon, iconButton, prefersStill } from './dom.js';
import { number, spokenName } from './format.js';
import { Found } from './found.js';
import { Where } from './where.js';
import { Zoom } from './zoom.js';

/** @typedef {import('./types.js').Hit} Hit */
/** @typedef {import('./blocks.js').Results} Results */

const MOST_ENLARGED = 3;
const PANEL = 'visionquery.panel';

export class Viewer {
  #index = -1;
  #id = '';
  /** @type {Hit|undefined} */ #hit;
  /** @type {{width: number, height: number}} */ #size = { width: 3, height: 2 };
  dialog = byId('viewer', HTMLDialogElement);
  #small = h('img', { class: 'viewer-small', alt: '', draggable: 'false' });
  #large = h('img', { class: 'viewer-large', alt: '', draggable: 'false', decoding: 'async' });
  #film = h('div', { class: 'viewer-film' });
  #frame = h('figure', { class: 'viewer-frame' }, this.#small, this.#large, this.#film);
  #gone = h('p', { class: 'viewer-gone', hidden: true, role: 'status' });
  #counter = h('span', { class: 'viewer-counter', role: 'status' });
  #previous = iconButton('left', 'Previous picture (←)', {
    class: 'icon-button viewer-side is-left',
    'data-testid': 'viewer-previous',
    onclick: () => this.step(-1),
  });
  #next = iconButton('right', 'Next picture (→)', {
    class: 'icon-button viewer-side is-right',
    'data-testid': 'viewer-next',
    onclick: () => this.step(1),
  });
  #original = h(
    'a',
    {
      class: 'icon-button',
      target: '_blank',
      rel: 'noopener',
      title: 'Open the original',
      'aria-label': 'Open the original in a new tab',
      'data-testid': 'open-original',
    },
    icon('open'),
  );
  #play = tool('play', 'Play from here (p)', 'play', () => this.play());
  #select = tool('tick', 'Select (x)', 'select', () => this.#hit && this.selection.toggle(this.#hit, this.#index));
  #find = tool('where', 'Where? (w)', 'where', () => this.toggleWhere());
  #info = tool('info', 'Information (i)', 'viewer-info', () => this.togglePanel());
  #stage = h('div', { class: 'viewer-stage' }, this.#frame, this.#gone, this.#previous, this.#next);

  /**
   * @param {object} with_
   * @param {import('./state.js').State} with_.state
   * @param {import('./grid.js').Grid} with_.grid
   * @param {import('./actions.js').Actions} with_.actions
   * @param {import('./selection.js').Selection} with_.selection
   * @param {import('./upload.js').Uploads} with_.uploads
   */
  constructor({ state, grid, actions, selection, uploads }) {
    this.state = state;
    this.grid = grid;
    this.actions = actions;
    this.selection = selection;
    this.details = new Details(
      actions,
      () => this.#showGone('This picture is not in the library any more.', true),
      () => uploads.get(state.view.upload),
    );
    this.where = new Where(this.#frame, this.#find, () => uploads.get(state.view.upload));
    this.found = new Found(this.#frame, (box) => actions.likePart(this.#id, box));
    this.draw = new BoxDraw(this.#frame, (box) => actions.likePart(this.#id, box));
    this.zoom = new Zoom(
      this.#stage,
      this.#frame,
      () => this.draw.isOpen,
      (step) => this.step(step),
    );
    this.#build();
    this.#listen();
    if (state.view.image) this.#open(state.view.image);
  }

  /** @returns {boolean} */
  get isOpen() {
    return this.dialog.open;
  }

  /** @returns {Hit|undefined} the open picture */
  get hit() {
    return this.isOpen ? this.#hit : undefined;
  }

  /**
   * Open a picture of the grid.
   *
   * @param {number} index
   */
  open(index) {
    const hit = this.grid.results?.hit(index);
    if (!hit) return;
    this.#index = index;
    this.state.go({ image: hit.image_id });
  }

  /** @param {-1|1} step go to the picture before or after */
  async step(step) {
    const results = this.grid.results;
    if (!results || this.#index < 0) return;
    const to = this.#index + step;
    const hit = await results.load(to);
    if (!hit || !this.isOpen || results !== this.grid.results) return;
    this.#index = to;
    this.draw.close();
    this.state.go({ image: hit.image_id }, { push: false });
  }

  /** Learn where the open picture is in a new answer. */
  onAnswer() {
    if (!this.isOpen) return;
    this.#index = this.grid.results?.indexOf(this.#id) ?? -1;
    const hit = this.grid.results?.hit(this.#index);
    this.#hit ??= hit;
    this.found.show(hit?.box);
    this.#drawCounter();
  }

  /** Show or hide what is known of the picture. */
  togglePanel() {
    const isHidden = this.dialog.classList.toggle('has-no-panel');
    localStorage.setItem(PANEL, isHidden ? 'hidden' : 'shown');
    this.#drawPanelButton();
  }

  /** Play the video from the moment that the picture is. */
  play() {
    if (this.#play.hidden) return;
    this.zoom.reset();
    this.draw.close();
    this.where.close();
    const video = h('video', {
      class: 'viewer-video',
      controls: true,
      autoplay: true,
      playsinline: true,
      'data-testid': 'viewer-video',
    });
    video.addEventListener('error', () => {
      video.remove();
      if (this.isOpen) this.#showGone('This browser cannot play the video. Download it to see it (d).');
    });
    video.src = this.#original.href;
    fill(this.#film, video);
  }

  /** @param {string} id @param {string|null|undefined} fragment */
  #drawMoment(id, fragment) {
    fill(this.#film);
    this.#play.hidden = !fragment?.startsWith('t=');
    this.#original.setAttribute('href', originalAt(id, fragment));
  }

  /** Begin, or stop, to draw a frame. */
  toggleDraw() {
    this.zoom.reset();
    if (this.draw.isOpen) this.draw.close();
    else this.draw.open();
  }

  /** Show, or hide, where in the picture the query is seen. */
  toggleWhere() {
    this.found.reveal();
    if (!this.#find.hidden) void this.where.toggle(this.#id, this.state.view.q);
  }

  /** Do what Escape does: leave the frame, the offer, the heatmap, the enlargement, the picture. */
  escape() {
    if (this.draw.isOpen) this.draw.close();
    else if (this.found.isOpen) this.found.toggle();
    else if (this.where.isOpen) this.where.close();
    else if (this.zoom.isZoomed) this.zoom.reset();
    else this.state.closeImage();
  }

  #build() {
    if (localStorage.getItem(PANEL) === 'hidden') this.dialog.classList.add('has-no-panel');
    const bar = h(
      'div',
      { class: 'viewer-bar', role: 'toolbar', 'aria-label': 'Picture' },
      tool('close', 'Close (Escape)', 'viewer-close', () => this.state.closeImage()),
      this.#counter,
      h('span', { class: 'spacer' }),
      this.#find,
      tool('frame', 'Search by a part (b)', 'draw-box', () => this.toggleDraw()),
      tool('copy', 'Copy the path (c)', 'copy-path', () => this.#hit && this.actions.copyPath(this.#hit)),
      tool('download', 'Download (d)', 'download', () => this.#hit && void this.actions.download(this.#hit)),
      this.#play,
      this.#original,
      this.#select,
      this.#info,
    );
    const panel = h('aside', { class: 'viewer-panel', 'aria-label': 'About this picture' }, this.details.element);
    this.#stage.append(this.where.note);
    fill(this.dialog, this.#stage, bar, panel);
    this.#drawPanelButton();
  }

  #listen() {
    this.state.listen((view, before) => {
      if (view.image === before.image) return;
      if (!view.image) this.#close(view.q === before.q);
      else if (this.isOpen) this.#show(view.image);
      else this.#open(view.image);
    });
    this.dialog.addEventListener('cancel', (event) => {
      event.preventDefault();
      this.escape();
    });
    // A browser may close a dialog without asking, when Escape is pressed twice.
    this.dialog.addEventListener('close', () => this.state.view.image && this.state.closeImage());
    this.selection.listen(() => this.#drawSelected());
    this.#large.addEventListener('load', () => {
      this.#large.classList.add('is-here');
      this.#prefetch();
    });
    this.#large.addEventListener(
      'error',
      () =>
        this.#large.hasAttribute('src') &&
        this.#showGone('The file of this picture cannot be shown: it is gone, or it has changed.'),
    );
    new ResizeObserver(() => this.#fit()).observe(this.#stage);
  }

  /** @param {string} id */
  #open(id) {
    if (this.grid.results?.hit(this.#index)?.image_id !== id) this.#index = this.grid.results?.indexOf(id) ?? -1;
    const tile = this.grid.tile(this.#index);
    const show = () => {
      openDialog(this.dialog);
      document.documentElement.classList.add('has-viewer');
      this.#show(id);
    };
    this.#move(tile?.image, this.#frame, show);
  }

  /** @param {boolean} toTile whether the picture goes back to its place */
  #close(toTile) {
    if (!this.isOpen) return;
    this.draw.close();
    this.where.close();
    this.zoom.reset();
    const focus = toTile && this.#index >= 0;
    const hide = () => {
      this.dialog.close();
      document.documentElement.classList.remove('has-viewer');
      if (focus) this.grid.goTo(this.#index);
      this.#large.removeAttribute('src');
      fill(this.#film);
      this.#hit = undefined;
      this.#index = -1;
      this.#id = '';
    };
    if (focus) this.grid.goTo(this.#index, { focus: false });
    this.#move(this.#frame, focus ? this.grid.tile(this.#index)?.image : undefined, hide);
  }

  /**
   * Let the picture grow from its tile, or shrink back into it, where the browser can.
   *
   * @param {HTMLElement|undefined} from
   * @param {HTMLElement|undefined} to
   * @param {() => void} change
   */
  #move(from, to, change) {
    if (!document.startViewTransition || prefersStill() || !from || !to || document.hidden) {
      change();
      return;
    }
    from.style.viewTransitionName = 'picture';
    const transition = document.startViewTransition(() => {
      from.style.viewTransitionName = '';
      change();
      to.style.viewTransitionName = 'picture';
    });
    const end = () => {
      to.style.viewTransitionName = '';
    };
    transition.finished.then(end, end);
    transition.ready.catch(() => {});
  }

  /** @param {string} id */
  #show(id) {
    this.zoom.reset();
    this.where.close();
    this.#find.hidden = !this.state.view.q.trim();
    if (this.grid.results?.hit(this.#index)?.image_id !== id) this.#index = this.grid.results?.indexOf(id) ?? -1;
    const hit = this.grid.results?.hit(this.#index);
    this.#id = id;
    this.#hit = hit;
    this.found.show(hit?.box);
    this.#showGone(false);
    this.#large.classList.remove('is-here');
    this.#small.src = this.grid.tile(this.#index)?.image.currentSrc || thumbnail(id, 640);
    this.#large.src = thumbnail(id, 2560);
    this.#large.alt = hit ? spokenName(hit) : 'Picture';
    this.#drawMoment(id, hit?.fragment);
    if (hit) this.#setSize(hit);
    this.#drawCounter();
    this.#drawSelected();
    void this.details.show(id, hit, this.state.view.q).then((facts) => {
      if (!facts || this.#id !== id) return;
      this.#setSize(facts);
      const path = facts.paths[0] ?? null;
      const fragment = facts.fragments[path ?? ''] ?? null;
      if (!this.#hit) this.#drawMoment(id, fragment);
      this.#hit ??= { ...facts, rank: null, score: null, confidence: 0, path, fragment, parts: [] };
      this.#large.alt = spokenName(this.#hit);
    });
  }

  /** @param {{width: number, height: number}} size */
  #setSize({ width, height }) {
    this.#size = { width, height };
    this.#fit();
  }

  /** Give the frame the largest size of the picture's shape that fits. */
  #fit() {
    const style = getComputedStyle(this.#stage);
    const room = {
      width: this.#stage.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight),
      height: this.#stage.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom),
    };
    const { width, height } = this.#size;
    if (room.width <= 0 || width <= 0) return;
    const scale = Math.min(room.width / width, room.height / height, MOST_ENLARGED);
    this.#frame.style.width = `${Math.round(width * scale)}px`;
    this.#frame.style.height = `${Math.round(height * scale)}px`;
  }

  #prefetch() {
    for (const step of [1, -1]) {
      void this.grid.results?.load(this.#index + step).then((hit) => {
        if (hit && this.isOpen) new Image().src = thumbnail(hit.image_id, 2560);
      });
    }
  }

  /**
   * @param {string|false} says why there is nothing to see
   * @param {boolean} [isLost] whether nothing can be done with it either
   */
  #showGone(says, isLost = false) {
    this.#gone.hidden = !says;
    fill(this.#gone, icon('picture'), says);
    this.dialog.classList.toggle('is-gone', Boolean(says));
    this.dialog.classList.toggle('is-lost', isLost);
  }

  #drawCounter() {
    const results = this.grid.results;
    const isKnown = this.#index >= 0 && results;
    const isClosest = isKnown && this.#index >= results.total;
    const place = isClosest ? this.#index - results.total : this.#index;
    this.#counter.textContent = isKnown
      ? `${isClosest ? 'Closest ' : ''}${number(place + 1)} of ${number(isClosest ? results.closest.length : results.total)}`
      : '';
    this.#previous.hidden = !isKnown || this.#index === 0;
    this.#next.hidden = !isKnown || this.#index >= results.length - 1;
  }

  #drawSelected() {
    const isSelected = this.selection.has(this.#id);
    this.#select.setAttribute('aria-pressed', String(isSelected));
  }

  #drawPanelButton() {
    this.#info.setAttribute('aria-pressed', String(!this.dialog.classList.contains('has-no-panel')));
  }
}

/**
 * @param {string} symbol
 * @param {string} label
 * @param {string} testid
 * @param {() => void} act
 * @returns {HTMLButtonElement}
 */
function tool(symbol, label, testid, act) {
  return iconButton(symbol, label, { 'data-testid': testid, onclick: act });
}
