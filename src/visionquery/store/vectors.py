"""Rows of numbers on disk: append-only files, mapped into memory to be read.

A segment is a plain array, little endian, row after row, with nothing around it. Which rows
count is known by the catalog alone, so that whatever else a killed writer left has no meaning
and is written over.
"""

import mmap
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import StoreError
from visionquery.store.faults import damaged
from visionquery.store.kernels import in_parallel
from visionquery.store.rows import distinct

__all__ = ["ROWS_PER_SEGMENT", "Rows", "Segments", "sync_folder"]

ROWS_PER_SEGMENT = 65_536

_VECTORS = np.dtype("<f4")

_MOST_MAPPED_BYTES = 2**30
"""Scattered rows of larger files are read one by one, so that a process does not come to hold
gigabytes of what lies around them."""

Rows = NDArray[Any]
"""Rows of numbers, (n, width), of the type of their segments."""


class Segments:
    """Rows (rows, width) of one kind, in the files of one folder whose names have its ending:
    unless said otherwise, the vectors of a generation.

    Safe to read from several threads. Every answer but a block is a copy; blocks stay valid
    after `close` for as long as someone holds them.
    """

    def __init__(
        self,
        folder: Path,
        width: int,
        *,
        dtype: np.dtype[Any] = _VECTORS,
        ending: str = "f32",
        rows_per_segment: int = ROWS_PER_SEGMENT,
    ) -> None:
        self.folder = folder
        self.per_segment = rows_per_segment
        self._width = width
        self._dtype = dtype
        self._ending = ending
        self._row_bytes = width * dtype.itemsize
        self._named: set[Path] = set()
        self._mapped: dict[int, Rows] = {}
        self._mapping = threading.Lock()

    def check(self, row_count: int) -> None:
        """Raise StoreError when the files are shorter than `row_count` committed rows."""
        for path, needed in self.files(row_count):
            found = _size(path)
            if found < needed:
                raise self._too_short(path, found, needed)

    def files(self, row_count: int) -> Iterator[tuple[Path, int]]:
        """Yield the files of the first `row_count` rows, each with how many of its bytes those
        are."""
        for number, rows in self._extents(row_count):
            yield self._path(number), rows * self._row_bytes

    def append(self, row_count: int, vectors: Rows) -> None:
        """Write rows (n, width) from row `row_count` on; they are on disk on return."""
        self.put(np.arange(row_count, row_count + len(vectors)), vectors)

    def put(self, rows: NDArray[np.int64], vectors: Rows) -> None:
        """Write rows (n, width) in the places `rows` (n,); they are on disk on return."""
        numbers, offsets = np.divmod(rows, self.per_segment)
        for number in distinct(numbers).tolist():
            here = numbers == number
            self._write(self._path(number), offsets[here], vectors[here])

    def reserve(self, row_count: int) -> None:
        """Make the files as long as `row_count` rows need, zeros where nothing was written."""
        for number, rows in self._extents(row_count):
            with self._changing(self._path(number)) as file:
                if os.fstat(file.fileno()).st_size < rows * self._row_bytes:
                    file.truncate(rows * self._row_bytes)

    def blocks(self, row_count: int) -> Iterator[Rows]:
        """Yield the first `row_count` rows, in order, as views (n, width) of the files."""
        for number, rows in self._extents(row_count):
            yield self._view(number, rows)

    def block(self, number: int, row_count: int) -> Rows:
        """Return what a segment has of the first `row_count` rows, as a view (n, width)."""
        return self._view(number, min(row_count - number * self.per_segment, self.per_segment))

    def take(self, rows: NDArray[np.int64], row_count: int) -> Rows:
        """Return the rows (n, width) at places `rows` (n,), all below `row_count`, in order."""
        taken = np.empty((len(rows), self._width), dtype=self._dtype)
        numbers, offsets = np.divmod(rows, self.per_segment)
        order = np.argsort(numbers, kind="stable")
        changes = np.flatnonzero(np.diff(numbers[order])) + 1
        parts = np.split(order, changes) if len(rows) else []

        def map_rows(here: NDArray[np.intp]) -> None:
            taken[here] = self.block(int(numbers[here[0]]), row_count)[offsets[here]]

        def read_rows(here: NDArray[np.intp]) -> None:
            taken[here] = self._scattered(int(numbers[here[0]]), offsets[here])

        if row_count * self._row_bytes <= _MOST_MAPPED_BYTES or sys.platform == "win32":
            for here in parts:
                map_rows(here)
        elif parts:
            in_parallel(read_rows, parts)
        return taken

    def _scattered(self, number: int, offsets: NDArray[np.int64]) -> Rows:
        """Read rows of a segment one by one: each would map its neighbours too."""
        size, path = self._row_bytes, self._path(number)
        with path.open("rb", buffering=0) as file:
            places = (offsets * size).tolist()
            data = b"".join([os.pread(file.fileno(), size, place) for place in places])
        if len(data) != size * len(offsets):
            raise self._too_short(path, _size(path), (int(offsets.max()) + 1) * size)
        return np.frombuffer(data, dtype=self._dtype).reshape(-1, self._width)

    def close(self) -> None:
        """Give up the maps; each is released when its last reader is done."""
        with self._mapping:
            self._mapped.clear()

    def _extents(self, row_count: int) -> Iterator[tuple[int, int]]:
        for start in range(0, row_count, self.per_segment):
            yield start // self.per_segment, min(row_count - start, self.per_segment)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.{self._ending}"

    def _view(self, number: int, rows: int) -> Rows:
        with self._mapping:
            mapped = self._mapped.get(number)
            if mapped is None or len(mapped) < rows:
                mapped = self._mapped[number] = self._map(self._path(number), rows)
        return mapped[:rows]

    def _map(self, path: Path, rows: int) -> Rows:
        needed = rows * self._row_bytes
        with path.open("rb") as file:
            found = os.fstat(file.fileno()).st_size
            if found < needed:
                raise self._too_short(path, found, needed)
            memory = mmap.mmap(file.fileno(), needed, access=mmap.ACCESS_READ)
        # The array owns the map: nothing else refers to it, so it goes when the array goes.
        return np.frombuffer(memory, dtype=self._dtype).reshape(rows, self._width)

    def _write(self, path: Path, offsets: NDArray[np.int64], vectors: Rows) -> None:
        breaks = np.flatnonzero(np.diff(offsets) != 1) + 1
        runs = zip(np.split(offsets, breaks), np.split(vectors, breaks), strict=True)
        with self._changing(path) as file:
            for places, part in runs:
                file.seek(int(places[0]) * self._row_bytes)
                file.write(np.ascontiguousarray(part, dtype=self._dtype).tobytes())

    @contextmanager
    def _changing(self, path: Path) -> Iterator[BinaryIO]:
        """Open a segment, new or not, to be changed; it is on disk when the block ends."""
        is_new = not path.exists()
        with path.open("xb" if is_new else "r+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path not in self._named:
            # Also one that was there: who made it may have been cut off before its name was sure.
            sync_folder(path.parent)
            self._named.add(path)

    def _too_short(self, path: Path, found: int, needed: int) -> StoreError:
        detail = f"{path.name} has {found} of {needed} bytes"
        return damaged(str(self.folder.parent), detail)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can do that for folders."""
    if sys.platform == "win32":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
