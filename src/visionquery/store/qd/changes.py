"""Changes of a library that a killed writer cannot leave half made.

Qdrant has no transactions. What is to be written is first kept whole, as an intent; then it is
made; then the state changes, and the intent goes. Whoever writes next makes an intent that is still
there once more, which changes nothing where it was made already.

A reader may see a change that is being made: files and what is known of images that are there
already, but never an image that is not complete, a row too many, or another model's vectors.
"""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from visionquery.store.base import Scope
from visionquery.store.qd.conditions import one_of
from visionquery.store.qd.engine import Engine, Point
from visionquery.store.qd.handing import hand_over
from visionquery.store.qd.spelling import kept_text, key_of
from visionquery.store.qd.state import STATE

__all__ = [
    "Change",
    "drop_intent",
    "keep_intent",
    "kept_intent",
    "make",
    "note_key",
    "vectors_name",
]

_CHARACTERS = 4_000_000
"""How much of an intent a point holds: a request may have 32 MB."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is to be there, as points carry it: the `state`, `files` by the ids of their points,
    notes, and by row what images carry; what is to go; and which files are handed from one scope,
    (root_id, path), to another before."""

    state: dict[str, Any]
    handed: list[tuple[Scope, Scope]] = field(default_factory=list)
    images: dict[int, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    gone_points: list[str] = field(default_factory=list)
    gone_rows: list[int] = field(default_factory=list)
    notes: dict[str, str] = field(default_factory=dict)


def vectors_name(engine: Engine, generation: int) -> str:
    """Return the name of the collection of a generation's vectors."""
    return f"{engine.address.collection}-g{generation}"


def note_key(key: str) -> str:
    """Return the id of the point of a note."""
    return key_of("note", key)


def keep_intent(engine: Engine, change: Change) -> None:
    """Keep a change before it is made."""
    text = json.dumps(asdict(change))
    parts = [text[at : at + _CHARACTERS] for at in range(0, len(text), _CHARACTERS)]
    # The first last: with it, all are there.
    for number in range(len(parts) - 1, -1, -1):
        payload = {"kind": "intent", "parts": len(parts), "text": parts[number]}
        engine.put(engine.address.collection, [Point(key_of("intent", number), payload)])


def kept_intent(engine: Engine) -> Change | None:
    """Return the change that a writer kept and did not finish."""
    catalog = engine.address.collection
    first = engine.get(catalog, [key_of("intent", 0)])
    if not first:
        return None
    (found,) = first.values()
    keys = [key_of("intent", number) for number in range(found.payload["parts"])]
    parts = engine.get(catalog, keys)
    known = json.loads("".join(parts[key].payload["text"] for key in keys))
    known["images"] = {int(row): payload for row, payload in known["images"].items()}
    known["handed"] = [(Scope(**old), Scope(**new)) for old, new in known["handed"]]
    return Change(**known)


def drop_intent(engine: Engine) -> None:
    """Forget the intent, the first part first."""
    catalog = engine.address.collection
    engine.remove(catalog, [key_of("intent", 0)])
    left = engine.scroll(catalog, one_of("kind", ["intent"]), fields=False)
    engine.remove(catalog, [point.key for point in left])


def make(engine: Engine, change: Change) -> None:
    """Make a change and let it count."""
    catalog = engine.address.collection
    vectors = vectors_name(engine, change.state["generation"])
    for source, target in change.handed:
        hand_over(engine, vectors, source, target)
    engine.amend(vectors, change.images)
    engine.put(catalog, [Point(*file) for file in change.files.items()])
    engine.put(catalog, [_note(*note) for note in change.notes.items()])
    engine.remove(catalog, change.gone_points)
    engine.remove(vectors, change.gone_rows)
    engine.put(catalog, [Point(STATE, change.state)])


def _note(key: str, value: str) -> Point:
    return Point(note_key(key), {"kind": "note", "key": kept_text(key), "value": value})
