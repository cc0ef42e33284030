"""The catalog's measures: a few numbers for each image that search derives from its vector.

They lie in the catalog, in parts of many rows each, so that what is written of them is there
whole or not at all, and a reader sees those of one moment. Functions over a connection; those
that change something run inside a transaction of the caller's.
"""

import sqlite3

import numpy as np
from numpy.typing import NDArray

from visionquery.store.base import MEASURES
from visionquery.store.rows import distinct

__all__ = ["drop_measures", "move_measures", "put_measures", "read_measures"]

_ROWS_PER_PART = 4096
_STORED = np.dtype("<f4")


def put_measures(
    connection: sqlite3.Connection, first_row: int, measures: NDArray[np.float32]
) -> None:
    """Store measures (n, MEASURES) of the rows from `first_row` on, in place of theirs."""
    end = first_row + len(measures)
    for number in range(first_row // _ROWS_PER_PART, -(-end // _ROWS_PER_PART)):
        start = number * _ROWS_PER_PART
        first, last = max(first_row, start), min(end, start + _ROWS_PER_PART)
        part = _part(connection, number)
        part[first - start : last - start] = measures[first - first_row : last - first_row]
        connection.execute("REPLACE INTO measures VALUES (?, ?)", (number, part.tobytes()))


def read_measures(
    connection: sqlite3.Connection, rows: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Return the measures (n, MEASURES) of rows (n,), NaN where none was written."""
    found = np.full((len(rows), MEASURES), np.nan, dtype=np.float32)
    numbers, offsets = np.divmod(rows, _ROWS_PER_PART)
    for number in distinct(numbers).tolist():
        here = numbers == number
        found[here] = _part(connection, number)[offsets[here]]
    return found


def drop_measures(connection: sqlite3.Connection) -> None:
    """Forget all measures."""
    connection.execute("DELETE FROM measures")


def move_measures(connection: sqlite3.Connection, rows: NDArray[np.int64]) -> None:
    """Give the measures of rows (n,) to the rows 0 to n - 1, and forget all others."""
    if connection.execute("SELECT 1 FROM measures LIMIT 1").fetchone() is not None:
        kept = read_measures(connection, rows)
        drop_measures(connection)
        put_measures(connection, 0, kept)


def _part(connection: sqlite3.Connection, number: int) -> NDArray[np.float32]:
    found = connection.execute("SELECT numbers FROM measures WHERE part = ?", (number,)).fetchone()
    if found is None:
        return np.full((_ROWS_PER_PART, MEASURES), np.nan, dtype=_STORED)
    return np.frombuffer(found[0], dtype=_STORED).reshape(_ROWS_PER_PART, MEASURES).copy()
