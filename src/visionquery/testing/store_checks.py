"""What every store must do, as a list of checks to run on your own.

    from visionquery.testing.store_checks import STORE_CHECKS

    @pytest.mark.parametrize("check", STORE_CHECKS, ids=lambda check: check.__name__)
    def test_store(check):
        check(make_store)

`make_store(model)` returns a new, empty store for the vectors of `model`. A check raises
AssertionError where the store answers otherwise than `visionquery.store.base` says.
"""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np

from visionquery.store.base import FileRecord, NewImage, Scope, Store
from visionquery.testing.store_browse_checks import BROWSE_CHECKS
from visionquery.testing.store_compact_checks import COMPACT_CHECKS
from visionquery.testing.store_examples import HOME, MODEL, example_image, fill, is_refused
from visionquery.testing.store_filter_checks import FILTER_CHECKS
from visionquery.testing.store_fragment_checks import FRAGMENT_CHECKS
from visionquery.testing.store_move_checks import MOVE_CHECKS
from visionquery.testing.store_place_checks import PLACE_CHECKS
from visionquery.testing.store_question_checks import QUESTION_CHECKS
from visionquery.testing.store_reading_checks import READING_CHECKS
from visionquery.testing.store_region_checks import REGION_CHECKS
from visionquery.testing.store_root_checks import ROOT_CHECKS
from visionquery.testing.store_vector_checks import VECTOR_CHECKS
from visionquery.testing.store_word_checks import WORD_CHECKS
from visionquery.types import ModelIdentity

__all__ = ["STORE_CHECKS", "Check", "MakeStore"]

MakeStore = Callable[[ModelIdentity], Store]
Check = Callable[[MakeStore], None]


def check_new_store_is_empty(make_store: MakeStore) -> None:
    """A new store has its model, no image, and answers every question."""
    with closing(make_store(MODEL)) as store:
        assert store.model == MODEL
        assert store.location
        assert (store.image_count(), store.row_count()) == (0, 0)
        assert store.scores(np.zeros((2, 8), np.float32)).shape == (2, 0)
        assert store.estimates(np.zeros((2, 8), np.float32)).cosines.shape == (2, 0)
        assert store.alive().shape == store.within([]).shape == (0,)
        assert store.vectors([]).shape == (0, 8)
        assert store.roots() == []
        assert store.records([]) == []
        assert store.find("00") == []
        assert store.locate(HOME) is None
        assert store.note("any") is None
        assert store.holding("any").shape == store.text_read().shape == (0,)


def check_written_images_are_found(make_store: MakeStore) -> None:
    """What is written comes back: facts, vectors, places, ids by prefix."""
    with closing(make_store(MODEL)) as store:
        image = example_image("one", taken_at="2024-05-03T10:00:00")
        fill(store, {"a/one.jpg": image, "two.jpg": example_image("two")})
        (row,) = store.find(image.image_id[:7])
        (record,) = store.records([row])
        assert record.image_id == image.image_id
        assert record.facts == image.facts
        assert record.paths == (str(Path(HOME, "a", "one.jpg")),)
        np.testing.assert_array_equal(store.vectors([row])[0], image.vector)
        assert set(store.rows_of([image.image_id, "00" * 16, "no id"])) == {image.image_id}
        assert store.size_bytes() > 0


def check_one_image_has_many_places(make_store: MakeStore) -> None:
    """A file with a known content adds a place, not an image; places come in path order."""
    with closing(make_store(MODEL)) as store:
        image = example_image("one")
        fill(store, {"b.jpg": image, "a.jpg": image})
        fill(store, {"c.jpg": image})
        assert store.image_count() == store.row_count() == 1
        (record,) = store.records([0])
        assert [Path(path).name for path in record.paths] == ["a.jpg", "b.jpg", "c.jpg"]


def check_file_records_are_replaced(make_store: MakeStore) -> None:
    """A file's last record counts, with an image or with a problem."""
    with closing(make_store(MODEL)) as store:
        fill(store, {"a.jpg": example_image("one")})
        (root,) = store.roots()
        broken = FileRecord(root.root_id, "a.jpg", 5, 7, None, "it is cut off")
        with store.writing():
            store.write([], [broken])
        assert store.files(Scope(root.root_id)) == {"a.jpg": broken}
        assert store.records([0])[0].paths == ()


