"""The rows of the images for which a filter holds, asked of the catalog.

Functions over a connection.
"""

import sqlite3
from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from visionquery.query.ast import Filter, Near
from visionquery.store.earth import box_around, kilometres
from visionquery.store.filters import circle, date_bounds, orientations, patterns, size_bounds
from visionquery.store.folding import Pattern, folded, folded_place
from visionquery.store.places import absolute
from visionquery.store.roots import roots
from visionquery.store.rows import joined, rows_of

__all__ = ["rows_matching"]

_ORIENTATION_TESTS = {
    "landscape": "width > height",
    "portrait": "width < height",
    "square": "width = height",
}
_FOLDED_IN = {
    "ext": "files WHERE",
    "keyword": "keywords WHERE",
    "text": "texts WHERE",
}


def rows_matching(connection: sqlite3.Connection, wanted: Filter) -> NDArray[np.int64]:
    """Return the rows (n,) of the images for which a filter holds; some may come twice.

    Raises InputError when the filter's test is not one for its field.
    """
    match wanted.field:
        case "path":
            return _at_places(connection, patterns(wanted))
        case "ext" | "keyword" | "text":
            return _with_text(connection, _FOLDED_IN[wanted.field], patterns(wanted))
        case "camera":
            return _of_cameras(connection, patterns(wanted))
        case "orientation":
            tests = [_ORIENTATION_TESTS[each] for each in orientations(wanted)]
            return joined(rows_of(connection, f"images WHERE {test}") for test in tests)
        case "near":
            return _near(connection, circle(wanted))
        case "date":
            first, end = date_bounds(wanted)
            return rows_of(connection, "images WHERE taken_at >= ? AND taken_at < ?", first, end)
        case "width" | "height":
            low, high = size_bounds(wanted)
            return rows_of(connection, f"images WHERE {wanted.field} BETWEEN ? AND ?", low, high)


def _at_places(connection: sqlite3.Connection, asked: Sequence[Pattern]) -> NDArray[np.int64]:
    # A folded place is the folded folder of its root and then the folded path below it.
    tests = [pattern.sql("? || folded") for pattern in asked]
    where = " OR ".join(condition for condition, _ in tests)
    found = []
    for root in roots(connection):
        folder = folded_place(absolute(root.location, ""))
        values = (value for _, wanted in tests for value in (folder, wanted))
        below = f"files WHERE root_id = ? AND ({where})"
        found.append(rows_of(connection, below, root.root_id, *values))
    return joined(found)


def _with_text(
    connection: sqlite3.Connection, table: str, asked: Sequence[Pattern]
) -> NDArray[np.int64]:
    tests = [pattern.sql("folded") for pattern in asked]
    return joined(rows_of(connection, f"{table} {test}", value) for test, value in tests)


def _of_cameras(connection: sqlite3.Connection, asked: Sequence[Pattern]) -> NDArray[np.int64]:
    # Thousands of pictures share a camera: each name is compared once.
    known = connection.execute("SELECT DISTINCT camera FROM images WHERE camera IS NOT NULL")
    meant = [name for (name,) in known if any(each.fits(folded(name)) for each in asked)]
    return joined(rows_of(connection, "images WHERE camera = ?", name) for name in meant)


def _near(connection: sqlite3.Connection, wanted: Near) -> NDArray[np.int64]:
    box = box_around(wanted)
    (west, east), (other_west, other_east) = box.stretches
    found = connection.execute(
        "SELECT row, latitude, longitude FROM images WHERE latitude BETWEEN ? AND ? "
        "AND (longitude BETWEEN ? AND ? OR longitude BETWEEN ? AND ?)",
        (box.south, box.north, west, east, other_west, other_east),
    )
    # Rows are whole numbers far below the 2**53 that floats tell apart.
    inside = np.fromiter(chain.from_iterable(found), dtype=np.float64).reshape(-1, 3)
    rows, latitudes, longitudes = inside.T
    is_near = kilometres(wanted, latitudes, longitudes) <= wanted.km
    return rows[is_near].astype(np.int64)
