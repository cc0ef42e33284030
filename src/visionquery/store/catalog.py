"""The catalog's side of a store: what is asked of SQLite, and how rows become records.

Functions over a connection. Those that change something run inside a transaction of the
caller's; none of them touches vectors.
"""

import json
import re
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import StoreError
from visionquery.store.base import FileRecord, ImageRecord, NewImage, Scope
from visionquery.store.entries import is_image_id
from visionquery.store.folding import folded, folded_place
from visionquery.store.places import absolute, packed, unpacked
from visionquery.store.roots import roots
from visionquery.store.rows import rows_of
from visionquery.types import Facts, ModelIdentity

__all__ = [
    "add_images",
    "add_keywords",
    "changed",
    "changes",
    "commit_rows",
    "create",
    "current",
    "extent",
    "file_records",
    "forget_files",
    "holes",
    "image_count",
    "image_records",
    "image_rows",
    "note",
    "put_files",
    "rows_with_prefix",
    "rows_within",
    "set_note",
    "use_generation",
]

_IDS_PER_QUESTION = 500
_CHANGES = "changes"
_HEX = re.compile("[0-9a-f]*")
_AFTER_ANY_ID = b"\xff" * 65  # longer than the longest hash in use
_FACTS = (
    "width, height, format, size_bytes, camera, taken_at, latitude, longitude, caption, keywords"
)


def create(connection: sqlite3.Connection, model: ModelIdentity) -> None:
    """Say what the vectors of an empty catalog will be."""
    connection.execute(
        "INSERT INTO library VALUES (1, ?, ?, ?, ?, 1, 0)",
        (model.name, model.fingerprint, model.embed_dim, model.source),
    )


def current(connection: sqlite3.Connection) -> tuple[ModelIdentity, int, int]:
    """Return the model of all vectors, their generation and its number of committed rows."""
    ((name, fingerprint, embed_dim, source, generation, rows),) = connection.execute(
        "SELECT model_name, fingerprint, embed_dim, model_source, generation, rows FROM library"
    )
    return ModelIdentity(name, fingerprint, embed_dim, source), generation, rows


def extent(connection: sqlite3.Connection) -> tuple[int, int]:
    """Return the generation of vectors in use and its number of committed rows."""
    ((generation, rows),) = connection.execute("SELECT generation, rows FROM library")
    return generation, rows


def commit_rows(connection: sqlite3.Connection, row_count: int) -> None:
    """Say how many rows there are now."""
    connection.execute("UPDATE library SET rows = ?", (row_count,))


def use_generation(connection: sqlite3.Connection, generation: int, row_count: int) -> None:
    """Say by which vectors of the same model the library answers now, and how many they are."""
    connection.execute("UPDATE library SET generation = ?, rows = ?", (generation, row_count))


# -- images --------------------------------------------------------------------------------
def image_rows(connection: sqlite3.Connection, image_ids: Iterable[str]) -> dict[str, int]:
    """Return the rows of those ids that are stored."""
    asked = [bytes.fromhex(each) for each in image_ids if is_image_id(each)]
    rows: dict[str, int] = {}
    for start in range(0, len(asked), _IDS_PER_QUESTION):
        part = asked[start : start + _IDS_PER_QUESTION]
        places = ",".join("?" * len(part))
        found = connection.execute(
            f"SELECT image_id, row FROM images WHERE image_id IN ({places})", part
        )
        rows.update((image_id.hex(), row) for image_id, row in found)
    return rows


def rows_with_prefix(connection: sqlite3.Connection, prefix: str) -> list[int]:
    """Return the rows of the first two images, by id, whose id starts with `prefix`."""
    prefix = prefix.lower()
    if not _HEX.fullmatch(prefix):
        return []
    half = len(prefix) % 2
    first = bytes.fromhex(prefix + "0" * half)
    last = bytes.fromhex(prefix + "f" * half) + _AFTER_ANY_ID
    found = connection.execute(
        "SELECT row FROM images WHERE image_id BETWEEN ? AND ? ORDER BY image_id LIMIT 2",
        (first, last),
    )
    return [row for (row,) in found]


def add_images(connection: sqlite3.Connection, first_row: int, images: Sequence[NewImage]) -> None:
    """Store the facts of new images, one row each from `first_row` on."""
    rows = range(first_row, first_row + len(images))
    connection.executemany(
        f"INSERT INTO images (row, image_id, {_FACTS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            (row, bytes.fromhex(image.image_id), *_columns_of(image.facts))
            for row, image in zip(rows, images, strict=True)
        ),
    )
    add_keywords(
        connection, ((row, image.facts.keywords) for row, image in zip(rows, images, strict=True))
    )


def add_keywords(
    connection: sqlite3.Connection, keywords: Iterable[tuple[int, Sequence[str]]]
) -> None:
    """Make the keywords of rows, given as (row, keywords), known to the filter `keyword`."""
    connection.executemany(
        "INSERT OR IGNORE INTO keywords VALUES (?, ?)",
        ((folded(keyword), row) for row, known in keywords for keyword in known),
    )


