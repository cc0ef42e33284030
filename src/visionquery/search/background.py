"""The background of a library: what plain captions score on its images when nothing is meant.

A fixed bank of everyday captions (`background.txt`) gives every image its bias, the mean of the
cosines it has with those that like it best: some images lie near every text (hubs). Biases are
measures of the store, made once for each image as it comes. What all images together score on
the bank, less their biases, is measured on a sample and kept as a note until the library has
changed too much.

Source of the bias: Nearest Neighbor Normalization, arXiv 2410.24114, section 3.
"""

import base64
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from visionquery.models.encoder import Encoder
from visionquery.query.plan import Null
from visionquery.store.base import Store
from visionquery.types import Matrix, Vector

__all__ = [
    "BACKGROUND_NOTE",
    "BANK_NOTE",
    "SAMPLE_SIZE",
    "Background",
    "background_of",
    "biases_of",
    "captions",
    "compacted_notes",
    "copied_notes",
    "encode_bank",
    "is_stale",
    "keep_background",
    "kept_background",
    "measure_background",
    "measure_biases",
    "refresh_background",
]

BACKGROUND_NOTE: Final = "background"
BANK_NOTE: Final = "background-bank"
"""Notes of what was measured, and of the bank's vectors; both hold for one model."""

SAMPLE_SIZE: Final = 4096
"""Most images that a measurement of the background looks at."""

_NEAREST: Final = 64
"""Captions of the bank that make an image's bias: the best quarter."""

_VERSION: Final = 2
_CHUNK: Final = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """Cosines of captions without a match, and the middle of both modalities.

    `text_mean` and `image_mean` are mean vectors, (embed_dim,), not of unit length; `images` is
    how many the library had, `measured_rows` how many of its rows have had their bias measured.
    """

    null: Null
    text_mean: Vector
    image_mean: Vector
    images: int
    measured_rows: int


def refresh_background(store: Store, encoder: Encoder) -> None:
    """Measure the bias of images that have none yet and, once the library has changed enough, its
    background. Call it inside `store.writing()`."""
    kept = kept_background(store)
    measured = 0 if kept is None else kept.measured_rows
    is_due = kept is None or is_stale(kept, store.image_count())
    if not is_due and measured == store.row_count():
        return
    bank = encode_bank(store, encoder)
    measured = measure_biases(store, bank, first_row=measured)
    if is_due:
        kept = measure_background(store, bank, measured_rows=measured)
    if kept is not None:
        keep_background(store, replace(kept, measured_rows=measured))


def measure_biases(store: Store, bank: Matrix, *, first_row: int) -> int:
    """Measure the bias of every row from `first_row` on, and return how many rows there are.

    Call it inside `store.writing()`.
    """
    row_count = store.row_count()
    for start in range(first_row, row_count, _CHUNK):
        rows = range(start, min(start + _CHUNK, row_count))
        store.write_measures(start, biases_of(store.vectors(rows), bank)[:, None])
    return row_count


def biases_of(images: Matrix, bank: Matrix) -> NDArray[np.float32]:
    """Return the biases, (n,), of images (n, embed_dim): the mean of the best cosines with the
    bank (b, embed_dim)."""
    cosines = images @ bank.T
    count = min(_NEAREST, len(bank))
    best = np.partition(cosines, len(bank) - count, axis=1)[:, -count:]
    return np.asarray(best.mean(axis=1), dtype=np.float32)


def measure_background(store: Store, bank: Matrix, *, measured_rows: int) -> Background | None:
    """Measure the background of a library; None for one without images.

    The sample is the store's, of SAMPLE_SIZE images: it does not depend on the order in which they
    came.
    """
    with store.reading():
        rows = store.sample(SAMPLE_SIZE).tolist()
        images = store.vectors(rows)
        count = store.image_count()
    return background_of(bank, images, count, measured_rows=measured_rows) if rows else None


