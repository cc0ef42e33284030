"""Where files lie: absolute places, and paths relative to a root.

Relative paths are "/"-separated on every system and kept as bytes, so that a name which is no
text survives. Places are compared as the file system compares them, whole names at a time:
`/a/bc` is not below `/a/b`.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from visionquery.errors import InputError, StoreError
from visionquery.store.base import Root, Scope

__all__ = [
    "absolute",
    "below",
    "expanded",
    "locate",
    "normal",
    "outermost",
    "packed",
    "unpacked",
]


def expanded(name: str | Path) -> Path:
    """Return the path that a person means: "~" and "~/…" begin in their home folder, but for a
    file that is really called so; any other name is itself. Raises InputError for a NUL."""
    text = str(name)
    if "\0" in text:
        raise InputError(f"{text!r} cannot be the name of a file: it has a NUL character in it.")
    path = Path(text)
    if path.parts[:1] != ("~",) or os.path.lexists(path):
        return path
    try:
        return path.expanduser()
    except RuntimeError:  # There is no home.
        return path


def normal(location: str) -> str:
    """Return an absolute place in its one spelling. Raises StoreError for a relative one."""
    if not Path(location).is_absolute():
        raise StoreError(f"{location!r} is not an absolute path: give the whole path.")
    return os.path.normpath(location)


def below(place: str, location: str) -> str | None:
    """Return `place` relative to the folder `location`, "" for itself, None when outside."""
    if os.path.normcase(place) == os.path.normcase(location):
        return ""
    folder = _as_folder(location)
    if not os.path.normcase(place).startswith(os.path.normcase(folder)):
        return None
    return place[len(folder) :].replace(os.sep, "/")


def absolute(location: str, path: str) -> str:
    """Return the absolute place of a relative path below a root's location."""
    return _as_folder(location) + path.replace("/", os.sep)


def locate(place: str, roots: Iterable[Root]) -> Scope | None:
    """Return where a normal absolute place lies: in the deepest root that covers it, or None."""
    deepest_first = sorted(roots, key=lambda root: len(root.location), reverse=True)
    for root in deepest_first:
        path = below(place, root.location)
        if path is not None:
            return Scope(root.root_id, path)
    return None


def outermost(scopes: Sequence[Scope]) -> list[Scope]:
    """Return scopes without those that lie within another, so that no file comes twice."""
    return [
        scope
        for i, scope in enumerate(scopes)
        if not any(
            _contains(other, scope) and (other != scope or j < i)
            for j, other in enumerate(scopes)
            if j != i
        )
    ]


def packed(path: str) -> bytes:
    """Return a path as the bytes that the file system knows it by."""
    return os.fsencode(path)


def unpacked(stored: bytes) -> str:
    """Return the path of `packed` bytes, undecodable ones as surrogate escapes."""
    return os.fsdecode(stored)


def _as_folder(location: str) -> str:
    return location if location.endswith(os.sep) else location + os.sep


def _contains(outer: Scope, inner: Scope) -> bool:
    return outer.root_id == inner.root_id and (
        outer.path in ("", inner.path) or inner.path.startswith(outer.path + "/")
    )
