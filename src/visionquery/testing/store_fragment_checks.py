"""The checks of files that hold several images, and of facts that change."""

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from visionquery.query.ast import Contains, Filter, OneOf
from visionquery.store.base import FileRecord, Fragment, Root, Scope, Store
from visionquery.testing.store_examples import HOME, MODEL, example_image, is_refused
from visionquery.types import ModelIdentity

__all__ = ["FRAGMENT_CHECKS"]

MakeStore = Callable[[ModelIdentity], Store]

_FRAMES = {"t=0": "one", "t=12.48": "two", "t=30": "one"}
_MEMBERS = {"member=Old/BeachTrip.JPG": "two", "member=\udce9\ud800 é.png": "three"}


def check_fragments_come_back(make_store: MakeStore) -> None:
    """A file's fragments are kept in their order, odd names and problems too; an image says which
    it is, the first of several, in each of its files."""
    with closing(make_store(MODEL)) as store:
        film = _write(store, "film.mp4", _FRAMES, broken="t=99")
        archive = _write(store, "a/b.zip", _MEMBERS)
        _write(store, "two.jpg", "two")
        (root,) = store.roots()
        files = store.files(Scope(root.root_id))
        assert list(files) == ["a/b.zip", "film.mp4", "two.jpg"]
        assert (files["film.mp4"], files["a/b.zip"]) == (film, archive)
        assert [each.name for each in files["film.mp4"].fragments] == [*_FRAMES, "t=99"]
        one, two, three = (store.records(store.find(_id(name)))[0] for name in _IMAGES)
        assert (one.paths, one.fragments) == ((_at("film.mp4"),), {_at("film.mp4"): "t=0"})
        assert two.paths == (_at("a", "b.zip"), _at("film.mp4"), _at("two.jpg"))
        assert two.fragments == {
            _at("a", "b.zip"): "member=Old/BeachTrip.JPG",
            _at("film.mp4"): "t=12.48",
        }
        assert three.fragments == {_at("a", "b.zip"): "member=\udce9\ud800 é.png"}


def check_fragments_are_replaced_whole(make_store: MakeStore) -> None:
    """A file's new record takes the place of all its fragments, of an image, of a problem; what no
    file holds any more goes."""
    with closing(make_store(MODEL)) as store:
        _write(store, "film.mp4", _FRAMES)
        again = _write(store, "film.mp4", {"t=30": "three", "t=0": "one"})
        (root,) = store.roots()
        assert store.files(Scope(root.root_id)) == {"film.mp4": again}
        with store.writing():
            assert store.prune() == 1
        assert set(store.rows_of([_id(name) for name in _IMAGES])) == {_id("one"), _id("three")}
        whole = _write(store, "film.mp4", "three")
        assert store.files(Scope(root.root_id)) == {"film.mp4": whole}
        assert store.records(store.find(_id("three")))[0].fragments == {}
        assert store.records(store.find(_id("one")))[0].paths == ()
        cut_off = replace(whole, image_id=None, problem="it is cut off")
        with store.writing():
            store.write([], [cut_off])
            store.write([], [again, cut_off, again])
        assert store.files(Scope(root.root_id)) == {"film.mp4": again}
        with store.writing():
            store.forget([(root.root_id, "film.mp4")])
            assert store.prune() == 2
        assert (store.image_count(), store.roots()) == (0, [])


def check_fragments_are_within_places(make_store: MakeStore) -> None:
    """What is seen at or below a place includes fragments of files there; they move with them."""
    with closing(make_store(MODEL)) as store:
        _write(store, "v/film.mp4", _FRAMES)
        _write(store, "a/b.zip", _MEMBERS)
        (root,) = store.roots()
        for path, names in {"v": ["one", "two"], "a/b.zip": ["two", "three"], "a/b": []}.items():
            rows = [store.find(_id(name))[0] for name in names]
            assert np.flatnonzero(store.within([Scope(root.root_id, path)])).tolist() == rows, path
        mine = _write(store, "film.mp4", {"t=5": "four", "t=0": "four"}, home=_NEW)
        with store.writing():
            new = store.move(Scope(root.root_id, "v"), _NEW)
        assert store.files(Scope(new.root_id)) == {"film.mp4": mine}
        with store.writing():
            new = store.move(Scope(root.root_id, "a"), str(Path(_NEW, "inner")))
        (moved,) = store.files(Scope(new.root_id, "inner")).values()
        assert {each.name: each.image_id for each in moved.fragments} == {
            name: _id(image) for name, image in _MEMBERS.items()
        }
        (three,) = store.records(store.find(_id("three")))
        assert three.paths == (str(Path(_NEW, "inner", "b.zip")),)
        assert store.holding("inner b zip old beach trip").sum() == 1
        assert store.matching(Filter("path", Contains("inner/b.zip/old/"))).sum() == 1


