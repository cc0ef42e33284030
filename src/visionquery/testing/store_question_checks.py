"""Checks of what a store says where not every image is looked at: candidates for a question, pages
of orders and of files, an even sample.
"""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from visionquery.query.ast import And, Contains, Filter, Node, Not, OneOf, Or, Range
from visionquery.store.base import MEASURES, FileRecord, NewImage, Order, Scope, Store
from visionquery.store.questions import EVERYWHERE, Candidates, Question, Where
from visionquery.testing.store_examples import HOME, MODEL, example_image, fill, is_refused
from visionquery.types import Matrix, ModelIdentity

__all__ = ["QUESTION_CHECKS"]

MakeStore = Callable[[ModelIdentity], Store]

_COUNT = 40
_GONE = (3, 17)
_WIDE = Filter("width", Range(700, None))
_TESTS: tuple[Node, ...] = (
    _WIDE,
    Not(_WIDE),
    And((_WIDE, Filter("path", Contains("/a/")))),
    Or((Filter("keyword", OneOf(("7", "31"))), Filter("date", Range("2024-03", "2024-03")))),
    Not(Or((_WIDE, Filter("text", Contains("exit"))))),
    And((Not(Filter("camera", Contains("sony"))), Filter("ext", OneOf(("png",))))),
    Filter("height", Range(None, 10)),
)
_UNITS = (("exit",), ("7", "seven"), ("näme",), ("nowhere",))


def check_candidates_of_an_empty_store(make_store: MakeStore) -> None:
    """They are none, whatever is asked."""
    with closing(make_store(MODEL)) as store:
        found = store.candidates(_question("a", "b", filters=(_WIDE,), units=_UNITS, also=(0,)))
        _check_shapes(found, probes=2, filters=1)
        assert (len(found.rows), found.images, found.sample.shape) == (0, 0, (2, 0))
        assert store.sample(5).shape == (0,)


def check_candidates_have_the_nearest(make_store: MakeStore) -> None:
    """The nearest of each vector are among them, rows rise and no hole is there."""
    with closing(make_store(MODEL)) as store:
        _fill(store)
        alive = np.flatnonzero(store.alive())
        for count in (1, 3, 10):
            question = _question("a", "b", count=count, beside="c")
            found = store.candidates(question)
            _check_shapes(found, probes=2)
            assert set(found.rows) <= set(alive)
            assert found.meant.all()
            assert found.images == len(alive)
            true = store.scores(question.near, alive)
            for cosines in true:
                assert set(alive[np.argsort(-cosines)[:count]]) <= set(found.rows)
        assert is_refused(lambda: store.candidates(replace(question, probes=np.ones((1, 9), "f4"))))


def check_candidates_are_told_all_that_is_asked(make_store: MakeStore) -> None:
    """What is said of each is what the store says of all its rows."""
    with closing(make_store(MODEL)) as store:
        _fill(store)
        filters = (_WIDE, Filter("keyword", OneOf(("7",))), Filter("text", Contains("EXIT")))
        found = store.candidates(_question("a", "b", filters=filters, units=_UNITS, count=12))
        _check_shapes(found, probes=2, filters=3)
        probes = _probes("a", "b")
        np.testing.assert_allclose(found.cosines, store.scores(probes, found.rows), atol=1e-6)
        assert np.array_equal(found.measures, store.measures(found.rows), equal_nan=True)
        for mask, test in zip(found.passes, filters, strict=True):
            assert mask.tolist() == store.matching(test)[found.rows].tolist(), test
        for mask, number, forms in zip(found.holds, found.holders, _UNITS, strict=True):
            held: NDArray[np.bool_] = np.logical_or.reduce([store.holding(each) for each in forms])
            assert mask.tolist() == held[found.rows].tolist(), forms
            assert number == held.sum(), forms


