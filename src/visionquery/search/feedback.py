"""Learn one vector from what a person likes and dislikes, without leaving what was asked for.

A Rocchio step takes the start towards what lies nearest to it and what is liked; a ridge-logistic
head, anchored there, then tells liked from disliked. The head's penalty is measured by what all
images of the library have in common, so that it turns to what sets the examples apart from them.
The guard is how little a few examples may move: the constants were chosen so that next to no query
gets worse, on one half of the labels (`benchmarks/quality/feedback.py`).

Sources: Rocchio, "Relevance feedback in information retrieval", 1971; the covariance of all images
in place of negative ones: Hariharan, Malik and Ramanan, "Discriminative decorrelation for
clustering and classification", ECCV 2012.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from visionquery.types import Matrix, Vector

__all__ = ["NEAREST", "OTHERS", "learn"]

NEAREST: Final = 10
"""Images nearest to the start that are believed to be a little of what is meant."""

OTHERS: Final = 2048
"""Images of an even sample that stand for the library."""

_TOWARDS_NEAREST: Final = 0.4
_TOWARDS_LIKED: Final = 0.05
_DISLIKED: Final = 0.5
"""What a disliked example weighs, and steps away, beside a liked one: it is often almost right."""

_RIDGE: Final = 0.2

_SHRINKAGE: Final = 0.2
_KNOWN_ZERO: Final = 10
"""Images at the origin that a mean begins with, so that one of a few says little."""

_STEPS: Final = 12
_LEAST: Final = 1e-6

Numbers = NDArray[np.float64]


def learn(
    start: Vector | None,
    liked: Matrix,
    disliked: Matrix,
    *,
    others: Matrix,
    nearest: Matrix,
    reach: float = 1.0,
) -> Vector | None:
    """Return the unit vector, (embed_dim,), that the examples teach; None where they teach none.

    `start` is what was asked for, None where examples are all there is; `liked` (l, embed_dim) and
    `disliked` (d, embed_dim) are those, `others` (n, embed_dim) an even sample of the library, and
    `nearest` (k, embed_dim) its images nearest to the start; each may be empty. `reach` is how far
    the head may move beside what three examples may that were clicked among the best. Without a
    start, examples that cancel out, or none that is liked, teach nothing.
    """
    if start is None and not len(liked):
        return None
    middle = others.sum(axis=0, dtype=np.float64) / (len(others) + _KNOWN_ZERO)
    apart = others - middle
    examples = np.concatenate([liked, disliked]) - middle
    wanted = np.r_[np.ones(len(liked)), np.zeros(len(disliked))]
    head = _head(examples, wanted, apart)
    if start is None:
        return _unit(head)
    anchor = _rocchio(start, liked, disliked, nearest, middle)
    return _unit(anchor + reach * _spread(start, apart) * head)


def _rocchio(
    start: Vector, liked: Matrix, disliked: Matrix, nearest: Matrix, middle: Numbers
) -> Numbers:
    moved = start.astype(np.float64)
    for some, step in (
        (nearest, _TOWARDS_NEAREST),
        (liked, _TOWARDS_LIKED),
        (disliked, -_TOWARDS_LIKED * _DISLIKED),
    ):
        if len(some):
            moved += step * (some.mean(axis=0) - middle)
    return moved


def _head(examples: Numbers, wanted: Numbers, apart: Numbers) -> Numbers:
    """Return the step, (embed_dim,), of a ridge-logistic head from its anchor, at which it does not
    tell the examples (e, embed_dim) apart. It is found as a sum of these, by Newton's method."""
    towards = _decorrelated(examples, apart)
    alike = examples @ towards.T
    own = float(np.trace(alike)) / max(len(examples), 1)
    if own < _LEAST:
        return np.zeros(examples.shape[1])
    alike, counts = alike / own, np.where(wanted == 1, 1.0, _DISLIKED)
    shares = np.zeros(len(examples))
    for _ in range(_STEPS):
        believed = 1 / (1 + np.exp(-alike @ shares))
        slope = counts * (believed - wanted) + _RIDGE * shares
        bend = (counts * believed * (1 - believed))[:, None] * alike
        shares -= np.linalg.solve(bend + _RIDGE * np.eye(len(shares)), slope)
    step: Numbers = towards.T @ shares / own
    return step


def _decorrelated(examples: Numbers, apart: Numbers) -> Numbers:
    """Return examples times the inverse of the images' covariance, shrunk towards a multiple of the
    identity: the more, the fewer images there are."""
    dimensions = examples.shape[1]
    covariance = apart.T @ apart / max(len(apart), 1)
    variance = float(np.trace(covariance)) / dimensions
    if variance < _LEAST:
        return examples
    shrinkage = max(_SHRINKAGE, dimensions / (dimensions + len(apart)))
    shrunk = (1 - shrinkage) * covariance
    shrunk[np.diag_indices(dimensions)] += shrinkage * variance
    solved: Numbers = np.linalg.solve(shrunk, examples.T).T
    return solved


def _spread(start: Vector, apart: Numbers) -> float:
    """Return how far the scores of the images for a start lie from their mean."""
    return float(np.sqrt(np.mean((apart @ start) ** 2))) if len(apart) else 0.1


def _unit(vector: Numbers) -> Vector | None:
    length = float(np.linalg.norm(vector))
    return (vector / length).astype(np.float32) if length > _LEAST else None
