"""A library on disk that moves to another model: other readers, kills, and what is left behind."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from visionquery.errors import StoreError
from visionquery.store.local import LocalStore, create_local, open_local
from visionquery.store.vectors import Segments
from visionquery.testing.store_examples import HOME, MODEL, example_image, fill
from visionquery.types import Matrix, ModelIdentity

COUNT = 40
NEXT = ModelIdentity("next", "f2", 8, "next")
THIRD = ModelIdentity("third", "f3", 5, "third")


def vectors_by(model: ModelIdentity) -> Matrix:
    """Return the vectors, (COUNT, embed_dim), that the images have by a model in these tests."""
    names = [f"{number}" if model == MODEL else f"{model.name} {number}" for number in range(COUNT)]
    return np.stack([example_image(each, embed_dim=model.embed_dim).vector for each in names])


def move(store: LocalStore, model: ModelIdentity) -> None:
    with store.writing():
        store.begin_next(model)
        store.write_next(range(COUNT), vectors_by(model))
        store.finish_next()


@pytest.fixture
def library(tmp_path: Path) -> Iterator[LocalStore]:
    store = create_local(tmp_path / "library", MODEL)
    fill(store, {f"{number}.jpg": example_image(f"{number}") for number in range(COUNT)})
    yield store
    store.close()


@pytest.fixture
def other(library: LocalStore) -> Iterator[LocalStore]:
    """The same library, opened a second time."""
    store = open_local(Path(library.location))
    yield store
    store.close()


def folders(store: LocalStore) -> list[str]:
    return sorted(path.name for path in Path(store.location).glob("vectors-*"))


def test_old_vectors_go_and_a_reopened_library_has_the_new(library: LocalStore) -> None:
    move(library, NEXT)
    assert folders(library) == ["vectors-2"]
    move(library, THIRD)
    assert folders(library) == ["vectors-3"]
    again = open_local(Path(library.location))
    assert again.model == THIRD
    assert np.array_equal(again.vectors(range(COUNT)), vectors_by(THIRD))
    again.close()


@pytest.mark.parametrize("following", [NEXT, THIRD], ids=["same size", "other size"])
def test_a_store_open_elsewhere_refuses_after_the_move(
    library: LocalStore, other: LocalStore, following: ModelIdentity
) -> None:
    probe = vectors_by(MODEL)[:1]
    assert other.scores(probe)[0, 0] == pytest.approx(1)
    move(library, following)
    asks = [
        partial(other.scores, probe), partial(other.vectors, [0]), other.alive, other.row_count,
        partial(other.within, []), other.next_done,
    ]
    for ask in asks:
        with pytest.raises(StoreError, match=r"moved to another model .* open it again"):
            ask()
    with pytest.raises(StoreError, match="open it again"), other.writing():
        pytest.fail("nothing of the old model may be written")
    assert np.array_equal(library.vectors(range(COUNT)), vectors_by(following))
    with library.writing():
        library.set_note("the place", "is free")


def test_a_reader_keeps_the_state_that_it_looks_at(library: LocalStore, other: LocalStore) -> None:
    with other.reading():
        before = other.scores(vectors_by(MODEL)[:1])
        move(library, NEXT)
        assert np.array_equal(other.scores(vectors_by(MODEL)[:1]), before)
        assert other.alive().sum() == COUNT
    with pytest.raises(StoreError, match="open it again"):
        other.scores(vectors_by(MODEL)[:1])


def test_a_reader_whose_files_are_gone_is_told_why(library: LocalStore, other: LocalStore) -> None:
    with other.reading():
        assert other.row_count() == COUNT
        move(library, NEXT)
        with pytest.raises(StoreError, match="open it again"):
            other.vectors([0])


def test_writing_inside_an_old_state_removes_nothing(
    library: LocalStore, other: LocalStore
) -> None:
    with other.reading():
        move(library, NEXT)
        with other.writing():
            pass
    assert folders(library) == ["vectors-2"]


def test_what_a_kill_left_behind_goes_at_the_next_write(library: LocalStore) -> None:
    with library.writing():
        library.begin_next(NEXT)
        library.write_next([0], vectors_by(NEXT)[:1])
    for name in ("vectors-0", "vectors-7"):
        folder = Path(library.location, name)
        folder.mkdir()
        (folder / "000000.f32").write_bytes(b"left")
    Path(library.location, "vectors-mine").mkdir()
    with library.writing():
        assert folders(library) == ["vectors-1", "vectors-2", "vectors-mine"]
        library.begin_next(THIRD)
        assert folders(library) == ["vectors-1", "vectors-3", "vectors-mine"]
        library.drop_next()
        assert folders(library) == ["vectors-1", "vectors-mine"]
    assert np.array_equal(library.vectors(range(COUNT)), vectors_by(MODEL))


def test_a_torn_batch_has_no_meaning(library: LocalStore) -> None:
    with library.writing():
        library.begin_next(NEXT)
        library.write_next([0, 1], vectors_by(NEXT)[:2])
        with Path(library.location, "vectors-2", "000000.f32").open("ab") as file:
            file.write(os.urandom(777))
        assert library.next_done().sum() == 2
        library.write_next(range(2, COUNT), vectors_by(NEXT)[2:])
        library.finish_next()
    assert np.array_equal(library.vectors(range(COUNT)), vectors_by(NEXT))


def test_rows_come_in_any_order_into_several_segments(tmp_path: Path) -> None:
    segments = Segments(tmp_path, 5, rows_per_segment=7)
    written = np.arange(COUNT) % 11 != 0
    rows = np.random.default_rng(0).permutation(np.flatnonzero(written))
    segments.put(rows, vectors_by(THIRD)[rows])
    segments.reserve(COUNT + 9)
    segments.check(COUNT + 9)
    taken = segments.take(np.arange(COUNT + 9), COUNT + 9)
    assert np.array_equal(taken[:COUNT][written], vectors_by(THIRD)[written])
    assert not taken[:COUNT][~written].any()
    assert not taken[COUNT:].any()
    segments.reserve(3)
    segments.check(COUNT + 9)


READER = """
import sys
import numpy as np
from pathlib import Path
from visionquery.errors import StoreError
from visionquery.store.local import open_local
sys.path.insert(0, sys.argv[2])
from test_store_move import COUNT, MODELS_IN_TURN, vectors_by
known = {model.fingerprint: vectors_by(model) for model in MODELS_IN_TURN}
seen, refused = set(), 0
print("go", flush=True)
while not Path(sys.argv[1], "stop").exists():
    store = open_local(Path(sys.argv[1], "library"))
    mine = known[store.model.fingerprint]
    try:
        for _ in range(3):
            with store.reading():
                assert np.array_equal(store.vectors(range(COUNT)), mine), "mixed vectors"
                scores = store.scores(mine[:1])
                assert np.allclose(scores, mine[:1] @ mine.T, atol=1e-6), "mixed scores"
            seen.add(store.model.fingerprint)
    except StoreError as error:
        assert "open it again" in str(error), error
        refused += 1
    store.close()
