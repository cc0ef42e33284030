"""Run a plan on a store: score, calibrate, combine, rank, read the records of one page.

Ranking is on log-odds, so a query that is one probe comes out in exact order of its cosine even
where the confidence rounds to 1. Equal images are ordered by id, never by row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import InputError, ModelMismatchError
from visionquery.query.plan import Plan, ProbeRef
from visionquery.search.calibrate import LogOdds, confidence, log_odds_of
from visionquery.search.combination import combined, leaves
from visionquery.search.evidence import Evidence, Mask, gather
from visionquery.search.explanation import parts_of
from visionquery.search.result import (
    DEFAULT_MIN_CONFIDENCE,
    Explanation,
    Hit,
    Page,
    Part,
    Sort,
)
from visionquery.store.base import ImageRecord, Order, Store

__all__ = ["execute", "explain"]

_ABOVE_ALL = 1e4
"""Added to log-odds, it is above all others, and takes none of the digits that tell two apart."""


_Placed = tuple[int, ImageRecord]
"""A candidate by its place, and its record."""


@dataclass(frozen=True, slots=True, eq=False)
class _Candidates:
    """Images that may be in the answer: rows (n,), log-odds (n,), which are -inf where a filter
    leaves one out, and cosines (n,), None where no probe is asked for. `order`, (n,), is what the
    images are ranked by: the log-odds, but for exclusions, which weigh more in it."""

    plan: Plan
    evidence: Evidence
    rows: NDArray[np.intp]
    odds: LogOdds
    order: LogOdds
    cosines: NDArray[np.float64] | None


def execute(
    plan: Plan,
    store: Store,
    *,
    within: Mask | None = None,
    limit: int = 20,
    offset: int = 0,
    min_confidence: float = DEFAULT_MIN_CONFIDENCE,
    sort: Sort | None = None,
    places: Sequence[Path] = (),
    parts: bool = False,
) -> Page:
    """Return the images candidates offset + 1 to offset + limit.

    `within`, (row_count,), narrows the answer to some rows, None is all; where others may write,
    make it inside the `store.reading()` that this call stands in. `sort` by date or path orders
    only what is relevant. None is relevance, and for a plan of filters alone, which gives every
    match, by date. Of an image that lies in several folders, a path in `places` counts there.
    `parts` explains every hit. Raises ModelMismatchError for a plan made with
    another model, InputError for a limit, offset or confidence without meaning.
    """
    _check(plan, store, limit=limit, offset=offset, min_confidence=min_confidence)
    with store.reading():
        candidates = _candidates(plan, store, within)
        least = log_odds_of(min_confidence)
        if not plan.probes and sort in (None, "relevance"):
            sort = "date"
        if sort is None or sort == "relevance":
            page, total = _best_page(store, candidates, limit=limit, offset=offset, least=least)
        else:
            page, total = _sorted_page(
                store, candidates, limit, offset, least, by=sort, places=places
            )
        hits = _hits(store, candidates, page, first_rank=offset + 1, parts=parts)
    relevant = min(max(total - offset, 0), len(hits))
    return Page(tuple(hits[:relevant]), tuple(hits[relevant:]), total)


def explain(
    plan: Plan,
    store: Store,
    row: int,
    *,
    text: str,
    min_confidence: float = DEFAULT_MIN_CONFIDENCE,
) -> Explanation:
    """Return why the image of a row is, or is not, in the answer to a plan, which `text` names.

    Raises ModelMismatchError for a plan made with another model, InputError for a confidence
    without meaning.
    """
    _check(plan, store, limit=1, offset=0, min_confidence=min_confidence)
    with store.reading():
        candidates = _candidates(plan, store, None)
        place = int(np.searchsorted(candidates.rows, row))
        page = [(place, record) for record in store.records([row])]
        (hit,) = _hits(store, candidates, page, first_rank=1, parts=True)
        rank = _rank(store, candidates, place, least=log_odds_of(min_confidence))
    return Explanation(text, store.model.name, hit, rank, min_confidence, len(candidates.rows))


def _rank(store: Store, candidates: _Candidates, place: int, *, least: float) -> int | None:
    """Return the rank of a candidate by relevance, None where a filter leaves it out. Of equals
    the ids decide, as in `_best_page`, but not where filters alone make all images equal."""
    order, cosines = _order(candidates, candidates.odds >= least), candidates.cosines
    if order[place] == -np.inf:
        return None
    above, level = order > order[place], order == order[place]
    if cosines is not None:
        above |= level & (cosines > cosines[place])
        level &= cosines == cosines[place]
    rank = 1 + int(np.count_nonzero(above))
    if candidates.plan.probes:
        records = store.records(candidates.rows[level].tolist())
        own = next(each.image_id for each in records if each.row == candidates.rows[place])
        rank += sum(each.image_id < own for each in records)
    return rank


def _order(candidates: _Candidates, relevant: Mask) -> LogOdds:
    """Return what candidates are ranked by, (n,): what is relevant comes before all else."""
    if candidates.order is candidates.odds:
        return candidates.odds
    return np.where(relevant, candidates.order + _ABOVE_ALL, candidates.order)


def _candidates(plan: Plan, store: Store, within: Mask | None) -> _Candidates:
    alive = store.alive()
    rows = np.flatnonzero(alive if within is None else alive & within)
    # Scales come from all images, never from those of a filter or a folder, so that neither
    # changes a confidence.
    evidence = gather(plan, store, rows=rows, alive=alive)
    odds = order = combined(plan.expression, evidence, drops=True)
    if any(negated and isinstance(leaf, ProbeRef) for leaf, negated in leaves(plan.expression)):
        order = combined(plan.expression, evidence, drops=False)
    return _Candidates(plan, evidence, rows, odds, order, _mean_cosine(plan, evidence))


def _check(plan: Plan, store: Store, *, limit: int, offset: int, min_confidence: float) -> None:
    if plan.fingerprint != store.model.fingerprint:
        raise ModelMismatchError(
            f"The query was made with model {plan.fingerprint}, but the vectors of "
            f"{store.location} come from {store.model.name} ({store.model.fingerprint}); search "
            "with that model, or index into another library.",
            library_model=store.model.fingerprint,
            asked_model=plan.fingerprint,
        )
    if limit < 1 or offset < 0:
        raise InputError(
            f"The page is limit {limit} at offset {offset}; the limit starts at 1, the offset at 0."
        )
    if not 0 <= min_confidence <= 1:
        raise InputError(f"The confidence {min_confidence} is outside 0 to 1; give one inside.")


def _mean_cosine(plan: Plan, evidence: Evidence) -> NDArray[np.float64] | None:
    """Return the mean cosine, (n,), of the probes that are asked for, not excluded."""
    asked = {
        leaf.index
        for leaf, negated in leaves(plan.expression)
        if isinstance(leaf, ProbeRef) and not negated
    }
    if not asked:
        return None
    if len(asked) == 1:
        return np.asarray(evidence.cosines[asked.pop()], dtype=np.float64)
    return np.asarray(evidence.cosines[sorted(asked)].mean(axis=0, dtype=np.float64))


def _best_page(
    store: Store, candidates: _Candidates, *, limit: int, offset: int, least: float
) -> tuple[list[_Placed], int]:
    """Return a page's candidates, as places and records, best first, and how many are relevant in
    all."""
    possible = candidates.odds > -np.inf
    relevant = possible & (candidates.odds >= least)
    total = int(np.count_nonzero(relevant))
    count = min(offset + limit, int(np.count_nonzero(possible)))
    order, ties = _best(candidates, count, relevant=relevant)
    if offset >= len(order):
        return [], total
    last = min(offset + limit, len(order)) - 1
    # The page, and all that is equal to its first or last image, so that ids can decide.
    window = np.flatnonzero((ties >= ties[offset]) & (ties <= ties[last]))
    places = order[window]
    found = zip(places.tolist(), store.records(candidates.rows[places].tolist()), strict=True)
    in_order = sorted(
        zip(ties[window].tolist(), found, strict=True), key=lambda one: (one[0], one[1][1].image_id)
    )
    start = offset - int(window[0])
    return [placed for _, placed in in_order[start : start + last + 1 - offset]], total


def _best(
    candidates: _Candidates, count: int, *, relevant: Mask
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the places of the best `count` images and all that equal the last, best first, and
    for each the number, rising, of its group of equals. What is relevant comes first."""
    odds = _order(candidates, relevant)
    if not count:
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    cut = len(odds) - count
    places = np.flatnonzero(odds >= np.partition(odds, cut)[cut])
    cosines = np.zeros(len(odds)) if candidates.cosines is None else candidates.cosines
    order = places[np.lexsort((-cosines[places], -odds[places]))]
    changes = (np.diff(cosines[order]) != 0) | (odds[order][1:] != odds[order][:-1])
    return order, np.concatenate([np.zeros(1, dtype=np.intp), np.cumsum(changes)])


