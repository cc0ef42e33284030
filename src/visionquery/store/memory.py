"""A library in memory, with the meaning of one on disk and none of its files.

For tests and for questions asked once. Everything is plain Python and NumPy, so that it can
also be read as what a store means.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import StoreError
from visionquery.store import entries
from visionquery.store.base import (
    MEASURES,
    NO_NOTES,
    Compaction,
    FileRecord,
    NewImage,
    Root,
    Scope,
)
from visionquery.store.memory_next import Next
from visionquery.store.memory_reader import MemoryReader
from visionquery.store.places import normal
from visionquery.store.regions import ImageRegions, checked_regions
from visionquery.types import Facts, Matrix, ModelIdentity

__all__ = ["MemoryStore"]

class MemoryStore(MemoryReader):
    """A `Store` that lasts as long as the object. Safe to read from several threads."""

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the one writer's place. Raises StoreError when it is already held."""
        with self._state:
            if self._writing:
                raise StoreError("writing() is already held here: do not enter it a second time.")
            self._writing = True
        try:
            yield
        finally:
            self._writing = False

    def add_root(self, location: str, *, whole: bool = True) -> Root:
        """Return the root that this absolute folder belongs to, making it if need be."""
        place = normal(location)
        with self._change():
            return self._places.add(place, whole=whole)

    def move(self, scope: Scope, location: str) -> Root:
        """Say that the files below a scope now lie below another absolute folder.

        Raises StoreError when the scope's root is not in the library.
        """
        place = normal(location)
        with self._change():
            return self._places.move(scope, place)

    def write(self, images: Sequence[NewImage], files: Sequence[FileRecord]) -> None:
        """Store images and the files they were seen in, all or nothing.

        Raises StoreError when something in the batch does not fit this library.
        """
        batch = entries.checked_batch(images, files, embed_dim=self._model.embed_dim)
        with self._change():
            self._places.check(batch.files.values(), self._rows.keys() | batch.images.keys())
            self._append([each for key, each in batch.images.items() if key not in self._rows])
            self._places.files.update(batch.files)

    def write_facts(self, facts: Mapping[str, Facts]) -> None:
        """Store facts of stored images, by image_id, all or nothing.

        Raises StoreError when one is not stored.
        """
        with self._change():
            for image_id, fit in entries.checked_facts(facts, self._rows.keys()).items():
                row = self._rows[image_id]
                self._images[row] = replace(self._image(row), facts=fit)

    def forget(self, files: Sequence[tuple[int, str]]) -> None:
        """Forget files, given as (root_id, path); unknown ones are passed over."""
        with self._change():
            for key in files:
                self._places.files.pop(key, None)

    def prune(self) -> int:
        """Drop images that no file holds and roots without files; return how many images."""
        with self._change():
            gone = self._rows.keys() - self._places.by_image().keys()
            for image_id in gone:
                row = self._rows.pop(image_id)
                self._images[row] = None
                self._texts.pop(row, None)
            self._places.drop_empty_roots()
            return len(gone)

    def write_texts(self, texts: Mapping[int, str]) -> None:
        """Store the text that was read in pictures, by row, all or nothing.

        Raises StoreError when a row is no image.
        """
        with self._change():
            for row in texts:
                self._image(row)
            self._texts.update((row, entries.storable(text)) for row, text in texts.items())

    def write_measures(self, first_row: int, measures: NDArray[np.float32]) -> None:
        """Store measures (n, MEASURES) of the rows from `first_row` on.

        Raises StoreError when they do not fit the store, or its rows.
        """
        with self._change():
            fit = entries.checked_measures(first_row, measures, len(self._images))
            self._measures[first_row : first_row + len(fit)] = fit

    def write_regions(self, rows: Sequence[int], found: Sequence[ImageRegions]) -> None:
        """Store the regions of rows that have none, all or nothing.

        Raises StoreError when one does not fit, is no image, or has regions.
        """
        with self._change():
            owners, fit = checked_regions(rows, found, embed_dim=self._model.embed_dim)
            for row in owners.tolist():
                self._image(row)
            if self._regions.keys() & set(owners.tolist()):
                raise StoreError("An image has regions already: forget all before writing others.")
            self._regions.update(zip(owners.tolist(), fit, strict=True))

    def drop_regions(self) -> None:
        """Forget all regions."""
        with self._change():
            self._regions.clear()

    def set_note(self, key: str, value: str) -> None:
        """Keep a small text beside the data."""
        with self._change():
            self._notes[key] = entries.storable(value)

    def compact(self, *, notes: Mapping[str, str] = NO_NOTES) -> Compaction:
        """Number the images anew without holes, and keep these notes.

        Raises StoreError while the store is being moved to another model.
        """
        with self._change():
            bytes_before, rows = self._matrix.nbytes, sorted(self._rows.values())
            holes = len(self._images) - len(rows)
            if holes and self._next is not None:
                raise StoreError(
                    f"The store is being moved to the model {self._next.model.name}: finish that "
                    "first, then compact it."
                )
            if holes:
                self._number_anew(rows)
                self._notes.update(notes)
            return Compaction(len(rows), holes, bytes_before, self._matrix.nbytes)

    # -- moving to another model -----------------------------------------------------------
    def begin_next(self, model: ModelIdentity) -> None:
        """Begin, or go on with, vectors of another model; what was made for a third one goes.

        Raises StoreError for the model in use.
        """
        if model.fingerprint == self._model.fingerprint:
            raise StoreError(f"The vectors come from {model.name} already.")
        with self._change():
            goes_on = self._next and self._next.model.fingerprint == model.fingerprint
            vectors = self._next.vectors if self._next and goes_on else {}
            self._next = Next(model, vectors)

    def write_next(self, rows: Sequence[int], vectors: Matrix) -> None:
        """Store the next model's vectors, (len(rows), its embed_dim).

        Raises StoreError when no move was begun, or rows or vectors do not fit it.
        """
        with self._change():
            following = self._begun()
            asked = entries.checked_rows(rows, len(self._images))
            fit = entries.checked_vectors(vectors, len(asked), following.model.embed_dim)
            following.vectors.update(zip(asked.tolist(), fit.copy(), strict=True))

    def finish_next(self, *, forget_notes: Sequence[str] = ()) -> None:
        """Make the next model the model in one step; drop these notes and the old vectors.

        Raises StoreError when no move was begun, or an image has no vector of it yet.
        """
        with self._change():
            following = self._begun()
            matrix = following.matrix(self._rows.values(), len(self._images))
            self._model, self._matrix, self._next = following.model, matrix, None
            self._measures[:] = np.nan
            self._regions.clear()
            for key in forget_notes:
                self._notes.pop(key, None)

    def drop_next(self) -> None:
        """Give up the move and its vectors; without one, do nothing."""
        with self._change():
            self._next = None

    @contextmanager
    def _change(self) -> Iterator[None]:
        if not self._writing:
            raise StoreError("A library is changed inside `with store.writing():` only.")
        with self.reading():
            yield

    def _begun(self) -> Next:
        if self._next is None:
            raise StoreError("The store is not being moved to another model.")
        return self._next

    def _number_anew(self, rows: list[int]) -> None:
        new = {row: place for place, row in enumerate(rows)}
        self._images = [self._images[row] for row in rows]
        self._matrix, self._measures = self._matrix[rows], self._measures[rows]
        self._rows = {image_id: new[row] for image_id, row in self._rows.items()}
        self._texts = {new[row]: text for row, text in self._texts.items()}
        self._regions = {new[row]: of for row, of in self._regions.items() if row in new}

    def _append(self, images: Sequence[NewImage]) -> None:
        if not images:
            return
        for row, image in enumerate(images, start=len(self._images)):
            self._rows[image.image_id] = row
        self._images.extend(images)
        self._matrix = np.vstack([self._matrix, *(image.vector for image in images)])
        unknown = np.full((len(images), MEASURES), np.nan, dtype=np.float32)
        self._measures = np.vstack([self._measures, unknown])
