"""Made-up images and places for checks of stores, the same on every run."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import StoreError
from visionquery.store.base import FileRecord, NewImage, Store
from visionquery.types import Facts, ModelIdentity

__all__ = ["HOME", "MODEL", "example_image", "fill", "is_refused", "seen_names"]

MODEL = ModelIdentity(name="tiny", fingerprint="f1", embed_dim=8, source="tiny")
HOME = r"C:\pictures" if os.name == "nt" else "/pictures"


def example_image(
    name: str, *, embed_dim: int = 8, taken_at: str | None = None, width: int = 640
) -> NewImage:
    """Return an image whose id, and unit vector (embed_dim,), follow from `name` alone."""
    digest = hashlib.sha256(name.encode()).digest()
    vector = np.random.default_rng(list(digest)).standard_normal(embed_dim).astype(np.float32)
    facts = Facts(width, 480, "JPEG", 1000, taken_at=taken_at, keywords=("näme", name))
    return NewImage(digest[:16].hex(), vector / np.linalg.norm(vector), facts)


def fill(store: Store, images: dict[str, NewImage], *, home: str = HOME) -> None:
    """Write images by the path of a file, relative to the root `home`, that holds each."""
    with store.writing():
        root = store.add_root(home)
        files = [FileRecord(root.root_id, path, 1, 2, new.image_id) for path, new in images.items()]
        store.write(list(images.values()), files)


def seen_names(store: Store, mask: NDArray[np.bool_]) -> list[str]:
    assert mask.dtype == np.bool_
    assert mask.shape == (store.row_count(),)
    rows = np.flatnonzero(mask).tolist()
    home = Path(HOME)
    return sorted(
        Path(path).relative_to(home).as_posix()
        for record in store.records(rows)
        for path in record.paths
    )


def is_refused(action: Callable[[], object], expected: type[Exception] = StoreError) -> bool:
    try:
        action()
    except expected as error:
        return len(str(error)) > 0
    return False
