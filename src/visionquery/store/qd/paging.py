"""A page of images by date, without a look at all of them.

Qdrant orders by numbers: by the time, but not by the path that decides where times are equal, nor
where there is no time. Pages that need these are told by all images.
"""

import numpy as np
from numpy.typing import NDArray

from visionquery.store.derived import order_of
from visionquery.store.qd.conditions import between, every, one_of
from visionquery.store.qd.images import WHOLE, image_of, record_of
from visionquery.store.qd.meant import Meant
from visionquery.store.qd.opened import Opened
from visionquery.store.qd.state import State

__all__ = ["newest"]

_MOST = 5_000
"""The last image, counted from the newest, that is looked for so."""


def newest(
    opened: Opened, state: State, meant: Meant, *, offset: int, limit: int
) -> tuple[NDArray[np.intp], int] | None:
    """Return the rows (n,) of the images offset + 1 to offset + limit of those meant, the newest
    first, and how many are meant; None where that takes all images."""
    end = offset + limit
    if not meant.is_exact or not 0 < end <= _MOST:
        return None
    engine, name = opened.engine, opened.vectors
    there = every([meant.over, between("row", lt=state.rows)])
    if engine.count(name, every([there, one_of("dated", ["oddly"])])):
        return None
    found = engine.first(name, there, "taken", limit=end, fields=["taken"], falling=True)
    if len(found) < end:
        return None
    oldest = int(found[-1].payload["taken"])
    newer = [point.key for point in found if point.payload["taken"] > oldest]
    as_old = every([there, between("taken", gte=oldest, lte=oldest)])
    points = [*engine.get(name, newer, fields=WHOLE).values(), *opened.points(state, as_old)]
    order = order_of((record_of(image_of(p), state.roots) for p in points), "date", places=())
    return order[offset:end], engine.count(name, there)
