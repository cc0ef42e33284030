"""The orders and facets of all images, asked of the catalog: what `derived` says, but in one pass.

Functions over a connection.
"""

import os
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from visionquery.store.base import Facets, Order
from visionquery.store.catalog import changes
from visionquery.store.derived import (
    Kept,
    comparable,
    extension,
    folders_around,
    frozen,
    most_frequent,
    place_that_counts,
)
from visionquery.store.folding import folded
from visionquery.store.fragments import MEMBER, compared, fragment_bytes, fragment_of
from visionquery.store.places import absolute, packed, unpacked
from visionquery.store.roots import roots
from visionquery.store.rows import distinct

__all__ = ["facets", "ordered", "rows_by_date", "rows_by_path"]

_FILES = "SELECT row, path, fragment FROM files WHERE root_id = ? AND row IS NOT NULL"
_MEMBER = fragment_bytes(MEMBER)


def ordered(
    connection: sqlite3.Connection, kept: Kept, by: Order, *, places: Sequence[str]
) -> NDArray[np.intp]:
    """Return the rows (n,) of all images in an order, as `Store.ordered` does, inside a transaction
    that sees one state."""
    state = changes(connection)
    if not kept.get("copies", state, lambda: _has_copies(connection)):
        places = ()
    by_path = kept.get(
        ("path", *places), state, lambda: rows_by_path(connection, places=places)
    )
    if by == "path":
        return by_path
    return kept.get(("date", *places), state, lambda: rows_by_date(connection, by_path))


def _has_copies(connection: sqlite3.Connection) -> bool:
    """Return whether an image has several files."""
    found = connection.execute(
        "SELECT 1 FROM files WHERE row IS NOT NULL GROUP BY row HAVING count(*) > 1 LIMIT 1"
    )
    return found.fetchone() is not None


def rows_by_path(connection: sqlite3.Connection, *, places: Sequence[str]) -> NDArray[np.intp]:
    """Return the rows (n,) of all images by the path that counts, then by id."""
    ids = dict(connection.execute("SELECT row, image_id FROM images"))
    # Files come in path order, root for root, which is nearly the order that is wanted.
    keyed = [(place, ids.pop(row), row) for row, place in _seen(connection, places).items()]
    keyed += [("", image_id, row) for row, image_id in ids.items()]
    keyed.sort()
    return frozen(row for _, _, row in keyed)


def rows_by_date(connection: sqlite3.Connection, by_path: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return rows (n,) with the newest first and the undated last; of one time they stay as they
    are in `by_path`, (n,)."""
    found = connection.execute(
        "SELECT row, dense_rank() OVER (ORDER BY taken_at) FROM images WHERE taken_at > ''"
    )
    rows, ranks = np.fromiter(chain.from_iterable(found), dtype=np.int64).reshape(-1, 2).T
    age = np.zeros(int(by_path.max(initial=-1)) + 1, dtype=np.int64)
    age[rows] = -ranks
    ordered = by_path[np.argsort(age[by_path], kind="stable")]
    ordered.flags.writeable = False
    return ordered


def facets(connection: sqlite3.Connection) -> Facets:
    """Return what filters can choose from."""
    cameras = connection.execute(
        "SELECT camera, count(*) FROM images WHERE camera IS NOT NULL GROUP BY camera"
    )
    ((first, last),) = connection.execute(
        "SELECT min(taken_at), max(taken_at) FROM images WHERE taken_at > ''"
    )
    types, folders = _files_apart(connection)
    return Facets(
        cameras=most_frequent(dict(cameras)),
        types=most_frequent(_counted(types)),
        folders=most_frequent(_counted(folders)),
        first_date=first,
        last_date=last,
    )


def _seen(connection: sqlite3.Connection, places: Sequence[str]) -> dict[int, str]:
    """Return the path that counts of each image that has a file, by row."""
    seen: dict[int, str] = {}
    several: defaultdict[int, set[str]] = defaultdict(set)
    for root in roots(connection):
        folder = absolute(root.location, "")
        for row, path, _ in connection.execute(_FILES, (root.root_id,)):
            place = folder + unpacked(path).replace("/", os.sep)
            known = seen.setdefault(row, place)
            if known is not place:
                several[row] |= {known, place}
    for row, paths in several.items():
        seen[row] = place_that_counts(sorted(paths, key=packed), places)
    return seen


def _files_apart(
    connection: sqlite3.Connection,
) -> tuple[dict[str, list[int]], dict[str, list[int]]]:
    """Return the rows of images by extension, and by folder; one may come twice in each."""
    known = roots(connection)
    locations = comparable(known)
    types: defaultdict[str, list[int]] = defaultdict(list)
    folders: defaultdict[str, list[int]] = defaultdict(list)
    for root in known:
        by_type, by_folder = _below(connection, root.root_id)
        for name, rows in by_type.items():
            types[name] += rows
        for path, rows in by_folder.items():
            place = absolute(root.location, unpacked(path))
            for folder in set(folders_around(place, locations)):
                folders[folder] += rows
    types.pop("", None)
    return types, folders


def _below(
    connection: sqlite3.Connection, root_id: int
) -> tuple[dict[str, list[int]], dict[bytes, list[int]]]:
    """Return the rows of images in a root by extension, and by the folder that their files are
    in."""
    by_ending: defaultdict[bytes, list[int]] = defaultdict(list)
    by_type: defaultdict[str, list[int]] = defaultdict(list)
    by_folder: defaultdict[bytes, list[int]] = defaultdict(list)
    for row, path, fragment in connection.execute(_FILES, (root_id,)):
        folder, _, name = path.rpartition(b"/")
        by_folder[folder].append(row)
        stem, _, ending = name.rpartition(b".")
        if fragment.startswith(_MEMBER):
            by_type[extension(compared("", fragment_of(fragment)))].append(row)
        elif stem:
            by_ending[ending].append(row)
    for ending, rows in by_ending.items():
        by_type[folded(unpacked(ending))] += rows
    return by_type, by_folder


def _counted(values: dict[str, list[int]]) -> dict[str, int]:
    return {
        value: len(distinct(np.fromiter(rows, dtype=np.int64))) for value, rows in values.items()
    }
