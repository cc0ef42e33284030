"""Alike images folded into one, and an order in which images that come together differ.

Both take an order of images, best first, look at unit vectors and, for bursts, at when pictures
were taken, and answer with places in that order. Nothing here is random.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from visionquery.types import Matrix

__all__ = ["ALIKE", "WEIGHT", "Alike", "folded", "moments_of", "spread"]


@dataclass(frozen=True, slots=True)
class Alike:
    """When two images are the same picture: where their cosine is `copy` or more, and `crowd` times
    how close others lie around them; where they were taken within so many `seconds`, from the
    cosine `burst` on.

    Photographs of a football field lie closer together than a photograph and its copy do elsewhere:
    one cosine for all would fold the ones or miss the others.
    """

    copy: float
    crowd: float
    burst: float
    seconds: float


ALIKE: Final = Alike(copy=0.7, crowd=0.3, burst=0.75, seconds=10.0)
"""Chosen on one half of the photographs of `benchmarks/quality/diversity.py`, for both models."""

WEIGHT: Final = 0.6
"""How much relevance counts against what was shown already, 0..1; chosen there as well."""

_AROUND: Final = 10
_CERTAIN: Final = 0.93
_SPARSE: Final = 0.6
"""How close the nearest ten others lie, each below the cosine of a certain copy: never less than
this, which also stands in for those that there are not."""

_LEAST_LENGTH: Final = 1e-6


def folded(
    vectors: Matrix, moments: NDArray[np.float64], alike: Alike = ALIKE
) -> list[NDArray[np.intp]]:
    """Return groups of images, as places in their order: each begins with the best placed one, the
    leader, and groups are in the order of their leaders.

    `vectors` (n, embed_dim) are in the order of the images, `moments` (n,) are seconds, NaN where
    nobody knows. An image joins the first leader that it is like, so that no leader is like
    another.

    Source: the correction for what lies around follows cross-domain similarity local scaling,
    arXiv 1710.04087, section 2.3.
    """
    if not len(vectors):
        return []
    near = _near(vectors, moments, alike)
    leaders = np.full(len(vectors), -1, dtype=np.intp)
    for place in range(len(vectors)):
        if leaders[place] < 0:
            leaders[near[place] & (leaders < 0)] = place
    members = np.argsort(leaders, kind="stable")
    return np.split(members, np.flatnonzero(np.diff(leaders[members])) + 1)


def _near(vectors: Matrix, moments: NDArray[np.float64], alike: Alike) -> NDArray[np.bool_]:
    """Return which images are the same picture as which, (n, n); each is as itself."""
    cosines = vectors @ vectors.T
    crowd = np.float32(0.5 * alike.crowd) * _crowd(cosines)
    near = cosines >= (crowd + np.float32(alike.copy))[:, None] + crowd
    by_time = np.argsort(moments)
    for step in range(1, len(moments)):
        early, late = by_time[:-step], by_time[step:]
        is_burst = moments[late] - moments[early] <= alike.seconds
        if not is_burst.any():
            break
        early, late = early[is_burst], late[is_burst]
        near[early, late] |= cosines[early, late] >= alike.burst
        near[late, early] = near[early, late]
    np.fill_diagonal(near, True)
    return near


def _crowd(cosines: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how close others lie around each image, (n,), from cosines (n, n)."""
    others = np.where(cosines < _CERTAIN, cosines, np.float32(-1))
    count = min(_AROUND, len(cosines))
    nearest = np.partition(others, len(cosines) - count, axis=1)[:, -count:]
    known = np.where(nearest > -1, nearest, np.float32(_SPARSE))
    mean = (known.sum(axis=1) + _SPARSE * (_AROUND - count)) / _AROUND
    return np.asarray(np.maximum(mean, _SPARSE), dtype=np.float32)


def spread(
    vectors: Matrix, relevance: NDArray[np.float64], weight: float = WEIGHT
) -> NDArray[np.intp]:
    """Return the places of images in an order that begins with the best and goes on with what is
    relevant and unlike all that came before: maximal marginal relevance.

    `vectors` (n, embed_dim) and `relevance` (n,), 0..1, are in the order of the images; of equals
    the better placed one comes first. Likeness is the cosine from the middle of them all, which is
    what the query asks for and all have in common. `weight` 1 keeps what is most relevant first, 0
    looks at likeness alone.

    Source: Carbonell and Goldstein, SIGIR 1998.
    """
    apart = vectors - vectors.mean(axis=0)
    apart /= np.maximum(np.linalg.norm(apart, axis=1, keepdims=True), _LEAST_LENGTH)
    order = np.zeros(len(vectors), dtype=np.intp)
    nearest = apart @ apart[0]
    value = weight * relevance
    value[0] = -np.inf
    for i in range(1, len(vectors)):
        order[i] = np.argmax(value - (1 - weight) * nearest)
        value[order[i]] = -np.inf
        np.maximum(nearest, apart @ apart[order[i]], out=nearest)
    return order


def moments_of(times: Sequence[str | None]) -> NDArray[np.float64]:
    """Return when pictures were taken, (n,), in seconds of the camera's clock, from ISO 8601; NaN
    for none and for a day without a time.

    An offset from UTC is left aside: pictures of a burst have the same, if they have one.
    """
    return np.array([_seconds(time) for time in times], dtype=np.float64)


def _seconds(time: str | None) -> float:
    if time is None or "T" not in time:
        return math.nan
    return (datetime.fromisoformat(time).replace(tzinfo=None) - datetime.min).total_seconds()
