"""A library without holes: the vectors of its images alone, and a catalog numbered as they are.

The vectors go, in the order they have, into a generation of their own beside the one in use. One
transaction then gives every table that knows rows the new numbers and has the catalog answer from
the new generation. Until it is committed, nothing has changed; after it, the old files are of no
use to anyone and go.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import StoreError
from visionquery.store import catalog, generations, next_model, pruning
from visionquery.store.generations import Generation
from visionquery.store.measures import move_measures
from visionquery.store.region_files import known_regions, move_regions, set_known
from visionquery.store.rows import rows_of

__all__ = ["NUMBERED", "compacted", "give_room_back"]

NUMBERED: Mapping[str, str] = {
    "images": "row",
    "files": "row",
    "keywords": "row",
    "texts": "row",
    "words": "rowid",
}
"""The tables that are numbered anew, with their column of rows. All others that have one are empty
when nothing is being moved or changed."""

_ROWS_AT_ONCE = 16_384

_CACHE_KIB = 65_536
"""What the catalog may keep in memory meanwhile: ids come in no order, and each would else read and
write a page of their index anew."""

_WORTH_IT = 0.1
"""The catalog is written anew where so much of it is free."""

_NO_ROOM = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def compacted(
    connection: sqlite3.Connection, current: Generation, notes: Mapping[str, str]
) -> Generation | None:
    """Put vectors without holes in place of the current ones, inside a transaction of the caller's,
    keep the notes, and return the new vectors; None, and nothing is kept, where there is no hole.

    Raises StoreError while the library is being moved to another model.
    """
    count, rows = generations.row_count(connection, current), np.sort(rows_of(connection, "images"))
    if len(rows) == count:
        return None
    if (moving := next_model.pending(connection)) is not None:
        raise StoreError(
            f"The library {current.folder} is being moved to the model {moving[0].name}: finish "
            "that first (visionquery index --reencode), then compact it."
        )
    after = generations.beside(current)
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        part = rows[start : start + _ROWS_AT_ONCE]
        after.segments.append(start, current.segments.take(part, count))
    _move_regions(connection, current, after, rows)
    with _roomy(connection):
        _number_anew(connection, rows)
    catalog.use_generation(connection, after.number, len(rows))
    for key, value in notes.items():
        catalog.set_note(connection, key, value)
    if generations.waiting_rows(connection, after):
        generations.encode_rows(connection, after)
    return after


def _move_regions(
    connection: sqlite3.Connection, current: Generation, after: Generation, rows: NDArray[np.int64]
) -> None:
    known = known_regions(connection, current.number)
    before, moved = current.regions(known.edition), after.regions(known.edition)
    count = move_regions(before, known, moved, rows)
    set_known(connection, after.number, replace(known, rows=count))


def give_room_back(connection: sqlite3.Connection) -> None:
    """Let the files of the catalog be no longer than they need to be, as far as there is room to
    write it anew, and nobody looks at an older state."""
    ((pages,),) = connection.execute("PRAGMA page_count")
    ((free,),) = connection.execute("PRAGMA freelist_count")
    if free > pages * _WORTH_IT:
        try:
            connection.execute("VACUUM")
        except sqlite3.OperationalError as error:
            # Free pages are no fault: they are used by what comes.
            if error.sqlite_errorcode & 0xFF not in _NO_ROOM:
                raise
    # The second waits for readers of older states, the first tells whether there are any.
    ((_, written, folded),) = connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    if written == folded:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


@contextmanager
def _roomy(connection: sqlite3.Connection) -> Iterator[None]:
    ((before,),) = connection.execute("PRAGMA cache_size")
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA cache_size = {before}")


def _number_anew(connection: sqlite3.Connection, rows: NDArray[np.int64]) -> None:
    """Give the images, which have these rows (n,), the rows 0 to n - 1."""
    connection.execute("CREATE TEMP TABLE moved (old INTEGER PRIMARY KEY, new INTEGER NOT NULL)")
    connection.execute(
        "INSERT INTO moved SELECT row, row_number() OVER (ORDER BY row) - 1 FROM images"
    )
    for table, key in NUMBERED.items():
        _make_anew(connection, table, key)
    pruning.move_loose(connection, "moved")
    move_measures(connection, rows)
    connection.execute("DELETE FROM holes")
    connection.execute("DROP TABLE moved")


def _make_anew(connection: sqlite3.Connection, table: str, key: str) -> None:
    """Make a table anew, as the catalog says it was made, with the rows that `moved` gives.

    Measured: with its indexes made at the end, in half the time that an UPDATE takes; and words
    could not be updated at all.
    """
    first, *others = [
        statement
        for (statement,) in connection.execute(
            "SELECT sql FROM sqlite_master WHERE tbl_name = ? AND sql IS NOT NULL "
            "ORDER BY type = 'table' DESC, rowid",
            (table,),
        ).fetchall()
    ]
    connection.execute(f"ALTER TABLE {table} RENAME TO {table}_before")
    connection.execute(first)
    connection.execute(_copying(connection, table, key))
    # Its indexes and triggers go with it: nothing that was copied counts as a change.
    connection.execute(f"DROP TABLE {table}_before")
    for statement in others:
        connection.execute(statement)


def _copying(connection: sqlite3.Connection, table: str, key: str) -> str:
    columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
    others = ", ".join(name for name in columns if name != key)
    # Files with a problem have no row. Read in the order of its key, a table is written in it.
    join, indexes = ("LEFT JOIN", "NOT INDEXED") if table == "files" else ("JOIN", "")
    return (
        f"INSERT INTO {table} ({key}, {others}) SELECT moved.new, {others} "
        f"FROM {table}_before {indexes} {join} moved ON moved.old = {table}_before.{key}"
    )
