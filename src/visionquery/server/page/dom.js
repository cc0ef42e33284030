/**
 * Elements without markup in strings: text from the server can only ever become text nodes, and
 * the page runs under a policy that forbids everything else.
 */

const SVG = 'http://www.w3.org/2000/svg';

/** @typedef {Node|string|number|null|undefined|false} Leaf what is null or false is left out */
/** @typedef {Leaf|Leaf[]|(Leaf|Leaf[])[]} Child */

/**
 * Make an element. A function under `onname` listens to the event `name`; other values become
 * properties where the element has one of that name, attributes where not; null and false are
 * left out.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (name in element && typeof value !== 'string') Object.assign(element, { [name]: value });
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...present(children));
  return element;
}

/**
 * Make an icon of the sprite. It says nothing to a screen reader: its button does.
 *
 * @param {string} name
 * @returns {SVGSVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  const use = document.createElementNS(SVG, 'use');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  use.setAttribute('href', `/static/icons.svg#${name}`);
  svg.append(use);
  return svg;
}

/**
 * Show another icon in an element that has one.
 *
 * @param {Element} holder
 * @param {string} name
 */
export function setIcon(holder, name) {
  holder.querySelector('use')?.setAttribute('href', `/static/icons.svg#${name}`);
}

/**
 * Make a button that is an icon; `label` is its name and its tooltip.
 *
 * @param {string} name of the icon
 * @param {string} label
 * @param {Record<string, any>} [props]
 * @returns {HTMLButtonElement}
 */
export function iconButton(name, label, props = {}) {
  return h(
    'button',
    { type: 'button', class: 'icon-button', 'aria-label': label, title: label, ...props },
    icon(name),
  );
}

/**
 * Make a button with words on it.
 *
 * @param {string} label
 * @param {() => void} act
 * @param {{symbol?: string, [name: string]: any}} [props] `symbol` names an icon before the words
 * @returns {HTMLButtonElement}
 */
export function button(label, act, { symbol, ...props } = {}) {
  return h('button', { type: 'button', class: 'button', onclick: act, ...props }, symbol && icon(symbol), label);
}

/**
 * Return the element of the page with an id.
 *
 * @template {HTMLElement} T
 * @param {string} id
 * @param {new () => T} type
 * @returns {T}
 */
export function byId(id, type) {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new Error(`The page has no ${type.name} #${id}.`);
  return found;
}

/**
 * Put children in the place of an element's own.
 *
 * @param {Element} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...present(children));
}

/**
 * Tell whether a person writes in an element, so that letters are no shortcuts.
 *
 * @param {EventTarget|null} target
 * @returns {boolean}
 */
export function isWriting(target) {
  if (target instanceof HTMLInputElement) return !['checkbox', 'radio', 'button', 'file'].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}

/** @returns {boolean} whether a person asked for little motion */
export function prefersStill() {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}

/**
 * @param {Child[]} children
 * @returns {(Node|string)[]}
 */
function present(children) {
  return children.flatMap((child) => {
    if (Array.isArray(child)) return present(child);
    if (child === null || child === undefined || child === false) return [];
    return [child instanceof Node ? child : String(child)];
  });
}
