/** The library: what it holds, and how pictures get into it. */

import { ApiError, call } from './api.js';
import { closeOnBackdrop, dialogHead, openDialog, toast } from './dialogs.js';
import { byId, fill, h, icon } from './dom.js';
import { duration, fileName, folderOf, number, percent, plural, size } from './format.js';
import { isOver } from './jobs.js';

/** @typedef {import('./types.js').Job} Job */
/** @typedef {import('./types.js').Status} Status */
/** @typedef {import('./types.js').Report} Report */

const SHOWN_SKIPPED = 100;
const MS_BETWEEN_LOOKS = 2000;

export class LibraryPanel {
  /** @type {Status|null} */ status = null;
  dialog = byId('library', HTMLDialogElement);
  #facts = h('section', { class: 'panel-section' });
  #form = h('section', { class: 'panel-section' });
  #job = h('section', {
    class: 'panel-section',
    'data-testid': 'job-progress',
    'aria-live': 'polite',
    hidden: true,
  });
  #button = byId('library-button', HTMLButtonElement);
  #line = byId('job-line', HTMLElement);
  #looked = 0;

  /**
   * @param {import('./jobs.js').Jobs} jobs
   * @param {() => void} onChanged called once a job has changed the library
   */
  constructor(jobs, onChanged) {
    this.jobs = jobs;
    fill(
      this.dialog,
      dialogHead(this.dialog, 'Library'),
      h('div', { class: 'sheet-body' }, this.#job, this.#facts, this.#form),
    );
    closeOnBackdrop(this.dialog);
    this.#button.addEventListener('click', () => this.open());
    jobs.listen((job, isOverNow) => {
      this.#drawJob();
      if (!isOverNow) {
        this.#look();
        return;
      }
      this.#tell(job);
      void this.load().catch(() => {});
      onChanged();
    });
  }

  open() {
    openDialog(this.dialog);
    void this.load().catch((error) => toast(error.message, { isError: true }));
  }

  /** @returns {Promise<Status>} what the library holds now */
  async load() {
    /** @type {Status} */
    const status = await call('/status');
    this.status = status;
    this.#drawFacts(status);
    // What somebody is writing stays as it is.
    if (!this.#form.contains(document.activeElement)) this.#drawForm(status);
    return status;
  }

  /**
   * Return a form that indexes a folder, for a library that may take new ones.
   *
   * @param {string} id of its field
   * @returns {HTMLElement}
   */
  indexForm(id) {
    const input = h('input', {
      type: 'text',
      class: 'field',
      id,
      placeholder: '/home/you/Pictures',
      spellcheck: 'false',
      autocomplete: 'off',
      autocapitalize: 'off',
      'data-testid': 'index-path',
      required: true,
      'aria-describedby': `${id}-error`,
    });
    const error = h('p', { class: 'form-error', id: `${id}-error`, role: 'alert' });
    return h(
      'form',
      {
        class: 'index-form',
        onsubmit: (/** @type {SubmitEvent} */ event) => {
          event.preventDefault();
          void this.#start([input.value.trim()], error).then((isStarted) => {
            if (isStarted) input.value = '';
          });
        },
      },
      h('label', { class: 'label', for: id }, 'A folder of pictures on the machine of the server'),
      h(
        'div',
        { class: 'field-row' },
        input,
        h('button', { type: 'submit', class: 'button is-primary', 'data-testid': 'index-start' }, 'Index'),
      ),
      error,
    );
  }

  /** @param {string[]} paths @param {HTMLElement} error @returns {Promise<boolean>} */
  async #start(paths, error) {
    error.textContent = '';
    try {
      await this.jobs.start(paths);
      if (!this.dialog.open) this.open();
      return true;
    } catch (problem) {
      error.textContent = problem instanceof ApiError ? problem.message : 'That did not work.';
      return false;
    }
  }

  /** @param {Status} status */
  #drawFacts(status) {
    /** @type {[string, import('./dom.js').Child][]} */
    const rows = [
      ['Pictures', number(status.images)],
      ['Index', size(status.size_bytes)],
      ['Model', `${status.model} · ${status.embed_dim} dimensions`],
      ['Lies in', status.location],
      ['Version', status.version],
    ];
    const { reencoding } = status;
    fill(
      this.#facts,
      h(
        'dl',
        { class: 'facts' },
        rows.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))),
      ),
      reencoding &&
        h(
          'p',
          { class: 'note' },
          `On the way to the model ${reencoding.model}: ${number(reencoding.done)} of ${number(reencoding.images)}.`,
        ),
      status.roots.length > 0 && [h('h3', {}, 'Folders'), h('ul', { class: 'roots' }, status.roots.map(root))],
    );
  }

  /** @param {Status} status */
  #drawForm(status) {
    const error = h('p', { class: 'form-error', role: 'alert' });
    fill(
      this.#form,
      status.may_index_new_folders
        ? [h('h3', {}, 'Add a folder'), this.indexForm('index-path')]
        : h('p', { class: 'quiet' }, 'New folders are added where the server runs: visionquery index FOLDER'),
      status.roots.length > 0 &&
        h(
          'button',
          {
            type: 'button',
            class: 'button is-wide',
            'data-testid': status.may_index_new_folders ? 'index-update' : 'index-start',
            onclick: () => this.#start([], error),
          },
          icon('refresh'),
          'Bring all folders up to date',
        ),
      error,
    );
  }

  #drawJob() {
    const job = this.jobs.shown;
    const running = this.jobs.running;
    const share = running?.total ? running.done / running.total : 0;
    this.#line.hidden = !running;
    this.#line.style.setProperty('--share', String(share));
    this.#button.classList.toggle('is-busy', Boolean(running));
    const label = running ? `Library, indexing: ${percent(share)}` : 'Library';
    this.#button.setAttribute('aria-label', label);
    this.#button.title = label;
    byId('library-share', HTMLElement).textContent = running ? (running.total ? percent(share) : '…') : '';
    this.#job.hidden = !job;
    if (job) fill(this.#job, isOver(job) ? ended(job) : this.#progress(job));
  }

  /** @param {Job} job */
  #progress(job) {
    const speed = job.seconds > 0 ? job.done / job.seconds : 0;
    const left = speed > 0 && job.total ? (job.total - job.done) / speed : null;
    const isCounting = job.total === 0;
    const bar = h('progress', { max: job.total || 1, 'aria-label': 'Indexing' });
    if (!isCounting) bar.value = job.done;
    return [
      h(
        'h3',
        {},
        job.state === 'waiting' ? 'Waiting for its turn' : isCounting ? 'Looking for pictures' : 'Indexing',
      ),
      h('p', { class: 'job-paths' }, job.paths.join(', ')),
      bar,
      h(
        'div',
        { class: 'job-numbers' },
        h('span', {}, isCounting ? '' : `${number(job.done)} of ${number(job.total)}`),
        h('span', {}, speed >= 0.05 ? `${speed < 10 ? speed.toFixed(1) : Math.round(speed)} images/s` : ''),
        h('span', {}, left !== null && job.state === 'running' ? `${duration(left)} left` : ''),
      ),
      h(
        'button',
        {
          type: 'button',
          class: 'button is-wide',
          'data-testid': 'job-cancel',
          onclick: () => void this.jobs.cancel(job.job_id).catch(() => {}),
        },
        'Cancel',
      ),
    ];
  }

  /** While a job runs the numbers grow; not at every one of its steps. */
  #look() {
    if (!this.dialog.open || performance.now() - this.#looked < MS_BETWEEN_LOOKS) return;
    this.#looked = performance.now();
    void this.load().catch(() => {});
  }

  /** @param {Job} job */
  #tell(job) {
    if (job.state === 'failed') toast(job.problem?.detail ?? 'Indexing ended early.', { isError: true });
    else if (job.state === 'done' && job.report) toast(summary(job.report));
    else if (job.state === 'cancelled') toast('Indexing was cancelled; what was done is kept.');
  }
}

