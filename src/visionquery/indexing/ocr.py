"""Read the text inside the pictures of a library, a batch at a time.

What is read stays read, so that a run may be interrupted, or wait for a disk that is not there.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np

from visionquery.images import workers
from visionquery.images.content import Content
from visionquery.images.limits import Limits
from visionquery.images.ocr import MIN_SIDE, TextReader
from visionquery.images.text import clean
from visionquery.indexing.report import Progress, Skipped
from visionquery.indexing.stored import Left, explained, taken
from visionquery.store.base import ImageRecord, Scope, Store

__all__ = ["OcrReport", "read_texts"]

_BATCH_SIZE = 8
"""Images whose text is written at a time: a few seconds of reading, lost when a run is killed."""

_MAX_CHARS = 20_000
"""Of one picture. A page set in small type has 6,000."""


@dataclass(frozen=True, slots=True)
class OcrReport:
    """What a run did.

    `read`: images whose text was read by this run; `with_text`: those of them that hold any;
    `left`: images whose text is still not read; `images`: images in the folders that were asked
    for; `skipped`: images of folders that are there, but which could not be read: those whose
    content is damaged count as read and are not tried again; `seconds`: the run's time; `notes`:
    sentences for a person, what to do about those that are left among them.
    """

    read: int
    with_text: int
    left: int
    images: int
    skipped: tuple[Skipped, ...]
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def images_per_second(self) -> float:
        """Images read per second of the run, 0 when nothing was read."""
        return self.read / self.seconds if self.read and self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class _Read:
    """An image with its text on one line, "" when there is none."""

    row: int
    text: str


@dataclass(slots=True)
class _Run:
    """What a run has done so far."""

    started: float
    total: int
    done: int = 0
    read: int = 0
    with_text: int = 0
    left: list[Left] = field(default_factory=list)
    damaged: list[Skipped] = field(default_factory=list)

    def progress(self) -> Progress:
        seconds = time.perf_counter() - self.started
        return Progress(self.done, self.total, self.read, seconds)


def read_texts(
    store: Store,
    scopes: Sequence[Scope] | None,
    *,
    open_reader: Callable[[], TextReader],
    on_progress: Callable[[Progress], None],
    limits: Limits,
    threads: int,
) -> OcrReport:
    """Read the text of every image below the scopes, None for all of them, that was not read yet;
    the caller holds `store.writing()`.

    Every batch is durable once written, so an interrupt (KeyboardInterrupt passes through)
    loses a few pictures at most. `open_reader` is called when there is something to read, in
    this thread; `threads` decode and read, each a picture of its own. Images whose files are not
    there now, or have changed, stay unread. Raises what `open_reader` raises, and StoreError.
    """
    started = time.perf_counter()
    if scopes is None:
        scopes = [Scope(root.root_id) for root in store.roots()]
    wanted = store.within(scopes)
    unread = np.flatnonzero(wanted & ~store.text_read()).tolist()
    run = _Run(started, total=len(unread))
    on_progress(run.progress())
    if unread:
        work = _reading(open_reader(), limits)
        with closing(
            taken(store, unread, work, limits=limits, threads=threads, ahead=2 * threads)
        ) as outcomes:
            for batch in _batches(outcomes):
                if texts := _texts(batch, run):
                    store.write_texts(texts)
                on_progress(run.progress())
    skipped, notes = explained(run.left, store.roots())
    return OcrReport(
        read=run.read,
        with_text=run.with_text,
        left=len(run.left),
        images=int(wanted.sum()),
        skipped=(*run.damaged, *skipped),
        seconds=time.perf_counter() - started,
        notes=tuple(notes),
    )


def _reading(reader: TextReader, limits: Limits) -> Callable[[ImageRecord, Content], _Read]:
    """Return what reads an image, of its record and content."""

    def read(record: ImageRecord, content: Content) -> _Read:
        picture = workers.decode(content, min_side=MIN_SIDE, limits=limits)
        text = clean(reader.read(picture.pixels), max_chars=_MAX_CHARS)
        return _Read(record.row, text or "")

    return read


def _batches(outcomes: Iterable[_Read | Left]) -> Iterator[list[_Read | Left]]:
    batch: list[_Read | Left] = []
    for outcome in outcomes:
        batch.append(outcome)
        if len(batch) == _BATCH_SIZE:
            yield batch
            batch = []
    if batch:
        yield batch


def _texts(batch: Sequence[_Read | Left], run: _Run) -> dict[int, str]:
    """Return the texts to write, by row, and count the batch.

    An image is its content, which does not change: one that is damaged has no text for good.
    """
    texts: dict[int, str] = {}
    for item in batch:
        run.done += 1
        if isinstance(item, _Read):
            texts[item.row] = item.text
            run.read += 1
            run.with_text += bool(item.text)
        elif item.problem is None:
            run.left.append(item)
        else:
            texts[item.record.row] = ""
            run.damaged.append(Skipped(item.record.paths[0], item.problem))
    return texts
