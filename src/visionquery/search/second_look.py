"""A second look: a better model judges the best of what the library's own model found.

Both models give log-odds for every probe, each on its own calibrated scale, and their weighted mean
goes on through the same expression. The second model knows its scales from an even sample of the
library; of what is best there it knows what the first one put forward.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from visionquery.query.plan import Plan
from visionquery.search.background import biases_of
from visionquery.search.calibrate import Scale
from visionquery.search.candidates import Found
from visionquery.search.evidence import Again, Evidence, Known
from visionquery.search.judging import Judged, judged, ranked
from visionquery.search.scales import best_of_few, measured
from visionquery.store.base import Store
from visionquery.types import Matrix, Vector

__all__ = ["SAMPLE_SIZE", "WEIGHT", "Second", "refined"]

SAMPLE_SIZE = 128
"""Images of a library, an even sample, on which a second model's scales are measured."""

WEIGHT = 0.8
"""Of the second model in the mean of both log-odds (`benchmarks/quality/rerank.py`)."""


@dataclass(frozen=True, slots=True, eq=False)
class Second:
    """What a second model brings: its `plan` of the same query, vectors (embed_dim,) of images by
    id, the ids of those that are an even sample of the library, and the vectors (b, embed_dim) of
    the bank of captions. It judges so many `candidates`."""

    plan: Plan
    vectors: Mapping[str, Vector]
    sample: frozenset[str]
    bank: Matrix
    candidates: int
    weight: float = WEIGHT


def refined(found: Found, second: Second, store: Store, *, least: float) -> Found:
    """Return what was found with its best images judged by both models: these come first, in the
    order of the mean of both, and what lies beyond them after, as it was. What is relevant, of
    log-odds `least`, comes before all else. Candidates without a vector keep their log-odds.

    Call it inside `store.reading()`, with that many candidates found beyond what is shown.
    """
    top = _top(found.best, second.candidates, least=least)
    known = replace(found.known, again=_again(found, top, second, store))
    best = found.best
    anew = judged(known, best.rows, best.evidence.cosines)
    is_top = np.zeros(len(best.rows), dtype=np.bool_)
    is_top[top] = True
    is_relevant = (anew.odds >= least) & (anew.odds > -np.inf)
    anew = replace(anew, order=_order(anew, is_top, is_relevant))
    others = np.setdiff1d(found.relevant, best.rows[top])
    relevant = np.union1d(others, best.rows[is_top & is_relevant])
    return replace(found, known=known, best=anew, relevant=relevant)


def _top(best: Judged, count: int, *, least: float) -> NDArray[np.intp]:
    """Return the places, rising, of the best `count` images and of all that equal the last."""
    order = ranked(best, least)
    cosines = np.zeros(len(order)) if best.cosines is None else best.cosines
    places = np.lexsort((-cosines, -order))[: np.count_nonzero(order > -np.inf)]
    if len(places) > count:
        last = places[count - 1]
        beyond = places[count:]
        equal = (order[beyond] == order[last]) & (cosines[beyond] == cosines[last])
        places = np.concatenate([places[:count], beyond[equal]])
    return np.sort(places)


def _order(
    anew: Judged, is_top: NDArray[np.bool_], is_relevant: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return what images are ranked by, (n,): relevance, then whether both models judged them,
    then their log-odds; equal where all three are."""
    keys = (anew.order, is_top, is_relevant)
    by_rank = np.lexsort(keys)
    steps = np.zeros(len(by_rank), dtype=np.bool_)
    for key in keys:
        steps[1:] |= key[by_rank][1:] != key[by_rank][:-1]
    order = np.empty(len(by_rank))
    order[by_rank] = np.cumsum(steps)
    order[anew.odds == -np.inf] = -np.inf
    return order


def _again(found: Found, top: NDArray[np.intp], second: Second, store: Store) -> Again:
    rows = found.best.rows[top]
    ids = [record.image_id for record in store.records(rows.tolist())]
    is_seen = np.array([image_id in second.vectors for image_id in ids], dtype=np.bool_)
    seen = [image_id for image_id in ids if image_id in second.vectors]
    evidence = found.best.evidence
    chosen = top[is_seen]
    cosines = second.plan.vectors @ _stacked(second, seen).T
    masks = [mask[chosen] for mask in evidence.masks]
    known = Known(second.plan, _scales(second, seen, store), found.known.held, masks, rows[is_seen])
    return Again(Evidence(known, rows[is_seen], cosines), second.weight)


def _scales(second: Second, seen: list[str], store: Store) -> list[Scale]:
    """Return the scales of the second model's probes."""
    looked = sorted({*second.sample, *seen})
    images = _stacked(second, looked)
    cosines = second.plan.vectors @ images.T
    in_sample = np.array([image_id in second.sample for image_id in looked], dtype=np.bool_)
    biases = biases_of(images, second.bank)
    return measured(
        second.plan,
        cosines[:, in_sample],
        images=store.image_count(),
        find_best=best_of_few(np.arange(len(looked)), cosines),
        biases=lambda places: biases[places],
    )


def _stacked(second: Second, image_ids: list[str]) -> Matrix:
    rows = [second.vectors[image_id] for image_id in image_ids]
    return np.stack(rows) if rows else second.bank[:0]
