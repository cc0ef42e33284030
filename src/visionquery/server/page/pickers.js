/** What opens under a filter: lists to choose from and a stretch of time. They know no query. */

import { button, fill, h } from './dom.js';
import { fileName, folderOf, number } from './format.js';

/** @typedef {import('./types.js').Count} Count */

const SHOWN = 200;
const MOST_YEARS = 60;

/**
 * Return a list that narrows as one types; Enter takes the first.
 *
 * @param {Count[]} counts
 * @param {object} how
 * @param {'camera'|'folder'} how.name
 * @param {(value: string) => boolean} how.isOn
 * @param {(value: string) => void} how.onPick
 * @param {HTMLElement|false} how.reset what takes the filter away
 * @returns {HTMLElement[]}
 */
export function searchList(counts, { name, isOn, onPick, reset }) {
  if (!counts.length) return [h('p', { class: 'quiet' }, `No picture here names a ${name}.`)];
  const list = h('ul', { class: 'pick-list', 'aria-label': `${name}s` });
  const says = `Find a ${name}`;
  const search = h('input', { type: 'search', class: 'field', placeholder: says, 'aria-label': says });
  const draw = () => {
    const text = search.value.trim().toLowerCase();
    const fitting = counts.filter(({ value }) => value.toLowerCase().includes(text)).slice(0, SHOWN);
    const rows = fitting.map((count) => h('li', {}, row(count, name, isOn(count.value), onPick)));
    fill(list, rows.length ? rows : h('li', { class: 'quiet' }, `No ${name} of this name.`));
  };
  search.addEventListener('input', draw);
  search.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') list.querySelector('button')?.click();
    else step(event, list, search);
  });
  list.addEventListener('keydown', (event) => step(event, list, search));
  draw();
  return [h('div', { class: 'pick-head' }, search, reset), list];
}

/**
 * Return a list of which any number can be ticked.
 *
 * @param {Count[]} counts
 * @param {Set<string>} chosen
 * @param {(chosen: string[]) => void} onChange
 * @returns {HTMLElement[]}
 */
export function tickList(counts, chosen, onChange) {
  if (!counts.length) return [h('p', { class: 'quiet' }, 'No pictures yet.')];
  const rows = counts.map(({ value, count }) => {
    const label = h('label', { class: 'pick' });
    const draw = () => label.classList.toggle('is-on', chosen.has(value));
    const onchange = () => {
      if (!chosen.delete(value)) chosen.add(value);
      draw();
      onChange([...chosen]);
    };
    fill(
      label,
      h('input', { type: 'checkbox', checked: chosen.has(value), onchange }),
      h('span', { class: 'pick-text' }, value),
      h('span', { class: 'count' }, number(count)),
    );
    draw();
    return h('li', {}, label);
  });
  return [h('ul', { class: 'pick-list', 'aria-label': 'File types' }, rows)];
}

/**
 * Return two dates and the years between which to choose.
 *
 * @param {string} first day there is
 * @param {string} last
 * @param {{now: string, onPick: (value: string) => void, reset: HTMLElement|false}} how dates of the query language
 * @returns {HTMLElement[]}
 */
export function dateRange(first, last, { now, onPick, reset }) {
  const [low, high = low] = now.split('..');
  const from = dateField(
    'date-from',
    first,
    last,
    bound(low, '-01-01', () => '-01'),
  );
  const to = dateField(
    'date-to',
    first,
    last,
    bound(high, '-12-31', (month) => `-${lastDay(month)}`),
  );
  const apply = () => {
    const [start, end] = [from.value, to.value];
    onPick(start === end ? start : `${start}..${end}`);
  };
  const presets = years(first, last).map((year) =>
    button(year, () => onPick(year), {
      class: now === year ? 'year is-on' : 'year',
      'aria-pressed': String(now === year),
    }),
  );
  return [
    h('div', { class: 'pick-head' }, h('span', { class: 'pick-title' }, 'Taken'), reset),
    h(
      'div',
      { class: 'date-range' },
      h('label', {}, 'From', from),
      h('label', {}, 'To', to),
      button('Apply', apply, { class: 'button is-primary', 'data-testid': 'date-apply' }),
    ),
    h('div', { class: 'years' }, presets),
  ];
}

/** @param {Count} count @param {string} name @param {boolean} isOn @param {(value: string) => void} onPick */
function row({ value, count }, name, isOn, onPick) {
  const props = { type: 'button', class: isOn ? 'pick is-on' : 'pick', 'aria-pressed': String(isOn), title: value };
  const isFolder = name === 'folder';
  return h(
    'button',
    { ...props, onclick: () => onPick(value) },
    h(
      'span',
      { class: 'pick-text' },
      isFolder ? fileName(value) : value,
      isFolder && h('small', {}, folderOf(value)),
    ),
    h('span', { class: 'count' }, number(count)),
  );
}

/**
 * Make arrow keys go through a list and its search field.
 *
 * @param {KeyboardEvent} event
 * @param {HTMLElement} list
 * @param {HTMLInputElement} search
 */
function step(event, list, search) {
  if (event.key !== 'ArrowDown' && event.key !== 'ArrowUp') return;
  event.preventDefault();
  event.stopPropagation();
  const stops = [search, ...list.querySelectorAll('button')];
  const now = stops.findIndex((stop) => stop === document.activeElement);
  stops[Math.min(stops.length - 1, Math.max(0, now + (event.key === 'ArrowDown' ? 1 : -1)))].focus();
}

/** @param {string} testid @param {string} first @param {string} last @param {string} value */
function dateField(testid, first, last, value) {
  const [min, max] = [first.slice(0, 10), last.slice(0, 10)];
  const field = h('input', { type: 'date', class: 'field', 'data-testid': testid, min, max });
  field.value = value;
  return field;
}

/** @param {string} first @param {string} last @returns {string[]} newest first */
function years(first, last) {
  const [from, to] = [first, last].map((iso) => Number(iso.slice(0, 4)));
  return Array.from({ length: Math.min(MOST_YEARS, to - from + 1) }, (_, i) => String(to - i));
}

/**
 * Complete a date of the query language for a date field.
 *
 * @param {string} text
 * @param {string} ofYear what completes a year
 * @param {(month: string) => string} ofMonth what completes a month
 * @returns {string} "" where it is no date
 */
function bound(text, ofYear, ofMonth) {
  if (/^\d{4}$/.test(text)) return text + ofYear;
  if (/^\d{4}-\d\d$/.test(text)) return text + ofMonth(text);
  return /^\d{4}-\d\d-\d\d$/.test(text) ? text : '';
}

/** @param {string} month like 2024-02 @returns {number} */
function lastDay(month) {
  const [year, number_] = month.split('-').map(Number);
  return new Date(Date.UTC(year, number_, 0)).getUTCDate();
}
