"""The candidates for a question, in as few ways to PostgreSQL and back as it takes.

One statement finds them, through the index of vectors and that of words, and says all that is
asked of each, as bytes.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from visionquery.store.base import MEASURES, Root
from visionquery.store.entries import checked_probes
from visionquery.store.kernels import cosines
from visionquery.store.meaning import COMPARED_ALL
from visionquery.store.pg import conditions
from visionquery.store.pg.adapting import Rows, ask, half_matrix_of, sent_rows, sent_vector
from visionquery.store.pg.conditions import EVERY, Condition, both, either
from visionquery.store.pg.nearest import look_further, nearest_rows
from visionquery.store.pg.opened import Snapshot
from visionquery.store.pg.words import holding, in_a_row, roots_named, words_anywhere
from visionquery.store.questions import Candidates, Question
from visionquery.store.words import words_of
from visionquery.types import Matrix

__all__ = ["LIKELY_ALL", "Sample", "answer"]

LIKELY_ALL = 5_000
"""So few images are thought to be meant that all of them are compared, as far as they are."""

_LEAST_FILTERED = 64
"""Images that are asked for behind a filter, of which the nearest are wanted. Measured: of the 20
nearest behind one that lets 4 in 100 through, 82 in 100 are among the first 20, 96 among 64."""

_OFTEN = 0.15
"""Share of the images from which on those that are meant are found on the way."""

_MOST_WIDE = 400
"""Images that are looked for on such a walk, at most."""

_SAMPLED = 2_048

_COUNTED = 2_000
"""Holders of a unit that are counted; of more, it is only known about how many they are."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Vectors (m, embed_dim) of an even sample of the images of a generation, and how many images
    there were."""

    generation: int
    images: int
    vectors: Matrix

    def holds_for(self, snapshot: Snapshot) -> bool:
        """Return whether the library is about what it was."""
        state = snapshot.state
        changed = abs(state.images - self.images)
        return self.generation == state.generation and 10 * changed <= min(
            self.images, state.images
        )


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question in SQL: which images are meant, and what is to be told of each; of each unit also
    the roots whose name has it."""

    question: Question
    meant: Condition
    passes: tuple[Condition, ...]
    units: tuple[tuple[str, ...], ...]
    holds: tuple[Condition, ...]
    roots: tuple[list[int], ...]

    @property
    def kind(self) -> np.dtype[Any]:
        """What is told of an image, as `_details` sends it."""
        flags = 1 + len(self.passes) + len(self.holds)
        return np.dtype(
            [
                ("row", ">i8"),
                ("cosines", ">f4", (len(self.question.probes),)),
                ("measures", ">f4", (MEASURES,)),
                ("flags", "u1", (flags,)),
            ]
        )


def answer(
    snapshot: Snapshot, question: Question, roots: Sequence[Root], sample: Sample | None
) -> tuple[Candidates, Sample]:
    """Return the answer to a question, and the sample to be given the next time. Raises InputError
    when a test is not one for its field, StoreError for probes of another shape."""
    embed_dim = snapshot.state.model.embed_dim
    probes = checked_probes(question.probes, embed_dim)
    checked_probes(question.beside, embed_dim)
    units = tuple(tuple(words_of(form) for form in forms) for forms in question.units)
    asked = _Asked(
        question,
        conditions.meant(question.where),
        tuple(conditions.matching(each) for each in question.filters),
        units,
        tuple(either(holding(form, roots) for form in forms) for forms in units),
        tuple([number for form in forms for number in roots_named(form, roots)] for forms in units),
    )
    holders = _holders(snapshot, asked)
    found, complete = _found(snapshot, asked, holders)
    found.sort(order="row")
    if sample is None or not sample.holds_for(snapshot):
        sample = _sampled(snapshot)
    flags = found["flags"].T.astype(np.bool_)
    first_unit = 1 + len(asked.passes)
    candidates = Candidates(
        rows=found["row"].astype(np.intp),
        meant=flags[0],
        cosines=np.ascontiguousarray(found["cosines"].T, dtype=np.float32),
        measures=found["measures"].astype(np.float32),
        passes=flags[1:first_unit],
        holds=flags[first_unit:],
        holders=holders,
        sample=cosines(probes, [sample.vectors], len(sample.vectors)),
        images=snapshot.state.images,
        complete=complete,
    )
    return candidates, sample


