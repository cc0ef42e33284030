/** Index jobs as they run, also those that were started before this page was opened. */

import { call, jobEvents } from './api.js';

/** @typedef {import('./types.js').Job} Job */

const POLL_MS = 2000;

export class Jobs {
  /** @type {Map<string, Job>} */ #jobs = new Map();
  /** @type {Set<string>} */ #followed = new Set();
  /** @type {Set<(job: Job, isOverNow: boolean) => void>} */ #listeners = new Set();

  constructor() {
    // Another page may have started one while this one was not looked at.
    document.addEventListener('visibilitychange', () => document.hidden || void this.load());
  }

  /** @param {(job: Job, isOverNow: boolean) => void} listener called whenever a job has changed */
  listen(listener) {
    this.#listeners.add(listener);
  }

  /** @returns {Job|undefined} the job to show: one that runs, or the latest */
  get shown() {
    const all = [...this.#jobs.values()];
    return all.find((job) => job.state === 'running') ?? all.find((job) => !isOver(job)) ?? all.at(-1);
  }

  /** @returns {Job|undefined} */
  get running() {
    return [...this.#jobs.values()].find((job) => !isOver(job));
  }

  /** Ask which jobs there are, and follow those that are not over. */
  async load() {
    /** @type {{jobs: Job[]}} */
    const { jobs } = await call('/jobs').catch(() => ({ jobs: [] }));
    for (const job of jobs.toReversed()) this.#learn(job, false);
  }

  /**
   * Index folders, or bring all folders of the library up to date.
   *
   * @param {string[]} paths
   */
  async start(paths) {
    this.#learn(await call('/jobs', { method: 'POST', json: { paths } }), true);
  }

  /** @param {string} id */
  async cancel(id) {
    this.#learn(await call(`/jobs/${id}`, { method: 'DELETE' }), true);
  }

  /** @param {Job} job @param {boolean} isNews whether its end is worth telling */
  #learn(job, isNews) {
    const before = this.#jobs.get(job.job_id);
    const isOverNow = isOver(job) && (before ? !isOver(before) : isNews);
    this.#jobs.set(job.job_id, job);
    for (const listener of this.#listeners) listener(job, isOverNow);
    if (!isOver(job)) this.#follow(job.job_id);
  }

  /** @param {string} id */
  #follow(id) {
    if (this.#followed.has(id)) return;
    this.#followed.add(id);
    const events = jobEvents(id);
    events.addEventListener('progress', (event) => {
      const job = JSON.parse(event.data);
      if (isOver(job)) events.close();
      this.#learn(job, true);
    });
    // A stream that breaks off (a proxy, a restart) is no reason to lose sight of the job.
    events.addEventListener('error', () => {
      events.close();
      this.#followed.delete(id);
      setTimeout(() => void this.#poll(id), POLL_MS);
    });
  }

  /** @param {string} id */
  async #poll(id) {
    if (isOver(this.#jobs.get(id))) return;
    try {
      this.#learn(await call(`/jobs/${id}`), true);
    } catch {
      const job = this.#jobs.get(id);
      // A server that was started anew knows nothing of it.
      if (job) this.#learn({ ...job, state: 'failed', problem: null }, true);
    }
  }
}

/** @param {Job|undefined} job @returns {boolean} whether nothing more will happen to it */
export function isOver(job) {
  return !job || ['done', 'failed', 'cancelled'].includes(job.state);
}
