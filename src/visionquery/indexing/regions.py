"""Look at the pictures of a library once more, in parts, a batch at a time.

What is done stays done, so that a run may be interrupted, or wait for a disk that is not there.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, field
from math import ceil

import numpy as np
from numpy.typing import NDArray

from visionquery.images import workers
from visionquery.images.content import Content
from visionquery.images.limits import Limits
from visionquery.images.views import LEAST_PART, cut, views
from visionquery.indexing.report import Progress, Skipped
from visionquery.indexing.stored import Left, explained, taken
from visionquery.indexing.unseen import with_regions
from visionquery.models.encoder import ImageTower, PictureEncoder
from visionquery.store.base import ImageRecord, Scope, Store
from visionquery.store.regions import ImageRegions
from visionquery.types import Decoded, Matrix

__all__ = ["Biases", "RegionsReport", "index_regions"]

Biases = Callable[[Matrix], NDArray[np.float32]]

_BATCH_SIZE = 16
"""Images whose regions are written at a time."""


@dataclass(frozen=True, slots=True)
class RegionsReport:
    """What a run did.

    `viewed`: images whose regions were made by this run; `regions`: how many these are; `left`:
    images that still have none; `images`: images in the folders that were asked for; `skipped`:
    images of folders that are there, but which could not be used; `seconds`: the run's time;
    `notes`: sentences for a person, what to do about those that are left among them.
    """

    viewed: int
    regions: int
    left: int
    images: int
    skipped: tuple[Skipped, ...]
    seconds: float
    notes: tuple[str, ...] = ()

    @property
    def images_per_second(self) -> float:
        """Images per second of the run, 0 when there was none."""
        return self.viewed / self.seconds if self.viewed and self.seconds > 0 else 0.0


@dataclass(frozen=True, slots=True)
class _Viewed:
    """An image with its regions."""

    row: int
    found: ImageRegions


@dataclass(slots=True)
class _Run:
    """What a run has done so far."""

    started: float
    total: int
    done: int = 0
    viewed: int = 0
    regions: int = 0
    left: list[Left] = field(default_factory=list)

    def progress(self) -> Progress:
        seconds = time.perf_counter() - self.started
        return Progress(self.done, self.total, self.viewed, seconds)


def index_regions(
    store: Store,
    encoder: PictureEncoder,
    scopes: Sequence[Scope] | None,
    *,
    biases: Biases,
    on_progress: Callable[[Progress], None],
    limits: Limits,
    threads: int,
) -> RegionsReport:
    """Make the regions of every image below the scopes, None for all of them, that has none; the
    caller holds `store.writing()`.

    Every batch is durable once written, so an interrupt (KeyboardInterrupt passes through) loses a
    few pictures at most. `biases` gives those (n,) of vectors (n, embed_dim). `threads` decode and
    encode, each a picture of its own. Images whose files are not there now, or have changed, are
    left. Raises ModelError and StoreError, and InputError where the store keeps no regions.
    """
    started = time.perf_counter()
    if scopes is None:
        scopes = [Scope(root.root_id) for root in store.roots()]
    wanted = store.within(scopes)
    unseen = np.flatnonzero(wanted & ~with_regions(store)).tolist()
    run = _Run(started, total=len(unseen))
    on_progress(run.progress())
    if unseen:
        store.write_regions([], [])  # Where a store keeps none, nothing is decoded in vain.
        work = _viewing(encoder, encoder.image_tower(), biases, limits)
        with closing(
            taken(store, unseen, work, limits=limits, threads=threads, ahead=2 * threads)
        ) as outcomes:
            for batch in _batches(outcomes, run):
                store.write_regions([one.row for one in batch], [one.found for one in batch])
                on_progress(run.progress())
    skipped, notes = explained(run.left, store.roots())
    return RegionsReport(
        viewed=run.viewed,
        regions=run.regions,
        left=len(run.left),
        images=int(wanted.sum()),
        skipped=skipped,
        seconds=time.perf_counter() - started,
        notes=tuple(notes),
    )


def _viewing(
    encoder: PictureEncoder, tower: ImageTower, biases: Biases, limits: Limits
) -> Callable[[ImageRecord, Content], _Viewed]:
    """Return what looks at an image, of its record and content."""
    # The smallest part has as many pixels as the tower takes, where the picture has them.
    min_side = ceil(encoder.image_side / LEAST_PART)

    def view(record: ImageRecord, content: Content) -> _Viewed:
        picture = workers.decode(content, min_side=min_side, limits=limits)
        return _Viewed(record.row, _regions_in(picture, encoder, tower, biases))

    return view


def _regions_in(
    picture: Decoded, encoder: PictureEncoder, tower: ImageTower, biases: Biases
) -> ImageRegions:
    boxes = views(picture, side=encoder.image_side)
    vectors = tower.encode(np.stack([encoder.prepare(cut(picture, box)) for box in boxes]))
    sides = np.array([astuple(box) for box in boxes], dtype=np.float32)
    return ImageRegions(sides, vectors, biases(vectors))


def _batches(outcomes: Iterable[_Viewed | Left], run: _Run) -> Iterator[list[_Viewed]]:
    """Yield images to write at a time; what is left goes on the run's list."""
    batch: list[_Viewed] = []
    for outcome in outcomes:
        run.done += 1
        if isinstance(outcome, Left):
            run.left.append(outcome)
            continue
        batch.append(outcome)
        run.viewed += 1
        run.regions += len(outcome.found.boxes)
        if len(batch) == _BATCH_SIZE:
            yield batch
            batch = []
    yield batch
