"""A library on disk that is compacted: its files, other readers, kills, and disks that are full."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests import figures

from visionquery.errors import StoreError
from visionquery.query.ast import Contains, Filter
from visionquery.store.base import Scope
from visionquery.store.compaction import NUMBERED
from visionquery.store.local import LocalStore, create_local, open_local
from visionquery.store.schema import TABLES
from visionquery.testing.store_compact_checks import answers_by_id
from visionquery.testing.store_examples import HOME, MODEL, example_image, fill

COUNT = 3_000
"""Enough for two steps of codes before, and for one after."""

KEPT = [number for number in range(COUNT) if number % 3]


@pytest.fixture(scope="module")
def holed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed library of which a third is holes, not to be changed."""
    folder = tmp_path_factory.mktemp("holed") / "library"
    store = create_local(folder, MODEL)
    fill(store, {f"{number}.jpg": example_image(f"{number}") for number in range(COUNT)})
    (root,) = store.roots()
    with store.writing():
        store.write_texts({row: f"read {row}" for row in range(0, COUNT, 5)})
        store.write_measures(0, np.arange(COUNT, dtype=np.float32)[:, None])
        store.forget([(root.root_id, f"{number}.jpg") for number in range(0, COUNT, 3)])
        assert store.prune() == COUNT - len(KEPT)
    store.close()
    return folder


@pytest.fixture
def library(holed: Path, tmp_path: Path) -> Iterator[LocalStore]:
    store = open_local(shutil.copytree(holed, tmp_path / "library"))
    yield store
    store.close()


@pytest.fixture
def other(library: LocalStore) -> Iterator[LocalStore]:
    """The same library, opened a second time."""
    store = open_local(Path(library.location))
    yield store
    store.close()


def compact(store: LocalStore) -> None:
    with store.writing():
        store.compact()


def folders(store: LocalStore) -> list[str]:
    return sorted(path.name for path in Path(store.location).glob("vectors-*"))


def check_whole(store: LocalStore) -> None:
    """Every image has its own vector, facts, file, text and measure, wherever its row is."""
    assert store.image_count() == len(KEPT)
    rows = np.flatnonzero(store.alive()).tolist()
    images = [example_image(f"{number}") for number in KEPT]
    assert np.array_equal(store.vectors(rows), np.stack([image.vector for image in images]))
    for number, image, record in zip(KEPT, images, store.records(rows), strict=True):
        assert (record.image_id, record.facts) == (image.image_id, image.facts)
        assert record.paths == (str(Path(HOME, f"{number}.jpg")),)
        assert record.text == (None if number % 5 else f"read {number}")
    assert store.measures()[rows, 0].tolist() == KEPT
    numbers = [int(record.facts.keywords[1]) for record in store.records(rows[5:8])]
    for row, number in zip(rows[5:8], numbers, strict=True):
        assert np.flatnonzero(store.holding(f"{number}")).tolist() == [row]
    assert store.text_read().sum() == sum(number % 5 == 0 for number in KEPT)
    probe = images[7].vector[None]
    about = store.estimates(probe)
    assert np.abs(about.cosines - store.scores(probe))[0, rows].max() <= about.error + 1e-6
    with store._open.read() as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.execute("INSERT INTO words (words) VALUES ('integrity-check')")


def shape_of(catalog: sqlite3.Connection) -> set[tuple[str, str, str]]:
    """Everything the catalog is made of, whitespace and quotes apart."""
    found = catalog.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master")
    return {(kind, name, "".join(sql.replace('"', "").split())) for kind, name, sql in found}


def test_every_image_is_whole_and_every_hole_gone(library: LocalStore) -> None:
    before = answers_by_id(library)
    with library.writing():
        done = library.compact()
    assert (done.images, done.holes) == (len(KEPT), COUNT - len(KEPT))
    assert done.bytes_after < done.bytes_before
    assert done.bytes_after >= library.size_bytes()
    assert folders(library) == ["vectors-2"]
    assert library.row_count() == len(KEPT)
    check_whole(library)
    assert answers_by_id(library) == before
    again = open_local(Path(library.location))
    check_whole(again)
    again.close()


def test_the_catalog_is_made_of_what_it_was(library: LocalStore) -> None:
    with library._open.read() as connection:
        before = shape_of(connection)
        compact(library)
        assert shape_of(connection) == before
        assert connection.execute("SELECT * FROM stale_words").fetchall() == []
        ((free,),) = connection.execute("PRAGMA freelist_count").fetchall()
    assert free == 0
    assert (Path(library.location) / "catalog.sqlite-wal").stat().st_size == 0
    fill(library, {"new.jpg": example_image("new")})
    assert library.holding("new").sum() == 1


def test_codes_are_those_of_the_new_rows(library: LocalStore) -> None:
    compact(library)
    assert library.estimates(example_image("1").vector[None]).error > 0
    size = (Path(library.location) / "vectors-2" / "000000.i8").stat().st_size
    assert size == len(KEPT) // 1024 * 1024 * 8


