"""Opening, making and sharing the folder of a library."""

import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from visionquery.errors import (
    LibraryBusyError,
    LibraryNotFoundError,
    SchemaTooNewError,
    StoreError,
)
from visionquery.store.base import Scope
from visionquery.store.faults import translated
from visionquery.store.local import LocalStore, create_local, open_local
from visionquery.store.migration import Step, upgrade
from visionquery.store.schema import SCHEMA_VERSION
from visionquery.testing.store_examples import MODEL, example_image, fill
from visionquery.types import ModelIdentity

NOBODY = 65534


@pytest.fixture
def library(tmp_path: Path) -> Iterator[LocalStore]:
    store = create_local(tmp_path / "library", MODEL)
    fill(store, {f"{index}.jpg": example_image(str(index)) for index in range(3)})
    yield store
    store.close()


def test_reopened_library_has_everything(library: LocalStore) -> None:
    with library.writing():
        library.set_note("colour", "blue")
    library.close()
    again = open_local(Path(library.location))
    assert again.model == MODEL
    assert again.image_count() == 3
    assert again.note("colour") == "blue"
    (row,) = again.find(example_image("1").image_id)
    assert np.array_equal(again.vectors([row])[0], example_image("1").vector)
    again.close()


def test_closed_library_leaves_no_log_and_no_lock_owner(library: LocalStore) -> None:
    library.close()
    names = {path.name for path in Path(library.location).iterdir()}
    assert names == {"catalog.sqlite", "vectors-1", "writer.lock"}


