"""Large libraries that are made: the vectors of photographs with noise, in folders and files named
as cameras and people do. There are no files behind them."""

import numpy as np
from benchmarks.quality.photos import Photos

from visionquery.search.background import refresh_background
from visionquery.store.base import FileRecord, NewImage, Store
from visionquery.types import Facts

_BATCH = 10_000
_NOISE = 0.5

_FOLDERS = ("holiday", "beach trip", "family", "work", "birthday party", "garden", "snow", "misc")


def fill(store: Store, photos: Photos, images: int) -> None:
    """Put made images into an empty store, a multiple of 10,000, and measure its background."""
    random = np.random.default_rng(0)
    count, dim = photos.vectors.shape
    for start in range(0, images, _BATCH):
        noise = random.standard_normal((_BATCH, dim)).astype(np.float32)
        noise *= _NOISE / np.linalg.norm(noise, axis=1, keepdims=True)
        vectors = photos.vectors[np.arange(_BATCH) % count] + noise
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        numbers = range(start, start + _BATCH)
        made = [
            NewImage(f"{i:032x}", vector, _facts(i))
            for i, vector in zip(numbers, vectors, strict=True)
        ]
        with store.writing():
            root = store.add_root("/photos").root_id
            store.write(made, [FileRecord(root, _path(i), 1, 1, f"{i:032x}") for i in numbers])
    with store.writing():
        refresh_background(store, photos.encoder)


def _facts(number: int) -> Facts:
    taken = f"{2010 + number % 15}-{1 + number % 12:02}-{1 + number % 28:02}T12:00:00"
    camera = ("Sony A7", "Canon EOS R5", "Apple iPhone 14", None)[number % 4]
    return Facts(4000, 3000, "JPEG", 1, camera=camera, taken_at=taken)


def _path(number: int) -> str:
    folder = _FOLDERS[number // 500 % len(_FOLDERS)]
    return f"{2010 + number // 7000}/{folder} {number // 500}/IMG_{number:06}.jpg"