def check_members_have_paths(make_store: MakeStore) -> None:
    """Filters of paths and extensions, words and facets see a member below its archive; another
    fragment is seen where its file is."""
    with closing(make_store(MODEL)) as store:
        _write(store, "film.mp4", _FRAMES)
        _write(store, "b.zip", _MEMBERS)
        one, two, three = (store.find(_id(name))[0] for name in _IMAGES)
        for wanted, rows in {
            Filter("ext", OneOf(("jpg",))): [two],
            Filter("ext", OneOf(("png", "zip"))): [three],
            Filter("ext", OneOf(("mp4",))): [one, two],
            Filter("path", Contains("b.zip/old/*.jpg")): [two],
            Filter("path", Contains("É.PNG")): [three],
            Filter("path", Contains("*.mp4")): [one, two],
            Filter("path", Contains("t=")): [],
            Filter("path", Contains("member=")): [],
        }.items():
            assert np.flatnonzero(store.matching(wanted)).tolist() == rows, wanted
        for phrase, rows in {
            "b zip old beach trip": [two],
            "beachtrip": [two],
            "e": [three],
            "film": [one, two],
            "12": [],
            "member": [],
        }.items():
            assert np.flatnonzero(store.holding(phrase)).tolist() == rows, phrase
        facets = store.facets()
        assert facets.types == (("mp4", 2), ("jpg", 1), ("png", 1))
        assert facets.folders == ((HOME, 3),)
        assert store.ordered("path").tolist() == [two, three, one]


def check_bad_fragments_change_nothing(make_store: MakeStore) -> None:
    """A file is one of three; its fragments have names of their own, each an image or a problem."""
    with closing(make_store(MODEL)) as store, store.writing():
        root = store.add_root(HOME)
        good = Fragment("t=1", _id("one"))
        file = _file(root, "film.mp4", (good,))
        for bad in (
            replace(file, image_id=_id("one")),
            replace(file, problem="it is cut off"),
            replace(file, fragments=()),
            replace(file, fragments=(good, replace(good, problem="and more"))),
            replace(file, fragments=(good, Fragment("", _id("one")))),
            replace(file, fragments=(good, Fragment("t=2", None))),
            replace(file, fragments=(good, Fragment("t=2", _id("one"), "it is cut off"))),
            replace(file, fragments=(good, Fragment("t=2", "bb" * 16))),
        ):
            assert is_refused(partial(store.write, [example_image("one")], [bad])), bad
        assert store.row_count() == 0
        assert store.files(Scope(root.root_id)) == {}


def check_facts_change(make_store: MakeStore) -> None:
    """Facts are replaced with what follows from them: filters, words, orders, facets."""
    with closing(make_store(MODEL)) as store:
        _write(store, "a.jpg", "one")
        _write(store, "b.jpg", "two")
        facts = replace(
            example_image("one").facts,
            camera="Leica",
            taken_at="2025-01-01",
            latitude=1,
            caption="At the sea \udce9",
            keywords=("new", "näme"),
        )
        with store.writing():
            store.write_facts({_id("one"): facts})
            assert is_refused(lambda: store.write_facts({_id("two"): facts, "bb": facts}))
        kept = replace(facts, caption="At the sea \\udce9")
        assert [record.facts for record in store.records([0, 1])] == [
            kept,
            example_image("two").facts,
        ]
        assert np.flatnonzero(store.holding("the sea")).tolist() == [0]
        assert not store.holding("one").any()
        for word, rows in {"new": [0], "one": [], "näme": [0, 1], "two": [1]}.items():
            mask = store.matching(Filter("keyword", OneOf((word,))))
            assert np.flatnonzero(mask).tolist() == rows, word
        assert store.ordered("date").tolist() == [0, 1]
        assert store.facets().cameras == (("Leica", 1),)
        assert is_refused(lambda: store.write_facts({_id("one"): facts}))


_NEW = f"{HOME}-new"
_IMAGES = ("one", "two", "three")


def _write(
    store: Store,
    path: str,
    content: str | dict[str, str],
    *,
    home: str = HOME,
    broken: str | None = None,
) -> FileRecord:
    """Write a file that is the image of a name, or holds several, by fragment, and maybe one that
    is broken; return its record."""
    names = [content] if isinstance(content, str) else [*content.values()]
    with store.writing():
        root = store.add_root(home)
        fragments = (
            ()
            if isinstance(content, str)
            else tuple(Fragment(each, _id(name)) for each, name in content.items())
        )
        if broken is not None:
            fragments = (*fragments, Fragment(broken, None, "it is cut off"))
        file = _file(root, path, fragments)
        if isinstance(content, str):
            file = replace(file, image_id=_id(content))
        store.write([example_image(name) for name in names], [file])
    return file


def _file(root: Root, path: str, fragments: tuple[Fragment, ...]) -> FileRecord:
    return FileRecord(root.root_id, path, 1, 2, None, None, fragments)


def _id(name: str) -> str:
    return example_image(name).image_id


def _at(*names: str) -> str:
    return os.fspath(Path(HOME, *names))


FRAGMENT_CHECKS: tuple[Callable[[MakeStore], None], ...] = (
    check_fragments_come_back,
    check_fragments_are_replaced_whole,
    check_fragments_are_within_places,
    check_members_have_paths,
    check_bad_fragments_change_nothing,
    check_facts_change,
)
