"""A library in one folder: a SQLite catalog beside append-only files of vectors.

An image exists when the catalog says so, and the catalog says so only after its vector is on
disk. Several threads may read one store at a time (each has a connection of its own), and any
number of processes; one of them may write. Every model's vectors are a generation in a folder of
its own; one opened store answers from one generation and refuses when that is no longer in use.
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import StoreError
from visionquery.query.ast import Filter
from visionquery.store import catalog, generations, next_model, pruning, word_index
from visionquery.store.base import (
    Estimates,
    Facets,
    FileRecord,
    ImageRecord,
    NewImage,
    Order,
    Root,
    Scope,
    Span,
)
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
from visionquery.store.kernels import cosines
from visionquery.store.layout import folder_bytes
from visionquery.store.lock import writer_lock
from visionquery.store.measures import put_measures, read_measures
from visionquery.store.opened import Opened
from visionquery.store.places import locate, normal
from visionquery.store.roots import add, check_roots, move, roots
from visionquery.store.rows import distinct, joined
from visionquery.store.scanning import estimates, estimates_of, nearest, products
from visionquery.store.texts import put_texts, rows_read
from visionquery.store.words import words_of
from visionquery.types import Matrix, ModelIdentity

__all__ = ["LocalStore"]


class LocalStore:
    """A `Store` in one folder. Made by `local.open_local` and `local.create_local`."""

    def __init__(self, opened: Opened) -> None:
        self._open = opened
        self._writer: int | None = None
        self._kept = Kept()

    @property
    def location(self) -> str:
        """Where the library is: its folder."""
        return str(self._open.folder)

    @property
    def model(self) -> ModelIdentity:
        """The model of all vectors that answers are made of."""
        return self._open.in_use.model

    # -- writing ---------------------------------------------------------------------------
    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the one writer's place. Raises LibraryBusyError when another has it, StoreError
        when this thread has it already, the library may only be read, or was moved to another
        model since it was opened here."""
        if self._writer == threading.get_ident():
            raise StoreError("writing() is already held here: do not enter it a second time.")
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
            needed = {file.image_id for file in batch.files.values() if file.image_id is not None}
            rows = catalog.image_rows(connection, needed)
            if missing := needed - rows.keys():
                raise StoreError(f"A file shows image {min(missing)}, which is not stored.")
            catalog.put_files(connection, batch.files.values(), rows)
            generations.encode_rows(connection, self._open.in_use, while_writing=True)

    def forget(self, files: Sequence[tuple[int, str]]) -> None:
        """Forget files, given as (root_id, path); unknown ones are passed over."""
        with self._change() as connection:
            catalog.forget_files(connection, files)

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
            next_model.mark_done(connection, asked.tolist())

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

    # -- reading ---------------------------------------------------------------------------
    def reading(self) -> AbstractContextManager[None]:
        """Let this thread see one state of the library in all it reads until the block ends."""
        return self._open.reading()

    def roots(self) -> list[Root]:
        """Return all roots in order of location."""
        with self._open.read() as connection:
            return roots(connection)

    def locate(self, path: str) -> Scope | None:
        """Return where an absolute path lies in the roots, None if in none."""
        return locate(normal(path), self.roots())

    def files(self, scope: Scope) -> dict[str, FileRecord]:
        """Return the files at and below a scope, by path, in path order."""
        with self._open.read() as connection:
            return catalog.file_records(connection, scope)

    def has_images(self, image_ids: Sequence[str]) -> set[str]:
        """Return those of the ids that are stored."""
        with self._open.read() as connection:
            return set(catalog.image_rows(connection, image_ids))

    def image_count(self) -> int:
        """Return the number of images."""
        with self._open.read() as connection:
            return catalog.image_count(connection)

    def row_count(self) -> int:
        """Return the number of rows, holes included."""
        with self._open.read() as connection:
            return generations.row_count(connection, self._open.in_use)

    def scores(self, probes: Matrix, rows: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """Return cosines, (p, n), of probes (p, embed_dim) with rows (n,), None is all.

        Raises StoreError when a row is none of the library's.
        """
        with self._open.scanned() as scanned:
            asked = checked_probes(probes, self.model.embed_dim)
            if rows is not None:
                return products(scanned, asked, checked_rows(rows, scanned.row_count))
            return cosines(asked, scanned.vectors.blocks(scanned.row_count), scanned.row_count)

    def estimates(
        self,
        probes: Matrix,
        *,
        spans: Sequence[Span] | None = None,
        rows: NDArray[np.intp] | None = None,
    ) -> Estimates:
        """Return about the cosines, (p, n), of probes (p, embed_dim) with the rows asked for."""
        with self._open.scanned() as scanned:
            asked = checked_probes(probes, self.model.embed_dim)
            if rows is not None:
                return estimates_of(scanned, asked, checked_rows(rows, scanned.row_count))
            return estimates(scanned, asked, spans or [(0, scanned.row_count)])

    def nearest(self, probes: Matrix, count: int, *, among: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Return the rows (n,) of those `among` all that are likely to be the nearest to any of
        some probes (p, embed_dim), about `count` to each."""
        with self._open.scanned() as scanned:
            asked = checked_probes(probes, self.model.embed_dim)
            found = [nearest(scanned, probe, count, among=among) for probe in asked]
            return distinct(np.concatenate([np.empty(0, dtype=np.intp), *found]))

    def alive(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of rows that are images, not holes."""
        return self._open.kept_mask("alive", catalog.holes, is_of=False)

    def matching(self, test: Filter) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images for which a filter holds.

        Raises InputError when the filter's test is not one for its field.
        """
        from visionquery.store import matching  # few queries have filters; start fast without

        return self._open.kept_mask(test, lambda known: matching.rows_matching(known, test))

    def holding(self, phrase: str) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images that have the words of a phrase in a row."""
        words = words_of(phrase)
        return self._open.kept_mask(words, lambda known: word_index.rows_holding(known, words))

    def text_read(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images whose text was read."""
        with self._open.read() as connection:
            return self._open.mask(connection, rows_read(connection))

    def measures(self, rows: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """Return the measures (n, MEASURES) of rows (n,), None is all, NaN where there is none."""
        with self._open.read() as connection:
            count = generations.row_count(connection, self._open.in_use)
            asked = np.arange(count) if rows is None else checked_rows(rows, count)
            return read_measures(connection, asked)

    def within(self, scopes: Sequence[Scope]) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images seen at or below any of the scopes."""
        with self._open.read() as connection:
            found = joined(catalog.rows_within(connection, scope) for scope in scopes)
            return self._open.mask(connection, found)

    def records(self, rows: Sequence[int]) -> list[ImageRecord]:
        """Return the records of rows, in their order. Raises StoreError when one is no image."""
        with self._open.read() as connection:
            return catalog.image_records(connection, rows)

    def ordered(self, by: Order, *, places: Sequence[Path] = ()) -> NDArray[np.intp]:
        """Return the rows (n,) of all images in an order, kept until something changes."""
        from visionquery.store import browsing  # no search by relevance needs it; start fast

        with self.reading(), self._open.read() as connection:
            generations.row_count(connection, self._open.in_use)
            return browsing.ordered(connection, self._kept, by, places=places)

    def facets(self) -> Facets:
        """Return what filters can choose from, kept until something changes."""
        from visionquery.store import browsing

        with self.reading(), self._open.read() as connection:
            state = catalog.changes(connection)
            return self._kept.get("facets", state, lambda: browsing.facets(connection))

    def find(self, image_id: str) -> list[int]:
        """Return the rows whose id starts with `image_id` (two at most)."""
        with self._open.read() as connection:
            return catalog.rows_with_prefix(connection, image_id)

    def vectors(self, rows: Sequence[int]) -> Matrix:
        """Return the stored vectors of rows, (len(rows), embed_dim), in their order.

        Raises StoreError when a row is none of the library's.
        """
        with self._open.scanned() as scanned:
            asked = checked_rows(rows, scanned.row_count)
            return scanned.vectors.take(asked, scanned.row_count)

    def next_model(self) -> ModelIdentity | None:
        """Return the model that the library is being moved to, None when it is not."""
        with self._open.read() as connection:
            known = next_model.pending(connection)
            return None if known is None else known[0]

    def next_done(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images that have their vector of the next model."""
        with self._open.read() as connection:
            return self._open.mask(connection, next_model.rows_done(connection))

    def note(self, key: str) -> str | None:
        """Return a text kept by `set_note`."""
        with self._open.read() as connection:
            return catalog.note(connection, key)

    def size_bytes(self) -> int:
        """Return how much room the folder takes."""
        with translated(self.location):
            return folder_bytes(self._open.folder)

    def close(self) -> None:
        """Release files. The store cannot be used afterwards."""
        self._open.close()

    @contextmanager
    def _change(self) -> Iterator[sqlite3.Connection]:
        if self._writer is None:
            raise StoreError("A library is changed inside `with store.writing():` only.")
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
