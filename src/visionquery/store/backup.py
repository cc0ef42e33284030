"""A copy of a library that is whole, taken while others read it and write to it.

The catalog is copied as it is at one moment; of the files of vectors, what that catalog counts,
which never changes. The copied catalog gets its name last, so that a copy that was cut off is none.
Where the folder has an older copy of the same library, only what came since is copied.
"""

import json
import os
import secrets
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from visionquery.errors import LibraryBusyError, StoreError
from visionquery.store import catalog, next_model
from visionquery.store.checking import check_open
from visionquery.store.codes import Codes, coded
from visionquery.store.connections import connect
from visionquery.store.faults import translated
from visionquery.store.identity import keep_identity
from visionquery.store.layout import (
    CATALOG_NAME,
    LIBRARY_ID_NOTE,
    put_catalog,
    remove_segments,
    segments_name,
    strangers,
    unfinished_catalog,
)
from visionquery.store.lock import writer_lock
from visionquery.store.region_files import RegionFiles, known_regions
from visionquery.store.vector_checks import OnProgress
from visionquery.store.vectors import Segments, sync_folder

__all__ = ["BackedUp", "back_up"]

_NOTE = "backup"
"""Says in a copy of which library, and of which of its states, it is one."""

_TRIES = 5
_BYTES_AT_ONCE = 2**24


@dataclass(frozen=True, slots=True)
class BackedUp:
    """A copy that was made: its folder, the images in it, the bytes that were copied for it, and
    whether an older copy was brought up to date."""

    folder: str
    images: int
    copied_bytes: int
    is_update: bool


class _GoneError(Exception):
    """A file of vectors went away while it was copied: the library has others by now."""


def back_up(folder: Path, to: Path, *, on_progress: OnProgress) -> BackedUp:
    """Copy the library in a folder to another, which is new, empty, or has an older copy of it, and
    check the copy before it takes the older one's place; `on_progress` is told of bytes copied.

    Raises StoreError when the other folder is none of these, cannot be written to, or the library
    itself is damaged; LibraryBusyError when another process uses the older copy.
    """
    _check_apart(folder, to)
    with translated(str(to)):
        to.mkdir(parents=True, exist_ok=True)
        with writer_lock(to):
            library_id = _library_id(folder)
            there = _there(to, library_id)
            for attempt in range(_TRIES):
                # What does not fit the older copy is copied whole.
                done = there if attempt == 0 and there is not None else {}
                made = _copied(folder, to, library_id, done, on_progress)
                if made is not None:
                    return replace(made, is_update=there is not None)
    raise StoreError(
        f"The library {folder} could not be copied whole: look what is wrong with it with: "
        "visionquery doctor"
    )


def _check_apart(folder: Path, to: Path) -> None:
    ours, theirs = folder.resolve(), to.resolve()
    if ours == theirs or ours in theirs.parents or theirs in ours.parents:
        raise StoreError(f"{to} is no place for a copy of the library {folder}: take another one.")
    if to.exists() and not to.is_dir():
        raise StoreError(f"{to} is a file: give a folder for the copy of the library.")
    if to.is_dir() and (others := strangers(to)):
        raise StoreError(
            f"The folder {to} holds something else ({others[0]!r}): choose a new or empty one."
        )


def _library_id(folder: Path) -> str:
    """Return the text by which a library is known, made for one that has none yet."""
    with translated(str(folder)), closing(connect(folder / CATALOG_NAME)) as connection:
        known = catalog.note(connection, LIBRARY_ID_NOTE)
        if known is None:
            known = secrets.token_hex(16)
            connection.execute("BEGIN IMMEDIATE")
            catalog.set_note(connection, LIBRARY_ID_NOTE, known)
            catalog.changed(connection)
            connection.execute("COMMIT")
        return known


def _there(to: Path, library_id: str) -> dict[str, int] | None:
    """Return how many bytes of which files an older copy counts, None when there is no copy.

    Raises StoreError when what is there is no copy of this library, or not what was copied.
    """
    name = to / CATALOG_NAME
    if not name.exists():
        return None
    with closing(connect(name)) as connection:
        kept = json.loads(catalog.note(connection, _NOTE) or "{}")
        if kept.get("library") != library_id:
            raise StoreError(f"{to} is another library: give a new folder for the copy.")
        if kept.get("changes") != catalog.changes(connection):
            raise StoreError(
                f"The library {to} was changed since it was made as a copy: give a new folder for "
                "the next one, so that nothing of it is lost."
            )
        sizes = _counted(to, connection)
    # The last one to close a catalog takes its log away.
    if Path(f"{name}-wal").exists():
        raise LibraryBusyError(
            f"Another process has the library {to} open: stop it, then run the command again."
        )
    return sizes


