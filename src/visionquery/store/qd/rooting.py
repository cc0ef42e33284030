"""The roots of a library when one comes or moves."""

from dataclasses import dataclass, replace

from visionquery.store.base import Root, Scope
from visionquery.store.qd.state import State
from visionquery.store.settling import owner, settled

__all__ = ["Rooted", "added", "moved"]


@dataclass(frozen=True, slots=True)
class Rooted:
    """What follows: the root that is there then, from where to where files pass, in order, and the
    state after it."""

    root: Root
    handed: tuple[tuple[Scope, Scope], ...]
    state: State


def added(state: State, place: str, *, whole: bool) -> Rooted:
    """Return what follows when a normal absolute place is to belong to a root."""
    root = owner(place, state.sorted_roots(), whole=whole)
    if root is None:
        number = state.roots_made + 1
        return moved(replace(state, roots_made=number), Root(number, place, whole))
    if whole and not root.whole:
        return moved(state, replace(root, whole=True))
    return Rooted(root, (), state)


def moved(state: State, root: Root) -> Rooted:
    """Return what follows when a root, a new one or one that is there, is as it is given."""
    others = [each for each in state.roots if each.root_id != root.root_id]
    after = settled(root, others)
    gone = {after.root.root_id, *after.dropped}
    kept = [each for each in others if each.root_id not in gone]
    return Rooted(after.root, after.handed, state.after(roots=(*kept, after.root)))
