"""What every store must do when it is compacted; part of `store_checks`."""

from collections.abc import Callable
from contextlib import closing

import numpy as np

from visionquery.query.ast import Contains, Filter, OneOf, Range
from visionquery.store.base import MEASURES, FileRecord, Scope, Store
from visionquery.testing.store_examples import HOME, MODEL, example_image, fill, is_refused
from visionquery.types import ModelIdentity

__all__ = ["COMPACT_CHECKS", "answers_by_id"]

MakeStore = Callable[[ModelIdentity], Store]

_OTHER = ModelIdentity(name="other", fingerprint="f3", embed_dim=6, source="other")
_COUNT = 12
_FILTERS = (
    Filter("path", Contains("1")),
    Filter("keyword", OneOf(("näme",))),
    Filter("date", Range("2024-05", "2024-08")),
    Filter("text", Contains("exit")),
)
_PHRASES = ("exit 7", "7", "näme", "pictures")


def answers_by_id(store: Store) -> dict[str, object]:
    """Return what a store answers about its images, with their ids in place of rows."""
    alive = np.flatnonzero(store.alive()).tolist()
    ids = {record.row: record.image_id for record in store.records(alive)}

    def named(mask: np.ndarray) -> list[str]:
        return [ids[row] for row in np.flatnonzero(mask).tolist()]

    probes = store.vectors(alive)[:3]
    scores, about = store.scores(probes), store.estimates(probes)
    assert np.abs(about.cosines - scores).max(initial=0) <= about.error + 1e-6
    records = store.records(alive)
    return {
        "order of rows": list(ids.values()),
        "records": [(one.image_id, one.facts, one.paths, one.text) for one in records],
        "files": [store.files(Scope(root.root_id)) for root in store.roots()],
        "vectors": store.vectors(alive).tolist(),
        "scores": scores[:, alive].round(5).tolist(),
        "measures": np.nan_to_num(store.measures()[alive], nan=9).tolist(),
        "filters": [named(store.matching(test)) for test in _FILTERS],
        "phrases": [named(store.holding(phrase)) for phrase in _PHRASES],
        "read": named(store.text_read()),
        "within": [named(store.within([Scope(root.root_id)])) for root in store.roots()],
        "by date": [ids[row] for row in store.ordered("date").tolist()],
        "by path": [ids[row] for row in store.ordered("path").tolist()],
        "facets": store.facets(),
        "found": [[ids[row] for row in store.find(id_[:5])] for id_ in ids.values()],
    }


def check_compaction_changes_no_answer(make_store: MakeStore) -> None:
    """Images get the rows 0 to n - 1 in the order they had, and whatever is asked stays as it
    was."""
    with closing(make_store(MODEL)) as store:
        _fill(store, gone=(0, 3, 4, 11))
        before = answers_by_id(store)
        with store.writing():
            done = store.compact()
        assert (done.images, done.holes) == (_COUNT - 4, 4)
        assert store.row_count() == store.image_count() == _COUNT - 4
        assert store.alive().all()
        assert answers_by_id(store) == before


def check_compacted_store_goes_on(make_store: MakeStore) -> None:
    """After it, images come and go, texts and measures are written, and it can be compacted
    again."""
    with closing(make_store(MODEL)) as store:
        _fill(store, gone=(1, 2))
        with store.writing():
            store.compact()
        back = example_image("1")
        fill(store, {"1.jpg": back})
        assert store.find(back.image_id) == [_COUNT - 2]
        assert np.array_equal(store.vectors([_COUNT - 2])[0], back.vector)
        with store.writing():
            store.write_texts({_COUNT - 2: "exit once more"})
            store.write_measures(_COUNT - 2, np.ones((1, MEASURES), np.float32))
        assert store.holding("once more").tolist() == [False] * (_COUNT - 2) + [True]
        _remove(store, ["0.jpg", "5.jpg"])
        before = answers_by_id(store)
        with store.writing():
            assert store.compact().holes == 2
        assert answers_by_id(store) == before


