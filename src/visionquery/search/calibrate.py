"""From cosines to confidence: how far a score stands above what no match would give.

z = (cosine - null.mean) / null.std, and confidence = 1 / (1 + exp(-SLOPE * (z - MIDPOINT))). All
work is on log-odds in float64, where 0.9999999 and 0.99999999 are still two numbers.

SLOPE and MIDPOINT are a logistic fit of captions with their own photo against captions with
another one (that counts 20 times, as it is the common case); `benchmarks/calibration.py` repeats
the fit and prints how many matches the default threshold keeps and how many absences it sees.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from visionquery.query.plan import Null

__all__ = [
    "DEFAULT_MIN_CONFIDENCE",
    "MIDPOINT",
    "SLOPE",
    "LogOdds",
    "all_of",
    "confidence",
    "log_odds",
    "log_odds_of",
    "own_null",
]

LogOdds = NDArray[np.float64]
"""log(p / (1 - p)) of images, shape (n,); -inf never, +inf certainly."""

SLOPE: Final = 2.1
MIDPOINT: Final = 3.65
DEFAULT_MIN_CONFIDENCE: Final = 0.3

# A probe's own scores hold its matches too, so they spread wider than cosines without a match:
# by this much, or the same z would cut deeper (see benchmarks/calibration.py).
_OWN_SPREAD: Final = 0.78
_PRIOR = Null(mean=0.0, std=0.2)
_PRIOR_COUNT: Final = 16
_LEAST_STD: Final = 1e-4


def log_odds(cosines: NDArray[np.float32], null: Null) -> LogOdds:
    """Return the calibrated log-odds, (n,), of cosines (n,); strictly rising with the cosine."""
    z = (cosines.astype(np.float64) - null.mean) / max(null.std, _LEAST_STD)
    return np.asarray(SLOPE * (z - MIDPOINT), dtype=np.float64)


def confidence(odds: LogOdds) -> NDArray[np.float64]:
    """Return probabilities 0..1, (n,), of log-odds (n,)."""
    # tanh reaches both ends without overflow.
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * odds)), dtype=np.float64)


def log_odds_of(probability: float) -> float:
    """Return the log-odds of a probability 0..1; infinite at both ends."""
    with np.errstate(divide="ignore"):
        return float(np.log(np.float64(probability)) - np.log1p(-np.float64(probability)))


def all_of(parts: list[LogOdds]) -> LogOdds:
    """Return the log-odds, (n,), of the product of the parts' probabilities, each (n,)."""
    log_product = -sum((np.logaddexp(0.0, -part) for part in parts), np.zeros(()))
    with np.errstate(divide="ignore"):
        return np.asarray(log_product - np.log(-np.expm1(log_product)), dtype=np.float64)


def own_null(cosines: NDArray[np.float32]) -> Null:
    """Return the null of a probe from its own cosines (n,) over a whole library.

    For pictures and blends, which no background captions stand for. With few images it leans on
    a wide prior, worth 16 images, so that a small library shows what it has.
    """
    count = len(cosines)
    values = cosines.astype(np.float64)
    mean = float(values.mean()) if count else 0.0
    variance = float(values.var()) * _OWN_SPREAD**2 if count else 0.0
    total = count + _PRIOR_COUNT
    return Null(
        mean=(count * mean + _PRIOR_COUNT * _PRIOR.mean) / total,
        std=float(np.sqrt((count * variance + _PRIOR_COUNT * _PRIOR.std**2) / total)),
    )
