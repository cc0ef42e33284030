"""The catalog's tables, their version, and the way from an older one."""

import sqlite3
from collections.abc import Mapping

from visionquery.errors import SchemaTooNewError, StoreError
from visionquery.store.faults import damaged

__all__ = ["APPLICATION_ID", "MIGRATIONS", "SCHEMA_VERSION", "TABLES", "found_version", "upgrade"]

APPLICATION_ID = 0x56514C42
"""Marks a SQLite file as a VisionQuery catalog ("VQLB")."""

SCHEMA_VERSION = 3

_NEXT_MODEL = (
    # At most one row: the model that the library is being moved to.
    """CREATE TABLE next_model (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        model_name TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        embed_dim INTEGER NOT NULL,
        model_source TEXT NOT NULL,
        generation INTEGER NOT NULL)""",
    # Which rows have their vector of it; some may have become holes since.
    "CREATE TABLE next_rows (row INTEGER PRIMARY KEY)",
)

MIGRATIONS: Mapping[int, tuple[str, ...]] = {
    1: _NEXT_MODEL,
    2: ("ALTER TABLE roots ADD COLUMN whole INTEGER NOT NULL DEFAULT 1",),
}
"""From each older version, the statements that lead to the next one. Version 1 is the first."""

TABLES = (
    # One row: what the vectors are and how many are committed. Vectors past `rows` do not exist.
    """CREATE TABLE library (
        only INTEGER PRIMARY KEY CHECK (only = 1),
        model_name TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        embed_dim INTEGER NOT NULL,
        model_source TEXT NOT NULL,
        generation INTEGER NOT NULL,
        rows INTEGER NOT NULL)""",
    # AUTOINCREMENT: the number of a root that went is never given to another.
    """CREATE TABLE roots (
        root_id INTEGER PRIMARY KEY AUTOINCREMENT,
        location BLOB NOT NULL UNIQUE,
        whole INTEGER NOT NULL DEFAULT 1)""",
    """CREATE TABLE images (
        row INTEGER PRIMARY KEY,
        image_id BLOB NOT NULL UNIQUE,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        format TEXT NOT NULL,
        size_bytes INTEGER NOT NULL,
        camera TEXT,
        taken_at TEXT,
        latitude REAL,
        longitude REAL,
        caption TEXT,
        keywords TEXT NOT NULL)""",
    "CREATE INDEX images_by_date ON images (taken_at)",
    # Paths are bytes: a file name need not be text.
    """CREATE TABLE files (
        root_id INTEGER NOT NULL,
        path BLOB NOT NULL,
        size_bytes INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        row INTEGER,
        problem TEXT,
        PRIMARY KEY (root_id, path)) WITHOUT ROWID""",
    "CREATE INDEX files_by_row ON files (row)",
    "CREATE TABLE holes (row INTEGER PRIMARY KEY)",
    "CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    *_NEXT_MODEL,
)


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
    steps: Mapping[int, tuple[str, ...]] = MIGRATIONS,
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
            for statement in steps[known]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {target}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
