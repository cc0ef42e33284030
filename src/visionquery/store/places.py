"""Where files lie: absolute places, which may be addresses, and paths relative to a root.

Relative paths are "/"-separated on every system and kept as bytes, so that a name which is no
text survives. Places are compared as the file system compares them, whole names at a time:
`/a/bc` is not below `/a/b`.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import unquote

from visionquery.errors import InputError, StoreError
from visionquery.store.base import Root, Scope
from visionquery.types import is_address

__all__ = [
    "absolute",
    "below",
    "expanded",
    "locate",
    "normal",
    "outermost",
    "packed",
    "spelled",
    "unpacked",
]


_ALIKE = {"s3a": "s3", "gcs": "gs"}
"""Schemes that lead to one place."""


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


def spelled(name: str | Path) -> str:
    """Return what a person means by the name of a place: a path as `expanded` gives it, that of
    `file://…` too, and an address in its one spelling. Raises InputError for a wrong one."""
    text = str(name)
    if not is_address(text):
        return str(expanded(name))
    return _path_of(text) if text[:7].lower() == "file://" else _one_spelling(text)


def normal(location: str) -> str:
    """Return an absolute place in its one spelling. Raises StoreError for a relative one,
    InputError for an address that means nothing."""
    if is_address(location):
        return _one_spelling(location)
    if not Path(location).is_absolute():
        raise StoreError(f"{location!r} is not an absolute path: give the whole path.")
    return os.path.normpath(location)


def below(place: str, location: str) -> str | None:
    """Return `place` relative to the folder `location`, "" for itself, None when outside."""
    if is_address(location):
        lead = _as_folder(location)
        return "" if place == location else place[len(lead) :] if place.startswith(lead) else None
    if os.path.normcase(place) == os.path.normcase(location):
        return ""
    folder = _as_folder(location)
    if not os.path.normcase(place).startswith(os.path.normcase(folder)):
        return None
    return place[len(folder) :].replace(os.sep, "/")


def absolute(location: str, path: str) -> str:
    """Return the absolute place of a relative path below a root's location."""
    return _as_folder(location) + (path if is_address(location) else path.replace("/", os.sep))


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
    mark = "/" if is_address(location) else os.sep
    return location if location.endswith(mark) else location + mark


def _path_of(address: str) -> str:
    """Return the path of a `file://` address, in which "%20" may stand for a blank."""
    path = address[7:].removeprefix("localhost")
    if not path.startswith("/"):
        raise InputError(f"{address} names another machine: give file:/// and a path of this one.")
    return path if "%" not in path or os.path.lexists(path) else unquote(path)


def _one_spelling(address: str) -> str:
    scheme, _, rest = address.partition("://")
    rest = rest.rstrip("/")
    if not rest:
        raise InputError(f"{address} names no bucket: give {address}BUCKET/FOLDER.")
    host, _, path = rest.partition("/")
    if path and any(name in ("", ".", "..") for name in path.split("/")):
        raise InputError(
            f'{address} is no address that can be kept: between two "/" there must be a name, and '
            "not . or .."
        )
    if "\0" in rest:
        raise InputError(f"{address!r} cannot be an address: it has a NUL character in it.")
    if ":" in host.rpartition("@")[0]:
        raise InputError(
            f"This {scheme}:// address has a password in it, which the library would keep. "
            "Leave it out, and put it where fsspec looks for it (FSSPEC_… variables)."
        )
    return f"{_ALIKE.get(scheme.lower(), scheme.lower())}://{rest}"


def _contains(outer: Scope, inner: Scope) -> bool:
    return outer.root_id == inner.root_id and (
        outer.path in ("", inner.path) or inner.path.startswith(outer.path + "/")
    )