def test_every_table_with_rows_is_numbered_anew() -> None:
    empty = sqlite3.connect(":memory:")
    for statement in TABLES:
        empty.execute(statement)
    tables = [name for (name,) in empty.execute("SELECT name FROM pragma_table_list")]
    with_rows = {
        table
        for table in tables
        if any(column[1] == "row" for column in empty.execute(f"PRAGMA table_info({table})"))
    }
    empty.close()
    assert with_rows - {"holes", "next_rows", "stale_words"} == set(NUMBERED) - {"words"}


def test_a_store_open_elsewhere_refuses_afterwards(library: LocalStore, other: LocalStore) -> None:
    image = example_image("1")
    assert other.find(image.image_id) == [1]
    compact(library)
    asks = [
        partial(other.scores, image.vector[None]), partial(other.vectors, [0]), other.alive,
        other.row_count, partial(other.within, [Scope(1)]), partial(other.records, [0]),
        partial(other.find, image.image_id), partial(other.ordered, "path"), other.text_read,
        other.measures, partial(other.holding, "read"), partial(other.measures, np.array([0])),
        partial(other.matching, Filter("path", Contains("1"))), other.next_done,
    ]
    for ask in asks:
        with pytest.raises(StoreError, match=r"or compacted .* open it again"):
            ask()
    with pytest.raises(StoreError, match="open it again"), other.writing():
        pytest.fail("nothing may be written by old rows")
    assert library.find(image.image_id) == [0]


def test_a_reader_keeps_the_state_that_it_looks_at(library: LocalStore, other: LocalStore) -> None:
    with other.reading():
        before = answers_by_id(other)
        compact(library)
        assert answers_by_id(other) == before
        assert other.row_count() == COUNT
    with pytest.raises(StoreError, match="open it again"):
        other.records([0])
    compact(library)
    check_whole(library)


def test_a_reader_whose_files_are_gone_is_told_why(library: LocalStore, other: LocalStore) -> None:
    with other.reading():
        assert other.row_count() == COUNT
        compact(library)
        with pytest.raises(StoreError, match="open it again"):
            other.vectors([1])


def test_nothing_is_compacted_inside_reading(library: LocalStore) -> None:
    with library.writing(), library.reading(), pytest.raises(StoreError, match="reading"):
        library.compact()
    assert library.row_count() == COUNT


def test_a_catalog_that_cannot_grow_stays_as_it_was(library: LocalStore) -> None:
    with library._open.read() as connection:
        ((pages,),) = connection.execute("PRAGMA page_count").fetchall()
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    with library.writing(), pytest.raises(StoreError, match=r"no room left.*free some space"):
        library.compact()
    assert library.row_count() == COUNT
    assert folders(library) == ["vectors-1"]
    check_whole(library)


LIMITED = """
import resource, sys
from pathlib import Path
from visionquery.errors import StoreError
from visionquery.store.local import open_local
store = open_local(Path(sys.argv[1]))
with store.writing():
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    try:
        store.compact()
    except StoreError as error:
        print(error)
"""


@pytest.mark.skipif(os.name == "nt", reason="there are no limits on files")
@pytest.mark.parametrize("most", [10_000, 100_000, 400_000], ids=["vectors", "catalog", "log"])
def test_files_that_cannot_grow_leave_it_as_it_was(library: LocalStore, most: int) -> None:
    library.close()
    ran = subprocess.run(
        [sys.executable, "-c", LIMITED, library.location, str(most)],
        capture_output=True, text=True, check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert library.location in ran.stdout
    again = open_local(Path(library.location))
    assert again.row_count() == COUNT
    assert folders(again) == ["vectors-1"]
    check_whole(again)
    again.close()


COMPACTER = """
import sys
from pathlib import Path
from visionquery.store.local import open_local
store = open_local(Path(sys.argv[1]))
print("go", flush=True)
with store.writing():
    store.compact()
"""


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize(
    "kills", [pytest.param(5, id="short"), pytest.param(150, id="long", marks=pytest.mark.slow)]
)
def test_a_kill_leaves_it_as_it_was_or_compacted(holed: Path, tmp_path: Path, kills: int) -> None:
    chance, seen = random.Random(4), set()
    for trial in range(kills):
        folder = shutil.copytree(holed, tmp_path / str(trial))
        compacter = subprocess.Popen(
            [sys.executable, "-c", COMPACTER, str(folder)], stdout=subprocess.PIPE, text=True
        )
        assert compacter.stdout is not None
        compacter.stdout.readline()
        time.sleep(chance.uniform(0, 0.25))
        compacter.send_signal(signal.SIGKILL)
        compacter.communicate()
        store = open_local(folder)
        assert store.row_count() in (COUNT, len(KEPT))
        seen.add(store.row_count())
        check_whole(store)
        compact(store)
        assert store.row_count() == len(KEPT)
        assert len(folders(store)) == 1
        check_whole(store)
        store.close()
        shutil.rmtree(folder)
    assert COUNT in seen, "some kill should have come before the end"
    figures.record("killed compactions", kills=kills, images=kills * len(KEPT), lost=0, doubled=0)
