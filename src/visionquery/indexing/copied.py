"""What a library that was copied from another says of that, in a note that is there from the start.
"""

import json
from dataclasses import asdict, dataclass
from typing import Any

from visionquery.store.base import Store

__all__ = ["Origin", "keep_origin", "origin_of", "unfinished_from"]

_NOTE = "copy"


@dataclass(frozen=True, slots=True)
class Origin:
    """The library that this one is a copy of: the text by which it is known, and where it was.
    `begun` is a time (ISO 8601). `finished` says what the copy held when it was whole, in a form
    that is compared with what it holds later; None while it is unfinished."""

    library: str
    location: str
    begun: str
    finished: dict[str, Any] | None = None


def origin_of(store: Store) -> Origin | None:
    """Return of which library this one is a copy, None when it is none."""
    text = store.note(_NOTE)
    return Origin(**json.loads(text)) if text else None


def unfinished_from(store: Store) -> str | None:
    """Return where the library is that this one is an unfinished copy of, None when it is none."""
    origin = origin_of(store)
    return None if origin is None or origin.finished is not None else origin.location


def keep_origin(store: Store, origin: Origin) -> None:
    """Write the note. Call it inside `store.writing()`."""
    store.set_note(_NOTE, json.dumps(asdict(origin)))
