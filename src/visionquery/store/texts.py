"""The catalog's side of the text that was read in pictures.

Functions over a connection; `put_texts` runs inside a transaction of the caller's.
"""

import sqlite3
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import StoreError
from visionquery.store.entries import storable
from visionquery.store.folding import folded, with_single_spaces
from visionquery.store.rows import rows_of

__all__ = ["has_texts", "put_texts", "rows_read"]


def put_texts(connection: sqlite3.Connection, texts: Mapping[int, str]) -> None:
    """Store the texts of rows in place of those that are there.

    Raises StoreError when a row is no image.
    """
    for row in texts:
        if connection.execute("SELECT 1 FROM images WHERE row = ?", (row,)).fetchone() is None:
            raise StoreError(f"Row {row} is no image of the library (any more): read again.")
    connection.executemany(
        "REPLACE INTO texts VALUES (?, ?, ?)",
        ((row, storable(text), with_single_spaces(folded(text))) for row, text in texts.items()),
    )


def rows_read(connection: sqlite3.Connection) -> NDArray[np.int64]:
    """Return the rows (n,) of images whose text was read."""
    return rows_of(connection, "texts")


def has_texts(connection: sqlite3.Connection) -> bool:
    """Return whether the text of any image was read."""
    return connection.execute("SELECT 1 FROM texts LIMIT 1").fetchone() is not None
