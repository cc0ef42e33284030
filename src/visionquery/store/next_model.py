"""The catalog's record of a move to another model: which one, and which rows have its vector.

Functions over a connection; those that change something run inside a transaction of the
caller's. Vectors of the next model lie in the files of a generation of their own.
"""

import sqlite3
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from visionquery.store.measures import drop_measures
from visionquery.store.rows import rows_of
from visionquery.types import ModelIdentity

__all__ = ["begin", "drop", "is_complete", "mark_done", "pending", "rows_done", "switch"]


def pending(connection: sqlite3.Connection) -> tuple[ModelIdentity, int] | None:
    """Return the next model and the generation of its vectors, None when there is none."""
    found = connection.execute(
        "SELECT model_name, fingerprint, embed_dim, model_source, generation FROM next_model"
    ).fetchone()
    if found is None:
        return None
    *model, generation = found
    return ModelIdentity(*model), generation


def begin(connection: sqlite3.Connection, model: ModelIdentity, *, after: int) -> int:
    """Say that the library moves to a model, and return the generation of its vectors.

    A move to the same model goes on; one to another is dropped. `after` is the generation in
    use: a new one has a number that neither it nor the dropped one had.
    """
    before = pending(connection)
    if before is not None and before[0].fingerprint == model.fingerprint:
        generation = before[1]
    else:
        generation = (after if before is None else max(after, before[1])) + 1
        drop(connection)
    # Also when going on: the model may have been found in another place this time.
    connection.execute(
        "REPLACE INTO next_model VALUES (1, ?, ?, ?, ?, ?)",
        (model.name, model.fingerprint, model.embed_dim, model.source, generation),
    )
    return generation


def mark_done(connection: sqlite3.Connection, checksums: Mapping[int, int]) -> None:
    """Say that rows have their vector of the next model, whose checksums these are, by row."""
    connection.executemany("REPLACE INTO next_rows VALUES (?, ?)", checksums.items())


def rows_done(connection: sqlite3.Connection) -> NDArray[np.int64]:
    """Return the rows (n,) of images that have their vector of the next model."""
    return rows_of(connection, "next_rows JOIN images USING (row)")


def is_complete(connection: sqlite3.Connection) -> bool:
    """Return whether every image has its vector of the next model."""
    missing = connection.execute(
        "SELECT 1 FROM images WHERE row NOT IN (SELECT row FROM next_rows) LIMIT 1"
    )
    return missing.fetchone() is None


def drop(connection: sqlite3.Connection) -> None:
    """Forget the move."""
    connection.execute("DELETE FROM next_model")
    connection.execute("DELETE FROM next_rows")


def switch(connection: sqlite3.Connection, *, forget_notes: Sequence[str]) -> None:
    """Make the next model the model, and forget the old one's measures, and the notes that hold
    for it alone."""
    columns = "model_name, fingerprint, embed_dim, model_source, generation"
    connection.execute(f"UPDATE library SET ({columns}) = (SELECT {columns} FROM next_model)")
    connection.execute(
        "UPDATE images SET vector_crc = "
        "(SELECT vector_crc FROM next_rows WHERE next_rows.row = images.row)"
    )
    connection.executemany("DELETE FROM notes WHERE key = ?", ((key,) for key in forget_notes))
    drop_measures(connection)
    drop(connection)
