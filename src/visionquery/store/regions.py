"""Regions of images: vectors of parts of them in eight bits, and where these parts lie."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import InputError, StoreError
from visionquery.store.kernels import byte_products, in_parallel, quantized
from visionquery.types import Matrix

__all__ = [
    "ImageRegions",
    "RegionBlock",
    "Regions",
    "checked_regions",
    "no_regions",
    "products",
    "regions_of",
    "starts_of",
]

_ROWS_PER_PIECE = 16_384

RegionBlock = tuple[NDArray[np.int8], NDArray[np.float32]]
"""Vectors in eight bits (n, embed_dim), and the scales (n, 1) to multiply them with."""


@dataclass(frozen=True, slots=True, eq=False)
class ImageRegions:
    """The regions of one image: boxes (r, 4), left, top, width and height in percent of it, unit
    vectors (r, embed_dim) and biases (r,); one at least."""

    boxes: NDArray[np.float32]
    vectors: Matrix
    biases: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """The regions of a library: the rows (m,), rising, of the images that they are of, their boxes
    (m, 4), left, top, width and height in percent, and their biases (m,), as images have them. The
    regions of the i-th image that has some start at `starts` (i,)."""

    owners: NDArray[np.intp]
    starts: NDArray[np.intp]
    boxes: NDArray[np.float32]
    biases: NDArray[np.float32]
    products: Callable[[Matrix], NDArray[np.float32]]

    def scores(self, probes: Matrix) -> NDArray[np.float32]:
        """Return the cosines (p, m) of probes (p, embed_dim) with all regions, as eight bits tell
        them: within a few thousandths."""
        return self.products(probes)


def no_regions(location: str) -> InputError:
    """Return the error of a store that keeps no regions."""
    return InputError(
        f"{location} keeps no regions: a library in a folder does. Index the same pictures into "
        "one with: visionquery index PATH --regions --library DIR"
    )


def checked_regions(
    rows: Sequence[int], found: Sequence[ImageRegions], *, embed_dim: int
) -> tuple[NDArray[np.intp], list[ImageRegions]]:
    """Return rows and regions as they are stored. Raises StoreError for what does not fit."""
    for each in found:
        count = len(each.boxes)
        shapes = [each.boxes.shape, each.vectors.shape, each.biases.shape]
        if not count or shapes != [(count, 4), (count, embed_dim), (count,)]:
            raise StoreError(
                f"Regions are boxes (r, 4), vectors (r, {embed_dim}) and biases (r,), one at "
                f"least; given were {', '.join(map(str, shapes))}."
            )
    if len(rows) != len(found) or len(set(rows)) < len(rows):
        raise StoreError("Regions are written once for each of some rows.")
    return np.array(rows, dtype=np.intp), list(found)


def regions_of(
    owners: Sequence[int], found: Sequence[ImageRegions], *, embed_dim: int
) -> Regions | None:
    """Return the regions of images that are the rows `owners` as a file would give them; None where
    there are none."""
    if not found:
        return None
    order = np.argsort(np.array(owners), kind="stable")
    ordered = [found[place] for place in order.tolist()]
    rows = np.repeat(np.array(owners)[order], [len(each.boxes) for each in ordered])
    codes, scales = quantized(np.concatenate([each.vectors for each in ordered]))
    boxes = np.concatenate([each.boxes for each in ordered])
    biases = np.concatenate([each.biases for each in ordered])
    blocks = [(codes.reshape(-1, embed_dim), scales)]
    return Regions(
        rows,
        starts_of(rows),
        boxes,
        biases,
        lambda probes: products(blocks, probes, len(rows), None),
    )


def starts_of(owners: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return where the regions of each image start, (i,), of owners (m,), rising."""
    starts: NDArray[np.intp] = np.flatnonzero(np.diff(owners, prepend=-1))
    return starts


def products(
    blocks: Sequence[RegionBlock], probes: Matrix, rows: int, order: NDArray[np.intp] | None
) -> NDArray[np.float32]:
    """Return the products (p, rows) of probes (p, embed_dim) with blocks that have so many rows
    together, in an `order` (rows,) where one is given."""
    asked, asked_scales = quantized(probes)
    found = np.empty((len(probes), rows), dtype=np.float32)
    starts = accumulate((len(codes) for codes, _ in blocks), initial=0)
    pieces = [
        (start + first, codes[first : first + _ROWS_PER_PIECE], scales[first:])
        for start, (codes, scales) in zip(starts, blocks, strict=False)
        for first in range(0, len(codes), _ROWS_PER_PIECE)
    ]

    def work(piece: tuple[int, NDArray[np.int8], NDArray[np.float32]]) -> None:
        place, codes, scales = piece
        here = found[:, place : place + len(codes)]
        np.multiply(byte_products(codes, asked).T, asked_scales, out=here)
        here *= scales[: len(codes), 0]

    if len(probes):
        in_parallel(work, pieces)
    return found if order is None else found[:, order]
