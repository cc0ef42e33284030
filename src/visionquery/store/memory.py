"""A library in memory, with the meaning of one on disk and none of its files.

For tests and for questions asked once. Everything is plain Python and NumPy, so that it can
also be read as what a store means.
"""

import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import StoreError
from visionquery.query.ast import Filter
from visionquery.store import entries
from visionquery.store.base import (
    MEASURES,
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
from visionquery.store.derived import facets_of, order_of
from visionquery.store.kernels import cosines
from visionquery.store.memory_next import Next
from visionquery.store.memory_places import MemoryPlaces
from visionquery.store.places import locate, normal, packed
from visionquery.store.records import holds_phrase, record_test
from visionquery.store.words import words_of
from visionquery.types import Matrix, ModelIdentity

__all__ = ["MemoryStore"]


class MemoryStore:
    """A `Store` that lasts as long as the object. Safe to read from several threads."""

    def __init__(self, model: ModelIdentity) -> None:
        self._model = model
        self._images: list[NewImage | None] = []
        self._matrix = np.empty((0, model.embed_dim), dtype=np.float32)
        self._rows: dict[str, int] = {}
        self._places = MemoryPlaces()
        self._texts: dict[int, str] = {}
        self._measures = np.empty((0, MEASURES), dtype=np.float32)
        self._notes: dict[str, str] = {}
        self._next: Next | None = None
        self._state = threading.RLock()
        self._writing = False
        self._closed = False

    @property
    def location(self) -> str:
        """Where the store is."""
        return "memory"

    @property
    def model(self) -> ModelIdentity:
        """The model of all vectors that answers are made of."""
        return self._model

    # -- writing ---------------------------------------------------------------------------
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

    def set_note(self, key: str, value: str) -> None:
        """Keep a small text beside the data."""
        with self._change():
            self._notes[key] = entries.storable(value)

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
            for key in forget_notes:
                self._notes.pop(key, None)

    def drop_next(self) -> None:
        """Give up the move and its vectors; without one, do nothing."""
        with self._change():
            self._next = None

    # -- reading ---------------------------------------------------------------------------
    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let nothing change until the block ends."""
        with self._state:
            if self._closed:
                raise StoreError("This store was closed: make another one.")
            yield

    def roots(self) -> list[Root]:
        """Return all roots in order of location."""
        with self.reading():
            return self._places.roots()

    def locate(self, path: str) -> Scope | None:
        """Return where an absolute path lies in the roots, None if in none."""
        return locate(normal(path), self.roots())

    def files(self, scope: Scope) -> dict[str, FileRecord]:
        """Return the files at and below a scope, by path, in path order."""
        with self.reading():
            found = {file.path: file for file in self._places.below(scope)}
        return {path: found[path] for path in sorted(found, key=packed)}

    def has_images(self, image_ids: Sequence[str]) -> set[str]:
        """Return those of the ids that are stored."""
        with self.reading():
            return self._rows.keys() & set(image_ids)

    def image_count(self) -> int:
        """Return the number of images."""
        with self.reading():
            return len(self._rows)

    def row_count(self) -> int:
        """Return the number of rows, holes included."""
        with self.reading():
            return len(self._images)

    def scores(
        self, probes: Matrix, rows: NDArray[np.intp] | None = None
    ) -> NDArray[np.float32]:
        """Return cosines, (p, n), of probes (p, embed_dim) with rows (n,), None is all."""
        with self.reading():
            asked = entries.checked_probes(probes, self._model.embed_dim)
            matrix = self._matrix[self._asked(rows)]
            return cosines(asked, [matrix], len(matrix))

    def estimates(
        self,
        probes: Matrix,
        *,
        spans: Sequence[Span] | None = None,
        rows: NDArray[np.intp] | None = None,
    ) -> Estimates:
        """Return the cosines, (p, n), of probes (p, embed_dim) with the rows asked for."""
        if spans is not None:
            rows = np.concatenate([np.arange(*span) for span in spans])
        return Estimates(self.scores(probes, rows))

    def nearest(
        self, probes: Matrix, count: int, *, among: NDArray[np.bool_]
    ) -> NDArray[np.intp]:
        """Return the rows (n,) of those `among` all that are the nearest to any of some probes."""
        with self.reading():
            rows = np.flatnonzero(among)
            best = np.argsort(-self.scores(probes, rows), axis=1, kind="stable")
            return rows[np.unique(best[:, :count])]

    def alive(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of rows that are images, not holes."""
        with self.reading():
            return self._mask(self._rows.values())

    def matching(self, test: Filter) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images for which a filter holds.

        Raises InputError when the filter's test is not one for its field.
        """
        with self.reading():
            fits, files = record_test(test), self._places.by_image()
            rows = self._rows.items()
            return self._mask(row for id_, row in rows if fits(self._record(row, files[id_])))

    def holding(self, phrase: str) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images that have the words of a phrase in a row."""
        with self.reading():
            wanted, files = words_of(phrase), self._places.by_image()
            rows = self._rows.items() if wanted else ()
            return self._mask(row for id_, row in rows if self._holds(row, files[id_], wanted))

    def text_read(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images whose text was read."""
        with self.reading():
            return self._mask(self._texts)

    def measures(self, rows: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """Return the measures (n, MEASURES) of rows (n,), None is all, NaN where there is none."""
        with self.reading():
            return self._measures[self._asked(rows)]

    def within(self, scopes: Sequence[Scope]) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images seen at or below any of the scopes."""
        with self.reading():
            seen = (file.image_id for scope in scopes for file in self._places.below(scope))
            return self._mask(self._rows[image_id] for image_id in seen if image_id is not None)

    def records(self, rows: Sequence[int]) -> list[ImageRecord]:
        """Return the records of rows, in their order. Raises StoreError when one is no image."""
        with self.reading():
            files = self._places.by_image()
            return [self._record(int(row), files[self._image(int(row)).image_id]) for row in rows]

    def ordered(self, by: Order, *, places: Sequence[Path] = ()) -> NDArray[np.intp]:
        """Return the rows (n,) of all images in an order."""
        with self.reading():
            return order_of(self.records(list(self._rows.values())), by, places=places)

    def facets(self) -> Facets:
        """Return what filters can choose from."""
        with self.reading():
            return facets_of(self.records(list(self._rows.values())), self.roots())

    def find(self, image_id: str) -> list[int]:
        """Return the rows whose id starts with `image_id` (two at most)."""
        with self.reading():
            found = sorted(known for known in self._rows if known.startswith(image_id.lower()))
            return [self._rows[known] for known in found[:2]]

    def vectors(self, rows: Sequence[int]) -> Matrix:
        """Return the stored vectors of rows, (len(rows), embed_dim), in their order.

        Raises StoreError when a row is none of the library's.
        """
        with self.reading():
            return self._matrix[entries.checked_rows(rows, len(self._matrix))]

    def next_model(self) -> ModelIdentity | None:
        """Return the model that the store is being moved to, None when it is not."""
        with self.reading():
            return self._next.model if self._next else None

    def next_done(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images that have their vector of the next model."""
        with self.reading():
            vectors = self._next.vectors if self._next else {}
            return self._mask(row for row in self._rows.values() if row in vectors)

    def note(self, key: str) -> str | None:
        """Return a text kept by `set_note`."""
        with self.reading():
            return self._notes.get(key)

    def size_bytes(self) -> int:
        """Return how much room the vectors take."""
        with self.reading():
            return self._matrix.nbytes

    def close(self) -> None:
        """Let go of everything. The store cannot be used afterwards."""
        self._closed = True

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

    def _append(self, images: Sequence[NewImage]) -> None:
        if not images:
            return
        for row, image in enumerate(images, start=len(self._images)):
            self._rows[image.image_id] = row
        self._images.extend(images)
        self._matrix = np.vstack([self._matrix, *(image.vector for image in images)])
        unknown = np.full((len(images), MEASURES), np.nan, dtype=np.float32)
        self._measures = np.vstack([self._measures, unknown])

    def _asked(self, rows: NDArray[np.intp] | None) -> NDArray[np.int64]:
        count = len(self._images)
        return np.arange(count) if rows is None else entries.checked_rows(rows, count)

    def _image(self, row: int) -> NewImage:
        image = self._images[row] if 0 <= row < len(self._images) else None
        if image is None:
            raise StoreError(f"Row {row} is no image of the library (any more): search again.")
        return image

    def _record(self, row: int, files: Iterable[FileRecord]) -> ImageRecord:
        image = self._image(row)
        paths = sorted({self._places.place(file) for file in files}, key=packed)
        text = self._texts.get(row)
        return ImageRecord(row, image.image_id, image.facts, tuple(paths), text)

    def _holds(self, row: int, files: Sequence[FileRecord], phrase: str) -> bool:
        folders = {PurePath(self._places.folder(file)).name for file in files}
        paths = [file.path for file in files]
        return holds_phrase(self._image(row).facts, paths, folders, self._texts.get(row), phrase)

    def _mask(self, rows: Iterable[int]) -> NDArray[np.bool_]:
        mask = np.zeros(len(self._images), dtype=np.bool_)
        mask[list(rows)] = True
        return mask
