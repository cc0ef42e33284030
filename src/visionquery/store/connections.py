"""One SQLite connection per thread, so that each reader has a view of its own.

A library that this process may only read is opened as it is; where even the files of the
write-ahead log cannot be made beside it (a read-only disk), the catalog is taken as one that
nobody changes.
"""

import sqlite3
import threading
from pathlib import Path

from visionquery.errors import StoreError
from visionquery.store.faults import REFUSED, refusal_at

__all__ = ["Connections", "connect"]

_BUSY_SECONDS = 10.0


def connect(catalog: Path) -> sqlite3.Connection:
    """Open a catalog file to read and, if the system allows it, to write; commits are explicit.

    Raises sqlite3.Error when that cannot be, OSError when there is no room beside it or its
    disk is broken.
    """
    connection = _opened(str(catalog), uri=False)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA user_version").fetchall()
    except UnicodeDecodeError as error:  # SQLite quotes what is damaged, and that is no text
        connection.close()
        raise _corrupt() from error
    except BaseException as error:
        connection.close()
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_READONLY or (
            code == sqlite3.SQLITE_CANTOPEN and _is_refused(catalog)
        ):
            return _opened_as_unchanging(catalog)
        raise
    return connection


class Connections:
    """The open connections of one catalog, one to a thread; those of ended threads are closed."""

    def __init__(self, catalog: Path) -> None:
        self._catalog = catalog
        self._by_thread: dict[threading.Thread, sqlite3.Connection] = {}
        self._changing = threading.Lock()
        self._closed = False

    def mine(self) -> sqlite3.Connection:
        """Return this thread's connection. Raises StoreError when the library was closed."""
        connection = self._by_thread.get(threading.current_thread())
        return connection if connection is not None else self._add()

    def close(self) -> None:
        """Close all connections; the last one to go folds the write-ahead log away."""
        with self._changing:
            self._closed = True
            for connection in self._by_thread.values():
                connection.close()
            self._by_thread.clear()

    def _add(self) -> sqlite3.Connection:
        with self._changing:
            if self._closed:
                raise StoreError(f"The library {self._catalog.parent} was closed: open it again.")
            for thread in [each for each in self._by_thread if not each.is_alive()]:
                self._by_thread.pop(thread).close()
            connection = connect(self._catalog)
            self._by_thread[threading.current_thread()] = connection
            return connection


def _opened(database: str, *, uri: bool) -> sqlite3.Connection:
    return sqlite3.connect(
        database, uri=uri, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )


def _corrupt() -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError("its tables are described by what is no text")
    error.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return error


def _is_refused(catalog: Path) -> bool:
    """Whether the system lets nobody make a file beside a catalog. Raises OSError where it does
    not for a reason that may pass."""
    refusal = refusal_at(catalog.parent)
    if refusal is not None and refusal.errno not in REFUSED:
        raise refusal
    return refusal is not None


def _opened_as_unchanging(catalog: Path) -> sqlite3.Connection:
    log = catalog.with_name(catalog.name + "-wal")
    if log.exists() and log.stat().st_size:
        # Taken as unchanging, the catalog would lack what is only in its log so far.
        raise StoreError(
            f"The last writer of the library {catalog.parent} was cut off, and its work cannot be "
            "finished in a folder that may not be written to: open it once where it may."
        )
    return _opened(catalog.absolute().as_uri() + "?mode=ro&immutable=1", uri=True)
