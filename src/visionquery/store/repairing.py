"""Bringing a damaged library in order, on its place or, where its catalog cannot be read, in a new
catalog that takes the old one's place at the end.

Both happen in one step: whatever cuts a repair off leaves what was there, or what is repaired.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from visionquery.store.checking import (
    Checked,
    LostImage,
    check,
    check_catalog,
    is_damage,
    named,
    reading,
)
from visionquery.store.connections import connect
from visionquery.store.faults import translated
from visionquery.store.layout import CATALOG_NAME
from visionquery.store.mending import give_checksums, mend
from visionquery.store.migration import upgrade
from visionquery.store.roots import roots
from visionquery.store.salvage import salvaging
from visionquery.store.schema import SCHEMA_VERSION
from visionquery.store.vector_checks import OnProgress

__all__ = ["Repaired", "repair", "whole_roots"]


@dataclass(frozen=True, slots=True)
class Repaired:
    """What a repair came to. `lost` are the images that were forgotten and whose files are known;
    `unknown` is how many more are gone without a name, None when that cannot be told. `damaged` is
    where a catalog that could not be read is kept."""

    lost: tuple[LostImage, ...]
    unknown: int | None = 0
    damaged: str | None = None


def repair(
    folder: Path,
    found: Checked,
    *,
    forget_notes: Sequence[str],
    read_again: Iterable[tuple[int, bytes]] = (),
    on_progress: OnProgress,
) -> Repaired:
    """Bring the library in a folder in order, of which `found` is known; the writer's place is
    held. Drop these notes, of what was measured; have the files `read_again`, given as (root_id,
    path), looked at by the next indexing.

    Raises LibraryBusyError when another process has a library open whose catalog is to be replaced,
    StoreError when nothing can be done.
    """
    with translated(str(folder)):
        if found.unreadable is None:
            try:
                return _in_place(folder, found, forget_notes, read_again, on_progress)
            except sqlite3.Error as error:
                if not is_damage(error):
                    raise
        return _anew(folder, forget_notes, on_progress)


def whole_roots(folder: Path) -> list[str]:
    """Return the folders that a library was told to index, in order."""
    with translated(str(folder)), closing(connect(folder / CATALOG_NAME)) as connection:
        return [root.location for root in roots(connection) if root.whole]


def _in_place(
    folder: Path,
    found: Checked,
    forget_notes: Sequence[str],
    read_again: Iterable[tuple[int, bytes]],
    on_progress: OnProgress,
) -> Repaired:
    with reading(folder / CATALOG_NAME) as connection:
        if found.version < SCHEMA_VERSION:
            upgrade(connection, str(folder))
            found = check(folder, on_progress=on_progress)
        connection.execute("BEGIN IMMEDIATE")
        try:
            if not found.is_whole:
                mend(folder, connection, found, forget_notes=forget_notes)
            give_checksums(folder, connection)
            connection.executemany(
                "UPDATE files SET mtime_ns = -1 WHERE root_id = ? AND path = ?", read_again
            )
            connection.execute("COMMIT")
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
    return Repaired(found.lost)


def _anew(folder: Path, forget_notes: Sequence[str], on_progress: OnProgress) -> Repaired:
    with salvaging(folder) as salvaged:
        connection = salvaged.connection
        rows = connection.execute(
            "SELECT DISTINCT row FROM files "
            "WHERE row IS NOT NULL AND row NOT IN (SELECT row FROM images)"
        ).fetchall()
        missing = dict.fromkeys((row for (row,) in rows), "its record could not be read")
        unread = tuple(named(connection, missing))
        found = check_catalog(folder, connection, on_progress=on_progress)
        mend(folder, connection, found, forget_notes=forget_notes)
        give_checksums(folder, connection)
        lost = (*unread, *found.lost)
        before = salvaged.before
        unknown = None if before is None else max(before - found.images - len(unread), 0)
    return Repaired(lost, unknown, None if salvaged.damaged is None else str(salvaged.damaged))
