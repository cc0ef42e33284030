"""The way of a catalog from an older version to this program's."""

import json
import sqlite3
from collections.abc import Callable, Mapping

from visionquery.errors import SchemaTooNewError, StoreError
from visionquery.store import catalog, word_index
from visionquery.store.faults import damaged
from visionquery.store.folding import folded_place
from visionquery.store.places import unpacked
from visionquery.store.schema import (
    APPLICATION_ID,
    CHECKSUMS,
    FACETS,
    FILE_TRIGGERS,
    FILES,
    NEXT_MODEL,
    SCHEMA_VERSION,
)

__all__ = ["MIGRATIONS", "Step", "found_version", "upgrade"]

Step = str | Callable[[sqlite3.Connection], None]
"""A statement, or what does more than a statement can."""


def _fill_facets(connection: sqlite3.Connection) -> None:
    """Make what filters are found by, of images and files that are there, and take down the images
    for their words to be made."""
    paths = connection.execute("SELECT root_id, path FROM files").fetchall()
    connection.executemany(
        "UPDATE files SET folded = ? WHERE root_id = ? AND path = ?",
        ((folded_place(unpacked(path)), root_id, path) for root_id, path in paths),
    )
    images = connection.execute("SELECT row, keywords FROM images")
    catalog.add_keywords(connection, ((row, json.loads(keywords)) for row, keywords in images))
    connection.execute("INSERT INTO stale_words SELECT row FROM images")


def _make_words(connection: sqlite3.Connection) -> None:
    word_index.refresh(connection)


MIGRATIONS: Mapping[int, tuple[Step, ...]] = {
    1: NEXT_MODEL,
    2: ("ALTER TABLE roots ADD COLUMN whole INTEGER NOT NULL DEFAULT 1",),
    3: (
        "ALTER TABLE files ADD COLUMN folded TEXT NOT NULL DEFAULT ''",
        *FACETS,
        *FILE_TRIGGERS,
        _fill_facets,
    ),
    4: (
        # A key cannot be changed: the table is made anew. Its index and triggers go with it.
        "ALTER TABLE files RENAME TO files_before",
        FILES[0],
        "INSERT INTO files (root_id, path, size_bytes, mtime_ns, row, problem, folded) "
        "SELECT root_id, path, size_bytes, mtime_ns, row, problem, folded FROM files_before",
        "DROP TABLE files_before",
        *FILES[1:],
        *FILE_TRIGGERS,
        *CHECKSUMS,
        _make_words,
    ),
}
"""From each older version, the steps that lead to the next one. Version 1 is the first."""


def found_version(connection: sqlite3.Connection, place: str) -> int:
    """Return the version of an open catalog.

    Raises StoreError when it is no catalog of ours, SchemaTooNewError when it is newer.
    """
    ((application_id,),) = connection.execute("PRAGMA application_id")
    ((version,),) = connection.execute("PRAGMA user_version")
    if application_id != APPLICATION_ID:
        raise StoreError(
            f"{place} is not a VisionQuery library: its catalog belongs to another program. "
            "Choose another folder."
        )
    if version > SCHEMA_VERSION:
        raise SchemaTooNewError(
            f"The library {place} has format version {version}, this program knows up to "
            f"{SCHEMA_VERSION}: install a newer visionquery.",
            found=version,
            supported=SCHEMA_VERSION,
        )
    return int(version)


def upgrade(
    connection: sqlite3.Connection,
    place: str,
    *,
    steps: Mapping[int, tuple[Step, ...]] = MIGRATIONS,
    target: int = SCHEMA_VERSION,
) -> None:
    """Bring an older catalog to version `target` in one transaction, all steps or none.

    Raises StoreError when there is no way from the version found.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        ((version,),) = connection.execute("PRAGMA user_version")
        for known in range(version, target):
            if known not in steps:
                raise damaged(place, f"nothing is known of its format version {known}")
            for step in steps[known]:
                if isinstance(step, str):
                    connection.execute(step)
                else:
                    step(connection)
        connection.execute(f"PRAGMA user_version = {target}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
