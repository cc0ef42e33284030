/** Puts the parts of the page together. */

import { Actions } from './actions.js';
import { Asking } from './asking.js';
import { Box } from './box.js';
import { drawChips } from './chips.js';
import { dropOffer } from './dialogs.js';
import { byId, fill, h } from './dom.js';
import { Filters } from './filters.js';
import { Grid } from './grid.js';
import { SearchHistory } from './history.js';
import { isOver, Jobs } from './jobs.js';
import { attachKeys } from './keys.js';
import { LibraryPanel } from './library.js';
import { attachPointing, selectTo } from './pointing.js';
import { attachSelectionBar, Selection } from './selection.js';
import { BLOCK } from './sheet.js';
import { State, usesUpload } from './state.js';
import { Summary } from './summary.js';
import { attachTheme } from './theme.js';
import { attachToken } from './token.js';
import { attachPictureInputs, Uploads } from './upload.js';
import { Viewer } from './viewer.js';

/** An answer that is quicker than this changes the page without a sign of waiting. */
const WAITING_MS = 250;
const MS_BETWEEN_LOOKS = 2000;

const root = document.documentElement;
const state = new State();
const selection = new Selection();
const uploads = new Uploads();
const actions = new Actions(state);
const searches = new SearchHistory();
const topBar = byId('top', HTMLElement);
const grid = new Grid(byId('grid', HTMLElement), { state, selection, topBar: () => topBar.offsetHeight });
const jobs = new Jobs();
const library = new LibraryPanel(jobs, refresh);
const filters = new Filters(state);
const summary = new Summary({
  state,
  indexForm: (id) => library.indexForm(id),
  onAnyFilter: (fields) => void filters.choose(fields),
});
const box = new Box({
  state,
  history: searches,
  onSubmit: () => asking.flush(),
  onLeaveDown: () => grid.goTo(grid.current),
});
const viewer = new Viewer({ state, grid, actions, selection, uploads });
const banner = byId('banner', HTMLElement);
const beyond = byId('beyond', HTMLElement);
let waiting = 0;
let countdown = 0;

const asking = new Asking(state, uploads, {
  onAsk() {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      grid.setStale(true);
      topBar.classList.add('is-waiting');
    }, WAITING_MS);
  },
  onAnswer(results, { view, isRefresh, isRefined }) {
    settled();
    grid.setStale(false);
    box.hideProblem();
    summary.show(results.answer, view, library.status);
    drawParts(results.answer.query_parts);
    grid.show(results, { keepPlace: isRefresh || isRefined });
    beyond.textContent = grid.beyond;
    viewer.onAnswer();
  },
  onRefused(error, { view, isTyping }) {
    settled();
    grid.setStale(true);
    box.showProblem(view.q.trim(), error, isTyping);
  },
  onWaiting(error, seconds, retry) {
    settled();
    grid.setStale(true);
    showBanner(error.status, error.message, seconds, retry);
  },
  onUploadGone() {
    settled();
    grid.setStale(true);
    drawParts([]);
    summary.showUploadGone();
  },
});

/** Take back every sign of waiting. */
function settled() {
  clearTimeout(waiting);
  clearInterval(countdown);
  banner.hidden = true;
  topBar.classList.remove('is-waiting');
}

/** @param {import('./types.js').QueryPart[]} parts */
function drawParts(parts) {
  filters.setParts(parts);
  drawChips(parts, {
    onRemove: (without) => state.go({ q: without }),
    upload: () => uploads.get(state.view.upload),
  });
}

/**
 * Say what is wrong with the server, and count down to the next attempt.
 *
 * @param {number} status
 * @param {string} says
 * @param {number} seconds
 * @param {() => void} retry
 */
function showBanner(status, says, seconds, retry) {
  let left = Math.ceil(seconds);
  const count = h('span', { class: 'tabular', 'aria-hidden': 'true' });
  const draw = () => {
    count.textContent = left > 0 ? ` Trying again in ${left} s.` : ' Trying again …';
    left -= 1;
  };
  const text = status === 0 ? 'The server does not answer. Is it still running?' : says;
  fill(
    banner,
    h('p', { 'data-testid': 'error', role: 'alert' }, text),
    count,
    h('button', { type: 'button', class: 'button', onclick: retry }, 'Try now'),
  );
  banner.hidden = false;
  draw();
  countdown = setInterval(draw, 1000);
  if (!grid.results)
    summary.showWaiting(
      status === 0 ? 'The server does not answer' : 'Too much at once',
      status === 0 ? 'Start it with visionquery serve; this page goes on by itself once it is back.' : says,
    );
}

/** A library that fills for the first time shows what it has, long before the job is over. */
function followFirstJob() {
  let last = 0;
  jobs.listen((job) => {
    if (isOver(job) || !job.encoded || state.view.q.trim() || (grid.results?.total ?? BLOCK) >= BLOCK) return;
    if (performance.now() - last < MS_BETWEEN_LOOKS) return;
    last = performance.now();
    asking.refresh();
  });
}

/** The library has changed: ask again, where the window stands. */
function refresh() {
  void filters.load().catch(() => {});
  asking.refresh();
}

/** @param {Blob} blob search by a picture that came from outside */
async function searchBy(blob) {
  const upload = await uploads.keep(blob);
  state.go({ q: 'image:upload', upload, image: '' });
}

/** The start has a large box; with a question, or away from the top, it becomes a bar. */
function drawMode() {
  root.classList.toggle('is-asked', Boolean(state.view.q.trim()));
  root.classList.toggle('is-scrolled', scrollY > (root.classList.contains('is-asked') ? 24 : 110));
}

/** The window's title is what the history and the tabs of the browser show. */
function drawTitle() {
  const { q } = state.view;
  document.title = q.trim() ? `${usesUpload(q) ? 'By a picture' : q.trim()} – VisionQuery` : 'VisionQuery';
}

async function start() {
  requestAnimationFrame(() => requestAnimationFrame(() => root.classList.add('is-ready')));
  attachTheme();
  attachSelectionBar(selection);
  const showAlike = (/** @type {number} */ index) => {
    const hit = grid.results?.hit(index);
    if (hit) actions.showAlike(hit.image_id);
  };
  attachPointing(grid, selection, (index) => viewer.open(index), showAlike);
  attachKeys({ box, grid, viewer, actions, selection, selectTo: (index) => void selectTo(grid, selection, index) });
  attachPictureInputs((blob) => void searchBy(blob));
  state.listen((view, before) => {
    if (view.q !== before.q) dropOffer();
    drawMode();
    drawTitle();
  });
  followFirstJob();
  addEventListener('scroll', drawMode, { passive: true });
  drawMode();
  drawTitle();
  // On a phone the keyboard would cover the pictures before anybody asked for it.
  if (!state.view.image && matchMedia('(pointer: fine)').matches) box.input.focus({ preventScroll: true });
  await attachToken();
  asking.start();
  void library
    .load()
    .then((status) => {
      if (!status.images && grid.results && !state.view.q.trim())
        summary.show(grid.results.answer, state.view, status);
    })
    .catch(() => {});
  void filters.load().catch(() => {});
  void jobs.load();
}

void start();
