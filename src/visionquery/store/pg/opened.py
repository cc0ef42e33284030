"""A library in PostgreSQL that is open: its connections, the generation in use, and what a thread
sees of it while it reads.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import psycopg

from visionquery.store.pg.adapting import ask
from visionquery.store.pg.connections import Connections, PgConnection
from visionquery.store.pg.faults import replaced, translated
from visionquery.store.pg.tables import images_table
from visionquery.types import ModelIdentity

__all__ = ["Opened", "Snapshot", "State", "state_of"]

_STATE = (
    "SELECT version, generation, rows, images, changes, analyzed, model_name, fingerprint, "
    "embed_dim, model_source FROM library"
)
_BEGIN = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


@dataclass(frozen=True, slots=True)
class State:
    """What the library's one row says."""

    version: int
    generation: int
    rows: int
    images: int
    changes: int
    analyzed: int
    model: ModelIdentity

    @property
    def table(self) -> str:
        """The table of images."""
        return images_table(self.generation)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of the library, and the connection that sees it."""

    connection: PgConnection
    state: State


def state_of(connection: PgConnection, *, for_change: bool = False) -> State:
    """Return the state that a connection sees."""
    return _state(ask(connection, _STATE + (" FOR UPDATE" if for_change else "")))


class Opened:
    """An open library. Safe in several threads. `generation` and `model` change together, in one
    assignment of `in_use`."""

    def __init__(self, connections: Connections, in_use: State) -> None:
        self.connections = connections
        self.address = connections.address
        self.in_use = in_use
        self._by_thread: dict[int, Snapshot] = {}

    @property
    def is_reading(self) -> bool:
        """Whether this thread holds one state of the library."""
        return threading.get_ident() in self._by_thread

    @contextmanager
    def reading(self) -> Iterator[Snapshot]:
        """Let this thread see one state of the library until the block ends."""
        thread = threading.get_ident()
        mine = self._by_thread.get(thread)
        if mine is not None:
            with translated(self.address):
                yield mine
            return
        with translated(self.address):
            snapshot = self._begun()
            self._by_thread[thread] = snapshot
            try:
                yield snapshot
            finally:
                del self._by_thread[thread]
                # What was only read is not lost with a connection that breaks here.
                with suppress(psycopg.Error):
                    snapshot.connection.execute("ROLLBACK")
                self.connections.give_back(snapshot.connection)

    @contextmanager
    def rows(self) -> Iterator[Snapshot]:
        """Let this thread see one state, to ask for rows or by rows. Raises LibraryReplacedError
        when those of that state are not those that were opened."""
        with self.reading() as snapshot:
            self.check(snapshot.state)
            yield snapshot

    def check(self, state: State) -> None:
        """Raise LibraryReplacedError when a state is not of the generation in use here."""
        if state.generation != self.in_use.generation:
            raise replaced(self.address.shown)

    def _begun(self) -> Snapshot:
        connection = self.connections.take()
        try:
            return _begin(connection)
        except psycopg.OperationalError:
            # It may have been broken while nobody used it: once, another one is made.
            connection.close()
        except BaseException:
            connection.close()
            raise
        connection = self.connections.fresh()
        try:
            return _begin(connection)
        except BaseException:
            connection.close()
            raise


def _begin(connection: PgConnection) -> Snapshot:
    with connection.pipeline():
        connection.execute(_BEGIN)
        cursor = connection.execute(_STATE, binary=True)
    return Snapshot(connection, _state(cursor.fetchall()))


def _state(found: list[tuple[Any, ...]]) -> State:
    ((version, generation, rows, images, changes, analyzed, *model),) = found
    return State(version, generation, rows, images, changes, analyzed, ModelIdentity(*model))
