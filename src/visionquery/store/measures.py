"""The catalog's measures: a few numbers for each image that search derives from its vector.

They lie in the catalog, in parts of many rows each, so that what is written of them is there
whole or not at all, and a reader sees those of one moment. Functions over a connection; those
that change something run inside a transaction of the caller's.
"""

import sqlite3

import numpy as np
from numpy.typing import NDArray

from visionquery.store.base import MEASURES

__all__ = ["drop_measures", "put_measures", "read_measures"]

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


def read_measures(connection: sqlite3.Connection, row_count: int) -> NDArray[np.float32]:
    """Return the measures (row_count, MEASURES), NaN where none was written."""
    found = np.full((row_count, MEASURES), np.nan, dtype=np.float32)
    for number, stored in connection.execute("SELECT part, numbers FROM measures"):
        start = number * _ROWS_PER_PART
        rows = found[start : start + _ROWS_PER_PART]
        rows[:] = _numbers(stored)[: len(rows)]
    return found


def drop_measures(connection: sqlite3.Connection) -> None:
    """Forget all measures."""
    connection.execute("DELETE FROM measures")


def _part(connection: sqlite3.Connection, number: int) -> NDArray[np.float32]:
    found = connection.execute("SELECT numbers FROM measures WHERE part = ?", (number,)).fetchone()
    if found is None:
        return np.full((_ROWS_PER_PART, MEASURES), np.nan, dtype=_STORED)
    return _numbers(found[0]).copy()


def _numbers(stored: bytes) -> NDArray[np.float32]:
    return np.frombuffer(stored, dtype=_STORED).reshape(_ROWS_PER_PART, MEASURES)
