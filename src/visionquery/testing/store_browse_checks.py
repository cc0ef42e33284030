"""The checks of what all images of a store are browsed by: orders and facets."""

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from visionquery.store.base import Facets, FileRecord, NewImage, Order, Scope, Store
from visionquery.testing.store_examples import HOME, MODEL, example_image, fill, is_refused
from visionquery.types import Facts, ModelIdentity

__all__ = ["BROWSE_CHECKS"]

MakeStore = Callable[[ModelIdentity], Store]

_ORDERS: tuple[Order, ...] = ("date", "path")
_NOTHING = Facets(cameras=(), types=(), folders=(), first_date=None, last_date=None)


def check_nothing_to_browse(make_store: MakeStore) -> None:
    """A new store has orders of no images and facets of no value; a closed one refuses."""
    store = make_store(MODEL)
    with closing(store):
        assert store.ordered("date").shape == store.ordered("path").shape == (0,)
        assert store.facets() == _NOTHING
    assert is_refused(lambda: store.ordered("date"))
    assert is_refused(store.facets)


def check_orders(make_store: MakeStore) -> None:
    """By date the newest come first, the undated last, and paths decide between equals; by path
    the first path of an image counts."""
    with closing(make_store(MODEL)) as store:
        days = {
            "d/new.jpg": "2024-05-01T10:00:00",
            "c/undated.jpg": None,
            "b/old.jpg": "2001-01-01T00:00:00",
            "z/same.jpg": "2010-01-01T00:00:00",
            "a/same.jpg": "2010-01-01T00:00:00",
            "A/undated.jpg": None,
            "d!/older.jpg": "2000-01-01T00:00:00",
        }
        fill(store, {path: example_image(path, taken_at=day) for path, day in days.items()})
        fill(store, {"a/again.jpg": example_image("z/same.jpg")})
        assert _named(store, "date") == [
            "d/new.jpg", "a/again.jpg", "a/same.jpg", "b/old.jpg", "d!/older.jpg",
            "A/undated.jpg", "c/undated.jpg",
        ]  # fmt: skip
        assert _named(store, "path") == [
            "A/undated.jpg", "a/again.jpg", "a/same.jpg", "b/old.jpg", "c/undated.jpg",
            "d!/older.jpg", "d/new.jpg",
        ]  # fmt: skip


def check_orders_of_places(make_store: MakeStore) -> None:
    """Of an image that lies in several folders the first path in the folders asked for counts;
    where there is none such, its first."""
    with closing(make_store(MODEL)) as store:
        fill(store, {"a/1.jpg": example_image("1"), "m/2.jpg": example_image("2")})
        assert _named(store, "path", "m") == ["a/1.jpg", "m/2.jpg"]
        fill(store, {"m/9.jpg": example_image("1"), "z/0.jpg": example_image("2")})
        for by in _ORDERS:
            assert _rows(store, by) == [0, 1]
            assert _rows(store, by, "m") == [1, 0]
            assert _rows(store, by, "m", "a") == [0, 1]
            assert _rows(store, by, "z") == [0, 1]
            assert _rows(store, by, "nowhere") == [0, 1]
            assert _rows(store, by, "") == [0, 1]
            assert _rows(store, by, "m/2.jpg", "m/9.jpg") == [1, 0]


def check_equals_are_ordered_by_id(make_store: MakeStore) -> None:
    """Images that no file holds any more come first, by id, whatever their rows."""
    with closing(make_store(MODEL)) as store:
        images = sorted(
            (example_image(str(number)) for number in range(6)),
            key=lambda image: image.image_id,
            reverse=True,
        )
        fill(store, {f"{number}.jpg": image for number, image in enumerate(images)})
        (root,) = store.roots()
        with store.writing():
            store.forget([(root.root_id, f"{number}.jpg") for number in (1, 3, 4)])
        for by in _ORDERS:
            assert _rows(store, by) == [4, 3, 1, 0, 2, 5]
        with store.writing():
            store.prune()
        assert _rows(store, "path") == [0, 2, 5]


def check_orders_follow_changes(make_store: MakeStore) -> None:
    """Orders that were asked for are right after every change; what was handed out stays."""
    with closing(make_store(MODEL)) as store:
        fill(store, {name: example_image(name) for name in ("b", "d")})
        (root,) = store.roots()
        before = store.ordered("path")
        assert before.tolist() == _rows(store, "date") == [0, 1]
        fill(store, {"c": example_image("c"), "a": example_image("a", taken_at="2000")})
        assert _rows(store, "path") == [3, 0, 2, 1]
        assert _rows(store, "date") == [3, 0, 2, 1]
        with store.writing():
            store.write([], [FileRecord(root.root_id, "b", 1, 2, None, "it is broken")])
            assert _rows(store, "path") == [0, 3, 2, 1]
            store.forget([(root.root_id, "d")])
            assert sorted(_rows(store, "path")[:2]) == [0, 1]
            store.prune()
        assert _rows(store, "path") == [3, 2]
        with store.writing():
            store.move(Scope(root.root_id), str(Path(HOME, "elsewhere")))
        fill(store, {"0": example_image("0")}, home=str(Path(HOME, "0")))
        assert _rows(store, "path") == [4, 3, 2]
        assert before.tolist() == [0, 1]


