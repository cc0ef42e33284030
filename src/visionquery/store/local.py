"""Opening and making a library in one folder."""

import sqlite3
from contextlib import suppress
from pathlib import Path

from visionquery.errors import LibraryNotFoundError, LibraryReadOnlyError, StoreError
from visionquery.store import catalog, generations
from visionquery.store.connections import Connections
from visionquery.store.faults import translated
from visionquery.store.layout import CATALOG_NAME, build, check_free, segments_name
from visionquery.store.local_store import LocalStore
from visionquery.store.lock import writer_lock
from visionquery.store.migration import found_version, upgrade
from visionquery.store.opened import Opened
from visionquery.store.schema import SCHEMA_VERSION
from visionquery.store.vectors import sync_folder
from visionquery.types import ModelIdentity

__all__ = ["LocalStore", "check_place", "create_local", "open_local"]


def open_local(folder: Path) -> LocalStore:
    """Open the library in a folder; one that may only be read can be searched.

    Raises LibraryNotFoundError when there is none, SchemaTooNewError when a newer program
    wrote it, LibraryBusyError when it must be migrated while another process writes, and
    StoreError when it is a file, belongs to another program, or is damaged.
    """
    place = str(folder)
    with translated(place):
        if folder.exists() and not folder.is_dir():
            raise StoreError(f"{place} is a file, not a library: give a folder.")
        if not (folder / CATALOG_NAME).is_file():
            raise LibraryNotFoundError(
                f"There is no library in {place}: make one with: visionquery index FOLDER"
            )
        connections = Connections(folder / CATALOG_NAME)
        try:
            return _opened(folder, connections)
        except BaseException:
            connections.close()
            raise


def check_place(folder: Path) -> None:
    """Raise StoreError when a folder is a file, or holds something else than a library."""
    place = str(folder)
    with translated(place):
        if folder.exists() and not folder.is_dir():
            raise StoreError(f"{place} is a file, not a library: give a folder.")
        if folder.is_dir():
            check_free(folder)


def create_local(folder: Path, model: ModelIdentity) -> LocalStore:
    """Make a library for a model's vectors in a folder that is new or empty, and open it.

    Raises StoreError when there is a library, something else in the folder, or no way to write.
    """
    place = str(folder)
    # Asked before the lock too, whose file would else be left in somebody's folder.
    check_place(folder)
    with translated(place):
        _make(folder)
        with writer_lock(folder):
            build(folder, model)
    return open_local(folder)


def _make(folder: Path) -> None:
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    # Also one that is there: who made it may have been cut off before its name was durable.
    for each in missing or [folder]:
        # Who may not read the folder around a library need not have made anything in it.
        with suppress(PermissionError):
            sync_folder(each.parent)


def _upgrade(folder: Path, connection: sqlite3.Connection, version: int) -> None:
    from visionquery.store.identity import keep_identity

    try:
        with writer_lock(folder):
            upgrade(connection, str(folder))
            model, number, _ = catalog.current(connection)
            keep_identity(folder / segments_name(number), model)
    except LibraryReadOnlyError as error:
        raise LibraryReadOnlyError(
            f"The library {folder} has format version {version} and must be brought to version "
            f"{SCHEMA_VERSION} before it can be read, but it may not be changed here: open it once "
            "as somebody who may write to its folder, or copy it to where you may."
        ) from error


def _opened(folder: Path, connections: Connections) -> LocalStore:
    connection = connections.mine()
    version = found_version(connection, str(folder))
    if version < SCHEMA_VERSION:
        _upgrade(folder, connection, version)
    in_use = generations.in_use(folder, connection)
    return LocalStore(Opened(folder, connections, in_use))
