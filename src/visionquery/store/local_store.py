"""A library in one folder: a SQLite catalog beside append-only files of vectors.

An image exists when the catalog says so, and the catalog says so only after its vector is on
disk. One process at a time may write. Every model's vectors are a generation in a folder of
its own.
"""


import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import StoreError
from visionquery.store import catalog, generations, next_model, pruning
from visionquery.store.base import (
    NO_NOTES,
    Compaction,
    FileRecord,
    NewImage,
    Root,
    Scope,
)
from visionquery.store.checksums import vector_crc
from visionquery.store.entries import (
    checked_batch,
    checked_facts,
    checked_measures,
    checked_rows,
    checked_vectors,
    storable,
)
from visionquery.store.files import forget_files, put_files
from visionquery.store.fragments import images_of
from visionquery.store.local_reader import LocalReader
from visionquery.store.lock import writer_lock
from visionquery.store.measures import put_measures
from visionquery.store.opened import Opened
from visionquery.store.places import normal
from visionquery.store.region_files import known_regions, set_known
from visionquery.store.regions import ImageRegions, checked_regions
from visionquery.store.roots import add, check_roots, move
from visionquery.store.texts import put_texts
from visionquery.types import Facts, Matrix, ModelIdentity

__all__ = ["LocalStore"]

