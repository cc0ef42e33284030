"""Libraries as older programs made them are opened, brought up to date and found whole."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tests import figures

from visionquery.errors import LibraryReadOnlyError, StoreError
from visionquery.query.ast import Contains, Filter, Near, OneOf
from visionquery.store import migration
from visionquery.store.base import MEASURES, FileRecord, Fragment, Scope
from visionquery.store.local import LocalStore, open_local
from visionquery.store.schema import SCHEMA_VERSION, TABLES
from visionquery.testing.store_examples import MODEL, example_image
from visionquery.types import ModelIdentity

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the libraries were made on Linux")

LIBRARIES = Path(__file__).parents[1] / "libraries"
VERSIONS = range(1, SCHEMA_VERSION)
NAMES = {0: "Italy/Rome_1.JPG", 1: "Italy/d\udcff \N{SNOWMAN}.png", 3: "BeachTrip.jpeg"}
COPY = "copy of Rome.jpg"
NEXT = ModelIdentity("wide", "f2", 12, "wide")
NOBODY = 65534


@pytest.fixture(params=VERSIONS)
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def older(version: int, tmp_path: Path) -> Path:
    """A library of an older version with three images, a hole, and a file without image."""
    return unpack(tmp_path / "library", version)


def unpack(folder: Path, version: int) -> Path:
    with zipfile.ZipFile(LIBRARIES / f"v{version}.zip") as archive:
        archive.extractall(folder)
    assert version_of(folder) == version
    return folder


def test_there_is_a_library_of_every_version() -> None:
    assert {path.stem for path in LIBRARIES.glob("v*.zip")} == {f"v{each}" for each in VERSIONS}


def check_whole(store: LocalStore, version: int) -> None:
    """Check that a library of an older version has everything that was put into it."""
    assert store.model == MODEL
    assert store.alive().tolist() == [True, True, False, True]
    assert store.note("colour") == "blue"
    assert set(store.files(Scope(1))) == {*NAMES.values(), COPY, "broken.jpg"}
    assert store.files(Scope(1, "broken.jpg"))["broken.jpg"].problem == "it is cut off"
    assert store.roots()[0].whole
    texts = {0: "EXIT\n now", 3: ""} if version >= 4 else {}
    for record in store.records(list(NAMES)):
        image = example_image(str(record.row))
        assert record.image_id == image.image_id
        assert np.array_equal(store.vectors([record.row])[0], image.vector)
        assert record.paths[0] == f"/pictures/{NAMES[record.row]}"
        assert (record.text, record.fragments) == (texts.get(record.row), {})
        assert record.facts.keywords == ("Café", "x")
    assert store.next_model() == (NEXT if version >= 2 else None)
    done = [row for row in (0, 3) if version >= 2]
    assert np.flatnonzero(store.next_done()).tolist() == done
    assert np.isfinite(store.measures()[:2]).all() == (version >= 4)


def test_an_older_library_is_found_whole(older: Path, version: int) -> None:
    store = open_local(older)
    check_whole(store, version)
    store.close()
    assert version_of(older) == SCHEMA_VERSION


def test_what_is_there_answers_filters_and_words(older: Path, version: int) -> None:
    store = open_local(older)
    for phrase, rows in {
        "italy rome": [0], "d \N{SNOWMAN}": [1], "beach trip": [3], "beachtrip": [3],
        "at the sea": [0, 1, 3], "cafe": [0, 1, 3], "pictures": [0, 1, 3], "broken": [],
        "copy of rome": [0], "exit now": [0] if version >= 4 else [],
    }.items():  # fmt: skip
        assert np.flatnonzero(store.holding(phrase)).tolist() == rows, phrase
    for wanted, rows in {
        Filter("path", Contains("ITALY/")): [0, 1],
        Filter("ext", OneOf(("jpg",))): [0, 3],
        Filter("camera", Contains("sony")): [0, 1, 3],
        Filter("keyword", OneOf(("CAFÉ",))): [0, 1, 3],
        Filter("near", Near(48.8, 2.3, 1)): [0, 1, 3],
        Filter("text", Contains("exit")): [0] if version >= 4 else [],
    }.items():
        assert np.flatnonzero(store.matching(wanted)).tolist() == rows, wanted
    assert store.ordered("date").tolist() == [3, 1, 0]
    probe = example_image("3").vector[None]
    assert int(store.scores(probe)[0].argmax()) == 3
    store.close()


def test_an_older_library_goes_on_like_a_new_one(older: Path) -> None:
    store = open_local(older)
    film = Fragment("t=1", example_image("new").image_id)
    with store.writing():
        store.write_texts({0: "sortie"})
        store.write_measures(0, np.ones((4, MEASURES), np.float32))
        store.forget([(1, NAMES[3])])
        assert store.prune() == 1
        file = FileRecord(1, NAMES[1], 1, 2, None, None, (film,))
        store.write([example_image("new")], [file])
        store.write_facts({example_image("0").image_id: example_image("new").facts})
        assert store.prune() == 1
        store.begin_next(NEXT)
        rows = np.flatnonzero(store.alive() & ~store.next_done()).tolist()
        store.write_next(rows, np.stack([example_image(f"{r}", embed_dim=12).vector for r in rows]))
        store.finish_next()
    store.close()
    again = open_local(older)
    assert again.model == NEXT
    assert np.flatnonzero(again.holding("sortie")).tolist() == [0]
    assert np.flatnonzero(again.holding("new")).tolist() == [0, 4]
    assert not again.holding("beach").any()
    assert again.records([4])[0].fragments == {f"/pictures/{NAMES[1]}": "t=1"}
    again.close()


def test_tables_do_not_depend_on_the_way_to_them(older: Path) -> None:
    """A library that was brought up to date has the columns, indexes and triggers of a new one."""
    store = open_local(older)
    store.close()
    new = sqlite3.connect(":memory:")
    for statement in TABLES:
        new.execute(statement)
    old = sqlite3.connect(older / "catalog.sqlite")
    assert shape_of(old) == shape_of(new)
    old.close()
    new.close()


def test_a_cut_off_upgrade_leaves_the_older_library(
    older: Path, version: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(migration.word_index, "refresh", fail)
    with pytest.raises(StoreError, match="no room left"):
        open_local(older)
    assert version_of(older) == version
    monkeypatch.undo()
    store = open_local(older)
    check_whole(store, version)
    store.close()


KILLED = """
import os, sqlite3, sys
from pathlib import Path
left = int(sys.argv[2])
def count(statement):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), 9)
connect = sqlite3.connect
def traced(*arguments, **options):
    connection = connect(*arguments, **options)
    connection.set_trace_callback(count)
    return connection
