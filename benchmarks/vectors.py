"""Vectors that are made: clustered and with a common direction, as those of photographs have, or
spread evenly; texts that ask for them; and libraries of them on disk without files."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from visionquery.store.base import FileRecord, NewImage, Store
from visionquery.store.local import create_local, open_local
from visionquery.types import Facts, Matrix, ModelIdentity

Kind = Literal["clustered", "random"]

BATCH = 10_000
_AT_ONCE = 2**24
_IN_A_CLUSTER = 200
_FINGERPRINT = "made"


def unit(rows: Matrix) -> Matrix:
    """Return rows (n, d) at length 1."""
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def images(count: int, dim: int, kind: Kind = "clustered") -> Iterator[Matrix]:
    """Yield unit vectors of so many images, a multiple of 10,000, (10,000, dim) at a time. Of those
    with clusters, two have a cosine of about 0.5, two of one cluster 0.75."""
    random = np.random.default_rng(1)
    centres = _centres(count, dim)
    for _ in range(0, count, BATCH):
        noise = random.standard_normal((BATCH, dim), dtype=np.float32)
        if kind == "random":
            yield unit(noise)
            continue
        chosen = centres[random.integers(len(centres), size=BATCH)]
        yield unit(0.7 * _common(dim) + 0.5 * chosen + 0.5 * unit(noise))


def texts(count: int, images: int, dim: int) -> Matrix:
    """Return unit vectors (count, dim) of texts that ask for clusters among so many images: they
    lie far from all images, as those of words do, with cosines of 0.1 to 0.4."""
    random = np.random.default_rng(2)
    centres, common = _centres(images, dim), _common(dim)
    kind = unit(random.standard_normal(dim))
    chosen = centres[random.integers(len(centres), size=count)]
    own = unit(random.standard_normal((count, dim)))
    return unit(0.35 * chosen + 0.2 * common + 0.9 * unit(kind + own))


def library(folder: Path, count: int, dim: int, kind: Kind = "clustered") -> Store:
    """Return the open library of so many made images in a folder; one that is there is taken."""
    done = folder / f"{kind}-{count}-{dim}"
    if not done.exists():
        unfinished = done.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        store = create_local(unfinished, ModelIdentity("made", _FINGERPRINT, dim, "made"))
        with store.writing():
            root = store.add_root("/photos").root_id
            for number, vectors in enumerate(images(count, dim, kind)):
                _write(store, root, number * BATCH, vectors)
        store.close()
        unfinished.rename(done)
    return open_local(done)


def warm(folder: Path, *, but: str = "") -> None:
    """Have the system hold the files below a folder, but for those of an ending, so that the disk
    is no part of what is measured."""
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != but:
            with path.open("rb") as file:
                while file.read(_AT_ONCE):
                    pass


def add(store: Store, first: int, vectors: Matrix) -> None:
    """Add images of vectors (n, dim), the first of them the number `first`, as one batch."""
    with store.writing():
        _write(store, store.add_root("/photos").root_id, first, vectors)


def image_id(number: int) -> str:
    """Return the id of the image of a number."""
    return f"{number:032x}"


def path_of(number: int) -> str:
    """Return the path of the image of a number, below its root."""
    return f"{2010 + number // 7000}/trip {number // 500}/IMG_{number:07}.jpg"


def records(root: int, first: int, vectors: Matrix) -> tuple[list[NewImage], list[FileRecord]]:
    """Return images of vectors (n, dim), the first of them the number `first`, and their files."""
    made = [NewImage(image_id(i), v, facts(i)) for i, v in enumerate(vectors, first)]
    files = [
        FileRecord(root, path_of(first + i), 1, 1, image.image_id) for i, image in enumerate(made)
    ]
    return made, files


def _write(store: Store, root: int, first: int, vectors: Matrix) -> None:
    store.write(*records(root, first, vectors))
    biases = np.random.default_rng(first).normal(0.2, 0.03, (len(vectors), 1))
    store.write_measures(first, biases.astype(np.float32))


def facts(number: int) -> Facts:
    """Return the facts of the image of a number."""
    taken = f"{2010 + number % 15}-{1 + number % 12:02}-{1 + number % 28:02}T12:00:00"
    camera = ("Sony A7", "Canon EOS R5", "Apple iPhone 14", None)[number % 4]
    return Facts(4000, 3000, "JPEG", 1, camera=camera, taken_at=taken)


def _centres(count: int, dim: int) -> Matrix:
    random = np.random.default_rng(3)
    return unit(random.standard_normal((max(count // _IN_A_CLUSTER, 20), dim), dtype=np.float32))


def _common(dim: int) -> Matrix:
    return unit(np.random.default_rng(4).standard_normal(dim))
