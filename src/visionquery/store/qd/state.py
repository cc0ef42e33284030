"""What a library says of itself in one point, whose change makes all that was written count.

Rows past `rows` do not exist: points of them are what a writer left that did not finish.
"""

from dataclasses import astuple, dataclass, replace
from typing import Any

from visionquery.errors import EngineError, SchemaTooNewError
from visionquery.store.base import Root
from visionquery.store.places import packed
from visionquery.store.qd.spelling import kept_text, key_of, shown_text
from visionquery.types import ModelIdentity

__all__ = ["STATE", "VERSION", "Following", "State", "read_state", "state_payload"]

STATE = key_of("state")
VERSION = 1

_PROGRAM = "visionquery"


@dataclass(frozen=True, slots=True)
class Following:
    """The model that the library is being moved to, and the generation of its vectors."""

    model: ModelIdentity
    generation: int


@dataclass(frozen=True, slots=True)
class State:
    """A state of a library: `changes` counts the states before it, `generation` numbers the
    collection of its vectors, `made` the roots and generations that there ever were."""

    model: ModelIdentity
    rows: int = 0
    images: int = 0
    changes: int = 0
    generation: int = 1
    roots: tuple[Root, ...] = ()
    roots_made: int = 0
    generations_made: int = 1
    following: Following | None = None

    def sorted_roots(self) -> list[Root]:
        """Return all roots in order of location."""
        return sorted(self.roots, key=lambda root: packed(root.location))

    def after(self, **changed: Any) -> "State":
        """Return the state that follows, with these values changed."""
        return replace(self, changes=self.changes + 1, **changed)


def state_payload(state: State) -> dict[str, Any]:
    """Return a state as its point carries it."""
    following = state.following
    return {
        "kind": "state",
        "program": _PROGRAM,
        "version": VERSION,
        "model": list(astuple(state.model)),
        "rows": state.rows,
        "images": state.images,
        "changes": state.changes,
        "generation": state.generation,
        "roots": [[each.root_id, kept_text(each.location), each.whole] for each in state.roots],
        "roots_made": state.roots_made,
        "generations_made": state.generations_made,
        "following": following and [list(astuple(following.model)), following.generation],
    }


def read_state(payload: dict[str, Any], place: str) -> State:
    """Return the state that a point carries. Raises SchemaTooNewError when a newer program made
    it, EngineError when it is none."""
    version = payload.get("version")
    if payload.get("program") != _PROGRAM or not isinstance(version, int):
        raise EngineError(f"What is at {place} is no library: choose another collection.")
    if version > VERSION:
        raise SchemaTooNewError(
            f"The library {place} has version {version}, this program knows up to {VERSION}: use "
            "a newer visionquery.",
            found=version,
            supported=VERSION,
        )
    following = payload["following"]
    return State(
        model=ModelIdentity(*payload["model"]),
        rows=payload["rows"],
        images=payload["images"],
        changes=payload["changes"],
        generation=payload["generation"],
        roots=tuple(Root(each[0], shown_text(each[1]), each[2]) for each in payload["roots"]),
        roots_made=payload["roots_made"],
        generations_made=payload["generations_made"],
        following=following and Following(ModelIdentity(*following[0]), following[1]),
    )
