"""What the disk and SQLite complain about, said as one sentence that helps."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from visionquery.errors import LibraryBusyError, LibraryReadOnlyError, StoreError

__all__ = ["REFUSED", "damaged", "refusal_at", "translated"]

REFUSED = {errno.EROFS, errno.EACCES, errno.EPERM}
"""What the system says where it lets a process change nothing."""

_FULL = {errno.ENOSPC, errno.EDQUOT}
_SENSELESS = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What becomes of damage that SQLite does not see: a value of another kind, a row that is none."""


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Turn errors of SQLite and of the system, about the library at `place`, into StoreError."""
    try:
        yield
    except sqlite3.Error as error:
        raise _of_sqlite(error, place) from error
    except OSError as error:
        raise _of_system(error, place) from error
    except _SENSELESS as error:
        raise damaged(place, f"what it holds makes no sense ({error})") from error


def refusal_at(folder: Path) -> OSError | None:
    """Return what the system says when a file is to be made in a folder, None when it lets one.
    SQLite says of a full disk and of a broken one no more than that it cannot open a file."""
    import tempfile

    try:
        # With a name, as SQLite's files have one; it counts as left over if this is cut off here.
        with tempfile.NamedTemporaryFile(dir=folder, prefix="unfinished.sqlite-"):
            return None
    except OSError as error:
        return error


def damaged(place: str, detail: str) -> StoreError:
    """Return the error for a library whose files do not fit together."""
    from shlex import quote

    return StoreError(
        f"The library {place} is damaged: {detail}. See what can be saved with: visionquery doctor "
        f"--library {quote(place)}, or restore it from a copy."
    )


def _of_sqlite(error: sqlite3.Error, place: str) -> StoreError:
    # The low byte is the primary code, the rest says more than a caller can act on.
    extended = getattr(error, "sqlite_errorcode", 0)
    code = extended & 0xFF
    # What its log is shared by is made as large as it needs before it is used.
    if code == sqlite3.SQLITE_FULL or extended == sqlite3.SQLITE_IOERR_SHMSIZE:
        return _full(place)
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
        return _refused(place, str(error))
    if code == sqlite3.SQLITE_CANTOPEN and (refusal := refusal_at(Path(place))) is not None:
        return _of_system(refusal, place)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LibraryBusyError(
            f"The library {place} is being changed by another process: try again in a moment."
        )
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return damaged(place, f"its catalog cannot be read ({error})")
    if "no such module" in str(error):
        return StoreError(
            f"The library {place} cannot be used: the SQLite of this Python lacks its full-text "
            f"search ({error}). Use a Python whose SQLite has FTS5, as those of python.org do."
        )
    return StoreError(f"The library {place} cannot be used: {error}. Check its disk, try again.")


def _of_system(error: OSError, place: str) -> StoreError:
    if error.errno in _FULL:
        return _full(place)
    if error.errno in REFUSED:
        return _refused(place, str(error.strerror))
    if error.errno == errno.ENOENT:
        return damaged(place, f"{error.filename!r} is missing")
    return StoreError(f"The library {place} cannot be used: {error}. Check its disk, try again.")


def _full(place: str) -> StoreError:
    return StoreError(
        f"There is no room left for the library {place}: free some space and run the command "
        "again; what was stored so far is kept."
    )


def _refused(place: str, reason: str) -> StoreError:
    return LibraryReadOnlyError(
        f"The library {place} may not be opened or changed ({reason}): check the permissions "
        "of its folder, or choose another one."
    )