def _found(
    snapshot: Snapshot, asked: _Asked, holders: Rows
) -> tuple[NDArray[Any], bool]:
    """Return what is told of the candidates, and whether they are all that is meant."""
    count, images = asked.question.count, snapshot.state.images
    if not count:
        return _details(snapshot, asked, [_also(asked), *_best(snapshot, asked)]), False
    share = _share(snapshot, asked.meant)
    if images <= COMPARED_ALL or (share < 1 and share * images <= LIKELY_ALL):
        every = _details_of_all(snapshot, asked)
        if len(every) <= COMPARED_ALL:
            others = _details(snapshot, asked, [_also(asked), *_best(snapshot, asked)])
            return _with(every, others), True
    named = [_also(asked), *_named(snapshot, asked, holders)]
    if asked.meant == EVERY or (share >= _OFTEN and count <= _MOST_WIDE * share):
        # The best of all images are on the way to those that are meant: one walk finds both.
        found = _details(snapshot, asked, [*named, *_wide(snapshot, asked, share)])
        if asked.meant == EVERY or np.count_nonzero(found["flags"][:, 0]) >= count:
            return found, False
    found = _details(
        snapshot, asked, [*named, *_best(snapshot, asked), *_behind(snapshot, asked)]
    )
    if np.count_nonzero(found["flags"][:, 0]) >= count:
        return found, False
    # The index gave up before it came to images that are meant.
    every = _details_of_all(snapshot, asked)
    return _with(every, found), len(every) <= COMPARED_ALL


def _with(some: NDArray[Any], others: NDArray[Any]) -> NDArray[Any]:
    """Return what is told of images, and of those others that are not among them."""
    return np.concatenate([some, others[~np.isin(others["row"], some["row"])]])


def _share(snapshot: Snapshot, meant: Condition) -> float:
    """Return about what share of the images is meant."""
    if meant == EVERY:
        return 1.0
    about = _estimate(snapshot, f"{snapshot.state.table} AS i", meant)
    return about / max(snapshot.state.images, about, 1)


def _also(asked: _Asked) -> Condition:
    """Return the statement for the rows that are wanted besides."""
    also = sent_rows(np.array(asked.question.also))
    return Condition("SELECT unnest(%s::bigint[]) AS row", (also,))


def _best(snapshot: Snapshot, asked: _Asked) -> list[Condition]:
    """Return statements for the rows of the best of all images."""
    if not asked.question.best:
        return []
    return _nearest(snapshot, asked.question.probes, EVERY, asked.question.best)


def _wide(snapshot: Snapshot, asked: _Asked, share: float) -> list[Condition]:
    """Return statements for the rows of the nearest of all images: as many as have enough that are
    meant among them, where these are such a share, and the best."""
    question = asked.question
    spare = 1.25 if share < 1 else 1.0
    count = max(question.best, math.ceil(spare * question.count / share))
    near = np.vstack([question.probes, question.beside])
    return _nearest(snapshot, near, EVERY, count)


def _behind(snapshot: Snapshot, asked: _Asked) -> list[Condition]:
    """Return statements for the rows of the nearest images that are meant."""
    # With a filter the index gives what it comes across first, which is not yet the nearest.
    count = max(asked.question.count, _LEAST_FILTERED)
    return _nearest(snapshot, asked.question.near, asked.meant, count)


def _nearest(
    snapshot: Snapshot, near: Matrix, among: Condition, count: int
) -> list[Condition]:
    state = snapshot.state
    return [
        nearest_rows(state.table, state.model.embed_dim, among, sent_vector(each), count)
        for each in near
    ]


def _named(snapshot: Snapshot, asked: _Asked, holders: Rows) -> list[Condition]:
    """Return statements for the rows of images that are meant and hold all units, all but one, or
    one: of each the nearest."""
    every = range(len(asked.units))
    groups: list[tuple[int, ...]] = [(number,) for number in every]
    if len(every) > 1:
        groups.append(tuple(every))
    if len(every) > 2:
        groups += [tuple(number for number in every if number != left) for left in every]
    sources = []
    for group in groups:
        test = EVERY
        for number in group:
            test = both(test, _held(asked.units[number]))
        about = min(int(holders[number]) for number in group)
        if about > _COUNTED:
            inside = Condition(
                f"EXISTS (SELECT FROM words AS w WHERE w.row = i.row AND {test.text})", test.values
            )
            among = both(asked.meant, inside)
            sources += _nearest(snapshot, asked.question.middle, among, asked.question.count)
        elif about:
            sources.append(_of_those_meant(snapshot, asked, "words AS w", test))
    return sources + [
        _of_those_meant(
            snapshot, asked, "files AS w",
            Condition("w.root_id = ANY(%s) AND w.row IS NOT NULL", (below,)),
        )
        for below in asked.roots
        if below
    ]  # fmt: skip


def _held(forms: Iterable[str]) -> Condition:
    """Return the condition for words `w` to have any form of a unit."""
    return either(in_a_row(form) for form in forms if form)


def _of_those_meant(
    snapshot: Snapshot, asked: _Asked, source: str, test: Condition
) -> Condition:
    """Return the statement for the nearest rows, `count` of them, of a source `w` of rows, of which
    some pass a test there and are meant."""
    middle = asked.question.middle
    order = "ORDER BY i.vector <#> %s" if len(middle) else ""
    return Condition(
        f"(SELECT i.row FROM (SELECT w.row FROM {source} WHERE {test.text} "
        f"LIMIT {_COUNTED + 1}) AS w JOIN {snapshot.state.table} AS i ON i.row = w.row "
        f"WHERE {asked.meant.text} {order} LIMIT {asked.question.count})",
        (*test.values, *asked.meant.values, *(sent_vector(each) for each in middle)),
    )


