"""Teach a vector with examples: what a library gives to the learner, and what it cannot learn."""

from collections.abc import Sequence

import numpy as np

from visionquery.errors import InputError
from visionquery.search.feedback import NEAREST, OTHERS, learn
from visionquery.store.base import Reader
from visionquery.store.questions import Question
from visionquery.types import Matrix, Vector

__all__ = ["taught"]


def taught(
    start: Vector | None,
    liked: Sequence[Vector],
    disliked: Sequence[Vector],
    *,
    store: Reader,
    reach: float = 1.0,
) -> Vector:
    """Return the unit vector that examples teach in a library, from `start` or from nothing.

    `reach` is that of `learn`. Raises InputError where they teach none."""
    if start is None and not liked:
        raise InputError(
            "less: alone does not say what to look for; add words, or a picture with more:ID."
        )
    dimensions = store.model.embed_dim
    with store.reading():
        others = store.vectors(store.sample(OTHERS).tolist())
        nearest = _nearest(start, disliked, store)
    found = learn(
        start,
        _stacked(liked, dimensions),
        _stacked(disliked, dimensions),
        others=others.reshape(-1, dimensions),
        nearest=nearest.reshape(-1, dimensions),
        reach=reach,
    )
    if found is None:
        raise InputError(
            "The examples say opposite things and leave nothing to look for; take one of them away."
        )
    return found


def _nearest(start: Vector | None, disliked: Sequence[Vector], store: Reader) -> Matrix:
    """Return the vectors of the images nearest to a start, (k, embed_dim), but for those that are
    disliked."""
    if start is None:
        return np.empty((0, store.model.embed_dim), np.float32)
    wanted = NEAREST + len(disliked)
    probe = start[None, :]
    found = store.candidates(
        Question(probes=probe, asked=(0,), beside=probe[:0], count=wanted, best=0)
    )
    best = np.argsort(-found.cosines[0], kind="stable")[:wanted]
    vectors = store.vectors(found.rows[best].tolist())
    kept = [one for one in vectors if not any(np.array_equal(one, other) for other in disliked)]
    return _stacked(kept[:NEAREST], store.model.embed_dim)


def _stacked(vectors: Sequence[Vector], dimensions: int) -> Matrix:
    return np.stack(vectors) if len(vectors) else np.empty((0, dimensions), np.float32)
