"""Repairs of what only some libraries have: codes of vectors, and the form of a past version."""

import shutil
import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path

import pytest

from visionquery.doctor import Diagnosis, examine
from visionquery.store.checking import Checked, check
from visionquery.store.local import create_local
from visionquery.testing.store_examples import MODEL, example_image, fill


def quiet(*_: object) -> None:
    """Show no progress."""


def look(folder: Path) -> Checked:
    return check(folder, on_progress=quiet)


def mend(folder: Path) -> Diagnosis:
    return examine(folder, mend=True, on_progress=quiet)


def flip(path: Path, place: int, bits: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        (before,) = file.read(1)
        file.seek(place)
        file.write(bytes([before ^ bits]))


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library with as many images as have codes."""
    folder = tmp_path_factory.mktemp("large") / "library"
    with closing(create_local(folder, MODEL)) as store:
        fill(store, {f"{number}.jpg": example_image(str(number)) for number in range(1100)})
    return folder


@pytest.mark.parametrize(("ending", "place"), [("i8", 100), ("scale", 403), ("rotation", 103)])
def test_damaged_codes_are_made_anew(large: Path, tmp_path: Path, ending: str, place: int) -> None:
    assert look(large).is_whole, look(large)
    library = shutil.copytree(large, tmp_path / "library")
    flip(library / "vectors-1" / f"000000.{ending}", place, 0x40)
    assert [fault.part for fault in look(library).faults] == ["codes"]
    assert mend(library).is_whole
    assert look(library).coded == 1024
    (library / "vectors-1" / f"000000.{ending}").unlink()
    assert [fault.part for fault in look(library).faults] == ["codes"]
    assert mend(library).is_whole


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_older_libraries_are_repaired_too(tmp_path: Path, version: int) -> None:
    archive = Path(__file__).parents[1] / "libraries" / f"v{version}.zip"
    with zipfile.ZipFile(archive) as files:
        files.extractall(tmp_path / "whole")
    (catalog,) = (tmp_path / "whole").rglob("catalog.sqlite")
    whole, broken = catalog.parent, tmp_path / "broken"
    shutil.copytree(whole, broken)
    found = look(whole)
    assert found.is_whole
    assert not found.is_proved
    assert mend(whole).is_whole
    assert look(whole).is_proved
    with closing(sqlite3.connect(broken / "catalog.sqlite")) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_schema SET rootpage = 3 WHERE name = 'files_by_row'")
        connection.commit()
    repaired = mend(broken)
    assert repaired.is_whole, repaired.after
    assert repaired.repaired is not None
    assert repaired.repaired.lost == ()
    assert look(broken).images == look(whole).images > 0