def check_nothing_is_compacted_without_holes(make_store: MakeStore) -> None:
    """A store without holes stays as it is, its notes too; so does an empty one."""
    with closing(make_store(MODEL)) as store:
        for count in (0, _COUNT):
            with store.writing():
                done = store.compact(notes={"a": "b"})
            assert (done.images, done.holes) == (count, 0)
            assert store.note("a") is None
            if not count:
                _fill(store, gone=())


def check_all_rows_are_holes(make_store: MakeStore) -> None:
    """A store that has lost all its images is as a new one."""
    with closing(make_store(MODEL)) as store:
        _fill(store, gone=tuple(range(_COUNT)))
        with store.writing():
            assert store.compact().holes == _COUNT
        assert (store.image_count(), store.row_count()) == (0, 0)
        assert store.scores(np.zeros((1, 8), np.float32)).shape == (1, 0)
        fill(store, {"a.jpg": example_image("a")})
        assert store.find(example_image("a").image_id) == [0]


def check_compaction_keeps_notes_in_its_step(make_store: MakeStore) -> None:
    """Notes given are kept with it; others stay."""
    with closing(make_store(MODEL)) as store:
        _fill(store, gone=(1,))
        with store.writing():
            store.set_note("old", "1")
            store.set_note("both", "1")
            store.compact(notes={"both": "2", "new": "3"})
        assert [store.note(key) for key in ("old", "both", "new")] == ["1", "2", "3"]


def check_compaction_is_refused(make_store: MakeStore) -> None:
    """Outside of `writing()`, and while the store is being moved to another model."""
    with closing(make_store(MODEL)) as store:
        _fill(store, gone=(1,))
        assert is_refused(store.compact)
        with store.writing():
            store.begin_next(_OTHER)
            assert is_refused(lambda: store.compact(notes={"a": "b"}))
            assert store.row_count() == _COUNT
            assert store.note("a") is None
            store.drop_next()
            assert store.compact().holes == 1


def check_what_waits_to_be_pruned_is_pruned_after(make_store: MakeStore) -> None:
    """An image whose last file was forgotten, but which was not pruned, stays an image until it
    is."""
    with closing(make_store(MODEL)) as store:
        _fill(store, gone=(1, 8))
        root_id = store.roots()[0].root_id
        with store.writing():
            store.forget([(root_id, "5.jpg"), (root_id, "9.jpg")])
            assert store.compact().images == _COUNT - 2
            assert store.prune() == 2
        assert store.find(example_image("9").image_id) == []
        assert store.find(example_image("10").image_id) != []


def _fill(store: Store, *, gone: tuple[int, ...]) -> None:
    """Write images with all that can be known of some, and a file that is none; remove some."""
    images = {
        f"{number}.jpg": example_image(
            f"{number}", taken_at=f"2024-{number + 1:02}-01" if number % 5 else None
        )
        for number in range(_COUNT)
    }
    fill(store, images)
    with store.writing():
        root = store.add_root(HOME)
        store.write([], [FileRecord(root.root_id, "broken.jpg", 1, 2, None, "it is cut off")])
        store.write([], [FileRecord(root.root_id, "copy.jpg", 1, 2, images["7.jpg"].image_id)])
        store.write_texts({row: f"EXIT {row}" if row % 3 else "" for row in range(2, _COUNT)})
        measures = np.arange(_COUNT * MEASURES, dtype=np.float32).reshape(_COUNT, MEASURES)
        store.write_measures(2, measures[2:])
    _remove(store, [f"{number}.jpg" for number in gone] + ["copy.jpg"] * (7 in gone))


def _remove(store: Store, paths: list[str]) -> None:
    root_id = store.roots()[0].root_id
    with store.writing():
        store.forget([(root_id, path) for path in paths])
        store.prune()


COMPACT_CHECKS: tuple[Callable[[MakeStore], None], ...] = (
    check_compaction_changes_no_answer,
    check_compacted_store_goes_on,
    check_nothing_is_compacted_without_holes,
    check_all_rows_are_holes,
    check_compaction_keeps_notes_in_its_step,
    check_compaction_is_refused,
    check_what_waits_to_be_pruned_is_pruned_after,
)
