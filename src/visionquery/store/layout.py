"""What lies in the folder of a library, and how it comes to be there and goes."""

import os
import re
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from visionquery.errors import StoreError
from visionquery.store import catalog
from visionquery.store.connections import connect
from visionquery.store.lock import LOCK_NAME, OWNER_NAME
from visionquery.store.schema import APPLICATION_ID, SCHEMA_VERSION, TABLES
from visionquery.store.vectors import sync_folder
from visionquery.types import ModelIdentity

__all__ = [
    "CATALOG_NAME",
    "DAMAGED_NAME",
    "LIBRARY_ID_NOTE",
    "build",
    "check_free",
    "folder_bytes",
    "generations_there",
    "make_catalog",
    "put_catalog",
    "remove_segments",
    "segments_name",
    "strangers",
    "unfinished_catalog",
]

CATALOG_NAME = "catalog.sqlite"
_UNFINISHED_NAME = "unfinished.sqlite"
DAMAGED_NAME = "catalog.damaged-"
"""How the names of catalogs begin that were damaged, and are kept beside the one made of them."""

LIBRARY_ID_NOTE = "library_id"
"""The note of a random text by which a library, and its backups, are known."""

_LOGS = ("-wal", "-shm")
_OLD_OWNER_NAME = "writer.pid"  # of programs before format version 5
_SEGMENTS_NAME = re.compile(r"vectors-([0-9]+)")


def segments_name(generation: int) -> str:
    """Return the name of the folder of a generation's vectors."""
    return f"vectors-{generation}"


def build(folder: Path, model: ModelIdentity) -> None:
    """Make an empty library in a folder whose writer's place is held.

    Raises StoreError when there is a library or something else in the folder.
    """
    if (folder / CATALOG_NAME).exists():
        raise StoreError(f"There is a library in {folder} already: open it, or choose another.")
    check_free(folder)
    # The catalog gets its name last: a kill before that leaves a folder that counts as empty.
    from visionquery.store.identity import keep_identity

    (folder / segments_name(1)).mkdir(exist_ok=True)
    keep_identity(folder / segments_name(1), model)
    make_catalog(unfinished_catalog(folder), model)
    put_catalog(folder)


def generations_there(folder: Path) -> set[int]:
    """Return the numbers of the generations that have a folder."""
    found = (_SEGMENTS_NAME.fullmatch(path.name) for path in folder.iterdir())
    return {int(known[1]) for known in found if known}


def unfinished_catalog(folder: Path) -> Path:
    """Return where a catalog is made before it gets its name; nothing is there yet."""
    for leftover in folder.glob(_UNFINISHED_NAME + "*"):
        leftover.unlink()
    return folder / _UNFINISHED_NAME


def make_catalog(path: Path, model: ModelIdentity) -> None:
    """Make the catalog of an empty library."""
    import secrets  # a search never needs it

    connection = connect(path)
    try:
        # What is cut off here is made anew from nothing, and needs no journal.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("BEGIN")
        for statement in TABLES:
            connection.execute(statement)
        catalog.create(connection, model)
        catalog.set_note(connection, LIBRARY_ID_NOTE, secrets.token_hex(16))
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
        # Last: closing folds a log away, and says nothing when that fails; this way there is none.
        connection.execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


def put_catalog(folder: Path) -> None:
    """Give the catalog that was made its name, in place of one that nobody has open."""
    unfinished, name = folder / _UNFINISHED_NAME, folder / CATALOG_NAME
    with unfinished.open("rb+") as file:
        os.fsync(file.fileno())
    # A log that stayed would be taken for that of the new catalog.
    for suffix in _LOGS:
        Path(f"{name}{suffix}").unlink(missing_ok=True)
    # The folder of vectors is to be there wherever the catalog is.
    sync_folder(folder)
    unfinished.replace(name)
    sync_folder(folder)


def strangers(folder: Path) -> list[str]:
    """Return the names of what lies in the folder of a library and is no part of it."""
    logs = {CATALOG_NAME + suffix for suffix in _LOGS}
    ours = {LOCK_NAME, _OLD_OWNER_NAME, CATALOG_NAME, *logs}
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.name not in ours
        and not path.name.startswith((_UNFINISHED_NAME, DAMAGED_NAME, OWNER_NAME))
        and not _SEGMENTS_NAME.fullmatch(path.name)
    )


def check_free(folder: Path) -> None:
    """Raise StoreError when a folder holds something else than a library, whole or cut off while
    it was made."""
    if (folder / CATALOG_NAME).exists():
        return
    ours = {LOCK_NAME, _OLD_OWNER_NAME, segments_name(1)}
    others = sorted(
        path.name
        for path in folder.iterdir()
        if path.name not in ours and not path.name.startswith((_UNFINISHED_NAME, OWNER_NAME))
    )
    if others:
        raise StoreError(
            f"The folder {folder} holds something else ({others[0]!r}): choose a new or empty one."
        )


def remove_segments(folder: Path, *, except_of: Collection[int]) -> None:
    """Remove the vectors of generations that the catalog knows no more. What the system does
    not let go of, because a reader elsewhere has it open, is left for the next time."""
    for path in folder.iterdir():
        known = _SEGMENTS_NAME.fullmatch(path.name)
        if known and int(known[1]) not in except_of:
            shutil.rmtree(path, ignore_errors=True)


def folder_bytes(folder: Path) -> int:
    """Return how much room the files of a folder take; those that go meanwhile count nothing."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += Path(place, name).stat().st_size
    return total
