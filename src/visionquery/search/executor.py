"""Run a plan on a store: score, calibrate, combine, rank, read the records of one page.

Ranking is on log-odds, so a query that is one probe comes out in exact order of its cosine even
where the confidence rounds to 1. Equal images are ordered by id, never by row.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import InputError, ModelMismatchError
from visionquery.query.ast import Box
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
from visionquery.search.judging import (
    Judged,
    judged,
    mean_cosine,
    placings,
    probes_asked,
    ranked,
)
from visionquery.search.result import (
    DEFAULT_MIN_CONFIDENCE,
    Explanation,
    Hit,
    Page,
    Part,
    Sort,
)
from visionquery.search.variety import (
    PLAIN,
    Placed,
    Stretch,
    Variety,
    arranged,
    images_for,
)
from visionquery.store.base import Order, Store
from visionquery.store.derived import order_of
from visionquery.store.questions import EVERYWHERE, Where

if TYPE_CHECKING:
    from visionquery.search.second_look import Second

__all__ = ["execute", "explain"]

_BESIDE = 100
"""Candidates, at least, beside which an image is explained where not all are compared."""


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
    variety: Variety = PLAIN,
    second: "Second | None" = None,
) -> Page:
    """Return the images candidates offset + 1 to offset + limit.

    `where` says which images the answer is made of. `sort` by date or path orders only what is
    relevant. None is relevance, and for a plan of filters alone, which gives every match, by date.
    Of an image that lies in several folders, a path in `places` counts there. `parts` explains
    every hit. `exact` says whether every image is compared, None that it is in all but libraries
    too large for their store. `variety` folds what is alike, so that limit and offset count
    groups, and spreads what comes first. `second` is a model that judges the best once more. Raises
    ModelMismatchError for a plan made with another model, InputError for a limit, offset or
    confidence without meaning.
    """
    _check(plan, store, limit=limit, offset=offset, min_confidence=min_confidence)
    by = None if sort == "relevance" else sort
    with store.reading():
        if plan.probes:
            least = log_odds_of(min_confidence)
            count = images_for(variety, offset + limit)
            found = _found(plan, store, where, count, least, exact=exact, second=second)
            stretch = _best_first(store, found, least=least)
            if by is not None and len(found.relevant):
                stretch = _sorted(store, found, by=by, places=places)
            total, is_exact = len(found.relevant), found.exact
        else:
            first = (offset, limit) if variety.is_plain else (0, variety.looked_at)
            stretch, total = _listed(plan, store, where, by or "date", first, places=places)
            is_exact = True
        hits, folded_away = arranged(
            store, stretch, lambda *page: _hits(store, *page, parts=parts), variety,
            total=total, limit=limit, offset=offset,
        )  # fmt: skip
    relevant = min(max(total - folded_away - offset, 0), len(hits))
    return Page(tuple(hits[:relevant]), tuple(hits[relevant:]), total, is_exact, folded_away)


def _found(
    plan: Plan,
    store: Store,
    where: Where,
    count: int,
    least: float,
    *,
    exact: bool | None,
    second: "Second | None",
) -> Found:
    compares = find if compares_all(store, exact) else find_likely
    if second is None:
        return compares(plan, store, where, count=count, least=least)
    # Few ask for this, and a search should start fast.
    from visionquery.search.second_look import refined

    found = compares(plan, store, where, count=count + second.candidates, least=least)
    return refined(found, second, store, least=least)


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


def _best_first(store: Store, found: Found, *, least: float) -> Stretch:
    """Return what was found, the best first."""
    best = found.best

    def stretch(offset: int, limit: int) -> tuple[Judged, list[Placed]]:
        count = min(offset + limit, int(np.count_nonzero(best.odds > -np.inf)))
        order, ties = _best(best, count, least=least)
        if not limit or offset >= len(order):
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

    return stretch


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


def _sorted(store: Store, found: Found, *, by: Order, places: Sequence[str]) -> Stretch:
    """Return what is relevant, sorted by date or path."""
    if found.known.looked is not None:
        order = order_of(store.records(found.relevant.tolist()), by, places=places)
    else:
        is_relevant = np.zeros(store.row_count(), dtype=np.bool_)
        is_relevant[found.relevant] = True
        order = store.ordered(by, places=places)
        order = order[is_relevant[order]]

    def stretch(offset: int, limit: int) -> tuple[Judged, list[Placed]]:
        page = order[offset : offset + limit]
        if found.known.looked is not None:
            return found.best, _placed(store, found.best, page)
        rows = np.sort(page)
        shown = judged(found.known, rows, found.known.cosines(store, rows))
        return shown, _placed(store, shown, page)

    return stretch


def _listed(
    plan: Plan,
    store: Store,
    where: Where,
    by: Order,
    first: tuple[int, int],
    *,
    places: Sequence[str],
) -> tuple[Stretch, int]:
    """Return the answer to a plan of filters alone: every match, sorted, and how many there are.
    The stretch `first`, an offset and a limit, is read at once."""
    wanted = narrowed(where, plan)
    start, count = first
    rows, total = store.page(wanted, by, offset=start, limit=count, places=places)

    def stretch(offset: int, limit: int) -> tuple[Judged, list[Placed]]:
        if offset >= start and offset + limit <= start + count:
            page = rows[offset - start : offset - start + limit]
        else:
            page, _ = store.page(wanted, by, offset=offset, limit=limit, places=places)
        shown = look_at(plan, store, np.sort(page))
        return shown, _placed(store, shown, page)

    return stretch, total


def _placed(store: Store, shown: Judged, page: NDArray[np.intp]) -> list[Placed]:
    """Return images of some rows, in their order, as places among those judged and records."""
    found_at = np.searchsorted(shown.rows, page).tolist()
    return list(zip(found_at, store.records(page.tolist()), strict=True))


def _hits(
    store: Store,
    shown: Judged,
    page: Sequence[Placed],
    first_rank: int,
    *,
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
    scores, placed = _scores(shown), placings(shown, places)
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
            box=_box(shown, record.row),
            placed=placed[i],
        )
        for i, (place, record) in enumerate(page)
    ]


def _scores(shown: Judged) -> NDArray[np.float64] | None:
    """Return the mean cosines (n,) with what is asked for, of the images as wholes."""
    known = shown.evidence.known
    if known.lifted is None:
        return shown.cosines
    return mean_cosine(known.plan, known.lifted.whole[:, shown.rows])


def _box(shown: Judged, row: int) -> Box | None:
    """Return the part of an image that what is asked for is met by, the first where it is met by
    several, None where it is the whole."""
    known = shown.evidence.known
    if known.lifted is None:
        return None
    boxes = (known.box(probe, row) for probe in sorted(probes_asked(known.plan.expression)))
    return next((box for box in boxes if box is not None), None)
