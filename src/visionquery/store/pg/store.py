"""A library in PostgreSQL: the writing half.

One session at a time has the writer's place. Everything that is written is one transaction, and
every transaction numbers the state anew.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

import numpy as np
import psycopg
from numpy.typing import NDArray

from visionquery.errors import StoreError
from visionquery.store.base import (
    MEASURES,
    NO_NOTES,
    Compaction,
    FileRecord,
    NewImage,
    Root,
    Scope,
)
from visionquery.store.entries import (
    checked_batch,
    checked_facts,
    checked_measures,
    checked_rows,
    checked_vectors,
    storable,
)
from visionquery.store.fragments import images_of
from visionquery.store.pg import files, generations, images, nearest, roots, words
from visionquery.store.pg.adapting import Rows, ask, rows_of, sent_rows
from visionquery.store.pg.connections import PgConnection
from visionquery.store.pg.faults import translated
from visionquery.store.pg.lock import writer_connection
from visionquery.store.pg.opened import Opened, State, state_of
from visionquery.store.pg.reader import PostgresReader
from visionquery.store.pg.tables import drop_other_images, make_partitions
from visionquery.store.places import normal
from visionquery.store.regions import ImageRegions, no_regions
from visionquery.types import Facts, Matrix, ModelIdentity

__all__ = ["PostgresStore"]

_WORTH_LEARNING = 1_000
"""New rows, and a tenth of all, after which the planner learns about the tables anew."""


@dataclass(slots=True)
class _Change:
    """A transaction that writes: the state before it, and what it does to it. `touched` are rows
    whose words are to be made anew."""

    connection: PgConnection
    state: State
    rows: int
    images: int
    touched: set[int] = field(default_factory=set)


class PostgresStore(PostgresReader):
    """A `Store` in PostgreSQL. Made by `store.postgres`."""

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened)
        self._writer: PgConnection | None = None
        self._writing_thread: int | None = None
        self._changing = threading.Lock()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the one writer's place. Raises LibraryBusyError when another has it,
        LibraryReadOnlyError where the library can only be read, StoreError when this thread has it
        already, or the library was moved to another model or compacted since it was opened."""
        if self._writing_thread == threading.get_ident():
            raise StoreError("writing() is already held here: do not enter it a second time.")
        with writer_connection(self._open.address) as connection:
            with translated(self._open.address):
                self._open.check(state_of(connection))
            self._writer, self._writing_thread = connection, threading.get_ident()
            try:
                self._sweep()
                yield
                self._settle()
            finally:
                self._writer = self._writing_thread = None

    def add_root(self, location: str, *, whole: bool = True) -> Root:
        """Return the root that this absolute folder belongs to, making it if need be."""
        place = normal(location)
        with self._change() as change:
            root, moved = roots.add(change.connection, place, whole=whole)
            change.touched |= moved
            return root

    def move(self, scope: Scope, location: str) -> Root:
        """Say that the files below a scope now lie below another absolute folder.

        Raises StoreError when the scope's root is not in the library.
        """
        place = normal(location)
        with self._change() as change:
            roots.check_roots(change.connection, {scope.root_id})
            root, moved = roots.move(change.connection, scope, place)
            change.touched |= moved
            return root

    def write(self, new_images: Sequence[NewImage], new_files: Sequence[FileRecord]) -> None:
        """Store images and the files they were seen in, all or nothing, durable on return.

        Raises StoreError when something in the batch does not fit this library.
        """
        batch = checked_batch(new_images, new_files, embed_dim=self.model.embed_dim)
        needed = {image_id for file in batch.files.values() for image_id in images_of(file)}
        with self._change() as change:
            connection, first = change.connection, change.rows
            roots.check_roots(connection, {root_id for root_id, _ in batch.files})
            rows = images.image_rows(
                connection, change.state.table, batch.images.keys() | needed
            )
            new = [image for key, image in batch.images.items() if key not in rows]
            rows.update((image.image_id, first + i) for i, image in enumerate(new))
            if missing := needed - rows.keys():
                raise StoreError(f"A file shows image {min(missing)}, which is not stored.")
            self._append(change, new, list(batch.files.values()))
            touched = files.put_files(connection, batch.files.values(), rows)
            change.touched |= {row for row in touched if row < first}
            unseen = [rows[image.image_id] for image in new if image.image_id not in needed]
            if unseen:
                loose = sent_rows(np.array(unseen))
                ask(connection, "INSERT INTO loose SELECT unnest(%s::bigint[])", loose)

    def write_facts(self, facts: Mapping[str, Facts]) -> None:
        """Store facts of stored images, by image_id, all or nothing, durable on return.

        Raises StoreError when one is not stored.
        """
        with self._change() as change:
            rows = images.image_rows(change.connection, change.state.table, facts)
            fit = checked_facts(facts, rows.keys())
            by_row = {rows[image_id]: each for image_id, each in fit.items()}
            images.replace_facts(change.connection, change.state.table, by_row)
            change.touched |= by_row.keys()

    def forget(self, gone: Sequence[tuple[int, str]]) -> None:
        """Forget files, given as (root_id, path); unknown ones are passed over."""
        with self._change() as change:
            change.touched |= files.forget_files(change.connection, gone)

    def prune(self) -> int:
        """Drop images that no file holds and roots without files; return how many images."""
        with self._change() as change:
            ((sent,),) = ask(
                change.connection,
                f"WITH gone AS (DELETE FROM {change.state.table} AS i "
                "WHERE i.row IN (SELECT row FROM loose) "
                "AND NOT EXISTS (SELECT FROM files AS f WHERE f.row = i.row) RETURNING i.row) "
                "SELECT string_agg(int8send(row), '') FROM gone",
            )
            gone = rows_of(sent)
            words.drop_words(change.connection, gone)
            ask(change.connection, 'DELETE FROM texts WHERE "row" = ANY(%s)', sent_rows(gone))
            ask(change.connection, "DELETE FROM loose")
            roots.drop_empty(change.connection)
            change.images -= len(gone)
            return len(gone)

    def write_texts(self, texts: Mapping[int, str]) -> None:
        """Store the text that was read in pictures, by row, all or nothing, durable on return.

        Raises StoreError when a row is no image.
        """
        with self._change() as change:
            rows = np.fromiter(texts, dtype=np.int64)
            there = _images_among(change, rows)
            if missing := set(rows.tolist()) - set(there.tolist()):
                raise StoreError(
                    f"Row {min(missing)} is no image of the library (any more): read again."
                )
            kept = {int(row): storable(text) for row, text in texts.items()}
            words.put_texts(change.connection, kept)
            change.touched |= kept.keys()

    def write_measures(self, first_row: int, measures: NDArray[np.float32]) -> None:
        """Store measures (n, MEASURES) of the rows from `first_row` on, all or nothing, durable
        on return.

        Raises StoreError when they do not fit the library, or its rows.
        """
        with self._change() as change:
            fit = checked_measures(first_row, measures, change.rows)
            columns = ", ".join(["%s::real[]"] * MEASURES)
            names = [f"m{number}" for number in range(MEASURES)]
            ask(
                change.connection,
                'DELETE FROM measures WHERE "row" >= %s AND "row" < %s',
                first_row,
                first_row + len(fit),
            )
            ask(
                change.connection,
                f"INSERT INTO measures SELECT %s + number - 1, ARRAY[{', '.join(names)}] "
                f"FROM unnest({columns}) WITH ORDINALITY AS m ({', '.join(names)}, number)",
                first_row,
                *(column.tolist() for column in fit.T),
            )

    def write_regions(  # The protocol names what nothing is done with here.
        self, rows: Sequence[int], found: Sequence[ImageRegions]  # noqa: ARG002
    ) -> None:
        """Raise InputError: regions are kept in folders."""
        raise no_regions(self.location)

    def drop_regions(self) -> None:
        """Do nothing: there are none."""

    def set_note(self, key: str, value: str) -> None:
        """Keep a small text beside the data."""
        with self._change() as change:
            generations.set_note(change.connection, key, storable(value))

    def compact(self, *, notes: Mapping[str, str] = NO_NOTES) -> Compaction:
        """Number the images anew without holes, give back the room of removed ones, and keep these
        notes in the same step.

        Raises StoreError while the library is being moved to another model.
        """
        bytes_before = self.size_bytes()
        with self._change() as change:
            holes, count = change.rows - change.images, change.images
            if generations.compact(change.connection, change.state, notes):
                change.rows = count
        self._take_up()
        return Compaction(count, holes, bytes_before, self.size_bytes())

    # -- moving to another model -----------------------------------------------------------
    def begin_next(self, model: ModelIdentity) -> None:
        """Begin, or go on with, vectors of another model; what was made for a third one goes.

        Raises StoreError for the model in use.
        """
        if model.fingerprint == self.model.fingerprint:
            raise StoreError(f"The vectors of {self.location} come from {model.name} already.")
        with self._change() as change:
            generations.begin_next(change.connection, model)

    def write_next(self, rows: Sequence[int], vectors: Matrix) -> None:
        """Store the next model's vectors, (len(rows), its embed_dim), durable on return.

        Raises StoreError when no move was begun, or rows or vectors do not fit it.
        """
        with self._change() as change:
            following = generations.next_model(change.connection)
            if following is None:
                raise StoreError(f"{self.location} is not being moved to another model.")
            asked = checked_rows(rows, change.rows)
            fit = checked_vectors(vectors, len(asked), following.embed_dim)
            images.put_next(change.connection, asked.tolist(), fit)

    def finish_next(self, *, forget_notes: Sequence[str] = ()) -> None:
        """Make the next model the model in one step; drop these notes and the old vectors.

        Raises StoreError when no move was begun, or an image has no vector of it yet.
        """
        with self._change() as change:
            generations.finish_next(change.connection, change.state, forget_notes=forget_notes)
        self._take_up()

    def drop_next(self) -> None:
        """Give up the move and its vectors; without one, do nothing."""
        with self._change() as change:
            generations.drop_next(change.connection)

    @contextmanager
    def _change(self) -> Iterator[_Change]:
        connection = self._writer
        if connection is None:
            raise StoreError("A library is changed inside `with store.writing():` only.")
        if self._open.is_reading:
            raise StoreError("Nothing can be written inside `with store.reading():`.")
        address = self._open.address
        with self._changing, translated(address, writing=True), connection.transaction():
            state = state_of(connection, for_change=True)
            self._open.check(state)
            change = _Change(connection, state, state.rows, state.images)
            yield change
            words.refresh(connection, state.table, change.touched)
            ask(
                connection,
                "UPDATE library SET rows = %s, images = %s, changes = changes + 1",
                change.rows,
                change.images,
            )

    def _append(
        self, change: _Change, new: Sequence[NewImage], new_files: Sequence[FileRecord]
    ) -> None:
        if new:
            table, end = change.state.table, change.rows + len(new)
            make_partitions(change.connection, table, change.rows, end)
            images.add_images(change.connection, table, change.rows, new)
            words.add_words(change.connection, change.rows, new, new_files)
            change.rows, change.images = end, change.images + len(new)

    def _take_up(self) -> None:
        """Answer from the generation that is in use now, and drop the one before it."""
        with self._open.reading() as snapshot:
            self._open.in_use = snapshot.state
        self._sweep()

    def _sweep(self) -> None:
        """Drop images that a move or a compaction left behind, unless somebody reads them."""
        if self._writer is None or self._open.is_reading:
            return
        with (
            translated(self._open.address),
            suppress(psycopg.errors.LockNotAvailable),
            self._writer.transaction(),
        ):
            self._writer.execute("SET LOCAL lock_timeout = '200ms'")
            drop_other_images(self._writer, state_of(self._writer).generation)

    def _settle(self) -> None:
        """Make the index of vectors where it has become due, and let the planner know what came."""
        connection = self._writer
        if connection is None or self._open.is_reading:
            return
        with translated(self._open.address, writing=True):
            state = state_of(connection)
            is_made = state.rows > nearest.EXACT_UP_TO and nearest.make_indexes(
                connection, state.table, state.model.embed_dim
            )
            new = abs(state.rows - state.analyzed)
            if is_made or new > max(_WORTH_LEARNING, state.rows // 10):
                connection.execute(f"ANALYZE {state.table}, files, words, texts".encode())
                connection.execute(b"UPDATE library SET analyzed = rows")


def _images_among(change: _Change, rows: Rows) -> Rows:
    source = f"{change.state.table} AS i WHERE i.row = ANY(%s)"
    return images.all_rows(change.connection, source, sent_rows(rows))
