"""Whether the tables of a catalog fit one another, and what the checksums say of its facts.

Functions over a connection, inside a transaction that sees one state.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visionquery.store.base import MEASURES
from visionquery.store.catalog import FACT_COLUMNS
from visionquery.store.checksums import facts_crc
from visionquery.store.folding import folded, folded_place, with_single_spaces
from visionquery.store.fragments import compared, fragment_of
from visionquery.store.places import absolute, unpacked
from visionquery.store.rows import rows_of
from visionquery.types import Facts

__all__ = [
    "RULES",
    "Fault",
    "Rule",
    "StoredFacts",
    "StoredFile",
    "broken_notes",
    "broken_rules",
    "facts_damage",
    "stored_facts",
    "stored_files",
    "wrong_folded",
    "wrong_keywords",
    "wrong_measures",
    "wrong_rows",
    "wrong_texts",
    "wrong_words",
]

_JSON_NOTES = ("codes", "loose", "background", "background-bank", "regions")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is wrong: in which part of a library, with how many of it, None for all, and
    what it is."""

    part: str
    count: int | None
    what: str


@dataclass(frozen=True, slots=True)
class Rule:
    """What rows of a table break that fit no other table: they go when the catalog is mended."""

    table: str
    where: str
    part: str
    what: str


_NOT_THERE = "row IS NOT NULL AND row NOT IN (SELECT row FROM images)"

RULES = (
    Rule(
        "files",
        f"(root_id, path) IN (SELECT root_id, path FROM files WHERE {_NOT_THERE})",
        "files",
        "show an image that is not there",
    ),
    Rule("files", "(row IS NULL) = (problem IS NULL)", "files", "have no image and no reason"),
    Rule(
        "files", "root_id NOT IN (SELECT root_id FROM roots)", "files", "lie in an unknown folder"
    ),
    Rule("texts", "row NOT IN (SELECT row FROM images)", "texts", "belong to no image"),
)
"""In the order in which what breaks them goes."""


class StoredFacts(NamedTuple):
    """What the catalog has of an image: its row, the bytes of its id, both checksums, None for
    none, and its facts; id and facts are None where they make no sense."""

    row: int
    image_id: bytes | None
    vector_crc: int | None
    facts_crc: int | None
    facts: Facts | None


def stored_facts(connection: sqlite3.Connection) -> Iterator[StoredFacts]:
    """Yield what the catalog has of each image, in order of rows."""
    found = connection.execute(
        f"SELECT row, image_id, vector_crc, facts_crc, {FACT_COLUMNS} FROM images ORDER BY row"
    )
    for row, image_id, vector, checksum, *columns in found:
        known = image_id if isinstance(image_id, bytes) and image_id else None
        yield StoredFacts(row, known, vector, checksum, _facts(columns))


class StoredFile(NamedTuple):
    """An image in a file, as the catalog has it: the file's absolute place, the key of its record,
    size and time of change, the image's fragment and id."""

    place: str
    root_id: int
    path: bytes
    size_bytes: int
    mtime_ns: int
    fragment: str
    image_id: str


def stored_files(connection: sqlite3.Connection) -> Iterator[StoredFile]:
    """Yield the images in files, in order of their paths."""
    found = connection.execute(
        "SELECT location, root_id, path, files.size_bytes, mtime_ns, fragment, image_id FROM files "
        "JOIN roots USING (root_id) JOIN images USING (row) ORDER BY location, path, place"
    )
    for location, root_id, path, size_bytes, mtime_ns, fragment, image_id in found:
        place = absolute(unpacked(location), unpacked(path))
        which = fragment_of(fragment)
        yield StoredFile(place, root_id, path, size_bytes, mtime_ns, which, image_id.hex())


def facts_damage(stored: StoredFacts) -> str | None:
    """Return what is wrong with an image's facts, None for nothing that can be told."""
    if stored.image_id is None or stored.facts is None:
        return "its facts are damaged"
    if stored.facts_crc is None:
        return None
    found = facts_crc(stored.image_id.hex(), stored.facts)
    return None if found == stored.facts_crc else "its facts are damaged"


def broken_rules(connection: sqlite3.Connection) -> Iterator[Fault]:
    """Yield what does not fit another table."""
    for rule in RULES:
        ((count,),) = connection.execute(f"SELECT count(*) FROM {rule.table} WHERE {rule.where}")
        if count:
            yield Fault(rule.part, count, rule.what)


