"""What a library in Qdrant answers."""

from bisect import bisect_right
from collections.abc import Sequence
from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from visionquery.errors import StoreError
from visionquery.query.ast import Filter
from visionquery.store.base import (
    MEASURES,
    Estimates,
    Facets,
    FileRecord,
    ImageRecord,
    Order,
    Root,
    Scope,
    Span,
)
from visionquery.store.derived import facets_of, order_of
from visionquery.store.entries import checked_probes, checked_rows
from visionquery.store.meaning import true_estimates
from visionquery.store.places import locate, normal, packed
from visionquery.store.qd import asking, vectors
from visionquery.store.qd.changes import note_key, vectors_name
from visionquery.store.qd.conditions import ALL, between, every, one_of
from visionquery.store.qd.files import file_of
from visionquery.store.qd.handing import stored_files
from visionquery.store.qd.images import (
    FACTS,
    PLACES,
    WHOLE,
    Image,
    image_of,
    order_of_id,
    places_of,
    record_of,
    texts_of,
)
from visionquery.store.qd.meant import Meant, filter_test
from visionquery.store.qd.opened import Opened
from visionquery.store.qd.paging import newest
from visionquery.store.qd.spelling import scope_key, shown_text
from visionquery.store.qd.state import State
from visionquery.store.questions import Candidates, Question, Where
from visionquery.store.regions import Regions
from visionquery.store.words import holds, words_of
from visionquery.types import Matrix, ModelIdentity

__all__ = ["QdrantReader"]

_HEX = frozenset("0123456789abcdef")
_BYTES_BESIDE = 3_000
"""About what an image takes beside its vector."""


