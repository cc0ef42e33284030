/** Pictures that are dropped, pasted or chosen: made small, kept in this browser, searched with. */

import { byId, h } from './dom.js';
import { toast } from './dialogs.js';

const LONGEST_SIDE = 1024;
const QUALITY = 0.9;
const MOST_KEPT = 30;
const MOST_BYTES = 20 * 2 ** 20;
const STORE = 'uploads';

/** Pictures by a short key, in memory and in the browser's database, so that reload and back work. */
export class Uploads {
  /** @type {Map<string, Blob>} */ #here = new Map();

  /** @param {Blob} blob @returns {Promise<string>} its key */
  async keep(blob) {
    const key = Array.from(crypto.getRandomValues(new Uint8Array(5)), (byte) =>
      byte.toString(36).padStart(2, '0'),
    ).join('');
    this.#here.set(key, blob);
    try {
      await inStore('readwrite', (store) => store.put({ key, blob, at: Date.now() }));
      await forgetOld();
    } catch {
      // A private window may have no database: then the picture lives as long as the page.
    }
    return key;
  }

  /** @param {string} key @returns {Promise<Blob|undefined>} */
  async get(key) {
    if (!key) return undefined;
    const here = this.#here.get(key);
    if (here) return here;
    try {
      const found = await inStore('readonly', (store) => store.get(key));
      if (found?.blob instanceof Blob) this.#here.set(key, found.blob);
      return found?.blob;
    } catch {
      return undefined;
    }
  }
}

/**
 * Let pictures come from everywhere: dropped on the window, pasted, chosen.
 *
 * @param {(blob: Blob) => void} onPicture
 */
export function attachPictureInputs(onPicture) {
  const input = byId('upload-input', HTMLInputElement);
  /** @param {File|null|undefined} file */
  const take = async (file) => {
    if (!file) return;
    if (file.type && !file.type.startsWith('image/')) {
      toast('That is no picture.', { isError: true });
      return;
    }
    const blob = await shrunk(file);
    if (blob.size > MOST_BYTES)
      toast('That picture has more than 20 MB; make it smaller first.', { isError: true });
    else onPicture(blob);
  };
  input.addEventListener('change', () => {
    void take(input.files?.[0]);
    input.value = '';
  });
  byId('upload', HTMLButtonElement).addEventListener('click', () => input.click());
  addEventListener('paste', (event) => {
    const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith('image/'));
    if (!file) return;
    event.preventDefault();
    void take(file);
  });
  attachDrop((file) => void take(file));
}

/** @param {(file: File|undefined) => void} onFile */
function attachDrop(onFile) {
  const overlay = byId('drop-overlay', HTMLElement);
  let depth = 0;
  /** @param {DragEvent} event */
  const hasFile = (event) => event.dataTransfer?.types.includes('Files') ?? false;
  /** @param {number} to */
  const enter = (to) => {
    depth = Math.max(0, to);
    if (depth && overlay.hidden) (document.querySelector('dialog:modal') ?? document.body).append(overlay);
    overlay.hidden = depth === 0;
  };
  addEventListener('dragenter', (event) => hasFile(event) && enter(depth + 1));
  addEventListener('dragleave', (event) => hasFile(event) && enter(depth - 1));
  addEventListener('dragover', (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    if (event.dataTransfer) event.dataTransfer.dropEffect = 'copy';
  });
  addEventListener('drop', (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    enter(0);
    onFile(event.dataTransfer?.files[0]);
  });
}

/**
 * Make a picture as small as a search needs. What a file says of itself (place, camera) stays
 * here: only pixels are sent. A format that this browser cannot show is sent as it is, since the
 * server may know it.
 *
 * @param {Blob} file
 * @returns {Promise<Blob>}
 */
async function shrunk(file) {
  try {
    const bitmap = await createImageBitmap(file, { imageOrientation: 'from-image' });
    const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
    const canvas = h('canvas', {
      width: Math.max(1, Math.round(bitmap.width * scale)),
      height: Math.max(1, Math.round(bitmap.height * scale)),
    });
    const context = canvas.getContext('2d');
    if (!context) return file;
    context.fillStyle = '#fff';
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', QUALITY));
    return blob instanceof Blob ? blob : file;
  } catch {
    return file;
  }
}

/** @returns {Promise<IDBDatabase>} */
function database() {
  const opening = indexedDB.open('visionquery', 1);
  opening.onupgradeneeded = () =>
    opening.result.createObjectStore(STORE, { keyPath: 'key' }).createIndex('at', 'at');
  return outcome(opening);
}

/**
 * @param {IDBTransactionMode} mode
 * @param {(store: IDBObjectStore) => IDBRequest} act
 * @returns {Promise<any>}
 */
async function inStore(mode, act) {
  const open = await database();
  try {
    return await outcome(act(open.transaction(STORE, mode).objectStore(STORE)));
  } finally {
    open.close();
  }
}

async function forgetOld() {
  /** @type {string[]} */
  const keys = await inStore('readonly', (store) => store.index('at').getAllKeys());
  for (const key of keys.slice(0, -MOST_KEPT)) await inStore('readwrite', (store) => store.delete(key));
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function outcome(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
