"""What do regions cost a search? 100,000 images with five each, medians of interleaved runs.

    python -m benchmarks.quality.region_cost [MODEL]

The images are those of `cost.py`, their regions vectors near theirs. Every query goes through
`Library.search`, encoding included, once as it is and once as if no image had regions.
"""

import itertools
import statistics
import tempfile
import time
from pathlib import Path
from typing import Final

import numpy as np
from benchmarks.quality.cost import endless_words
from benchmarks.quality.made import fill
from benchmarks.quality.photos import load
from benchmarks.quality.verdicts import finish, target

from visionquery.library import Library
from visionquery.store.base import Store
from visionquery.store.local import create_local
from visionquery.store.regions import ImageRegions

_IMAGES: Final = 100_000
_PARTS: Final = 5
_RUNS: Final = 31
_AT_ONCE: Final = 5_000

KINDS = {
    "one word": "{0}",
    "a sentence": "a {0} and a {1} near the {2} on a {3} day",
    "two things with colours": "a red {0} and a blue {1}",
    "where things are": "a {0} left of a {1}",
}


def main() -> None:
    """Measure and print."""
    photos = load(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        store = create_local(Path(folder) / "library", photos.encoder.identity)
        fill(store, photos, _IMAGES)
        _add_regions(store)
        library = Library(store, lambda _: photos.encoder)
        read, words = store.regions, endless_words()
        seconds: dict[tuple[str, bool], list[float]] = {}
        for run, (kind, form) in itertools.product(range(_RUNS + 3), KINDS.items()):
            query = form.format(*itertools.islice(words, 5))
            for has_regions in (True, False):
                setattr(store, "regions", read if has_regions else lambda: None)  # noqa: B010
                started = time.perf_counter()
                library.search(query)
                if run >= 3:
                    taken = time.perf_counter() - started
                    seconds.setdefault((kind, has_regions), []).append(taken)
        library.close()
    print(f"\n{_IMAGES:,} images with {_PARTS} regions each, medians of {_RUNS}:")
    for kind in KINDS:
        whole, parts = (1000 * statistics.median(seconds[kind, has]) for has in (False, True))
        print(f"  {kind:24} whole {whole:6.1f} ms  regions {parts:6.1f} ms")
        target(kind, parts / whole, lambda ratio: ratio <= 3, "<= 3 times")
    finish()


def _add_regions(store: Store) -> None:
    random = np.random.default_rng(0)
    boxes = np.array([[0, 0, 50, 50]] * _PARTS, np.float32)
    for first in range(0, _IMAGES, _AT_ONCE):
        rows = range(first, first + _AT_ONCE)
        near = store.vectors(rows)[:, None]
        vectors = near + random.standard_normal((_AT_ONCE, _PARTS, near.shape[2])) / 20
        vectors /= np.linalg.norm(vectors, axis=2, keepdims=True)
        biases = np.full(_PARTS, 0.2, np.float32)
        found = [ImageRegions(boxes, each.astype(np.float32), biases) for each in vectors]
        with store.writing():
            store.write_regions(rows, found)


if __name__ == "__main__":
    main()
