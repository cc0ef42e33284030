"""A library of real vectors, with words and facts, that engines are measured with.

It has some of the 38,138 vectors that `lit-tiny` gave the photographs of the shared training
material; a third of them have captions, which are keywords here.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from benchmarks.quality.photos import LIT_TINY, SHARED

from visionquery.images import content
from visionquery.library import Library
from visionquery.models.catalog import resolve
from visionquery.models.encoder import Encoder, load_encoder
from visionquery.search.background import refresh_background
from visionquery.store.base import FileRecord, NewImage, Store
from visionquery.store.local import create_local, open_local
from visionquery.types import Facts, Matrix

__all__ = ["encoder", "library_of", "made_image_id", "real"]

_BATCH = 5_000
_CAMERAS = ("Sony A7", "Canon EOS R5", "Apple iPhone 14", None)
_PLACES = ((48.86, 2.35), (52.52, 13.40), (35.68, 139.69), (None, None))


def encoder() -> Encoder:
    """Return the encoder of the real vectors."""
    return load_encoder(resolve(LIT_TINY))


def real(folder: Path, count: int) -> Store:
    """Return the open library of so many real vectors in a folder; one that is there is taken."""
    if folder.exists():
        return open_local(folder)
    model = encoder()
    store = create_local(folder, model.identity)
    vectors, captions = _material(count)
    with store.writing():
        roots = [store.add_root(place).root_id for place in ("/photos", "/work/clients")]
        for start in range(0, count, _BATCH):
            numbers = range(start, min(start + _BATCH, count))
            ids = [(i, made_image_id(i)) for i in numbers]
            store.write(
                [NewImage(image_id, vectors[i], _facts(i, captions[i])) for i, image_id in ids],
                [FileRecord(roots[i % 3 == 0], _path(i), 1000, i, image_id) for i, image_id in ids],
            )
        store.write_texts({row: f"EXIT {row}" if row % 2 else "" for row in range(0, count, 50)})
        refresh_background(store, model)
    return store


@contextmanager
def library_of(store: Store, model: Encoder) -> Iterator[Library]:
    """Give the façade of a store."""
    yield Library(store, lambda _: model)


def made_image_id(number: int) -> str:
    """Return an id that is spread as hashes are."""
    return content.image_id(str(number).encode())


def _material(count: int) -> tuple[Matrix, list[str]]:
    folder = SHARED / "pocket-train"
    vectors = np.load(folder / "targets.npy")[:count].astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    lines = (folder / "captions.jsonl").read_text("utf-8").splitlines()
    captions = {entry["id"]: entry["captions"][0] for entry in map(json.loads, lines)}
    index = map(json.loads, (folder / "index.jsonl").read_text("utf-8").splitlines())
    return vectors, [captions.get(one["id"], "") for one in index][:count]


def _facts(number: int, caption: str) -> Facts:
    keywords = tuple(dict.fromkeys(re.findall("[a-z]{4,}", caption.lower())))
    taken = f"{2010 + number % 15}-{1 + number % 12:02}-{1 + number % 28:02}T12:00:00"
    latitude, longitude = _PLACES[number % 4]
    width, height = ((4000, 3000), (3000, 4000), (1080, 1080))[number % 3]
    return Facts(
        width, height, "JPEG", 1000, camera=_CAMERAS[number % 4],
        taken_at=taken if number % 7 else None,
        latitude=None if latitude is None else latitude + number % 100 / 1000,
        longitude=longitude, keywords=keywords if number % 2 else (),
    )  # fmt: skip


def _path(number: int) -> str:
    ending = "jpg" if number % 5 else "png"
    return f"{2010 + number % 15}/trip {number // 500}/IMG_{number:07}.{ending}"
