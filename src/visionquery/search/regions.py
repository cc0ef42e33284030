"""What regions add to an image's cosines: its best part counts where that says more.

A part that shows one thing is nearer to its name than a picture that shows many, but the best of
several parts is near everything. So the best part of an image is compared with the best parts of
all images, the whole with all wholes, each in spreads from its usual value; the larger counts, told
as a cosine of the whole, so that whatever judges these need not know of regions. A few words name
a thing, which may be small; many describe all of a picture, and no part of it alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from visionquery.query.ast import Box
from visionquery.query.plan import Probe
from visionquery.store.regions import Regions
from visionquery.types import Matrix

__all__ = ["Lifted", "lifted"]

_BIAS: Final = 0.75
"""How much of a part's bias is taken off: parts of a plain surface lie near every text."""

_FEW_WORDS: Final = 2
_MARGIN: Final = 0.25
_MARGIN_OF_MANY: Final = 1.5
"""Spreads that a part must be better by than the whole, for a few words and for more."""

_SHARPNESS: Final = 1.5
"""Of the soft maximum, which leaves an image that is good as a whole and in a part above one that
is either. Chosen, with the numbers above, on scenes and photographs of even number
(`benchmarks/quality/regions.py`)."""

_LEAST_SPREAD: Final = 1e-4

Cosines = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Lifted:
    """Cosines (p, n) of probes with all images, as wholes and as their best parts, and which
    region, (p, n), says more than the whole, -1 where none does. There are `views` of an image,
    itself included, in the mean."""

    cosines: Cosines
    regions: NDArray[np.intp]
    boxes: NDArray[np.float32]
    views: float

    def box(self, probe: int, row: int) -> Box | None:
        """Return the part of an image that matches a probe best, None where it is the whole."""
        region = int(self.regions[probe, row])
        return None if region < 0 else Box(*map(float, self.boxes[region]))


def lifted(
    whole: Cosines,
    regions: Regions,
    vectors: Matrix,
    probes: Sequence[Probe],
    *,
    asked: NDArray[np.bool_],
) -> Lifted:
    """Return what counts of images with cosines `whole` (p, n) for probes, whose vectors are
    (p, embed_dim), where those `asked` for, (p,), may be met by a part of an image."""
    best, which = _best_parts(regions, vectors[asked], whole.shape[1])
    found = np.full(whole.shape, -1, dtype=np.intp)
    cosines = whole.copy()
    for place, part, region in zip(np.flatnonzero(asked).tolist(), best, which, strict=True):
        has = region >= 0
        (usual, spread), (part_usual, part_spread) = _scale(whole[place]), _scale(part[has])
        few = len(probes[place].phrases) <= _FEW_WORDS
        margin = _MARGIN if few else _MARGIN_OF_MANY
        as_whole = (whole[place, has] - usual) / spread
        as_part = (part[has] - part_usual) / part_spread - margin
        soft = np.logaddexp(_SHARPNESS * as_whole, _SHARPNESS * as_part) / _SHARPNESS
        cosines[place, has] = usual + spread * soft
        found[place, has] = np.where(as_part > as_whole, region[has], -1)
    images = max(len(np.unique(regions.owners)), 1)
    return Lifted(cosines, found, regions.boxes, 1 + len(regions.owners) / images)


def _best_parts(
    regions: Regions, vectors: Matrix, images: int
) -> tuple[Cosines, NDArray[np.intp]]:
    """Return for each probe and image, (p, n), the best of its regions less their biases, and which
    it is, -1 where it has none."""
    scores = regions.scores(vectors) - _BIAS * regions.biases
    starts = np.flatnonzero(np.diff(regions.owners, prepend=-1))
    owners = regions.owners[starts]
    best = np.full((len(vectors), images), -1.0, dtype=np.float32)
    which = np.full((len(vectors), images), -1, dtype=np.intp)
    best[:, owners] = np.maximum.reduceat(scores, starts, axis=1)
    for place, row in enumerate(scores):
        is_best = np.flatnonzero(row == best[place, regions.owners])
        which[place, regions.owners[is_best][::-1]] = is_best[::-1]  # Of equals the first.
    return best, which


def _scale(values: Cosines) -> tuple[float, float]:
    """Return the usual value and the spread of what does not match, from the lower half."""
    low, half = np.quantile(values, (0.16, 0.5)) if len(values) else (0.0, 0.0)
    return float(half), max(float(half - low), _LEAST_SPREAD)
