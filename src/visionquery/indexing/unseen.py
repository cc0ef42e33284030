"""Which images of a library were looked at in parts."""

import shlex
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visionquery.store.base import Reader, Scope

__all__ = ["REGIONS_COMMAND", "unseen_note", "with_regions"]

REGIONS_COMMAND = "visionquery index --regions"


def with_regions(store: Reader) -> NDArray[np.bool_]:
    """Return the mask (row_count,) of images that have regions."""
    found = np.zeros(store.row_count(), dtype=np.bool_)
    known = store.regions()
    if known is None:
        return found
    found[known.owners] = True
    return found & store.alive()


def unseen_note(store: Reader, scopes: Sequence[Scope], places: Sequence[str]) -> str | None:
    """Return a sentence about images below the scopes of some places that have no regions, in a
    library in which others have; None where there is nothing to say."""
    has_some = with_regions(store)
    if not has_some.any():
        return None
    unseen = int((store.within(scopes) & ~has_some).sum())
    if not unseen:
        return None
    paths = " ".join(map(shlex.quote, places))
    return f"Not looked at in parts yet: {unseen:,}. Do it with: {REGIONS_COMMAND} {paths}"