/** @param {import('./types.js').Root} root */
function root({ location, present, files, skipped }) {
  const says = present ? plural(files, 'file') : 'not here now';
  return h(
    'li',
    { class: present ? '' : 'is-missing' },
    icon('folder'),
    h('span', { class: 'place', title: location }, h('small', {}, `${folderOf(location)}/`), fileName(location)),
    h('span', { class: 'count' }, skipped ? `${says}, ${number(skipped)} skipped` : says),
  );
}

/** @param {Report} report @returns {string} */
function summary(report) {
  const parts = [
    [report.added, 'added'],
    [report.updated, 'updated'],
    [report.reused, 'recognised'],
    [report.removed, 'removed'],
    [report.skipped.length, 'skipped'],
  ]
    .filter(([count]) => count)
    .map(([count, word]) => `${number(Number(count))} ${word}`);
  return parts.length ? `Indexed: ${parts.join(', ')}` : 'Everything was up to date';
}

/** @param {Job} job */
function ended({ state, report, problem }) {
  const title = { done: 'Up to date', failed: 'Indexing ended early', cancelled: 'Cancelled' }[
    /** @type {'done'} */ (state)
  ];
  return [
    h('h3', {}, title),
    h(
      'p',
      {},
      report
        ? `${summary(report)}. The library holds ${plural(report.images, 'picture')}.`
        : (problem?.detail ??
            (state === 'cancelled' ? 'What was done is kept.' : 'The server was started anew meanwhile.')),
    ),
    report?.notes.map((note) => h('p', { class: 'note' }, note)),
    report &&
      report.skipped.length > 0 &&
      h(
        'details',
        { class: 'more', 'data-testid': 'job-skipped' },
        h('summary', {}, `${plural(report.skipped.length, 'file')} skipped`),
        h(
          'ul',
          { class: 'skipped' },
          report.skipped
            .slice(0, SHOWN_SKIPPED)
            .map(({ path, reason }) => h('li', {}, h('code', {}, path), h('span', {}, reason))),
          report.skipped.length > SHOWN_SKIPPED &&
            h('li', {}, `and ${number(report.skipped.length - SHOWN_SKIPPED)} more`),
        ),
      ),
  ];
}