class LocalStore(LocalReader):
    """A `Store` in one folder. Made by `local.open_local` and `local.create_local`."""

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened)
        self._writer: int | None = None

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the one writer's place. Raises LibraryBusyError when another has it, StoreError
        when this thread has it already, the library may only be read, or was moved to another
        model or compacted since it was opened here."""
        if self._writer == threading.get_ident():
            raise StoreError("writing() is already held here: do not enter it a second time.")
        self._open.check_place()
        with writer_lock(self._open.folder):
            self._writer = threading.get_ident()
            try:
                self._sweep()
                yield
                self._encode_rows()
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
            check_roots(connection, {scope.root_id})
            return move(connection, scope, place)

    def write(self, images: Sequence[NewImage], files: Sequence[FileRecord]) -> None:
        """Store images and the files they were seen in, all or nothing, durable on return.

        Raises StoreError when something in the batch does not fit this library.
        """
        batch = checked_batch(images, files, embed_dim=self.model.embed_dim)
        with self._change() as connection:
            check_roots(connection, {root_id for root_id, _ in batch.files})
            known = catalog.image_rows(connection, batch.images)
            new = [image for key, image in batch.images.items() if key not in known]
            if new:
                self._append(connection, new)
            needed = {image_id for file in batch.files.values() for image_id in images_of(file)}
            rows = catalog.image_rows(connection, needed)
            if missing := needed - rows.keys():
                raise StoreError(f"A file shows image {min(missing)}, which is not stored.")
            put_files(connection, batch.files.values(), rows)
            generations.encode_rows(connection, self._open.in_use, while_writing=True)

    def write_facts(self, facts: Mapping[str, Facts]) -> None:
        """Store facts of stored images, by image_id, all or nothing, durable on return.

        Raises StoreError when one is not stored.
        """
        with self._change() as connection:
            known = catalog.image_rows(connection, facts)
            catalog.replace_facts(connection, checked_facts(facts, known.keys()))

    def forget(self, files: Sequence[tuple[int, str]]) -> None:
        """Forget files, given as (root_id, path); unknown ones are passed over."""
        with self._change() as connection:
            forget_files(connection, files)

    def prune(self) -> int:
        """Drop images that no file holds and roots without files; return how many images."""
        with self._change() as connection:
            return pruning.prune(connection)

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
            rows = generations.row_count(connection, self._open.in_use)
            put_measures(connection, first_row, checked_measures(first_row, measures, rows))

    def write_regions(self, rows: Sequence[int], found: Sequence[ImageRegions]) -> None:
        """Store the regions of rows that have none, all or nothing, durable on return.

        Raises StoreError when one does not fit, is no image, or has regions.
        """
        owners, fit = checked_regions(rows, found, embed_dim=self.model.embed_dim)
        there = self.regions()
        if there is not None and np.isin(owners, there.owners).any():
            raise StoreError("An image has regions already: forget all before writing others.")
        if not fit:
            return
        with self._change() as connection:
            catalog.image_records(connection, rows)  # Raises for a row that is no image.
            in_use = self._open.in_use
            known = known_regions(connection, in_use.number)
            files = in_use.regions(known.edition)
            now = replace(known, rows=files.append(known.rows, owners, fit))
            set_known(connection, in_use.number, now)

    def drop_regions(self) -> None:
        """Forget all regions."""
        in_use = self._open.in_use
        with self._change() as connection:
            known = known_regions(connection, in_use.number)
            set_known(connection, in_use.number, replace(known, rows=0))
        in_use.regions(known.edition).remove()

    def set_note(self, key: str, value: str) -> None:
        """Keep a small text beside the data."""
        with self._change() as connection:
            catalog.set_note(connection, key, storable(value))

    def compact(self, *, notes: Mapping[str, str] = NO_NOTES) -> Compaction:
        """Number the images anew without holes, give back the room of removed ones, and keep these
        notes in the same step.

        Raises StoreError while the library is being moved to another model.
        """
        from visionquery.store import compaction  # a search never needs it

        self._check_writing()
        bytes_before, before = self.size_bytes(), self._open.in_use
        holes = self.row_count() - self.image_count()
        try:
            with self._change() as connection:
                after = compaction.compacted(connection, before, notes)
            if after is not None:
                self._open.in_use = after
                before.close()
        finally:
            self._sweep()
        with self._open.read() as connection:
            compaction.give_room_back(connection)
        return Compaction(self.image_count(), holes, bytes_before, self.size_bytes())

    # -- moving to another model -----------------------------------------------------------
    def begin_next(self, model: ModelIdentity) -> None:
        """Begin, or go on with, vectors of another model; what was made for a third one goes.

        Raises StoreError for the model in use.
        """
        if model.fingerprint == self.model.fingerprint:
            raise StoreError(f"The vectors of {self.location} come from {model.name} already.")
        with self._change() as connection:
            generations.begin(connection, self._open.in_use, model)
        self._sweep()

    def write_next(self, rows: Sequence[int], vectors: Matrix) -> None:
        """Store the next model's vectors, (len(rows), its embed_dim), durable on return.

        Raises StoreError when no move was begun, or rows or vectors do not fit it.
        """
        with self._change() as connection:
            following = generations.following(self._open.folder, connection)
            asked = checked_rows(rows, generations.row_count(connection, self._open.in_use))
            fit = checked_vectors(vectors, len(asked), following.model.embed_dim)
            following.segments.put(asked, fit)
            crcs = map(vector_crc, fit)
            next_model.mark_done(connection, dict(zip(asked.tolist(), crcs, strict=True)))

    def finish_next(self, *, forget_notes: Sequence[str] = ()) -> None:
        """Make the next model the model in one step; drop these notes and the old vectors.

        Raises StoreError when no move was begun, or an image has no vector of it yet.
        """
        with self._change() as connection:
            after = generations.finish(connection, self._open.in_use, forget_notes=forget_notes)
        self._open.in_use.close()
        self._open.in_use = after
        self._sweep()

    def drop_next(self) -> None:
        """Give up the move and its vectors; without one, do nothing."""
        with self._change() as connection:
            next_model.drop(connection)
        self._sweep()

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        self._check_writing()
        with self._open.read() as connection:
            if connection.in_transaction:
                raise StoreError("Nothing can be written inside `with store.reading():`.")
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                pruning.finish(connection)
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def _check_writing(self) -> None:
        if self._writer is None:
            raise StoreError("A library is changed inside `with store.writing():` only.")

    def _append(self, connection: sqlite3.Connection, images: Sequence[NewImage]) -> None:
        rows = generations.row_count(connection, self._open.in_use)
        stacked = np.stack([image.vector for image in images]).astype(np.float32, copy=False)
        self._open.in_use.segments.append(rows, stacked)
        catalog.add_images(connection, rows, images)
        catalog.commit_rows(connection, rows + len(images))

    def _encode_rows(self) -> None:
        in_use = self._open.in_use
        with self._open.read() as connection:
            # Inside `reading()` nothing is written; the next writer makes up for it.
            is_due = not connection.in_transaction and generations.waiting_rows(connection, in_use)
        if is_due:
            with self._change() as connection:
                generations.encode_rows(connection, in_use)

    def _sweep(self) -> None:
        with self._open.read() as connection:
            generations.sweep(connection, self._open.in_use)
