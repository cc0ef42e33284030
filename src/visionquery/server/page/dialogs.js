/** Layers over the page: dialogs, popovers, short messages; and the clipboard. */

import { byId, fill, h, iconButton } from './dom.js';

const SECONDS_OF_TOAST = 4;

/**
 * Open a dialog. The browser keeps the keyboard inside, and gives it back afterwards.
 *
 * @param {HTMLDialogElement} dialog
 * @returns {void}
 */
export function openDialog(dialog) {
  if (!dialog.open) dialog.showModal();
}

/**
 * Let a click beside a dialog close it.
 *
 * @param {HTMLDialogElement} dialog
 */
export function closeOnBackdrop(dialog) {
  let began = false;
  dialog.addEventListener('pointerdown', (event) => {
    began = event.target === dialog;
  });
  dialog.addEventListener('click', (event) => {
    if (began && event.target === dialog) dialog.close();
  });
}

/**
 * Return the head of a dialog: its title and the button that closes it.
 *
 * @param {HTMLDialogElement} dialog
 * @param {string} title
 * @returns {HTMLElement}
 */
export function dialogHead(dialog, title) {
  const id = `${dialog.id}-title`;
  dialog.setAttribute('aria-labelledby', id);
  return h(
    'header',
    { class: 'dialog-head' },
    h('h2', { id }, title),
    iconButton('close', 'Close', { onclick: () => dialog.close(), 'data-testid': `${dialog.id}-close` }),
  );
}

/**
 * Make a button open a popover beneath itself.
 *
 * @param {HTMLButtonElement} button
 * @param {HTMLElement} popover
 * @param {() => void} [beforeOpen]
 */
export function attachPopover(button, popover, beforeOpen) {
  popover.setAttribute('popover', 'auto');
  button.setAttribute('aria-expanded', 'false');
  button.setAttribute('aria-haspopup', 'dialog');
  button.setAttribute('aria-controls', popover.id);
  button.popoverTargetElement = popover;
  popover.addEventListener('beforetoggle', (event) => {
    if (/** @type {ToggleEvent} */ (event).newState === 'open') beforeOpen?.();
  });
  popover.addEventListener('toggle', (event) => {
    const isOpen = /** @type {ToggleEvent} */ (event).newState === 'open';
    button.setAttribute('aria-expanded', String(isOpen));
    if (!isOpen) return;
    placeBelow(button, popover);
    focusFirst(popover);
  });
}

/**
 * Put the keyboard into a popover; where a field would call a phone's keyboard up, on its frame.
 *
 * @param {HTMLElement} popover
 */
export function focusFirst(popover) {
  const isTouch = matchMedia('(pointer: coarse)').matches;
  popover.tabIndex = -1;
  const first = /** @type {HTMLElement|null} */ (popover.querySelector('input, button'));
  (isTouch || !first ? popover : first).focus();
}

/** @param {Element} button @param {HTMLElement} popover */
function placeBelow(button, popover) {
  const { left, bottom } = button.getBoundingClientRect();
  const room = document.documentElement.clientWidth - popover.offsetWidth - 12;
  popover.style.setProperty('--left', `${Math.max(12, Math.min(left, room))}px`);
  popover.style.setProperty('--top', `${bottom + 8}px`);
}

/**
 * Say something that passes.
 *
 * @param {string} text
 * @param {{isError?: boolean, action?: {label: string, act: () => void}}} [how]
 */
export function toast(text, { isError = false, action } = {}) {
  const holder = byId('toasts', HTMLElement);
  const dialog = document.querySelector('dialog:modal');
  // A modal dialog makes all else inert, messages too, unless they are inside.
  (dialog ?? document.body).append(holder);
  const element = h(
    'div',
    { class: isError ? 'toast is-error' : 'toast', role: isError ? 'alert' : 'status' },
    h('span', {}, text),
  );
  if (action) {
    element.append(
      h(
        'button',
        {
          type: 'button',
          class: 'toast-action',
          onclick: () => {
            element.remove();
            action.act();
          },
        },
        action.label,
      ),
    );
  }
  fill(holder, element);
  setTimeout(() => element.remove(), SECONDS_OF_TOAST * 1000 * (action || isError ? 2 : 1));
}

/** Take a message away whose offer does not fit any more. */
export function dropOffer() {
  document.querySelector('.toast:has(.toast-action)')?.remove();
}

/**
 * Copy a text, also where the page is not served over https and browsers have no clipboard.
 *
 * @param {string} text
 * @param {string} what for the message
 */
export async function copyText(text, what) {
  try {
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else copyByHand(text);
    toast(`Copied ${what}`);
  } catch {
    toast('The browser did not let the page copy.', { isError: true });
  }
}

/** @param {string} text */
function copyByHand(text) {
  const area = h('textarea', { class: 'visually-hidden', readonly: true });
  area.value = text;
  const before = document.activeElement;
  (document.querySelector('dialog:modal') ?? document.body).append(area);
  area.select();
  const isDone = document.execCommand('copy');
  area.remove();
  if (before instanceof HTMLElement) before.focus({ preventScroll: true });
  if (!isDone) throw new Error('copying was refused');
}
