"""Files: their records, and the images that are seen in them.

A file has a row for each of its fragments; one that is an image, or was skipped as a whole, has one
row, whose fragment is empty. Functions over a connection; those that change something run inside a
transaction of the caller's and return the rows of images whose words may have changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from visionquery.store.base import FileRecord, Fragment, Scope
from visionquery.store.folding import folded_place
from visionquery.store.fragments import compared, fragment_bytes, fragment_of, parts_of
from visionquery.store.pg.adapting import Rows, ask, sent_rows, text_in, text_out
from visionquery.store.pg.connections import PgConnection
from visionquery.store.places import absolute, packed, unpacked

__all__ = [
    "at_or_below",
    "file_count",
    "file_records",
    "forget_files",
    "hand_over",
    "put_files",
    "seen_in",
    "spelled",
]

_HEAD = 512
"""Bytes of a path that an index holds; PostgreSQL's have room for 2,700."""

_COLUMNS = (
    'root_id, head, path, fragment, place, size_bytes, mtime_ns, "row", problem, spelled, folded'
)
_TYPES = (
    "int4", "bytea", "bytea", "bytea", "int4", "int8", "int8", "int8", "text", "bytea", "text",
)  # fmt: skip


def put_files(
    connection: PgConnection, files: Iterable[FileRecord], rows: Mapping[str, int]
) -> set[int]:
    """Store file records in place of those that are there, with all their fragments; `rows` has
    the row of each image."""
    files = list(files)
    touched = forget_files(connection, [(file.root_id, file.path) for file in files])
    with connection.cursor().copy(f"COPY files ({_COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(_TYPES)
        for file in files:
            for place, part in enumerate(parts_of(file)):
                row = None if part.image_id is None else rows[part.image_id]
                if row is not None:
                    touched.add(row)
                problem = None if part.problem is None else text_in(part.problem)
                kept = (place, file.size_bytes, file.mtime_ns, row, problem)
                copy.write_row(
                    _kept(file.root_id, packed(file.path), fragment_bytes(part.name), kept)
                )
    return touched


def forget_files(connection: PgConnection, files: Sequence[tuple[int, str]]) -> set[int]:
    """Delete file records, given as (root_id, path)."""
    if not files:
        return set()
    paths = [packed(path) for _, path in files]
    gone = ask(
        connection,
        "DELETE FROM files USING unnest(%s::integer[], %s::bytea[], %s::bytea[]) "
        "AS gone (root_id, head, path) WHERE files.root_id = gone.root_id "
        'AND files.head = gone.head AND files.path = gone.path RETURNING files."row"',
        [root_id for root_id, _ in files],
        [path[:_HEAD] for path in paths],
        paths,
    )
    return _loosened(connection, gone)


def hand_over(connection: PgConnection, source: Scope, target: Scope) -> set[int]:
    """Pass the files below a scope on to another; its own record of a path stays."""
    gone, come = _lead(source), _lead(target)
    where, values = _below(source.root_id, gone)
    found = ask(
        connection,
        f"DELETE FROM files WHERE {where} "
        'RETURNING "row", path, fragment, place, size_bytes, mtime_ns, problem',
        *values,
    )
    if not found:
        return set()
    there, values = _below(target.root_id, come)
    taken = {path for (path,) in ask(connection, f"SELECT path FROM files WHERE {there}", *values)}
    with connection.cursor().copy(f"COPY files ({_COLUMNS}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(_TYPES)
        for row, path, fragment, place, size_bytes, mtime_ns, problem in found:
            moved = come + path[len(gone) :]
            if moved not in taken:
                kept = (place, size_bytes, mtime_ns, row, problem)
                copy.write_row(_kept(target.root_id, moved, fragment, kept))
    return _loosened(connection, found)


def file_records(
    connection: PgConnection, images: str, scope: Scope, after: str | None, limit: int | None
) -> dict[str, FileRecord]:
    """Return the files at and below a scope, by path, in path order, or a page of them."""
    where, values = at_or_below(scope)
    if after is not None:
        start = packed(after)
        where += " AND head >= %s AND path > %s"
        values += (start[:_HEAD], start)
    page = f"files WHERE {where}"
    if limit is not None:
        last = f"SELECT DISTINCT head, path FROM {page} ORDER BY head, path LIMIT %s"
        page += f" AND path <= (SELECT path FROM ({last}) AS paths ORDER BY path DESC LIMIT 1)"
        values = (*values, *values, limit)
    found = ask(
        connection,
        f'SELECT path, fragment, f.size_bytes, mtime_ns, image_id, problem '
        f'FROM (SELECT * FROM {page}) AS f LEFT JOIN {images} AS i ON i."row" = f."row" '
        "ORDER BY path, place",
        *values,
    )
    return {
        (name := unpacked(path)): _record(scope.root_id, name, list(parts))
        for path, parts in groupby(found, key=lambda part: part[0])
    }


def file_count(connection: PgConnection, scope: Scope) -> tuple[int, int]:
    """Return how many files at and below a scope are in use, and how many were skipped as a
    whole."""
    where, values = at_or_below(scope)
    ((used, skipped),) = ask(
        connection,
        "SELECT count(*) FILTER (WHERE is_used), count(*) FILTER (WHERE NOT is_used) "
        "FROM (SELECT bool_or(problem IS NULL OR fragment <> '') AS is_used "
        f"FROM files WHERE {where} GROUP BY path) AS each",
        *values,
    )
    return used, skipped


def seen_in(found: Iterable[tuple[Any, ...]]) -> dict[int, dict[str, str]]:
    """Return, of each row that has files, their absolute paths, and for each path the fragment
    that is the image: the first in the file's order, "" of a file that is the image. `found` are
    (row, location of the root, path, fragment), in order of roots and places."""
    seen: dict[int, dict[str, str]] = {}
    for row, location, path, fragment in found:
        place = absolute(unpacked(location), unpacked(path))
        seen.setdefault(row, {}).setdefault(place, fragment_of(fragment))
    return seen


def at_or_below(scope: Scope, alias: str = "files") -> tuple[str, tuple[object, ...]]:
    """Return the condition for a file to lie at or below a scope, and its values."""
    if not scope.path:
        return f"{alias}.root_id = %s", (scope.root_id,)
    path = packed(scope.path)
    low, high = path + b"/", path + b"0"  # "0" is the character after "/".
    return (
        f"{alias}.root_id = %s AND {alias}.head BETWEEN %s AND %s "
        f"AND ({alias}.path = %s OR ({alias}.path > %s AND {alias}.path < %s))",
        (scope.root_id, path[:_HEAD], high[:_HEAD], path, low, high),
    )


def spelled(path: str) -> bytes:
    """Return bytes that sort as a path does in Python."""
    return path.encode("utf-8", "surrogatepass")


def _kept(
    root_id: int, path: bytes, fragment: bytes, kept: tuple[object, ...]
) -> tuple[object, ...]:
    """Return the row of `files`, given (place, size_bytes, mtime_ns, row, problem)."""
    name = unpacked(path)
    sorts_as = spelled(name)
    folded = folded_place(compared(name, fragment_of(fragment)))
    other = None if sorts_as == path else sorts_as
    return (root_id, path[:_HEAD], path, fragment, *kept, other, folded)


def _loosened(connection: PgConnection, gone: Iterable[tuple[Any, ...]]) -> set[int]:
    """Return the rows that begin what went, and take them down for pruning."""
    rows = {row for row, *_ in gone if row is not None}
    if rows:
        ask(connection, "INSERT INTO loose SELECT unnest(%s::bigint[])", sent_rows(_array(rows)))
    return rows


def _array(rows: Iterable[int]) -> Rows:
    import numpy as np

    return np.fromiter(rows, dtype=np.int64)


def _record(root_id: int, path: str, parts: Sequence[tuple[Any, ...]]) -> FileRecord:
    """Return the record that the rows (path, fragment, size_bytes, mtime_ns, image_id, problem)
    of a file are."""
    _, _, size_bytes, mtime_ns, *_ = parts[0]
    kept = [
        Fragment(
            fragment_of(fragment),
            None if image_id is None else image_id.hex(),
            None if problem is None else text_out(problem),
        )
        for _, fragment, _, _, image_id, problem in parts
    ]
    if kept[0].name:
        return FileRecord(root_id, path, size_bytes, mtime_ns, None, None, tuple(kept))
    return FileRecord(root_id, path, size_bytes, mtime_ns, kept[0].image_id, kept[0].problem)


def _below(root_id: int, lead: bytes) -> tuple[str, tuple[object, ...]]:
    if not lead:
        return "root_id = %s", (root_id,)
    high = lead[:-1] + b"0"
    return (
        "root_id = %s AND head BETWEEN %s AND %s AND path > %s AND path < %s",
        (root_id, lead[:_HEAD], high[:_HEAD], lead, high),
    )


def _lead(scope: Scope) -> bytes:
    return packed(scope.path + "/") if scope.path else b""
