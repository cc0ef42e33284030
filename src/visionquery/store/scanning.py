"""Scans of a generation: cosines of every row, or of some, estimated from their codes.

What has no codes yet is read as vectors. Work is cut into pieces that stay in a core's cache and
shared among a few threads.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from visionquery.store.base import Estimates, Span
from visionquery.store.codes import Coded, Codes
from visionquery.store.entries import UNIT_TOLERANCE
from visionquery.store.kernels import (
    byte_products,
    in_parallel,
    largest,
    quantized,
    row_products,
    sign_distances,
)
from visionquery.store.vectors import Segments
from visionquery.types import Matrix, Vector

__all__ = ["Scanned", "estimates", "estimates_of", "nearest", "products", "sampled_spans"]

_ROWS_PER_PIECE = 16_384
_ROUNDING = 1e-5
"""How far float32 may round a sum of products of unit vectors, with room to spare."""

_USUAL = 6.0

_PLANES = 4
"""Bits that a number of the probe has when it meets signs; more help no further."""

_LEAST_GUESSED = 2400
_GUESSED_PER_WANTED = 4
_LEAST_SHARE_GUESSED = 1 / 1000
"""How many rows are read as bytes at least, for one that is wanted, and what share of all: beyond
these, signs put no image off its place (`benchmarks/large.py`)."""


_SAMPLED = 65_536
_RUN = 4096
"""Rows of a sample, and how many it has in a row, so that reading them is not reading all between.
"""


@dataclass(frozen=True, slots=True)
class Scanned:
    """The first `row_count` vectors of a generation, with the codes there are of them."""

    vectors: Segments
    codes: Codes
    coded: Coded
    row_count: int

    @property
    def signed(self) -> int:
        """How many rows have signs: those of the segments that are coded whole."""
        per_segment = self.codes.per_segment
        return self.coded.rows // per_segment * per_segment


@dataclass(frozen=True, slots=True)
class _Piece:
    """Rows `first` to `end` of the segment `number`, which go to `place` of the answer."""

    number: int
    first: int
    end: int
    place: int
    is_coded: bool


def estimates(scanned: Scanned, probes: Matrix, spans: Sequence[Span]) -> Estimates:
    """Return the cosines (p, n) of probes (p, embed_dim) with the rows of spans, estimated."""
    found = np.empty((len(probes), sum(end - first for first, end in spans)), dtype=np.float32)
    pieces = _pieces(scanned, spans)
    if not len(probes) or not pieces:
        return Estimates(found)
    is_coded = any(piece.is_coded for piece in pieces)
    asked, scales, error = _asked(scanned, probes) if is_coded else (None, None, 0.0)

    def work(piece: _Piece) -> None:
        here = found[:, piece.place : piece.place + piece.end - piece.first]
        if asked is None or scales is None or not piece.is_coded:
            block = scanned.vectors.block(piece.number, scanned.row_count)
            row_products(probes, block[piece.first : piece.end], here)
            return
        coded, part = scanned.coded.rows, slice(piece.first, piece.end)
        whole = byte_products(scanned.codes.bytes.block(piece.number, coded)[part], asked)
        np.multiply(whole.T, scales, out=here)
        here *= scanned.codes.scales.block(piece.number, coded)[part, 0]

    in_parallel(work, pieces)
    return Estimates(found, error, _usual(error, probes))


def estimates_of(scanned: Scanned, probes: Matrix, rows: NDArray[np.intp]) -> Estimates:
    """Return the cosines (p, n) of probes (p, embed_dim) with rows (n,), estimated."""
    found = np.empty((len(probes), len(rows)), dtype=np.float32)
    if not len(probes) or not len(rows):
        return Estimates(found)
    coded = scanned.coded.rows
    is_coded, error = rows < coded, 0.0
    if is_coded.any():
        asked, scales, error = _asked(scanned, probes)
        these = byte_products(scanned.codes.bytes.take(rows[is_coded], coded), asked).T * scales
        found[:, is_coded] = these * scanned.codes.scales.take(rows[is_coded], coded)[:, 0]
    found[:, ~is_coded] = products(scanned, probes, rows[~is_coded])
    return Estimates(found, error, _usual(error, probes))


def products(scanned: Scanned, probes: Matrix, rows: NDArray[np.intp]) -> NDArray[np.float32]:
    """Return the cosines (p, n) of probes (p, embed_dim) with rows (n,), from their vectors."""
    found = np.empty((len(probes), len(rows)), dtype=np.float32)
    if len(probes) and len(rows):
        row_products(probes, scanned.vectors.take(rows, scanned.row_count), found)
    return found


def nearest(
    scanned: Scanned, probe: Vector, count: int, *, among: NDArray[np.bool_]
) -> NDArray[np.intp]:
    """Return about `count` rows of those `among` all, (row_count,), that are likely to be the
    nearest to a probe (embed_dim,), in the order of rows: by their signs, then by their bytes."""
    signed = scanned.signed
    rows, close = _close(scanned, probe, count, among=among[:signed])
    rest = np.flatnonzero(among[signed:])
    later = estimates(scanned, probe[None], [(signed, scanned.row_count)]).cosines[0, rest]
    rows, every = np.concatenate([rows, rest + signed]), np.concatenate([close, later])
    return rows[largest(every, count, among=np.ones(len(every), dtype=np.bool_))]


def sampled_spans(row_count: int) -> Sequence[Span]:
    """Return rows to sample a library by: stretches of them, evenly spread."""
    if row_count <= _SAMPLED:
        return [(0, row_count)]
    starts = np.linspace(0, row_count - _RUN, _SAMPLED // _RUN).astype(int).tolist()
    return [(start, start + _RUN) for start in starts]


def _close(
    scanned: Scanned, probe: Vector, count: int, *, among: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Return rows (n,) with signs that are likely to be near, and their cosines (n,) by bytes."""
    if not len(among):
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.float32)
    signed = scanned.signed
    wanted = max(_LEAST_GUESSED, count * _GUESSED_PER_WANTED, int(signed * _LEAST_SHARE_GUESSED))
    rows = largest(_guesses(scanned, probe), wanted, among=among)
    return rows, estimates_of(scanned, probe[None], rows).cosines[0]