def background_of(
    bank: Matrix, images: Matrix, count: int, *, measured_rows: int = 0
) -> Background:
    """Return the background of a library of `count` images, of which these, (n, embed_dim), are an
    even sample, by the bank's vectors (b, embed_dim)."""
    biases = biases_of(images, bank)
    cosines = bank @ images.T
    rest = cosines - biases
    return Background(
        null=Null(mean=float(rest.mean()), std=float(rest.std()), bias=float(biases.mean())),
        text_mean=bank.mean(axis=0),
        image_mean=images.mean(axis=0),
        images=count,
        measured_rows=measured_rows,
    )


def is_stale(background: Background, image_count: int) -> bool:
    """Tell whether a library has grown or shrunk by more than a tenth since it was measured."""
    return abs(image_count - background.images) * 10 > background.images


def encode_bank(store: Store, encoder: Encoder) -> Matrix:
    """Return the vectors of the bank's captions, (b, embed_dim), encoded once for each library
    and model. Call it inside `store.writing()`."""
    text = store.note(BANK_NOTE)
    note: dict[str, Any] = json.loads(text) if text else {}
    texts = captions()
    fingerprint = encoder.identity.fingerprint
    if (note.get("version"), note.get("model")) != (_VERSION, fingerprint):
        bank = encoder.encode_texts(texts).astype("<f2")
        encoded = base64.b64encode(bank.tobytes()).decode("ascii")
        note = {"version": _VERSION, "model": fingerprint, "vectors": encoded}
        store.set_note(BANK_NOTE, json.dumps(note))
    # Read back even when just written: biases must not depend on the run that measured them.
    stored = np.frombuffer(base64.b64decode(note["vectors"]), dtype="<f2")
    return stored.reshape(len(texts), -1).astype(np.float32)


def keep_background(store: Store, background: Background) -> None:
    """Write the note. Call it inside `store.writing()`."""
    store.set_note(BACKGROUND_NOTE, _noted(background))


def compacted_notes(store: Store) -> dict[str, str]:
    """Return the notes, by key, that hold for a store once it is compacted, where now others do.
    Call it inside `store.writing()`."""
    kept = kept_background(store)
    if kept is None:
        return {}
    measured = int(store.alive()[: kept.measured_rows].sum())
    return {BACKGROUND_NOTE: _noted(replace(kept, measured_rows=measured))}


def copied_notes(store: Store, *, measured_rows: int) -> dict[str, str]:
    """Return the notes, by key, that hold for a copy of a store with the biases of its first
    `measured_rows` rows, "" for one that there is not."""
    kept = kept_background(store)
    return {
        BANK_NOTE: store.note(BANK_NOTE) or "",
        BACKGROUND_NOTE: "" if kept is None else _noted(replace(kept, measured_rows=measured_rows)),
    }


def _noted(background: Background) -> str:
    null = background.null
    note = {
        "version": _VERSION,
        "images": background.images,
        "measured_rows": background.measured_rows,
        "null": [null.mean, null.std, null.bias],
        "text_mean": _encoded(background.text_mean),
        "image_mean": _encoded(background.image_mean),
    }
    return json.dumps(note)


def kept_background(store: Store) -> Background | None:
    """Read the note; None where there is none or another version of the bank wrote it."""
    text = store.note(BACKGROUND_NOTE)
    note: dict[str, Any] = json.loads(text) if text else {}
    if note.get("version") != _VERSION:
        return None
    return Background(
        null=Null(*note["null"]),
        text_mean=_decoded(note["text_mean"]),
        image_mean=_decoded(note["image_mean"]),
        images=note["images"],
        measured_rows=note["measured_rows"],
    )


def captions() -> list[str]:
    """Return the captions of the bank."""
    path = Path(__file__).with_name("background.txt")
    return path.read_text(encoding="utf-8").splitlines()


def _encoded(vector: Vector) -> str:
    return base64.b64encode(vector.astype("<f4").tobytes()).decode("ascii")


def _decoded(text: str) -> Vector:
    return np.frombuffer(base64.b64decode(text), dtype="<f4").astype(np.float32)