def _sorted_page(
    store: Store,
    candidates: _Candidates,
    limit: int,
    offset: int,
    least: float,
    *,
    by: Order,
    places: Sequence[Path],
) -> tuple[list[_Placed], int]:
    """Return a page of what is relevant, as places and records, sorted by date or path, and how
    many are relevant in all; where nothing is, of what comes closest."""
    is_relevant = (candidates.odds >= least) & (candidates.odds > -np.inf)
    chosen = np.flatnonzero(is_relevant)
    if not len(chosen):
        return _best_page(store, candidates, limit=limit, offset=offset, least=least)
    is_chosen = np.zeros(store.row_count(), dtype=np.bool_)
    is_chosen[candidates.rows[chosen]] = True
    order = store.ordered(by, places=places)
    page = order[is_chosen[order]][offset : offset + limit]
    found = np.searchsorted(candidates.rows, page).tolist()
    return list(zip(found, store.records(page.tolist()), strict=True)), len(chosen)


def _hits(
    store: Store,
    candidates: _Candidates,
    page: Sequence[_Placed],
    *,
    first_rank: int,
    parts: bool,
) -> list[Hit]:
    places = [place for place, _ in page]
    explained: list[tuple[Part, ...]] = [()] * len(page)
    if parts and page:
        rows = [record.row for _, record in page]
        explained = parts_of(
            candidates.plan, candidates.evidence, store, places=places, rows=rows
        )
    certainty = confidence(candidates.odds[places])
    scores = candidates.cosines
    return [
        Hit(
            rank=first_rank + i,
            score=None if scores is None else float(scores[place]),
            confidence=float(certainty[i]),
            image_id=record.image_id,
            path=record.paths[0] if record.paths else None,
            paths=record.paths,
            width=record.facts.width,
            height=record.facts.height,
            taken_at=record.facts.taken_at,
            parts=explained[i],
        )
        for i, (place, record) in enumerate(page)
    ]
