/** Requests to the server, and what can go wrong with them. */

/** @typedef {import('./types.js').Problem} Problem */

const BASE = '/api/v1';

/** A request that the server refused, or that never reached it (`status` 0). */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {Partial<Problem>} problem
   * @param {number} retryAfter seconds, 0 where the server named none
   */
  constructor(status, problem, retryAfter = 0) {
    super(problem.detail ?? `The server answered with status ${status}.`);
    this.name = 'ApiError';
    this.status = status;
    this.problem = problem;
    this.retryAfter = retryAfter;
  }

  /** @returns {boolean} whether the same request may well succeed later */
  get isPassing() {
    return this.status === 0 || this.status === 429 || this.status >= 502;
  }

  /** @returns {boolean} whether the text of the query is at fault */
  get isQuery() {
    return typeof this.problem.position === 'number';
  }
}

/** @type {() => Promise<void>} */
let askForToken = () => Promise.reject(new ApiError(401, { detail: 'This server needs a token.' }));

/**
 * Say how the token is asked for, when a request meets a server that needs one.
 *
 * @param {() => Promise<void>} ask resolves once there is a session
 */
export function onTokenNeeded(ask) {
  askForToken = ask;
}

/** @typedef {Record<string, string|number|boolean|string[]|undefined>} Params */

/**
 * @typedef {object} Options
 * @property {string} [method]
 * @property {Params} [params]
 * @property {unknown} [json] a body that is a document
 * @property {Blob} [body] a body that is a file
 * @property {AbortSignal} [signal]
 * @property {boolean} [isSession] whether this is about the token itself
 */

/**
 * Ask the server and return its document.
 *
 * @template T
 * @param {string} path below the base of the API
 * @param {Options} [options]
 * @returns {Promise<T>}
 */
export async function call(path, options = {}) {
  const response = await send(path, options);
  if (response.ok) return response.status === 204 ? /** @type {T} */ (undefined) : response.json();
  if (response.status === 401 && !options.isSession) {
    await askForToken();
    options.signal?.throwIfAborted();
    return call(path, options);
  }
  throw await errorOf(response);
}

/**
 * @typedef {object} Heatmap
 * @property {Blob} picture to be laid over the image
 * @property {number[]} box left, top, width, height in percent
 * @property {boolean} isWeak whether there is little evidence anywhere
 */

/**
 * Ask where in an image a query is seen.
 *
 * @param {string} id
 * @param {string} q
 * @param {Blob|undefined} body the picture that the query was made with
 * @param {AbortSignal} signal
 * @returns {Promise<Heatmap>}
 */
export async function heatmap(id, q, body, signal) {
  const method = body ? 'POST' : 'GET';
  const response = await send(`/images/${id}/heatmap`, { method, params: { q }, body, signal });
  if (!response.ok) throw await errorOf(response);
  const box = (response.headers.get('Heatmap-Box') ?? '').split(',').map(Number);
  return { picture: await response.blob(), box, isWeak: response.headers.get('Heatmap-Weak') === 'true' };
}

/** @param {unknown} error @returns {boolean} whether a request was given up on purpose */
export function isAbort(error) {
  return error instanceof DOMException && error.name === 'AbortError';
}

/**
 * Return the address of a picture fitted into a square.
 *
 * @param {string} id
 * @param {320|640|1280|2560} side
 * @returns {string}
 */
export function thumbnail(id, side) {
  return `${BASE}/images/${id}/thumbnail?size=${side}`;
}

/**
 * Return the address of an image's own file.
 *
 * @param {string} id
 * @param {{download?: boolean}} [how]
 * @returns {string}
 */
export function original(id, { download = false } = {}) {
  return `${BASE}/images/${id}/original${download ? '?download=true' : ''}`;
}

/**
 * Return where the part of a file that a picture is can be seen: a browser begins a video at its
 * moment, and opens a PDF at its page.
 *
 * @param {string} id
 * @param {string|null|undefined} fragment
 * @returns {string}
 */
export function originalAt(id, fragment) {
  return fragment && /^(t|page)=/.test(fragment) ? `${original(id)}#${fragment}` : original(id);
}

/**
 * Change a query as a click does: take filters out by their fields, add a part.
 *
 * @param {string} q
 * @param {{drop?: string[], add?: string}} change
 * @returns {Promise<string>} the new text
 */
export async function edited(q, { drop = [], add = '' }) {
  /** @type {import('./types.js').Reading} */
  const reading = await call('/query', { params: { q, drop, add } });
  return reading.query;
}

/** @param {string} id @returns {EventSource} the events of a job */
export function jobEvents(id) {
  return new EventSource(`${BASE}/jobs/${encodeURIComponent(id)}/events`);
}

/**
 * @param {string} path
 * @param {Options} options
 * @returns {Promise<Response>}
 */
async function send(path, { method = 'GET', params = {}, json, body, signal }) {
  const query = queryOf(params);
  /** @type {Record<string, string>} */
  const headers = {};
  if (json !== undefined) headers['Content-Type'] = 'application/json';
  else if (body) headers['Content-Type'] = body.type || 'application/octet-stream';
  try {
    return await fetch(`${BASE}${path}${query}`, {
      method,
      headers,
      signal,
      body: json === undefined ? body : JSON.stringify(json),
    });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ApiError(0, { detail: 'The server does not answer.' });
  }
}

/** @param {Params} params @returns {string} */
function queryOf(params) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (Array.isArray(value)) value.forEach((each) => query.append(name, each));
    else if (value !== undefined && value !== '') query.set(name, String(value));
  }
  const text = query.toString();
  return text ? `?${text}` : '';
}

/** @param {Response} response @returns {Promise<ApiError>} */
async function errorOf(response) {
  const retryAfter = Number(response.headers.get('Retry-After')) || 0;
  const problem = await response.json().catch(() => ({}));
  return new ApiError(response.status, problem, retryAfter);
}
