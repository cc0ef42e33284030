"""What may enter a store: a batch is checked, and made fit to keep, before anything is written."""

import re
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import StoreError
from visionquery.store.base import MEASURES, FileRecord, Fragment, NewImage
from visionquery.store.fragments import parts_of
from visionquery.types import Facts, Matrix

__all__ = [
    "UNIT_TOLERANCE",
    "Batch",
    "checked_batch",
    "checked_facts",
    "checked_measures",
    "checked_probes",
    "checked_rows",
    "checked_vectors",
    "is_image_id",
    "storable",
]

_IMAGE_ID = re.compile(r"(?:[0-9a-f]{2})+")
UNIT_TOLERANCE = 1e-2
"""How far from 1 the length of a vector may be."""

_INT64 = np.iinfo(np.int64)


@dataclass(frozen=True, slots=True)
class Batch:
    """Images by id, the first of each, and file records by (root_id, path), the last of each."""

    images: dict[str, NewImage]
    files: dict[tuple[int, str], FileRecord]


def checked_batch(
    images: Sequence[NewImage], files: Sequence[FileRecord], *, embed_dim: int
) -> Batch:
    """Return a batch fit to keep. Raises StoreError naming what cannot be."""
    for image in images:
        _check_image(image, embed_dim)
    for file in files:
        _check_file(file)
    first: dict[str, NewImage] = {}
    for image in images:
        first.setdefault(image.image_id, _fit_image(image))
    return Batch(
        images=first,
        files={(file.root_id, file.path): _fit_file(file) for file in files},
    )


def checked_facts(facts: Mapping[str, Facts], known: Set[str]) -> dict[str, Facts]:
    """Return facts by image_id, fit to keep. Raises StoreError when an image is not `known`."""
    if missing := facts.keys() - known:
        raise StoreError(f"Image {min(missing)} is not stored (any more): its facts cannot change.")
    return {image_id: _fit_facts(each) for image_id, each in facts.items()}


def checked_measures(
    first_row: int, measures: NDArray[np.float32], row_count: int
) -> NDArray[np.float32]:
    """Return measures as float32 (n, MEASURES). Raises StoreError for another shape, or when the
    rows from `first_row` on are not all below `row_count`."""
    if measures.ndim != 2 or measures.shape[1] != MEASURES:
        raise StoreError(f"Measures of shape {measures.shape} are not {MEASURES} for each image.")
    checked_rows([first_row, first_row + len(measures) - 1][: len(measures)], row_count)
    return measures.astype(np.float32, copy=False)


def checked_probes(probes: Matrix, embed_dim: int) -> Matrix:
    """Return probes as float32 rows (p, embed_dim). Raises StoreError for another shape."""
    if probes.ndim != 2 or probes.shape[1] != embed_dim:
        raise StoreError(
            f"Probes of shape {probes.shape} cannot be compared with vectors of {embed_dim} "
            "numbers: make them with the library's model."
        )
    return np.ascontiguousarray(probes, dtype=np.float32)


def checked_rows(
    rows: Sequence[int] | NDArray[np.intp], row_count: int
) -> NDArray[np.int64]:
    """Return rows as an array (n,). Raises StoreError when one is not below `row_count`."""
    asked = np.asarray(rows, dtype=np.int64).reshape(-1)
    if asked.size and not 0 <= asked.min() <= asked.max() < row_count:
        raise StoreError(f"A row asked for is not among the {row_count} rows of the library.")
    return asked


def checked_vectors(vectors: Matrix, count: int, embed_dim: int) -> Matrix:
    """Return vectors as float32 unit rows (count, embed_dim). Raises StoreError for others."""
    if vectors.shape != (count, embed_dim):
        raise StoreError(
            f"Vectors of shape {vectors.shape} cannot be those of {count} rows of {embed_dim} "
            "numbers: encode with the model that the library is being moved to."
        )
    if not (np.abs(np.linalg.norm(vectors, axis=1) - 1.0) < UNIT_TOLERANCE).all():
        raise StoreError("A vector of the next model is not of unit length.")
    return vectors.astype(np.float32, copy=False)


def is_image_id(text: str) -> bool:
    """Return whether a text is the lower-case hexadecimal form of some bytes."""
    return _IMAGE_ID.fullmatch(text) is not None


def storable(text: str) -> str:
    """Return a text with what is no Unicode (bytes of a file name, say) as \\-escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _check_image(image: NewImage, embed_dim: int) -> None:
    if not is_image_id(image.image_id):
        raise StoreError(f"The image id {image.image_id!r} is not lower-case hexadecimal bytes.")
    if image.vector.shape != (embed_dim,):
        raise StoreError(
            f"A vector of shape {image.vector.shape} cannot enter a library of vectors of "
            f"{embed_dim} numbers: encode with the library's model."
        )
    if not abs(float(np.linalg.norm(image.vector)) - 1.0) < UNIT_TOLERANCE:
        raise StoreError(f"The vector of image {image.image_id} is not of unit length.")


def _check_file(file: FileRecord) -> None:
    held = (file.image_id is not None) + (file.problem is not None) + bool(file.fragments)
    if held != 1:
        raise StoreError(f"The file {file.path!r} needs either an image, a problem or fragments.")
    names = [fragment.name for fragment in file.fragments]
    if "" in names or len(set(names)) != len(names):
        raise StoreError(f"The fragments of {file.path!r} need a name each, all different.")
    for part in parts_of(file):
        if (part.image_id is None) == (part.problem is None):
            raise StoreError(
                f"The fragment {part.name!r} of the file {file.path!r} needs either an image or "
                "a problem."
            )


def _fit_image(image: NewImage) -> NewImage:
    facts = _fit_facts(image.facts)
    return image if facts is image.facts else replace(image, facts=facts)


def _fit_facts(facts: Facts) -> Facts:
    texts = (facts.format, facts.camera, facts.taken_at, facts.caption, *facts.keywords)
    # Nearly all are fit already, and making thousands anew takes longer than to look.
    if all(text is None or text.isascii() for text in texts):
        return facts
    return replace(
        facts,
        format=storable(facts.format),
        camera=None if facts.camera is None else storable(facts.camera),
        taken_at=None if facts.taken_at is None else storable(facts.taken_at),
        caption=None if facts.caption is None else storable(facts.caption),
        keywords=tuple(storable(keyword) for keyword in facts.keywords),
    )


def _fit_file(file: FileRecord) -> FileRecord:
    if not file.problem and not file.fragments and _INT64.min <= file.mtime_ns <= _INT64.max:
        return file
    # A broken file system can report times that no 64-bit column holds.
    mtime_ns = min(max(file.mtime_ns, _INT64.min), _INT64.max)
    return replace(
        file,
        mtime_ns=int(mtime_ns),
        problem=_fit_problem(file.problem),
        fragments=tuple(
            Fragment(each.name, each.image_id, _fit_problem(each.problem))
            for each in file.fragments
        ),
    )


def _fit_problem(problem: str | None) -> str | None:
    return None if problem is None else storable(problem)
