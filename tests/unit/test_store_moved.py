"""A library that is moved, removed or replaced while it is open says so: it is not damaged."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from visionquery.errors import StoreError
from visionquery.store.base import Store
from visionquery.store.local import LocalStore, create_local, open_local
from visionquery.testing.store_examples import MODEL, example_image, fill

pytestmark = pytest.mark.skipif(os.name == "nt", reason="open files keep their folder in place")

PROBES = np.ones((1, 8), dtype=np.float32)
MOVED = r"was moved or removed while it was open here: open it again"


def move(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))


def remove(folder: Path) -> None:
    shutil.rmtree(folder)


def replace(folder: Path) -> None:
    move(folder)
    create_local(folder, MODEL).close()


def put_another_catalog_there(folder: Path) -> None:
    create_local(folder.with_name("other"), MODEL).close()
    (folder.with_name("other") / "catalog.sqlite").replace(folder / "catalog.sqlite")


AWAY = [move, remove, replace, put_another_catalog_there]
ACTS: list[Callable[[Store], object]] = [
    lambda store: store.image_count(),
    lambda store: store.scores(PROBES),
    lambda store: store.records([0]),
    lambda store: store.alive(),
    lambda store: store.size_bytes(),
    lambda store: store.reading().__enter__(),
    lambda store: store.writing().__enter__(),
]


@pytest.fixture
def library(tmp_path: Path) -> LocalStore:
    store = create_local(tmp_path / "library", MODEL)
    fill(store, {"a.jpg": example_image("one")})
    return store


@pytest.mark.parametrize("away", AWAY, ids=lambda away: away.__name__)
@pytest.mark.parametrize("used", [False, True], ids=["fresh", "used"])
def test_what_comes_next_says_so(
    library: LocalStore, away: Callable[[Path], None], used: bool
) -> None:
    if used:
        library.scores(PROBES)
    folder = Path(library.location)
    away(folder)
    before = sorted(path.name for path in folder.iterdir()) if folder.exists() else None
    for act in ACTS:
        with pytest.raises(StoreError, match=MOVED):
            act(library)
    in_thread = Thread(target=lambda: refused.append(_is_refused(library)))
    refused: list[bool] = []
    in_thread.start()
    in_thread.join()
    assert refused == [True]
    after = sorted(path.name for path in folder.iterdir()) if folder.exists() else None
    assert after == before, "nothing is made where the library was"
    library.close()


def test_a_writer_whose_library_is_moved_says_so(library: LocalStore) -> None:
    folder = Path(library.location)
    with library.writing():
        move(folder)
        with pytest.raises(StoreError, match=MOVED):
            library.write([example_image("two")], [])
        folder.with_name("elsewhere").rename(folder)
        library.write([example_image("two")], [])
    assert library.image_count() == 2
    library.close()


def test_files_that_go_while_they_are_read(library: LocalStore) -> None:
    with library.reading():
        move(Path(library.location))
        with pytest.raises(StoreError, match=MOVED):
            library.vectors([0])
    library.close()


def test_a_moved_library_is_whole_in_its_new_place(library: LocalStore) -> None:
    folder = Path(library.location)
    move(folder)
    with pytest.raises(StoreError, match=MOVED):
        library.roots()
    again = open_local(folder.with_name("elsewhere"))
    assert again.image_count() == 1
    again.close()
    library.close()


def test_another_working_folder_moves_no_library(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = create_local(Path("library"), MODEL)
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    assert store.image_count() == 0
    store.close()


def _is_refused(store: Store) -> bool:
    try:
        store.image_count()
    except StoreError as error:
        return "was moved or removed" in str(error)
    return False
