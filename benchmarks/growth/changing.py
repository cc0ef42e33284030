"""What changing a library takes: an image more, one less, and a whole batch."""

from pathlib import Path
from typing import Any

import numpy as np
from benchmarks import vectors
from benchmarks.growth.made import copied, new_files, new_images
from benchmarks.growth.timing import seconds_of, summary

from visionquery.store.base import Store
from visionquery.store.local import open_local
from visionquery.types import Matrix

__all__ = ["changing"]

_ONES = 21
_BATCHES = 3


def changing(library: Path, rows: int, dim: int) -> dict[str, Any]:
    """Return the figures of changes to a library of made images, on a copy of it."""
    with copied(library) as copy:
        store = open_local(copy)
        with store.writing():
            root = store.add_root("/photos").root_id
        fresh = np.concatenate(list(vectors.images(2 * vectors.BATCH, dim)))
        added = [_added(store, root, rows + i, fresh[i : i + 1]) for i in range(_ONES)]
        chosen = np.random.default_rng(5).choice(rows, size=_ONES, replace=False)
        removed = [_removed(store, root, number) for number in chosen.tolist()]
        first, batch = rows + _ONES, fresh[vectors.BATCH :]
        batches = [
            _added(store, root, first + i * len(batch), batch) / len(batch) for i in range(_BATCHES)
        ]
        store.close()
    runs = {"index": batches, "add one": added, "remove one": removed}
    return {"operations": {name: summary(seconds) for name, seconds in runs.items()}}


def _added(store: Store, root: int, first: int, rows: Matrix) -> float:
    """Return the seconds of writing images of vectors (n, dim), durable and searchable."""
    images = new_images(first, rows)
    files = new_files(root, first, images)

    def add() -> None:
        with store.writing():
            store.write(images, files)

    return seconds_of(add)


def _removed(store: Store, root: int, number: int) -> float:
    def remove() -> None:
        with store.writing():
            store.forget([(root, vectors.path_of(number))])
            assert store.prune() == 1

    return seconds_of(remove)
