"""The last station of a run: pictures are gathered into batches, and batches encoded."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

from visionquery.indexing.bounds import BatchSizes, Bounds, batch_sizes, grown, is_cpu
from visionquery.indexing.outcomes import Encoded, Failed, Known, Outcome, Ready
from visionquery.indexing.workers import Workers
from visionquery.models.encoder import ImageTower
from visionquery.types import Matrix

__all__ = ["Encoding"]

Item = TypeVar("Item")

_OUTCOMES_AT_ONCE = 256
"""A batch ends there, however few of its items have pictures to encode."""

_MOST_HELD = 64
"""Pictures between decoder and encoder, where no batches need more."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a tower is used: batches of `sizes`, of which `at_once` are computed."""

    tower: ImageTower
    sizes: BatchSizes
    at_once: int


@dataclass(frozen=True, slots=True)
class _Batch(Generic[Item]):
    """Items in their order, and their vectors with the seconds of computing them, to come."""

    items: list[Failed[Item] | Known[Item] | Ready[Item]]
    size: int
    vectors: Future[tuple[Matrix, float]] | None


class Encoding(Generic[Item]):
    """Encodes pictures in batches and hands all outcomes on in order.

    Batches are cut by counting, so that two runs over the same pictures encode the same batches:
    models whose arithmetic is quantized batch by batch then give the same vectors.
    """

    def __init__(
        self,
        workers: Workers,
        open_tower: Callable[[], ImageTower],
        *,
        threads: int,
        bounds: Bounds,
        woken: threading.Event,
    ) -> None:
        """Encode on `workers`, which compute with `threads`. `woken` is set when something is
        done that was not."""
        self.held = 0  # pictures that were put in and not handed on
        self.most_held = max(_MOST_HELD, 16 * threads)
        self._workers, self._threads, self._woken = workers, threads, woken
        self._open_tower, self._bounds = open_tower, bounds
        self._opening: Future[ImageTower] | None = None
        self._plan: _Plan | None = None
        self._size = 1
        self._speeds: dict[int, float] = {}
        self._gathered: list[Failed[Item] | Known[Item] | Ready[Item]] = []
        self._ready = 0
        self._sent: deque[_Batch[Item]] = deque()

    @property
    def takes(self) -> bool:
        """Whether something may be put in: nothing waits but what the threads need next."""
        if self._opening is not None and not self._opening.done():
            return False
        return self._plan is None or len(self._sent) < 2 * self._plan.at_once

    @property
    def ended(self) -> bool:
        """Whether everything that was put in was handed on."""
        return not self._gathered and not self._sent

    def open(self) -> Future[ImageTower]:
        """Have the tower opened, if it is not: there will be something to encode."""
        if self._opening is None:
            self._opening = self._workers.submit(self._open_tower, urgent=True)
            self._opening.add_done_callback(lambda _: self._woken.set())
        return self._opening

    def put(self, item: Failed[Item] | Known[Item] | Ready[Item]) -> None:
        """Take the next item. Raises ModelError when the tower cannot be opened."""
        if isinstance(item, Ready):
            self._plan = self._plan or self._begin(
                self.open().result(), item.prepared.nbytes
            )
            self._ready += 1
            self.held += 1
        self._gathered.append(item)
        if self._ready == self._size or len(self._gathered) == _OUTCOMES_AT_ONCE:
            self.send()

    def send(self) -> None:
        """Encode what was gathered, however little it is."""
        if not self._gathered:
            return
        future = None
        ready = [item for item in self._gathered if isinstance(item, Ready)]
        if ready and self._plan is not None:
            tower = self._plan.tower
            future = self._workers.submit(lambda: _encode(tower, ready), urgent=True)
            future.add_done_callback(lambda _: self._woken.set())
            self._size = grown(self._plan.sizes, self._speeds, self._size)
        self._sent.append(_Batch(self._gathered, len(ready), future))
        self._gathered, self._ready = [], 0

    def take(self) -> list[Outcome[Item]]:
        """Return the outcomes of the next batch, none when it is not done.

        Raises ModelError when the tower does not work.
        """
        if not self._sent or not (self._sent[0].vectors is None or self._sent[0].vectors.done()):
            return []
        batch = self._sent.popleft()
        self.held -= batch.size
        if batch.vectors is None:
            return [item for item in batch.items if not isinstance(item, Ready)]
        vectors, seconds = batch.vectors.result()
        speed = batch.size / seconds
        self._speeds[batch.size] = max(speed, self._speeds.get(batch.size, 0.0))
        rows = iter(vectors)
        return [
            _encoded(item, next(rows), 1 / speed) if isinstance(item, Ready) else item
            for item in batch.items
        ]

    def _begin(self, tower: ImageTower, prepared_bytes: int) -> _Plan:
        at_once = self._threads
        if not is_cpu(tower.provider):
            at_once = 1
            self._workers.grow(1)  # One of them waits for the device.
        sizes = batch_sizes(
            tower.provider, prepared_bytes=prepared_bytes, at_once=at_once, bounds=self._bounds
        )
        self._size = sizes.first
        fitting = self._bounds.prepared // (2 * prepared_bytes)  # once more in a batch
        wanted = max(self.most_held, 4 * sizes.most)
        self.most_held = max(2 * self._threads, 2 * sizes.most, min(wanted, fitting))
        return _Plan(tower, sizes, at_once)


def _encode(tower: ImageTower, ready: Sequence[Ready[Item]]) -> tuple[Matrix, float]:
    started = time.perf_counter()
    vectors = tower.encode(np.stack([item.prepared for item in ready]))
    return vectors, time.perf_counter() - started


def _encoded(item: Ready[Item], vector: Matrix, seconds: float) -> Encoded[Item]:
    return Encoded(
        item.item, item.image_id, item.facts, vector,
        item.read_seconds, item.decode_seconds, seconds,
    )  # fmt: skip
