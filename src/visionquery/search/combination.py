"""Evaluate a plan's expression over images: truth from filters, log-odds from probes."""

import numpy as np

from visionquery.query.plan import (
    AllOf,
    AnyOf,
    Arrangement,
    Expression,
    FilterRef,
    Negation,
    ProbeRef,
)
from visionquery.search.calibrate import LogOdds, all_of
from visionquery.search.evidence import Evidence, Mask

__all__ = ["arrangements", "combined", "holds", "leaves"]


def _has_probe(expression: Expression) -> bool:
    return any(isinstance(leaf, ProbeRef) for leaf, _ in leaves(expression))


def leaves(
    expression: Expression, *, negated: bool = False
) -> list[tuple[ProbeRef | FilterRef, bool]]:
    """Return the probes and filters of an expression in order, each with whether it stands below
    an odd number of negations. Of an arrangement it is the probe of all its words."""
    match expression:
        case ProbeRef() | FilterRef():
            return [(expression, negated)]
        case Arrangement(whole):
            return [(whole, negated)]
        case Negation(part):
            return leaves(part, negated=not negated)
        case AllOf(parts) | AnyOf(parts):
            return [leaf for part in parts for leaf in leaves(part, negated=negated)]


def arrangements(expression: Expression, *, negated: bool = False) -> list[Arrangement]:
    """Return the arrangements of an expression that count: where an odd number of negations stands
    above one, it is all its words that are excluded."""
    match expression:
        case Arrangement():
            return [] if negated else [expression]
        case Negation(part):
            return arrangements(part, negated=not negated)
        case AllOf(parts) | AnyOf(parts):
            return [each for part in parts for each in arrangements(part, negated=negated)]
        case _:
            return []


def holds(expression: Expression, masks: list[Mask]) -> Mask:
    """Return which images, (n,), an expression of filters alone holds for."""
    match expression:
        case FilterRef(index):
            return masks[index]
        case Negation(part):
            return ~holds(part, masks)
        case AllOf(parts):
            every: Mask = np.logical_and.reduce([holds(part, masks) for part in parts])
            return every
        case AnyOf(parts):
            either: Mask = np.logical_or.reduce([holds(part, masks) for part in parts])
            return either
        case ProbeRef() | Arrangement():
            raise AssertionError("a probe has no truth, only odds")


def combined(
    expression: Expression, evidence: Evidence, *, drops: bool, negated: bool = False
) -> LogOdds:
    """Return the log-odds, (n,), of an expression; what filters alone decide is infinite.

    Below an odd number of negations (`negated`) a probe counts on little evidence where images are
    ordered, on more where it `drops` them out of the answer.
    """
    if not _has_probe(expression):
        return np.where(holds(expression, evidence.masks), np.inf, -np.inf)
    match expression:
        case ProbeRef():
            if negated:
                return evidence.suspicion(expression, drops=drops)
            return evidence.odds(expression.index)
        case Arrangement(whole):
            if negated:
                return combined(whole, evidence, drops=drops, negated=True)
            return evidence.odds(whole.index) + evidence.placed(expression, drops=drops)
        case Negation(part):
            return -combined(part, evidence, drops=drops, negated=not negated)
        case AllOf(parts):
            return _conjunction(parts, evidence, drops=drops, negated=negated)
        case AnyOf(parts):
            every = [combined(part, evidence, drops=drops, negated=negated) for part in parts]
            largest: LogOdds = np.maximum.reduce(every)
            return largest
        case FilterRef():
            raise AssertionError("a filter has no probe")


def _conjunction(
    parts: tuple[Expression, ...], evidence: Evidence, *, drops: bool, negated: bool
) -> LogOdds:
    soft = [part for part in parts if _has_probe(part)]
    values = [combined(part, evidence, drops=drops, negated=negated) for part in soft]
    asked = [v for part, v in zip(soft, values, strict=True) if not isinstance(part, Negation)]
    excluded = [v for part, v in zip(soft, values, strict=True) if isinstance(part, Negation)]
    hard = [holds(part, evidence.masks) for part in parts if not _has_probe(part)]
    # One soft part passes untouched: a round trip through its probability would round it.
    value = values[0] if len(values) == 1 else all_of(asked, excluded)
    return np.where(np.logical_and.reduce(hard), value, -np.inf) if hard else value
