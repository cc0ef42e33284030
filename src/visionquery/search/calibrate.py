"""From cosines to confidence: is it here at all, and is it this image?

confidence = P(something here matches) * P(it is this image), each a logistic curve of evidence
that is counted in spreads of what does not match.

Something matches when the best cosines lie far above what everyday captions of other things get
(`background.txt`), less the bias of these images: one that lies near every text proves little.
Names of absent things also lack the heavy tail of what is there. As the best of many images
without a match beat the best of few, a library that grows asks for more.

It is this image when its cosine lies far above the usual ones of the same query, read from the
lower half of all its scores, as matches stand in the upper one: a short query scores lower on
everything than a long one.

The curves are fitted on labelled photographs, one for each model and kind of query, and stored
with the model; `benchmarks/quality/fit.py` fits them. All work is on log-odds in float64, where
0.9999999 and 0.99999999 are still two numbers.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from visionquery.query.plan import Null
from visionquery.types import Calibration, Curve, Line

__all__ = [
    "DEFAULT_CALIBRATION",
    "LogOdds",
    "Scale",
    "all_of",
    "best_count",
    "best_places",
    "confidence",
    "growth",
    "log_odds",
    "log_odds_of",
    "picture_scale",
    "presence",
    "suspicion",
    "text_scale",
]

LogOdds = NDArray[np.float64]
"""log(p / (1 - p)) of images, shape (n,); -inf never, +inf certainly."""

DEFAULT_CALIBRATION: Final = Calibration(
    text=Curve(match=Line(1.27, 3.17), presence=Line(2.65, 6.04), tail=1.04),
    picture=Curve(match=Line(0.87, 4.33)),
    exclusion=0.0,
    words=4.0,
)
"""For models without one of their own. Fitted on `lit-tiny`, whose towers are of the usual kind:
as evidence counts spreads, not cosines, the curve of one model is roughly that of another."""

_GROWTH: Final = 0.2
"""Spreads by which the best of those without a match get better each time a library grows e-fold.
Measured on 60 to 7,000 photographs; independent normal scores would give 0.27 at a thousand."""

_GROWTH_START: Final = 1000

# How fast doubt about an exclusion becomes certainty, how much of its evidence the likeness to what
# is asked for explains, and how much more it takes to drop an image than to put it behind others.
# Chosen on contrast pairs, with `Calibration.exclusion`.
_EXCLUSION_SLOPE: Final = 2.0
_EXPLAINED: Final = 1.4
_DROPPED: Final = 0.75
_OF_SEVERAL: Final = 0.3

# Few images say little of a query's own distribution, which is then drawn towards these.
_PRIOR_COUNT: Final = 16
_USUAL_TAIL: Final = 2.0
_PRIOR = Null(mean=0.0, std=0.2, bias=0.0)
_LEAST_STD: Final = 1e-4

_BEST: Final = 3
_BEST_FOR_BIAS: Final = 20
_IMAGES_PER_BEST: Final = 50
"""How many of the best images show whether something matches, and by their bias whether the query
likes what every text does: so many, and of a small library one in fifty."""

_MOST_USUAL: Final = 0.5
"""Spreads by which a query's usual score may lie above that of everyday captions: 99 in 100
captions and absent things stay below. Where most of a library matches, what looks usual is not."""

_BINS: Final = 8192

_LARGEST: Final = 700.0
"""A little less than the largest number whose exponential is one."""

# Where quantiles of what does not match lie, in spreads from its mean: those of a normal curve.
_LOWER_QUARTER: Final = 0.58
_OWN_SPREAD: Final = 1.18


@dataclass(frozen=True, slots=True)
class Scale:
    """What a probe's cosines over a whole library say: their usual value where nothing matches and
    the spread around it; then, in spreads, how far the `best` lie above the best of other queries
    and the upper `tail` above the middle. `images` is how many there were."""

    usual: float
    spread: float
    best: float
    tail: float
    images: int


def best_count(images: int, *, is_text: bool) -> int:
    """Return of how many of its best images a probe's scale is read."""
    return _some(_BEST_FOR_BIAS if is_text else _BEST, images)


def best_places(cosines: NDArray[np.float32], count: int) -> NDArray[np.intp]:
    """Return the places of the best `count` cosines (n,), and of all that equal the last, so that
    no order of rows decides."""
    if not len(cosines):
        return np.empty(0, dtype=np.intp)
    cut = max(len(cosines) - count, 0)
    return np.flatnonzero(cosines >= np.partition(cosines, cut)[cut])


def text_scale(
    cosines: NDArray[np.float32],
    best: NDArray[np.float32],
    biases: NDArray[np.float32],
    null: Null,
    *,
    images: int,
) -> Scale:
    """Return the scale of a query in words from its cosines (n,) with a whole library of so many
    images, or an even sample of it, and those of its `best_count` best images (b,) with their
    biases (b,), NaN where one was not measured."""
    spread = max(null.std, _LEAST_STD)
    if not images:
        return Scale(null.mean + null.bias, spread, 0.0, _USUAL_TAIL, 0)
    quarter, half, upper = _quantiles(cosines, (0.25, 0.5, 0.97))
    bias = float(np.where(np.isnan(biases), null.bias, biases).mean(dtype=np.float64))
    share = images / (images + _PRIOR_COUNT)
    elsewhere = null.mean + null.bias
    ceiling = elsewhere + _MOST_USUAL * spread
    own = min(quarter + _LOWER_QUARTER * spread, ceiling)
    usual = share * own + (1 - share) * elsewhere
    tail = share * (upper - min(half, ceiling)) / spread + (1 - share) * _USUAL_TAIL
    over = _top(best, images) - null.mean - bias
    return Scale(usual, spread, over / spread, tail, images)


