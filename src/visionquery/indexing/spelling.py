"""One folder, many spellings: a place as a person types it, and as the library knows it."""

import os.path
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from visionquery.store.base import Root, Scope, Store
from visionquery.store.folding import folded, folded_place
from visionquery.store.places import absolute
from visionquery.types import is_address

__all__ = ["as_known"]


def as_known(store: Store, place: str) -> str:
    """Return a place in the spelling that the store knows it by.

    A file system that ignores case, or takes the two Unicode forms of an accented letter for one,
    has one folder where a person may type two names. Names that differ in these alone are one
    where the system says so, and where neither is there to be asked. Of an address there is one.
    """
    if is_address(place):
        return place
    roots = sorted(store.roots(), key=lambda root: len(root.location), reverse=True)
    names = Path(place).parts
    for root in roots:
        known = Path(root.location)
        depth = min(len(known.parts), len(names))
        head, tail = Path(*names[:depth]), names[depth:]
        known = Path(*known.parts[:depth])
        if head == known:
            break
        if folded(str(head)) == folded(str(known)) and _is_one(head, known):
            place = str(known.joinpath(*tail))
            break
    here = store.locate(place)
    if here is None or not here.path:
        return place
    root = next(root for root in roots if root.root_id == here.root_id)
    return absolute(root.location, "/".join(_as_spelled(store, root, here.path)))


def _as_spelled(store: Store, root: Root, path: str) -> Sequence[str]:
    """The names of a path below a root, as they stand in its folders, or in the store where there
    is nothing at the path."""
    names = path.split("/")
    if not os.path.lexists(absolute(root.location, path)):
        known = store.files(Scope(root.root_id, path)) or store.files(Scope(root.root_id))
        wanted = folded_place(path)
        for other in known:
            head = other.split("/")[: len(names)]
            if folded_place("/".join(head)) == wanted and not os.path.lexists(
                absolute(root.location, "/".join(head))
            ):
                return head
        return names
    folder = root.location
    for number, name in enumerate(names):
        names[number] = _entry(folder, name)
        folder = absolute(folder, names[number])
    return names


def _entry(folder: str, name: str) -> str:
    """How an entry of a folder is spelled there. Only where another spelling leads to it too, the
    folder is read."""
    here = Path(absolute(folder, name))
    if not any(_is_one(Path(absolute(folder, other)), here) for other in _spellings(name)):
        return name
    try:
        entries = [entry.name for entry in Path(folder).iterdir()]
    except OSError:
        return name
    if name in entries:
        return name
    alike = (entry for entry in entries if folded(entry) == folded(name))
    return next((entry for entry in alike if _is_one(Path(folder, entry), here)), name)


def _spellings(name: str) -> set[str]:
    forms = {unicodedata.normalize("NFC", name), unicodedata.normalize("NFD", name)}
    return (forms | {name.swapcase()}) - {name}


def _is_one(one: Path, other: Path) -> bool:
    """Whether two spellings lead to one file or folder, or both to nothing."""
    try:
        return one.samefile(other)
    except OSError:
        return not os.path.lexists(one) and not os.path.lexists(other)
