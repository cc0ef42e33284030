"""The indexed folders of a catalog, of which none lies in another.

Functions over a connection; those that change something run inside a transaction of the
caller's.
"""

import sqlite3

from visionquery.store.base import Root
from visionquery.store.places import below, locate, packed, unpacked

__all__ = ["roots", "settle"]


def roots(connection: sqlite3.Connection) -> list[Root]:
    """Return all roots in order of location."""
    found = connection.execute("SELECT root_id, location FROM roots ORDER BY location")
    return [Root(root_id, unpacked(location)) for root_id, location in found]


def settle(connection: sqlite3.Connection, place: str, *, moving: int | None) -> Root:
    """Make a normal absolute place a root: a new one, or the root `moving`, now there.

    Inside another root it becomes part of that one, which is returned; roots below it become
    part of it. Where two know a file of the same path, the outer root's record stays.
    """
    others = [root for root in roots(connection) if root.root_id != moving]
    around = locate(place, others)
    if around is not None:
        if moving is not None:
            _absorb(connection, moving, around.root_id, around.path)
        return next(root for root in others if root.root_id == around.root_id)
    root = _insert(connection, place) if moving is None else _move(connection, moving, place)
    for child in others:
        prefix = below(child.location, place)
        if prefix is not None:
            _absorb(connection, child.root_id, root.root_id, prefix)
    return root


def _insert(connection: sqlite3.Connection, location: str) -> Root:
    ((root_id,),) = connection.execute(
        "INSERT INTO roots (location) VALUES (?) RETURNING root_id", (packed(location),)
    ).fetchall()
    return Root(root_id, location)


def _move(connection: sqlite3.Connection, root_id: int, location: str) -> Root:
    connection.execute(
        "UPDATE roots SET location = ? WHERE root_id = ?", (packed(location), root_id)
    )
    return Root(root_id, location)


def _absorb(connection: sqlite3.Connection, child_id: int, parent_id: int, prefix: str) -> None:
    lead = packed(prefix + "/") if prefix else b""
    connection.execute(
        "INSERT OR IGNORE INTO files SELECT ?, CAST(? || path AS BLOB), size_bytes, mtime_ns, "
        "row, problem FROM files WHERE root_id = ?",
        (parent_id, lead, child_id),
    )
    connection.execute("DELETE FROM files WHERE root_id = ?", (child_id,))
    connection.execute("DELETE FROM roots WHERE root_id = ?", (child_id,))
