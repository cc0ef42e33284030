"""Codes of vectors: what a search reads first, to know which vectors to read.

A vector is turned by one random rotation, the same for all, which spreads what it holds evenly
over its numbers. Its **bytes** are these numbers in eight bits, with a scale of its own: a quarter
of the vector, and how far the product with them can be from the true cosine is known. Its
**signs** are one bit of each number after the middle of its segment was taken away: a thirtieth,
and no more than a guess, made without bias by a factor of its own. Only whole segments have signs,
and no code depends on vectors outside its segment, so that adding stays as cheap as it is.

Codes are derived: what is not coded is read as it is, and what was is told by the catalog, after
the codes are on disk.

Source of the signs: RaBitQ, arXiv 2405.12497, section 3.
"""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionquery.store import catalog
from visionquery.store.kernels import quantized
from visionquery.store.vectors import Segments
from visionquery.types import Matrix, Vector

__all__ = ["Coded", "Codes", "codable", "coded", "set_coded"]

_NOTE = "codes"

_ROWS_PER_STEP = 1024
"""Rows are coded in steps of so many; a library with fewer has no codes, and needs none."""

_ROWS_AT_ONCE = 16_384
_IN_ONE = 2**40
_LEAST_SCALE = 1e-12
_SEED = 20_240_521


@dataclass(frozen=True, slots=True)
class Coded:
    """How many of a generation's rows have codes, and how far, as a vector, the bytes of any of
    them are from its own at most."""

    rows: int = 0
    error: float = 0.0


class Codes:
    """The codes of the vectors, (rows, embed_dim), of one generation."""

    def __init__(self, folder: Path, embed_dim: int) -> None:
        self.bytes = Segments(folder, embed_dim, dtype=np.dtype("i1"), ending="i8")
        self.scales = Segments(folder, 1, ending="scale")
        self.signs = Segments(folder, -(-embed_dim // 8), dtype=np.dtype("u1"), ending="sign")
        self.factors = Segments(folder, 1, ending="factor")
        # One file of each, whatever the number of segments.
        self._centres = Segments(folder, embed_dim, ending="centre", rows_per_segment=_IN_ONE)
        self._rotations = Segments(folder, embed_dim, ending="rotation", rows_per_segment=_IN_ONE)
        self.per_segment = self.signs.per_segment
        self._embed_dim = embed_dim

    def rotation(self) -> Matrix:
        """Return the rotation (embed_dim, embed_dim): a row times it is that row, turned."""
        return self._rotations.block(0, self._embed_dim)

    def centre(self, segment: int) -> Vector:
        """Return the middle, (embed_dim,), that the signs of a segment count from."""
        centre: Vector = self._centres.block(0, segment + 1)[segment]
        return centre

    def files(self, known: Coded) -> Iterator[tuple[Path, int]]:
        """Yield the files of the codes that are known, each with how many of its bytes these
        are."""
        segments = known.rows // self.per_segment
        yield from self.bytes.files(known.rows)
        yield from self.scales.files(known.rows)
        for files in (self.signs, self.factors):
            yield from files.files(segments * self.per_segment)
        yield from self._centres.files(segments)
        yield from self._rotations.files(self._embed_dim if known.rows else 0)

    def extend(self, vectors: Segments, known: Coded, row_count: int) -> Coded:
        """Code what whole steps there are of the first `row_count` vectors; the codes are on disk
        on return."""
        end = codable(row_count)
        if not known.rows:
            self._rotations.append(0, _random_rotation(self._embed_dim))
        error = known.error
        for start in range(known.rows, end, _ROWS_AT_ONCE):
            rows = np.arange(start, min(start + _ROWS_AT_ONCE, end))
            error = max(error, self._put_bytes(rows, vectors.take(rows, row_count)))
        for segment in range(known.rows // self.per_segment, end // self.per_segment):
            self._put_signs(segment, vectors.block(segment, row_count))
        return Coded(end, error)

    def close(self) -> None:
        """Give up the maps of all files."""
        for files in (self.bytes, self.scales, self.signs, self.factors):
            files.close()
        self._centres.close()
        self._rotations.close()

    def _put_bytes(self, rows: NDArray[np.int64], vectors: Matrix) -> float:
        turned = vectors @ self.rotation()
        codes, scales = quantized(turned)
        self.bytes.put(rows, codes)
        self.scales.put(rows, scales)
        return float(np.linalg.norm(turned - codes * scales, axis=1).max())

    def _put_signs(self, segment: int, vectors: Matrix) -> None:
        centre = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
        first = segment * self.per_segment
        for start in range(0, len(vectors), _ROWS_AT_ONCE):
            part = vectors[start : start + _ROWS_AT_ONCE]
            turned = (part - centre) @ self.rotation()
            along = np.maximum(np.abs(turned).sum(axis=1, keepdims=True), _LEAST_SCALE)
            factors = np.square(turned).sum(axis=1, keepdims=True) / along
            self.signs.append(first + start, np.packbits(turned > 0, axis=1))
            self.factors.append(first + start, factors)
        self._centres.append(segment, centre[None])


def codable(row_count: int) -> int:
    """Return how many of so many rows make whole steps."""
    return row_count - row_count % _ROWS_PER_STEP


def coded(connection: sqlite3.Connection, generation: int) -> Coded:
    """Return how much of a generation the catalog says is coded."""
    text = catalog.note(connection, _NOTE)
    known = json.loads(text) if text else {}
    if known.get("generation") != generation:
        return Coded()
    return Coded(known["rows"], known["error"])


def set_coded(connection: sqlite3.Connection, generation: int, now: Coded) -> None:
    """Say how much of a generation is coded, inside a transaction of the caller's."""
    note = {"generation": generation, "rows": now.rows, "error": now.error}
    catalog.set_note(connection, _NOTE, json.dumps(note))


def _random_rotation(size: int) -> Matrix:
    # Stored, and then read by all: another release of LAPACK may round otherwise.
    random = np.random.default_rng(_SEED).standard_normal((size, size))
    return np.asarray(np.linalg.qr(random)[0], dtype=np.float32)
