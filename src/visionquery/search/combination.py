"""Evaluate a plan's expression over images: truth from filters, log-odds from probes."""

import numpy as np
from numpy.typing import NDArray

from visionquery.query.plan import AllOf, AnyOf, Expression, FilterRef, Negation, ProbeRef
from visionquery.search.calibrate import LogOdds, all_of

__all__ = ["Mask", "combined", "holds", "positive_probes"]

Mask = NDArray[np.bool_]
"""Which images, shape (n,)."""


def _has_probe(expression: Expression) -> bool:
    match expression:
        case ProbeRef():
            return True
        case FilterRef():
            return False
        case Negation(part):
            return _has_probe(part)
        case AllOf(parts) | AnyOf(parts):
            return any(_has_probe(part) for part in parts)


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
        case ProbeRef():
            raise AssertionError("a probe has no truth, only odds")


def combined(
    expression: Expression,
    odds: list[LogOdds],
    suspicions: list[LogOdds],
    masks: list[Mask],
) -> LogOdds:
    """Return the log-odds, (n,), of an expression; what filters alone decide is infinite.

    `odds` are those of the probes and `suspicions` those that count below an odd number of
    negations, `masks` those of the filters, each (n,), by index.
    """
    if not _has_probe(expression):
        return np.where(holds(expression, masks), np.inf, -np.inf)
    match expression:
        case ProbeRef(index):
            return odds[index]
        case Negation(part):
            return -combined(part, suspicions, odds, masks)
        case AllOf(parts):
            return _conjunction(parts, odds, suspicions, masks)
        case AnyOf(parts):
            every = [combined(part, odds, suspicions, masks) for part in parts]
            largest: LogOdds = np.maximum.reduce(every)
            return largest
        case FilterRef():
            raise AssertionError("a filter has no probe")


def _conjunction(
    parts: tuple[Expression, ...],
    odds: list[LogOdds],
    suspicions: list[LogOdds],
    masks: list[Mask],
) -> LogOdds:
    soft = [part for part in parts if _has_probe(part)]
    values = [combined(part, odds, suspicions, masks) for part in soft]
    asked = [v for part, v in zip(soft, values, strict=True) if not isinstance(part, Negation)]
    excluded = [v for part, v in zip(soft, values, strict=True) if isinstance(part, Negation)]
    hard = [holds(part, masks) for part in parts if not _has_probe(part)]
    # One soft part passes untouched: a round trip through its probability would round it.
    value = values[0] if len(values) == 1 else all_of(asked, excluded)
    return np.where(np.logical_and.reduce(hard), value, -np.inf) if hard else value


def positive_probes(expression: Expression, *, negated: bool = False) -> set[int]:
    """Return the probes that are asked for: those below an even number of negations."""
    match expression:
        case ProbeRef(index):
            return set() if negated else {index}
        case FilterRef():
            return set()
        case Negation(part):
            return positive_probes(part, negated=not negated)
        case AllOf(parts) | AnyOf(parts):
            return {i for part in parts for i in positive_probes(part, negated=negated)}
