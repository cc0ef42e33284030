"""Run a plan on a store: score, calibrate, combine, rank, read the records of one page.

Ranking is on log-odds, so a query that is one probe comes out in exact order of its cosine even
where the confidence rounds to 1. Equal images are ordered by id, never by row.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import InputError, ModelMismatchError
from visionquery.query.plan import Plan
from visionquery.search.calibrate import confidence, log_odds_of
from visionquery.search.candidates import (
    Found,
    compares_all,
    find,
    find_likely,
    look_at,
    narrowed,
)
from visionquery.search.judging import Judged, judged, ranked
from visionquery.search.result import (
    DEFAULT_MIN_CONFIDENCE,
    Explanation,
    Hit,
    Page,
    Part,
    Sort,
)
from visionquery.store.base import ImageRecord, Order, Store
from visionquery.store.derived import order_of
from visionquery.store.questions import EVERYWHERE, Where

if TYPE_CHECKING:
    from visionquery.search.second_look import Second

__all__ = ["execute", "explain"]

_BESIDE = 100
"""Candidates, at least, beside which an image is explained where not all are compared."""

_Placed = tuple[int, ImageRecord]
"""An image by its place among those judged, and its record."""


def execute(
    plan: Plan,
    store: Store,
    *,
    where: Where = EVERYWHERE,
    limit: int = 20,
    offset: int = 0,
    min_confidence: float = DEFAULT_MIN_CONFIDENCE,
    sort: Sort | None = None,
    places: Sequence[str] = (),
    parts: bool = False,
    exact: bool | None = None,
    second: "Second | None" = None,
) -> Page:
    """Return the images candidates offset + 1 to offset + limit.

    `where` says which images the answer is made of. `sort` by date or path orders only what is
    relevant. None is relevance, and for a plan of filters alone, which gives every match, by date.
    Of an image that lies in several folders, a path in `places` counts there. `parts` explains
    every hit. `exact` says whether every image is compared, None that it is in all but libraries
    too large for their store. `second` is a model that judges the best once more. Raises
    ModelMismatchError for a plan made with another model, InputError for a limit, offset or
    confidence without meaning.
    """
    _check(plan, store, limit=limit, offset=offset, min_confidence=min_confidence)
    by = None if sort == "relevance" else sort
    with store.reading():
        if not plan.probes:
            return _listed(
                plan, store, where, by or "date", limit, offset, places=places, parts=parts
            )
        least = log_odds_of(min_confidence)
        compares = find if compares_all(store, exact) else find_likely
        count = offset + limit + (second.candidates if second else 0)
        found = compares(plan, store, where, count=count, least=least)
        if second is not None:
            # Few ask for this, and a search should start fast.
            from visionquery.search.second_look import refined

            found = refined(found, second, store, least=least)
        if by is None or not len(found.relevant):
            shown, page = _best_page(store, found, limit=limit, offset=offset, least=least)
        else:
            shown, page = _sorted_page(store, found, limit, offset, by=by, places=places)
        hits = _hits(store, shown, page, first_rank=offset + 1, parts=parts)
    total = len(found.relevant)
    relevant = min(max(total - offset, 0), len(hits))
    return Page(tuple(hits[:relevant]), tuple(hits[relevant:]), total, found.exact)


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
        least = log_odds_of(min_confidence)
        if compares_all(store, None):
            found = find(plan, store, EVERYWHERE, count=1, least=least, every=True)
        else:
            found = find_likely(plan, store, EVERYWHERE, count=_BESIDE, least=least, also=(row,))
        place = int(np.searchsorted(found.best.rows, row))
        page = [(place, record) for record in store.records([row])]
        (hit,) = _hits(store, found.best, page, first_rank=1, parts=True)
        rank = _rank(store, found.best, place, least=least)
    return Explanation(text, store.model.name, hit, rank, min_confidence, found.images)


def _rank(store: Store, every: Judged, place: int, *, least: float) -> int | None:
    """Return the rank of an image by relevance, None where a filter leaves it out. Of equals
    the ids decide, as in `_best_page`, but not where filters alone make all images equal."""
    order, cosines = ranked(every, least), every.cosines
    if order[place] == -np.inf:
        return None
    above, level = order > order[place], order == order[place]
    if cosines is not None:
        above |= level & (cosines > cosines[place])
        level &= cosines == cosines[place]
    rank = 1 + int(np.count_nonzero(above))
    if every.evidence.known.plan.probes:
        records = store.records(every.rows[level].tolist())
        own = next(each.image_id for each in records if each.row == every.rows[place])
        rank += sum(each.image_id < own for each in records)
    return rank


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


def _best_page(
    store: Store, found: Found, *, limit: int, offset: int, least: float
) -> tuple[Judged, list[_Placed]]:
    """Return a page's images, as places among those judged and records, best first."""
    best = found.best
    count = min(offset + limit, int(np.count_nonzero(best.odds > -np.inf)))
    order, ties = _best(best, count, least=least)
    if offset >= len(order):
        return best, []
    last = min(offset + limit, len(order)) - 1
    # The page, and all that is equal to its first or last image, so that ids can decide.
    window = np.flatnonzero((ties >= ties[offset]) & (ties <= ties[last]))
    places = order[window]
    records = zip(places.tolist(), store.records(best.rows[places].tolist()), strict=True)
    in_order = sorted(
        zip(ties[window].tolist(), records, strict=True),
        key=lambda one: (one[0], one[1][1].image_id),
    )
    start = offset - int(window[0])
    return best, [placed for _, placed in in_order[start : start + last + 1 - offset]]


