"""What does it cost to browse everything? 100,000 images by date, and what a page asks besides.

    python -m benchmarks.browsing [MODEL] [--library DIR]

Beside sorting the records of all images, which is what a page of the answer cost before orders were
kept. Medians of interleaved runs; the first call works out what the others are given.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.quality.photos import LIT_TINY
from benchmarks.quality.verdicts import finish, target
from benchmarks.serving import made_library

from visionquery.library import Library
from visionquery.store.derived import order_of
from visionquery.store.local import open_local

_RUNS = 5
_PAGE = 200
_DEEP = 50_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default=LIT_TINY)
    parser.add_argument("--library", type=Path, help="one of these images that was made before")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.library or made_library(Path(temporary) / "library", options.model)
        with Library.open(folder, model=options.model) as library:
            _measure(library, folder)
    finish()


def _measure(library: Library, folder: Path) -> None:
    store = open_local(folder)
    image_id = library.search("a dog", limit=1, min_confidence=0).hits[0].image_id
    works: dict[str, Callable[[], object]] = {
        "a page by date": lambda: library.search("width:>0", limit=_PAGE),
        "the same, 50,000 further": lambda: library.search("width:>0", limit=_PAGE, offset=_DEEP),
        "facets": library.facets,
        "status": library.status,
        "explain": lambda: library.explain(image_id, "a dog"),
        "sorting all records": lambda: order_of(
            store.records(range(store.row_count())), "date", places=()
        ),
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(_RUNS + 1):
        for name, work in works.items():
            started = time.perf_counter()
            work()
            times[name].append(1000 * (time.perf_counter() - started))
    print(f"{library.image_count:,} images, medians of {_RUNS}")
    for name, (first, *others) in times.items():
        print(f"  {name:26} {statistics.median(others):7.1f} ms, the first {first:7.1f} ms")
    store.close()
    warm = statistics.median(times["the same, 50,000 further"][1:])
    target("ms of a page, whatever the offset", warm, lambda ms: ms <= 60, "<= 60")


if __name__ == "__main__":
    main()
