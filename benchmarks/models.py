"""Models side by side on the same captioned pictures: size, speed, hit rates.

    python benchmarks/models.py CAPTIONS.jsonl MODEL [MODEL …]

MODEL is a catalog name or a folder. Times are medians of interleaved runs with one thread per
core: one picture of a batch of 8, and one query alone. Floor of a hit rate: chance, k / images.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from visionquery.evaluation import Evaluation, evaluate, read_captions
from visionquery.models.catalog import resolve
from visionquery.models.encoder import Encoder, load_encoder
from visionquery.models.spec import ModelSpec, artifacts
from visionquery.models.weights import require

RUNS = 15
BATCH = 8
QUERY = "two children playing with a dog on the beach"


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def timings(encoders: list[Encoder]) -> list[tuple[float, float]]:
    """Median milliseconds per picture and per query of each encoder."""
    batches = [np.zeros((BATCH, 3, e.image_side, e.image_side), np.float32) for e in encoders]
    image: list[list[float]] = [[] for _ in encoders]
    text: list[list[float]] = [[] for _ in encoders]
    for _ in range(RUNS):
        for i, (encoder, batch) in enumerate(zip(encoders, batches, strict=True)):
            encoder.encode_images(batch)  # warm again after the others
            encoder.encode_texts([QUERY])
            image[i].append(seconds(lambda e=encoder, b=batch: e.encode_images(b)) / BATCH)
            text[i].append(seconds(lambda e=encoder: e.encode_texts([QUERY])))
    return [
        (statistics.median(a) * 1000, statistics.median(b) * 1000)
        for a, b in zip(image, text, strict=True)
    ]


def size_megabytes(spec: ModelSpec) -> float:
    return sum(p.stat().st_size for p in require(spec, *artifacts(spec), verify=False)) / 1e6


def main() -> None:
    """Measure and print a table."""
    entries = read_captions(Path(sys.argv[1]))
    specs = [resolve(name) for name in sys.argv[2:]]
    encoders = [load_encoder(spec) for spec in specs]
    measured: list[Evaluation] = [
        evaluate(entries, encoder, threads=2, on_progress=lambda _: None) for encoder in encoders
    ]
    print(f"{len(entries):,} pictures; hit_rate@1/5/10 by chance: "
          f"{100 / len(entries):.1f} {500 / len(entries):.1f} {1000 / len(entries):.1f} %")
    print("| model | size | image | query | hit_rate@1 | @5 | @10 | MRR |")
    print("|---|---|---|---|---|---|---|---|")
    for spec, found, (image, text) in zip(specs, measured, timings(encoders), strict=True):
        rates = " | ".join(f"{found.hit_rate[k] * 100:.1f} %" for k in (1, 5, 10))
        print(f"| {spec.name} | {size_megabytes(spec):.1f} MB | {image:.1f} ms | {text:.1f} ms | "
              f"{rates} | {found.mrr:.3f} |")


if __name__ == "__main__":
    main()
