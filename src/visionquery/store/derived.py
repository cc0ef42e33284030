"""What a store works out of all its images, for browsing: orders and facets.

Here it is told from records, one after another: what the words mean, for stores that look at
every image anyway. `browsing` asks a catalog the same.
"""

import os
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from itertools import accumulate, chain
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from visionquery.store.base import Facets, ImageRecord, Order, Root
from visionquery.store.folding import folded
from visionquery.store.places import below

__all__ = [
    "Kept",
    "comparable",
    "extension",
    "facets_of",
    "folder_of",
    "folders_around",
    "frozen",
    "most_frequent",
    "order_of",
    "place_that_counts",
]

Value = TypeVar("Value")

_MOST = 200
_FOLDER_LEVELS = 2
_KEPT_AT_ONCE = 16


class Kept:
    """Values worked out of the newest state of a store that was asked about."""

    def __init__(self) -> None:
        self._state = -1
        self._values: dict[object, object] = {}
        self._making = threading.RLock()

    def get(self, key: object, state: int, make: Callable[[], Value]) -> Value:
        """Return what `make` returned for a key in a state of the store; later ones have higher
        numbers. What an older state is asked for is made, and not kept."""
        with self._making:
            if state < self._state:
                return make()
            if state > self._state:
                self._state, self._values = state, {}
            if key not in self._values:
                made = make()
                if len(self._values) >= _KEPT_AT_ONCE:
                    del self._values[next(iter(self._values))]
                self._values[key] = made
            return cast(Value, self._values[key])


def order_of(
    records: Iterable[ImageRecord], by: Order, *, places: Sequence[str]
) -> NDArray[np.intp]:
    """Return the rows (n,) of images in an order, as `Store.ordered` does."""
    ordered = sorted(
        records, key=lambda each: (place_that_counts(each.paths, places), each.image_id)
    )
    if by == "date":
        ordered.sort(key=lambda each: each.facts.taken_at or "", reverse=True)
    return frozen(each.row for each in ordered)


def place_that_counts(paths: Sequence[str], places: Sequence[str]) -> str:
    """Return the first of an image's paths at or below `places`, the first where there is none
    such; "" of no paths."""
    if len(paths) > 1 and places:
        for path in paths:
            if any(below(path, folder) is not None for folder in places):
                return path
    return paths[0] if paths else ""


def frozen(rows: Iterable[int]) -> NDArray[np.intp]:
    """Return rows as an array (n,) that cannot be written to, fit to be handed out many times."""
    array = np.fromiter(rows, dtype=np.intp)
    array.flags.writeable = False
    return array


def facets_of(
    known: Sequence[tuple[ImageRecord, Sequence[str]]], roots: Sequence[Root]
) -> Facets:
    """Return the facets of images, each with the absolute paths that filters compare of it, in
    files below these roots."""
    locations = comparable(roots)
    cameras: Counter[str] = Counter()
    types: Counter[str] = Counter()
    folders: Counter[str] = Counter()
    for record, paths in known:
        if record.facts.camera is not None:
            cameras[record.facts.camera] += 1
        types.update({extension(path) for path in paths})
        inside = (folders_around(folder_of(path), locations) for path in record.paths)
        folders.update(set(chain.from_iterable(inside)))
    del types[""]
    dates = [record.facts.taken_at for record, _ in known if record.facts.taken_at]
    return Facets(
        cameras=most_frequent(cameras),
        types=most_frequent(types),
        folders=most_frequent(folders),
        first_date=min(dates, default=None),
        last_date=max(dates, default=None),
    )


def extension(path: str) -> str:
    """Return what the filter `ext` knows a path by: what follows the last dot of its last name,
    folded; "" when it has none."""
    name = path.replace(os.sep, "/").rpartition("/")[2]
    stem, _, ending = name.rpartition(".")
    return folded(ending) if stem else ""


def comparable(roots: Iterable[Root]) -> frozenset[str]:
    """Return the places of roots as `folders_around` compares them."""
    return frozenset(os.path.normcase(root.location) for root in roots)


def folder_of(path: str) -> str:
    """Return the folder that an absolute path lies in."""
    return path.rpartition("/")[0] if "://" in path else str(Path(path).parent)


def folders_around(folder: str, locations: Set[str]) -> Iterator[str]:
    """Yield, of an absolute folder and those around it, the roots, whose `comparable` places are
    `locations`, and what lies up to two levels below one; some may come twice."""
    inwards = _inwards(folder)
    for i, place in enumerate(inwards):
        if os.path.normcase(place) in locations:
            yield from inwards[i : i + 1 + _FOLDER_LEVELS]


def _inwards(folder: str) -> list[str]:
    """Return an absolute folder after those around it, the outermost first."""
    scheme, mark, rest = folder.partition("://")
    if not mark:
        place = Path(folder)
        return [str(each) for each in (place, *place.parents)][::-1]
    folders = accumulate(rest.removesuffix("/").split("/"), "{}/{}".format)
    return [f"{scheme}://{each}" for each in folders]


def most_frequent(counts: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """Return values and their counts, the most frequent first, then by value; 200 at most."""
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(ranked[:_MOST])
