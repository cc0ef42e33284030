"""How often something is done, and what is kept of its times."""

import statistics
import time
from collections.abc import Callable
from typing import TypedDict

__all__ = ["Summary", "seconds_of", "summary"]


class Summary(TypedDict):
    """Seconds of several runs: the median, the best, and of how many."""

    median: float
    best: float
    runs: int


def seconds_of(action: Callable[[], object]) -> float:
    """Do something, and return the seconds it took."""
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def summary(runs: list[float]) -> Summary:
    """Return what is kept of the seconds of some runs."""
    return {"median": statistics.median(runs), "best": min(runs), "runs": len(runs)}
