"""Whether the files of a generation hold what the catalog says: vectors and their codes.

Files are read, not mapped: a disk that fails is then an error and not the end of the process.
"""

import errno
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionquery.store.codes import Coded, codable
from visionquery.store.entries import UNIT_TOLERANCE
from visionquery.store.rows import distinct
from visionquery.store.vectors import ROWS_PER_SEGMENT
from visionquery.types import Matrix

__all__ = [
    "NO_CHECKSUM",
    "VECTOR_DAMAGED",
    "OnProgress",
    "check_codes",
    "check_vectors",
    "rows_there",
]

OnProgress = Callable[[str, int, int], None]
"""Told what is looked at, how much of it is done, and how much there is."""

NO_CHECKSUM = -1
"""Stands for the checksum of what was stored before there were any."""

VECTOR_DAMAGED = "its vector is damaged"

_ROWS_AT_ONCE = 4096
_ROUNDING = 1e-5
_FLOATS = np.dtype("<f4")


def rows_there(place: Path, embed_dim: int) -> int:
    """Return the number of rows up to the last whole one in the files of a generation."""
    last = max(place.glob("[0-9]*.f32"), default=None)
    if last is None or not last.stem.isdigit():
        return 0
    return int(last.stem) * ROWS_PER_SEGMENT + last.stat().st_size // (embed_dim * 4)


def check_vectors(
    place: Path,
    embed_dim: int,
    rows: NDArray[np.int64],
    checksums: NDArray[np.int64],
    *,
    on_progress: Callable[[int], None],
) -> dict[int, str]:
    """Return what is wrong with the vectors of rows (n,), rising, whose checksums (n,) these are,
    by row; `on_progress` is told how many were looked at."""
    wrong: dict[int, str] = {}
    done = 0
    for start, here in _blocks(rows):
        first = int(np.searchsorted(rows, start))
        expected = checksums[first : first + len(here)]
        found = _block(place, "f32", _FLOATS, embed_dim, start)
        is_there = here - start < len(found)
        wrong.update((row, "its vector is missing") for row in here[~is_there].tolist())
        is_right = _right(found[here[is_there] - start], expected[is_there])
        wrong.update((row, VECTOR_DAMAGED) for row in here[is_there][~is_right].tolist())
        done += len(here)
        on_progress(done)
    return wrong


def check_codes(
    place: Path,
    embed_dim: int,
    known: Coded,
    rows: NDArray[np.int64],
    row_count: int,
    *,
    on_progress: Callable[[int], None],
) -> str | None:
    """Return what is wrong with the codes of a generation whose images lie in `rows`, (n,), rising;
    None for nothing. `on_progress` is told how many were looked at."""
    if not known.rows:
        return None
    if known.rows != codable(known.rows) or known.rows > row_count or not known.error < 1:
        return "the note of them makes no sense"
    rotation = _read(place / "000000.rotation", _FLOATS, embed_dim, 0, embed_dim)
    if len(rotation) < embed_dim or not _is_rotation(rotation):
        return "the rotation is damaged"
    coded = rows[rows < known.rows]
    done = 0
    for start, here in _blocks(coded):
        if not _within_error(place, embed_dim, rotation, start, here, known.error):
            return f"bytes of rows {start:,} to {start + _ROWS_AT_ONCE - 1:,} are damaged"
        done += len(here)
        on_progress(done)
    for segment in range(known.rows // ROWS_PER_SEGMENT):
        if not _signs_are_right(place, embed_dim, rotation, segment, coded):
            return f"signs of segment {segment} are damaged"
    return None


def _right(vectors: Matrix, checksums: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return the mask (n,) of vectors that are what was stored; without a checksum, of unit
    length."""
    with np.errstate(all="ignore"):  # Damaged numbers may be of any size.
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
        is_right = np.abs(lengths - 1.0) < UNIT_TOLERANCE
    found = np.fromiter(map(zlib.crc32, vectors), dtype=np.int64, count=len(vectors))
    return np.asarray(is_right & ((found == checksums) | (checksums == NO_CHECKSUM)))


def _is_rotation(matrix: Matrix) -> bool:
    with np.errstate(all="ignore"):
        return bool(np.abs(matrix @ matrix.T - np.eye(len(matrix))).max() < _ROUNDING)


def _within_error(
    place: Path, embed_dim: int, rotation: Matrix, start: int, here: NDArray[np.int64], most: float
) -> bool:
    offsets = here - start
    codes = _block(place, "i8", np.dtype("i1"), embed_dim, start)
    scales = _block(place, "scale", _FLOATS, 1, start)
    vectors = _block(place, "f32", _FLOATS, embed_dim, start)
    if min(len(codes), len(scales), len(vectors)) <= offsets[-1]:
        return False
    with np.errstate(all="ignore"):
        turned = vectors[offsets] @ rotation
        errors = np.linalg.norm(turned - codes[offsets] * scales[offsets], axis=1)
    return bool((errors <= most + _ROUNDING).all())


def _signs_are_right(
    place: Path, embed_dim: int, rotation: Matrix, segment: int, coded: NDArray[np.int64]
) -> bool:
    """Return whether the signs of a segment and their factors are those of its vectors."""
    centre = _read(place / "000000.centre", _FLOATS, embed_dim, segment, 1)
    first = segment * ROWS_PER_SEGMENT
    rows = coded[(coded >= first) & (coded < first + ROWS_PER_SEGMENT)]
    for start, here in _blocks(rows):
        offsets = here - start
        signs = _block(place, "sign", np.dtype("u1"), -(-embed_dim // 8), start)
        factors = _block(place, "factor", _FLOATS, 1, start)
        if not len(centre) or min(len(signs), len(factors)) <= offsets[-1]:
            return False
        with np.errstate(all="ignore"):
            vectors = _block(place, "f32", _FLOATS, embed_dim, start)[offsets]
            turned = (vectors - centre[0]) @ rotation
            along = np.abs(turned).sum(axis=1) * factors[offsets, 0]
            off = np.abs(along - np.square(turned).sum(axis=1))
        bits = np.unpackbits(signs[offsets], axis=1)[:, :embed_dim]
        is_other = (bits != (turned > 0)) & (np.abs(turned) > _ROUNDING)
        if is_other.any() or not (off < 1e-3).all():
            return False
    return True


def _blocks(rows: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield rows, rising, in blocks that are read at once, each with the first row of its block."""
    for block in distinct(rows // _ROWS_AT_ONCE).tolist():
        start = block * _ROWS_AT_ONCE
        yield start, rows[slice(*np.searchsorted(rows, [start, start + _ROWS_AT_ONCE]))]


def _block(place: Path, ending: str, dtype: np.dtype[Any], width: int, start: int) -> NDArray[Any]:
    """Return the rows (n, width) of a block of one kind, as many as are whole."""
    number, first = divmod(start, ROWS_PER_SEGMENT)
    return _read(place / f"{number:06d}.{ending}", dtype, width, first, _ROWS_AT_ONCE)


def _read(
    path: Path, dtype: np.dtype[Any], width: int, first: int, count: int
) -> NDArray[Any]:
    """Return rows (n, width) of a file from one on: `count`, or as many as are there whole; what
    the disk does not give back is not there."""
    try:
        with path.open("rb") as file:
            file.seek(first * width * dtype.itemsize)
            data = file.read(count * width * dtype.itemsize)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EIO):
            raise
        data = b""
    whole = len(data) - len(data) % (width * dtype.itemsize)
    return np.frombuffer(data[:whole], dtype=dtype).reshape(-1, width)
