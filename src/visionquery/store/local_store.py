"""A library in one folder: a SQLite catalog beside append-only files of vectors.

An image exists when the catalog says so, and the catalog says so only after its vector is on
disk. Several threads may read one store at a time (each has a connection of its own), and any
number of processes; one of them may write. Every model's vectors are a generation in a folder of
its own; one opened store answers from one generation and refuses when that is no longer in use.
"""

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import StoreError
from visionquery.query.ast import Filter
from visionquery.store import browsing, catalog, generations, matching, next_model, word_index
from visionquery.store.base import Facets, FileRecord, ImageRecord, NewImage, Order, Root, Scope
from visionquery.store.connections import Connections
from visionquery.store.derived import Kept
from visionquery.store.entries import (
    checked_batch,
    checked_measures,
    checked_probes,
    checked_rows,
    checked_vectors,
    storable,
)
from visionquery.store.faults import translated
from visionquery.store.generations import Generation
from visionquery.store.kernels import cosines
from visionquery.store.layout import folder_bytes
from visionquery.store.lock import writer_lock
from visionquery.store.measures import put_measures, read_measures
from visionquery.store.places import locate, normal
from visionquery.store.roots import add, move, roots
from visionquery.store.rows import joined
from visionquery.store.texts import put_texts, rows_read
from visionquery.store.words import words_of
from visionquery.types import Matrix, ModelIdentity

__all__ = ["LocalStore"]


