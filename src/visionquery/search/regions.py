"""What regions add to an image's cosines: its best part counts where that says more.

A part that shows one thing is nearer to its name than a picture that shows many, but the best of
several parts is near everything. So the best part of an image is compared with the best parts of
all images, the whole with all wholes, each in spreads from its usual value; the larger counts, told
as a cosine, so that whatever judges these need not know of regions. A few words name
a thing, which may be small; many describe all of a picture, and no part of it alone. A list
of things is judged with each of them (`parts`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from visionquery.query.ast import Box
from visionquery.query.plan import Probe
from visionquery.search.parts import best_views, in_parts, usual_of
from visionquery.store.regions import Regions

__all__ = ["Lifted", "lifted"]

_BIAS: Final = 0.75
"""How much of a part's bias is taken off: parts of a plain surface lie near every text."""

_FEW_WORDS: Final = 2
_MARGINS: Final = (0.25, 1.5)
_OF_MEAN: Final = (0.4, 0.1)
"""For a few words, and for more: spreads that the best part must be better by than the whole, and
how much of what the parts are in the mean is added, since a thing that fills a picture is in all of
them. Chosen on scenes and photographs of even number (`benchmarks/quality/regions.py`)."""

_APART: Final = 0.75
"""The best of six views of each image is the best of more, but not of six times as many images, as
views overlap: of this power of six. Chosen so that no more than one absent thing in twenty gets an
answer, as without regions."""

_LEAST_SPREAD: Final = 1e-4

Cosines = NDArray[np.float32]


_SAMPLED: Final = 8192
"""Images from which scales are read, evenly spread: more tell nothing more."""


@dataclass(frozen=True, slots=True, eq=False)
class Lifted:
    """Cosines (p, n) of probes with all images, as wholes and as these and their parts count. By
    probe that is asked for: which images, of those with regions, a part says more of than the
    whole, and what the parts (m,) are worth. For the best of a probe, images count `times` (p,) as
    many as there are."""

    whole: Cosines
    cosines: Cosines
    regions: Regions
    in_part: Mapping[int, NDArray[np.bool_]]
    worth: Mapping[int, Cosines]
    times: NDArray[np.float64]

    def box(self, probe: int, row: int) -> Box | None:
        """Return the part of an image that matches a probe best, None where it is the whole."""
        starts, owners = self.regions.starts, self.regions.owners
        first, end = np.searchsorted(owners, [row, row + 1]).tolist()
        if probe not in self.worth or first == end:
            return None
        if not self.in_part[probe][int(np.searchsorted(starts, first))]:
            return None
        best = first + int(self.worth[probe][first:end].argmax())
        return Box(*map(float, self.regions.boxes[best]))


def lifted(
    whole: Cosines,
    regions: Regions,
    scores: Cosines,
    probes: Sequence[Probe],
    *,
    asked: Collection[int],
) -> Lifted:
    """Return what counts of images with cosines `whole` (p, n) for probes, whose cosines with the
    regions are `scores` (p, m), where those `asked` for may be met by a part of an image."""
    cosines, times = whole.copy(), np.ones(len(whole))
    in_part: dict[int, NDArray[np.bool_]] = {}
    worth: dict[int, Cosines] = {}
    owners = regions.owners[regions.starts]
    counts = np.diff(regions.starts, append=len(regions.owners))
    for place in sorted(asked):
        parts = scores[place] - _BIAS * regions.biases
        usual, spread = _scale(whole[place])
        as_whole = (whole[place, owners] - usual) / spread
        many = int(_words(probes[place]) > _FEW_WORDS)
        best = np.maximum.reduceat(parts, regions.starts)
        as_part = _in_spreads(best) - _MARGINS[many]
        in_mean = _in_spreads(np.add.reduceat(parts, regions.starts) / counts)
        judged = np.maximum(as_whole, as_part) + _OF_MEAN[many] * in_mean
        # What is usual stays usual, so that curves of wholes hold.
        cosines[place, owners] = usual + spread * _in_spreads(judged)
        if probes[place].named is not None:
            judged = _with_things(whole, regions, scores, probes[place])
            cosines[place] = usual + spread * _in_spreads(judged)
        in_part[place], worth[place] = as_part > as_whole, parts
        times[place] = 1.0 if many else (1 + counts.mean()) ** _APART
    return Lifted(whole, cosines, regions, in_part, worth, times)


def _with_things(whole: Cosines, regions: Regions, scores: Cosines, probe: Probe) -> Cosines:
    """Return what counts of images, (n,), for a description that names several things."""
    rows, named = list(probe.rows), probe.named
    assert named is not None, "a description without things is judged by its best part"
    best = best_views(whole[rows], scores[rows], regions.owners)
    every = slice(None, None, -(-max(best.shape[1], 1) // _SAMPLED))
    usual = usual_of(whole[rows[0], every], best[:, every], named)
    return in_parts(whole[rows[0]], best, named, usual)


def _words(probe: Probe) -> int:
    return sum(len(unit[0].split()) for unit in probe.phrases)


def _in_spreads(values: NDArray[Any]) -> Cosines:
    usual, spread = _scale(values)
    return np.asarray((values - usual) / spread, dtype=np.float32)


def _scale(values: NDArray[Any]) -> tuple[float, float]:
    """Return the usual value and the spread of what does not match, from the lower half."""
    sample = values[:: -(-max(len(values), 1) // _SAMPLED)]
    low, half = np.quantile(sample, (0.16, 0.5)) if len(sample) else (0.0, 0.0)
    return float(half), max(float(half - low), _LEAST_SPREAD)
