"""A library in Qdrant that is open: its engine, the generation in use, and one state for a thread
that wants to see one.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import LibraryNotFoundError, LibraryReplacedError, StoreError
from visionquery.store.derived import Kept
from visionquery.store.qd.changes import vectors_name
from visionquery.store.qd.conditions import ALL, Condition, Known
from visionquery.store.qd.engine import Engine, Point
from visionquery.store.qd.images import WHOLE, Image, image_of
from visionquery.store.qd.state import STATE, State, read_state
from visionquery.types import ModelIdentity

__all__ = ["InUse", "Opened", "stored_state"]

Value = TypeVar("Value")

_MOST_VALUES = 10_000
"""Different cameras, or keywords, that are asked for to compare each with a pattern."""


@dataclass(frozen=True, slots=True)
class InUse:
    """The generation whose vectors answer, and their model."""

    model: ModelIdentity
    generation: int


def stored_state(engine: Engine) -> State:
    """Return the state of the library at an engine's address now. Raises LibraryNotFoundError when
    there is none, StoreError when something else is there."""
    catalog, place = engine.address.collection, engine.address.shown
    is_there = catalog in engine.collections()
    found = engine.get(catalog, [STATE]) if is_there else {}
    if found:
        return read_state(found[STATE].payload, place)
    # An empty one is what a process left that was cut off while it made a library.
    if is_there and engine.count(catalog, ALL):
        raise StoreError(
            f"The collection at {place} is no library of visionquery: choose another name."
        )
    raise LibraryNotFoundError(f"There is no library at {place}: index something into it.")


class Opened:
    """An open library. Safe in several threads."""

    def __init__(self, engine: Engine, state: State) -> None:
        self.engine = engine
        self.in_use = InUse(state.model, state.generation)
        self._kept = Kept()
        self._pinned = threading.local()
        self._closed = False

    @property
    def vectors(self) -> str:
        """The collection of the vectors in use."""
        return vectors_name(self.engine, self.in_use.generation)

    @property
    def catalog(self) -> str:
        """The collection of all else."""
        return self.engine.address.collection

    def state(self) -> State:
        """Return the state that this thread sees. Raises StoreError when the library is closed or
        gone."""
        if self._closed:
            raise StoreError("This store was closed: open it again.")
        pinned: State | None = getattr(self._pinned, "state", None)
        if pinned is not None:
            return pinned
        found = self.engine.get(self.catalog, [STATE])
        if not found:
            raise LibraryReplacedError(
                f"The library {self.engine.address.shown} was removed while it was open here."
            )
        return read_state(found[STATE].payload, self.engine.address.shown)

    def rows_state(self) -> State:
        """Return the state that this thread sees, to ask for rows or by rows. Raises
        LibraryReplacedError when they are not those of the vectors in use."""
        state = self.state()
        if state.generation != self.in_use.generation:
            raise LibraryReplacedError(
                f"Another process has moved the library {self.engine.address.shown} to another "
                "model or compacted it since it was opened here: open it again."
            )
        return state

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let this thread see one state until the block ends."""
        outermost = getattr(self._pinned, "state", None) is None
        if outermost:
            self._pinned.state = self.state()
        try:
            yield
        finally:
            if outermost:
                self._pinned.state = None

    def kept(self, key: object, make: Callable[[State], Value]) -> Value:
        """Return what `make` makes of a state that has rows, kept until the library changes."""
        state = self.rows_state()
        return self._kept.get(key, state.changes, lambda: make(state))

    def mask(
        self,
        where: Condition,
        fits: Callable[[Image], bool] | None = None,
        *,
        fields: Sequence[str] | bool = False,
    ) -> Callable[[State], NDArray[np.bool_]]:
        """Return how to make the mask (row_count,) of the images for which a condition holds, and
        which fit, told by fields of theirs; not to be written to."""

        def make(state: State) -> NDArray[np.bool_]:
            mask = np.zeros(state.rows, dtype=np.bool_)
            found = self.points(state, where, fields=fields)
            mask[[p.key for p in found if fits is None or fits(image_of(p))]] = True
            mask.flags.writeable = False
            return mask

        return make

    def points(
        self, state: State, where: Condition, *, fields: Sequence[str] | bool = WHOLE,
        vectors: bool = False,
    ) -> Iterator[Point]:  # fmt: skip
        """Yield the points of images for which a condition holds, in order of rows."""
        found = self.engine.scroll(self.vectors, where, fields=fields, vectors=vectors)
        return (point for point in found if point.key < state.rows)

    def known(self, state: State) -> Known:
        """Return what conditions follow from."""
        return Known(state.roots, lambda field: self._values(state, field))

    def close(self) -> None:
        """Let go of the engine."""
        self._closed = True
        self.engine.close()

    def _values(self, state: State, field: str) -> list[str] | None:
        def ask() -> list[str]:
            return self.engine.values(self.vectors, field, limit=_MOST_VALUES)

        found = self._kept.get(("values", field), state.changes, ask)
        return None if len(found) >= _MOST_VALUES else found
