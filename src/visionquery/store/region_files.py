"""The files of a library's regions, which lie beside the vectors of a generation.

Like these they are only ever appended to: a note of the catalog counts them, in the transaction in
which they come. Regions are derived, as they can be made anew of the pictures: a repair, a copy to
another store or another model may go without them.
"""

import json
import sqlite3
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import StoreError
from visionquery.store import catalog
from visionquery.store.kernels import quantized
from visionquery.store.regions import ImageRegions, Regions, products, starts_of
from visionquery.store.vectors import Segments

__all__ = [
    "Known",
    "RegionFiles",
    "check_regions",
    "known_regions",
    "move_regions",
    "set_known",
]

_NOTE = "regions"
"""The note that counts the regions of the generation in use."""

_ROWS_AT_ONCE = 16_384
_FLOATS, _NUMBERS, _BYTES = np.dtype("<f4"), np.dtype("<i4"), np.dtype("i1")


@dataclass(frozen=True, slots=True)
class Known:
    """How many regions a generation has. Their `edition`, which no others ever had, is in the names
    of their files: a copy of the library must not take them for those that they replace."""

    rows: int
    edition: int


class RegionFiles:
    """The regions of one generation: vectors in bytes, scales and biases, boxes and owners."""

    def __init__(self, folder: Path, embed_dim: int, edition: int) -> None:
        self._folder, self._edition = folder, edition
        self.codes = Segments(folder, embed_dim, dtype=_BYTES, ending=f"{edition}.region")
        self.numbers = Segments(folder, 2, dtype=_FLOATS, ending=f"{edition}.region-number")
        self.boxes = Segments(folder, 4, dtype=_FLOATS, ending=f"{edition}.region-box")
        # Beside each owner the checksum of the rest.
        self.owners = Segments(folder, 2, dtype=_NUMBERS, ending=f"{edition}.region-owner")

    def files(self, rows: int) -> Iterator[tuple[Path, int]]:
        """Yield the files of the first `rows` regions, each with how many of its bytes they are."""
        for kind in (self.codes, self.numbers, self.boxes, self.owners):
            yield from kind.files(rows)

    def append(self, start: int, owners: NDArray[np.intp], found: Sequence[ImageRegions]) -> int:
        """Write the regions of images that are the rows `owners` (n,), from region `start` on, and
        return how many there are then; they are on disk on return."""
        codes, scales = quantized(np.concatenate([each.vectors for each in found]))
        biases = np.concatenate([each.biases for each in found])
        numbers = np.stack([scales[:, 0], biases], axis=1)
        boxes = np.concatenate([each.boxes for each in found])
        rows = np.repeat(owners, [len(each.boxes) for each in found])
        self.put(start, codes, numbers, boxes, rows)
        return start + len(rows)

    def put(
        self,
        start: int,
        codes: NDArray[np.int8],
        numbers: NDArray[np.float32],
        boxes: NDArray[np.float32],
        owners: NDArray[np.intp],
    ) -> None:
        """Write n regions from region `start` on as they are kept."""
        self.codes.append(start, codes)
        self.numbers.append(start, numbers)
        self.boxes.append(start, boxes)
        checksums = _checksums(codes, numbers, boxes)
        self.owners.append(start, np.stack([owners, checksums], axis=1))

    def read(self, rows: int) -> Regions:
        """Return the first `rows` regions. Raises StoreError when the files are too short."""
        owners = np.concatenate([block[:, 0] for block in self.owners.blocks(rows)])
        boxes = np.concatenate(list(self.boxes.blocks(rows)))
        numbers = list(self.numbers.blocks(rows))
        biases = np.concatenate([block[:, 1] for block in numbers])
        # Images that were left at first, as on an unplugged disk, come after later ones.
        order = None if (np.diff(owners) >= 0).all() else np.argsort(owners, kind="stable")
        if order is not None:
            owners, boxes, biases = owners[order], boxes[order], biases[order]
        scales = (block[:, :1] for block in numbers)
        blocks = list(zip(self.codes.blocks(rows), scales, strict=True))
        rows_of_images = owners.astype(np.intp)
        return Regions(
            rows_of_images,
            starts_of(rows_of_images),
            boxes,
            biases,
            lambda probes: products(blocks, probes, rows, order),
        )

    def remove(self) -> None:
        """Remove all files of this edition that the system lets go of."""
        for path in self._folder.glob(f"*.{self._edition}.region*"):
            with suppress(OSError):
                path.unlink()

    def close(self) -> None:
        """Give up the maps of all files."""
        for kind in (self.codes, self.numbers, self.boxes, self.owners):
            kind.close()


