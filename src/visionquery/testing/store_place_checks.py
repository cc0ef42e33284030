"""The checks of a store's answers about places, and of its filters."""

from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

from visionquery.errors import InputError
from visionquery.query.ast import Contains, Filter, OneOf, Range
from visionquery.store.base import FileRecord, Scope, Store
from visionquery.testing.store_examples import (
    HOME,
    MODEL,
    example_image,
    fill,
    is_refused,
    seen_names,
)
from visionquery.types import ModelIdentity

__all__ = ["PLACE_CHECKS"]

MakeStore = Callable[[ModelIdentity], Store]


def check_places_are_located(make_store: MakeStore) -> None:
    """A place lies in the root that covers it, by whole names."""
    with closing(make_store(MODEL)) as store:
        with store.writing():
            root = store.add_root(str(Path(HOME, "a")))
        assert store.locate(str(Path(HOME, "a"))) == Scope(root.root_id, "")
        assert store.locate(str(Path(HOME, "a", "b", "c.jpg"))) == Scope(root.root_id, "b/c.jpg")
        assert store.locate(str(Path(HOME, "ab"))) is None
        assert store.locate(HOME) is None


def check_scopes_are_exact(make_store: MakeStore) -> None:
    """A scope holds its folder or file and what is below, nothing that only begins alike."""
    with closing(make_store(MODEL)) as store:
        paths = ["a", "a.jpg", "a-b/x.jpg", "b/x.jpg", "b/c/y.jpg", "b0/z.jpg", "b.jpg"]
        fill(store, {path: example_image(path) for path in paths})
        root_id = store.roots()[0].root_id
        expected = {
            "": sorted(paths),
            "a": ["a"],
            "b": ["b/c/y.jpg", "b/x.jpg"],
            "b/c": ["b/c/y.jpg"],
            "b/x.jpg": ["b/x.jpg"],
            "nothing": [],
        }
        for path, below in expected.items():
            scope = Scope(root_id, path)
            assert list(store.files(scope)) == below, path
            assert seen_names(store, store.within([scope])) == sorted(set(below)), path
        both = store.within([Scope(root_id, "a"), Scope(root_id, "b/c"), Scope(root_id + 1)])
        assert seen_names(store, both) == ["a", "b/c/y.jpg"]


def check_path_filters(make_store: MakeStore) -> None:
    """`path` finds parts of a place without regard to case, or the whole or its tail by glob."""
    with closing(make_store(MODEL)) as store:
        paths = ["Holiday/STRASSE.jpg", "work/cafe\u0301.png", "work/a[1].jpg"]
        fill(store, {path: example_image(path) for path in paths})
        holiday, cafe, brackets = paths
        expected = {
            "holiday": [holiday],
            "straße": [holiday],
            "CAFÉ": [cafe],
            "pictures": paths,
            "a[1]": [brackets],
            "work/*": [brackets, cafe],
            "work/*.jpg": [brackets],
            "*[1].jp?": [brackets],
            "ork/*": [],
            "holiday*": [holiday],
            "*.jp": [],
        }
        for text, found in expected.items():
            mask = store.matching(Filter("path", Contains(text)))
            assert seen_names(store, mask) == sorted(found), text


def check_extension_filters(make_store: MakeStore) -> None:
    """`ext` knows names with and without dot, in any case, and the two names of one format."""
    with closing(make_store(MODEL)) as store:
        paths = ["a.JPG", "b.jpeg", "c.tif", "d.heif", "e.d/png", "f.tar.png", ".webp"]
        fill(store, {path: example_image(path) for path in paths})
        expected = {
            ("jpg",): ["a.JPG", "b.jpeg"],
            (".JPEG", "tiff"): ["a.JPG", "b.jpeg", "c.tif"],
            ("heic",): ["d.heif"],
            ("png",): ["f.tar.png"],
            ("webp", "tar"): [],
        }
        for values, found in expected.items():
            assert seen_names(store, store.matching(Filter("ext", OneOf(values)))) == found, values


def check_fact_filters(make_store: MakeStore) -> None:
    """Ranges include both ends; a date prefix stands for all that starts with it."""
    with closing(make_store(MODEL)) as store:
        days = ["2024-04-30T23:59:59", "2024-05-01T00:00:00", "2024-08-31T23:59:59+02:00"]
        images = {day[:10]: example_image(day, taken_at=day) for day in days}
        fill(store, {**images, "undated": example_image("undated", width=3000)})
        ranges: dict[Range, list[str]] = {
            Range("2024-05", "2024-08"): ["2024-05-01", "2024-08-31"],
            Range("2024", "2024"): ["2024-04-30", "2024-05-01", "2024-08-31"],
            Range(None, "2024-04"): ["2024-04-30"],
            Range("2024-08-31", None): ["2024-08-31"],
            Range(None, None): ["2024-04-30", "2024-05-01", "2024-08-31"],
            Range("2025", None): [],
        }
        for wanted, found in ranges.items():
            assert seen_names(store, store.matching(Filter("date", wanted))) == found, wanted
        assert seen_names(store, store.matching(Filter("width", Range(640.5, None)))) == ["undated"]
        assert len(seen_names(store, store.matching(Filter("width", Range(640, 640))))) == 3
        assert len(seen_names(store, store.matching(Filter("height", Range(None, 480))))) == 4
        for wanted_field in (Filter("width", Range("1", None)), Filter("ext", Contains("jpg"))):
            assert is_refused(partial(store.matching, wanted_field), InputError)


def check_forgotten_places_do_not_match(make_store: MakeStore) -> None:
    """Masks exclude holes and places that are forgotten."""
    with closing(make_store(MODEL)) as store:
        image = example_image("one", taken_at="2024-01-01T00:00:00")
        fill(store, {"a.jpg": image, "b.png": image, "c.jpg": example_image("two")})
        root_id = store.roots()[0].root_id
        with store.writing():
            store.forget([(root_id, "a.jpg"), (root_id, "c.jpg")])
            store.prune()
        assert store.matching(Filter("ext", OneOf(("jpg",)))).tolist() == [False, False]
        assert store.matching(Filter("ext", OneOf(("png",)))).sum() == 1
        assert store.matching(Filter("width", Range(1, None))).sum() == 1
        assert store.within([Scope(root_id)]).sum() == 1


def check_odd_names_survive(make_store: MakeStore) -> None:
    """Names that are no text, or hold anything but a separator, come back unchanged."""
    with closing(make_store(MODEL)) as store:
        names = ["caf\udce9.jpg", "new\nline.jpg", "100%_x.jpg", "'quote\".jpg", "\N{SNOWMAN}.jpg"]
        fill(store, {f"d\udcff/{name}": example_image(repr(name)) for name in names})
        root_id = store.roots()[0].root_id
        with store.writing():
            odd = FileRecord(root_id, "bad\udce9", 2**62, 2**70, None, "bad\udce9 cannot be read")
            store.write([], [odd])
        files = store.files(Scope(root_id, "d\udcff"))
        assert set(files) == {f"d\udcff/{name}" for name in names}
        assert store.matching(Filter("path", Contains("CAF\udce9"))).sum() == 1
        assert "cannot be read" in (store.files(Scope(root_id))["bad\udce9"].problem or "")


PLACE_CHECKS: tuple[Callable[[MakeStore], None], ...] = (
    check_places_are_located,
    check_scopes_are_exact,
    check_path_filters,
    check_extension_filters,
    check_fact_filters,
    check_forgotten_places_do_not_match,
    check_odd_names_survive,
)
