"""Libraries as older programs made them are opened, brought up to date and found whole."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

from visionquery.errors import StoreError
from visionquery.query.ast import Contains, Filter, Near, OneOf
from visionquery.store import migration
from visionquery.store.base import MEASURES, Scope
from visionquery.store.local import open_local
from visionquery.store.schema import SCHEMA_VERSION, TABLES
from visionquery.testing.store_examples import HOME, MODEL, example_image

# What version 1 was made of, and what each later one added; these never change.
VERSION_1 = """
CREATE TABLE library (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    model_name TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    embed_dim INTEGER NOT NULL,
    model_source TEXT NOT NULL,
    generation INTEGER NOT NULL,
    rows INTEGER NOT NULL);
CREATE TABLE roots (
    root_id INTEGER PRIMARY KEY AUTOINCREMENT,
    location BLOB NOT NULL UNIQUE);
CREATE TABLE images (
    row INTEGER PRIMARY KEY,
    image_id BLOB NOT NULL UNIQUE,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    format TEXT NOT NULL,
    size_bytes INTEGER NOT NULL,
    camera TEXT,
    taken_at TEXT,
    latitude REAL,
    longitude REAL,
    caption TEXT,
    keywords TEXT NOT NULL);
CREATE INDEX images_by_date ON images (taken_at);
CREATE TABLE files (
    root_id INTEGER NOT NULL,
    path BLOB NOT NULL,
    size_bytes INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    row INTEGER,
    problem TEXT,
    PRIMARY KEY (root_id, path)) WITHOUT ROWID;
CREATE INDEX files_by_row ON files (row);
CREATE TABLE holes (row INTEGER PRIMARY KEY);
CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
PRAGMA application_id = 0x56514C42;
PRAGMA user_version = 1;
"""
VERSION_2 = """
CREATE TABLE next_model (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    model_name TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    embed_dim INTEGER NOT NULL,
    model_source TEXT NOT NULL,
    generation INTEGER NOT NULL);
CREATE TABLE next_rows (row INTEGER PRIMARY KEY);
PRAGMA user_version = 2;
"""
VERSION_3 = """
ALTER TABLE roots ADD COLUMN whole INTEGER NOT NULL DEFAULT 1;
PRAGMA user_version = 3;
"""
OLDER = {1: VERSION_1, 2: VERSION_1 + VERSION_2, 3: VERSION_1 + VERSION_2 + VERSION_3}
NAMES = ["Italy/Rome_1.JPG", "Italy/d\udcff \N{SNOWMAN}.png", "BeachTrip.jpeg"]
NOBODY = 65534


@pytest.fixture(params=sorted(OLDER))
def older(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A library of an older version with three images, a hole, and a file without image."""
    return make_older(tmp_path / "library", request.param)


def make_older(folder: Path, version: int) -> Path:
    (folder / "vectors-1").mkdir(parents=True)
    connection = sqlite3.connect(folder / "catalog.sqlite")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(OLDER[version])
    connection.execute("INSERT INTO library VALUES (1, 'tiny', 'f1', 8, 'tiny', 1, 4)")
    connection.execute("INSERT INTO roots (location) VALUES (?)", (os.fsencode(HOME),))
    for row, name in enumerate(NAMES):
        image_id = bytes.fromhex(example_image(str(row)).image_id)
        facts = (640, 480, "JPEG", 1000, "SONY A7", None, 48.8, 2.3, "At the sea", '["Café", "x"]')
        connection.execute(
            f"INSERT INTO images VALUES ({','.join('?' * 12)})", (row, image_id, *facts)
        )
        file = (1, os.fsencode(name), 1, 2, row, None)
        connection.execute("INSERT INTO files VALUES (?, ?, ?, ?, ?, ?)", file)
    connection.execute("INSERT INTO files VALUES (1, ?, 1, 2, NULL, 'cut off')", (b"broken.jpg",))
    connection.execute("INSERT INTO holes VALUES (3)")
    connection.execute("INSERT INTO notes VALUES ('colour', 'blue')")
    connection.commit()
    connection.close()
    vectors = np.stack([example_image(str(row)).vector for row in range(4)])
    (folder / "vectors-1" / "000000.f32").write_bytes(vectors.astype("<f4").tobytes())
    return folder