def known_regions(connection: sqlite3.Connection, generation: int) -> Known:
    """Return what the catalog says of the regions of a generation: none, of a new edition, where it
    says nothing."""
    text = catalog.note(connection, _NOTE)
    noted = json.loads(text) if text else {}
    if noted.get("generation") != generation or not noted.get("rows"):
        return Known(0, time.time_ns())
    return Known(noted["rows"], noted["edition"])


def set_known(connection: sqlite3.Connection, generation: int, now: Known) -> None:
    """Say how many regions a generation has, inside a transaction of the caller's."""
    note = {"generation": generation, "rows": now.rows, "edition": now.edition}
    catalog.set_note(connection, _NOTE, json.dumps(note))


def check_regions(
    connection: sqlite3.Connection, place: Path, embed_dim: int, generation: int, row_count: int
) -> str | None:
    """Return what is wrong with the regions of a generation of `row_count` rows, whose files lie in
    a place; None for nothing."""
    try:
        known = known_regions(connection, generation)
        files = RegionFiles(place, embed_dim, known.edition)
    except (ValueError, KeyError, TypeError, AttributeError):
        return "the note of them makes no sense"
    for start in range(0, known.rows, _ROWS_AT_ONCE):
        places = np.arange(start, min(start + _ROWS_AT_ONCE, known.rows))
        kinds = (files.codes, files.numbers, files.boxes, files.owners)
        try:
            codes, numbers, boxes, owners = (kind.take(places, known.rows) for kind in kinds)
        except (OSError, StoreError):
            return "their files are shorter than they should be"
        is_right = owners[:, 1] == _checksums(codes, numbers, boxes)
        if not (is_right & (owners[:, 0] >= 0) & (owners[:, 0] < row_count)).all():
            return f"regions {start:,} to {places[-1]:,} are damaged"
    return None


def move_regions(
    before: RegionFiles, known: Known, after: RegionFiles, rows: NDArray[np.int64]
) -> int:
    """Copy the regions of the images of some rows (n,), rising, which become 0 to n - 1, and return
    how many that are."""
    done = 0
    for start in range(0, known.rows, _ROWS_AT_ONCE):
        places = np.arange(start, min(start + _ROWS_AT_ONCE, known.rows))
        owners = before.owners.take(places, known.rows)[:, 0]
        new = np.minimum(np.searchsorted(rows, owners), max(len(rows) - 1, 0))
        stays = rows[new] == owners if len(rows) else np.zeros(len(owners), dtype=np.bool_)
        kept = places[stays]
        codes, numbers, boxes = (
            kind.take(kept, known.rows) for kind in (before.codes, before.numbers, before.boxes)
        )
        after.put(done, codes, numbers, boxes, new[stays])
        done += len(kept)
    return done


def _checksums(
    codes: NDArray[np.int8], numbers: NDArray[np.float32], boxes: NDArray[np.float32]
) -> NDArray[np.int32]:
    """Return the CRC-32, as signed numbers (n,), of what is kept of regions."""
    kinds = (codes.astype(_BYTES), numbers.astype(_FLOATS), boxes.astype(_FLOATS))
    rows = zip(*(map(bytes, kind) for kind in kinds), strict=True)
    found = [zlib.crc32(b"".join(row)) for row in rows]
    return np.array(found, dtype=np.uint32).view(np.int32)
