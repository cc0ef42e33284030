"""Move a library to another model: encode all of its images anew, a batch at a time.

The old model answers until every image has a vector of the new one. What is finished stays
finished, so that a run may be interrupted, or wait for a disk that is not there.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from visionquery.images.limits import Limits
from visionquery.indexing.bounds import bounds_for, machine_memory_bytes
from visionquery.indexing.outcomes import Encoded, Failed, Loaded, Outcome
from visionquery.indexing.pipeline import flow
from visionquery.indexing.report import Progress, Skipped
from visionquery.indexing.stored import Left, content_of, explained
from visionquery.models.encoder import Encoder
from visionquery.store.base import ImageRecord, Store

__all__ = ["ReencodeReport", "keep_model", "reencode"]

_IMAGES_PER_WRITE = 16
_RECORDS_AT_ONCE = 256

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
    forget_notes: Sequence[str],
) -> ReencodeReport:
    """Encode anew every image without a vector of `encoder`'s model, and move the store to it
    once there is none; the caller holds `store.writing()`.

    Every batch is durable once written, so an interrupt (KeyboardInterrupt passes through)
    loses at most the pictures in flight. A move to a third model is given up. `threads` decode
    and encode; `forget_notes` are notes of the store that hold for one model alone. Raises
    ModelError, before anything is changed, when a half of the model does not work, and StoreError
    for the store's own model.
    """
    started = time.perf_counter()
    _check_works(encoder)
    notes = _begin(store, encoder)
    missing = np.flatnonzero(store.alive() & ~store.next_done()).tolist()
    run = _Run(started, total=len(missing))
    on_progress(run.progress())
    outcomes = flow(
        _records(store, missing),
        read=partial(_read, limits=limits),
        weigh=lambda record: record.facts.size_bytes,
        is_stored=lambda _: False,
        encoder=encoder,
        limits=limits,
        threads=threads,
        bounds=bounds_for(machine_memory_bytes()),
    )
    with closing(outcomes):
        _write_all(store, outcomes, run, on_progress)
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
    encoder.image_tower().encode(np.zeros((1, 3, side, side), np.float32))
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


def _records(store: Store, rows: Sequence[int]) -> Iterator[ImageRecord]:
    for start in range(0, len(rows), _RECORDS_AT_ONCE):
        yield from store.records(rows[start : start + _RECORDS_AT_ONCE])


def _read(
    record: ImageRecord, *, limits: Limits
) -> Loaded[ImageRecord] | Failed[ImageRecord]:
    started = time.perf_counter()
    found = content_of(record, limits=limits)
    if found is None:
        return Failed(record, "no file has it", may_pass=True)
    return Loaded(record, found[1], time.perf_counter() - started)


def _batches(
    outcomes: Iterable[Outcome[ImageRecord]], run: _Run
) -> Iterator[list[Encoded[ImageRecord]]]:
    """Yield images to write at a time; what is left goes on the run's list."""
    batch: list[Encoded[ImageRecord]] = []
    for outcome in outcomes:
        run.done += 1
        if isinstance(outcome, Encoded):
            batch.append(outcome)
        elif isinstance(outcome, Failed):
            problem = None if outcome.may_pass else outcome.reason
            run.left.append(Left(outcome.item, problem))
        if len(batch) == _IMAGES_PER_WRITE:
            yield batch
            batch = []
    yield batch


def _write_all(
    store: Store,
    outcomes: Iterable[Outcome[ImageRecord]],
    run: _Run,
    on_progress: Callable[[Progress], None],
) -> None:
    for batch in _batches(outcomes, run):
        if batch:
            rows = [outcome.item.row for outcome in batch]
            store.write_next(rows, np.stack([outcome.vector for outcome in batch]))
        run.reencoded += len(batch)
        on_progress(run.progress())
