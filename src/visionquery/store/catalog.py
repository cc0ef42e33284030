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
from visionquery.store.base import ImageRecord, NewImage
from visionquery.store.checksums import facts_crc, vector_crc
from visionquery.store.entries import is_image_id
from visionquery.store.files import seen_in
from visionquery.store.folding import folded
from visionquery.store.places import packed
from visionquery.store.rows import rows_of
from visionquery.types import Facts, ModelIdentity

__all__ = [
    "FACT_COLUMNS",
    "add_images",
    "add_keywords",
    "changed",
    "changes",
    "commit_rows",
    "create",
    "current",
    "drop_keywords",
    "extent",
    "holes",
    "image_count",
    "image_records",
    "image_rows",
    "note",
    "replace_facts",
    "rows_with_prefix",
    "set_note",
    "smallest_ids",
    "use_generation",
]

_IDS_PER_QUESTION = 500
_CHANGES = "changes"
_HEX = re.compile("[0-9a-f]*")
_AFTER_ANY_ID = b"\xff" * 65  # longer than the longest hash in use
FACT_COLUMNS = (
    "width, height, format, size_bytes, camera, taken_at, latitude, longitude, caption, keywords"
)
"""The columns of an image's facts, in the order of `Facts`."""



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


def smallest_ids(connection: sqlite3.Connection, count: int) -> NDArray[np.int64]:
    """Return the rows (n,) of the `count` images with the smallest ids, in their order."""
    found = connection.execute("SELECT row FROM images ORDER BY image_id LIMIT ?", (count,))
    return np.fromiter((row for (row,) in found), dtype=np.int64)


def add_images(connection: sqlite3.Connection, first_row: int, images: Sequence[NewImage]) -> None:
    """Store the facts of new images, one row each from `first_row` on."""
    rows = range(first_row, first_row + len(images))
    connection.executemany(
        f"INSERT INTO images (row, image_id, vector_crc, facts_crc, {FACT_COLUMNS}) "
        "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
        (
            (
                row,
                bytes.fromhex(image.image_id),
                vector_crc(image.vector),
                facts_crc(image.image_id, image.facts),
                *_columns_of(image.facts),
            )
            for row, image in zip(rows, images, strict=True)
        ),
    )
    add_keywords(
        connection, ((row, image.facts.keywords) for row, image in zip(rows, images, strict=True))
    )


def replace_facts(connection: sqlite3.Connection, facts: Mapping[str, Facts]) -> None:
    """Store facts of images, by ids that are stored, in place of those that are there."""
    rows = image_rows(connection, facts)
    for image_id, row in rows.items():
        ((keywords,),) = connection.execute("SELECT keywords FROM images WHERE row = ?", (row,))
        drop_keywords(connection, [(row, keywords)])
        connection.execute(
            f"UPDATE images SET (facts_crc, {FACT_COLUMNS}) = (?,?,?,?,?,?,?,?,?,?,?) "
            "WHERE row = ?",
            (facts_crc(image_id, facts[image_id]), *_columns_of(facts[image_id]), row),
        )
    add_keywords(connection, ((row, facts[image_id].keywords) for image_id, row in rows.items()))


def drop_keywords(connection: sqlite3.Connection, kept: Iterable[tuple[int, str]]) -> None:
    """Take from the filter `keyword` what it knows of rows, given as (row, JSON of keywords)."""
    connection.executemany(
        "DELETE FROM keywords WHERE folded = ? AND row = ?",
        ((folded(each), row) for row, keywords in kept for each in json.loads(keywords)),
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
    known: dict[int, ImageRecord] = {}
    for start in range(0, len(rows), _IDS_PER_QUESTION):
        asked = [int(row) for row in rows[start : start + _IDS_PER_QUESTION]]
        seen = seen_in(connection, asked)
        marks = ",".join("?" * len(asked))
        found = connection.execute(
            f"SELECT row, image_id, text, {FACT_COLUMNS} FROM images LEFT JOIN texts USING (row) "
            f"WHERE row IN ({marks})",
            asked,
        )
        for row, image_id, text, *facts, keywords in found:
            facts.append(tuple(json.loads(keywords)))
            here = seen.get(row, {})
            paths = tuple(sorted(here, key=packed))
            fragments = {path: fragment for path, fragment in here.items() if fragment}
            known[row] = ImageRecord(row, image_id.hex(), Facts(*facts), paths, text, fragments)
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
