"""The reading half of a library in one folder: what a store answers, from its catalog and vectors.

Several threads may read one store at a time (each has a connection of its own), and any number of
processes. One opened store answers from one generation and refuses when that is no longer in use.
"""


from collections.abc import Sequence
from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from visionquery.query.ast import Filter
from visionquery.store import catalog, generations, next_model, region_files, word_index
from visionquery.store.base import (
    Estimates,
    Facets,
    FileRecord,
    ImageRecord,
    Order,
    Root,
    Scope,
    Span,
)
from visionquery.store.derived import Kept
from visionquery.store.entries import (
    checked_probes,
    checked_rows,
)
from visionquery.store.files import file_count, file_records, rows_within
from visionquery.store.kernels import cosines
from visionquery.store.layout import folder_bytes
from visionquery.store.measures import read_measures
from visionquery.store.opened import Opened
from visionquery.store.places import locate, normal
from visionquery.store.questions import Candidates, Question, Where
from visionquery.store.regions import Regions
from visionquery.store.roots import roots
from visionquery.store.rows import distinct, joined
from visionquery.store.scanning import (
    estimates,
    estimates_of,
    nearest,
    products,
    sampled_spans,
)
from visionquery.store.texts import has_texts, rows_read
from visionquery.store.words import words_of
from visionquery.types import Matrix, ModelIdentity

__all__ = ["EXACT_UP_TO", "LocalReader"]

EXACT_UP_TO = 1_000_000
"""Rows of a store on this machine up to which every image is compared."""


