"""The places that a person names: whether they are there, and where they lie in a library."""

import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from visionquery.errors import EngineError, InputError
from visionquery.store.base import Scope, Store
from visionquery.store.places import absolute, below, outermost
from visionquery.types import is_address

__all__ = [
    "Removal",
    "add_roots",
    "check_places",
    "forget",
    "holds",
    "is_there",
    "move",
    "named_scopes",
    "scopes_at",
]


@dataclass(frozen=True, slots=True)
class Removal:
    """What was forgotten: files, and images that no other file holds."""

    files: int
    images: int


def is_there(location: str) -> bool:
    """Whether a folder has anything in it that a scan would look at: the place of an unplugged
    disk is missing, or an empty folder, or holds no more than hidden entries. One behind an
    address is there where it can be reached."""
    if is_address(location):
        return _kind(location) is not None
    from visionquery.images.scan import is_passed_over

    try:
        return any(not is_passed_over(entry.name) for entry in Path(location).iterdir())
    except OSError:
        return False


def scopes_at(store: Store, place: str) -> list[Scope]:
    """Return where a folder or file lies in a store: in a root, and with all roots below it."""
    here = store.locate(place)
    inner = [Scope(root.root_id) for root in store.roots() if below(root.location, place)]
    return inner if here is None else [here, *inner]


def named_scopes(store: Store, places: Sequence[str]) -> list[Scope]:
    """Return where places lie in a store, each part once.

    Raises InputError for a place that lies nowhere in it.
    """
    scopes: list[Scope] = []
    for place in places:
        found = scopes_at(store, place)
        if not found:
            raise InputError(
                f"{place} is not in the library; add it with: visionquery index {place}"
                if is_address(place) or _kind(place) is not None
                else f"{place} is not in the library, and there is no such file or folder."
            )
        scopes += found
    return outermost(scopes)


def holds(store: Store, place: str) -> bool:
    """Whether a store knows a file at or below a place."""
    return any(any(store.file_count(scope)) for scope in scopes_at(store, place))


def check_places(places: Sequence[str], *, is_known: Callable[[str], bool]) -> None:
    """Raise InputError for a place that cannot be indexed: one that is not there and not known
    from before, and a file that is no picture by its name; EngineError for an address that is
    not known and cannot be reached."""
    from visionquery.images.scan import is_wanted

    for place in places:
        if is_address(place):
            if is_known(place):
                continue  # Whether it can be reached now shows when it is looked at.
            kind = _kind_at(place)
        else:
            kind = _kind(place)
        if kind == stat.S_IFDIR or (kind == stat.S_IFREG and is_wanted(place)):
            continue
        if is_known(place):
            continue
        if kind is None:
            raise InputError(f"There is no file or folder {place}.")
        raise InputError(
            f"{place} is no picture file: the names of those end in .jpg, .png, .heic and the "
            "like. Name pictures or folders."
        )


def add_roots(store: Store, places: Sequence[str]) -> None:
    """Make roots for places: folders, and the folders of single files."""
    for place in places:
        kind = _kind(place)
        if kind == stat.S_IFDIR:
            store.add_root(place)
        elif kind is not None:
            store.add_root(_folder(place), whole=False)


def forget(store: Store, places: Sequence[str]) -> Removal:
    """Forget all files at and below places; the caller holds `store.writing()`.

    Raises InputError, before anything is changed, for a place of which nothing is known.
    """
    # What a run that was cut off between the two steps below has left: its files are forgotten.
    store.prune()
    for place in places:
        if not holds(store, place):
            raise InputError(f"Nothing of {place} is in the library.")
    scopes = outermost([scope for place in places for scope in scopes_at(store, place)])
    files = [(scope.root_id, path) for scope in scopes for path in store.files(scope)]
    store.forget(files)
    return Removal(len(files), store.prune())


def move(store: Store, before: str, after: str) -> None:
    """Say that what was known of the folder `before` lies in `after` now; the caller holds
    `store.writing()`. Roots below move along, but for those that are still at their place.

    Raises InputError when `before` is no folder of the store, or `after` is none.
    """
    if _kind(after) != stat.S_IFDIR:
        raise InputError(f"There is no folder {after}; give the place where {before} is now.")
    here = store.locate(before)
    if not holds(store, before):
        known = ", ".join(root.location for root in store.roots()) or "none"
        raise InputError(
            f"Nothing of {before} is in the library: give an indexed folder, or a folder in one. "
            f"Indexed are: {known}."
        )
    if here is not None and here.path in store.files(here):
        raise InputError(f"{before} is a file; say where its folder {_folder(before)} is now.")
    for root in store.roots():
        inner = below(root.location, before)
        if inner and not is_there(root.location):
            store.move(Scope(root.root_id), absolute(after, inner))
    if here is not None:
        store.move(here, after)


def _folder(place: str) -> str:
    return place.rpartition("/")[0] if is_address(place) else str(Path(place).parent)


def _kind(place: str) -> int | None:
    """Return what is at a place, as stat has it; None where nothing is, or may be seen."""
    if is_address(place):
        with suppress(EngineError, InputError):
            return _kind_at(place)
        return None
    try:
        return stat.S_IFMT(Path(place).stat().st_mode)
    except OSError:
        return None


def _kind_at(address: str) -> int | None:
    """Return what is at an address, as stat would have it; None where nothing is. Raises
    EngineError, InputError where that cannot be told."""
    from visionquery.images.addresses import look

    seen = look(address)
    return None if seen is None else stat.S_IFDIR if seen.is_folder else stat.S_IFREG
