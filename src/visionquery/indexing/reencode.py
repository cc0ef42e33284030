"""Move a library to another model: encode all of its images anew, a batch at a time.

The old model answers until every image has a vector of the new one. What is finished stays
finished, so that a run may be interrupted, or wait for a disk that is not there.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from visionquery.images import decode
from visionquery.images.limits import Limits
from visionquery.indexing.report import Progress, Skipped
from visionquery.indexing.stored import Left, explained, taken
from visionquery.models.encoder import Encoder
from visionquery.store.base import ImageRecord, Store

__all__ = ["ReencodeReport", "keep_model", "reencode"]


@dataclass(frozen=True, slots=True)
class ReencodeReport:
    """What a run did.

    `model`: the one that the library moves to; `reencoded`: images encoded by this run; `left`:
    images that still have no vector of it; `images`: images in the library; `complete`: whether
    the library answers by it now; `skipped`: images of folders that are there, but which could
    not be encoded; `images_per_second`: encoded images by the whole run's time; `notes`:
    sentences for a person, what to do about those that are left among them.
    """

    model: str
    reencoded: int
    left: int
    images: int
    complete: bool
    skipped: tuple[Skipped, ...]
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def images_per_second(self) -> float:
        """Encoded images per second of the run, 0 when nothing was encoded."""
        return self.reencoded / self.seconds if self.reencoded and self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class _Ready:
    """An image to be encoded: `prepared` is the encoder's input, float32 (3, S, S)."""

    row: int
    prepared: NDArray[np.float32]


@dataclass(slots=True)
class _Run:
    """What a run has done so far."""

    started: float
    total: int
    done: int = 0
    reencoded: int = 0
    left: list[Left] = field(default_factory=list)

    def progress(self) -> Progress:
        seconds = time.perf_counter() - self.started
        return Progress(self.done, self.total, self.reencoded, seconds)


def reencode(
    store: Store,
    encoder: Encoder,
    *,
    on_progress: Callable[[Progress], None],
    limits: Limits,
    threads: int,
    batch_size: int,
    forget_notes: Sequence[str],
) -> ReencodeReport:
    """Encode anew every image without a vector of `encoder`'s model, and move the store to it
    once there is none; the caller holds `store.writing()`.

    Every batch is durable once written, so an interrupt (KeyboardInterrupt passes through)
    loses at most the pictures in flight. A move to a third model is given up. `threads` read
    and decode; `batch_size` images go through the encoder at a time; `forget_notes` are notes of
    the store that hold for one model alone. Raises ModelError, before anything is changed, when
    a half of the model does not work, and StoreError for the store's own model.
    """
    started = time.perf_counter()
    _check_works(encoder)
    notes = _begin(store, encoder)
    missing = np.flatnonzero(store.alive() & ~store.next_done()).tolist()
    run = _Run(started, total=len(missing))
    on_progress(run.progress())
    work, ahead = _preparing(encoder, limits), 2 * batch_size + threads
    with closing(
        taken(store, missing, work, limits=limits, threads=threads, ahead=ahead)
    ) as outcomes:
        for ready in _batches(outcomes, run, batch_size):
            _write(store, encoder, ready)
            run.reencoded += len(ready)
            on_progress(run.progress())
    if not run.left:
        store.finish_next(forget_notes=forget_notes)
    skipped, why = explained(run.left, store.roots())
    return ReencodeReport(
        model=encoder.identity.name,
        reencoded=run.reencoded,
        left=len(run.left),
        images=store.image_count(),
        complete=not run.left,
        skipped=skipped,
        seconds=time.perf_counter() - started,
        notes=(*notes, *why),
    )


def keep_model(store: Store) -> ReencodeReport:
    """Report on a store whose model is the asked one already, and give up a move to another
    that was under way; the caller holds `store.writing()`."""
    model, other = store.model.name, store.next_model()
    notes = [f"All vectors are by the model {model} already."]
    if other is not None:
        notes.append(f"The move to {other.name} is given up.")
        store.drop_next()
    images = store.image_count()
    return ReencodeReport(model, 0, 0, images, True, (), 0.0, tuple(notes))


def _check_works(encoder: Encoder) -> None:
    """Use both halves once: a library must not move to a model that cannot be asked."""
    side = encoder.image_side
    encoder.encode_images(np.zeros((1, 3, side, side), np.float32))
    encoder.encode_texts(["a"])


def _begin(store: Store, encoder: Encoder) -> list[str]:
    store.prune()  # Images without a file could never be encoded again.
    model, other, done = encoder.identity, store.next_model(), int(store.next_done().sum())
    store.begin_next(model)
    if other is None:
        return []
    if other.fingerprint != model.fingerprint:
        return [f"The move to {other.name} is given up, with {done:,} images encoded for it."]
    return [f"Went on from {done:,} images encoded before."] if done else []


def _preparing(encoder: Encoder, limits: Limits) -> Callable[[ImageRecord, bytes], _Ready]:
    """Return what makes an image ready, of its record and content."""

    def prepare(record: ImageRecord, data: bytes) -> _Ready:
        picture = decode.decode(data, min_side=2 * encoder.image_side, limits=limits)
        return _Ready(record.row, encoder.prepare(picture))

    return prepare


def _batches(
    outcomes: Iterator[_Ready | Left], run: _Run, batch_size: int
) -> Iterator[list[_Ready]]:
    """Yield images to encode, `batch_size` at a time; what is left goes on the run's list."""
    ready: list[_Ready] = []
    for outcome in outcomes:
        run.done += 1
        if isinstance(outcome, Left):
            run.left.append(outcome)
            continue
        ready.append(outcome)
        if len(ready) == batch_size:
            yield ready
            ready = []
    yield ready


def _write(store: Store, encoder: Encoder, ready: Sequence[_Ready]) -> None:
    if ready:
        vectors = encoder.encode_images(np.stack([item.prepared for item in ready]))
        store.write_next([item.row for item in ready], vectors)

