"""One score of a description and the things it names, each judged where it is best seen.

A vector of a whole picture says what is in it, hardly what belongs to what: "a red car and a blue
house" fits a blue car before a red house as well. A view that shows one of them alone tells. So
each thing is compared with all views of an image, and its best one counts, beside the description
on the whole image and on its best view. Things with colours are compared with the same things in
each other's colours too: an image that looks rather like "a blue car" and "a red house" loses.

Cosines of different probes lie at different heights, and the best of several views higher than
one. Each is therefore counted in spreads from its mean over a library before they are added. The
weights were chosen on half of the captions (`benchmarks/quality/parts.py`).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from visionquery.query.phrasing import exchanged, is_list, things_of
from visionquery.query.plan import Named

__all__ = ["Cosines", "Usual", "best_views", "bound", "in_parts", "named_in", "usual_of"]

Cosines = NDArray[np.float32]

_BEST_VIEW: Final = 1.0
_THINGS: Final = 0.5
"""How much the description on its best view and the mean of the things count beside the description
on the whole image, each in spreads. The least of the things instead of their mean is worse than
none: one thing that no view shows well outweighs all others."""

_BOUND: Final = 0.5
_BOUND_OF_LIST: Final = 3.0
"""How much it counts that things do better in their own colours than in each other's, in spreads:
in a sentence, and where things with colours are all there is ("a red car and a blue house"). More
tells exchanged colours apart better, but finds captions with colours worse: 1 finds them no better
than the whole image alone does."""

_LEAST_SPREAD: Final = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class Usual:
    """Mean and standard deviation over the images of a library, each (p + 1,), or (p + 2,) where
    there are wrong colours: of the description on whole images, of each probe on its best view,
    and of what `bound` gives."""

    mean: Cosines
    spread: Cosines


def named_in(text: str) -> Named:
    """Return the probes of a description; only itself where it names fewer than two things."""
    things = things_of(text)
    pairs = exchanged(things)
    texts = tuple(dict.fromkeys((text, *things, *(wrong for _, wrong in pairs))))
    return Named(
        texts,
        len(things),
        tuple(texts.index(right) for right, _ in pairs),
        tuple(texts.index(wrong) for _, wrong in pairs),
        is_list=bool(things) and is_list(text, things),
    )


def best_views(whole: Cosines, views: Cosines, owners: NDArray[np.intp]) -> Cosines:
    """Return the best cosine, (p, n), that each image has with each probe: of the whole image
    (p, n) and of its views (p, m). `owners`, (m,), rising, are the places 0..n-1 of the images
    whose views these are; an image may have none."""
    best = whole.copy()
    if owners.size:
        starts = np.flatnonzero(np.r_[True, owners[1:] != owners[:-1]])
        places = owners[starts]
        best[:, places] = np.maximum(best[:, places], np.maximum.reduceat(views, starts, axis=1))
    return best


def usual_of(whole: Cosines, best: Cosines, named: Named) -> Usual:
    """Return what is usual of `in_parts`' arguments over a whole library, or an even sample of it
    (n at least 1)."""
    rows = _rows(whole, best, named).astype(np.float64)
    spread = np.maximum(rows.std(axis=1), _LEAST_SPREAD)
    return Usual(rows.mean(axis=1).astype(np.float32), spread.astype(np.float32))


def in_parts(whole: Cosines, best: Cosines, named: Named, usual: Usual) -> Cosines:
    """Return one score (n,) for each image, on the scale of the cosine of the whole description.

    `whole` (n,) are the cosines of the description with whole images, `best` (p, n) those of all
    probes, in the order of `named`, with the best view of each image (`best_views`). The score
    rises with the cosines of the description and, without colours to exchange, of every thing.
    Its usual value is that of `whole`, and its spread no larger, so that it can stand for it where
    cosines are judged.
    """
    rows = _rows(whole, best, named)
    apart = (rows - usual.mean[:, None]) / usual.spread[:, None]
    total = apart[0] + _BEST_VIEW * apart[1]
    weight = 1.0 + _BEST_VIEW
    if named.things:
        total = total + _THINGS * apart[2 : named.things + 2].mean(axis=0)
        weight += _THINGS
    if named.right:
        bound_weight = _BOUND_OF_LIST if named.is_list else _BOUND
        total = total + bound_weight * apart[-1]
        weight += bound_weight
    return np.asarray(usual.mean[0] + usual.spread[0] / weight * total, dtype=np.float32)


def _rows(whole: Cosines, best: Cosines, named: Named) -> Cosines:
    """Return all that is counted in spreads, (p + 1 or p + 2, n)."""
    margin = [bound(best, named)[None]] if named.right else []
    return np.vstack([whole[None], best, *margin])


def bound(best: Cosines, named: Named) -> Cosines:
    """Return by how much, (n,), things do better on the best views of images, `best` (p, n), in
    their own colours than in each other's; below 0, colours are rather exchanged. `named.right`
    must not be empty."""
    margin: Cosines = (best[list(named.right)] - best[list(named.wrong)]).mean(axis=0)
    return margin
