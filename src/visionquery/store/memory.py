"""A library in memory, with the meaning of one on disk and none of its files.

For tests and for questions asked once. Everything is plain Python and NumPy, so that it can
also be read as what a store means.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import StoreError
from visionquery.query.ast import Filter
from visionquery.store.base import FileRecord, ImageRecord, NewImage, Root, Scope
from visionquery.store.entries import (
    checked_batch,
    checked_probes,
    checked_rows,
    checked_vectors,
    storable,
)
from visionquery.store.filters import COLUMNS, date_bounds, place_test, size_bounds
from visionquery.store.kernels import cosines
from visionquery.store.places import absolute, locate, normal, packed
from visionquery.store.settling import owner, settled
from visionquery.types import Facts, Matrix, ModelIdentity, Vector

__all__ = ["MemoryStore"]


@dataclass(frozen=True, slots=True)
class _Next:
    """A move to another model: its vectors, (embed_dim,), by row."""

    model: ModelIdentity
    vectors: dict[int, Vector] = field(default_factory=dict)


class MemoryStore:
    """A `Store` that lasts as long as the object. Safe to read from several threads."""

    def __init__(self, model: ModelIdentity) -> None:
        self._model = model
        self._images: list[NewImage | None] = []
        self._matrix = np.empty((0, model.embed_dim), dtype=np.float32)
        self._rows: dict[str, int] = {}
        self._files: dict[tuple[int, str], FileRecord] = {}
        self._roots: dict[int, Root] = {}
        self._roots_made = 0
        self._notes: dict[str, str] = {}
        self._next: _Next | None = None
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
            root = owner(place, self.roots(), whole=whole)
            if root is None:
                self._roots_made += 1
                return self._settle(Root(self._roots_made, place, whole))
            return self._settle(replace(root, whole=True)) if whole and not root.whole else root

    def move(self, scope: Scope, location: str) -> Root:
        """Say that the files below a scope now lie below another absolute folder.

        Raises StoreError when the scope's root is not in the library.
        """
        place = normal(location)
        with self._change():
            if scope.root_id not in self._roots:
                raise StoreError(f"Root {scope.root_id} is not in the library.")
            if not scope.path:
                return self._settle(replace(self._roots[scope.root_id], location=place))
            root = self.add_root(place)
            self._hand_over(scope, locate(place, [root]) or Scope(root.root_id))
            return self._settle(root)

    def write(self, images: Sequence[NewImage], files: Sequence[FileRecord]) -> None:
        """Store images and the files they were seen in, all or nothing.

        Raises StoreError when something in the batch does not fit this library.
        """
        batch = checked_batch(images, files, embed_dim=self._model.embed_dim)
        with self._change():
            self._check_files(batch.files.values(), self._rows.keys() | batch.images.keys())
            self._append([each for key, each in batch.images.items() if key not in self._rows])
            self._files.update(batch.files)

    def forget(self, files: Sequence[tuple[int, str]]) -> None:
        """Forget files, given as (root_id, path); unknown ones are passed over."""
        with self._change():
            for key in files:
                self._files.pop(key, None)

    def prune(self) -> int:
        """Drop images that no file holds and roots without files; return how many images."""
        with self._change():
            held = {file.image_id for file in self._files.values()}
            gone = self._rows.keys() - held
            for image_id in gone:
                self._images[self._rows.pop(image_id)] = None
            used = {root_id for root_id, _ in self._files}
            self._roots = {key: root for key, root in self._roots.items() if key in used}
            return len(gone)

    def set_note(self, key: str, value: str) -> None:
        """Keep a small text beside the data."""
        with self._change():
            self._notes[key] = storable(value)

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
            self._next = _Next(model, vectors)

    def write_next(self, rows: Sequence[int], vectors: Matrix) -> None:
        """Store the next model's vectors, (len(rows), its embed_dim).

        Raises StoreError when no move was begun, or rows or vectors do not fit it.
        """
        with self._change():
            following = self._begun()
            asked = checked_rows(rows, len(self._images))
            fit = checked_vectors(vectors, len(asked), following.model.embed_dim)
            following.vectors.update(zip(asked.tolist(), fit.copy(), strict=True))

    def finish_next(self, *, forget_notes: Sequence[str] = ()) -> None:
        """Make the next model the model in one step; drop these notes and the old vectors.

        Raises StoreError when no move was begun, or an image has no vector of it yet.
        """
        with self._change():
            following = self._begun()
            if not following.vectors.keys() >= set(self._rows.values()):
                raise StoreError(
                    f"Not every image has a vector of {following.model.name}: write those first."
                )
            matrix = np.zeros((len(self._images), following.model.embed_dim), dtype=np.float32)
            for row, vector in following.vectors.items():
                matrix[row] = vector
            self._model, self._matrix, self._next = following.model, matrix, None
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
            return sorted(self._roots.values(), key=lambda root: packed(root.location))

    def locate(self, path: str) -> Scope | None:
        """Return where an absolute path lies in the roots, None if in none."""
        return locate(normal(path), self.roots())

    def files(self, scope: Scope) -> dict[str, FileRecord]:
        """Return the files at and below a scope, by path, in path order."""
        with self.reading():
            found = {file.path: file for file in self._files.values() if _is_in(file, scope)}
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

    def scores(self, probes: Matrix) -> NDArray[np.float32]:
        """Return cosines, (p, row_count), of probes (p, embed_dim); holes have any value."""
        with self.reading():
            asked = checked_probes(probes, self._model.embed_dim)
            return cosines(asked, [self._matrix], len(self._matrix))

    def alive(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of rows that are images, not holes."""
        with self.reading():
            return self._mask(self._rows.values())

    def matching(self, test: Filter) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images for which a filter holds.

        Raises InputError when the filter's test is not one for its field.
        """
        with self.reading():
            if test.field in ("path", "ext"):
                is_meant = place_test(test)
                return self._seen(lambda file: is_meant(self._place(file)))
            fits = _fact_test(test)
            return self._mask(row for row in self._rows.values() if fits(self._image(row).facts))

    def within(self, scopes: Sequence[Scope]) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images seen at or below any of the scopes."""
        with self.reading():
            return self._seen(lambda file: any(_is_in(file, scope) for scope in scopes))

    def records(self, rows: Sequence[int]) -> list[ImageRecord]:
        """Return the records of rows, in their order. Raises StoreError when one is no image."""
        with self.reading():
            return [self._record(int(row)) for row in rows]

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
            return self._matrix[checked_rows(rows, len(self._matrix))]

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

    def _begun(self) -> _Next:
        if self._next is None:
            raise StoreError("The store is not being moved to another model.")
        return self._next

    def _check_files(self, files: Iterable[FileRecord], image_ids: Set[str]) -> None:
        for file in files:
            if file.root_id not in self._roots:
                raise StoreError(f"A file is below root {file.root_id}, not in the library.")
            if file.image_id is not None and file.image_id not in image_ids:
                raise StoreError(f"A file shows image {file.image_id}, which is not stored.")

    def _append(self, images: Sequence[NewImage]) -> None:
        if not images:
            return
        for row, image in enumerate(images, start=len(self._images)):
            self._rows[image.image_id] = row
        self._images.extend(images)
        self._matrix = np.vstack([self._matrix, *(image.vector for image in images)])

    def _settle(self, root: Root) -> Root:
        after = settled(root, [each for key, each in self._roots.items() if key != root.root_id])
        for source, target in after.handed:
            self._hand_over(source, target)
        for root_id in after.dropped:
            self._roots.pop(root_id, None)
        self._roots[after.root.root_id] = after.root
        return after.root

    def _hand_over(self, source: Scope, target: Scope) -> None:
        gone, come = (f"{scope.path}/" if scope.path else "" for scope in (source, target))
        keys = [k for k in self._files if k[0] == source.root_id and k[1].startswith(gone)]
        for file in [self._files.pop(key) for key in keys]:
            path = come + file.path[len(gone) :]
            moved = replace(file, root_id=target.root_id, path=path)
            self._files.setdefault((target.root_id, path), moved)

    def _image(self, row: int) -> NewImage:
        image = self._images[row] if 0 <= row < len(self._images) else None
        if image is None:
            raise StoreError(f"Row {row} is no image of the library (any more): search again.")
        return image

    def _record(self, row: int) -> ImageRecord:
        image = self._image(row)
        held = (file for file in self._files.values() if file.image_id == image.image_id)
        paths = sorted({self._place(file) for file in held}, key=packed)
        return ImageRecord(row, image.image_id, image.facts, tuple(paths))

    def _place(self, file: FileRecord) -> str:
        return absolute(self._roots[file.root_id].location, file.path)

    def _seen(self, is_meant: Callable[[FileRecord], bool]) -> NDArray[np.bool_]:
        return self._mask(
            self._rows[file.image_id]
            for file in self._files.values()
            if file.image_id is not None and is_meant(file)
        )

    def _mask(self, rows: Iterable[int]) -> NDArray[np.bool_]:
        mask = np.zeros(len(self._images), dtype=np.bool_)
        mask[list(rows)] = True
        return mask


def _is_in(file: FileRecord, scope: Scope) -> bool:
    if file.root_id != scope.root_id:
        return False
    return not scope.path or file.path == scope.path or file.path.startswith(scope.path + "/")


def _fact_test(wanted: Filter) -> Callable[[Facts], bool]:
    column = COLUMNS[wanted.field]
    if column == "taken_at":
        first, end = date_bounds(wanted)
        return lambda facts: facts.taken_at is not None and first <= facts.taken_at < end
    low, high = size_bounds(wanted)
    return lambda facts: low <= getattr(facts, column) <= high
