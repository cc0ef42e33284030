"""Which root owns a file when roots lie within one another: the deepest one does.

A root that was named as a folder (`whole`) stays a root of its own below another, because it may
be a disk that comes and goes. One that is there for single files of it becomes part of the whole
root around it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from visionquery.store.base import Root, Scope
from visionquery.store.places import below, locate

__all__ = ["Settled", "owner", "settled"]


@dataclass(frozen=True, slots=True)
class Settled:
    """What follows when a root has come to its place: the root that is there then, from where
    to where files pass, in order (the target's own record of a path stays), and the numbers of
    the roots that go."""

    root: Root
    handed: tuple[tuple[Scope, Scope], ...] = ()
    dropped: tuple[int, ...] = ()


def owner(place: str, roots: Sequence[Root], *, whole: bool) -> Root | None:
    """Return the root that a place to be added belongs to already, None when it needs its own."""
    around = locate(place, roots)
    if around is None:
        return None
    root = next(each for each in roots if each.root_id == around.root_id)
    return root if root.whole or not whole or not around.path else None


def settled(root: Root, others: Sequence[Root]) -> Settled:
    """Return what follows when `root` lies among others, new there or moved."""
    same = next((other for other in others if below(other.location, root.location) == ""), None)
    if same is not None:
        kept = replace(same, whole=same.whole or root.whole)
        then = settled(kept, [other for other in others if other is not same])
        first = (Scope(root.root_id), Scope(kept.root_id))
        return Settled(then.root, (first, *then.handed), (root.root_id, *then.dropped))
    around = locate(root.location, others)
    handed, dropped = [], []
    if around is not None:
        outer = next(other for other in others if other.root_id == around.root_id)
        if outer.whole and not root.whole:
            return Settled(outer, ((Scope(root.root_id), around),), (root.root_id,))
        handed.append((around, Scope(root.root_id)))
    for child in sorted(others, key=lambda other: len(other.location), reverse=True):
        prefix = below(child.location, root.location)
        if prefix is None:
            continue
        part, whole = Scope(root.root_id, prefix), Scope(child.root_id)
        if root.whole and not child.whole:
            handed.append((whole, part))
            dropped.append(child.root_id)
        else:
            handed.append((part, whole))
    return Settled(root, tuple(handed), tuple(dropped))
