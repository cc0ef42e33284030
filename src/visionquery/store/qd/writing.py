"""How a library in Qdrant is changed: by who holds the writer's place, one change after another."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from visionquery.errors import StoreError
from visionquery.store.qd import changes, moving
from visionquery.store.qd.changes import Change
from visionquery.store.qd.conditions import between
from visionquery.store.qd.images import Image, payload_of
from visionquery.store.qd.lease import Lease, held
from visionquery.store.qd.opened import InUse, Opened
from visionquery.store.qd.reader import QdrantReader
from visionquery.store.qd.state import State, state_payload

__all__ = ["QdrantWriter"]


class QdrantWriter(QdrantReader):
    """The writer's place of a library, and changes that are made in it."""

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened)
        self._lease: Lease | None = None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the one writer's place, and finish first what a killed writer began.

        Raises LibraryBusyError when another process has it, StoreError when it is held here.
        """
        if self._lease is not None:
            raise StoreError("writing() is already held here: do not enter it a second time.")
        self._open.rows_state()
        with held(self._open.engine) as lease:
            self._finish()
            self._lease = lease
            try:
                yield
            finally:
                self._lease = None

    def _begin(self) -> State:
        """Return the state that a change begins with."""
        if self._lease is None:
            raise StoreError("A library is changed inside `with store.writing():` only.")
        return self._open.rows_state()

    def _make(self, state: State, **parts: Any) -> None:
        """Make a change, of the parts that `Change` has, after which the library has a state."""
        engine = self._open.engine
        if self._lease is not None:
            self._lease.check()
        change = Change(state_payload(state), **parts)
        changes.keep_intent(engine, change)
        changes.make(engine, change)
        changes.drop_intent(engine)

    def _make_images(self, state: State, images: Iterable[Image]) -> None:
        """Let images carry what they are now."""
        self._make(state.after(), images={each.row: payload_of(each) for each in images})

    def _switch(self, state: State, **parts: Any) -> None:
        """Make a change after which another generation is in use."""
        self._make(state, **parts)
        self._open.in_use = InUse(state.model, state.generation)
        self._drop_unused(state)

    def _drop_unused(self, state: State) -> None:
        following = [] if state.following is None else [state.following.generation]
        moving.drop_others(self._open.engine, [state.generation, *following])

    def _finish(self) -> None:
        """Make what a killed writer kept and did not make, and remove what it left besides."""
        engine = self._open.engine
        change = changes.kept_intent(engine)
        if change is not None:
            changes.make(engine, change)
        changes.drop_intent(engine)
        state = self._open.rows_state()
        left = engine.scroll(self._open.vectors, between("row", gte=state.rows), fields=False)
        engine.remove(self._open.vectors, [point.key for point in left])
        self._drop_unused(state)
