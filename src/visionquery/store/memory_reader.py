"""The reading half of a library in memory: plain Python and NumPy, so that it can also be read as
what a store means.
"""


import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import PurePath

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
from visionquery.store.fragments import compared, images_of
from visionquery.store.kernels import cosines
from visionquery.store.meaning import candidates, page_of, true_estimates
from visionquery.store.memory_next import Next
from visionquery.store.memory_places import MemoryPlaces, Seen
from visionquery.store.places import locate, normal, packed
from visionquery.store.questions import Candidates, Question, Where
from visionquery.store.records import holds_phrase, record_test
from visionquery.store.regions import ImageRegions, Regions, regions_of
from visionquery.store.words import words_of
from visionquery.types import Matrix, ModelIdentity

__all__ = ["MemoryReader"]

_EXACT_UP_TO = 1_000_000


class MemoryReader:
    """What a `MemoryStore` answers."""

    def __init__(self, model: ModelIdentity) -> None:
        self._model = model
        self._images: list[NewImage | None] = []
        self._matrix = np.empty((0, model.embed_dim), dtype=np.float32)
        self._rows: dict[str, int] = {}
        self._places = MemoryPlaces()
        self._texts: dict[int, str] = {}
        self._measures = np.empty((0, MEASURES), dtype=np.float32)
        self._regions: dict[int, ImageRegions] = {}
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

    @property
    def exact_up_to(self) -> int:
        """Up to how many rows every image is compared."""
        return _EXACT_UP_TO

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

    def files(
        self, scope: Scope, *, after: str | None = None, limit: int | None = None
    ) -> dict[str, FileRecord]:
        """Return the files at and below a scope, by path, in path order, or a page of them."""
        with self.reading():
            found = {file.path: file for file in self._places.below(scope)}
        start = None if after is None else packed(after)
        paths = [path for path in found if start is None or packed(path) > start]
        return {path: found[path] for path in sorted(paths, key=packed)[:limit]}

    def file_count(self, scope: Scope) -> tuple[int, int]:
        """Return how many files at and below a scope are in use, and how many were skipped."""
        with self.reading():
            skipped = [file.problem is not None for file in self._places.below(scope)]
        return len(skipped) - sum(skipped), sum(skipped)

    def rows_of(self, image_ids: Sequence[str]) -> dict[str, int]:
        """Return the rows, by id, of those of the ids that are stored."""
        with self.reading():
            return {each: self._rows[each] for each in image_ids if each in self._rows}

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
        return true_estimates(self, probes, spans, rows)

    def candidates(self, question: Question) -> Candidates:
        """Return the images that are worth comparing for a question: the very nearest."""
        with self.reading():
            return candidates(
                self,
                question,
                nearest=self._nearest,
                sampled=lambda probes: self.scores(probes)[:, self.alive()],
            )

    def sample(self, count: int) -> NDArray[np.intp]:
        """Return the rows (n,) of the `count` images with the smallest ids, in their order."""
        with self.reading():
            rows = [self._rows[each] for each in sorted(self._rows)[:count]]
        return np.array(rows, dtype=np.intp)

    def alive(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of rows that are images, not holes."""
        with self.reading():
            return self._mask(self._rows.values())

    def matching(self, test: Filter) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images for which a filter holds.

        Raises InputError when the filter's test is not one for its field.
        """
        with self.reading():
            fits, known = record_test(test), self._records_and_paths()
            return self._mask(record.row for record, paths in known if fits(record, paths))

    def holding(self, phrase: str) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images that have the words of a phrase in a row."""
        with self.reading():
            wanted, seen = words_of(phrase), self._places.by_image()
            rows = self._rows.items() if wanted else ()
            return self._mask(row for id_, row in rows if self._holds(row, seen[id_], wanted))

    def text_read(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images whose text was read."""
        with self.reading():
            return self._mask(self._texts)

    def has_texts(self) -> bool:
        """Return whether the text of any image was read."""
        with self.reading():
            return bool(self._texts)

    def measures(self, rows: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """Return the measures (n, MEASURES) of rows (n,), None is all, NaN where there is none."""
        with self.reading():
            return self._measures[self._asked(rows)]

    def within(self, scopes: Sequence[Scope]) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images seen at or below any of the scopes."""
        with self.reading():
            files = (file for scope in scopes for file in self._places.below(scope))
            seen = chain.from_iterable(map(images_of, files))
            return self._mask(self._rows[image_id] for image_id in seen)

    def records(self, rows: Sequence[int]) -> list[ImageRecord]:
        """Return the records of rows, in their order. Raises StoreError when one is no image."""
        with self.reading():
            seen = self._places.by_image()
            return [self._record(int(row), seen[self._image(int(row)).image_id]) for row in rows]

    def ordered(self, by: Order, *, places: Sequence[str] = ()) -> NDArray[np.intp]:
        """Return the rows (n,) of all images in an order."""
        with self.reading():
            return order_of(self.records(list(self._rows.values())), by, places=places)

    def page(
        self, where: Where, by: Order, *, offset: int, limit: int, places: Sequence[str] = ()
    ) -> tuple[NDArray[np.intp], int]:
        """Return a page of the rows (n,) of the images meant, in an order, and their number."""
        with self.reading():
            return page_of(self, where, by, offset=offset, limit=limit, places=places)

    def facets(self) -> Facets:
        """Return what filters can choose from."""
        with self.reading():
            return facets_of(list(self._records_and_paths()), self.roots())

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

    def regions(self) -> Regions | None:
        """Return the regions of all images; None where there are none."""
        with self.reading():
            found = list(self._regions.values())
            return regions_of([*self._regions], found, embed_dim=self._model.embed_dim)

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

    def _nearest(self, probes: Matrix, count: int, among: NDArray[np.bool_]) -> NDArray[np.intp]:
        rows = np.flatnonzero(among)
        best = np.argsort(-self.scores(probes, rows), axis=1, kind="stable")
        return rows[np.unique(best[:, :count])]

    def _asked(self, rows: NDArray[np.intp] | None) -> NDArray[np.int64]:
        count = len(self._images)
        return np.arange(count) if rows is None else entries.checked_rows(rows, count)

    def _image(self, row: int) -> NewImage:
        image = self._images[row] if 0 <= row < len(self._images) else None
        if image is None:
            raise StoreError(f"Row {row} is no image of the library (any more): search again.")
        return image

    def _record(self, row: int, seen: Iterable[Seen]) -> ImageRecord:
        image, first = self._image(row), dict[str, str]()
        for file, fragment in seen:
            first.setdefault(self._places.place(file), fragment)
        paths = tuple(sorted(first, key=packed))
        fragments = {path: fragment for path, fragment in first.items() if fragment}
        text = self._texts.get(row)
        return ImageRecord(row, image.image_id, image.facts, paths, text, fragments)

    def _records_and_paths(self) -> Iterator[tuple[ImageRecord, list[str]]]:
        """Yield the record of every image, with the absolute paths that filters compare of it."""
        seen = self._places.by_image()
        for image_id, row in self._rows.items():
            here = [(self._places.place(file), fragment) for file, fragment in seen[image_id]]
            yield self._record(row, seen[image_id]), [compared(*each) for each in here]

    def _holds(self, row: int, seen: Sequence[Seen], phrase: str) -> bool:
        folders = {PurePath(self._places.folder(file)).name for file, _ in seen}
        paths = [compared(file.path, fragment) for file, fragment in seen]
        return holds_phrase(self._image(row).facts, paths, folders, self._texts.get(row), phrase)

    def _mask(self, rows: Iterable[int]) -> NDArray[np.bool_]:
        mask = np.zeros(len(self._images), dtype=np.bool_)
        mask[list(rows)] = True
        return mask
