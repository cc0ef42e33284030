/** The parts of a query as chips: filters, what is left out, pictures, groups. */

import { thumbnail } from './api.js';
import { byId, fill, h, icon } from './dom.js';
import { fileName } from './format.js';

/** @typedef {import('./types.js').QueryPart} QueryPart */

/** @type {Record<string, string>} */
const SYMBOLS = {
  date: 'calendar',
  camera: 'camera',
  path: 'folder',
  ext: 'file',
  near: 'pin',
  width: 'ruler',
  height: 'ruler',
  orientation: 'ruler',
  keyword: 'tag',
  text: 'text',
};
/** @type {Record<string, string>} */
const NAMES = {
  date: 'Taken',
  camera: 'Camera',
  path: 'In',
  ext: 'Type',
  near: 'Near',
  width: 'Width',
  height: 'Height',
  orientation: 'Shape',
  keyword: 'Keyword',
  text: 'Says',
};

/**
 * Draw the chips of an answer.
 *
 * @param {QueryPart[]} parts
 * @param {{onRemove: (without: string) => void, upload: () => Promise<Blob|undefined>}} with_
 */
export function drawChips(parts, { onRemove, upload }) {
  const list = byId('chips', HTMLElement);
  const shown = parts.filter((part) => part.kind !== 'description' || part.excluded);
  list.hidden = shown.length === 0;
  fill(
    list,
    shown.map((part) => chip(part, onRemove, upload)),
  );
}

/** @param {QueryPart} part @param {(without: string) => void} onRemove @param {() => Promise<Blob|undefined>} upload */
function chip(part, onRemove, upload) {
  const says = wording(part);
  const isLeftOut = part.excluded && part.kind !== 'example'; // An example says itself that it is not meant.
  const spoken = `${isLeftOut ? 'Without ' : ''}${says.name ? `${says.name} ` : ''}${says.text}`;
  return h(
    'li',
    {
      class: part.excluded ? 'chip is-excluded' : 'chip',
      'data-testid': 'chip',
      'data-kind': part.kind,
      title: part.text,
    },
    picture(part, upload) ?? icon(part.excluded ? 'minus' : (SYMBOLS[part.field ?? ''] ?? 'group')),
    h(
      'span',
      { class: 'chip-text' },
      isLeftOut && h('span', { class: 'chip-name' }, 'not '),
      says.name && h('span', { class: 'chip-name' }, `${says.name} `),
      says.text,
    ),
    h(
      'button',
      {
        type: 'button',
        class: 'chip-remove',
        'data-testid': 'chip-remove',
        'aria-label': `Remove ${spoken}`,
        onclick: () => onRemove(part.without),
      },
      icon('close'),
    ),
  );
}

/** @param {QueryPart} part @returns {{name: string, text: string}} */
function wording({ text, kind, field }) {
  if (kind === 'filter' && field) {
    const value = text
      .slice(text.indexOf(':') + 1)
      .replace(/^"|"$/g, '')
      .replaceAll('""', '"');
    if (field === 'path' && value.endsWith('/*')) return { name: NAMES.path, text: fileName(value.slice(0, -2)) };
    if (field === 'near') return { name: NAMES.near, text: value.replaceAll(',', ', ') };
    return { name: NAMES[field] ?? field, text: value.replace('..', ' – ') };
  }
  if (kind === 'example') return { name: '', text: text.startsWith('less:') ? 'less like this' : 'more like this' };
  if (kind !== 'picture') return { name: '', text };
  const words = text
    .replace(/\b(?:like|image):\S+/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  const isPart = /like:[0-9a-f]+@/.test(text);
  return { name: '', text: words ? `with “${words}”` : isPart ? 'like this part' : 'like this picture' };
}

/** @param {QueryPart} part @param {() => Promise<Blob|undefined>} upload @returns {HTMLElement|null} */
function picture(part, upload) {
  if (part.kind !== 'picture' && !part.image_ids.length) return null;
  const id = part.image_ids[0];
  const image = h('img', { alt: '', decoding: 'async' });
  const holder = h('span', { class: 'chip-picture' }, image);
  image.addEventListener('error', () => holder.replaceWith(icon('picture')));
  if (id) {
    image.addEventListener('load', () => crop(image, part.text));
    image.src = thumbnail(id, 320);
    return holder;
  }
  void upload().then((blob) => {
    if (!blob) return;
    image.addEventListener('load', () => URL.revokeObjectURL(image.src), { once: true });
    image.src = URL.createObjectURL(blob);
  });
  return holder;
}

/**
 * Show just the part of a picture that a query names.
 *
 * @param {HTMLImageElement} image
 * @param {string} text
 */
function crop(image, text) {
  const found = text.match(/like:[0-9a-f]+@([\d.]+),([\d.]+),([\d.]+),([\d.]+)/);
  if (!found) return;
  const [left, top, width, height] = found.slice(1).map((each) => Number(each) / 100);
  const side = 26;
  const scale = side / Math.min(width * image.naturalWidth, height * image.naturalHeight);
  Object.assign(image.style, {
    objectFit: 'fill',
    position: 'absolute',
    maxWidth: 'none',
    width: `${image.naturalWidth * scale}px`,
    height: `${image.naturalHeight * scale}px`,
    left: `${side / 2 - (left + width / 2) * image.naturalWidth * scale}px`,
    top: `${side / 2 - (top + height / 2) * image.naturalHeight * scale}px`,
  });
}
