"""Libraries of a size: of made vectors to measure a store on, of photographs with noise to ask the
real command, and copies of them to write to."""

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import vectors
from benchmarks.quality.made import fill
from benchmarks.quality.photos import photographs

from visionquery.store.base import FileRecord, NewImage
from visionquery.store.layout import CATALOG_NAME
from visionquery.store.local import create_local
from visionquery.types import Facts, Matrix, ModelIdentity

__all__ = ["POCKET", "copied", "new_files", "new_images", "of_made", "of_pocket"]

POCKET = "pocket"
_CACHE_KIB = 262_144


def of_made(folder: Path, rows: int, dim: int) -> Path:
    """Return the folder of a library of so many made images, a multiple of 10,000 or fewer than
    that, made unless it is there."""
    if rows % vectors.BATCH == 0:
        vectors.library(folder, rows, dim).close()
        return folder / f"clustered-{rows}-{dim}"
    done = folder / f"growth-{rows}-{dim}"
    if not done.exists():
        unfinished = _fresh(done)
        store = create_local(unfinished, ModelIdentity("made", "made", dim, "made"))
        vectors.add(store, 0, next(vectors.images(vectors.BATCH, dim))[:rows])
        store.close()
        unfinished.rename(done)
    return done


def of_pocket(folder: Path, rows: int) -> Path:
    """Return the folder of a library that the model in the box can search, of a multiple of 10,000
    images: the shared photographs with noise, made unless it is there."""
    done = folder / f"{POCKET}-{rows}"
    if not done.exists():
        unfinished = _fresh(done)
        photos = photographs(POCKET)
        store = create_local(unfinished, photos.encoder.identity)
        fill(store, photos, rows)
        store.close()
        unfinished.rename(done)
    return done


@contextmanager
def copied(library: Path) -> Iterator[Path]:
    """Give a copy of a library that may be written to, on disk as a whole, its ids spread as those
    of hashes are: rising ones, as made images have, are cheaper to add to an index."""
    copy = library.with_suffix(".copy")
    shutil.rmtree(copy, ignore_errors=True)
    try:
        shutil.copytree(library, copy)
        _spread_ids(copy / CATALOG_NAME)
        os.sync()
        yield copy
    finally:
        shutil.rmtree(copy, ignore_errors=True)


def new_images(first: int, rows: Matrix) -> list[NewImage]:
    """Return images of vectors (n, dim), the first of them the number `first`."""
    return [NewImage(_hashed(i), vector, _facts(i)) for i, vector in enumerate(rows, first)]


def new_files(root_id: int, first: int, images: list[NewImage]) -> list[FileRecord]:
    """Return a file of each image, below a root."""
    return [
        FileRecord(root_id, vectors.path_of(number), 1, 1, image.image_id)
        for number, image in enumerate(images, first)
    ]


def _facts(number: int) -> Facts:
    taken = f"{2010 + number % 15}-{1 + number % 12:02}-{1 + number % 28:02}T12:00:00"
    return Facts(4000, 3000, "JPEG", 1, camera="Sony A7", taken_at=taken)


def _hashed(number: int) -> str:
    return hashlib.blake2b(str(number).encode(), digest_size=16).hexdigest()


def _spread_ids(catalog: Path) -> None:
    connection = sqlite3.connect(catalog, isolation_level=None)
    connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    connection.create_function("spread", 1, lambda row: bytes.fromhex(_hashed(row)))
    connection.execute("UPDATE images SET image_id = spread(row)")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


def _fresh(done: Path) -> Path:
    unfinished = done.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    return unfinished