print(len(seen), refused)
"""
MODELS_IN_TURN = [MODEL, NEXT, THIRD]


def test_readers_never_mix_while_the_library_moves_about(
    library: LocalStore, tmp_path: Path
) -> None:
    here = str(Path(__file__).parent)
    reader = subprocess.Popen(
        [sys.executable, "-c", READER, str(tmp_path), here],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    assert reader.stdout is not None
    reader.stdout.readline()
    end = time.monotonic() + 2
    turn = 0
    while time.monotonic() < end:
        turn += 1
        move(library, MODELS_IN_TURN[turn % 3])
    (tmp_path / "stop").touch()
    out, err = reader.communicate()
    assert reader.returncode == 0, err
    seen, refused = map(int, out.split())
    assert seen == 3
    assert refused > 0


MOVER = """
import sys
from pathlib import Path
from visionquery.store.local import open_local
sys.path.insert(0, sys.argv[2])
from test_store_move import MODELS_IN_TURN, COUNT, vectors_by
store = open_local(Path(sys.argv[1]))
print("go", flush=True)
while True:
    here = [model.fingerprint for model in MODELS_IN_TURN].index(store.model.fingerprint)
    following = MODELS_IN_TURN[(here + 1) % 3]
    with store.writing():
        store.begin_next(following)
        new = vectors_by(following)
        for start in range(0, COUNT, 10):
            store.write_next(range(start, start + 10), new[start : start + 10])
        store.finish_next()
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize(
    "kills", [pytest.param(8, id="short"), pytest.param(150, id="long", marks=pytest.mark.slow)]
)
def test_a_killed_move_leaves_one_model_whole(library: LocalStore, kills: int) -> None:
    library.close()
    folder, here = Path(library.location), str(Path(__file__).parent)
    chance = random.Random(2)
    by_fingerprint = {model.fingerprint: vectors_by(model) for model in MODELS_IN_TURN}
    for _ in range(kills):
        mover = subprocess.Popen(
            [sys.executable, "-c", MOVER, str(folder), here], stdout=subprocess.PIPE, text=True
        )
        assert mover.stdout is not None
        mover.stdout.readline()
        time.sleep(chance.uniform(0, 0.08))
        mover.send_signal(signal.SIGKILL)
        mover.communicate()
        store = open_local(folder)
        assert store.image_count() == COUNT
        assert len(store.records(range(COUNT))[0].paths) == 1
        assert store.locate(HOME) is not None
        assert np.array_equal(store.vectors(range(COUNT)), by_fingerprint[store.model.fingerprint])
        with store.writing():
            following = store.next_model()
            assert len(folders(store)) == (1 if following is None else 2)
        store.close()
