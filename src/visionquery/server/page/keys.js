/** The keyboard: every key in one table, from which the sheet of shortcuts is drawn as well. */

import { closeOnBackdrop, dialogHead, openDialog } from './dialogs.js';
import { byId, fill, h, isWriting } from './dom.js';

/** @typedef {import('./types.js').Hit} Hit */

/**
 * @typedef {object} Doors
 * @property {import('./box.js').Box} box
 * @property {import('./grid.js').Grid} grid
 * @property {import('./viewer.js').Viewer} viewer
 * @property {import('./actions.js').Actions} actions
 * @property {import('./selection.js').Selection} selection
 * @property {(index: number) => void} selectTo select from the last one to this
 */

const STEPS = /** @type {const} */ ({
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down',
  Home: 'home',
  End: 'end',
  PageUp: 'pageup',
  PageDown: 'pagedown',
});

/** @type {[string, string[]][]} */
const SHEET = [
  ['Write in the box', ['/']],
  ['Saved and recent searches', ['↓']],
  ['Move from picture to picture', ['←', '→', '↑', '↓']],
  ['Open', ['Enter']],
  ['Select; up to here', ['x', 'Space', 'Shift + x']],
  ['More like this', ['s']],
  ['Not this', ['n']],
  ['What is folded into it', ['a']],
  ['Learn: more of this', ['m']],
  ['Learn: less of this', ['u']],
  ['Search by a part', ['b']],
  ['Where in the picture it is', ['w']],
  ['Copy the path', ['c']],
  ['Play the video from here', ['p']],
  ['Download', ['d']],
  ['Information', ['i']],
  ['Enlarge', ['z']],
  ['Library', ['l']],
  ['Close, leave, clear', ['Esc']],
  ['This sheet', ['?']],
];

/**
 * Listen to the keyboard.
 *
 * @param {Doors} doors
 */
export function attachKeys(doors) {
  const sheet = byId('shortcuts', HTMLDialogElement);
  fill(
    sheet,
    dialogHead(sheet, 'Keys'),
    h(
      'dl',
      { class: 'keys' },
      SHEET.map(([says, keys]) =>
        h(
          'div',
          {},
          h('dt', {}, says),
          h(
            'dd',
            {},
            keys.map((key) => h('kbd', {}, key)),
          ),
        ),
      ),
    ),
  );
  closeOnBackdrop(sheet);
  byId('keys-button', HTMLButtonElement).addEventListener('click', () => openDialog(sheet));
  addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape') onEscape(event, doors);
    else if (!isWriting(event.target) && onKey(event, doors, sheet)) event.preventDefault();
  });
}

/** @param {KeyboardEvent} event @param {Doors} doors */
function onEscape(event, { box, grid, viewer, selection }) {
  if (document.querySelector('dialog:modal, :popover-open')) return; // These close themselves.
  const isInBox = document.activeElement === box.input;
  if (viewer.isOpen) viewer.escape();
  else if (isInBox && box.escape()) event.preventDefault();
  else if (selection.size) selection.clear();
  else if (grid.element.contains(document.activeElement)) box.focus();
  else if (!isInBox && box.input.value) box.escape();
}

/**
 * @param {KeyboardEvent} event
 * @param {Doors} doors
 * @param {HTMLDialogElement} sheet
 * @returns {boolean} whether the key did something
 */
function onKey(event, doors, sheet) {
  const { viewer } = doors;
  const other = document.querySelector('dialog:modal:not(#viewer), :popover-open');
  if (other) return false;
  if (event.key === '?') {
    openDialog(sheet);
    return true;
  }
  return viewer.isOpen ? inViewer(event, doors) : inGrid(event, doors);
}

/** @param {KeyboardEvent} event @param {Doors} doors @returns {boolean} */
function inViewer({ key, target }, { viewer, actions, selection }) {
  const isOnButton = target instanceof HTMLElement && Boolean(target.closest('button, a, summary'));
  if (key === ' ' && isOnButton) return false;
  const acts = {
    ArrowLeft: () => void viewer.step(-1),
    ArrowRight: () => void viewer.step(1),
    i: () => viewer.togglePanel(),
    b: () => viewer.toggleDraw(),
    p: () => viewer.play(),
    w: () => viewer.toggleWhere(),
    z: () => viewer.zoom.toggle(),
  };
  const act = acts[/** @type {keyof acts} */ (key)];
  if (act) act();
  else return onPicture(key, viewer.hit, -1, { actions, selection });
  return true;
}

/** @param {KeyboardEvent} event @param {Doors} doors @returns {boolean} */
function inGrid(event, { box, grid, viewer, actions, selection, selectTo }) {
  const { key, target } = event;
  const isInGrid = grid.element.contains(document.activeElement);
  const isFree = target === document.body || isInGrid;
  if (key === '/') {
    box.focus();
    return true;
  }
  if (key === 'l') {
    byId('library-button', HTMLButtonElement).click();
    return true;
  }
  if (key in STEPS && isFree) {
    if (isInGrid) grid.step(STEPS[/** @type {keyof typeof STEPS} */ (key)]);
    else if (key.startsWith('Arrow')) grid.goTo(grid.current);
    return isInGrid || key.startsWith('Arrow');
  }
  if (!isInGrid) return false;
  if (key === 'X') {
    selectTo(grid.current);
    return true;
  }
  if (key === 'i' || key === 'b') {
    viewer.open(grid.current);
    if (key === 'b') viewer.draw.open();
    return true;
  }
  return onPicture(key, grid.currentHit, grid.current, { actions, selection });
}

/**
 * @param {string} key
 * @param {Hit|undefined} hit
 * @param {number} index
 * @param {Pick<Doors, 'actions'|'selection'>} doors
 * @returns {boolean}
 */
function onPicture(key, hit, index, { actions, selection }) {
  if (!hit) return false;
  const acts = {
    s: () => actions.moreLike(hit.image_id),
    n: () => void actions.notThis(hit.image_id),
    a: () => hit.folded.length && actions.showAlike(hit.image_id),
    m: () => void actions.teachMore(hit.image_id),
    u: () => void actions.teachLess(hit.image_id),
    d: () => void actions.download(hit),
    c: () => actions.copyPath(hit),
    x: () => selection.toggle(hit, index),
    ' ': () => selection.toggle(hit, index),
  };
  const act = acts[/** @type {keyof acts} */ (key)];
  act?.();
  return Boolean(act);
}
