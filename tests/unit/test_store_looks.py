"""What second looks see is kept by content, for good; nothing that goes wrong with it matters."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from visionquery.store.looks import Looks
from visionquery.types import ModelIdentity

MODEL = ModelIdentity("large", "f" * 32, 8, "large")
WRITER = """
import sys
from pathlib import Path
import numpy as np
from visionquery.store.looks import Looks
from visionquery.types import ModelIdentity
looks = Looks(Path(sys.argv[1]), ModelIdentity("large", "f" * 32, 8, "large"))
for number in range(100_000):
    vector = np.zeros(8, np.float32)
    vector[number % 8] = 1
    looks.keep({f"{number:032x}": vector})
    print(number, flush=True)
"""


def some_vectors(count: int) -> dict[str, np.ndarray]:
    rows = np.random.default_rng(0).normal(size=(count, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return {f"{number:032x}": row for number, row in enumerate(rows)}


def same(found: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> bool:
    return found.keys() == expected.keys() and all(
        np.array_equal(found[name], expected[name]) for name in found
    )


@pytest.mark.parametrize("has_folder", [True, False])
def test_what_is_kept_is_what_was_returned(tmp_path: Path, has_folder: bool) -> None:
    looks = Looks(tmp_path / "looks" if has_folder else None, MODEL)
    vectors = some_vectors(700)
    assert looks.vectors(list(vectors)) == {}
    kept = looks.keep(vectors)
    assert same(looks.vectors([*vectors, "absent"]), kept)
    assert all(kept[name] @ vectors[name] > 0.999 for name in vectors)


def test_every_process_and_library_has_them_and_no_other_model(tmp_path: Path) -> None:
    kept = Looks(tmp_path, MODEL).keep(some_vectors(3))
    assert same(Looks(tmp_path, MODEL).vectors(list(kept)), kept)
    other = ModelIdentity("large", "e" * 32, 8, "large")
    assert Looks(tmp_path, other).vectors(list(kept)) == {}


def test_texts_are_made_once(tmp_path: Path) -> None:
    rows = np.stack(list(some_vectors(5).values()))
    first = Looks(tmp_path, MODEL).texts("bank", lambda: rows)
    again = Looks(tmp_path, MODEL).texts("bank", lambda: pytest.fail("made twice"))
    assert np.array_equal(first, again)
    assert np.allclose(first, rows, atol=1e-3)


@pytest.mark.parametrize(
    "damage", [b"no database at all" * 500, b"SQLite format 3\0" + b"x" * 9000]
)
def test_a_broken_file_is_set_aside_and_made_anew(tmp_path: Path, damage: bytes) -> None:
    vectors = some_vectors(3)
    Looks(tmp_path, MODEL).keep(vectors)
    (file,) = tmp_path.glob("*.sqlite")
    file.write_bytes(damage)
    looks = Looks(tmp_path, MODEL)
    assert looks.vectors(list(vectors)) == {}
    assert file.with_name(file.name + ".broken").read_bytes()[: len(damage)] == damage
    kept = looks.keep(vectors)
    assert same(Looks(tmp_path, MODEL).vectors(list(vectors)), kept)


def test_damage_that_sqlite_does_not_see_counts_as_not_there(tmp_path: Path) -> None:
    vectors = some_vectors(3)
    Looks(tmp_path, MODEL).keep(vectors)
    (file,) = tmp_path.glob("*.sqlite")
    first, second, third = vectors
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE looks SET vector = x'00' WHERE image_id = ?", (first,))
        connection.execute("UPDATE looks SET vector = zeroblob(16) WHERE image_id = ?", (second,))
    connection.close()
    assert list(Looks(tmp_path, MODEL).vectors(list(vectors))) == [third]


def test_where_no_file_can_be_made_nothing_is_kept_but_in_memory(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("in the way")
    looks = Looks(place, MODEL)
    vectors = some_vectors(3)
    kept = looks.keep(vectors)
    assert same(looks.vectors(list(vectors)), kept)
    rows = np.stack(list(kept.values()))
    assert np.array_equal(looks.texts("bank", lambda: rows), rows)
    assert Looks(place, MODEL).vectors(list(vectors)) == {}
    assert place.read_text() == "in the way"


def test_a_killed_writer_leaves_all_that_it_acknowledged(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(40)]
        os.kill(writer.pid, signal.SIGKILL)
        acknowledged = [int(line) for line in lines]
    found = Looks(tmp_path, MODEL).vectors([f"{number:032x}" for number in acknowledged])
    assert len(found) == len(acknowledged) == 40


def test_two_processes_write_at_a_time(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER.replace("100_000", "200"), str(tmp_path)]
    writers = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    names = [f"{number:032x}" for number in range(200)]
    assert len(Looks(tmp_path, MODEL).vectors(names)) == 200