def check_candidates_are_where_they_are_wanted(make_store: MakeStore) -> None:
    """Filters, scopes and the image left out narrow what is meant; the best of all images are there
    nevertheless, and what is said to be complete is."""
    with closing(make_store(MODEL)) as store:
        _fill(store)
        root_id, image_id = store.roots()[0].root_id, example_image("7").image_id
        wheres = [Where(test=test) for test in _TESTS]
        wheres += [Where((Scope(root_id, "a"),)), Where((Scope(root_id, "a"), Scope(root_id, "7")))]
        wheres += [Where(()), Where(without=image_id), Where(without="00" * 16)]
        wheres.append(Where((Scope(root_id, "a"),), _WIDE, image_id))
        for where in wheres:
            wanted = _meant(store, where)
            found = store.candidates(_question("a", "b", where=where, count=5, best=2))
            assert found.meant.tolist() == np.isin(found.rows, wanted).tolist(), where
            assert found.images == store.image_count()
            scores = store.scores(_probes("a", "b"))[:, wanted]
            for cosines in scores:
                assert set(wanted[np.argsort(-cosines)[:5]]) <= set(found.rows), where
            every = np.flatnonzero(store.alive())
            for cosines in store.scores(_probes("a", "b"))[:, every]:
                assert set(every[np.argsort(-cosines)[:2]]) <= set(found.rows), where
            if found.complete:
                assert set(wanted) <= set(found.rows), where


def check_rows_asked_for_are_looked_at(make_store: MakeStore) -> None:
    """Rows asked for besides are there when they are images; with nothing wanted, they alone."""
    with closing(make_store(MODEL)) as store:
        _fill(store)
        also = (39, 3, 0, 5)
        found = store.candidates(_question("a", where=Where(test=_TESTS[-1]), also=also))
        assert {0, 5, 39} <= set(found.rows.tolist())
        assert not found.meant.any()
        none = np.empty((0, MODEL.embed_dim), np.float32)
        alone = store.candidates(Question(none, (), none, 0, 0, filters=(_WIDE,), also=also))
        assert alone.rows.tolist() == [0, 5, 39]
        assert alone.passes[0].tolist() == store.matching(_WIDE)[[0, 5, 39]].tolist()


def check_words_make_candidates(make_store: MakeStore) -> None:
    """Images that hold what is rare among the words are there, however far their vectors are."""
    with closing(make_store(MODEL)) as store:
        _fill(store)
        found = store.candidates(_question("a", units=(("twenty two",),), count=1, best=1))
        (row,) = store.rows_of([example_image("22").image_id]).values()
        assert found.holds[0, found.rows == row].all()
        assert found.holders.tolist() == [1]


def check_sample_is_even(make_store: MakeStore) -> None:
    """The images with the smallest ids, in the order of these; and cosines of as even a one."""
    with closing(make_store(MODEL)) as store:
        images = _fill(store)
        ids = sorted(image.image_id for image in images)
        for count in (0, 1, 9, _COUNT):
            rows = store.sample(count)
            known = store.rows_of(ids[:count])
            assert rows.tolist() == [known[each] for each in ids[:count]]
        found = store.candidates(_question("a", "b"))
        true = store.scores(_probes("a", "b"), np.flatnonzero(store.alive()))
        np.testing.assert_allclose(np.sort(found.sample), np.sort(true), atol=0.03)


def check_pages_are_parts_of_the_order(make_store: MakeStore) -> None:
    """A page is what the whole order has there, of the images that are meant."""
    with closing(make_store(MODEL)) as store:
        _fill(store)
        orders: tuple[Order, ...] = ("date", "path")
        root_id = store.roots()[0].root_id
        tests = [EVERYWHERE, *(Where(test=test) for test in _TESTS)]
        for where in [*tests, Where((Scope(root_id, "a"),), without=example_image("8").image_id)]:
            for by in orders:
                order = store.ordered(by)
                wanted = order[np.isin(order, _meant(store, where))].tolist()
                for offset, limit in ((0, 5), (3, 1), (7, 100), (100, 5)):
                    rows, total = store.page(where, by, offset=offset, limit=limit)
                    assert rows.tolist() == wanted[offset : offset + limit], (where, by, offset)
                    assert total == len(wanted)


def check_files_come_in_pages(make_store: MakeStore) -> None:
    """Page after page they are all files, in order; they are counted without being read."""
    with closing(make_store(MODEL)) as store:
        _fill(store)
        root_id = store.roots()[0].root_id
        with store.writing():
            store.write([], [FileRecord(root_id, "a/é.jpg", 1, 2, None, "broken")])
        for path in ("", "a", "a/é.jpg", "b/none"):
            scope = Scope(root_id, path)
            every = list(store.files(scope).items())
            paged: list[tuple[str, FileRecord]] = []
            after = None
            while page := store.files(scope, after=after, limit=7):
                assert len(page) <= 7
                paged += page.items()
                after = paged[-1][0]
            assert paged == every
            skipped = sum(file.problem is not None for _, file in every)
            assert store.file_count(scope) == (len(every) - skipped, skipped)