def test_missing_library_is_not_found(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(LibraryNotFoundError, match="no library"):
            open_local(folder)
    assert list(tmp_path.iterdir()) == []


def test_file_is_not_a_library(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    with pytest.raises(StoreError, match="is a file, not a library"):
        open_local(text)
    with pytest.raises(StoreError, match="is a file, not a library"):
        create_local(text, MODEL)


@pytest.mark.parametrize("content", [b"", b"hello" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_foreign_catalog_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "catalog.sqlite").write_bytes(content)
    with pytest.raises(StoreError, match=r"not a VisionQuery library|damaged"):
        open_local(tmp_path)


def test_catalog_of_another_program_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "catalog.sqlite")
    connection.execute("CREATE TABLE library (anything)")
    connection.close()
    with pytest.raises(StoreError, match="another program"):
        open_local(tmp_path)


def test_newer_library_is_refused_naming_both_versions(library: LocalStore) -> None:
    _set_version(library, 7)
    with pytest.raises(SchemaTooNewError, match=f"version 7, .* up to {SCHEMA_VERSION}") as caught:
        open_local(Path(library.location))
    assert (caught.value.found, caught.value.supported) == (7, SCHEMA_VERSION)


def test_version_without_a_way_forward_is_refused(library: LocalStore) -> None:
    _set_version(library, 0)
    with pytest.raises(StoreError, match="format version 0"):
        open_local(Path(library.location))


def test_upgrade_takes_all_steps_or_none() -> None:
    def insert(changed: sqlite3.Connection) -> None:
        changed.execute("INSERT INTO b VALUES (5)")

    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("PRAGMA user_version = 1")
    steps: dict[int, tuple[Step, ...]] = {
        1: ("CREATE TABLE a (x)",),
        2: ("CREATE TABLE b (x)", insert),
    }
    with pytest.raises(StoreError, match="version 3"):
        upgrade(connection, "here", steps=steps, target=4)
    assert connection.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (0,)
    upgrade(connection, "here", steps=steps, target=3)
    assert connection.execute("SELECT x FROM b").fetchall() == [(5,)]
    assert connection.execute("PRAGMA user_version").fetchone() == (3,)
    connection.close()


def test_short_segment_is_damage(library: LocalStore) -> None:
    library.close()
    segment = Path(library.location, "vectors-1", "000000.f32")
    with segment.open("r+b") as file:
        file.truncate(segment.stat().st_size - 1)
    with pytest.raises(StoreError, match=r"damaged: 000000.f32 has 95 of 96 bytes.*copy"):
        open_local(Path(library.location))
    segment.unlink()
    with pytest.raises(StoreError, match="0 of 96 bytes"):
        open_local(Path(library.location))


def test_create_refuses_what_is_there(library: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"a library in .* already"):
        create_local(Path(library.location), MODEL)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    (pictures / "a.jpg").write_bytes(b"")
    with pytest.raises(StoreError, match=r"something else \('a.jpg'\)"):
        create_local(pictures, MODEL)
    assert [path.name for path in pictures.iterdir()] == ["a.jpg"]


def test_create_goes_on_where_one_was_cut_off(tmp_path: Path) -> None:
    for name in (
        "unfinished.sqlite", "unfinished.sqlite-wal", "writer.lock", "writer.pid", "writer.json",
    ):  # fmt: skip
        (tmp_path / name).write_bytes(b"torn")
    (tmp_path / "vectors-1").mkdir()
    store = create_local(tmp_path, MODEL)
    assert store.image_count() == 0
    store.close()


def test_second_writer_is_told_who_is_first(library: LocalStore) -> None:
    other = open_local(Path(library.location))
    with (
        library.writing(),
        pytest.raises(LibraryBusyError, match=rf"Process {os.getpid()} has been writing.*wait"),
        other.writing(),
    ):
        pass
    with other.writing():
        other.set_note("a", "b")
    assert library.note("a") == "b"
    other.close()


def test_readers_see_what_is_committed(library: LocalStore) -> None:
    seen: list[int] = []
    reader = open_local(Path(library.location))

    def read() -> None:
        with reader.reading():
            seen.append(reader.row_count())
            fill(library, {"new.jpg": example_image("new")})
            seen.extend([len(reader.alive()), reader.scores(np.zeros((1, 8), "f4")).shape[1]])
        seen.append(reader.row_count())

    thread = threading.Thread(target=read)
    thread.start()
    thread.join()
    assert seen == [3, 3, 3, 4]
    reader.close()


def test_threads_read_while_one_writes(library: LocalStore) -> None:
    failures: list[BaseException] = []
    stop = threading.Event()

    def read() -> None:
        try:
            while not stop.is_set():
                with library.reading():
                    rows = library.row_count()
                    assert library.scores(np.ones((1, 8), "f4")).shape == (1, rows)
                    assert len(library.records(range(rows))) == rows
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for index in range(30):
        fill(library, {f"more-{index}.jpg": example_image(f"more {index}")})
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert library.row_count() == 33


def test_nothing_is_written_inside_reading(library: LocalStore) -> None:
    with (
        library.writing(),
        library.reading(),
        pytest.raises(StoreError, match=r"inside `with store.reading\(\)"),
    ):
        library.set_note("a", "b")


def test_error_of_the_caller_passes_unchanged(library: LocalStore) -> None:
    with pytest.raises(FileNotFoundError), library.writing():
        Path("/nowhere/at all").read_bytes()
    with library.writing():
        library.set_note("still", "free")


def test_full_disk_is_said_and_keeps_what_is_stored(library: LocalStore) -> None:
    with library._open.read() as connection:
        ((pages,),) = connection.execute("PRAGMA page_count").fetchall()
        connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    with library.writing(), pytest.raises(StoreError, match=r"no room left.*free some space"):
        library.set_note("long", "x" * 1_000_000)
    assert library.image_count() == 3


def test_sqlite_without_full_text_search_is_said() -> None:
    with (
        pytest.raises(StoreError, match=r"SQLite of this Python lacks.*has FTS5"),
        translated("here"),
    ):
        sqlite3.connect(":memory:").execute("CREATE VIRTUAL TABLE words USING fts99 (text)")


def test_broken_catalog_page_is_damage(library: LocalStore) -> None:
    library.close()
    catalog = Path(library.location, "catalog.sqlite")
    content = bytearray(catalog.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    catalog.write_bytes(content)
    with pytest.raises(StoreError, match=r"damaged.*visionquery doctor --library \S+, or restore"):
        open_local(Path(library.location))


def test_rows_go_on_into_a_second_segment(tmp_path: Path) -> None:
    store = create_local(tmp_path / "library", ModelIdentity("m", "f", 2, "m"))
    count = 65_536 + 100
    image = example_image("any", embed_dim=2)
    angles = np.arange(count, dtype=np.float32)
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    new = [type(image)(f"{row:08x}", vector, image.facts) for row, vector in enumerate(vectors)]
    with store.writing():
        store.write(new[:65_530], [])
        store.write(new[65_530:], [])
    names = sorted(path.name for path in Path(store.location, "vectors-1").glob("*.f32"))
    assert names == ["000000.f32", "000001.f32"]
    np.testing.assert_allclose(store.scores(vectors[:1])[0], vectors @ vectors[0], atol=1e-6)
    asked = [count - 1, 3, 65_536, 65_535, 3]
    assert np.array_equal(store.vectors(asked), vectors[asked])
    store.close()


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to become nobody"
)
def test_library_that_may_only_be_read_is_searched() -> None:
    # Not below tmp_path, which only its owner may enter.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "library"
        store = create_local(folder, MODEL)
        fill(store, {"a.jpg": example_image("one")})
        store.close()
        for path in (Path(name), folder, folder / "vectors-1"):
            path.chmod(0o755)
        answer = _as_nobody(folder)
    assert answer == ["1", "LibraryReadOnlyError", "may not be opened or changed"]


def _as_nobody(folder: Path) -> list[str]:
    program = f"""
import os
import numpy as np
from pathlib import Path
from visionquery.errors import StoreError
from visionquery.store.local import open_local
import filelock
os.setgid({NOBODY}); os.setuid({NOBODY})
store = open_local(Path({str(folder)!r}))
assert store.alive().all() and store.scores(np.ones((1, 8), "f4")).shape == (1, 1)
assert store.records([0])[0].paths
try:
    store.writing().__enter__()
except StoreError as error:
    text, kind = str(error), type(error).__name__
print(store.image_count(), kind, text[text.index("may not"):text.index(" (")], sep="|")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip().split("|")


def test_import_is_light() -> None:
    program = (
        "import sys, visionquery.store.local\n"
        "heavy = {'filelock', 'PIL', 'onnxruntime', 'huggingface_hub', 'asyncio'}\n"
        "assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_scope_of_an_unknown_root_is_empty(library: LocalStore) -> None:
    assert library.files(Scope(99)) == {}
    assert not library.within([Scope(99, "a")]).any()


def _set_version(library: LocalStore, version: int) -> None:
    library.close()
    connection = sqlite3.connect(Path(library.location, "catalog.sqlite"))
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
