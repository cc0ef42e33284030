"""Whether a library on disk is whole: its catalog, and every vector and code that it names.

It looks at a folder, not at an open store, since what is damaged may not open.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import LibraryNotFoundError, StoreError
from visionquery.store import catalog, catalog_checks, next_model
from visionquery.store.catalog_checks import Fault, StoredFile, stored_files
from visionquery.store.codes import Coded, coded
from visionquery.store.connections import connect
from visionquery.store.faults import translated
from visionquery.store.folding import folded
from visionquery.store.identity import kept_identity
from visionquery.store.layout import CATALOG_NAME, generations_there, segments_name, strangers
from visionquery.store.migration import found_version
from visionquery.store.places import absolute, packed, unpacked
from visionquery.store.region_files import check_regions
from visionquery.store.schema import APPLICATION_ID, SCHEMA_VERSION, TABLES
from visionquery.store.vector_checks import NO_CHECKSUM, OnProgress, check_codes, check_vectors
from visionquery.store.vectors import Segments
from visionquery.types import ModelIdentity

__all__ = [
    "Checked",
    "LostImage",
    "Reading",
    "check",
    "check_catalog",
    "check_is_library",
    "check_open",
    "files_of",
    "is_damage",
    "named",
    "reading",
    "vectors_in_use",
]

_NOT_DAMAGE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_INTERRUPT,
}
_PATHS_AT_ONCE = 500
_COMPLAINTS = 100
_IMAGES_PER_STEP = 4096


@dataclass(frozen=True, slots=True)
class LostImage:
    """An image that is not whole: its row, all absolute paths where it was seen, and why."""

    row: int
    paths: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What a look at all of a library found.

    `images`, `files` and `coded` were looked at. `unproved` images are from before checksums: of
    them only the length of the vector says something. `next_rows` are rows whose vector of the next
    model is damaged. Where the catalog cannot be used, `unreadable` says why, and nothing behind it
    was looked at.
    """

    version: int = 0
    images: int = 0
    files: int = 0
    coded: int = 0
    lost: tuple[LostImage, ...] = ()
    next_rows: tuple[int, ...] = ()
    unproved: int = 0
    faults: tuple[Fault, ...] = ()
    unreadable: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_current(self) -> bool:
        """Whether the catalog has this program's version. Of an older one, which is brought to it
        when it is used, only what SQLite says was looked at."""
        return self.version == SCHEMA_VERSION

    @property
    def is_proved(self) -> bool:
        """Whether every image was compared with its checksums."""
        return not self.unproved and self.is_current

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.next_rows or self.faults or self.unreadable)


@dataclass(slots=True)
class _Found:
    """What is known of images so far, in order of rows."""

    rows: list[int] = field(default_factory=list)
    checksums: list[int] = field(default_factory=list)
    wrong: dict[int, str] = field(default_factory=dict)
    keywords: set[tuple[str, int]] = field(default_factory=set)
    unproved: int = 0


Reading = sqlite3.Connection
"""A connection that reads every text, whatever its bytes."""


@contextmanager
def reading(path: Path) -> Iterator[Reading]:
    """Open a catalog to be looked at, so that no byte in a text keeps it from being read."""
    connection = connect(path)
    connection.text_factory = lambda data: data.decode("utf-8", "replace")
    try:
        yield connection
    finally:
        connection.close()


def check(folder: Path, *, on_progress: OnProgress) -> Checked:
    """Look at all of the library in a folder, in the state it has at the beginning.

    Raises LibraryNotFoundError where there is none, SchemaTooNewError when a newer program wrote
    it, and StoreError when it belongs to another program, or cannot be looked at now.
    """
    check_is_library(folder)
    with translated(str(folder)):
        others = [f"{name} is none of the library's files" for name in strangers(folder)]
        if not (folder / CATALOG_NAME).is_file():
            return Checked(unreadable="its catalog is missing", notes=tuple(others))
        try:
            with reading(folder / CATALOG_NAME) as connection:
                found = check_open(folder, connection, on_progress=on_progress)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise
            found = Checked(unreadable=f"its catalog cannot be read ({error})")
        return replace(found, notes=(*others, *found.notes))


def check_is_library(folder: Path) -> None:
    """Raise LibraryNotFoundError when a folder holds nothing of a library."""
    if not (folder / CATALOG_NAME).exists() and not any(folder.glob("vectors-*/*.f32")):
        raise LibraryNotFoundError(
            f"There is no library in {folder}; give the folder of one with --library."
        )


def files_of(folder: Path) -> list[StoredFile]:
    """Return the images in files, as a catalog that can be read has them."""
    with translated(str(folder)), reading(folder / CATALOG_NAME) as connection:
        return list(stored_files(connection))