def check_texts_are_known_to_be_there(make_store: MakeStore) -> None:
    """A store knows whether any text was read, also where nothing stood in the picture."""
    with closing(make_store(MODEL)) as store:
        fill(store, {"a.jpg": example_image("a")})
        assert not store.has_texts()
        with store.writing():
            store.write_texts({0: ""})
        assert store.has_texts()


def _probes(*names: str) -> Matrix:
    return np.stack([example_image(f"probe {name}").vector for name in names])


def _question(
    *names: str,
    count: int = 4,
    best: int = 2,
    beside: str = "",
    where: Where = EVERYWHERE,
    filters: tuple[Filter, ...] = (),
    units: tuple[tuple[str, ...], ...] = (),
    also: tuple[int, ...] = (),
) -> Question:
    probes = _probes(*names)
    other = _probes(beside) if beside else probes[:0]
    asked = tuple(range(len(probes)))
    return Question(probes, asked, other, count, best, where, filters, units, also)


def _check_shapes(found: Candidates, *, probes: int, filters: int = 0) -> None:
    count = len(found.rows)
    assert (np.diff(found.rows) > 0).all()
    assert found.cosines.dtype == found.measures.dtype == np.float32
    assert found.cosines.shape == (probes, count)
    assert found.measures.shape == (count, MEASURES)
    assert found.passes.shape == (filters, count)
    assert found.holds.shape == (len(found.holders), count)
    assert found.meant.shape == (count,)


def _meant(store: Store, where: Where) -> NDArray[np.intp]:
    """Return the rows that are meant, told by masks."""
    mask = store.alive().copy()
    if where.scopes is not None:
        mask &= store.within(where.scopes)
    if where.test is not None:
        mask &= _fits(store, where.test)
    for row in store.rows_of([where.without or ""]).values():
        mask[row] = False
    return np.flatnonzero(mask)


def _fits(store: Store, test: Node) -> NDArray[np.bool_]:
    match test:
        case Not(part):
            return ~_fits(store, part)
        case And(parts):
            return np.asarray(np.logical_and.reduce([_fits(store, part) for part in parts]))
        case Or(parts):
            return np.asarray(np.logical_or.reduce([_fits(store, part) for part in parts]))
        case _:
            assert isinstance(test, Filter)
            return store.matching(test)


def _fill(store: Store) -> list[NewImage]:
    """Write images with all that filters and words can ask of, and take a few out again."""
    images = []
    for number in range(_COUNT):
        taken_at = f"2024-{number % 12 + 1:02}-01" if number % 5 else None
        image = example_image(str(number), taken_at=taken_at, width=600 + 10 * number)
        facts = replace(
            image.facts,
            camera=("Sony A7", "Café", None)[number % 3],
            caption="twenty two" if number == 22 else None,
        )
        images.append(replace(image, facts=facts))
    fill(store, {_path(number): image for number, image in enumerate(images)})
    with store.writing():
        store.write_texts({row: "the EXIT" if row % 2 else "" for row in range(0, _COUNT, 3)})
        store.write_measures(5, np.arange(20, dtype=np.float32).reshape(20, 1))
        root = store.add_root(HOME)
        store.forget([(root.root_id, _path(number)) for number in _GONE])
        store.prune()
    return [image for number, image in enumerate(images) if number not in _GONE]


def _path(number: int) -> str:
    return f"{('a/b', 'a', 'c')[number % 3]}/{number}.{('jpg', 'png')[number % 2]}"


QUESTION_CHECKS: tuple[Callable[[MakeStore], None], ...] = (
    check_candidates_of_an_empty_store,
    check_candidates_have_the_nearest,
    check_candidates_are_told_all_that_is_asked,
    check_candidates_are_where_they_are_wanted,
    check_rows_asked_for_are_looked_at,
    check_words_make_candidates,
    check_sample_is_even,
    check_pages_are_parts_of_the_order,
    check_files_come_in_pages,
    check_texts_are_known_to_be_there,
)