def test_an_older_library_is_found_whole(older: Path) -> None:
    store = open_local(older)
    assert store.model == MODEL
    assert store.alive().tolist() == [True, True, True, False]
    assert store.note("colour") == "blue"
    assert set(store.files(Scope(1))) == {*NAMES, "broken.jpg"}
    assert np.array_equal(store.vectors([2])[0], example_image("2").vector)
    assert store.roots()[0].whole
    assert store.next_model() is None
    for record, name in zip(store.records(range(3)), NAMES, strict=True):
        assert (record.paths, record.text) == ((str(Path(HOME, name)),), None)
    store.close()
    assert version_of(older) == SCHEMA_VERSION


def test_what_is_there_answers_filters_and_words(older: Path) -> None:
    store = open_local(older)
    for phrase, rows in {
        "italy rome": [0], "d \N{SNOWMAN}": [1], "beach trip": [2], "beachtrip": [2],
        "at the sea": [0, 1, 2], "cafe": [0, 1, 2], "pictures": [0, 1, 2], "broken": [],
    }.items():  # fmt: skip
        assert np.flatnonzero(store.holding(phrase)).tolist() == rows, phrase
    for wanted, rows in {
        Filter("path", Contains("ITALY/")): [0, 1],
        Filter("ext", OneOf(("jpg",))): [0, 2],
        Filter("camera", Contains("sony")): [0, 1, 2],
        Filter("keyword", OneOf(("CAFÉ",))): [0, 1, 2],
        Filter("near", Near(48.8, 2.3, 1)): [0, 1, 2],
        Filter("text", Contains("")): [],
    }.items():
        assert np.flatnonzero(store.matching(wanted)).tolist() == rows, wanted
    assert np.isnan(store.measures()).all()
    store.close()


def test_an_older_library_goes_on_like_a_new_one(older: Path) -> None:
    store = open_local(older)
    with store.writing():
        store.write_texts({0: "exit"})
        store.write_measures(0, np.ones((4, MEASURES), np.float32))
        store.forget([(1, NAMES[2])])
        assert store.prune() == 1
    store.close()
    again = open_local(older)
    assert again.holding("exit").tolist() == [True, False, False, False]
    assert not again.holding("beach").any()
    assert (again.measures() == 1).all()
    again.close()


def test_tables_do_not_depend_on_the_way_to_them(older: Path) -> None:
    """A library that was brought up to date has the columns and indexes of a new one."""
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
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_older(tmp_path / "library", 3)

    def fail(connection: sqlite3.Connection) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(migration.word_index, "refresh", fail)
    with pytest.raises(StoreError, match="no room left"):
        open_local(folder)
    assert version_of(folder) == 3
    monkeypatch.undo()
    store = open_local(folder)
    assert store.holding("rome").sum() == 1
    store.close()


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to become nobody"
)
def test_an_older_library_that_may_only_be_read_is_refused() -> None:
    # Not below tmp_path, which only its owner may enter.
    with tempfile.TemporaryDirectory() as name:
        folder = make_older(Path(name) / "library", 3)
        for path in (Path(name), folder, folder / "vectors-1"):
            path.chmod(0o755)
        program = (
            "import os; from pathlib import Path\n"
            "from visionquery.store.local import open_local\n"
            "import filelock\n"
            f"os.setgid({NOBODY}); os.setuid({NOBODY})\n"
            f"try: open_local(Path({str(folder)!r}))\n"
            "except Exception as error: print(type(error).__name__)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
        assert done.stdout == "LibraryReadOnlyError\n", done.stderr
        assert version_of(folder) == 3


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
