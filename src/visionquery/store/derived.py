"""What a store works out of its records for browsing: orders and facets, written once for all.

Both look at every image, so a store that is asked often keeps them until something changes.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import PurePosixPath
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from visionquery.store.base import Facets, Order
from visionquery.store.places import absolute

__all__ = ["Kept", "facets_of", "order_of"]

Value = TypeVar("Value")

_MOST = 200
_FOLDER_LEVELS = 2


class Kept:
    """Values worked out of one state of a store, each made anew when the state is another one."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[object, object]] = {}
        self._making = threading.Lock()

    def get(self, key: str, state: object, make: Callable[[], Value]) -> Value:
        """Return what `make` returned for a key in this state of the store."""
        with self._making:
            known = self._values.get(key)
            if known is None or known[0] != state:
                known = self._values[key] = (state, make())
            return cast(Value, known[1])


def order_of(
    images: Iterable[tuple[int, str, str | None]], first_places: Mapping[int, bytes], by: Order
) -> NDArray[np.intp]:
    """Return the rows (n,) of images, given as (row, image_id, taken_at), in an order; those that
    are equal in it by first place, then by id."""
    ordered = sorted(images, key=lambda image: (first_places.get(image[0], b""), image[1]))
    if by == "date":
        ordered.sort(key=lambda image: image[2] or "", reverse=True)
    return np.fromiter((row for row, _, _ in ordered), dtype=np.intp, count=len(ordered))


def facets_of(
    files: Iterable[tuple[int, str, str]],
    cameras: Iterable[str | None],
    dates: Iterable[str | None],
) -> Facets:
    """Return the facets of images, of which `files` are given as (row, root's location, path
    below it)."""
    types: set[tuple[str, int]] = set()
    folders: set[tuple[str, int]] = set()
    for row, location, path in files:
        inside = path.split("/")
        kind = PurePosixPath(inside[-1]).suffix.removeprefix(".").lower()
        if kind:
            types.add((kind, row))
        for level in range(min(len(inside) - 1, _FOLDER_LEVELS) + 1):
            below = "/".join(inside[:level])
            folders.add((absolute(location, below) if below else location, row))
    taken = [date for date in dates if date is not None]
    return Facets(
        cameras=_counts(camera for camera in cameras if camera is not None),
        types=_counts(kind for kind, _ in types),
        folders=_counts(folder for folder, _ in folders),
        first_date=min(taken, default=None),
        last_date=max(taken, default=None),
    )


def _counts(values: Iterable[str]) -> tuple[tuple[str, int], ...]:
    counted = sorted(Counter(values).items(), key=lambda pair: (-pair[1], pair[0]))
    return tuple(counted[:_MOST])