def image_records(connection: sqlite3.Connection, rows: Sequence[int]) -> list[ImageRecord]:
    """Return the records of rows, in their order. Raises StoreError when one is no image."""
    locations = {root.root_id: root.location for root in roots(connection)}
    known: dict[int, ImageRecord] = {}
    for start in range(0, len(rows), _IDS_PER_QUESTION):
        asked = [int(row) for row in rows[start : start + _IDS_PER_QUESTION]]
        seen = _places_of(connection, asked, locations)
        marks = ",".join("?" * len(asked))
        found = connection.execute(
            f"SELECT row, image_id, text, {_FACTS} FROM images LEFT JOIN texts USING (row) "
            f"WHERE row IN ({marks})",
            asked,
        )
        for row, image_id, text, *facts, keywords in found:
            facts.append(tuple(json.loads(keywords)))
            paths = tuple(sorted(seen.get(row, ()), key=packed))
            known[row] = ImageRecord(row, image_id.hex(), Facts(*facts), paths, text)
    for row in rows:
        if row not in known:
            raise StoreError(f"Row {row} is no image of the library (any more): search again.")
    return [known[row] for row in rows]


def image_count(connection: sqlite3.Connection) -> int:
    """Return the number of images, without counting them."""
    ((count,),) = connection.execute("SELECT rows - (SELECT count(*) FROM holes) FROM library")
    return int(count)


def holes(connection: sqlite3.Connection) -> NDArray[np.int64]:
    """Return the rows (n,) that are no image any more."""
    return rows_of(connection, "holes")


# -- files ---------------------------------------------------------------------------------
def put_files(
    connection: sqlite3.Connection, files: Iterable[FileRecord], rows: Mapping[str, int]
) -> None:
    """Store file records in place of those that are there; `rows` has the row of each image."""
    connection.executemany(
        # Not REPLACE: what that deletes would not be taken down in `stale_words`.
        "INSERT INTO files VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (root_id, path) DO UPDATE SET "
        "size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns, row = excluded.row, "
        "problem = excluded.problem",
        (
            (
                file.root_id,
                packed(file.path),
                file.size_bytes,
                file.mtime_ns,
                None if file.image_id is None else rows[file.image_id],
                file.problem,
                folded_place(file.path),
            )
            for file in files
        ),
    )


def forget_files(connection: sqlite3.Connection, files: Iterable[tuple[int, str]]) -> None:
    """Delete file records, given as (root_id, path)."""
    connection.executemany(
        "DELETE FROM files WHERE root_id = ? AND path = ?",
        ((root_id, packed(path)) for root_id, path in files),
    )


def file_records(connection: sqlite3.Connection, scope: Scope) -> dict[str, FileRecord]:
    """Return the files at and below a scope, by path, in path order."""
    where, values = _at_or_below(scope)
    found = connection.execute(
        "SELECT path, files.size_bytes, mtime_ns, image_id, problem "
        f"FROM files LEFT JOIN images USING (row) WHERE {where} ORDER BY path",
        values,
    )
    return {
        (name := unpacked(path)): FileRecord(
            scope.root_id, name, size_bytes, mtime_ns, image_id and image_id.hex(), problem
        )
        for path, size_bytes, mtime_ns, image_id, problem in found
    }


# -- masks ---------------------------------------------------------------------------------
def rows_within(connection: sqlite3.Connection, scope: Scope) -> NDArray[np.int64]:
    """Return the rows (n,) of the images seen at or below a scope; some may come twice."""
    where, values = _at_or_below(scope)
    return rows_of(connection, f"files WHERE {where}", *values)


# -- notes ---------------------------------------------------------------------------------
def note(connection: sqlite3.Connection, key: str) -> str | None:
    """Return a note, None when there is none."""
    found = connection.execute("SELECT value FROM notes WHERE key = ?", (key,)).fetchone()
    return None if found is None else str(found[0])


def set_note(connection: sqlite3.Connection, key: str, value: str) -> None:
    """Keep a note in place of the one that is there."""
    connection.execute("REPLACE INTO notes VALUES (?, ?)", (key, value))


def changes(connection: sqlite3.Connection) -> int:
    """Return the number of the state that is seen: every transaction has a higher one."""
    found = connection.execute(
        "SELECT CAST(value AS INTEGER) FROM notes WHERE key = ?", (_CHANGES,)
    ).fetchone()
    return 0 if found is None else int(found[0])


def changed(connection: sqlite3.Connection) -> None:
    """Number the state anew, at the end of a transaction."""
    set_note(connection, _CHANGES, str(changes(connection) + 1))


def _at_or_below(scope: Scope) -> tuple[str, tuple[int | bytes, ...]]:
    if not scope.path:
        return "root_id = ?", (scope.root_id,)
    # "0" is the character after "/": the range holds what starts with the folder's name and "/".
    path = packed(scope.path)
    return (
        "root_id = ? AND (path = ? OR (path > ? AND path < ?))",
        (scope.root_id, path, path + b"/", path + b"0"),
    )


def _columns_of(facts: Facts) -> tuple[object, ...]:
    return (
        facts.width,
        facts.height,
        facts.format,
        facts.size_bytes,
        facts.camera,
        facts.taken_at,
        facts.latitude,
        facts.longitude,
        facts.caption,
        json.dumps(facts.keywords),
    )


def _places_of(
    connection: sqlite3.Connection, rows: Sequence[int], locations: Mapping[int, str]
) -> dict[int, set[str]]:
    """Return the absolute paths of the files of each row that has some."""
    seen: dict[int, set[str]] = {}
    marks = ",".join("?" * len(rows))
    found = connection.execute(f"SELECT row, root_id, path FROM files WHERE row IN ({marks})", rows)
    for row, root_id, path in found:
        seen.setdefault(row, set()).add(absolute(locations[root_id], unpacked(path)))
    return seen