def check_catalog(folder: Path, connection: Reading, *, on_progress: OnProgress) -> Checked:
    """Look at all that a catalog of this version says, and the vectors that it names, inside a
    transaction. Raises sqlite3.Error when it cannot be read."""
    model, generation = vectors_in_use(folder, connection)
    row_count = catalog.extent(connection)[1]
    place = folder / segments_name(generation)
    found = _images(connection, on_progress)
    rows = np.array(found.rows, dtype=np.int64)
    checksums = np.array(found.checksums, dtype=np.int64)

    def told(what: str) -> "_Step":
        return _Step(on_progress, what, len(rows))

    faults = [*catalog_checks.broken_rules(connection), *catalog_checks.wrong_rows(connection)]
    faults += _derived_faults(connection, found)
    faults += _extent_faults(folder, connection, model, generation)
    bad = check_vectors(place, model.embed_dim, rows, checksums, on_progress=told("Vectors"))
    found.wrong.update({row: why for row, why in bad.items() if row not in found.wrong})
    alive = np.array([row for row in found.rows if row not in found.wrong], dtype=np.int64)
    known = _coded(connection, generation)
    why = check_codes(
        place, model.embed_dim, known, alive, row_count, on_progress=told("Codes of vectors")
    )
    if why is not None:
        faults.append(Fault("codes", None, why))
    why = check_regions(connection, place, model.embed_dim, generation, row_count)
    if why is not None:
        faults.append(Fault("regions", None, f"{why}; index --regions makes them anew"))
    ((files,),) = connection.execute("SELECT count(*) FROM files")
    return Checked(
        version=SCHEMA_VERSION,
        images=len(rows),
        files=files,
        coded=known.rows,
        lost=tuple(named(connection, found.wrong)),
        next_rows=_bad_next(folder, connection, on_progress),
        unproved=found.unproved,
        faults=tuple(faults),
    )


def vectors_in_use(folder: Path, connection: Reading) -> tuple[ModelIdentity, int]:
    """Return the model and the generation of the vectors that a library answers from, where what
    lies beside the vectors can tell better than the catalog, as that tells."""
    model, generation, _ = catalog.current(connection)
    if not (folder / segments_name(generation)).is_dir():
        following = next_model.pending(connection)
        others = generations_there(folder) - {following and following[1]}
        if len(others) == 1:
            (generation,) = others
    return kept_identity(folder / segments_name(generation)) or model, generation


class _Step:
    """Passes on how much of one kind of thing was looked at."""

    def __init__(self, on_progress: OnProgress, what: str, total: int) -> None:
        self._tell = on_progress
        self._what = what
        self._total = total

    def __call__(self, done: int) -> None:
        self._tell(self._what, done, self._total)


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error of SQLite means that a file is damaged."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF not in _NOT_DAMAGE


def check_open(folder: Path, connection: Reading, *, on_progress: OnProgress) -> Checked:
    """Look at an open catalog as SQLite sees it, then as the program does.

    Raises StoreError and sqlite3.Error as `check` and `check_catalog` do.
    """
    try:
        version = found_version(connection, str(folder))
    except StoreError:
        if _application(connection) == APPLICATION_ID or not _may_be_ours(folder, connection):
            raise
        return Checked(unreadable="the mark of its catalog is damaged")
    complaints = [row[0] for row in connection.execute(f"PRAGMA integrity_check({_COMPLAINTS})")]
    if complaints != ["ok"]:
        first = complaints[0].strip().replace("\n", " ")
        return Checked(unreadable=f"its catalog is damaged ({first})")
    if connection.execute("SELECT count(*) FROM library").fetchone() != (1,):
        return Checked(unreadable="its catalog does not say any more what its vectors are")
    if version < SCHEMA_VERSION:
        note = f"its format version is {version}: it is brought to {SCHEMA_VERSION} when it is used"
        return Checked(version=version, notes=(note,))
    connection.execute("BEGIN")
    found = check_catalog(folder, connection, on_progress=on_progress)
    connection.execute("ROLLBACK")
    return _with_words(connection, found)


def _application(connection: Reading) -> int:
    ((number,),) = connection.execute("PRAGMA application_id")
    return int(number)


def _may_be_ours(folder: Path, connection: Reading) -> bool:
    """Return whether a catalog without our mark has our tables, or nothing beside our vectors."""
    known = {sql for (sql,) in connection.execute("SELECT sql FROM sqlite_schema")}
    return TABLES[0] in known or (not known and any(folder.glob("vectors-*/model.json")))