class LocalStore:
    """A `Store` in one folder. Made by `local.open_local` and `local.create_local`."""

    def __init__(self, folder: Path, connections: Connections, in_use: Generation) -> None:
        self._folder = folder
        self._connections = connections
        # One object, replaced whole: no thread may see the model of one and the vectors of another.
        self._in_use = in_use
        self._writer: int | None = None
        self._kept = Kept()

    @property
    def location(self) -> str:
        """Where the library is: its folder."""
        return str(self._folder)

    @property
    def model(self) -> ModelIdentity:
        """The model of all vectors that answers are made of."""
        return self._in_use.model

    # -- writing ---------------------------------------------------------------------------
    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the one writer's place. Raises LibraryBusyError when another has it, StoreError
        when this thread has it already, the library may only be read, or was moved to another
        model since it was opened here."""
        if self._writer == threading.get_ident():
            raise StoreError("writing() is already held here: do not enter it a second time.")
        with writer_lock(self._folder):
            self._writer = threading.get_ident()
            try:
                self._sweep()
                yield
            finally:
                self._writer = None

    def add_root(self, location: str, *, whole: bool = True) -> Root:
        """Return the root that this absolute folder belongs to, making it if need be."""
        place = normal(location)
        with self._change() as connection:
            return add(connection, place, whole=whole)

    def move(self, scope: Scope, location: str) -> Root:
        """Say that the files below a scope now lie below another absolute folder.

        Raises StoreError when the scope's root is not in the library.
        """
        place = normal(location)
        with self._change() as connection:
            _check_roots(connection, {scope.root_id})
            return move(connection, scope, place)

    def write(self, images: Sequence[NewImage], files: Sequence[FileRecord]) -> None:
        """Store images and the files they were seen in, all or nothing, durable on return.

        Raises StoreError when something in the batch does not fit this library.
        """
        batch = checked_batch(images, files, embed_dim=self.model.embed_dim)
        with self._change() as connection:
            _check_roots(connection, {root_id for root_id, _ in batch.files})
            known = catalog.image_rows(connection, batch.images)
            new = [image for key, image in batch.images.items() if key not in known]
            if new:
                self._append(connection, new)
            needed = {file.image_id for file in batch.files.values() if file.image_id is not None}
            rows = catalog.image_rows(connection, needed)
            if missing := needed - rows.keys():
                raise StoreError(f"A file shows image {min(missing)}, which is not stored.")
            catalog.put_files(connection, batch.files.values(), rows)

    def forget(self, files: Sequence[tuple[int, str]]) -> None:
        """Forget files, given as (root_id, path); unknown ones are passed over."""
        with self._change() as connection:
            catalog.forget_files(connection, files)

    def prune(self) -> int:
        """Drop images that no file holds and roots without files; return how many images."""
        with self._change() as connection:
            return catalog.prune(connection)

    def write_texts(self, texts: Mapping[int, str]) -> None:
        """Store the text that was read in pictures, by row, all or nothing, durable on return.

        Raises StoreError when a row is no image.
        """
        with self._change() as connection:
            put_texts(connection, texts)

    def write_measures(self, first_row: int, measures: NDArray[np.float32]) -> None:
        """Store measures (n, MEASURES) of the rows from `first_row` on, all or nothing, durable
        on return.

        Raises StoreError when they do not fit the library, or its rows.
        """
        with self._change() as connection:
            rows = generations.row_count(connection, self._in_use)
            put_measures(connection, first_row, checked_measures(first_row, measures, rows))

    def set_note(self, key: str, value: str) -> None:
        """Keep a small text beside the data."""
        with self._change() as connection:
            catalog.set_note(connection, key, storable(value))

    # -- moving to another model -----------------------------------------------------------
    def begin_next(self, model: ModelIdentity) -> None:
        """Begin, or go on with, vectors of another model; what was made for a third one goes.

        Raises StoreError for the model in use.
        """
        if model.fingerprint == self.model.fingerprint:
            raise StoreError(f"The vectors of {self.location} come from {model.name} already.")
        with self._change() as connection:
            generations.begin(connection, self._in_use, model)
        self._sweep()

    def write_next(self, rows: Sequence[int], vectors: Matrix) -> None:
        """Store the next model's vectors, (len(rows), its embed_dim), durable on return.

        Raises StoreError when no move was begun, or rows or vectors do not fit it.
        """
        with self._change() as connection:
            following = generations.following(self._folder, connection)
            asked = checked_rows(rows, generations.row_count(connection, self._in_use))
            fit = checked_vectors(vectors, len(asked), following.model.embed_dim)
            following.segments.put(asked, fit)
            next_model.mark_done(connection, asked.tolist())

    def finish_next(self, *, forget_notes: Sequence[str] = ()) -> None:
        """Make the next model the model in one step; drop these notes and the old vectors.

        Raises StoreError when no move was begun, or an image has no vector of it yet.
        """
        with self._change() as connection:
            after = generations.finish(connection, self._in_use, forget_notes=forget_notes)
        self._in_use.segments.close()
        self._in_use = after
        self._sweep()

    def drop_next(self) -> None:
        """Give up the move and its vectors; without one, do nothing."""
        with self._change() as connection:
            next_model.drop(connection)
        self._sweep()

    # -- reading ---------------------------------------------------------------------------
    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let this thread see one state of the library in all it reads until the block ends."""
        with self._read() as connection:
            outermost = not connection.in_transaction
            if outermost:
                connection.execute("BEGIN")
                catalog.extent(connection)
        try:
            yield
        finally:
            if outermost:
                connection.execute("ROLLBACK")

    def roots(self) -> list[Root]:
        """Return all roots in order of location."""
        with self._read() as connection:
            return roots(connection)

    def locate(self, path: str) -> Scope | None:
        """Return where an absolute path lies in the roots, None if in none."""
        return locate(normal(path), self.roots())

    def files(self, scope: Scope) -> dict[str, FileRecord]:
        """Return the files at and below a scope, by path, in path order."""
        with self._read() as connection:
            return catalog.file_records(connection, scope)

    def has_images(self, image_ids: Sequence[str]) -> set[str]:
        """Return those of the ids that are stored."""
        with self._read() as connection:
            return set(catalog.image_rows(connection, image_ids))

    def image_count(self) -> int:
        """Return the number of images."""
        with self._read() as connection:
            return catalog.image_count(connection)

    def row_count(self) -> int:
        """Return the number of rows, holes included."""
        with self._read() as connection:
            return generations.row_count(connection, self._in_use)

    def scores(self, probes: Matrix) -> NDArray[np.float32]:
        """Return cosines, (p, row_count), of probes (p, embed_dim); holes have any value."""
        with self._vectors() as (in_use, rows):
            asked = checked_probes(probes, in_use.model.embed_dim)
            return cosines(asked, in_use.segments.blocks(rows), rows)

    def alive(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of rows that are images, not holes."""
        with self._read() as connection:
            return ~self._mask(connection, catalog.holes(connection))

    def matching(self, test: Filter) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images for which a filter holds.

        Raises InputError when the filter's test is not one for its field.
        """
        with self._read() as connection:
            return self._mask(connection, matching.rows_matching(connection, test))

    def holding(self, phrase: str) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images that have the words of a phrase in a row."""
        with self._read() as connection:
            return self._mask(connection, word_index.rows_holding(connection, words_of(phrase)))

    def text_read(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images whose text was read."""
        with self._read() as connection:
            return self._mask(connection, rows_read(connection))

    def measures(self) -> NDArray[np.float32]:
        """Return the measures (row_count, MEASURES) of all rows, NaN where none was written."""
        with self._read() as connection:
            return read_measures(connection, generations.row_count(connection, self._in_use))

    def within(self, scopes: Sequence[Scope]) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images seen at or below any of the scopes."""
        with self._read() as connection:
            found = joined(catalog.rows_within(connection, scope) for scope in scopes)
            return self._mask(connection, found)

    def records(self, rows: Sequence[int]) -> list[ImageRecord]:
        """Return the records of rows, in their order. Raises StoreError when one is no image."""
        with self._read() as connection:
            return catalog.image_records(connection, rows)

    def ordered(self, by: Order, *, places: Sequence[Path] = ()) -> NDArray[np.intp]:
        """Return the rows (n,) of all images in an order, kept until something changes."""
        with self.reading(), self._read() as connection:
            generations.row_count(connection, self._in_use)
            state, kept = catalog.changes(connection), self._kept
            if not kept.get("copies", state, lambda: browsing.has_copies(connection)):
                places = ()
            by_path = kept.get(
                ("path", *places), state, lambda: browsing.rows_by_path(connection, places=places)
            )
            if by == "path":
                return by_path
            return kept.get(
                ("date", *places), state, lambda: browsing.rows_by_date(connection, by_path)
            )

    def facets(self) -> Facets:
        """Return what filters can choose from, kept until something changes."""
        with self.reading(), self._read() as connection:
            state = catalog.changes(connection)
            return self._kept.get("facets", state, lambda: browsing.facets(connection))

    def find(self, image_id: str) -> list[int]:
        """Return the rows whose id starts with `image_id` (two at most)."""
        with self._read() as connection:
            return catalog.rows_with_prefix(connection, image_id)

    def vectors(self, rows: Sequence[int]) -> Matrix:
        """Return the stored vectors of rows, (len(rows), embed_dim), in their order.

        Raises StoreError when a row is none of the library's.
        """
        with self._vectors() as (in_use, row_count):
            return in_use.segments.take(checked_rows(rows, row_count), row_count)

    def next_model(self) -> ModelIdentity | None:
        """Return the model that the library is being moved to, None when it is not."""
        with self._read() as connection:
            known = next_model.pending(connection)
            return None if known is None else known[0]

    def next_done(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images that have their vector of the next model."""
        with self._read() as connection:
            return self._mask(connection, next_model.rows_done(connection))

    def note(self, key: str) -> str | None:
        """Return a text kept by `set_note`."""
        with self._read() as connection:
            return catalog.note(connection, key)

    def size_bytes(self) -> int:
        """Return how much room the folder takes."""
        with translated(self.location):
            return folder_bytes(self._folder)

    def close(self) -> None:
        """Release files. The store cannot be used afterwards."""
        self._in_use.segments.close()
        self._connections.close()

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with translated(self.location):
            yield self._connections.mine()

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        if self._writer is None:
            raise StoreError("A library is changed inside `with store.writing():` only.")
        with self._read() as connection:
            if connection.in_transaction:
                raise StoreError("Nothing can be written inside `with store.reading():`.")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                word_index.refresh(connection)
                catalog.changed(connection)
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _append(self, connection: sqlite3.Connection, images: Sequence[NewImage]) -> None:
        rows = generations.row_count(connection, self._in_use)
        stacked = np.stack([image.vector for image in images]).astype(np.float32, copy=False)
        self._in_use.segments.append(rows, stacked)
        catalog.add_images(connection, rows, images)
        catalog.commit_rows(connection, rows + len(images))

    def _mask(self, connection: sqlite3.Connection, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        return generations.mask(connection, self._in_use, rows)

    @contextmanager
    def _vectors(self) -> Iterator[tuple[Generation, int]]:
        in_use = self._in_use
        with self._read() as connection, generations.reading(connection, in_use) as rows:
            yield in_use, rows

    def _sweep(self) -> None:
        with self._read() as connection:
            generations.sweep(connection, self._in_use)


def _check_roots(connection: sqlite3.Connection, root_ids: Iterable[int]) -> None:
    known = {root.root_id for root in roots(connection)}
    if unknown := set(root_ids) - known:
        raise StoreError(f"A file is below root {min(unknown)}, which is not in the library.")
