"""Orders and facets of a library on disk: made once for a state, and right in every one."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from visionquery.errors import StoreError
from visionquery.store import browsing
from visionquery.store.base import Order, Scope
from visionquery.store.derived import Kept
from visionquery.store.local import LocalStore, create_local, open_local
from visionquery.testing.store_examples import HOME, MODEL, example_image, fill
from visionquery.types import ModelIdentity

ORDERS: tuple[Order, ...] = ("date", "path")


@pytest.fixture
def library(tmp_path: Path) -> Iterator[LocalStore]:
    store = create_local(tmp_path / "library", MODEL)
    fill(store, {f"{name}.jpg": example_image(name) for name in "bcd"})
    yield store
    store.close()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was made of the catalog, one name for each time."""
    names: list[str] = []

    def counted(name: str) -> Callable[..., object]:
        make = getattr(browsing, name)
        return lambda *args, **options: names.append(name) or make(*args, **options)

    for name in ("rows_by_path", "rows_by_date", "facets"):
        monkeypatch.setattr(browsing, name, counted(name))
    return names


def browse(store: LocalStore) -> tuple[list[int], list[int], int]:
    facets = store.facets()
    images = facets.folders[0][1] if facets.folders else 0
    return store.ordered("date").tolist(), store.ordered("path").tolist(), images


def test_one_state_is_looked_at_once_by_all_threads(library: LocalStore, made: list[str]) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: browse(library), range(40)))
    assert answers == [([0, 1, 2], [0, 1, 2], 3)] * 40
    assert sorted(made) == ["facets", "rows_by_date", "rows_by_path"]


def test_a_change_is_seen_by_all_threads(library: LocalStore) -> None:
    with ThreadPoolExecutor(2) as pool:
        assert pool.submit(browse, library).result() == browse(library)
        fill(library, {"a.jpg": example_image("a")})
        expected = ([3, 0, 1, 2], [3, 0, 1, 2], 4)
        assert browse(library) == pool.submit(browse, library).result() == expected


def test_a_change_by_another_opening_is_seen(library: LocalStore) -> None:
    assert browse(library)[1] == [0, 1, 2]
    other = open_local(Path(library.location))
    fill(other, {"a.jpg": example_image("a")})
    assert browse(library) == browse(other) == ([3, 0, 1, 2], [3, 0, 1, 2], 4)
    with other.writing():
        other.forget([(other.roots()[0].root_id, "c.jpg")])
        other.prune()
    assert browse(library) == browse(other) == ([3, 0, 2], [3, 0, 2], 3)
    other.close()


@pytest.mark.parametrize("asks_before", [True, False])
def test_a_reader_keeps_its_state(library: LocalStore, asks_before: bool) -> None:
    """It is neither given what a later state was asked for, nor keeps its own for others."""
    before = ([0, 1, 2], [0, 1, 2], 3)

    def change_and_browse() -> tuple[list[int], list[int], int]:
        fill(library, {"a.jpg": example_image("a")})
        return browse(library)

    with ThreadPoolExecutor(1) as pool:
        with library.reading():
            if asks_before:
                assert browse(library) == before
            after = pool.submit(change_and_browse).result()
            assert after == ([3, 0, 1, 2], [3, 0, 1, 2], 4)
            assert browse(library) == before
            assert pool.submit(browse, library).result() == after
        assert browse(library) == after


def test_what_was_not_committed_has_no_order(library: LocalStore) -> None:
    before = browse(library)
    with library.writing(), pytest.raises(StoreError):
        library.write([example_image("a"), example_image("a", embed_dim=3)], [])
    assert browse(library) == before
    with library.writing(), pytest.raises(StoreError):
        library.write_texts({0: "text", 99: "of no image"})
    assert browse(library) == before


