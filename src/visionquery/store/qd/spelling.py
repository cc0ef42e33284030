"""Texts as Qdrant keeps them: Unicode, where a name may be bytes that are none.

What is no Unicode, and the NUL, becomes a NUL and four digits, so that every other text, and the
names in Qdrant's own pages, stay as they are.
"""

import re
from uuid import UUID, uuid5

from visionquery.store.base import Scope

__all__ = ["kept_text", "key_of", "lineage", "scope_key", "shown_text"]

_SPECIAL = re.compile("[\0\ud800-\udfff]")
_ESCAPE = re.compile("\0([0-9a-f]{4})")
_OURS = UUID("6d1f0c5e-6a0e-4f0b-9d6f-0a5a2c6b7e11")


def kept_text(text: str) -> str:
    """Return a text fit for Qdrant, from which `shown_text` makes it again."""
    return _SPECIAL.sub(lambda found: f"\0{ord(found[0]):04x}", text)


def shown_text(kept: str) -> str:
    """Return the text that `kept_text` was given."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), kept)


def key_of(*parts: object) -> str:
    """Return the id of the point that is known by these."""
    return str(uuid5(_OURS, kept_text("/".join(map(str, parts)))))


def scope_key(scope: Scope) -> str:
    """Return what all files at and below a scope have in their lineage."""
    return f"{scope.root_id}/{kept_text(scope.path)}"


def lineage(root_id: int, path: str) -> list[str]:
    """Return the keys of a file and of all folders around it, up to its root."""
    names = path.split("/")
    inside = ["/".join(names[:end]) for end in range(len(names) + 1)]
    return [scope_key(Scope(root_id, each)) for each in inside]
