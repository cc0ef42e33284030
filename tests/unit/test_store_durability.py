"""A writer killed at any instant: everything acknowledged is there, nothing is half-written."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from tests.figures import record

from visionquery.store.base import Scope
from visionquery.store.local import LocalStore, create_local, open_local
from visionquery.testing.store_examples import MODEL, example_image, fill

BATCH = 5
_image = cache(example_image)
WRITER = """
import itertools, sys
from pathlib import Path
import numpy as np
from visionquery.store.local import open_local
from visionquery.testing.store_examples import example_image, fill
store = open_local(Path(sys.argv[1]))
first, size = int(sys.argv[2]), int(sys.argv[3])
for number in itertools.count(first):
    fill(store, {f"{number}/{i}.jpg": example_image(f"{number} {i}") for i in range(size)})
    # The batch before again: it may have been cut off before its texts.
    rows = range(max(number - 1, 0) * size, number * size + size)
    with store.writing():
        store.write_texts({row: f"read {row}" for row in rows})
        store.write_measures(rows[0], np.array([[row] for row in rows], np.float32))
    print(number, flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize(
    "kills", [pytest.param(10, id="short"), pytest.param(200, id="long", marks=pytest.mark.slow)]
)
def test_killed_writer_loses_nothing_acknowledged(tmp_path: Path, kills: int) -> None:
    folder = tmp_path / "library"
    create_local(folder, MODEL).close()
    chance = random.Random(5)
    written = 0
    for _ in range(kills):
        seconds = chance.uniform(0.0, 0.12)
        lines = _run_until_killed(WRITER, str(folder), str(written), str(BATCH), seconds=seconds)
        written = _check(folder, at_least=int(lines[-1]) + 1)
    assert written > kills, "the writers should have got somewhere"
    record("killed writers", kills=kills, images=written * BATCH, lost=0, doubled=0)


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_killed_creation_can_be_done_again(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path\n"
        "from visionquery.store.local import create_local\n"
        "from visionquery.testing.store_examples import MODEL\n"
        "print('go', flush=True)\n"
        "for i in range(1000): create_local(Path(sys.argv[1], str(i)), MODEL).close()\n"
    )
    for trial in range(3):
        home = tmp_path / str(trial)
        _run_until_killed(program, str(home), seconds=0.02 + 0.011 * trial)
        for folder in home.iterdir():
            finished = (folder / "catalog.sqlite").exists()
            store = open_local(folder) if finished else create_local(folder, MODEL)
            fill(store, {"a.jpg": example_image("one")})
            store.close()


def test_torn_tail_is_written_over(tmp_path: Path) -> None:
    store = create_local(tmp_path / "library", MODEL)
    fill(store, {"a.jpg": example_image("one")})
    with Path(store.location, "vectors-1", "000000.f32").open("ab") as file:
        file.write(os.urandom(501))
    store.close()
    again = open_local(tmp_path / "library")
    fill(again, {"b.jpg": example_image("two"), "c.jpg": example_image("three")})
    for name in ("one", "two", "three"):
        (row,) = again.find(example_image(name).image_id)
        assert np.array_equal(again.vectors([row])[0], example_image(name).vector)
    again.close()


def _run_until_killed(program: str, *arguments: str, seconds: float) -> list[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    # Python's start takes far longer than a batch: the clock starts with the first line.
    first_line = process.stdout.readline()
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    rest, _ = process.communicate()
    return (first_line + rest).split()


def _check(folder: Path, *, at_least: int) -> int:
    store = open_local(folder)
    batches, remainder = divmod(store.image_count(), BATCH)
    assert remainder == 0, "a batch is there in part"
    assert at_least <= batches <= at_least + 1
    images = {
        f"{number}/{index}.jpg": _image(f"{number} {index}")
        for number in range(batches)
        for index in range(BATCH)
    }
    files = store.files(Scope(1))
    assert {path: file.image_id for path, file in files.items()} == {
        path: image.image_id for path, image in images.items()
    }
    rows = [store.find(image.image_id)[0] for image in images.values()]
    assert sorted(rows) == list(range(store.row_count()))
    assert np.array_equal(store.vectors(rows), np.stack([i.vector for i in images.values()]))
    _check_what_was_read(store, batches, at_least=at_least)
    store.close()
    return batches


def _check_what_was_read(store: LocalStore, batches: int, *, at_least: int) -> None:
    """Only what came last, after the last acknowledged batch, may lack texts and measures."""
    has_text, measures = store.text_read(), store.measures()
    has_measures = ~np.isnan(measures).any(axis=1)
    for mask in (has_text, has_measures):
        per_batch = mask.reshape(batches, BATCH)
        assert (per_batch.all(axis=1) == per_batch.any(axis=1)).all(), "a batch is there in part"
        assert per_batch[:at_least].all()
    rows = np.flatnonzero(has_measures)
    assert np.array_equal(measures[rows], rows[:, None])
    for row in range((batches - 1) * BATCH, batches * BATCH):
        expected = [row] if has_text[row] else []
        assert np.flatnonzero(store.holding(f"read {row}")).tolist() == expected
        number, index = divmod(row, BATCH)
        assert row in np.flatnonzero(store.holding(f"{number} {index}"))
    _check_index(Path(store.location))


def _check_index(folder: Path) -> None:
    connection = sqlite3.connect(folder / "catalog.sqlite")
    connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")
    assert connection.execute("SELECT count(*) FROM stale_words").fetchone() == (0,)
    connection.close()
