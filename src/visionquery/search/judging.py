"""Judge images by their cosines: log-odds for relevance, an order, and which way each probe counts.

An expression rises with the cosine of what is asked for and falls with that of what is excluded, so
that cosines moved by an error give bounds of its value.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionquery.query.ast import And, Filter, Node, Not, Or
from visionquery.query.plan import (
    AllOf,
    AnyOf,
    Arrangement,
    Expression,
    FilterRef,
    Negation,
    Plan,
    ProbeRef,
)
from visionquery.search.arrangement import WEAK
from visionquery.search.calibrate import LogOdds
from visionquery.search.combination import arrangements, combined, leaves
from visionquery.search.evidence import Evidence, Known
from visionquery.search.result import Placing

__all__ = [
    "ABOVE_ALL",
    "Judged",
    "asks_where",
    "directions",
    "enough",
    "has_bounds",
    "judged",
    "mean_cosine",
    "needed",
    "needs_a_probe",
    "placings",
    "probes_asked",
    "ranked",
]

ABOVE_ALL = 1e4
"""Added to log-odds, it is above all others, and takes none of the digits that tell two apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Images judged by their cosines: rows (n,), rising, log-odds (n,), which are -inf where a
    filter leaves one out, and mean cosines (n,) of what is asked for, None where nothing is.
    `order`, (n,), is what images are ranked by: the log-odds, but for exclusions, which weigh more
    in it, and for where things are, which also counts in favour of an image there."""

    evidence: Evidence
    odds: LogOdds
    order: LogOdds
    cosines: NDArray[np.float64] | None

    @property
    def rows(self) -> NDArray[np.intp]:
        """The rows (n,) of the images."""
        return self.evidence.rows


def judged(known: Known, rows: NDArray[np.intp], cosines: NDArray[np.float32]) -> Judged:
    """Judge images of rows (n,), rising, by their cosines (p, n)."""
    plan, evidence = known.plan, Evidence(known, rows, cosines)
    odds = order = combined(plan.expression, evidence, drops=True)
    if _has_own_order(known):
        order = combined(plan.expression, evidence, drops=False)
    return Judged(evidence, odds, order, mean_cosine(plan, cosines))


def _has_own_order(known: Known) -> bool:
    found = leaves(known.plan.expression)
    is_excluding = any(negated and isinstance(leaf, ProbeRef) for leaf, negated in found)
    return is_excluding or known.regions is not None


def ranked(judged: Judged, least: float) -> LogOdds:
    """Return what images are ranked by, (n,): what is relevant comes before all else."""
    if judged.order is judged.odds:
        return judged.odds
    is_relevant = (judged.odds >= least) & (judged.odds > -np.inf)
    return np.where(is_relevant, judged.order + ABOVE_ALL, judged.order)


def probes_asked(expression: Expression, *, negated: bool = False) -> set[int]:
    """Return the numbers of the probes with whose cosines an expression rises, or falls where
    `negated`."""
    found = set()
    for leaf, is_negated in leaves(expression):
        if isinstance(leaf, ProbeRef):
            if is_negated == negated:
                found.add(leaf.index)
            # What explains an exclusion away counts for the image, as if it were asked for.
            if is_negated != negated:
                found.update(index for index, _ in leaf.beside)
    if negated:
        found.update(rival.index for each in _counts(expression) for rival in each.things)
    return found


def asks_where(expression: Expression) -> bool:
    """Return whether an expression asks where things are."""
    return any(each.relation != "count" for each in arrangements(expression))


def placings(judged: Judged, places: Sequence[int]) -> list[Placing | None]:
    """Return, for some of the judged images, whether things lie where a plan says; None each where
    it says nothing of that."""
    asked = arrangements(judged.evidence.known.plan.expression)
    wanted = [each for each in asked if each.relation != "count"]
    if not wanted or not places:
        return [None] * len(places)
    leanings = [judged.evidence.leaning(each)[list(places)] for each in wanted]
    return [_placing(float(least)) for least in np.minimum.reduce(leanings)]


def _placing(leaning: float) -> Placing:
    if abs(leaning) < WEAK:
        return "unsure"
    return "as asked" if leaning > 0 else "otherwise"


def _counts(expression: Expression) -> list[Arrangement]:
    return [each for each in arrangements(expression) if each.relation == "count"]


def has_bounds(expression: Expression) -> bool:
    """Return whether no probe is asked for in one place and excluded in another."""
    return not probes_asked(expression) & probes_asked(expression, negated=True)


def directions(plan: Plan) -> NDArray[np.float32]:
    """Return for each probe, (p, 1), -1 where the expression of a plan falls with its cosine, 1
    where it rises or does not depend on it."""
    signs = np.ones((len(plan.probes), 1), dtype=np.float32)
    signs[list(probes_asked(plan.expression, negated=True))] = -1
    return signs


def needs_a_probe(expression: Expression) -> bool:
    """Return whether no image is in an answer but for the cosine of something asked for."""
    match expression:
        case ProbeRef() | Arrangement():
            return True
        case AllOf(parts):
            return any(needs_a_probe(part) for part in parts)
        case AnyOf(parts):
            return all(needs_a_probe(part) for part in parts)
        case _:
            return False


def needed(plan: Plan) -> Node | None:
    """Return what images must pass to be in an answer, whatever the probes of a plan say, as a tree
    of its filters alone; None where they need pass nothing."""
    return _needed(plan.expression, plan.filters)


def _needed(expression: Expression, filters: Sequence[Filter]) -> Node | None:
    match expression:
        case FilterRef(index):
            return filters[index]
        case ProbeRef() | Arrangement():
            return None
        case Negation(part):
            if any(isinstance(leaf, ProbeRef) for leaf, _ in leaves(part)):
                return None
            test = _needed(part, filters)
            return None if test is None else Not(test)
        case AllOf(parts):
            every = [test for part in parts if (test := _needed(part, filters)) is not None]
            return _joined(And, every)
        case AnyOf(parts):
            either = [_needed(part, filters) for part in parts]
            return None if None in either else _joined(Or, [each for each in either if each])


def enough(plan: Plan) -> Node | None:
    """Return what makes an image part of the answer whatever the probes of a plan say, as a tree of
    its filters alone; None where nothing does."""
    return _enough(plan.expression, plan.filters)


def _enough(expression: Expression, filters: Sequence[Filter]) -> Node | None:
    match expression:
        case AnyOf(parts):
            either = [test for part in parts if (test := _enough(part, filters)) is not None]
            return _joined(Or, either)
        case AllOf(parts):
            every = [_enough(part, filters) for part in parts]
            return None if None in every else _joined(And, [each for each in every if each])
        case _:
            return _needed(expression, filters)


def _joined(kind: type[And] | type[Or], tests: list[Node]) -> Node | None:
    if len(tests) < 2:
        return tests[0] if tests else None
    return kind(tuple(tests))


def mean_cosine(plan: Plan, cosines: NDArray[np.float32]) -> NDArray[np.float64] | None:
    """Return the mean of the cosines (p, n) with what is asked for, (n,); None where nothing is."""
    asked = {
        leaf.index
        for leaf, negated in leaves(plan.expression)
        if isinstance(leaf, ProbeRef) and not negated
    }
    if not asked:
        return None
    if len(asked) == 1:
        return np.asarray(cosines[asked.pop()], dtype=np.float64)
    return np.asarray(cosines[sorted(asked)].mean(axis=0, dtype=np.float64))
