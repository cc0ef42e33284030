"""From cosines to confidence: how far a score stands above what no match would give.

z = (cosine - middle) / spread, and confidence = 1 / (1 + exp(-SLOPE * (z + lift - MIDPOINT))). All
work is on log-odds in float64, where 0.9999999 and 0.99999999 are still two numbers.

The middle is that of the probe's own scores over the whole library, read from their lower half,
as matches stand in the upper one: a short query scores lower on everything than a long one. The
spread is the library's, the same for all texts. The lift is for what much of the library shows:
where a tenth of all images stands high, one that stands as high is more likely a match.

SLOPE and MIDPOINT are a logistic fit on captions, single words and names of absent things, of
which the truth is known; the other constants were chosen by the rates on the same photos.
`benchmarks/calibration.py` repeats the fit and prints what the default threshold does.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from visionquery.query.plan import Null

__all__ = [
    "DEFAULT_MIN_CONFIDENCE",
    "MIDPOINT",
    "SLOPE",
    "LogOdds",
    "Scale",
    "all_of",
    "confidence",
    "log_odds",
    "log_odds_of",
    "scale_of",
    "suspicion",
]

LogOdds = NDArray[np.float64]
"""log(p / (1 - p)) of images, shape (n,); -inf never, +inf certainly."""

SLOPE: Final = 1.4
MIDPOINT: Final = 3.95
DEFAULT_MIN_CONFIDENCE: Final = 0.25

# Whoever excludes something wants it gone: the least that stands out counts as it.
_SUSPECT: Final = 1.0

# In a library without a match, a quarter of z lies below -0.58, and hardly a tenth above 1.5.
_LOWER_QUARTER: Final = 0.58
_UPPER_TENTH: Final = 1.5
_LIFT: Final = 2.0
_MOST_LIFT: Final = 2.15

# The lower half of one probe's scores against the spread of all captions'.
_OWN_SPREAD: Final = 1.18
_PRIOR = Null(mean=0.0, std=0.2)
_PRIOR_COUNT: Final = 16
_LEAST_STD: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Scale:
    """What turns a probe's cosines into z: middle and spread of those without a match, and the
    lift, in z, that its matches being many gives to each."""

    middle: float
    spread: float
    lift: float


def scale_of(cosines: NDArray[np.float32], background: Null | None) -> Scale:
    """Return the scale of a probe from its own cosines (n,) over a whole library.

    `background` is what captions score there; None, for pictures and blends, takes the spread
    from the cosines too. With few images all leans on the background, or on a wide prior, worth
    16 images, so that a small library shows what it has.
    """
    prior = background or _PRIOR
    if not len(cosines):
        return Scale(prior.mean, prior.std, 0.0)
    low, quarter, half, tenth = _quantiles(cosines, (0.16, 0.25, 0.5, 0.9))
    share = len(cosines) / (len(cosines) + _PRIOR_COUNT)
    spread = prior.std
    if background is None:
        own = _OWN_SPREAD * (half - low)
        spread = float(np.sqrt(share * own**2 + (1 - share) * prior.std**2))
    spread = max(spread, _LEAST_STD)
    middle = share * (quarter + _LOWER_QUARTER * spread) + (1 - share) * prior.mean
    excess = (tenth - middle) / spread - _UPPER_TENTH
    return Scale(middle, spread, share * min(_LIFT * max(excess, 0.0), _MOST_LIFT))


def _quantiles(values: NDArray[np.float32], shares: tuple[float, ...]) -> list[float]:
    """Return quantiles with linear interpolation, as np.quantile, without the tenth of the time
    of a whole cold search that its first use spends on importing masked arrays."""
    places = [share * (len(values) - 1) for share in shares]
    wanted = sorted({index for place in places for index in (int(place), math.ceil(place))})
    ordered = np.partition(values, wanted)
    return [
        float(ordered[int(place)])
        + (place - int(place)) * float(ordered[math.ceil(place)] - ordered[int(place)])
        for place in places
    ]


def log_odds(cosines: NDArray[np.float32], scale: Scale) -> LogOdds:
    """Return the log-odds, (n,), that images of these cosines (n,) are matches; strictly rising
    with the cosine."""
    return SLOPE * (_z(cosines, scale) + scale.lift - MIDPOINT)


def suspicion(cosines: NDArray[np.float32], scale: Scale) -> LogOdds:
    """Return the log-odds, (n,), with which images of these cosines (n,) are taken for what a
    query excludes; strictly rising with the cosine."""
    return SLOPE * (_z(cosines, scale) - _SUSPECT)


def _z(cosines: NDArray[np.float32], scale: Scale) -> NDArray[np.float64]:
    return np.asarray((cosines.astype(np.float64) - scale.middle) / scale.spread)


def confidence(odds: LogOdds) -> NDArray[np.float64]:
    """Return probabilities 0..1, (n,), of log-odds (n,)."""
    # tanh reaches both ends without overflow.
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * odds)), dtype=np.float64)


def log_odds_of(probability: float) -> float:
    """Return the log-odds of a probability 0..1; infinite at both ends."""
    with np.errstate(divide="ignore"):
        return float(np.log(np.float64(probability)) - np.log1p(-np.float64(probability)))


def all_of(asked: list[LogOdds], excluded: list[LogOdds]) -> LogOdds:
    """Return the log-odds, (n,), of being all that is asked and nothing that is excluded.

    Each part is (n,), an excluded one already the odds of its absence. The probabilities of what
    is asked go in as their geometric mean, as a picture of two things is less of a picture of
    either; every exclusion counts in full.
    """
    zero = np.zeros(())
    log_product = -sum((np.logaddexp(0.0, -part) for part in excluded), zero)
    log_product -= sum((np.logaddexp(0.0, -part) for part in asked), zero) / max(len(asked), 1)
    with np.errstate(divide="ignore"):
        return np.asarray(log_product - np.log(-np.expm1(log_product)), dtype=np.float64)
