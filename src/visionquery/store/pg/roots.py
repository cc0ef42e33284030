"""The indexed folders of a library.

Functions over a connection; those that change something run inside a transaction of the caller's
and return the rows of images whose words may have changed.
"""

from collections.abc import Iterable
from dataclasses import replace

from visionquery.errors import StoreError
from visionquery.store.base import Root, Scope
from visionquery.store.folding import folded_place
from visionquery.store.pg import files
from visionquery.store.pg.adapting import ask
from visionquery.store.pg.connections import PgConnection
from visionquery.store.places import absolute, locate, packed, unpacked
from visionquery.store.settling import owner, settled

__all__ = ["add", "check_roots", "drop_empty", "move", "roots"]


def roots(connection: PgConnection) -> list[Root]:
    """Return all roots in order of location."""
    found = ask(connection, "SELECT root_id, location, whole FROM roots ORDER BY location")
    return [Root(root_id, unpacked(location), whole) for root_id, location, whole in found]


def check_roots(connection: PgConnection, root_ids: Iterable[int]) -> None:
    """Raise StoreError when one of these is no root of the library."""
    known = {root.root_id for root in roots(connection)}
    if unknown := set(root_ids) - known:
        raise StoreError(f"A file is below root {min(unknown)}, which is not in the library.")


def add(connection: PgConnection, place: str, *, whole: bool) -> tuple[Root, set[int]]:
    """Return the root that a normal absolute place belongs to, made if need be."""
    root = owner(place, roots(connection), whole=whole)
    if root is None:
        ((root_id,),) = ask(
            connection,
            "INSERT INTO roots (location, whole, folder, spelled, folded) "
            "VALUES (%s, %s, '', '', '') RETURNING root_id",
            packed(place),
            whole,
        )
        return _settle(connection, Root(root_id, place, whole))
    if whole and not root.whole:
        return _settle(connection, replace(root, whole=True))
    return root, set()


def move(connection: PgConnection, scope: Scope, place: str) -> tuple[Root, set[int]]:
    """Say that what lies at a scope, of a root that is there, is at another place now."""
    if not scope.path:
        root = next(root for root in roots(connection) if root.root_id == scope.root_id)
        return _settle(connection, replace(root, location=place))
    root, before = add(connection, place, whole=True)
    target = locate(place, [root]) or Scope(root.root_id)
    handed = files.hand_over(connection, scope, target)
    root, after = _settle(connection, root)
    return root, before | handed | after


def drop_empty(connection: PgConnection) -> None:
    """Forget the roots without files."""
    ask(
        connection,
        "DELETE FROM roots "
        "WHERE NOT EXISTS (SELECT FROM files WHERE files.root_id = roots.root_id)",
    )


def _settle(connection: PgConnection, root: Root) -> tuple[Root, set[int]]:
    others = [each for each in roots(connection) if each.root_id != root.root_id]
    after, moved = settled(root, others), set[int]()
    for source, target in after.handed:
        moved |= files.hand_over(connection, source, target)
    ask(connection, "DELETE FROM roots WHERE root_id = ANY(%s)", list(after.dropped))
    folder = absolute(after.root.location, "")
    ask(
        connection,
        "UPDATE roots SET location = %s, whole = %s, folder = %s, spelled = %s, folded = %s "
        "WHERE root_id = %s",
        packed(after.root.location),
        after.root.whole,
        packed(folder),
        files.spelled(folder),
        folded_place(folder),
        after.root.root_id,
    )
    return after.root, moved
