"""Orders, pages and facets: what `derived` says of records, asked of PostgreSQL.

Functions over what a thread sees of the library.
"""

import os
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visionquery.store.base import Facets, Order
from visionquery.store.derived import comparable, folders_around, most_frequent
from visionquery.store.pg.adapting import ask, rows_of, text_out
from visionquery.store.pg.conditions import EVERY, Condition, meant
from visionquery.store.pg.opened import Snapshot
from visionquery.store.pg.roots import roots
from visionquery.store.places import absolute, packed, unpacked
from visionquery.store.questions import Where

__all__ = ["facets", "ordered", "page"]

_DATED = "coalesce(i.taken_at, '') DESC, "
_MOST = 200

_TYPE = r"substring(f.folded from '[^/]\.([^./]+)$')"
"""The extension of a folded path, as `derived.extension` reads it."""

_FOLDER = "substring(encode(f.path, 'escape') from '^((?:[^/]*/){0,2})')"
"""The folder of a file up to two levels below its root, as what `encode` makes of bytes."""


def ordered(snapshot: Snapshot, by: Order, *, places: Sequence[str]) -> NDArray[np.intp]:
    """Return the rows (n,) of all images in an order, as `Store.ordered` does."""
    source = _in_order(snapshot, EVERY, by, places)
    ((sent,),) = ask(
        snapshot.connection,
        f"SELECT string_agg(int8send(o.row), '' ORDER BY o.number) FROM "
        f"(SELECT row, row_number() OVER () AS number FROM ({source.text}) AS s) AS o",
        *source.values,
    )
    return rows_of(sent).astype(np.intp)


def page(
    snapshot: Snapshot,
    where: Where,
    by: Order,
    *,
    offset: int,
    limit: int,
    places: Sequence[str],
) -> tuple[NDArray[np.intp], int]:
    """Return a page of the rows (n,) of the images meant, in an order, and their number."""
    test = meant(where)
    source = _in_order(snapshot, test, by, places)
    found = ask(
        snapshot.connection, f"{source.text} LIMIT %s OFFSET %s", *source.values, limit, offset
    )
    rows = np.array([row for (row,) in found], dtype=np.intp)
    if test == EVERY:
        return rows, snapshot.state.images
    ((total,),) = ask(
        snapshot.connection,
        f"SELECT count(*) FROM {snapshot.state.table} AS i WHERE {test.text}",
        *test.values,
    )
    return rows, total


def facets(snapshot: Snapshot) -> Facets:
    """Return what filters can choose from."""
    connection, table = snapshot.connection, snapshot.state.table
    cameras = ask(
        connection,
        f"SELECT camera, count(*) FROM {table} WHERE camera IS NOT NULL GROUP BY camera",
    )
    types = ask(
        connection,
        f"SELECT {_TYPE} AS type, count(DISTINCT f.row) FROM files AS f "
        "WHERE f.row IS NOT NULL GROUP BY 1 HAVING "
        f"{_TYPE} IS NOT NULL ORDER BY 2 DESC, 1 LIMIT {_MOST}",
    )
    ((first, last),) = ask(
        connection,
        "SELECT min(coalesce(taken_at, '')), max(coalesce(taken_at, '')) "
        f"FROM {table} WHERE coalesce(taken_at, '') > ''",
    )
    return Facets(
        cameras=most_frequent({text_out(name): count for name, count in cameras}),
        types=tuple((name, count) for name, count in types),
        folders=most_frequent(_folders(snapshot)),
        first_date=None if first is None else text_out(first),
        last_date=None if last is None else text_out(last),
    )


def _in_order(
    snapshot: Snapshot, test: Condition, by: Order, places: Sequence[str]
) -> Condition:
    """Return the statement for the rows of images that pass a test, in an order."""
    inside, values = _inside(places)
    # Of several paths the first counts, or the first at one of the places; sorted as bytes they
    # are in path order.
    counts = (
        "SELECT r.spelled || coalesce(f.spelled, f.path) AS place "
        "FROM files AS f JOIN roots AS r USING (root_id) WHERE f.row = i.row "
        f"ORDER BY {inside}r.folder || f.path LIMIT 1"
    )
    dated = _DATED if by == "date" else ""
    return Condition(
        f"SELECT i.row FROM {snapshot.state.table} AS i LEFT JOIN LATERAL ({counts}) AS p ON true "
        f"WHERE {test.text} ORDER BY {dated}coalesce(p.place, ''), i.image_id",
        (*values, *test.values),
    )


def _inside(places: Sequence[str]) -> tuple[str, tuple[object, ...]]:
    """Return what sorts files at or below one of the folders `places` before others."""
    tests, values = [], list[object]()
    for place in places:
        folder = packed(place if place.endswith(os.sep) else place + os.sep)
        tests += [
            "substring(r.folder || f.path from 1 for %s) = %s",
            "r.folder || f.path = %s",
        ]
        values += [len(folder), folder, packed(place)]
    return (f"({' OR '.join(tests)}) DESC, " if tests else ""), tuple(values)


def _folders(snapshot: Snapshot) -> dict[str, int]:
    """Return how many images are at or below each folder that a person can choose."""
    known = {root.root_id: root.location for root in roots(snapshot.connection)}
    locations = comparable(roots(snapshot.connection))
    kept: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for root_id, folder, path in ask(
        snapshot.connection,
        f"SELECT DISTINCT f.root_id, {_FOLDER} AS folder, decode({_FOLDER}, 'escape') "
        "FROM files AS f WHERE f.row IS NOT NULL",
    ):
        place = absolute(known[root_id], unpacked(path.rstrip(b"/")))
        for each in set(folders_around(place, locations)):
            kept[each].append((root_id, folder))
    pairs = [(each, *pair) for each, inside in kept.items() for pair in inside]
    names = list(kept)
    numbers = {name: number for number, name in enumerate(names)}
    found = ask(
        snapshot.connection,
        f"SELECT k.number, count(DISTINCT f.row) FROM files AS f JOIN "
        "unnest(%s::integer[], %s::integer[], %s::text[]) AS k (number, root_id, folder) "
        f"ON f.root_id = k.root_id AND {_FOLDER} = k.folder WHERE f.row IS NOT NULL "
        "GROUP BY k.number",
        [numbers[each] for each, _, _ in pairs],
        [root_id for _, root_id, _ in pairs],
        [folder for _, _, folder in pairs],
    )
    return {names[number]: count for number, count in found}