def picture_scale(
    cosines: NDArray[np.float32], best: NDArray[np.float32], *, images: int
) -> Scale:
    """Return the scale of a picture or a blend from its cosines (n,) with a whole library of so
    many images, or an even sample of it, and those of its `best_count` best images (b,).

    With few images it leans on a wide prior, worth 16 images, so that a small library shows what
    it has.
    """
    if not images:
        return Scale(_PRIOR.mean, _PRIOR.std, 0.0, _USUAL_TAIL, 0)
    low, quarter, half, upper = _quantiles(cosines, (0.16, 0.25, 0.5, 0.97))
    share = images / (images + _PRIOR_COUNT)
    own = _OWN_SPREAD * (half - low)
    spread = max(math.sqrt(share * own**2 + (1 - share) * _PRIOR.std**2), _LEAST_STD)
    usual = share * (quarter + _LOWER_QUARTER * spread) + (1 - share) * _PRIOR.mean
    tail = share * (upper - half) / spread + (1 - share) * _USUAL_TAIL
    return Scale(usual, spread, (_top(best, images) - usual) / spread, tail, images)


def _some(most: int, count: int) -> int:
    return min(most, max(1, count // _IMAGES_PER_BEST))


def _top(best: NDArray[np.float32], images: int) -> float:
    return float(np.sort(best)[-_some(_BEST, images) :].mean(dtype=np.float64))


def _quantiles(cosines: NDArray[np.float32], shares: tuple[float, ...]) -> list[float]:
    """Return quantiles of cosines (n,) with linear interpolation, as np.quantile, in half the
    time: a histogram tells in which bins they lie, and only these are sorted."""
    bins = np.clip(((cosines + 1.0) * (_BINS / 2)).astype(np.int32), 0, _BINS - 1)
    reached = np.cumsum(np.bincount(bins, minlength=_BINS))

    def ranked(rank: int) -> float:
        number = int(np.searchsorted(reached, rank, side="right"))
        members = np.sort(cosines[np.flatnonzero(bins == number)])
        return float(members[rank - (reached[number] - len(members))])

    found = []
    for share in shares:
        place = share * (len(cosines) - 1)
        low, high = ranked(int(place)), ranked(math.ceil(place))
        found.append(low + (place - int(place)) * (high - low))
    return found


def presence(scale: Scale, curve: Curve) -> float:
    """Return the log-odds that anything in a library matches; +inf where that is not asked."""
    if curve.presence is None:
        return math.inf
    evidence = scale.best + curve.tail * scale.tail - growth(scale.images)
    return curve.presence.slope * (evidence - curve.presence.midpoint)


def growth(images: int) -> float:
    """Return how many spreads better the best without a match are among so many images than they
    are among a thousand."""
    return _GROWTH * math.log(max(images, 1) / _GROWTH_START)


def log_odds(cosines: NDArray[np.float32], scale: Scale, curve: Curve) -> LogOdds:
    """Return the log-odds, (n,), that images of these cosines (n,) are matches; rising with the
    cosine, strictly so until the presence of any match is all that is in doubt."""
    odds = _z(cosines, scale)
    odds -= curve.match.midpoint
    odds *= curve.match.slope
    present = presence(scale, curve)
    if present == math.inf:
        return odds
    # The product 1 / ((1 + a) * (1 + b)), with a and b the odds against, has the odds against
    # a + b + ab = (1 + a) * (a / (1 + a) + b); of an absence beyond doubt, a is no number.
    absent = 1 / (1 + math.exp(min(present, _LARGEST)))
    with np.errstate(over="ignore"):
        against = np.log(absent + np.exp(-odds))
    against = np.where(np.isinf(against), -odds, against)
    return np.asarray(-against - np.logaddexp(0.0, -present), dtype=np.float64)


def suspicion(
    cosines: NDArray[np.float32],
    scale: Scale,
    exclusion: float,
    *,
    beside: tuple[tuple[NDArray[np.float32], Scale, float], ...] = (),
    drops: bool = False,
    several: int = 1,
) -> LogOdds:
    """Return the log-odds, (n,), with which images of these cosines (n,) are taken for what a
    query excludes; strictly rising with the cosine.

    `beside` are cosines (n,), scales and likeness (0..1) of what is asked for next to it: dogs
    lie near "a cat" for being pets, which is no sign of a cat. Little is enough to put an image
    behind others; where it `drops` out of the answer, more is asked, and more yet where it is one
    of `several` of which the worst counts.
    """
    z = _z(cosines, scale)
    for asked, asked_scale, likeness in beside:
        z -= _EXPLAINED * likeness * _z(asked, asked_scale)
    z -= exclusion
    if drops:
        z -= _DROPPED + _OF_SEVERAL * math.sqrt(2 * math.log(several))
    z *= _EXCLUSION_SLOPE
    return z


def _z(cosines: NDArray[np.float32], scale: Scale) -> NDArray[np.float64]:
    z = cosines.astype(np.float64)
    z -= scale.usual
    z /= scale.spread
    return z


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
    log_product = -sum(map(_log_against, excluded), zero)
    log_product -= sum(map(_log_against, asked), zero) / max(len(asked), 1)
    with np.errstate(divide="ignore"):
        return np.asarray(log_product - np.log(-np.expm1(log_product)), dtype=np.float64)


def _log_against(odds: LogOdds) -> LogOdds:
    """Return -log of the probabilities, (n,), of log-odds (n,); faster than np.logaddexp."""
    with np.errstate(over="ignore"):
        against = np.log1p(np.exp(-odds))
    return np.where(np.isinf(against), -odds, against)
