"""The catalog's side of files: their records, and the images that are seen in them.

A file has a row for each of its fragments; one that is an image, or was skipped as a whole, has one
row, whose fragment is empty. Functions over a connection; those that change something run inside a
transaction of the caller's.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionquery.store.base import FileRecord, Fragment, Scope
from visionquery.store.folding import folded_place
from visionquery.store.fragments import compared, fragment_bytes, fragment_of, parts_of
from visionquery.store.places import absolute, packed, unpacked
from visionquery.store.roots import roots
from visionquery.store.rows import rows_of

__all__ = ["file_count", "file_records", "forget_files", "put_files", "rows_within", "seen_in"]

_IS_FILE = "root_id = ? AND path = ?"
_LEFT_OVER = -1
"""The place of a fragment while its file's record is replaced, and nothing has come for it yet."""


def put_files(
    connection: sqlite3.Connection, files: Iterable[FileRecord], rows: Mapping[str, int]
) -> None:
    """Store file records in place of those that are there, with all their fragments; `rows` has
    the row of each image."""
    # Not REPLACE, nor all deleted first: what stays of a file is not taken down in `stale_words`.
    files = list(files)
    keys = [(file.root_id, packed(file.path)) for file in files]
    marked = connection.executemany(
        f"UPDATE files SET place = {_LEFT_OVER} WHERE {_IS_FILE}", keys
    ).rowcount
    connection.executemany(
        "INSERT INTO files (root_id, path, fragment, place, size_bytes, mtime_ns, row, problem, "
        "folded) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (root_id, path, fragment) DO UPDATE SET place = excluded.place, "
        "size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns, row = excluded.row, "
        "problem = excluded.problem",
        (
            (
                *key,
                fragment_bytes(part.name),
                place,
                file.size_bytes,
                file.mtime_ns,
                None if part.image_id is None else rows[part.image_id],
                part.problem,
                folded_place(compared(file.path, part.name)),
            )
            for key, file in zip(keys, files, strict=True)
            for place, part in enumerate(parts_of(file))
        ),
    )
    if marked:
        connection.executemany(
            f"DELETE FROM files WHERE {_IS_FILE} AND place = {_LEFT_OVER}", keys
        )


def forget_files(connection: sqlite3.Connection, files: Iterable[tuple[int, str]]) -> None:
    """Delete file records, given as (root_id, path)."""
    connection.executemany(
        "DELETE FROM files WHERE root_id = ? AND path = ?",
        ((root_id, packed(path)) for root_id, path in files),
    )


def file_records(
    connection: sqlite3.Connection, scope: Scope, *, after: str | None, limit: int | None
) -> dict[str, FileRecord]:
    """Return the files at and below a scope, by path, in path order: `limit` of them at most, and
    of those only that come after the path `after`."""
    where, values = _at_or_below(scope)
    if after is not None:
        where, values = f"{where} AND path > ?", (*values, packed(after))
    if limit is not None:
        # A file has as many rows as fragments.
        paths = f"SELECT DISTINCT path FROM files WHERE {where} ORDER BY path LIMIT ?"
        where, values = f"root_id = ? AND path IN ({paths})", (scope.root_id, *values, limit)
    found = connection.execute(
        "SELECT path, fragment, files.size_bytes, mtime_ns, image_id, problem "
        f"FROM files LEFT JOIN images USING (row) WHERE {where} ORDER BY path, place",
        values,
    )
    return {
        (name := unpacked(path)): _record(scope.root_id, name, list(parts))
        for path, parts in groupby(found, key=lambda part: part[0])
    }


def seen_in(connection: sqlite3.Connection, rows: Sequence[int]) -> dict[int, dict[str, str]]:
    """Return, of each row that has files, their absolute paths, and for each path the fragment
    that is the image: the first in the file's order, "" of a file that is the image."""
    locations = {root.root_id: root.location for root in roots(connection)}
    seen: dict[int, dict[str, str]] = {}
    marks = ",".join("?" * len(rows))
    found = connection.execute(
        f"SELECT row, root_id, path, fragment FROM files WHERE row IN ({marks}) "
        "ORDER BY root_id, place",
        rows,
    )
    for row, root_id, path, fragment in found:
        place = absolute(locations[root_id], unpacked(path))
        seen.setdefault(row, {}).setdefault(place, fragment_of(fragment))
    return seen


def file_count(connection: sqlite3.Connection, scope: Scope) -> tuple[int, int]:
    """Return how many files at and below a scope are in use, and how many were skipped."""
    where, values = _at_or_below(scope)
    # The first row of a file stands for it.
    ((files, skipped),) = connection.execute(
        "SELECT count(*), total(problem IS NOT NULL AND fragment = x'') FROM files "
        f"WHERE {where} AND place = 0",
        values,
    )
    return files - int(skipped), int(skipped)


def rows_within(connection: sqlite3.Connection, scope: Scope) -> NDArray[np.int64]:
    """Return the rows (n,) of the images seen at or below a scope; some may come twice."""
    where, values = _at_or_below(scope)
    return rows_of(connection, f"files WHERE {where}", *values)


def _record(root_id: int, path: str, parts: Sequence[tuple[Any, ...]]) -> FileRecord:
    """Return the record that the rows (path, fragment, size_bytes, mtime_ns, image_id, problem)
    of a file are."""
    _, _, size_bytes, mtime_ns, *_ = parts[0]
    kept = [
        Fragment(fragment_of(fragment), image_id and image_id.hex(), problem)
        for _, fragment, _, _, image_id, problem in parts
    ]
    if kept[0].name:
        return FileRecord(root_id, path, size_bytes, mtime_ns, None, None, tuple(kept))
    return FileRecord(root_id, path, size_bytes, mtime_ns, kept[0].image_id, kept[0].problem)


def _at_or_below(scope: Scope) -> tuple[str, tuple[int | bytes, ...]]:
    if not scope.path:
        return "root_id = ?", (scope.root_id,)
    # "0" is the character after "/": the range holds what starts with the folder's name and "/".
    path = packed(scope.path)
    return (
        "root_id = ? AND (path = ? OR (path > ? AND path < ?))",
        (scope.root_id, path, path + b"/", path + b"0"),
    )
