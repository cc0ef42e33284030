/** Numbers, dates and names as a person reads them. The page is in English, so they are too. */

const NUMBER = new Intl.NumberFormat('en');
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric', timeZone: 'UTC' });
const MOMENT = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'long',
  year: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  timeZone: 'UTC',
});
const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'];

/** @param {number} value @returns {string} */
export function number(value) {
  return NUMBER.format(value);
}

/**
 * Return a count with its noun: "1 picture", "31 pictures".
 *
 * @param {number} count
 * @param {string} noun
 * @returns {string}
 */
export function plural(count, noun) {
  return `${number(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** @param {number} share 0..1 @returns {string} */
export function percent(share) {
  return `${Math.round(share * 100)} %`;
}

/** @param {number} bytes @returns {string} */
export function size(bytes) {
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit > 0 && value < 10 ? 1 : 0;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** @param {number} seconds @returns {string} */
export function milliseconds(seconds) {
  const ms = seconds * 1000;
  if (ms >= 1000) return `${seconds.toFixed(1)} s`;
  return ms < 1 ? '<1 ms' : `${Math.round(ms)} ms`;
}

/** @param {number} seconds @returns {string} */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  if (whole < 60) return `${whole} s`;
  const minutes = Math.round(whole / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/**
 * Return the day of a moment as its camera had it: its own clock, whatever zone the reader is in.
 *
 * @param {string|null} iso
 * @returns {string} "" where there is none
 */
export function day(iso) {
  const moment = parse(iso);
  return moment ? DAY.format(moment) : '';
}

/** @param {string|null} iso @returns {string} */
export function moment(iso) {
  const found = parse(iso);
  return found ? MOMENT.format(found) : '';
}

/** @param {string|null} path @returns {string} the last name of a path */
export function fileName(path) {
  return path
    ? path
        .replace(/[\\/]+$/, '')
        .split(/[\\/]/)
        .pop() || path
    : 'Unnamed picture';
}

/** @param {string} path @returns {string} the folder it lies in */
export function folderOf(path) {
  return path.slice(0, Math.max(0, path.length - fileName(path).length - 1));
}

/**
 * Return what a screen reader calls a picture.
 *
 * @param {import('./types.js').Hit} hit
 * @returns {string}
 */
export function spokenName(hit) {
  const parts = [fileName(hit.path), partOf(hit.fragment), day(hit.taken_at)];
  if (hit.score !== null) parts.push(`confidence ${percent(hit.confidence)}`);
  if (hit.box) parts.push(`found ${placeIn(hit.box)}`);
  if (hit.placed === 'unsure') parts.push('where things are cannot be told');
  if (hit.folded.length) parts.push(`${hit.folded.length} alike`);
  return parts.filter(Boolean).join(', ');
}

/**
 * Return where in a picture a part of it lies, by thirds: "at the bottom right", "in the middle".
 *
 * @param {[number, number, number, number]} box left, top, width and height in percent
 * @returns {string}
 */
export function placeIn([left, top, width, height]) {
  const down = ['top', '', 'bottom'][third(top + height / 2)];
  const across = ['left', '', 'right'][third(left + width / 2)];
  return down || across ? `at the ${[down, across].filter(Boolean).join(' ')}` : 'in the middle';
}

/** @param {number} share in percent @returns {number} in which third it lies: 0, 1, 2 */
function third(share) {
  return Math.min(2, Math.max(0, Math.floor((3 * share) / 100)));
}

/** @param {string|null} iso @returns {Date|null} */
function parse(iso) {
  const found = iso?.match(/^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d))?/);
  if (!found) return null;
  const [year, month, date, hour, minute] = found.slice(1).map((text) => Number(text ?? 0));
  return new Date(Date.UTC(year, month - 1, date, hour, minute));
}

/**
 * Return which part of its file a picture is: "at 1:02:03", "page 3"; "" for the whole file.
 *
 * @param {string|null|undefined} fragment
 * @returns {string}
 */
export function partOf(fragment) {
  if (!fragment) return '';
  const [name = '', ...rest] = fragment.split('=');
  const value = rest.join('=');
  if (name === 'page') return `page ${value}`;
  if (name !== 't') return value;
  const whole = Math.floor(Number(value));
  const two = (/** @type {number} */ n) => String(n).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `at ${minutes}:${two(whole % 60)}`;
  return `at ${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}
