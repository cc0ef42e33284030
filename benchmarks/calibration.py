"""Fit SLOPE and MIDPOINT of search/calibrate.py, and print what the default threshold does.

    python benchmarks/calibration.py [MODEL] [CAPTIONS]

Matches are captions with their own photo; misses are captions with another photo, each counting
20 times. Then three rates at the default threshold: how many own photos among the first ten it
keeps, how many queries for things that no caption mentions it answers with nothing, and how much
of the library it calls relevant. Default data: ../shared of this repository.
"""

import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionquery.evaluate.ranking import ranks
from visionquery.images import decode
from visionquery.images.limits import Limits
from visionquery.models.catalog import resolve
from visionquery.models.encoder import Encoder, load_encoder
from visionquery.query.plan import Null
from visionquery.search.background import measure_background
from visionquery.search.calibrate import (
    DEFAULT_MIN_CONFIDENCE,
    MIDPOINT,
    SLOPE,
    log_odds,
    log_odds_of,
)
from visionquery.store.base import FileRecord, NewImage
from visionquery.store.memory import MemoryStore

SHARED = Path(__file__).resolve().parents[2] / "shared"
MISS_WEIGHT = 20.0
ABSENT = """giraffe zebra elephant penguin kangaroo helicopter pizza sushi laptop keyboard
refrigerator toilet sink microscope x-ray passport receipt invoice spreadsheet violin piano
submarine rocket pyramid volcano cactus sunflower tulip snake spider jellyfish octopus dolphin
whale spaceship galaxy chess tank tractor skeleton typewriter lighthouse windmill castle crocodile
owl hedgehog teapot broccoli diamond thermometer scissors"""


def main() -> None:
    """Measure and print."""
    model = sys.argv[1] if len(sys.argv) > 1 else str(SHARED / "models/lit-tiny")
    file = Path(sys.argv[2]) if len(sys.argv) > 2 else SHARED / "data/flickr8k-dev/captions.jsonl"
    entries = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    captions = [caption for entry in entries for caption in entry["captions"]]
    own = np.repeat(np.arange(len(entries)), [len(entry["captions"]) for entry in entries])
    encoder = load_encoder(resolve(model))
    store = library_of([file.parent / entry["file"] for entry in entries], encoder)
    background = measure_background(encoder, store)
    assert background is not None, "there are pictures"
    images = store.vectors(range(store.row_count()))
    scores = encoder.encode_texts(captions) @ images.T
    place = ranks(scores, own)
    matches = scores[np.arange(len(own)), own]
    print(f"{encoder.identity.name}: {len(entries)} photos, {len(captions)} captions")
    print(f"null: mean {background.null.mean:.4f}, std {background.null.std:.4f}")
    report_fit(matches, scores, own, background.null)
    report_rates(matches[place <= 10], scores, background.null)
    text = file.read_text("utf-8").lower()
    absent = [word for word in ABSENT.split() if word not in text]
    report_absent(
        encoder.encode_texts([f"a {word}" for word in absent]) @ images.T, background.null
    )
    report_own_spread(scores, own, place <= 10, background.null)


def library_of(paths: list[Path], encoder: Encoder) -> MemoryStore:
    """Encode pictures, 32 at a time, into a store whose rows are in their order."""
    store = MemoryStore(encoder.identity)
    with store.writing():
        root = store.add_root(str(paths[0].parent)).root_id
        for start in range(0, len(paths), 32):
            batch = paths[start : start + 32]
            data = [decode.read(path, limits=Limits()) for path in batch]
            decoded = [decode.decode(one, min_side=2 * encoder.image_side) for one in data]
            vectors = encoder.encode_images(np.stack([encoder.prepare(one) for one in decoded]))
            ids = [decode.image_id(one) for one in data]
            images = [
                NewImage(image_id, vector, one.facts)
                for image_id, vector, one in zip(ids, vectors, decoded, strict=True)
            ]
            files = [
                FileRecord(root, path.name, 1, 1, image_id)
                for path, image_id in zip(batch, ids, strict=True)
            ]
            store.write(images, files)
    return store


def report_fit(
    matches: NDArray[np.float32], scores: NDArray[np.float32], own: NDArray[np.intp], null: Null
) -> None:
    """Fit confidence = 1 / (1 + exp(-slope * (z - midpoint))) by Newton's method."""
    other = (own + np.random.default_rng(0).integers(1, scores.shape[1], len(own))) % scores.shape[
        1
    ]
    misses = scores[np.arange(len(own)), other]
    z = (np.concatenate([matches, misses]).astype(np.float64) - null.mean) / null.std
    design = np.stack([z, np.ones_like(z)], axis=1)
    truth = np.repeat([1.0, 0.0], len(own))
    weight = np.where(truth == 1, 1.0, MISS_WEIGHT)
    theta = np.zeros(2)
    for _ in range(50):
        chance = 1 / (1 + np.exp(-design @ theta))
        curvature = (design * (weight * chance * (1 - chance))[:, None]).T @ design
        theta -= np.linalg.solve(curvature, design.T @ (weight * (chance - truth)))
    slope, midpoint = theta[0], -theta[1] / theta[0]
    print(f"fit: slope {slope:.2f}, midpoint {midpoint:.2f} (used: {SLOPE}, {MIDPOINT})")


def report_rates(kept: NDArray[np.float32], scores: NDArray[np.float32], null: Null) -> None:
    """Print what the default threshold keeps of own photos in the first ten, and of everything."""
    least = log_odds_of(DEFAULT_MIN_CONFIDENCE)
    share = np.mean(log_odds(kept, null) >= least)
    relevant = np.count_nonzero(log_odds(scores.ravel(), null) >= least) / len(scores)
    print(f"threshold: confidence {DEFAULT_MIN_CONFIDENCE}, z {least / SLOPE + MIDPOINT:.2f}")
    print(f"own photo in the first ten and kept: {share:.1%}")
    print(f"called relevant for a caption: {relevant:.1f} of {scores.shape[1]} photos")


def report_absent(scores: NDArray[np.float32], null: Null) -> None:
    """Print how often a query for an absent thing is answered with nothing."""
    least = log_odds_of(DEFAULT_MIN_CONFIDENCE)
    hits = np.array([np.count_nonzero(log_odds(row, null) >= least) for row in scores])
    silent = np.mean(hits == 0)
    print(
        f"absent things: {silent:.0%} of {len(hits)} queries give nothing, "
        f"median {np.median(hits):.0f}, mean {np.mean(hits):.1f} photos"
    )


def report_own_spread(
    scores: NDArray[np.float32], own: NDArray[np.intp], good: NDArray[np.bool_], null: Null
) -> None:
    """Print by how much z must shrink when a probe's own scores take the place of the null."""
    matches = np.take_along_axis(scores, own[:, None], axis=1)[:, 0]
    by_own = (matches - scores.mean(axis=1)) / scores.std(axis=1)
    by_null = (matches - null.mean) / null.std
    ratio = np.percentile(by_own[good], 3) / np.percentile(by_null[good], 3)
    print(f"own scores spread wider: third percentile of z is {ratio:.2f} of the null's")


if __name__ == "__main__":
    main()