def check_removed_images_leave_holes(make_store: MakeStore) -> None:
    """Pruning drops what no file holds; other rows stay; a hole's row is not given away."""
    with closing(make_store(MODEL)) as store:
        first, second = example_image("one"), example_image("two")
        fill(store, {"a.jpg": first, "copy.jpg": first, "b.jpg": second})
        (root,) = store.roots()
        row_of_second = store.find(second.image_id)[0]
        with store.writing():
            store.forget([(root.root_id, "a.jpg"), (root.root_id, "never there")])
            assert store.prune() == 0
            store.forget([(root.root_id, "copy.jpg")])
            assert store.alive().sum() == 2
            assert store.prune() == 1
        assert store.find(first.image_id) == []
        assert set(store.rows_of([first.image_id])) == set()
        assert store.find(second.image_id) == [row_of_second]
        assert (store.image_count(), store.row_count()) == (1, 2)
        assert store.alive().sum() == 1
        fill(store, {"again.jpg": first})
        assert (store.image_count(), store.row_count()) == (2, 3)
        assert store.find(first.image_id) == [2]


def check_hole_has_no_record(make_store: MakeStore) -> None:
    """The record of a hole, or of no row, is a StoreError, as are vectors of no row."""
    with closing(make_store(MODEL)) as store:
        fill(store, {"a.jpg": example_image("one")})
        (root,) = store.roots()
        with store.writing():
            store.forget([(root.root_id, "a.jpg")])
            store.prune()
        for row in (0, 1, -1):
            assert is_refused(partial(store.records, [row]))
        assert is_refused(lambda: store.vectors([1]))
        assert is_refused(lambda: store.vectors([-1]))
        assert store.roots() == []


def check_bad_batch_changes_nothing(make_store: MakeStore) -> None:
    """A batch with one thing that cannot be kept is refused whole."""
    with closing(make_store(MODEL)) as store:
        fill(store, {"a.jpg": example_image("one")})
        root_id = store.roots()[0].root_id
        good = example_image("two")
        bad_images = [
            NewImage("XYZ", good.vector, good.facts),
            NewImage("aa" * 16, good.vector[:4], good.facts),
            NewImage("aa" * 16, good.vector * np.float32(np.nan), good.facts),
        ]
        bad_files = [
            FileRecord(root_id, "b.jpg", 1, 1, "bb" * 16),
            FileRecord(root_id + 1, "b.jpg", 1, 1, good.image_id),
            FileRecord(root_id, "b.jpg", 1, 1, None, None),
        ]
        with store.writing():
            for image in bad_images:
                assert is_refused(partial(store.write, [good, image], []))
            for file in bad_files:
                assert is_refused(partial(store.write, [good], [file]))
        assert store.row_count() == 1
        assert list(store.files(Scope(root_id))) == ["a.jpg"]


def check_writing_has_one_place(make_store: MakeStore) -> None:
    """Changes happen inside `writing()` only, which is entered once."""
    with closing(make_store(MODEL)) as store:
        assert is_refused(lambda: store.write([], []))
        assert is_refused(lambda: store.add_root(HOME))
        assert is_refused(lambda: store.set_note("a", "b"))
        with store.writing():
            assert is_refused(lambda: store.writing().__enter__())
            store.set_note("a", "b")
        with store.writing():
            store.set_note("a", "c \N{GRINNING FACE}")
        assert store.note("a") == "c \N{GRINNING FACE}"


def check_closed_store_refuses(make_store: MakeStore) -> None:
    """A closed store says so."""
    store = make_store(MODEL)
    store.close()
    assert is_refused(store.row_count)
    assert is_refused(store.roots)


def check_reading_holds_one_state(make_store: MakeStore) -> None:
    """Inside `reading()`, which may be nested, answers belong together."""
    with closing(make_store(MODEL)) as store:
        fill(store, {"a.jpg": example_image("one")})
        with store.reading(), store.reading():
            assert len(store.alive()) == store.row_count() == 1
        fill(store, {"b.jpg": example_image("two")})
        assert store.row_count() == 2


STORE_CHECKS: tuple[Check, ...] = (
    check_new_store_is_empty,
    check_written_images_are_found,
    check_one_image_has_many_places,
    check_file_records_are_replaced,
    check_removed_images_leave_holes,
    check_hole_has_no_record,
    check_bad_batch_changes_nothing,
    check_writing_has_one_place,
    check_closed_store_refuses,
    check_reading_holds_one_state,
    *VECTOR_CHECKS,
    *QUESTION_CHECKS,
    *REGION_CHECKS,
    *ROOT_CHECKS,
    *PLACE_CHECKS,
    *FILTER_CHECKS,
    *FRAGMENT_CHECKS,
    *WORD_CHECKS,
    *READING_CHECKS,
    *MOVE_CHECKS,
    *COMPACT_CHECKS,
    *BROWSE_CHECKS,
)
