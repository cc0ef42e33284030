"""The reading half of a library in PostgreSQL.

Several threads may read one store at a time, each with a connection of its own while it reads.
Nothing is written: a replica answers as the primary server does.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

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
from visionquery.store.derived import Kept
from visionquery.store.entries import checked_probes, checked_rows
from visionquery.store.meaning import true_estimates
from visionquery.store.pg import (
    answering,
    browsing,
    conditions,
    files,
    generations,
    images,
    nearest,
)
from visionquery.store.pg.adapting import Rows, ask, matrix_of, sent_rows, sent_vector
from visionquery.store.pg.conditions import Condition
from visionquery.store.pg.connections import OWN_SCHEMA
from visionquery.store.pg.opened import Opened, Snapshot
from visionquery.store.pg.roots import roots
from visionquery.store.pg.words import holding
from visionquery.store.places import locate, normal
from visionquery.store.questions import Candidates, Question, Where
from visionquery.store.regions import Regions
from visionquery.store.words import words_of
from visionquery.types import Matrix, ModelIdentity

__all__ = ["PostgresReader"]


class PostgresReader:
    """What a `Store` in PostgreSQL answers."""

    def __init__(self, opened: Opened) -> None:
        self._open = opened
        self._kept = Kept()
        self._sample: answering.Sample | None = None

    @property
    def location(self) -> str:
        """Where the library is: its address, without a password."""
        return self._open.address.shown

    @property
    def model(self) -> ModelIdentity:
        """The model of all vectors that answers are made of."""
        return self._open.in_use.model

    @property
    def exact_up_to(self) -> int:
        """Up to how many rows every image is compared."""
        return nearest.EXACT_UP_TO

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Let this thread see one state of the library in all it reads until the block ends."""
        with self._open.reading():
            yield

    def roots(self) -> list[Root]:
        """Return all roots in order of location."""
        with self._open.reading() as snapshot:
            return list(self._roots(snapshot))

    def locate(self, path: str) -> Scope | None:
        """Return where an absolute path lies in the roots, None if in none."""
        return locate(normal(path), self.roots())

    def files(
        self, scope: Scope, *, after: str | None = None, limit: int | None = None
    ) -> dict[str, FileRecord]:
        """Return the files at and below a scope, by path, in path order, or a page of them."""
        with self._open.rows() as snapshot:
            return files.file_records(
                snapshot.connection, snapshot.state.table, scope, after, limit
            )

    def file_count(self, scope: Scope) -> tuple[int, int]:
        """Return how many files at and below a scope are in use, and how many were skipped."""
        with self._open.reading() as snapshot:
            return files.file_count(snapshot.connection, scope)

    def rows_of(self, image_ids: Sequence[str]) -> dict[str, int]:
        """Return the rows, by id, of those of the ids that are stored."""
        with self._open.rows() as snapshot:
            return images.image_rows(snapshot.connection, snapshot.state.table, image_ids)

    def image_count(self) -> int:
        """Return the number of images."""
        with self._open.reading() as snapshot:
            return snapshot.state.images

    def row_count(self) -> int:
        """Return the number of rows, holes included."""
        with self._open.rows() as snapshot:
            return snapshot.state.rows

    def scores(self, probes: Matrix, rows: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """Return cosines, (p, n), of probes (p, embed_dim) with rows (n,), None is all.

        Raises StoreError when a row is none of the library's.
        """
        with self._open.rows() as snapshot:
            asked = checked_probes(probes, self.model.embed_dim)
            wanted = None if rows is None else checked_rows(rows, snapshot.state.rows)
            every = np.arange(snapshot.state.rows) if wanted is None else wanted
            found = np.zeros((len(asked), len(every)), dtype=np.float32)
            if len(asked) and len(every):
                there, cosines = _cosines(snapshot, asked, wanted)
                rising = np.argsort(there)
                places = np.searchsorted(there, every, sorter=rising)
                is_there = places < len(there)
                is_there[is_there] = there[rising[places[is_there]]] == every[is_there]
                found[:, is_there] = cosines[:, rising[places[is_there]]]
            return found

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
        """Return the images that are worth comparing for a question.

        Raises InputError when a filter's test is not one for its field, StoreError for probes of
        another shape.
        """
        with self._open.rows() as snapshot:
            known = self._roots(snapshot) if question.units else []
            found, self._sample = answering.answer(snapshot, question, known, self._sample)
            return found

    def sample(self, count: int) -> NDArray[np.intp]:
        """Return the rows (n,) of the `count` images with the smallest ids, in order of ids."""
        with self._open.rows() as snapshot:
            found = ask(
                snapshot.connection,
                f"SELECT i.row FROM {snapshot.state.table} AS i ORDER BY image_id LIMIT %s",
                count,
            )
            return np.array([row for (row,) in found], dtype=np.intp)

    def alive(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of rows that are images, not holes."""
        return self._mask("alive", lambda _: conditions.EVERY)

    def matching(self, test: Filter) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images for which a filter holds.

        Raises InputError when the filter's test is not one for its field.
        """
        return self._mask(test, lambda _: conditions.matching(test))

    def holding(self, phrase: str) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images that have the words of a phrase in a row."""
        words = words_of(phrase)
        return self._mask(
            ("holding", words), lambda snapshot: holding(words, self._roots(snapshot))
        )

    def text_read(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images whose text was read."""
        read = Condition("EXISTS (SELECT FROM texts AS t WHERE t.row = i.row)")
        return self._mask("texts", lambda _: read)

    def has_texts(self) -> bool:
        """Return whether the text of any image was read."""
        with self._open.reading() as snapshot:
            ((found,),) = ask(snapshot.connection, "SELECT EXISTS (SELECT FROM texts)")
            return bool(found)

    def measures(self, rows: NDArray[np.intp] | None = None) -> NDArray[np.float32]:
        """Return the measures (n, MEASURES) of rows (n,), None is all, NaN where there is none."""
        with self._open.rows() as snapshot:
            count = snapshot.state.rows
            wanted = None if rows is None else checked_rows(rows, count)
            numbers = " || ".join(f"float4send(m[{n + 1}])" for n in range(MEASURES))
            only, values = _only(wanted)
            ((sent,),) = ask(
                snapshot.connection,
                f"SELECT string_agg(int8send(i.row) || {numbers}, '') FROM measures AS i {only}",
                *values,
            )
            kind = [("row", ">i8"), ("m", ">f4", (MEASURES,))]
            there = np.frombuffer(sent or b"", dtype=kind)
            found = np.full((count, MEASURES), np.nan, dtype=np.float32)
            found[there["row"]] = there["m"]
            return found if wanted is None else found[wanted]

    def within(self, scopes: Sequence[Scope]) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images seen at or below any of the scopes."""
        return self._mask(("within", *scopes), lambda _: conditions.within(scopes))

    def records(self, rows: Sequence[int]) -> list[ImageRecord]:
        """Return the records of rows, in their order. Raises StoreError when one is no image."""
        with self._open.rows() as snapshot:
            return images.records(snapshot.connection, snapshot.state.table, rows)

    def ordered(self, by: Order, *, places: Sequence[str] = ()) -> NDArray[np.intp]:
        """Return the rows (n,) of all images in an order, kept until something changes."""

        def make() -> NDArray[np.intp]:
            rows = browsing.ordered(snapshot, by, places=places)
            rows.flags.writeable = False
            return rows

        with self._open.rows() as snapshot:
            return self._kept.get(("ordered", by, *places), snapshot.state.changes, make)

    def page(
        self, where: Where, by: Order, *, offset: int, limit: int, places: Sequence[str] = ()
    ) -> tuple[NDArray[np.intp], int]:
        """Return a page of the rows (n,) of the images meant, in an order, and their number.

        Raises InputError when a filter's test is not one for its field.
        """
        with self._open.rows() as snapshot:
            return browsing.page(
                snapshot, where, by, offset=offset, limit=limit, places=places
            )

    def facets(self) -> Facets:
        """Return what filters can choose from, kept until something changes."""
        with self._open.rows() as snapshot:
            return self._kept.get(
                "facets", snapshot.state.changes, lambda: browsing.facets(snapshot)
            )

    def find(self, image_id: str) -> list[int]:
        """Return the rows whose id starts with `image_id` (two at most)."""
        with self._open.rows() as snapshot:
            return images.rows_with_prefix(snapshot.connection, snapshot.state.table, image_id)

    def vectors(self, rows: Sequence[int]) -> Matrix:
        """Return the stored vectors of rows, (len(rows), embed_dim), in their order.

        Raises StoreError when a row is none of the library's.
        """
        with self._open.rows() as snapshot:
            wanted = checked_rows(rows, snapshot.state.rows)
            ((sent,),) = ask(
                snapshot.connection,
                f"SELECT string_agg(int8send(i.row) || vector_send(vector), '') "
                f"FROM {snapshot.state.table} AS i WHERE i.row = ANY(%s)",
                sent_rows(wanted),
            )
            there, known = matrix_of(sent, self.model.embed_dim)
            found = np.zeros((len(wanted), self.model.embed_dim), dtype=np.float32)
            order = np.argsort(there)
            place = np.searchsorted(there, wanted, sorter=order).clip(max=max(len(there) - 1, 0))
            if len(there):
                is_there = there[order[place]] == wanted
                found[is_there] = known[order[place[is_there]]]
            return found

    def regions(self) -> Regions | None:
        """Return None: regions are kept in folders."""
        return None

    def next_model(self) -> ModelIdentity | None:
        """Return the model that the store is being moved to, None when it is not."""
        with self._open.reading() as snapshot:
            return generations.next_model(snapshot.connection)

    def next_done(self) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images that have their vector of the next model."""
        done = Condition("EXISTS (SELECT FROM next_vectors AS n WHERE n.row = i.row)")
        return self._mask("next", lambda _: done)

    def note(self, key: str) -> str | None:
        """Return a text kept by `set_note`."""
        with self._open.reading() as snapshot:
            return generations.note(snapshot.connection, key)

    def size_bytes(self) -> int:
        """Return how much room the tables and their indexes take."""
        with self._open.reading() as snapshot:
            ((size,),) = ask(
                snapshot.connection,
                "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class "
                f"WHERE relnamespace = {OWN_SCHEMA} AND relkind = 'r'",
            )
            return int(size)

    def close(self) -> None:
        """Close all connections. The store cannot be used afterwards."""
        self._open.connections.close()

    def _roots(self, snapshot: Snapshot) -> list[Root]:
        return self._kept.get(
            "roots", snapshot.state.changes, lambda: roots(snapshot.connection)
        )

    def _mask(
        self, key: object, test: Callable[[Snapshot], Condition]
    ) -> NDArray[np.bool_]:
        """Return the mask (row_count,) of images that pass a test, kept until something changes."""

        def make() -> NDArray[np.bool_]:
            found = test(snapshot)
            source = f"{snapshot.state.table} AS i WHERE {found.text}"
            mask = np.zeros(snapshot.state.rows, dtype=np.bool_)
            mask[images.all_rows(snapshot.connection, source, *found.values)] = True
            mask.flags.writeable = False
            return mask

        with self._open.rows() as snapshot:
            return self._kept.get(key, snapshot.state.changes, make)


def _cosines(
    snapshot: Snapshot, probes: Matrix, rows: Rows | None
) -> tuple[Rows, NDArray[np.float32]]:
    """Return rows (n,) and their cosines (p, n) with probes (p, embed_dim), one at least."""
    told = " || ".join(["float4send((-(i.vector <#> %s))::real)"] * len(probes))
    only, values = _only(rows)
    ((sent,),) = ask(
        snapshot.connection,
        f"SELECT string_agg(int8send(i.row) || {told}, '') "
        f"FROM {snapshot.state.table} AS i {only}",
        *(sent_vector(probe) for probe in probes),
        *values,
    )
    kind = [("row", ">i8"), ("cosines", ">f4", (len(probes),))]
    found = np.frombuffer(sent or b"", dtype=kind)
    return found["row"].astype(np.int64), found["cosines"].T.astype(np.float32)


def _only(rows: Rows | None) -> tuple[str, tuple[object, ...]]:
    return ("", ()) if rows is None else ("WHERE i.row = ANY(%s)", (sent_rows(rows),))
