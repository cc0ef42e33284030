"""The indexed folders of a catalog.

Functions over a connection; those that change something run inside a transaction of the
caller's.
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import replace

from visionquery.errors import StoreError
from visionquery.store.base import Root, Scope
from visionquery.store.folding import folded_place
from visionquery.store.fragments import compared, fragment_of
from visionquery.store.places import locate, packed, unpacked

__all__ = ["add", "check_roots", "move", "roots"]


def roots(connection: sqlite3.Connection) -> list[Root]:
    """Return all roots in order of location."""
    found = connection.execute("SELECT root_id, location, whole FROM roots ORDER BY location")
    return [Root(root_id, unpacked(location), bool(whole)) for root_id, location, whole in found]


def check_roots(connection: sqlite3.Connection, root_ids: Iterable[int]) -> None:
    """Raise StoreError when one of these is no root of the library."""
    known = {root.root_id for root in roots(connection)}
    if unknown := set(root_ids) - known:
        raise StoreError(f"A file is below root {min(unknown)}, which is not in the library.")


def add(connection: sqlite3.Connection, place: str, *, whole: bool) -> Root:
    """Return the root that a normal absolute place belongs to, made if need be."""
    # Only writers need this: a search should start fast.
    from visionquery.store.settling import owner

    known = roots(connection)
    root = owner(place, known, whole=whole)
    if root is None:
        ((root_id,),) = connection.execute(
            "INSERT INTO roots (location, whole) VALUES (?, ?) RETURNING root_id",
            (packed(place), whole),
        ).fetchall()
        return _settle(connection, Root(root_id, place, whole))
    if whole and not root.whole:
        return _settle(connection, replace(root, whole=True))
    return root


def move(connection: sqlite3.Connection, scope: Scope, place: str) -> Root:
    """Say that what lies at a scope, of a root that is there, is at another place now."""
    if scope.path:
        root = add(connection, place, whole=True)
        _hand_over(connection, scope, locate(place, [root]) or Scope(root.root_id))
        return _settle(connection, root)
    root = next(root for root in roots(connection) if root.root_id == scope.root_id)
    return _settle(connection, replace(root, location=place))


def _settle(connection: sqlite3.Connection, root: Root) -> Root:
    from visionquery.store.settling import settled

    others = [each for each in roots(connection) if each.root_id != root.root_id]
    after = settled(root, others)
    for source, target in after.handed:
        _hand_over(connection, source, target)
    connection.executemany("DELETE FROM roots WHERE root_id = ?", ((r,) for r in after.dropped))
    connection.execute(
        "UPDATE roots SET location = ?, whole = ? WHERE root_id = ?",
        (packed(after.root.location), after.root.whole, after.root.root_id),
    )
    return after.root


def _hand_over(connection: sqlite3.Connection, source: Scope, target: Scope) -> None:
    """Pass the files below a scope on to another; its own record of a path stays."""
    gone, come = _lead(source), _lead(target)
    where, values = _below(source.root_id, gone)
    columns = "path, fragment, place, size_bytes, mtime_ns, row, problem"
    found = connection.execute(f"SELECT {columns} {where}", values).fetchall()
    if not found:
        return
    connection.execute(f"DELETE {where}", values)
    there, values = _below(target.root_id, come)
    taken = {path for (path,) in connection.execute(f"SELECT path {there}", values)}
    moved = [(come + path[len(gone) :], *rest) for path, *rest in found]
    connection.executemany(
        f"INSERT INTO files (root_id, {columns}, folded) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (target.root_id, *file, folded_place(compared(unpacked(file[0]), fragment_of(file[1]))))
            for file in moved
            if file[0] not in taken
        ),
    )


def _below(root_id: int, lead: bytes) -> tuple[str, tuple[int | bytes, ...]]:
    """Return what follows SELECT for the files of a root whose paths begin with `lead`, and the
    values that it needs."""
    if not lead:
        return "FROM files WHERE root_id = ?", (root_id,)
    # "0" is the character after "/".
    where = "FROM files WHERE root_id = ? AND path > ? AND path < ?"
    return where, (root_id, lead, lead[:-1] + b"0")


def _lead(scope: Scope) -> bytes:
    return packed(scope.path + "/") if scope.path else b""