class LocalReader:
    """What a `Store` in one folder answers."""

    def __init__(self, opened: Opened) -> None:
        self._open = opened
        self._kept = Kept()

    @property
    def location(self) -> str:
        """Where the library is: its folder."""
        return str(self._open.folder)

    @property
    def model(self) -> ModelIdentity:
        """The model of all vectors that answers are made of."""
        return self._open.in_use.model

    @property
    def exact_up_to(self) -> int:
        """Up to how many rows every image is compared."""
        return EXACT_UP_TO

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

    def files(
        self, scope: Scope, *, after: str | None = None, limit: int | None = None
    ) -> dict[str, FileRecord]:
        """Return the files at and below a scope, by path, in path order, or a page of them."""
        with self._open.read() as connection:
            return file_records(connection, scope, after=after, limit=limit)

    def file_count(self, scope: Scope) -> tuple[int, int]:
        """Return how many files at and below a scope are in use, and how many were skipped."""
        with self._open.read() as connection:
            return file_count(connection, scope)

    def rows_of(self, image_ids: Sequence[str]) -> dict[str, int]:
        """Return the rows, by id, of those of the ids that are stored."""
        with self._open.rows() as connection:
            return catalog.image_rows(connection, image_ids)

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

    def candidates(self, question: Question) -> Candidates:
        """Return the images that are worth comparing for a question, by signs, then by bytes."""
        from visionquery.store import meaning  # only a very large library needs it

        with self.reading():
            return meaning.candidates(self, question, nearest=self._nearest, sampled=self._sampled)

    def sample(self, count: int) -> NDArray[np.intp]:
        """Return the rows (n,) of the `count` images with the smallest ids, in their order."""
        with self._open.rows() as connection:
            return catalog.smallest_ids(connection, count)

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
        with self._open.rows() as connection:
            return self._open.mask(connection, rows_read(connection))

    def has_texts(self) -> bool:
        """Return whether the text of any image was read."""
        with self._open.read() as connection:
            return has_texts(connection)

    def measures(self, rows: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """Return the measures (n, MEASURES) of rows (n,), None is all, NaN where there is none."""
        with self._open.rows() as connection:
            count = generations.row_count(connection, self._open.in_use)
            asked = np.arange(count) if rows is None else checked_rows(rows, count)
            return read_measures(connection, asked)

    def within(self, scopes: Sequence[Scope]) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images seen at or below any of the scopes."""
        with self._open.rows() as connection:
            found = joined(rows_within(connection, scope) for scope in scopes)
            return self._open.mask(connection, found)

    def records(self, rows: Sequence[int]) -> list[ImageRecord]:
        """Return the records of rows, in their order. Raises StoreError when one is no image."""
        with self._open.rows() as connection:
            return catalog.image_records(connection, rows)

    def ordered(self, by: Order, *, places: Sequence[str] = ()) -> NDArray[np.intp]:
        """Return the rows (n,) of all images in an order, kept until something changes."""
        from visionquery.store import browsing  # no search by relevance needs it; start fast

        with self._open.rows() as connection:
            return browsing.ordered(connection, self._kept, by, places=places)

    def page(
        self, where: Where, by: Order, *, offset: int, limit: int, places: Sequence[str] = ()
    ) -> tuple[NDArray[np.intp], int]:
        """Return a page of the rows (n,) of the images meant, in an order, and their number."""
        from visionquery.store import meaning

        with self.reading():
            return meaning.page_of(self, where, by, offset=offset, limit=limit, places=places)

    def facets(self) -> Facets:
        """Return what filters can choose from, kept until something changes."""
        from visionquery.store import browsing

        with self.reading(), self._open.read() as connection:
            state = catalog.changes(connection)
            return self._kept.get("facets", state, lambda: browsing.facets(connection))

    def find(self, image_id: str) -> list[int]:
        """Return the rows whose id starts with `image_id` (two at most)."""
        with self._open.rows() as connection:
            return catalog.rows_with_prefix(connection, image_id)

    def vectors(self, rows: Sequence[int]) -> Matrix:
        """Return the stored vectors of rows, (len(rows), embed_dim), in their order.

        Raises StoreError when a row is none of the library's.
        """
        with self._open.scanned() as scanned:
            asked = checked_rows(rows, scanned.row_count)
            return scanned.vectors.take(asked, scanned.row_count)

    def regions(self) -> Regions | None:
        """Return the regions of all images, kept until something changes; None where there are
        none."""
        with self._open.rows() as connection:
            in_use = self._open.in_use
            known = region_files.known_regions(connection, in_use.number)
            if not known.rows:
                return None
            files = in_use.regions(known.edition)
            return self._kept.get(
                "regions", catalog.changes(connection), lambda: files.read(known.rows)
            )

    def next_model(self) -> ModelIdentity | None:
        """Return the model that the library is being moved to, None when it is not."""
        with self._open.read() as connection:
            known = next_model.pending(connection)
            return None if known is None else known[0]

    def next_done(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images that have their vector of the next model."""
        with self._open.rows() as connection:
            return self._open.mask(connection, next_model.rows_done(connection))

    def note(self, key: str) -> str | None:
        """Return a text kept by `set_note`."""
        with self._open.read() as connection:
            return catalog.note(connection, key)

    def size_bytes(self) -> int:
        """Return how much room the folder takes."""
        with self._open.read():
            return folder_bytes(self._open.folder)

    def close(self) -> None:
        """Release files. The store cannot be used afterwards."""
        self._open.close()

    def _nearest(self, probes: Matrix, count: int, among: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Return the rows (n,) of those `among` all that are likely to be the nearest to any of
        some probes (p, embed_dim), about `count` to each."""
        with self._open.scanned() as scanned:
            asked = checked_probes(probes, self.model.embed_dim)
            found = [nearest(scanned, probe, count, among=among) for probe in asked]
            return distinct(np.concatenate([np.empty(0, dtype=np.intp), *found]))

    def _sampled(self, probes: Matrix) -> NDArray[np.float32]:
        """Return about the cosines (p, m) of probes with an even sample of the images."""
        alive = self.alive()
        spans = sampled_spans(len(alive))
        in_sample = np.concatenate([alive[first:end] for first, end in spans])
        return self.estimates(probes, spans=spans).cosines[:, in_sample]
