"""The vectors that a library answers from, and those of the model that it is being moved to.

Every model's vectors are a generation: a folder of segments and a number that the catalog knows.
What is open holds on to one generation. Once the catalog has another one in use, it refuses: it
never takes the rows of one for those of the other.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import LibraryReplacedError, StoreError
from visionquery.store import catalog, next_model
from visionquery.store.codes import Codes, codable, coded, set_coded
from visionquery.store.connections import connect
from visionquery.store.layout import CATALOG_NAME, remove_segments, segments_name
from visionquery.store.region_files import RegionFiles
from visionquery.store.scanning import Scanned
from visionquery.store.vectors import Segments, sync_folder
from visionquery.types import ModelIdentity

__all__ = [
    "Generation",
    "begin",
    "beside",
    "encode_rows",
    "finish",
    "following",
    "in_use",
    "mask",
    "reading",
    "row_count",
    "sweep",
    "waiting_rows",
]


_MOST_NOT_CODED = 65_536
"""Rows that may wait for their codes while a writer goes on."""


@dataclass(frozen=True, slots=True)
class Generation:
    """Vectors with their codes, their number in the catalog of a library's folder, and their
    model."""

    folder: Path
    number: int
    model: ModelIdentity
    segments: Segments
    codes: Codes

    def regions(self, edition: int) -> RegionFiles:
        """Return the files of its regions."""
        place = self.folder / segments_name(self.number)
        return RegionFiles(place, self.model.embed_dim, edition)

    def close(self) -> None:
        """Give up the maps of all files."""
        self.segments.close()
        self.codes.close()


def in_use(folder: Path, connection: sqlite3.Connection) -> Generation:
    """Return the vectors that a library answers from. Raises StoreError for a damaged one."""
    while True:
        model, number, rows = catalog.current(connection)
        found = _generation(folder, number, model)
        try:
            found.segments.check(rows)
        except StoreError:
            # Others are in use, and the old vectors removed, between the two looks.
            if catalog.extent(connection)[0] != number:
                continue
            raise
        return found


def row_count(connection: sqlite3.Connection, generation: Generation) -> int:
    """Return the number of committed rows.

    Raises StoreError when `generation` is not the one in use, in the state that is seen.
    """
    number, rows = catalog.extent(connection)
    if number != generation.number:
        raise _moved_on(generation.folder)
    return rows


def mask(
    connection: sqlite3.Connection, generation: Generation, rows: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return the mask (row_count,) of rows (n,). Raises StoreError as `row_count` does."""
    marked = np.zeros(row_count(connection, generation), dtype=np.bool_)
    marked[rows] = True
    return marked


@contextmanager
def reading(connection: sqlite3.Connection, generation: Generation) -> Iterator[Scanned]:
    """Give what can be read of the vectors for as long as they are. Raises StoreError when the
    state seen, or the files below it, are no more those of `generation`."""
    rows = row_count(connection, generation)
    known = coded(connection, generation.number)
    try:
        yield Scanned(generation.segments, generation.codes, known, rows)
    except FileNotFoundError as error:
        # The state seen may be an older one, whose files are gone by now.
        if _number_now(generation.folder) == generation.number:
            raise
        raise _moved_on(generation.folder) from error


def encode_rows(
    connection: sqlite3.Connection, generation: Generation, *, while_writing: bool = False
) -> None:
    """Make the codes that rows lack, inside a transaction of the caller's; `while_writing` goes on,
    only when many do."""
    if while_writing and waiting_rows(connection, generation) < _MOST_NOT_CODED:
        return
    rows, known = row_count(connection, generation), coded(connection, generation.number)
    now = generation.codes.extend(generation.segments, known, rows)
    set_coded(connection, generation.number, now)


def waiting_rows(connection: sqlite3.Connection, generation: Generation) -> int:
    """Return how many rows may get codes now."""
    known = coded(connection, generation.number)
    return codable(row_count(connection, generation)) - known.rows


def begin(connection: sqlite3.Connection, current: Generation, model: ModelIdentity) -> None:
    """Begin, or go on with, the vectors of another model; those of a third one are forgotten."""
    number = next_model.begin(connection, model, after=current.number)
    _make_folder(current.folder, number, model)


def beside(current: Generation) -> Generation:
    """Return an empty generation for vectors of the same model, which the catalog does not know."""
    number = current.number + 1
    _make_folder(current.folder, number, current.model)
    return _generation(current.folder, number, current.model)


def following(folder: Path, connection: sqlite3.Connection) -> Generation:
    """Return the vectors of the next model. Raises StoreError when there is none."""
    known = next_model.pending(connection)
    if known is None:
        raise StoreError(f"The library {folder} is not being moved to another model.")
    model, number = known
    return _generation(folder, number, model)


def finish(
    connection: sqlite3.Connection, current: Generation, *, forget_notes: Sequence[str]
) -> Generation:
    """Put the vectors of the next model in place of the current ones, and return them.

    Raises StoreError when there is no next model, or an image without a vector of it.
    """
    after = following(current.folder, connection)
    if not next_model.is_complete(connection):
        raise StoreError(
            f"Not every image of {current.folder} has a vector of {after.model.name}: write "
            "those first."
        )
    after.segments.reserve(row_count(connection, current))
    next_model.switch(connection, forget_notes=forget_notes)
    return after


def sweep(connection: sqlite3.Connection, current: Generation) -> None:
    """Remove vectors that a move or a compaction left behind; only the one writer may.

    Raises StoreError when `current` is not the generation in use.
    """
    # Inside `reading()` the state seen may be an old one, and nothing is written there anyway.
    if connection.in_transaction:
        return
    row_count(connection, current)
    known = next_model.pending(connection)
    numbers = (current.number,) if known is None else (current.number, known[1])
    remove_segments(current.folder, except_of=numbers)


def _generation(folder: Path, number: int, model: ModelIdentity) -> Generation:
    place = folder / segments_name(number)
    segments, codes = Segments(place, model.embed_dim), Codes(place, model.embed_dim)
    return Generation(folder, number, model, segments, codes)


def _make_folder(folder: Path, number: int, model: ModelIdentity) -> None:
    from visionquery.store.identity import keep_identity  # a search never needs it

    place = folder / segments_name(number)
    place.mkdir(exist_ok=True)
    keep_identity(place, model)
    sync_folder(folder)


def _number_now(folder: Path) -> int:
    connection = connect(folder / CATALOG_NAME)
    try:
        return catalog.extent(connection)[0]
    finally:
        connection.close()


def _moved_on(folder: Path) -> LibraryReplacedError:
    return LibraryReplacedError(
        f"The library {folder} was moved to another model or compacted while it was open here: "
        "open it again."
    )
