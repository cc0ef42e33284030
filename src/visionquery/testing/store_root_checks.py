"""The checks of a store's roots: which of them owns a file when they lie within one another."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from visionquery.store.base import FileRecord, Root, Scope, Store
from visionquery.testing.store_examples import HOME, MODEL, example_image, fill, is_refused
from visionquery.types import ModelIdentity

__all__ = ["ROOT_CHECKS"]

MakeStore = Callable[[ModelIdentity], Store]


def check_roots_below_stay(make_store: MakeStore) -> None:
    """A root around others leaves them what is theirs; names that only begin alike are apart."""
    with closing(make_store(MODEL)) as store:
        fill(store, {"x.jpg": example_image("one")}, home=_at("b", "deep"))
        fill(store, {"y.jpg": example_image("two")}, home=_at("bc"))
        with store.writing():
            outer = store.add_root(_at("b"))
            assert store.add_root(_at("b", "other", "..")) == outer
            assert store.add_root(_at("b", "other")) == outer
            inner = store.add_root(_at("b", "deep"))
        assert [root.location for root in store.roots()] == [_at("b"), _at("b", "deep"), _at("bc")]
        assert store.files(Scope(outer.root_id)) == {}
        assert list(store.files(Scope(inner.root_id))) == ["x.jpg"]
        assert store.locate(_at("b", "deep", "x.jpg")) == Scope(inner.root_id, "x.jpg")
        (record,) = store.records(store.find(example_image("one").image_id))
        assert record.paths == (_at("b", "deep", "x.jpg"),)
        assert is_refused(lambda: store.locate("not/absolute"))


def check_roots_for_single_files_give_way(make_store: MakeStore) -> None:
    """A root for single files becomes part of a whole one around it, and holds no folder named
    later."""
    with closing(make_store(MODEL)) as store:
        with store.writing():
            part = store.add_root(_at("m"), whole=False)
            assert store.add_root(_at("m"), whole=False) == part
            assert not part.whole
            store.write([example_image("one")], [_file(part, "x.jpg", "one")])
            disk = store.add_root(_at("m", "disk"))
            assert disk.root_id != part.root_id
            assert store.add_root(_at("m", "disk"), whole=False) == disk
            store.write([example_image("two")], [_file(disk, "y.jpg", "two")])
            outer = store.add_root(HOME)
        assert store.roots() == [outer, disk]
        assert list(store.files(Scope(outer.root_id))) == ["m/x.jpg"]
        assert list(store.files(Scope(disk.root_id))) == ["y.jpg"]


def check_a_root_for_single_files_becomes_whole(make_store: MakeStore) -> None:
    """Named as a folder, it is whole."""
    with closing(make_store(MODEL)) as store, store.writing():
        part = store.add_root(_at("m"), whole=False)
        store.write([example_image("one")], [_file(part, "x.jpg", "one")])
        whole = store.add_root(_at("m"))
        assert whole == Root(part.root_id, _at("m"))
        assert store.roots() == [whole]
        assert list(store.files(Scope(whole.root_id))) == ["x.jpg"]


def check_root_moves(make_store: MakeStore) -> None:
    """A moved root keeps its files; in another it owns what is there; at its place they join."""
    with closing(make_store(MODEL)) as store:
        fill(store, {"x.jpg": example_image("one")}, home=_at("old"))
        (root,) = store.roots()
        scope = Scope(root.root_id)
        with store.writing():
            assert store.move(scope, _at("new")) == Root(root.root_id, _at("new"))
        assert store.records([0])[0].paths == (_at("new", "x.jpg"),)
        mine = {"in/x.jpg": example_image("two"), "in/y.jpg": example_image("two")}
        fill(store, mine, home=_at("all"))
        with store.writing():
            inner = store.move(scope, _at("all", "in"))
            assert is_refused(lambda: store.move(Scope(99), HOME))
        outer = next(each for each in store.roots() if each != inner)
        assert store.files(Scope(outer.root_id)) == {}
        files = store.files(scope)
        assert list(files) == ["x.jpg", "y.jpg"]
        assert files["x.jpg"].image_id == example_image("one").image_id
        with store.writing():
            assert store.move(scope, _at("all")) == outer
        assert store.roots() == [outer]
        assert list(store.files(Scope(outer.root_id))) == ["x.jpg", "y.jpg"]


def check_part_of_a_root_moves(make_store: MakeStore) -> None:
    """A folder of a root moves within it, or becomes a root elsewhere."""
    with closing(make_store(MODEL)) as store:
        paths = ("a/x.jpg", "a/b/y.jpg", "a0.jpg")
        fill(store, {path: example_image(path) for path in paths}, home=_at("r"))
        (root,) = store.roots()
        with store.writing():
            assert store.move(Scope(root.root_id, "a"), _at("r", "c", "d")) == root
        assert list(store.files(Scope(root.root_id))) == ["a0.jpg", "c/d/b/y.jpg", "c/d/x.jpg"]
        with store.writing():
            made = store.move(Scope(root.root_id, "c/d"), _at("elsewhere"))
        assert made.location == _at("elsewhere")
        assert list(store.files(Scope(made.root_id))) == ["b/y.jpg", "x.jpg"]
        assert list(store.files(Scope(root.root_id))) == ["a0.jpg"]


def _at(*names: str) -> str:
    return str(Path(HOME, *names))


def _file(root: Root, path: str, image: str) -> FileRecord:
    return FileRecord(root.root_id, path, 1, 2, example_image(image).image_id)


ROOT_CHECKS: tuple[Callable[[MakeStore], None], ...] = (
    check_roots_below_stay,
    check_roots_for_single_files_give_way,
    check_a_root_for_single_files_becomes_whole,
    check_root_moves,
    check_part_of_a_root_moves,
)
