"""What is new, changed, broken and gone, by names, sizes and times alone."""

import os
import shutil
from pathlib import Path

import pytest

from visionquery.images.scan import FoundFile, Unreachable
from visionquery.indexing.survey import compare, survey
from visionquery.store.base import FileRecord, Scope
from visionquery.store.memory import MemoryStore
from visionquery.types import ModelIdentity

MODEL = ModelIdentity("tiny", "f" * 32, 4, "tiny")
ROOT = Path("/pictures")


def record(path: str, *, size: int = 1, problem: str | None = None) -> FileRecord:
    return FileRecord(1, path, size, 5, None if problem else "a" * 32, problem)


def file(path: str, *, size: int = 1, mtime_ns: int = 5) -> FoundFile:
    return FoundFile(str(ROOT / path), path, size, mtime_ns)


def test_files_are_told_apart() -> None:
    records = (
        record("same.jpg"), record("larger.jpg"), record("later.jpg"), record("gone.jpg"),
        record("bad.jpg", problem="no picture"), record("mended.jpg", problem="no picture"),
    )
    known = {each.path: each for each in records}
    found = [
        file("bad.jpg"), file("larger.jpg", size=2), file("later.jpg", mtime_ns=6),
        file("mended.jpg", size=7), file("new.jpg"), file("same.jpg"),
    ]
    result = compare(known, found)
    assert [each.relative for each in result.new] == ["new.jpg"]
    changed = ["larger.jpg", "later.jpg", "mended.jpg"]
    assert [each.relative for each in result.changed] == changed
    assert [each.relative for each in result.to_read] == [*changed, "new.jpg"]
    assert result.unchanged == 1
    assert [(each.path, each.reason) for each in result.broken] == [
        ("/pictures/bad.jpg", "no picture")
    ]
    assert result.gone == ("gone.jpg",)
    again = compare(known, found, try_again=True)
    assert [each.relative for each in again.changed] == ["bad.jpg", *changed]
    assert again.broken == ()


def test_what_cannot_be_looked_at_is_not_gone() -> None:
    known = {path: record(path) for path in ("a/1.jpg", "ab/2.jpg", "c.jpg")}
    found = [
        Unreachable(str(ROOT / "a"), "a", "permission denied"),
        Unreachable(str(ROOT / "c.jpg"), "c.jpg", "input/output error"),
    ]
    result = compare(known, found)
    assert result.gone == ("ab/2.jpg",)
    assert [each.path for each in result.unreachable] == ["/pictures/a", "/pictures/c.jpg"]


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    """A store that knows two files of one root, without their images."""
    store = MemoryStore(MODEL)
    with store.writing():
        root = store.add_root(str(tmp_path / "root"))
        for name in ("one.jpg", "in/two.jpg"):
            path = tmp_path / "root" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
            mtime_ns = path.stat().st_mtime_ns
            store.write([], [FileRecord(root.root_id, name, 1, mtime_ns, None, "bad")])
    return store


def test_a_root_that_is_away_loses_nothing(store: MemoryStore, tmp_path: Path) -> None:
    (root,) = store.roots()
    whole = Scope(root.root_id)
    assert len(survey(store, root, whole).broken) == 2
    shutil.rmtree(tmp_path / "root")
    assert (survey(store, root, whole).away, survey(store, root, whole).gone) == ("missing", ())
    (tmp_path / "root").mkdir()
    assert (survey(store, root, whole).away, survey(store, root, whole).gone) == ("empty", ())
    (tmp_path / "root" / "notes.txt").touch()
    assert set(survey(store, root, whole).gone) == {"one.jpg", "in/two.jpg"}


def test_a_root_for_single_files_is_not_searched(tmp_path: Path) -> None:
    store = MemoryStore(MODEL)
    for name in ("named.jpg", "beside.jpg"):
        (tmp_path / name).write_bytes(b"x")
    with store.writing():
        root = store.add_root(str(tmp_path), whole=False)
        store.write([], [FileRecord(root.root_id, "named.jpg", 1, 5, None, "bad")])
        store.write([], [FileRecord(root.root_id, "went.jpg", 1, 5, None, "bad")])
    result = survey(store, root, Scope(root.root_id))
    assert (result.new, [each.relative for each in result.changed]) == ((), ["named.jpg"])
    assert result.gone == ("went.jpg",)
    os.utime(tmp_path / "named.jpg", ns=(5, 5))
    assert len(survey(store, root, Scope(root.root_id)).broken) == 1