def _copied(
    folder: Path, to: Path, library_id: str, done: Mapping[str, int], on_progress: OnProgress
) -> BackedUp | None:
    """Make a copy of the state of now; None when it did not come out whole, because files went
    away, or those that are `done` are not what they were."""
    unfinished = unfinished_catalog(to)
    with (
        translated(str(folder)),
        closing(connect(folder / CATALOG_NAME)) as source,
        closing(connect(unfinished)) as target,
    ):
        source.backup(target)
    with closing(connect(unfinished)) as copy:
        note = {"library": library_id, "changes": catalog.changes(copy)}
        catalog.set_note(copy, _NOTE, json.dumps(note))
        try:
            copied = _copy_files(folder, to, copy, done, on_progress)
        except _GoneError:
            return None
        found = check_open(to, copy, on_progress=lambda *_: None)
        numbers = _generations(copy)
    if not found.is_whole:
        return None
    copied += unfinished.stat().st_size
    put_catalog(to)
    remove_segments(to, except_of=numbers)
    return BackedUp(str(to), found.images, copied, is_update=False)


def _copy_files(
    folder: Path,
    to: Path,
    connection: sqlite3.Connection,
    done: Mapping[str, int],
    on_progress: OnProgress,
) -> int:
    """Copy what a copied catalog counts, but for what is `done`; return how many bytes that was."""
    wanted = {name: (done.get(name, 0), size) for name, size in _counted(to, connection).items()}
    for number in _generations(connection):
        (to / segments_name(number)).mkdir(exist_ok=True)
    model, generation, _ = catalog.current(connection)
    keep_identity(to / segments_name(generation), model)
    known = next_model.pending(connection)
    if known is not None:
        keep_identity(to / segments_name(known[1]), known[0])
        wanted |= {name: (0, size) for name, size in _counted_next(folder, connection).items()}
    total = sum(max(size - start, 0) for start, size in wanted.values())
    copied = 0
    for name, (start, size) in wanted.items():
        for step in _copy(folder / name, to / name, start, size):
            copied += step
            on_progress("Copying", copied, total)
    for number in _generations(connection):
        sync_folder(to / segments_name(number))
    return copied


def _copy(source: Path, target: Path, start: int, end: int) -> Iterator[int]:
    """Copy the bytes of a file from `start` to `end`, and yield how many each time; on disk when
    all are."""
    if start >= end:
        return
    try:
        file = source.open("rb")
    except FileNotFoundError:
        raise _GoneError from None
    with file, target.open("r+b" if target.exists() else "xb") as copy:
        file.seek(start)
        copy.seek(start)
        while start < end:
            data = file.read(min(_BYTES_AT_ONCE, end - start))
            if not data:
                raise _GoneError
            copy.write(data)
            start += len(data)
            yield len(data)
        copy.truncate()
        copy.flush()
        os.fsync(copy.fileno())


def _generations(connection: sqlite3.Connection) -> list[int]:
    known = next_model.pending(connection)
    return [catalog.current(connection)[1], *([] if known is None else [known[1]])]


def _counted(folder: Path, connection: sqlite3.Connection) -> dict[str, int]:
    """Return how many bytes of which files, by their names from the folder on, a catalog counts:
    the vectors in use, their codes and the regions."""
    model, generation, row_count = catalog.current(connection)
    place = folder / segments_name(generation)
    codes, regions = Codes(place, model.embed_dim), known_regions(connection, generation)
    files = [
        *Segments(place, model.embed_dim).files(row_count),
        *codes.files(coded(connection, generation)),
        *RegionFiles(place, model.embed_dim, regions.edition).files(regions.rows),
    ]
    return {path.relative_to(folder).as_posix(): size for path, size in files}


def _counted_next(folder: Path, connection: sqlite3.Connection) -> dict[str, int]:
    """Return the same of the next model's vectors. These are written in any order, and not all
    files need be there."""
    known = next_model.pending(connection)
    if known is None:
        return {}
    model, generation = known
    ((rows,),) = connection.execute("SELECT coalesce(max(row), -1) + 1 FROM next_rows")
    place = folder / segments_name(generation)
    files = Segments(place, model.embed_dim).files(rows)
    return {
        path.relative_to(folder).as_posix(): size for path, size in files if path.exists()
    }
