/** The token of a server that needs one: asked for once, exchanged for a cookie. */

import { ApiError, call, onTokenNeeded } from './api.js';
import { dialogHead, openDialog } from './dialogs.js';
import { byId, fill, h } from './dom.js';

/** @type {Promise<void>|null} */
let asking = null;

/** Be ready to ask; and use the token in the address, if one is there, before anything else. */
export async function attachToken() {
  onTokenNeeded(
    () =>
      (asking ??= ask().finally(() => {
        asking = null;
      })),
  );
  const token = new URLSearchParams(location.hash.slice(1)).get('token');
  if (!token) return;
  // It is not left where it could be copied along with the address.
  history.replaceState(history.state, '', location.pathname + location.search);
  await enter(token).catch(() => {});
}

/** @param {string} token */
async function enter(token) {
  await call('/session', { method: 'POST', json: { token: token.trim() }, isSession: true });
}

/** @returns {Promise<void>} resolves once the server has accepted a token */
function ask() {
  const dialog = byId('token-dialog', HTMLDialogElement);
  const input = h('input', {
    type: 'password',
    class: 'field',
    'data-testid': 'token-input',
    autocomplete: 'current-password',
    id: 'token-input',
    'aria-describedby': 'token-error',
    required: true,
  });
  const error = h('p', { class: 'form-error', id: 'token-error', role: 'alert' });
  return new Promise((resolve) => {
    fill(
      dialog,
      dialogHead(dialog, 'This library is locked'),
      form(input, error, () => {
        dialog.close();
        resolve();
      }),
    );
    dialog.querySelector('.icon-button')?.remove(); // There is nothing behind it to go back to.
    dialog.addEventListener('cancel', (event) => event.preventDefault());
    openDialog(dialog);
    input.focus();
  });
}

/** @param {HTMLInputElement} input @param {HTMLElement} error @param {() => void} onEntered */
function form(input, error, onEntered) {
  const onsubmit = async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    try {
      await enter(input.value);
      onEntered();
    } catch (problem) {
      error.textContent = problem instanceof ApiError ? problem.message : 'That did not work.';
      input.select();
    }
  };
  return h(
    'form',
    { method: 'dialog', onsubmit },
    h('p', {}, 'This library is for those who have its token. Whoever started the server has it.'),
    h('label', { class: 'label', for: 'token-input' }, 'Token'),
    input,
    error,
    h('button', { type: 'submit', class: 'button is-primary is-wide' }, 'Enter'),
  );
}
