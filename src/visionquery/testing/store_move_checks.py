"""What every store must do when it is moved to another model; part of `store_checks`."""

from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial

import numpy as np

from visionquery.store.base import Store
from visionquery.testing.store_examples import MODEL, example_image, fill, is_refused
from visionquery.types import Matrix, ModelIdentity

__all__ = ["MOVE_CHECKS"]

MakeStore = Callable[[ModelIdentity], Store]

_WIDER = ModelIdentity(name="wider", fingerprint="f2", embed_dim=12, source="wider")
_OTHER = ModelIdentity(name="other", fingerprint="f3", embed_dim=6, source="other")


def check_move_shows_only_when_finished(make_store: MakeStore) -> None:
    """The old vectors answer until the end; then the new ones do, row for row."""
    with closing(make_store(MODEL)) as store:
        names = _fill(store, 5)
        old, new = store.vectors(range(5)), _vectors(names, 12)
        assert store.next_model() is None
        assert not store.next_done().any()
        with store.writing():
            store.begin_next(_WIDER)
            store.write_next([3, 0], new[[3, 0]])
            assert store.next_model() == _WIDER
            assert store.next_done().tolist() == [True, False, False, True, False]
            assert store.model == MODEL
            assert np.array_equal(store.vectors(range(5)), old)
            store.write_next([1, 2, 4], new[[1, 2, 4]])
            store.finish_next()
        assert store.model == _WIDER
        assert store.next_model() is None
        assert store.next_done().tolist() == [False] * 5
        assert np.array_equal(store.vectors(range(5)), new)
        np.testing.assert_allclose(store.scores(new[:2]), new[:2] @ new.T, atol=1e-6)
        assert is_refused(lambda: store.scores(old))
        assert [store.find(example_image(name).image_id)[0] for name in names] == list(range(5))


def check_move_goes_on_or_begins_anew(make_store: MakeStore) -> None:
    """Begun again, a move keeps what is done; one to a third model does not."""
    with closing(make_store(MODEL)) as store:
        names = _fill(store, 3)
        with store.writing():
            store.begin_next(_WIDER)
            store.write_next([1], _vectors(names, 12)[[1]])
        with store.writing():
            store.begin_next(_WIDER)
            assert store.next_done().tolist() == [False, True, False]
            store.begin_next(_OTHER)
            assert store.next_model() == _OTHER
            assert not store.next_done().any()
            store.write_next([0, 1, 2], _vectors(names, 6))
            store.finish_next()
        assert np.array_equal(store.vectors(range(3)), _vectors(names, 6))
        with store.writing():
            store.begin_next(_WIDER)
            store.drop_next()
            store.drop_next()
        assert store.next_model() is None
        assert store.model == _OTHER


def check_move_needs_every_image(make_store: MakeStore) -> None:
    """An image without its vector, a new one too, keeps the old model; a hole needs none."""
    with closing(make_store(MODEL)) as store:
        names = _fill(store, 4)
        new = _vectors([*names, "late"], 12)
        (root,) = store.roots()
        with store.writing():
            store.begin_next(_WIDER)
            store.write_next([0, 1], new[:2])
            assert is_refused(store.finish_next)
        fill(store, {"late.jpg": example_image("late")})
        with store.writing():
            store.forget([(root.root_id, f"{names[row]}.jpg") for row in (1, 2, 3)])
            store.prune()
            assert store.next_done().tolist() == [True, False, False, False, False]
            assert is_refused(store.finish_next)
            assert store.model == MODEL
            store.write_next([4], new[4:])
            store.finish_next()
        assert (store.image_count(), store.row_count()) == (2, 5)
        assert np.array_equal(store.vectors([0, 4]), new[[0, 4]])
        assert store.scores(new[4:]).shape == (1, 5)


def check_move_past_a_hole_at_the_end(make_store: MakeStore) -> None:
    """A store whose last rows, or all of them, are holes can move and goes on growing."""
    with closing(make_store(MODEL)) as store:
        _fill(store, 3)
        (root,) = store.roots()
        for gone, model in (([1, 2], _WIDER), ([0], _OTHER)):
            with store.writing():
                store.forget([(root.root_id, f"{row}.jpg") for row in gone])
                store.prune()
                store.begin_next(model)
                rows = np.flatnonzero(store.alive()).tolist()
                store.write_next(rows, _vectors([str(row) for row in rows], model.embed_dim))
                store.finish_next()
            assert store.scores(np.zeros((1, model.embed_dim), np.float32)).shape == (1, 3)
        image = example_image("more", embed_dim=6)
        fill(store, {"more.jpg": image})
        assert np.array_equal(store.vectors([3])[0], image.vector)


def check_move_refuses_what_does_not_fit(make_store: MakeStore) -> None:
    """Vectors of a wrong shape or length, rows that are not there, and moves not begun."""
    with closing(make_store(MODEL)) as store:
        names = _fill(store, 2)
        new = _vectors(names, 12)
        assert is_refused(lambda: store.begin_next(_WIDER))
        with store.writing():
            assert is_refused(lambda: store.begin_next(MODEL))
            assert is_refused(lambda: store.write_next([0], new[:1]))
            assert is_refused(store.finish_next)
            store.begin_next(_WIDER)
            for rows, vectors in (
                ([0, 1], new[:1]),
                ([0], new[:1, :8]),
                ([2], new[:1]),
                ([-1], new[:1]),
                ([0, 1], new * np.float32(2)),
                ([0, 1], new * np.float32(np.nan)),
            ):
                assert is_refused(partial(store.write_next, rows, vectors))
            store.write_next([], new[:0])
            assert not store.next_done().any()
        for change in (store.drop_next, store.finish_next):
            assert is_refused(change)


def check_move_forgets_the_notes_named(make_store: MakeStore) -> None:
    """Notes of the old model go with it, in the same step; others stay."""
    with closing(make_store(MODEL)) as store:
        names = _fill(store, 1)
        with store.writing():
            store.set_note("of the model", "x")
            store.set_note("of the pictures", "y")
            store.begin_next(_WIDER)
            assert is_refused(lambda: store.finish_next(forget_notes=["of the model"]))
            assert store.note("of the model") == "x"
            store.write_next([0], _vectors(names, 12))
            store.finish_next(forget_notes=["of the model", "never there"])
        assert store.note("of the model") is None
        assert store.note("of the pictures") == "y"


def _fill(store: Store, count: int) -> list[str]:
    names = [str(number) for number in range(count)]
    fill(store, {f"{name}.jpg": example_image(name) for name in names})
    return names


def _vectors(names: Sequence[str], embed_dim: int) -> Matrix:
    found = [example_image(name, embed_dim=embed_dim).vector for name in names]
    return np.array(found, np.float32).reshape(len(names), embed_dim)


MOVE_CHECKS: tuple[Callable[[MakeStore], None], ...] = (
    check_move_shows_only_when_finished,
    check_move_goes_on_or_begins_anew,
    check_move_needs_every_image,
    check_move_past_a_hole_at_the_end,
    check_move_refuses_what_does_not_fit,
    check_move_forgets_the_notes_named,
)
