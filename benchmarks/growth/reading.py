"""What searching a library takes: time by kind of query and by stage, memory, and disk."""

import statistics
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import vectors
from benchmarks.exact import FILTERED, answer
from benchmarks.growth.machine import resident_bytes
from benchmarks.growth.stages import stages
from benchmarks.growth.timing import seconds_of, summary

from visionquery.query.ast import Contains, Filter, Range
from visionquery.store.base import Store
from visionquery.store.local import open_local
from visionquery.types import Matrix

__all__ = ["reading"]

_SEARCHES = 30
_FIRST_SEARCHES = 10
_PROFILED = 20
_TEXTS = 200
_LIMIT = 20

_CAMERAS = ("sony", "canon", "apple", "a7", "eos", "iphone", "r5", "14", "sony a")
_DAYS = ("2012", "2013-05", "2014..2016", "2017", "2018-03", "2019..2020", "2021", "2022", "2023")
_PLACES = ("2010/trip 1", "trip 2", "IMG_00003", "trip 0", "2010/", "IMG_00005", "trip 1/", "06",
           "7.jpg")  # fmt: skip


def reading(library: Path, rows: int, dim: int) -> dict[str, Any]:
    """Return the figures of searching a library, made of so many images."""
    with ProcessPoolExecutor(1) as pool:
        # In another process: what these take would count as memory of the search.
        texts = iter(pool.submit(vectors.texts, _TEXTS, rows, dim).result()[:, None])
        pool.submit(vectors.warm, library).result()
    bare = resident_bytes()
    store = open_local(library)
    store.row_count()
    opened = resident_bytes()
    first = seconds_of(lambda: answer(store, next(texts), _LIMIT))
    for _ in range(_FIRST_SEARCHES - 1):
        answer(store, next(texts), _LIMIT)
    searched = resident_bytes()
    searches = [seconds_of(lambda: answer(store, next(texts), _LIMIT)) for _ in range(_SEARCHES)]
    found = {"search": searches}
    for name, tests in _filters().items():
        found[f"search, {name}"] = [_filtered(store, next(texts), test) for test in tests]
    parts = [stages(lambda: answer(store, next(texts), _LIMIT)) for _ in range(_PROFILED)]
    store.close()
    return {
        "operations": {
            "first search": summary([first]),
            **{name: summary(runs) for name, runs in found.items()},
        },
        "stages": {name: statistics.median(part[name] for part in parts) for name in parts[0]},
        "memory": {
            name: {"own": own, "mapped": mapped}
            for name, (own, mapped) in (("bare", bare), ("opened", opened), ("searched", searched))
        },
        "disk": _disk(library),
    }


def _filtered(store: Store, probe: Matrix, test: Filter) -> float:
    return seconds_of(lambda: answer(store, probe, _LIMIT, FILTERED, (test,)))


def _filters() -> dict[str, Iterable[Filter]]:
    """Return filters, none of which is asked twice: a store keeps what passes until something
    changes."""
    return {
        "camera": [Filter("camera", Contains(text)) for text in _CAMERAS],
        "date": [Filter("date", _days(text)) for text in _DAYS],
        "path": [Filter("path", Contains(text)) for text in _PLACES],
    }


def _days(text: str) -> Range:
    low, _, high = text.partition("..")
    return Range(low, high or low)


def _disk(library: Path) -> dict[str, int]:
    """Return the bytes of a library's files: the catalog, the vectors, their codes."""
    sizes = {"catalog": 0, "vectors": 0, "codes": 0}
    for path in library.rglob("*"):
        if path.is_file():
            kind = {".sqlite": "catalog", ".f32": "vectors"}.get(path.suffix, "codes")
            sizes[kind] += path.stat().st_size
    return sizes
