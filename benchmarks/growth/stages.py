"""Where the time of one search goes: a watch around each stage, which costs next to nothing."""

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from visionquery.search import candidates, executor
from visionquery.store.local_store import LocalStore

__all__ = ["STAGES", "stages"]

STAGES = ("estimates", "scales", "candidates", "records", "rest")
"""The cosine of every image, estimated; the scales of the query, read off a sample and the best
few; the bounds of every image, and the true cosines of those in doubt; the records of the page."""


def stages(search: Callable[[], object]) -> dict[str, float]:
    """Do one search of a local store, and return the seconds of each stage."""
    spent: dict[str, float] = defaultdict(float)

    def watched(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*asked: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return function(*asked, **named)
            finally:
                spent[name] += time.perf_counter() - started

        return call

    with (
        patch.object(LocalStore, "estimates", watched("estimates", LocalStore.estimates)),
        patch.object(LocalStore, "records", watched("records", LocalStore.records)),
        patch.object(candidates, "measured", watched("scales", candidates.measured)),
        patch.object(executor, "find", watched("found", executor.find)),
    ):
        watched("whole", search)()
    found = spent["found"]
    return {
        "estimates": spent["estimates"],
        "scales": spent["scales"],
        "candidates": found - spent["estimates"] - spent["scales"],
        "records": spent["records"],
        "rest": spent["whole"] - found - spent["records"],
    }