@pytest.mark.parametrize("seed", range(3))
def test_readers_and_a_writer_never_see_a_mixture(library: LocalStore, seed: int) -> None:
    """Whatever state a reader sees, its order has the images of that state, in their order."""
    ended = threading.Event()

    def read() -> int:
        states = set()
        while not ended.is_set():
            with library.reading():
                by_path = library.ordered("path").tolist()
                assert sorted(by_path) == np.flatnonzero(library.alive()).tolist()
                paths = [record.paths[:1] for record in library.records(by_path)]
                assert paths == sorted(paths)
                assert library.facets().folders == ((HOME, len(list(filter(None, paths)))),)
                states.add(tuple(by_path))
        return len(states)

    random = np.random.default_rng(seed)
    (root,) = library.roots()
    with ThreadPoolExecutor(3) as pool:
        readers = [pool.submit(read) for _ in range(3)]
        try:
            for number in random.permutation(40).tolist():
                fill(library, {f"{number:02}.jpg": example_image(f"{number}")})
                gone = f"{random.integers(40):02}.jpg"
                with library.writing():
                    library.forget([(root.root_id, gone)])
                    library.prune()
        finally:
            ended.set()
        assert all(reader.result() >= 1 for reader in readers)


def test_places_matter_only_where_an_image_has_several(
    library: LocalStore, made: list[str]
) -> None:
    for by in ORDERS:
        assert library.ordered(by, places=[str(Path(HOME, "x"))]).tolist() == [0, 1, 2]
        assert library.ordered(by).tolist() == [0, 1, 2]
    assert made == ["rows_by_path", "rows_by_date"]
    fill(library, {"x/z.jpg": example_image("b")})
    assert library.ordered("path", places=[str(Path(HOME, "x"))]).tolist() == [1, 2, 0]
    assert library.ordered("path").tolist() == [0, 1, 2]


def test_what_is_handed_out_cannot_be_written_to(library: LocalStore) -> None:
    for by in ORDERS:
        with pytest.raises(ValueError, match="read-only"):
            library.ordered(by)[0] = 1


def test_bytes_that_are_no_text_have_their_place(library: LocalStore) -> None:
    fill(library, {"d\udce9/x.\udce9": example_image("a"), "dé/y.É": example_image("e")})
    paths = [record.paths[0] for record in library.records(library.ordered("path").tolist())]
    assert paths == sorted(paths)
    assert library.facets().types == (("jpg", 3), ("é", 1), (chr(0x100000 + 0xDCE9), 1))
    assert str(Path(HOME, "d\udce9")) in dict(library.facets().folders)


@pytest.mark.skipif(Path(HOME).drive != "", reason="a POSIX root")
def test_the_root_of_the_file_system_is_a_root(tmp_path: Path) -> None:
    store = create_local(tmp_path / "library", MODEL)
    fill(store, {"z/1.jpg": example_image("1"), "2.jpg": example_image("2")}, home="/")
    assert store.ordered("path").tolist() == [1, 0]
    assert store.facets().folders == (("/", 2), ("/z", 1))
    store.close()


def test_rows_are_refused_after_a_move_to_another_model(library: LocalStore) -> None:
    other = open_local(Path(library.location))
    assert browse(other) == browse(library)
    following = ModelIdentity("next", "f2", 8, "next")
    with library.writing():
        library.begin_next(following)
        library.write_next(range(3), np.stack([example_image(name).vector for name in "bcd"]))
        library.finish_next()
    assert library.ordered("path").tolist() == [0, 1, 2]
    for by in ORDERS:
        with pytest.raises(StoreError, match="moved to another model"):
            other.ordered(by)
    other.close()


def test_roots_that_move_change_the_order(library: LocalStore) -> None:
    fill(library, {"0.jpg": example_image("0")}, home=str(Path(HOME).with_name("z")))
    assert library.ordered("path").tolist() == [0, 1, 2, 3]
    moved = library.locate(str(Path(HOME).with_name("z")))
    assert moved is not None
    with library.writing():
        library.move(Scope(moved.root_id), str(Path(HOME).with_name("a")))
    assert library.ordered("path").tolist() == [3, 0, 1, 2]


def test_only_the_newest_state_is_kept() -> None:
    kept = Kept()
    assert kept.get("a", 1, lambda: "old") == "old"
    assert kept.get("a", 1, lambda: "never") == "old"
    assert kept.get("a", 3, lambda: "new") == "new"
    assert kept.get("a", 1, lambda: "made again") == "made again"
    assert kept.get("a", 3, lambda: "never") == "new"
    for number in range(40):
        kept.get(number, 3, lambda: "many")
    assert kept.get("a", 3, lambda: "dropped meanwhile") == "dropped meanwhile"


def test_what_cannot_be_made_is_asked_for_again() -> None:
    kept = Kept()
    with pytest.raises(ZeroDivisionError):
        kept.get("a", 1, lambda: 1 // 0)
    assert kept.get("a", 1, lambda: 2) == 2