sqlite3.connect = traced
from visionquery.store.local import open_local
open_local(Path(sys.argv[1])).close()
"""


@pytest.mark.parametrize(
    "kills", [pytest.param(6, id="short"), pytest.param(80, id="long", marks=pytest.mark.slow)]
)
def test_an_upgrade_killed_at_any_statement_leaves_a_library_that_opens(
    tmp_path: Path, kills: int
) -> None:
    chance = random.Random(5)
    cut_off = 0
    for trial in range(kills):
        version = VERSIONS[trial % len(VERSIONS)]
        folder = unpack(tmp_path / str(trial), version)
        command = [sys.executable, "-c", KILLED, str(folder), str(chance.randrange(3, 40))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        cut_off += done.returncode != 0 and version_of(folder) == version
        store = open_local(folder)
        check_whole(store, version)
        store.close()
    assert cut_off > kills / 3, "most upgrades should have been cut off in the middle"
    figures.record("killed upgrades", kills=cut_off, lost=0)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to become nobody"
)
def test_an_older_library_that_may_only_be_read_says_what_to_do(version: int) -> None:
    # Not below tmp_path, which only its owner may enter.
    with tempfile.TemporaryDirectory() as name:
        folder = unpack(Path(name) / "library", version)
        for path in (Path(name), *(each for each in folder.rglob("*")), folder):
            path.chmod(0o755)
        program = (
            "import os; from pathlib import Path\n"
            "from visionquery.store.local import open_local\n"
            "import filelock\n"
            f"os.setgid({NOBODY}); os.setuid({NOBODY})\n"
            f"try: open_local(Path({str(folder)!r}))\n"
            "except Exception as error: print(type(error).__name__, error)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        check_advice(done.stdout, version)
        assert version_of(folder) == version


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="everything may be written by root"
)
def test_an_older_library_in_a_folder_not_to_be_written_to_says_what_to_do(
    older: Path, version: int
) -> None:
    older.chmod(0o555)
    with pytest.raises(LibraryReadOnlyError) as raised:
        open_local(older)
    older.chmod(0o755)
    check_advice(f"LibraryReadOnlyError {raised.value}", version)


def check_advice(told: str, version: int) -> None:
    assert told.startswith("LibraryReadOnlyError The library "), told
    assert f"has format version {version} and must be brought to version {SCHEMA_VERSION}" in told
    assert "open it once as somebody who may write to its folder, or copy it" in told


def version_of(folder: Path) -> int:
    connection = sqlite3.connect(folder / "catalog.sqlite")
    ((version,),) = connection.execute("PRAGMA user_version")
    connection.close()
    return int(version)


def shape_of(connection: sqlite3.Connection) -> set[tuple[str, str, tuple[str, ...]]]:
    """Return the kind, name and columns of everything in a catalog."""
    found = connection.execute("SELECT type, name FROM sqlite_schema").fetchall()
    return {
        (kind, name, tuple(row[1] for row in connection.execute(f"PRAGMA table_xinfo({name})")))
        for kind, name in found
    }