def _best(
    best: Judged, count: int, *, least: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the places of the best `count` images and all that equal the last, best first, and
    for each the number, rising, of its group of equals. What is relevant comes first."""
    odds = ranked(best, least)
    if not count:
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    cut = len(odds) - count
    places = np.flatnonzero(odds >= np.partition(odds, cut)[cut])
    cosines = np.zeros(len(odds)) if best.cosines is None else best.cosines
    order = places[np.lexsort((-cosines[places], -odds[places]))]
    changes = (np.diff(cosines[order]) != 0) | (odds[order][1:] != odds[order][:-1])
    return order, np.concatenate([np.zeros(1, dtype=np.intp), np.cumsum(changes)])


def _sorted_page(
    store: Store, found: Found, limit: int, offset: int, *, by: Order, places: Sequence[str]
) -> tuple[Judged, list[_Placed]]:
    """Return a page of what is relevant, as places among those judged and records, sorted by date
    or path."""
    if found.known.looked is not None:
        order = order_of(store.records(found.relevant.tolist()), by, places=places)
        page, shown = order[offset : offset + limit], found.best
    else:
        is_relevant = np.zeros(store.row_count(), dtype=np.bool_)
        is_relevant[found.relevant] = True
        order = store.ordered(by, places=places)
        page = order[is_relevant[order]][offset : offset + limit]
        rows = np.sort(page)
        shown = judged(found.known, rows, store.scores(found.known.plan.vectors, rows))
    found_at = np.searchsorted(shown.rows, page).tolist()
    return shown, list(zip(found_at, store.records(page.tolist()), strict=True))


def _listed(
    plan: Plan,
    store: Store,
    where: Where,
    by: Order,
    limit: int,
    offset: int,
    *,
    places: Sequence[str],
    parts: bool,
) -> Page:
    """Return a page of the answer to a plan of filters alone: every match, sorted."""
    page, total = store.page(
        narrowed(where, plan), by, offset=offset, limit=limit, places=places
    )
    shown = look_at(plan, store, np.sort(page))
    found_at = np.searchsorted(shown.rows, page).tolist()
    placed = list(zip(found_at, store.records(page.tolist()), strict=True))
    hits = _hits(store, shown, placed, first_rank=offset + 1, parts=parts)
    return Page(tuple(hits), (), total, exact=True)


def _hits(
    store: Store,
    shown: Judged,
    page: Sequence[_Placed],
    *,
    first_rank: int,
    parts: bool,
) -> list[Hit]:
    places = [place for place, _ in page]
    explained: list[tuple[Part, ...]] = [()] * len(page)
    if parts and page:
        # Few ask for this, and a search should start fast.
        from visionquery.search.explanation import parts_of

        rows = [record.row for _, record in page]
        explained = parts_of(shown.evidence, store, places=places, rows=rows)
    certainty = confidence(shown.odds[places])
    scores = shown.cosines
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
            fragments=record.fragments,
        )
        for i, (place, record) in enumerate(page)
    ]
