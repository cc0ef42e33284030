"""The checks of the words of images: where they come from, and that they follow every change."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from visionquery.store.base import FileRecord, NewImage, Scope, Store
from visionquery.testing.store_examples import HOME, MODEL, example_image, fill
from visionquery.types import Facts, ModelIdentity

__all__ = ["WORD_CHECKS"]

MakeStore = Callable[[ModelIdentity], Store]


def check_words_come_from_all_that_is_known(make_store: MakeStore) -> None:
    """Names of files, folders and the root, caption, keywords and text read all have words."""
    with closing(make_store(MODEL)) as store:
        image = _plain("one", caption="A dog at the sea", keywords=("Old Town", "night"))
        fill(store, {"Italy/Rome 2019/IMG_2034.JPG": image, "other.png": _plain("two")})
        with store.writing():
            store.write_texts({0: "Total:\n17.50 EUR"})
        held = [
            "italy", "rome", "Rome 2019", "italy rome 2019 img 2034", "img2034", "a dog",
            "DOG AT THE SEA", "old-town", "night", "total 17 50 eur", "sea", "a",
        ]  # fmt: skip
        for phrase in held:
            assert store.holding(phrase).tolist() == [True, False], phrase
        missed = [
            "ital", "ome", "2034 a", "sea old", "town night", "dog sea", "eur total", "jpg", "203",
            "night italy", "", "!?", "|", "sea | old",
        ]  # fmt: skip
        for phrase in missed:
            assert not store.holding(phrase).any(), phrase
        assert store.holding(Path(HOME).name.upper()).tolist() == [True, True]
        assert store.holding("other").tolist() == [False, True]


def check_words_have_one_form(make_store: MakeStore) -> None:
    """Case, diacritics, width and separators make no other words; scripts without spaces are
    found by any part."""
    with closing(make_store(MODEL)) as store:
        names = [
            "Cafe\N{COMBINING ACUTE ACCENT}_ÅRHUS.jpg",
            "BeachTrip2024.jpg",
            "北京天安門.jpg",
            "iPhone.jpg",
            "Ｆｕｌｌ.jpg",
            "Ёлка.jpg",
            "d\udcff-x.jpg",
        ]
        fill(store, {name: _plain(repr(name)) for name in names})
        expected = {
            "café": [0], "CAFE arhus": [0], "århus": [0], "beach": [1], "beach trip 2024": [1],
            "beachtrip": [1], "trip": [1], "BeachTrip": [1], "天安": [2], "京天": [2], "北京": [2],
            "門": [2], "京安": [], "iphone": [3], "phone": [3], "full": [4], "елка": [5],
            "d x": [6],
        }  # fmt: skip
        for phrase, rows in expected.items():
            assert store.holding(phrase).nonzero()[0].tolist() == rows, phrase


def check_words_follow_files(make_store: MakeStore) -> None:
    """A file's words come, move and go with it; those of the image's other files stay."""
    with closing(make_store(MODEL)) as store:
        fill(store, {"beach/a.jpg": _plain("one"), "copy/b.jpg": _plain("one")})
        fill(store, {"hill/c.jpg": _plain("two")})
        (root,) = store.roots()
        assert store.holding("beach").tolist() == store.holding("copy b").tolist() == [True, False]
        with store.writing():
            store.forget([(root.root_id, "copy/b.jpg")])
        assert not store.holding("copy").any()
        assert store.holding("beach a").tolist() == [True, False]
        with store.writing():
            other = FileRecord(root.root_id, "beach/a.jpg", 1, 2, _plain("two").image_id)
            store.write([], [other])
        assert store.holding("beach").tolist() == [False, True]
        with store.writing():
            store.write([], [replace(other, image_id=None, problem="it is broken")])
        assert not store.holding("beach").any()
        with store.writing():
            store.prune()
        assert store.holding("hill").tolist() == [False, True]
        assert store.holding(Path(HOME).name).tolist() == [False, True]


def check_words_follow_roots(make_store: MakeStore) -> None:
    """Words are right after roots and parts of them move, join and part."""
    with closing(make_store(MODEL)) as store:
        fill(store, {"a/x.jpg": _plain("one")}, home=str(Path(HOME, "summer")))
        (root,) = store.roots()
        assert store.holding("summer").all()
        assert not store.holding("summer a").any()
        with store.writing():
            store.move(Scope(root.root_id), str(Path(HOME, "autumn")))
        assert not store.holding("summer").any()
        assert store.holding("autumn").all()
        with store.writing():
            store.move(Scope(root.root_id, "a"), str(Path(HOME, "autumn", "leaves", "red")))
        assert store.holding("leaves red x").all()
        assert not store.holding("a x").any()
        fill(store, {"y.jpg": _plain("two")}, home=str(Path(HOME, "spring")))
        spring = store.locate(str(Path(HOME, "spring")))
        assert spring is not None
        with store.writing():
            store.move(spring, str(Path(HOME, "autumn", "leaves")))
        assert not store.holding("autumn").any()
        assert store.holding("leaves").all()
        assert store.holding("red x").tolist() == [True, False]
        assert not store.holding("leaves red").any()
        with store.writing():
            store.move(spring, str(Path(HOME, "autumn")))
        assert store.holding("autumn").all()
        assert not store.holding("leaves").any()


def check_words_follow_texts(make_store: MakeStore) -> None:
    """A text that is read again takes the place of the one before."""
    with closing(make_store(MODEL)) as store:
        fill(store, {"a.jpg": _plain("one")})
        for text in ("exit only", "", "no exit"):
            with store.writing():
                store.write_texts({0: text})
            assert store.holding("exit only").all() == (text == "exit only")
            assert store.holding("no exit").all() == (text == "no exit")
        assert store.holding("a").all()


def _plain(name: str, *, caption: str | None = None, keywords: tuple[str, ...] = ()) -> NewImage:
    facts = Facts(640, 480, "JPEG", 1000, caption=caption, keywords=keywords)
    return replace(example_image(name), facts=facts)


WORD_CHECKS: tuple[Callable[[MakeStore], None], ...] = (
    check_words_come_from_all_that_is_known,
    check_words_have_one_form,
    check_words_follow_files,
    check_words_follow_roots,
    check_words_follow_texts,
)
