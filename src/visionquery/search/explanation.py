"""Take an answer apart: what each part of the query has to do with one image."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from visionquery.query.plan import FilterRef, Plan, ProbeRef
from visionquery.query.wording import unparse
from visionquery.search.calibrate import confidence
from visionquery.search.combination import leaves
from visionquery.search.evidence import Evidence
from visionquery.search.result import Part
from visionquery.store.base import Store

__all__ = ["parts_of"]


def parts_of(
    evidence: Evidence, store: Store, *, places: Sequence[int], rows: Sequence[int]
) -> list[tuple[Part, ...]]:
    """Return the parts of a query, in its order, for some candidates: `places` among those of
    `evidence`, `rows` in the store."""
    plan = evidence.known.plan
    found = dict.fromkeys(leaves(plan.expression))
    columns = [
        _of_probe(plan, evidence, store, leaf, excluded, places, rows)
        if isinstance(leaf, ProbeRef)
        else _of_filter(plan, evidence, leaf, excluded, places)
        for leaf, excluded in found
    ]
    return [tuple(parts) for parts in zip(*columns, strict=True)]


def _of_probe(
    plan: Plan,
    evidence: Evidence,
    store: Store,
    leaf: ProbeRef,
    excluded: bool,
    places: Sequence[int],
    rows: Sequence[int],
) -> list[Part]:
    probe = plan.probes[leaf.index]
    odds = evidence.suspicion(leaf, drops=True) if excluded else evidence.odds(leaf.index)
    chosen = np.asarray(places, dtype=np.intp)
    sure = confidence(odds[chosen])
    lifted = evidence.known.lifted
    cosines = evidence.cosines[leaf.index][chosen]
    if lifted is not None:
        cosines = lifted.whole[leaf.index][np.asarray(rows, dtype=np.intp)]
    held = [(forms, [store.holding(form) for form in forms]) for forms in probe.phrases]
    return [
        Part(
            text=probe.text,
            kind="description" if probe.is_text else "picture",
            excluded=excluded,
            confidence=float(sure[i]),
            score=float(cosines[i]),
            words=tuple(forms[0] for forms, masks in held if any(mask[row] for mask in masks)),
            box=evidence.known.box(leaf.index, row),
        )
        for i, row in enumerate(rows)
    ]


def _of_filter(
    plan: Plan, evidence: Evidence, leaf: FilterRef, excluded: bool, places: Sequence[int]
) -> list[Part]:
    text = unparse(plan.filters[leaf.index])
    mask: NDArray[np.bool_] = evidence.masks[leaf.index]
    return [Part(text, "filter", excluded, float(mask[place])) for place in places]