def _with_words(connection: Reading, found: Checked) -> Checked:
    """Have SQLite compare the index of words with the words; that needs a writer's transaction."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
    except sqlite3.Error as error:
        if is_damage(error):
            fault = Fault("words", None, "the index of them is damaged")
            return replace(found, faults=(*found.faults, fault))
        note = "the index of words was not looked at: that takes a library that may be written to"
        return replace(found, notes=(*found.notes, note))
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return found


def _images(connection: Reading, on_progress: OnProgress) -> _Found:
    """Look at the facts of all images."""
    ((total,),) = connection.execute("SELECT count(*) FROM images")
    found = _Found()
    for done, stored in enumerate(catalog_checks.stored_facts(connection), start=1):
        if done % _IMAGES_PER_STEP == 0 or done == total:
            on_progress("Facts", done, total)
        found.rows.append(stored.row)
        crc = stored.vector_crc
        found.checksums.append(crc if isinstance(crc, int) else NO_CHECKSUM)
        found.unproved += crc is None or stored.facts_crc is None
        why = catalog_checks.facts_damage(stored)
        if why is not None:
            found.wrong[stored.row] = why
        elif stored.facts is not None:
            found.keywords.update((folded(each), stored.row) for each in stored.facts.keywords)
    return found


def _derived_faults(connection: Reading, found: _Found) -> Iterator[Fault]:
    """Yield what is wrong with what is made from images and files."""
    yield from catalog_checks.wrong_words(connection)
    if not found.wrong and catalog_checks.wrong_keywords(connection, found.keywords):
        yield Fault("keywords", None, "the list of them is not that of the images")
    if count := len(catalog_checks.wrong_folded(connection)):
        yield Fault("files", count, "are filed under another name")
    if count := len(catalog_checks.wrong_texts(connection)):
        yield Fault("texts", count, "are damaged")
    if catalog_checks.wrong_measures(connection):
        yield Fault("measures", None, "the list of them is damaged")
    for key in catalog_checks.broken_notes(connection):
        yield Fault("notes", None, f"{key!r} cannot be read")


def _extent_faults(
    folder: Path, connection: Reading, model: ModelIdentity, generation: int
) -> Iterator[Fault]:
    """Yield what the catalog says of the vectors as a whole that is not so."""
    said, number, row_count = catalog.current(connection)
    if said != model:
        yield Fault("catalog", None, "it names another model than the vectors are of")
    if number != generation:
        yield Fault("catalog", None, "it names vectors that are not there")
    try:
        Segments(folder / segments_name(generation), model.embed_dim).check(row_count)
    except StoreError:
        yield Fault("vectors", None, "a file of them is missing or too short")


def _coded(connection: Reading, generation: int) -> Coded:
    try:
        return coded(connection, generation)
    except (ValueError, KeyError, TypeError, AttributeError):
        return Coded()  # A note that cannot be read is a fault of its own.


def named(connection: Reading, wrong: Mapping[int, str]) -> Iterator[LostImage]:
    """Yield the images of rows, each with what is wrong with it, and where it was seen."""
    rows: Sequence[int] = sorted(wrong)
    for start in range(0, len(rows), _PATHS_AT_ONCE):
        part = rows[start : start + _PATHS_AT_ONCE]
        seen: dict[int, set[bytes]] = {}
        found = connection.execute(
            "SELECT DISTINCT row, location, path FROM files JOIN roots USING (root_id) "
            f"WHERE row IN ({','.join('?' * len(part))})",
            part,
        )
        for row, location, path in found:
            place = absolute(unpacked(location), unpacked(path))
            seen.setdefault(row, set()).add(packed(place))
        for row in part:
            paths = sorted(seen.get(row, ()))
            yield LostImage(row, tuple(map(unpacked, paths)), wrong[row])


def _bad_next(folder: Path, connection: Reading, on_progress: OnProgress) -> tuple[int, ...]:
    """Return the rows whose vector of the next model is not what was stored."""
    known = next_model.pending(connection)
    if known is None:
        return ()
    model, generation = known
    found = connection.execute(
        "SELECT row, coalesce(CAST(vector_crc AS INTEGER), ?) FROM next_rows "
        "WHERE row IN (SELECT row FROM images) ORDER BY row",
        (NO_CHECKSUM,),
    ).fetchall()
    pairs: NDArray[np.int64] = np.array(found, dtype=np.int64).reshape(-1, 2)
    told = _Step(on_progress, "Vectors of the next model", len(pairs))
    place = folder / segments_name(generation)
    wrong = check_vectors(place, model.embed_dim, pairs[:, 0], pairs[:, 1], on_progress=told)
    return tuple(wrong)