class QdrantReader:
    """What a `Store` in Qdrant answers."""

    def __init__(self, opened: Opened) -> None:
        self._open = opened
        self._sampled = asking.Sampled()

    @property
    def location(self) -> str:
        """Where the library is: its address, without a key."""
        return self._open.engine.address.shown

    @property
    def model(self) -> ModelIdentity:
        """The model of all vectors that answers are made of."""
        return self._open.in_use.model

    @property
    def exact_up_to(self) -> int:
        """Up to how many rows every image is compared: so many vectors are kept here."""
        return vectors.KEPT_UP_TO

    def reading(self) -> AbstractContextManager[None]:
        """Let this thread see the rows and roots that there are now until the block ends."""
        return self._open.reading()

    def roots(self) -> list[Root]:
        """Return all roots in order of location."""
        return self._open.state().sorted_roots()

    def locate(self, path: str) -> Scope | None:
        """Return where an absolute path lies in the roots, None if in none."""
        return locate(normal(path), self.roots())

    def files(
        self, scope: Scope, *, after: str | None = None, limit: int | None = None
    ) -> dict[str, FileRecord]:
        """Return the files at and below a scope, by path, in path order, or a page of them."""
        where = every([one_of("lineage", [scope_key(scope)]), one_of("kind", ["file"])])
        engine, catalog = self._open.engine, self._open.catalog
        if limit is None and after is None:
            every_one = [file_of(point.payload) for point in engine.scroll(catalog, where)]
            return {f.path: f for f in sorted(every_one, key=lambda file: packed(file.path))}

        def listed(_: State) -> list[str]:
            found = engine.scroll(catalog, where, fields=["path"])
            return sorted((shown_text(point.payload["path"]) for point in found), key=packed)

        # Pages of a listing that is made once, as long as nothing changes.
        paths = self._open.kept(("files", scope), listed)
        start = 0 if after is None else bisect_right(paths, packed(after), key=packed)
        asked = paths[start : None if limit is None else start + limit]
        known = stored_files(engine, [(scope.root_id, path) for path in asked])
        return {p: known[scope.root_id, p] for p in asked if (scope.root_id, p) in known}

    def file_count(self, scope: Scope) -> tuple[int, int]:
        """Return how many files at and below a scope are in use, and how many were skipped."""
        inside = one_of("lineage", [scope_key(scope)])
        used, skipped = (
            self._open.engine.count(self._open.catalog, every([inside, one_of("use", [use])]))
            for use in ("used", "skipped")
        )
        return used, skipped

    def rows_of(self, image_ids: Sequence[str]) -> dict[str, int]:
        """Return the rows, by id, of those of the ids that are stored."""
        return vectors.rows_of(self._open, self._open.rows_state(), image_ids)

    def image_count(self) -> int:
        """Return the number of images."""
        return self._open.state().images

    def row_count(self) -> int:
        """Return the number of rows, holes included."""
        return self._open.rows_state().rows

    def scores(self, probes: Matrix, rows: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """Return cosines, (p, n), of probes (p, embed_dim) with rows (n,), None is all.

        Raises StoreError when a row is none of the library's.
        """
        state = self._open.rows_state()
        asked = checked_probes(probes, self.model.embed_dim)
        if rows is not None:
            return vectors.scores_of(self._open, state, asked, checked_rows(rows, state.rows))
        return vectors.scores_of_all(self._open, state, asked)

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
        """Return the images that are worth comparing for a question, as HNSW finds them."""
        with self.reading():
            return asking.candidates(self._open, question, self._sampled)

    def sample(self, count: int) -> NDArray[np.intp]:
        """Return the rows (n,) of the `count` images with the smallest ids, in their order."""
        return vectors.smallest_ids(self._open, self._open.rows_state(), count)

    def alive(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of rows that are images, not holes."""
        return self._open.kept("alive", self._open.mask(ALL))

    def matching(self, test: Filter) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images for which a filter holds.

        Raises InputError when the filter's test is not one for its field.
        """
        state = self._open.rows_state()
        where = self._open.known(state).of_filter(test)
        fits, field = filter_test(test, state.roots)
        return self._open.kept(test, self._open.mask(where, fits, fields=[field]))

    def holding(self, phrase: str) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images that have the words of a phrase in a row."""
        words, state = words_of(phrase), self._open.rows_state()
        where = self._open.known(state).of_phrase(words)

        def fits(image: Image) -> bool:
            return any(holds(text, words) for text in texts_of(image, state.roots))

        return self._open.kept(("words", words), self._open.mask(where, fits, fields=WHOLE))

    def text_read(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images whose text was read."""
        return self._open.kept("read", self._open.mask(one_of("read", ["yes"])))

    def has_texts(self) -> bool:
        """Return whether the text of any image was read."""
        self._open.rows_state()
        found = self._open.engine.scroll(
            self._open.vectors, one_of("read", ["yes"]), fields=False, limit=1
        )
        return any(True for _ in found)

    def measures(self, rows: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """Return the measures (n, MEASURES) of rows (n,), None is all, NaN where there is none."""
        state = self._open.rows_state()
        asked = np.arange(state.rows) if rows is None else checked_rows(rows, state.rows)
        points = self._open.engine.get(self._open.vectors, asked.tolist(), fields=["measures"])
        found = np.full((len(asked), MEASURES), np.nan, dtype=np.float32)
        for at, row in enumerate(asked.tolist()):
            if row in points:
                found[at] = vectors.measures_of(points[row])
        return found

    def within(self, scopes: Sequence[Scope]) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images seen at or below any of the scopes."""
        where = self._open.known(self._open.rows_state()).of_scopes(scopes)
        return self._open.kept(("within", *scopes), self._open.mask(where))

    def records(self, rows: Sequence[int]) -> list[ImageRecord]:
        """Return the records of rows, in their order. Raises StoreError when one is no image."""
        state = self._open.rows_state()
        asked = [int(row) for row in rows]
        inside = [row for row in asked if 0 <= row < state.rows]
        points = self._open.engine.get(self._open.vectors, dict.fromkeys(inside), fields=WHOLE)
        for row in asked:
            if row not in points:
                raise StoreError(f"Row {row} is no image of the library (any more): search again.")
        return [record_of(image_of(points[row]), state.roots) for row in asked]

    def ordered(self, by: Order, *, places: Sequence[str] = ()) -> NDArray[np.intp]:
        """Return the rows (n,) of all images in an order, kept until something changes."""
        return self._ordered(Where(), by, places)

    def page(
        self, where: Where, by: Order, *, offset: int, limit: int, places: Sequence[str] = ()
    ) -> tuple[NDArray[np.intp], int]:
        """Return a page of the rows (n,) of the images meant, in an order, and their number."""
        state = self._open.rows_state()
        if by == "date" and not places and state.rows > vectors.KEPT_UP_TO:
            meant = Meant(self._open.known(state), where)
            found = newest(self._open, state, meant, offset=offset, limit=limit)
            if found is not None:
                return found
        rows = self._ordered(where, by, places)
        return rows[offset : offset + limit], len(rows)

    def facets(self) -> Facets:
        """Return what filters can choose from, kept until something changes."""

        def make(state: State) -> Facets:
            points = self._open.points(state, ALL, fields=["image_id", FACTS, PLACES])
            roots, images = state.sorted_roots(), map(image_of, points)
            known = [(record_of(each, roots), places_of(each, roots)) for each in images]
            return facets_of(known, roots)

        return self._open.kept("facets", make)

    def find(self, image_id: str) -> list[int]:
        """Return the rows whose id starts with `image_id` (two at most)."""
        state, asked = self._open.rows_state(), image_id.lower()
        if not set(asked) <= _HEX:
            return []
        first, last = order_of_id(asked), order_of_id(asked, fill="f")
        where = every([between("order", gte=first, lte=last), between("row", lt=state.rows)])
        found = self._open.engine.first(
            self._open.vectors, where, "order", limit=vectors.ALIKE, fields=["image_id"]
        )
        ids = sorted((str(point.payload["image_id"]), int(point.key)) for point in found)
        return [row for known, row in ids if known.startswith(asked)][:2]

    def vectors(self, rows: Sequence[int]) -> Matrix:
        """Return the stored vectors of rows, (len(rows), embed_dim), in their order.

        Raises StoreError when a row is none of the library's.
        """
        state = self._open.rows_state()
        return vectors.vectors_of(self._open, checked_rows(rows, state.rows))

    def regions(self) -> Regions | None:
        """Return None: regions are kept in folders."""
        return None

    def next_model(self) -> ModelIdentity | None:
        """Return the model that the store is being moved to, None when it is not."""
        following = self._open.state().following
        return None if following is None else following.model

    def next_done(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images that have their vector of the next model."""
        state = self._open.rows_state()
        mask = np.zeros(state.rows, dtype=np.bool_)
        if state.following is not None:
            name = vectors_name(self._open.engine, state.following.generation)
            done = self._open.engine.scroll(name, ALL, fields=False)
            mask[[point.key for point in done if point.key < state.rows]] = True
        return mask & self.alive()

    def note(self, key: str) -> str | None:
        """Return a text kept by `set_note`."""
        self._open.state()
        found = self._open.engine.get(self._open.catalog, [note_key(key)])
        return str(found[note_key(key)].payload["value"]) if found else None

    def size_bytes(self) -> int:
        """Return about how much room the store takes: Qdrant does not tell."""
        state = self._open.state()
        # Each number as four bytes, and as the one of its code.
        return state.images * (5 * state.model.embed_dim + _BYTES_BESIDE)

    def close(self) -> None:
        """Let go of the engine. The store cannot be used afterwards."""
        self._open.close()

    def _ordered(self, where: Where, by: Order, places: Sequence[str]) -> NDArray[np.intp]:
        def make(state: State) -> NDArray[np.intp]:
            meant = Meant(self._open.known(state), where)
            fields = sorted({FACTS, PLACES, *meant.fields})
            points = self._open.points(state, meant.over, fields=fields)
            images = (image_of(point) for point in points)
            known = (record_of(each, state.roots) for each in images if meant.fits(each))
            return order_of(known, by, places=places)

        return self._open.kept(("order", where, by, *places), make)