def _details(
    snapshot: Snapshot, asked: _Asked, sources: Sequence[Condition]
) -> NDArray[Any]:
    """Return what is asked of the images of all rows that statements give, each once."""
    told = _told(asked, asked.meant)
    rows = " UNION ".join(source.text for source in sources)
    statement = (
        f"SELECT string_agg({told.text}, '') FROM ({rows}) AS c "
        f"JOIN {snapshot.state.table} AS i ON i.row = c.row "
        "LEFT JOIN measures AS m ON m.row = i.row"
    )
    values = [*told.values, *(value for source in sources for value in source.values)]
    connection, count = snapshot.connection, max(asked.question.count, asked.question.best)
    look_further(connection, count)
    ((sent,),) = ask(connection, statement, *values)
    return np.frombuffer(sent or b"", dtype=asked.kind).copy()


def _details_of_all(snapshot: Snapshot, asked: _Asked) -> NDArray[Any]:
    """Return what is asked of all images that are meant; of some, where they are too many."""
    told = _told(asked, EVERY)
    ((sent,),) = ask(
        snapshot.connection,
        f"SELECT string_agg(told, '') FROM (SELECT {told.text} AS told "
        f"FROM {snapshot.state.table} AS i LEFT JOIN measures AS m ON m.row = i.row "
        f"WHERE {asked.meant.text} LIMIT {COMPARED_ALL + 1}) AS c",
        *told.values,
        *asked.meant.values,
    )
    return np.frombuffer(sent or b"", dtype=asked.kind).copy()


def _told(asked: _Asked, meant: Condition) -> Condition:
    """Return the bytes that say of an image `i`, with measures `m`, what is asked."""
    probes = [sent_vector(probe) for probe in asked.question.probes]
    flags = (meant, *asked.passes, *asked.holds)
    told = [
        "int8send(i.row)",
        *("float4send((-(i.vector <#> %s))::real)" for _ in probes),
        *(f"float4send(coalesce(m.m[{n + 1}], 'NaN'))" for n in range(MEASURES)),
        *(rf"CASE WHEN {flag.text} THEN '\x01'::bytea ELSE '\x00'::bytea END" for flag in flags),
    ]
    values = [*probes, *(value for flag in flags for value in flag.values)]
    return Condition(" || ".join(told), tuple(values))


def _holders(snapshot: Snapshot, asked: _Asked) -> NDArray[np.int64]:
    """Return about how many images hold each unit."""
    if not asked.units:
        return np.empty(0, dtype=np.int64)
    counts, values = [], list[object]()
    for forms, below in zip(asked.units, asked.roots, strict=True):
        held = _held(forms)
        rows = f"SELECT w.row FROM words AS w WHERE {held.text}"
        values += held.values
        if below:
            rows += " UNION SELECT f.row FROM files AS f WHERE f.root_id = ANY(%s)"
            rows += " AND f.row IS NOT NULL"
            values.append(below)
        counts.append(f"(SELECT count(*) FROM ({rows} LIMIT {_COUNTED + 1}) AS c)")
    ((*found,),) = ask(snapshot.connection, f"SELECT {', '.join(counts)}", *values)
    for place, count in enumerate(found):
        if count > _COUNTED:
            anywhere = either(words_anywhere(form) for form in asked.units[place] if form)
            about = _estimate(snapshot, "words AS w", anywhere)
            if named := asked.roots[place]:
                seen = Condition("f.root_id = ANY(%s)", (named,))
                about += _estimate(snapshot, "files AS f", seen)
            found[place] = min(max(count, about), snapshot.state.images)
    return np.array(found, dtype=np.int64)


def _estimate(snapshot: Snapshot, source: str, test: Condition) -> int:
    """Return about how many rows the planner expects a condition to let through."""
    ((plans,),) = ask(
        snapshot.connection,
        f"EXPLAIN (FORMAT JSON) SELECT FROM {source} WHERE {test.text}",
        *test.values,
    )
    return int(plans[0]["Plan"]["Plan Rows"])


def _sampled(snapshot: Snapshot) -> Sample:
    state, embed_dim = snapshot.state, snapshot.state.model.embed_dim
    ((sent,),) = ask(
        snapshot.connection,
        f"SELECT string_agg(halfvec_send(vector::halfvec({embed_dim})), '') FROM "
        f"(SELECT vector FROM {state.table} ORDER BY image_id LIMIT {_SAMPLED}) AS sample",
    )
    return Sample(state.generation, state.images, half_matrix_of(sent, embed_dim))