def check_facets(make_store: MakeStore) -> None:
    """Facets count images, not files, the most frequent first and equals by name."""
    with closing(make_store(MODEL)) as store:
        images = {
            "2024/May/rome/a.JPG": _with("a", camera="Sony", taken_at="2024-05-01T10:00:00"),
            "2024/May/b.jpg": _with("b", camera="Nikon", taken_at="2024-05-02T10:00:00"),
            "2024/c.jpeg": _with("c", camera="Nikon"),
            "d.tar.Png": _with("d", camera="Canon", taken_at="1999-12-31T23:59:59"),
            ".webp": _with("e"),
            "no.ext/f": _with("f"),
        }
        fill(store, images)
        fill(store, {"2024/May/again.jpg": images["2024/May/b.jpg"], "g.": _with("f")})
        (root,) = store.roots()
        with store.writing():
            store.write([], [FileRecord(root.root_id, "bad/x.gif", 1, 2, None, "it is broken")])
        assert store.facets() == Facets(
            cameras=(("Nikon", 2), ("Canon", 1), ("Sony", 1)),
            types=(("jpg", 2), ("jpeg", 1), ("png", 1)),
            folders=_below_home(("", 6), ("2024", 3), ("2024/May", 2), ("no.ext", 1)),
            first_date="1999-12-31T23:59:59",
            last_date="2024-05-02T10:00:00",
        )
        with store.writing():
            store.forget([(root.root_id, "2024/May/rome/a.JPG")])
            store.prune()
        assert store.facets().folders[2] == _below_home(("2024/May", 1))[0]
        assert store.facets().cameras == (("Nikon", 2), ("Canon", 1))


def check_facets_of_roots_within_roots(make_store: MakeStore) -> None:
    """A folder counts what lies below it in whichever root; a root within another is listed, and
    so is what lies two levels below either."""
    with closing(make_store(MODEL)) as store:
        deep = str(Path(HOME, "a", "b", "c"))
        fill(store, {"d/e/f/1.jpg": _with("1"), "2.jpg": _with("2")}, home=deep)
        fill(store, {"a/x/y/3.jpg": _with("3"), "a/b/4.jpg": _with("4")})
        assert store.facets().folders == _below_home(
            ("", 4), ("a", 4), ("a/b", 3), ("a/b/c", 2), ("a/b/c/d", 1), ("a/b/c/d/e", 1),
            ("a/x", 1),
        )  # fmt: skip


def check_facets_have_an_end(make_store: MakeStore) -> None:
    """Of each kind the 200 most frequent values are told."""
    with closing(make_store(MODEL)) as store:
        numbers = [f"{number:03}" for number in range(230)]
        fill(store, {f"{n}/x.e{n}": _with(n, camera=f"camera {n}") for n in numbers})
        fill(store, {"229/y.e229": _with("more", camera="camera 229")})
        facets = store.facets()
        assert facets.cameras[0] == ("camera 229", 2)
        assert facets.types[:2] == (("e229", 2), ("e000", 1))
        assert facets.folders[1:3] == _below_home(("229", 2), ("000", 1))
        assert [len(each) for each in (facets.cameras, facets.types, facets.folders)] == [200] * 3


def _rows(store: Store, by: Order, *places: str) -> list[int]:
    rows = store.ordered(by, places=[str(Path(HOME, place)) for place in places])
    assert sorted(rows.tolist()) == store.alive().nonzero()[0].tolist()
    return [int(row) for row in rows]


def _named(store: Store, by: Order, *places: str) -> list[str]:
    records = store.records(_rows(store, by, *places))
    return [Path(record.paths[0]).relative_to(HOME).as_posix() for record in records]


def _with(name: str, *, camera: str | None = None, taken_at: str | None = None) -> NewImage:
    facts = Facts(640, 480, "JPEG", 1000, camera=camera, taken_at=taken_at)
    return replace(example_image(name), facts=facts)


def _below_home(*counts: tuple[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple((os.path.normpath(Path(HOME, path)), count) for path, count in counts)


BROWSE_CHECKS: tuple[Callable[[MakeStore], None], ...] = (
    check_nothing_to_browse,
    check_orders,
    check_orders_of_places,
    check_equals_are_ordered_by_id,
    check_orders_follow_changes,
    check_facets,
    check_facets_of_roots_within_roots,
    check_facets_have_an_end,
)
