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


def combined(expression: Expression, odds: list[LogOdds], masks: list[Mask]) -> LogOdds:
    """Return the log-odds, (n,), of an expression; what filters alone decide is infinite.

    `odds` are those of the probes, `masks` those of the filters, each (n,), by index.
    """
    if not _has_probe(expression):
        return np.where(holds(expression, masks), np.inf, -np.inf)
    match expression:
        case ProbeRef(index):
            return odds[index]
        case Negation(part):
            return -combined(part, odds, masks)
        case AllOf(parts):
            return _conjunction(parts, odds, masks)
        case AnyOf(parts):
            largest: LogOdds = np.maximum.reduce([combined(p, odds, masks) for p in parts])
            return largest
        case FilterRef():
            raise AssertionError("a filter has no probe")


def _conjunction(parts: tuple[Expression, ...], odds: list[LogOdds], masks: list[Mask]) -> LogOdds:
    soft = [combined(part, odds, masks) for part in parts if _has_probe(part)]
    hard = [holds(part, masks) for part in parts if not _has_probe(part)]
    # One soft part passes untouched: a round trip through its probability would round it.
    value = soft[0] if len(soft) == 1 else all_of(soft)
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