def wrong_rows(connection: sqlite3.Connection) -> Iterator[Fault]:
    """Yield what keeps images and holes from being all rows, each once."""
    ((row_count,),) = connection.execute("SELECT rows FROM library")
    images, holes = rows_of(connection, "images"), rows_of(connection, "holes")
    both = np.concatenate([images, holes])
    is_row = (both >= 0) & (both < row_count)
    beyond = int(np.count_nonzero(~is_row))
    if beyond:
        yield Fault("rows", beyond, "lie past the last")
    times = np.bincount(both[is_row], minlength=min(row_count, int(both.max(initial=-1)) + 1))
    if several := int(np.count_nonzero(times > 1)):
        yield Fault("rows", several, "are an image and a hole at once")
    if missing := row_count - int(np.count_nonzero(times)):
        yield Fault("rows", missing, "are neither an image nor a hole")
    if loose := _unnoted(connection):
        yield Fault("images", loose, "are in no file, and are not noted as such")


def wrong_words(connection: sqlite3.Connection) -> Iterator[Fault]:
    """Yield what is wrong with which images have words; whether these are whole is SQLite's own
    check."""
    ((stale,),) = connection.execute("SELECT count(*) FROM stale_words")
    if stale:
        yield Fault("words", stale, "wait to be made")
    images, words = rows_of(connection, "images"), _rows_with_words(connection)
    if lacking := len(np.setxor1d(images, words)):
        yield Fault("words", lacking, "are missing, or of no image")


def wrong_keywords(connection: sqlite3.Connection, expected: set[tuple[str, int]]) -> bool:
    """Return whether the keywords that a filter finds are others than the folded ones of images,
    given with their rows."""
    return set(connection.execute("SELECT folded, row FROM keywords")) != expected


def wrong_folded(connection: sqlite3.Connection) -> list[tuple[str, int, bytes, bytes]]:
    """Return the right folded form, and the key (root_id, path, fragment), of files that have
    another."""
    found = connection.execute("SELECT root_id, path, fragment, folded FROM files")
    return [
        (right, root_id, path, fragment)
        for root_id, path, fragment, kept in found
        if (right := folded_place(compared(unpacked(path), fragment_of(fragment)))) != kept
    ]


def wrong_texts(connection: sqlite3.Connection) -> list[int]:
    """Return the rows whose text and its folded form do not fit."""
    found = connection.execute("SELECT row, text, folded FROM texts")
    return [
        row
        for row, text, kept in found
        if not isinstance(text, str) or with_single_spaces(folded(text)) != kept
    ]


def wrong_measures(connection: sqlite3.Connection, *, part_rows: int = 4096) -> bool:
    """Return whether the measures are not of the length, or the range, that they have to be."""
    for part, numbers in connection.execute("SELECT part, numbers FROM measures"):
        if not isinstance(part, int) or part < 0 or not isinstance(numbers, bytes):
            return True
        if len(numbers) != part_rows * MEASURES * 4:
            return True
        measures: NDArray[np.float32] = np.frombuffer(numbers, dtype="<f4")
        if np.isinf(measures).any():
            return True
    return False


def broken_notes(connection: sqlite3.Connection) -> list[str]:
    """Return the keys of notes that cannot be read."""
    readers: dict[str, Callable[[str], Any]] = dict.fromkeys(_JSON_NOTES, json.loads)
    readers["changes"] = int
    broken = []
    for key, value in connection.execute("SELECT key, value FROM notes"):
        try:
            readers.get(key, str)(value)
        except (ValueError, TypeError):
            broken.append(key)
    return broken


def _facts(columns: Sequence[Any]) -> Facts | None:
    """Return facts as the catalog keeps them; None where they cannot be any."""
    plain: tuple[Any, ...] = tuple(columns[:-1])
    keywords = columns[-1]
    width, height, kind, size_bytes, camera, taken_at, latitude, longitude, caption = plain
    try:
        kept = json.loads(keywords)
    except (ValueError, TypeError):
        return None
    texts = [kind, *(each for each in (camera, taken_at, caption) if each is not None)]
    degrees = [each for each in (latitude, longitude) if each is not None]
    if not (
        all(isinstance(each, int) for each in (width, height, size_bytes))
        and all(isinstance(each, str) for each in texts)
        and all(isinstance(each, float) for each in degrees)
        and isinstance(kept, list)
        and all(isinstance(each, str) for each in kept)
    ):
        return None
    known: list[Any] = [*plain, tuple(kept)]
    return Facts(*known)


def _rows_with_words(connection: sqlite3.Connection) -> NDArray[np.int64]:
    return rows_of(connection, "(SELECT rowid AS row FROM words)")


def _unnoted(connection: sqlite3.Connection) -> int:
    """Return how many images without a file the note of such images lacks, where there is one."""
    note = connection.execute("SELECT value FROM notes WHERE key = 'loose'").fetchone()
    if note is None:
        return 0
    try:
        noted = set(json.loads(note[0]))
    except (ValueError, TypeError):
        return 0  # A note that cannot be read is a fault of its own.
    loose = connection.execute(
        "SELECT row FROM images WHERE NOT EXISTS (SELECT 1 FROM files WHERE files.row = images.row)"
    )
    return sum(row not in noted for (row,) in loose)
