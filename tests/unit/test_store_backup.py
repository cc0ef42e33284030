"""A copy of a library holds a state that existed, whatever writers and movers do meanwhile."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from tests.figures import record

from visionquery.errors import LibraryBusyError, StoreError
from visionquery.store.backup import BackedUp, back_up
from visionquery.store.base import Scope
from visionquery.store.checking import check
from visionquery.store.local import LocalStore, create_local, open_local
from visionquery.testing.store_examples import MODEL, example_image, fill
from visionquery.types import ModelIdentity

NEXT = ModelIdentity(name="next", fingerprint="f2", embed_dim=4, source="next")
WRITER = """
import itertools, sys
from pathlib import Path
from visionquery.store.local import open_local
from visionquery.testing.store_examples import example_image, fill
store = open_local(Path(sys.argv[1]))
for number in itertools.count():
    fill(store, {f"{number}/{i}.jpg": example_image(f"{number} {i}") for i in range(5)})
    with store.writing():
        store.write_texts({number * 5 + i: "read" for i in range(5)})
    print(number, flush=True)
"""
COPIER = """
import sys
from pathlib import Path
from visionquery.store.backup import back_up
print("go", flush=True)
while True:
    back_up(Path(sys.argv[1]), Path(sys.argv[2]), on_progress=lambda *_: None)
