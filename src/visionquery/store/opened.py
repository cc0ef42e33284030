"""A library on disk that is open: its connections, the vectors in use, and what is kept in memory.

`LocalStore` is made of it; here is what all its readings share.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import LibraryReplacedError, StoreError
from visionquery.store import catalog, generations
from visionquery.store.connections import Connections
from visionquery.store.derived import Kept
from visionquery.store.faults import translated
from visionquery.store.generations import Generation
from visionquery.store.layout import CATALOG_NAME
from visionquery.store.scanning import Scanned

__all__ = ["Opened"]


class Opened:
    """An open library. Safe in several threads.

    `in_use` is one object, replaced whole: no thread may see the model of one generation and the
    vectors of another.
    """

    def __init__(self, folder: Path, connections: Connections, in_use: Generation) -> None:
        self.folder = folder
        # Absolute: a program may change its working folder while a library is open.
        self._catalog = (folder / CATALOG_NAME).absolute()
        self._found = self._catalog.stat()
        self.in_use = in_use
        self._connections = connections
        self._masks = Kept()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Give this thread's connection, and translate what goes wrong with it. Raises StoreError
        when the library is not any more where it was opened."""
        self.check_place()
        try:
            with translated(str(self.folder)):
                yield self._connections.mine()
        except StoreError:
            self.check_place()
            raise

    def check_place(self) -> None:
        """Raise StoreError when the catalog that was opened is not any more where it was, be it
        that another one is there: its open files would answer together with other ones."""
        try:
            is_there = os.path.samestat(self._catalog.stat(), self._found)
        except OSError:
            is_there = False
        if not is_there:
            raise LibraryReplacedError(
                f"The library {self.folder} was moved or removed while it was open here: open it "
                "again."
            )

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let this thread see one state of the library until the block ends."""
        with self.read() as connection:
            outermost = not connection.in_transaction
            if outermost:
                connection.execute("BEGIN")
                catalog.extent(connection)
        try:
            yield
        finally:
            if outermost:
                connection.execute("ROLLBACK")

    @contextmanager
    def rows(self) -> Iterator[sqlite3.Connection]:
        """Give this thread's connection, in one state, to ask for rows or by rows. Raises
        StoreError when those of that state are not those of the vectors in use."""
        with self.reading(), self.read() as connection:
            generations.row_count(connection, self.in_use)
            yield connection

    @contextmanager
    def scanned(self) -> Iterator[Scanned]:
        """Give the vectors for as long as they are read. Raises StoreError when the library was
        moved to another model or compacted since it was opened here."""
        with self.read() as connection, generations.reading(connection, self.in_use) as scanned:
            yield scanned

    def mask(self, connection: sqlite3.Connection, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of rows (n,)."""
        return generations.mask(connection, self.in_use, rows)

    def kept_mask(
        self,
        key: object,
        find: Callable[[sqlite3.Connection], NDArray[np.int64]],
        *,
        is_of: bool = True,
    ) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of the rows (n,) that `find` gives, or of all others where
        it `is_of` these not; kept under a key until something changes, and not to be written to."""

        def make() -> NDArray[np.bool_]:
            mask: NDArray[np.bool_] = self.mask(connection, find(connection)) == is_of
            mask.flags.writeable = False
            return mask

        with self.rows() as connection:
            return self._masks.get(key, catalog.changes(connection), make)

    def close(self) -> None:
        """Release files."""
        self.in_use.close()
        self._connections.close()
