"""A new catalog from what can still be read of one that SQLite cannot read as a whole.

The damaged one is set aside and read table by table, around what cannot be read. What the new one
holds is then to be checked and mended like any other: a row that came over may be wrong.
"""

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from visionquery.errors import LibraryBusyError, StoreError
from visionquery.store.connections import connect
from visionquery.store.identity import kept_identity
from visionquery.store.layout import (
    CATALOG_NAME,
    DAMAGED_NAME,
    generations_there,
    make_catalog,
    put_catalog,
    segments_name,
    unfinished_catalog,
)
from visionquery.store.places import unpacked
from visionquery.store.vector_checks import rows_there
from visionquery.types import ModelIdentity

__all__ = ["Salvaged", "salvaging"]

_BROKEN = (sqlite3.Error, UnicodeDecodeError)
"""What reading damage raises; the second where SQLite quotes what is damaged, which is no text."""

_MOST_ROOTS = 4096
_ROWS_AT_ONCE = 1024
_HEADER_BYTES = 100

_READ_AGAIN = -1
"""The time of change of a file whose record is in doubt: the next indexing reads it again."""

_BY_ROW = ("images", "texts", "holes", "next_rows")
"""Tables whose key is a row."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """A catalog made of what could be read of a damaged one, open to be mended. `before` is how
    many images that one had, None when that cannot be told."""

    connection: sqlite3.Connection
    damaged: Path | None
    before: int | None


@dataclass(frozen=True, slots=True)
class _Library:
    """The one row of the table `library`; of `rows`, what can be said of it."""

    model: ModelIdentity
    generation: int
    rows: int


@contextmanager
def salvaging(folder: Path) -> Iterator[Salvaged]:
    """Give a new catalog with what can be read of the one in a folder whose writer's place is
    held; it takes that one's place when the block ends without an error, and until then nothing
    in the folder has changed. The damaged one is kept beside it.

    Raises LibraryBusyError when another process has the library open, StoreError when nobody
    knows any more which model it is of.
    """
    path = unfinished_catalog(folder)
    damaged = _set_aside(folder, path)
    with closing(_opened(path, damaged)) as source:
        library = _library(folder, source)
        make_catalog(path, library.model)
        with closing(connect(path)) as connection:
            connection.execute("BEGIN")
            connection.execute(
                "UPDATE library SET generation = ?, rows = ?", (library.generation, library.rows)
            )
            _fill(source, connection, rows_there(_place(folder, library), library.model.embed_dim))
            kept = None if damaged is None else _free_name(folder)
            yield Salvaged(connection, kept, _images_before(source, library))
            connection.execute("COMMIT")
    if damaged is not None and kept is not None:
        damaged.replace(kept)
    put_catalog(folder)


def readable(
    connection: sqlite3.Connection, select: str, key: str, low: int, high: int
) -> Iterator[Sequence[object]]:
    """Yield what a SELECT without WHERE gives for each key from `low` to `high` - 1, in order,
    passing over what cannot be read."""
    parts = [(start, min(start + _ROWS_AT_ONCE, high)) for start in range(low, high, _ROWS_AT_ONCE)]
    parts.reverse()
    while parts:
        low, high = parts.pop()
        question = f"{select} WHERE {key} >= ? AND {key} < ? ORDER BY {key}"
        try:
            found = connection.execute(question, (low, high)).fetchall()
        except _BROKEN:
            if high - low > 1:
                middle = (low + high) // 2
                parts += [(middle, high), (low, middle)]
            continue
        yield from found


def _set_aside(folder: Path, unfinished: Path) -> Path | None:
    """Copy the catalog, all of it in one file; return where, None when there is none."""
    name = folder / CATALOG_NAME
    if not name.exists():
        return None
    is_open = False
    with suppress(sqlite3.DatabaseError), closing(connect(name)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        is_open = True
    # The last one to close a catalog takes its log away.
    if is_open and Path(f"{name}-wal").exists():
        raise LibraryBusyError(
            f"Another process has the library {folder} open: stop it (visionquery serve, say), "
            "then repair again."
        )
    copy = Path(f"{unfinished}-damaged")
    shutil.copyfile(name, copy)
    with copy.open("rb+") as file:
        os.fsync(file.fileno())
    return copy


def _free_name(folder: Path) -> Path:
    """Return where a damaged catalog is kept: a name of today that nothing has."""
    day = time.strftime("%Y-%m-%d")
    endings = ("" if number == 1 else f"-{number}" for number in count(1))
    names = (folder / f"{DAMAGED_NAME}{day}{ending}.sqlite" for ending in endings)
    return next(name for name in names if not name.exists())


def _opened(unfinished: Path, damaged: Path | None) -> sqlite3.Connection:
    """Open the damaged catalog to be read; where SQLite refuses it as a whole, a copy of it with
    the header of a new one."""
    if damaged is None:
        return sqlite3.connect(":memory:")
    source = _unchanging(damaged)
    try:
        source.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    except _BROKEN:
        source.close()
        copy = Path(f"{unfinished}-source")
        shutil.copyfile(damaged, copy)
        _give_header(copy, Path(f"{unfinished}-header"))
        source = _unchanging(copy)
    return source


def _unchanging(path: Path) -> sqlite3.Connection:
    address = path.absolute().as_uri() + "?mode=ro&immutable=1"
    connection = sqlite3.connect(address, uri=True, isolation_level=None)
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    return connection


def _give_header(path: Path, scratch: Path) -> None:
    """Write the header of an empty catalog over that of a damaged one, for its size.

    Source: https://www.sqlite.org/fileformat.html, section 1.3.
    """
    make_catalog(scratch, ModelIdentity("", "", 1, ""))
    header = bytearray(scratch.read_bytes()[:_HEADER_BYTES])
    page_bytes = int.from_bytes(header[16:18], "big")
    header[28:32] = (path.stat().st_size // page_bytes).to_bytes(4, "big")
    header[32:40] = bytes(8)  # no free pages
    header[92:96] = header[24:28]  # the size counts for this change
    with path.open("rb+") as file:
        file.write(header)


def _library(folder: Path, source: sqlite3.Connection) -> _Library:
    """Return what a damaged catalog, or what lies beside the vectors, says of the library."""
    said: Sequence[object] | None = None
    with suppress(*_BROKEN):
        said = source.execute(
            "SELECT generation, rows, model_name, fingerprint, embed_dim, model_source FROM library"
        ).fetchone()
    there = generations_there(folder)
    if said is not None and _is_sensible(said) and (said[0] in there or len(there) != 1):
        generation, rows, *model = said
        identity = ModelIdentity(*model)  # type: ignore[arg-type]
    else:
        generation, rows = min(there, default=1), 0
        identity = ModelIdentity("", "", 0, "")
    assert isinstance(generation, int)
    assert isinstance(rows, int)
    known = kept_identity(folder / segments_name(generation)) or identity
    if not known.embed_dim:
        raise StoreError(
            f"The library {folder} is damaged, and which model it is of is lost: move the folder "
            "away, and index your pictures into a new library: visionquery index FOLDER"
        )
    return _Library(known, generation, rows)


def _is_sensible(said: Sequence[object]) -> bool:
    numbers, texts = (said[0], said[1], said[4]), (said[2], said[3], said[5])
    return (
        all(isinstance(each, int) and each >= 0 for each in numbers)
        and all(isinstance(each, str) for each in texts)
    )


def _place(folder: Path, library: _Library) -> Path:
    return folder / segments_name(library.generation)


def _fill(source: sqlite3.Connection, target: sqlite3.Connection, rows: int) -> None:
    """Bring over what can be read, of rows below `rows`."""
    for table in _BY_ROW:
        columns = _columns(source, target, table)
        if columns:
            select = f"SELECT {', '.join(columns)} FROM {table}"
            _insert(target, table, columns, readable(source, select, "row", 0, rows))
    _insert(target, "roots", ("root_id", "location", "whole"), _roots(source))
    for table, keys in (("notes", "key"), ("next_model", "only")):
        columns = _columns(source, target, table)
        _insert(target, table, columns, _from_both_ends(source, table, columns, keys))
    _bring_files(source, target, rows)


def _insert(
    target: sqlite3.Connection,
    table: str,
    columns: Sequence[str],
    rows: Iterator[Sequence[object]],
) -> None:
    if columns:
        marks = ", ".join("?" * len(columns))
        # A new catalog has a note of its own; what is there twice otherwise came first as it was.
        then = "REPLACE" if table == "notes" else "IGNORE"
        target.executemany(
            f"INSERT OR {then} INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows
        )


def _columns(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> list[str]:
    """Return the columns that a table has in both; none where the damaged one lacks it."""
    known = _info(source, table)
    return [name for name in _info(target, table) if name in known]


def _info(connection: sqlite3.Connection, table: str) -> list[str]:
    try:
        return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    except _BROKEN:
        return []


def _from_both_ends(
    source: sqlite3.Connection, table: str, columns: Sequence[str], *keys: str
) -> Iterator[Sequence[object]]:
    """Yield rows from the first on and, when one cannot be read, from the last on; a row may come
    twice."""
    for direction in ("ASC", "DESC"):
        order = ", ".join(f"{key} {direction}" for key in keys)
        try:
            yield from source.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {order}")
        except _BROKEN:
            continue
        return


def _roots(source: sqlite3.Connection) -> Iterator[Sequence[object]]:
    """Yield the roots as their table has them, or else the index of their locations; where the two
    say differently, the one whose folder is there."""
    columns = "root_id, location, whole" if "whole" in _info(source, "roots") else "*, 1"
    found = readable(source, f"SELECT {columns} FROM roots", "root_id", 0, _MOST_ROOTS)
    known = {row[0]: row for row in found}
    indexed = "SELECT root_id, location FROM roots INDEXED BY sqlite_autoindex_roots_1"
    with suppress(*_BROKEN):
        for root_id, location in source.execute(indexed).fetchall():
            before = known.get(root_id)
            if before is None or (before[1] != location and not _is_folder(before[1])):
                known[root_id] = (root_id, location, 1 if before is None else before[2])
    yield from known.values()


def _is_folder(location: object) -> bool:
    return isinstance(location, bytes) and os.path.isdir(unpacked(location))  # noqa: PTH112


def _bring_files(source: sqlite3.Connection, target: sqlite3.Connection, rows: int) -> None:
    """Bring over the records of files. Those that their table and its index do not say alike are
    there to be read again by the next indexing."""
    columns = _columns(source, target, "files")
    keys = [name for name in ("root_id", "path", "fragment") if name in columns]
    if not columns:
        return
    _insert(target, "files", columns, _from_both_ends(source, "files", columns, *keys))
    names = ["row", *keys]
    listed = ", ".join(names)
    # Kept with its key in order: it is looked up for every file.
    target.execute(f"CREATE TEMP TABLE indexed ({listed}, PRIMARY KEY ({listed}))")
    select = f"SELECT {listed} FROM files INDEXED BY files_by_row"
    _insert(target, "indexed", names, readable(source, select, "row", 0, rows))
    target.execute(
        f"INSERT OR IGNORE INTO files ({listed}, size_bytes, mtime_ns) "
        f"SELECT {listed}, 0, {_READ_AGAIN} FROM indexed"
    )
    is_indexed = " AND ".join(f"indexed.{name} = files.{name}" for name in names)
    doubtful = f"row IS NOT NULL AND NOT EXISTS (SELECT 1 FROM indexed WHERE {is_indexed})"
    target.execute(
        f"UPDATE files SET mtime_ns = {_READ_AGAIN} "
        f"WHERE (root_id, path) IN (SELECT root_id, path FROM files WHERE {doubtful})"
    )
    target.execute("DROP TABLE indexed")


def _images_before(source: sqlite3.Connection, library: _Library) -> int | None:
    """Return how many images a damaged catalog had, as far as it can tell."""
    for question, wanting in (
        ("SELECT count(*) FROM images INDEXED BY sqlite_autoindex_images_1", 0),
        ("SELECT count(*) FROM holes", library.rows),
    ):
        with suppress(*_BROKEN):
            ((number,),) = source.execute(question)
            return abs(wanting - int(number))
    return None
