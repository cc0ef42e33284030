/** The pointer in the grid: open, select, select a range; by a long press where there is no mouse. */

const LONG_PRESS_MS = 450;
const SLACK = 10;

/** @typedef {import('./types.js').Hit} Hit */

/**
 * Listen to the pointer in the grid.
 *
 * @param {import('./grid.js').Grid} grid
 * @param {import('./selection.js').Selection} selection
 * @param {(index: number) => void} onOpen
 * @param {(index: number) => void} onAlike what is folded into a picture is asked for
 */
export function attachPointing(grid, selection, onOpen, onAlike) {
  let pressed = 0;
  let wasLong = false;
  const start = { x: 0, y: 0 };
  grid.element.addEventListener('pointerdown', (event) => {
    wasLong = false;
    const index = indexOf(event.target);
    if (event.pointerType !== 'touch' || index < 0) return;
    Object.assign(start, { x: event.clientX, y: event.clientY });
    pressed = setTimeout(() => {
      wasLong = true;
      toggle(grid, selection, index);
      navigator.vibrate?.(12);
    }, LONG_PRESS_MS);
  });
  const end = () => clearTimeout(pressed);
  grid.element.addEventListener('pointerup', end);
  grid.element.addEventListener('pointercancel', end);
  grid.element.addEventListener('pointermove', (event) => {
    if (Math.hypot(event.clientX - start.x, event.clientY - start.y) > SLACK) end();
  });
  grid.element.addEventListener('contextmenu', (event) => {
    if (wasLong) event.preventDefault();
  });
  grid.element.addEventListener('click', (event) => {
    const index = indexOf(event.target);
    if (index < 0 || event.button !== 0) return;
    event.preventDefault();
    if (wasLong) return;
    const onTick = event.target instanceof Element && event.target.closest('.tile-tick');
    const isOnAlike = event.target instanceof Element && event.target.closest('.tile-alike');
    const isTouch = /** @type {PointerEvent} */ (event).pointerType === 'touch';
    if (isOnAlike) onAlike(index);
    else if (event.shiftKey && selection.anchor >= 0) void selectTo(grid, selection, index);
    else if (onTick || event.shiftKey || event.ctrlKey || event.metaKey || (isTouch && selection.size))
      toggle(grid, selection, index);
    else onOpen(index);
  });
}

/**
 * Select everything from where the last choice was made up to a picture, loaded or not.
 *
 * @param {import('./grid.js').Grid} grid
 * @param {import('./selection.js').Selection} selection
 * @param {number} index
 */
export async function selectTo(grid, selection, index) {
  const { results } = grid;
  if (!results) return;
  const anchor = selection.anchor >= 0 ? selection.anchor : index;
  /** @type {Hit[]} */
  const hits = [];
  for (let i = Math.min(anchor, index); i <= Math.max(anchor, index); i += 1) {
    const hit = results.hit(i) ?? (await results.load(i));
    if (results !== grid.results) return;
    if (hit) hits.push(hit);
  }
  selection.add(hits);
}

/** @param {import('./grid.js').Grid} grid @param {import('./selection.js').Selection} selection @param {number} index */
function toggle(grid, selection, index) {
  const hit = grid.results?.hit(index);
  if (hit) selection.toggle(hit, index);
}

/** @param {EventTarget|null} target @returns {number} */
function indexOf(target) {
  const tile = target instanceof Element ? target.closest('.tile') : null;
  return tile instanceof HTMLElement ? Number(tile.dataset.index) : -1;
}
