"""The background of a library: what plain captions score on its images when nothing is meant.

Measured with a fixed list of everyday captions (`background.txt`) against a sample of the images,
and kept as a note of the store until the library has changed too much.
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import nsmallest
from pathlib import Path
from typing import Any, Final

import numpy as np

from visionquery.models.encoder import Encoder
from visionquery.query.plan import Null
from visionquery.store.base import Store
from visionquery.types import Vector

__all__ = [
    "BACKGROUND_NOTE",
    "SAMPLE_SIZE",
    "Background",
    "is_stale",
    "keep_background",
    "kept_background",
    "measure_background",
]

BACKGROUND_NOTE: Final = "background"
"""Note of what was measured; it holds for the vectors of one model."""

SAMPLE_SIZE: Final = 4096
"""Most images that a measurement looks at."""

_VERSION: Final = 1
_CHUNK: Final = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """Cosines of captions without a match, and the middle of both modalities.

    `text_mean` and `image_mean` are mean vectors, (embed_dim,), not of unit length; `images` is
    how many the library had.
    """

    null: Null
    text_mean: Vector
    image_mean: Vector
    images: int


def measure_background(encoder: Encoder, store: Store) -> Background | None:
    """Measure the background of a library; None for one without images.

    The sample is the SAMPLE_SIZE images with the smallest ids, so it does not depend on the
    order in which they came.
    """
    with store.reading():
        rows = _sample(store)
        images = store.vectors(rows)
        count = store.image_count()
    if not rows:
        return None
    texts = encoder.encode_texts(_captions())
    cosines = texts @ images.T
    return Background(
        null=Null(mean=float(cosines.mean()), std=float(cosines.std())),
        text_mean=texts.mean(axis=0),
        image_mean=images.mean(axis=0),
        images=count,
    )


def is_stale(background: Background, image_count: int) -> bool:
    """Tell whether a library has grown or shrunk by more than a tenth since it was measured."""
    return abs(image_count - background.images) * 10 > background.images


def keep_background(store: Store, background: Background) -> None:
    """Write the note. Call it inside `store.writing()`."""
    note = {
        "version": _VERSION,
        "images": background.images,
        "mean": background.null.mean,
        "std": background.null.std,
        "text_mean": _encoded(background.text_mean),
        "image_mean": _encoded(background.image_mean),
    }
    store.set_note(BACKGROUND_NOTE, json.dumps(note))


def kept_background(store: Store) -> Background | None:
    """Read the note; None where there is none or another version of the captions wrote it."""
    text = store.note(BACKGROUND_NOTE)
    note: dict[str, Any] = json.loads(text) if text else {}
    if note.get("version") != _VERSION:
        return None
    return Background(
        null=Null(mean=note["mean"], std=note["std"]),
        text_mean=_decoded(note["text_mean"]),
        image_mean=_decoded(note["image_mean"]),
        images=note["images"],
    )


def _captions() -> list[str]:
    path = Path(__file__).with_name("background.txt")
    return path.read_text(encoding="utf-8").splitlines()


def _sample(store: Store) -> list[int]:
    return [row for _, row in nsmallest(SAMPLE_SIZE, _ids(store))]


def _ids(store: Store) -> Iterator[tuple[str, int]]:
    alive = np.flatnonzero(store.alive())
    for start in range(0, len(alive), _CHUNK):
        for record in store.records(alive[start : start + _CHUNK].tolist()):
            yield record.image_id, record.row


def _encoded(vector: Vector) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")


def _decoded(text: str) -> Vector:
    return np.frombuffer(base64.b64decode(text), dtype="<f4").astype(np.float32)