"""


def quiet(*_: object) -> None:
    """Show no progress."""


def copied(library: Path, to: Path) -> BackedUp:
    return back_up(library, to, on_progress=quiet)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    made = create_local(tmp_path / "library", MODEL)
    fill(made, {f"{number}.jpg": example_image(str(number)) for number in range(1200)})
    yield made
    made.close()


def is_same(one: Path, other: Path) -> bool:
    with closing(open_local(one)) as first, closing(open_local(other)) as second:
        rows = list(range(first.row_count()))
        return (
            first.files(Scope(1)) == second.files(Scope(1))
            and first.row_count() == second.row_count()
            and first.model == second.model
            and np.array_equal(first.vectors(rows), second.vectors(rows))
            and first.records(rows) == second.records(rows)
        )


@pytest.mark.parametrize(
    "copies", [pytest.param(4, id="short"), pytest.param(60, id="long", marks=pytest.mark.slow)]
)
def test_copies_beside_a_writer_hold_states_that_existed(tmp_path: Path, copies: int) -> None:
    library, to = tmp_path / "library", tmp_path / "copy"
    create_local(library, MODEL).close()
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(library)], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    written = 0
    try:
        for number in range(copies):
            for _ in range(3):
                written = int(writer.stdout.readline()) + 1
            made = copied(library, to)
            assert made.is_update == (number > 0)
            _check_state(to, at_least=written)
            assert check(library, on_progress=quiet).is_whole, "a writer at work is no damage"
    finally:
        writer.kill()
        writer.wait()
        writer.stdout.close()
    assert check(library, on_progress=quiet).is_whole
    record("copies beside a writer", copies=copies, images=5 * written, lost=0)


def _check_state(folder: Path, *, at_least: int) -> None:
    found = check(folder, on_progress=quiet)
    assert found.is_whole, found
    with closing(open_local(folder)) as store:
        batches, rest = divmod(store.image_count(), 5)
        assert rest == 0
        assert batches >= at_least
        names = {f"{number}/{i}.jpg" for number in range(batches) for i in range(5)}
        assert store.files(Scope(1)).keys() == names
        texts = store.text_read()
        assert texts[: (batches - 1) * 5].all()
        assert texts[-5:].all() or not texts[-5:].any()
        for name in (f"{batches - 1} 4", "0 0"):
            image = example_image(name)
            assert np.array_equal(store.vectors(store.find(image.image_id))[0], image.vector)


def test_a_second_copy_takes_only_what_is_new(store: LocalStore, tmp_path: Path) -> None:
    library, to = Path(store.location), tmp_path / "copy"
    first = copied(library, to)
    assert (first.images, first.is_update) == (1200, False)
    fill(store, {"new.jpg": example_image("new")})
    second = copied(library, to)
    assert (second.images, second.is_update) == (1201, True)
    catalog_bytes = (to / "catalog.sqlite").stat().st_size
    assert second.copied_bytes < catalog_bytes + 8192, "vectors were copied again"
    assert first.copied_bytes > 1200 * 32
    assert is_same(library, to)
    assert check(to, on_progress=quiet).coded == 1024


def test_a_copy_is_a_library_of_its_own(store: LocalStore, tmp_path: Path) -> None:
    library, to = Path(store.location), tmp_path / "copy"
    copied(library, to)
    with closing(open_local(to)) as other:
        fill(other, {"mine.jpg": example_image("mine")})
    with pytest.raises(StoreError, match="was changed since"):
        copied(library, to)
    with closing(open_local(to)) as other:
        assert other.image_count() == 1201
    assert copied(to, tmp_path / "copy of the copy").images == 1201


def test_what_is_no_copy_is_left_alone(store: LocalStore, tmp_path: Path) -> None:
    library = Path(store.location)
    with closing(create_local(tmp_path / "other", MODEL)) as other:
        fill(other, {"a.jpg": example_image("one")})
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "a.jpg").write_bytes(b"mine")
    for place, words in (
        (tmp_path / "other", "another library"),
        (pictures, "something else"),
        (pictures / "a.jpg", "a file"),
        (library, "no place"),
        (library / "copy", "no place"),
        (tmp_path, "no place"),
    ):
        with pytest.raises(StoreError, match=words):
            copied(library, place)
    assert [path.name for path in pictures.iterdir()] == ["a.jpg"]
    with closing(open_local(tmp_path / "other")) as other:
        assert other.image_count() == 1


def test_a_copy_that_somebody_writes_to_is_busy(store: LocalStore, tmp_path: Path) -> None:
    library, to = Path(store.location), tmp_path / "copy"
    copied(library, to)
    with closing(open_local(to)) as other, other.writing(), pytest.raises(LibraryBusyError):
        copied(library, to)
    with (
        closing(open_local(to)) as other,
        other.reading(),
        pytest.raises(LibraryBusyError, match="open"),
    ):
        copied(library, to)
    assert copied(library, to).is_update


def test_a_damaged_library_does_not_take_the_place_of_its_copy(
    store: LocalStore, tmp_path: Path
) -> None:
    library, to = Path(store.location), tmp_path / "copy"
    copied(library, to)
    fill(store, {"new.jpg": example_image("new")})
    with (library / "vectors-1" / "000000.f32").open("r+b") as file:
        file.seek(1200 * 32)
        file.write(b"\0\1\2\3")
    with pytest.raises(StoreError, match="visionquery doctor"):
        copied(library, to)
    found = check(to, on_progress=quiet)
    assert found.is_whole
    assert found.images == 1200


def test_a_damaged_copy_is_copied_whole(store: LocalStore, tmp_path: Path) -> None:
    library, to = Path(store.location), tmp_path / "copy"
    copied(library, to)
    with (to / "vectors-1" / "000000.f32").open("r+b") as file:
        file.write(b"\0\1\2\3")
    assert copied(library, to).copied_bytes > 1200 * 32
    assert is_same(library, to)


def test_a_move_to_another_model_meanwhile_is_no_harm(store: LocalStore, tmp_path: Path) -> None:
    library, to = Path(store.location), tmp_path / "copy"
    vectors = np.tile(np.eye(4, dtype=np.float32), (300, 1))
    with store.writing():
        store.begin_next(NEXT)
        store.write_next(range(600), vectors[:600])
    copied(library, to)
    with closing(open_local(to)) as other:
        assert other.next_model() == NEXT
        assert other.next_done().sum() == 600
    done = []

    def finish(*_: object) -> None:
        """Put the next model in place while files are copied."""
        if not done:
            done.append(True)
            with store.writing():
                store.write_next(range(600, 1200), vectors[600:])
                store.finish_next()

    made = back_up(library, tmp_path / "late copy", on_progress=finish)
    assert made.images == 1200
    assert done
    copied(library, to)
    for folder in (to, tmp_path / "late copy"):
        assert check(folder, on_progress=quiet).is_whole
        with closing(open_local(folder)) as other:
            assert other.model == NEXT
        assert sorted(path.name for path in folder.glob("vectors-*")) == ["vectors-2"]


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_a_cut_copy_is_not_taken_for_one(store: LocalStore, tmp_path: Path) -> None:
    library, chance = Path(store.location), random.Random(6)
    for trial in range(4):
        to = tmp_path / "copy"
        process = subprocess.Popen(
            [sys.executable, "-c", COPIER, str(library), str(to)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if (to / "catalog.sqlite").exists():
            assert check(to, on_progress=quiet).is_whole
        fill(store, {f"{trial}.png": example_image(f"late {trial}")})
        copied(library, to)
        assert is_same(library, to)
        if trial == 1:
            shutil.rmtree(to)
