"""What does a compound query cost beside a word? 100,000 images, medians of interleaved runs.

    python -m benchmarks.quality.cost [MODEL]

The images are made: the vectors of the photographs with noise, in folders and files named as
cameras and people do. Every query goes through `Library.search`, encoding included, and each has
words that no query before it had, so that nothing can be remembered from one to the next.
"""

import itertools
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.quality.made import fill
from benchmarks.quality.photos import load
from benchmarks.quality.verdicts import finish, target

from visionquery.library import Library
from visionquery.store.local import create_local

_IMAGES = 100_000
_RUNS = 31

_NAMES = """dog cat horse bird car truck boat bicycle beach snow grass lake river forest mountain
street house bridge tower market crowd child woman man girl boy baby hat shirt ball"""

KINDS = {
    "one word": "{0}",
    "a sentence": "a {0} and a {1} near the {2} on a {3} day",
    "two terms": "{0} -{1}",
    "five terms, and": "{0} AND {1} AND {2} AND {3} AND {4}",
    "five terms, mixed": "({0} OR {1}) AND {2} -{3} -{4}",
    "five terms, in words": "{0} without {1}, {2}, {3} or {4}",
    "a word and three filters": "{0} date:2019..2021 camera:sony path:family",
}


def main() -> None:
    """Measure and print."""
    photos = load(__doc__)
    with tempfile.TemporaryDirectory() as folder:
        store = create_local(Path(folder) / "library", photos.encoder.identity)
        fill(store, photos, _IMAGES)
        library = Library(store, lambda _: photos.encoder)
        words = endless_words()
        seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
        for run in range(_RUNS + 3):
            for kind, form in KINDS.items():
                query = form.format(*itertools.islice(words, 5))
                started = time.perf_counter()
                library.search(query)
                if run >= 3:
                    seconds[kind].append(time.perf_counter() - started)
        library.close()
    base = statistics.median(seconds["one word"])
    ratios = {kind: statistics.median(times) / base for kind, times in seconds.items()}
    print(f"\n{_IMAGES:,} images, medians of {_RUNS}:")
    for kind, ratio in ratios.items():
        print(f"  {kind:26} {1000 * ratio * base:6.1f} ms  {ratio:.2f} x one word")
    worst = max(ratio for kind, ratio in ratios.items() if kind.startswith("five"))
    target("five terms against one word", worst, lambda ratio: ratio <= 3, "<= 3")
    finish()


def endless_words() -> Iterator[str]:
    """Yield words that none before had."""
    for number in itertools.count():
        for word in _NAMES.split():
            yield word if number == 0 else f"{word} {number}"


if __name__ == "__main__":
    main()
