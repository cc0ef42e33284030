"""How figures are compared: intervals by resampling, and targets that are met or not."""

import sys
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

_RESAMPLES = 2000
_failed: list[str] = []


def interval(
    values: NDArray[np.float64], groups: NDArray[np.intp] | None = None
) -> tuple[float, float]:
    """Return the 95 % interval of the mean of values (n,), resampled by bootstrap; values of one
    of `groups` (n,) stay together, as captions of one photograph do."""
    random = np.random.default_rng(0)
    if groups is not None:
        sums = np.bincount(groups, values)
        counts = np.bincount(groups)
        values, weights = sums / counts, counts / counts.sum()
    else:
        weights = np.full(len(values), 1 / len(values))
    drawn = random.integers(len(values), size=(_RESAMPLES, len(values)))
    means = (values[drawn] * weights[drawn]).sum(axis=1) / weights[drawn].sum(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def target(name: str, value: float, holds: Callable[[float], bool], wanted: str) -> None:
    """Print a figure beside what was wanted, and remember when it falls short."""
    met = holds(value)
    print(f"  {'met   ' if met else 'MISSED'}  {name}: {value:.3f} (target {wanted})")
    if not met:
        _failed.append(name)


def finish() -> None:
    """Exit with 1 when a target was missed."""
    sys.exit(1 if _failed else 0)


def percent(values: Sequence[float] | NDArray[np.float64]) -> str:
    """Return figures as percentages."""
    return " / ".join(f"{100 * value:.1f}" for value in values)
