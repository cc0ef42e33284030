"""Run a plan on a store: score, calibrate, combine, rank, read the records of one page.

Ranking is on log-odds, so a query that is one probe comes out in exact order of its cosine even
where the confidence rounds to 1. Equal images are ordered by id, never by row.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import InputError, ModelMismatchError
from visionquery.query.plan import Plan
from visionquery.search.calibrate import (
    DEFAULT_MIN_CONFIDENCE,
    LogOdds,
    confidence,
    log_odds,
    log_odds_of,
    scale_of,
    suspicion,
)
from visionquery.search.combination import Mask, combined, holds, positive_probes
from visionquery.search.result import Hit, Page
from visionquery.store.base import ImageRecord, Store

__all__ = ["execute"]

_CHUNK = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class _Candidates:
    """Images that may be in the answer: rows (n,), log-odds (n,), and cosines (n,), which is
    None where no positive probe gives one."""

    rows: NDArray[np.intp]
    odds: LogOdds
    cosines: NDArray[np.float64] | None


def execute(
    plan: Plan,
    store: Store,
    *,
    within: Mask | None = None,
    limit: int = 20,
    offset: int = 0,
    min_confidence: float = DEFAULT_MIN_CONFIDENCE,
) -> Page:
    """Return the images candidates offset + 1 to offset + limit.

    `within`, (row_count,), narrows the answer to some rows, None is all; where others may write,
    make it inside the `store.reading()` that this call stands in. A plan of filters alone
    gives every match, newest first, then by path. Raises ModelMismatchError for a plan made with
    another model, InputError for a limit, offset or confidence without meaning.
    """
    _check(plan, store, limit=limit, offset=offset, min_confidence=min_confidence)
    with store.reading():
        alive = store.alive()
        rows = np.flatnonzero(alive if within is None else alive & within)
        masks = [store.matching(test)[rows] for test in plan.filters]
        if not len(plan.probes):
            chosen = rows[holds(plan.expression, masks)]
            return _filtered(store, chosen, limit=limit, offset=offset)
        candidates = _candidates(
            plan, store.scores(plan.probes), alive=alive, rows=rows, masks=masks
        )
        return _page(
            store, candidates, limit=limit, offset=offset, least=log_odds_of(min_confidence)
        )


def _candidates(
    plan: Plan,
    cosines: NDArray[np.float32],
    *,
    alive: Mask,
    rows: NDArray[np.intp],
    masks: list[Mask],
) -> _Candidates:
    # From all images, never from those of a filter or a folder: they do not change confidence.
    scales = [scale_of(cosines[i, alive], null) for i, null in enumerate(plan.nulls)]
    odds = [log_odds(cosines[i, rows], scale) for i, scale in enumerate(scales)]
    suspicions = [suspicion(cosines[i, rows], scale) for i, scale in enumerate(scales)]
    value = combined(plan.expression, odds, suspicions, masks)
    possible = value > -np.inf
    kept = rows[possible]
    return _Candidates(kept, value[possible], _mean_cosine(plan, cosines, kept))


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


def _mean_cosine(
    plan: Plan, cosines: NDArray[np.float32], rows: NDArray[np.intp]
) -> NDArray[np.float64] | None:
    """Return the mean cosine, (len(rows),), of the probes that are asked for, not excluded."""
    positive = sorted(positive_probes(plan.expression))
    if not positive:
        return None
    total = np.zeros(len(rows))
    for index in positive:
        total += cosines[index, rows]
    return total / len(positive)


def _page(store: Store, candidates: _Candidates, *, limit: int, offset: int, least: float) -> Page:
    total = int(np.count_nonzero(candidates.odds >= least))
    order, ties = _best(candidates, offset + limit)
    if offset >= len(order):
        return Page((), (), total)
    last = min(offset + limit, len(order)) - 1
    # The page, and all that is equal to its first or last image, so that ids can decide.
    window = np.flatnonzero((ties >= ties[offset]) & (ties <= ties[last]))
    records = store.records(candidates.rows[order[window]].tolist())
    in_order = sorted(zip(ties[window], records, order[window], strict=True), key=_tie_key)
    start = offset - int(window[0])
    shown = in_order[start : start + last + 1 - offset]
    places = np.array([place for _, _, place in shown])
    odds = candidates.odds[places]
    scores = None if candidates.cosines is None else candidates.cosines[places]
    hits = [
        _hit(
            record,
            rank=offset + i + 1,
            score=None if scores is None else float(scores[i]),
            certainty=float(certainty),
        )
        for i, ((_, record, _), certainty) in enumerate(zip(shown, confidence(odds), strict=True))
    ]
    relevant = int(np.count_nonzero(odds >= least))
    return Page(tuple(hits[:relevant]), tuple(hits[relevant:]), total)


def _tie_key(entry: tuple[int, ImageRecord, int]) -> tuple[int, str]:
    tie, record, _ = entry
    return int(tie), record.image_id


def _best(candidates: _Candidates, count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the places of the best `count` images and all that equal the last, best first, and
    for each the number, rising, of its group of equals."""
    odds = candidates.odds
    places = np.arange(len(odds))
    if count < len(odds):
        cut = len(odds) - count
        places = np.flatnonzero(odds >= np.partition(odds, cut)[cut])
    cosines = np.zeros(len(odds)) if candidates.cosines is None else candidates.cosines
    order = places[np.lexsort((-cosines[places], -odds[places]))]
    changes = (np.diff(cosines[order]) != 0) | (odds[order][1:] != odds[order][:-1])
    return order, np.concatenate([np.zeros(1, dtype=np.intp), np.cumsum(changes)])[: len(order)]


def _filtered(store: Store, rows: NDArray[np.intp], *, limit: int, offset: int) -> Page:
    """Return a page of images that filters alone chose: newest first, undated last, then path."""
    best: list[ImageRecord] = []
    for start in range(0, len(rows), _CHUNK):
        best += store.records(rows[start : start + _CHUNK].tolist())
        best.sort(key=lambda record: (record.paths[:1], record.image_id))
        best.sort(key=lambda record: record.facts.taken_at or "", reverse=True)
        del best[offset + limit :]
    hits = [
        _hit(record, rank=offset + i + 1, score=None, certainty=1.0)
        for i, record in enumerate(best[offset:])
    ]
    return Page(tuple(hits), (), len(rows))


def _hit(record: ImageRecord, *, rank: int, score: float | None, certainty: float) -> Hit:
    return Hit(
        rank=rank,
        score=score,
        confidence=certainty,
        image_id=record.image_id,
        path=record.paths[0] if record.paths else None,
        paths=record.paths,
        width=record.facts.width,
        height=record.facts.height,
        taken_at=record.facts.taken_at,
    )