def _usual(error: float, probes: Matrix) -> float:
    # Rounding errors are independent: their sum over a unit vector is normal, this many of its
    # standard deviations, error / sqrt(d), being the tail of one in ten million and some room.
    return min(error, _USUAL * error / math.sqrt(probes.shape[1]))


def _asked(
    scanned: Scanned, probes: Matrix
) -> tuple[NDArray[np.int8], NDArray[np.float32], float]:
    """Return probes (p, d) as bytes meet them, (p, d), their scales (p, 1), and how far products
    of the two may be from the cosine."""
    turned = probes @ scanned.codes.rotation()
    asked, scales = quantized(turned)
    own = float(np.linalg.norm(turned - asked * scales, axis=1).max(initial=0.0))
    longest = float(np.linalg.norm(turned, axis=1).max(initial=0.0))
    # <p, x> - <p', x'> = <p - p', x> + <p', x - x'>, with |x| <= 1 + UNIT_TOLERANCE.
    error = own * (1 + UNIT_TOLERANCE) + (longest + own) * scanned.coded.error
    return asked, scales, error + longest * _ROUNDING


def _guesses(scanned: Scanned, probe: Vector) -> NDArray[np.float32]:
    """Return the cosines (n,) of a probe with all rows that have signs, guessed from these."""
    turned = probe @ scanned.codes.rotation()
    step = float(np.abs(turned).max()) / (2**_PLANES - 1)
    # A number is step * (2u - 15), with u of 0..15, so that each of its bits stands for a sign.
    levels = np.clip(np.rint(turned / step / 2 + (2**_PLANES - 1) / 2), 0, 2**_PLANES - 1)
    bits = levels.astype(np.uint8) >> np.arange(_PLANES, dtype=np.uint8)[:, None]
    asked = np.packbits(bits & 1, axis=1)
    weights = -2.0 * step * 2.0 ** np.arange(_PLANES, dtype=np.float32)
    most = step * (2**_PLANES - 1) * len(probe)
    signed = scanned.signed
    found = np.empty(signed, dtype=np.float32)

    def work(piece: _Piece) -> None:
        part, here = slice(piece.first, piece.end), found[piece.place :][: piece.end - piece.first]
        signs = scanned.codes.signs.block(piece.number, signed)[part]
        np.matmul(sign_distances(signs, asked).astype(np.float32), weights, out=here)
        here += most
        here *= scanned.codes.factors.block(piece.number, signed)[part, 0]
        here += float(scanned.codes.centre(piece.number) @ probe)

    in_parallel(work, _pieces(scanned, [(0, signed)]))
    return found


def _pieces(scanned: Scanned, spans: Sequence[Span]) -> list[_Piece]:
    per_segment, coded = scanned.vectors.per_segment, scanned.coded.rows
    pieces, place = [], 0
    for first, end in spans:
        while first < end:
            number, offset = divmod(first, per_segment)
            stops = [end, (number + 1) * per_segment, first + _ROWS_PER_PIECE]
            stop = min([*stops, coded] if first < coded else stops)
            pieces.append(_Piece(number, offset, offset + stop - first, place, first < coded))
            place += stop - first
            first = stop
    return pieces
