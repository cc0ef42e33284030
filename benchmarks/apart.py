"""What it costs to decode in a process of its own, beside decoding where one is.

    python -m benchmarks.apart

Processor time of both processes together, for a picture, and the seconds until a new process has
decoded its first; medians of turns taken one after the other.
"""

import io
import resource
import statistics
import time
from collections.abc import Callable

import numpy as np
from PIL import Image

from visionquery.images import workers
from visionquery.images.content import Content, of_bytes
from visionquery.images.decode import decode

__all__: list[str] = []

TURNS = 7
PICTURES = 20
MIN_SIDE = 448
SIZES = {"0.05 MP": (250, 200), "2 MP": (1600, 1200), "12 MP": (4000, 3000)}


def picture(size: tuple[int, int]) -> Content:
    """Return a JPEG as detailed as a photograph is."""
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 255, (size[1] // 10, size[0] // 10, 3), np.uint8))
    stream = io.BytesIO()
    small.resize(size, Image.Resampling.BILINEAR).save(stream, "JPEG", quality=90)
    return of_bytes(stream.getvalue())


def processor_seconds() -> float:
    """Return what this process and those of its children that ended have used."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def each_apart(content: Content, pictures: int) -> float:
    """Return the processor seconds of decoding apart, the process's start and end included."""
    before = processor_seconds()
    for _ in range(pictures):
        workers.decode(content, min_side=MIN_SIDE)
    workers.close()
    return processor_seconds() - before


def each_here(content: Content) -> float:
    before = processor_seconds()
    for _ in range(PICTURES):
        decode(content.data, min_side=MIN_SIDE)
    return processor_seconds() - before


def median(measure: Callable[[], float]) -> float:
    return statistics.median(measure() for _ in range(TURNS))


def first(content: Content) -> float:
    """Return the seconds until a new process has decoded its first picture."""
    workers.close()
    started = time.perf_counter()
    workers.decode(content, min_side=MIN_SIDE)
    return time.perf_counter() - started


def main() -> None:
    """Print a row for each size."""
    print("| JPEG | here | apart | ratio |\n|---|---|---|---|")
    for name, size in SIZES.items():
        content = picture(size)
        each_here(content)
        here, apart = [], []
        for _ in range(TURNS):
            here.append(each_here(content) / PICTURES)
            more = each_apart(content, PICTURES + 1) - each_apart(content, 1)
            apart.append(more / PICTURES)
        one, other = statistics.median(here) * 1e3, statistics.median(apart) * 1e3
        print(f"| {name} | {one:.1f} ms | {other:.1f} ms | {other / one:.2f} |")
    small = picture(SIZES["0.05 MP"])
    print(f"first picture of a new process: {median(lambda: first(small)) * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
