"""`visionquery doctor` and `visionquery backup`: what a person is told, and what is there after."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest


@pytest.fixture
def indexed(vq, own_settings: Path, pictures: Path) -> Path:
    assert vq("index", pictures, "--quiet").code == 0
    return own_settings


def damage_first_vector(library: Path) -> None:
    with (library / "vectors-1" / "000000.f32").open("r+b") as file:
        file.seek(2)
        file.write(b"\x55")


def first_path(library: Path, pictures: Path) -> str:
    with closing(sqlite3.connect(library / "catalog.sqlite")) as connection:
        ((path,),) = connection.execute("SELECT path FROM files WHERE row = 0")
    return str(pictures / os.fsdecode(path))


def results(vq) -> list[tuple[str, float]]:
    found = vq("search", "red", "--all", "--json").document["results"]
    return [(hit["path"], hit["score"], hit["confidence"]) for hit in found]


def test_a_whole_library_gets_a_short_answer(vq, indexed):
    ran = vq("doctor", "--quiet")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        str(indexed), "looked at 12 images (facts and vectors), 12 files", "Nothing is wrong.",
    ]  # fmt: skip


def test_a_damaged_vector_is_named_and_read_again(vq, indexed, pictures):
    before, path = results(vq), first_path(indexed, pictures)
    damage_first_vector(indexed)
    ran = vq("doctor", "--quiet")
    assert ran.code == 4
    assert f"damaged: {path}: its vector is damaged" in ran.out
    assert ran.out.endswith("To bring it in order: visionquery doctor --repair\n")
    ran = vq("doctor", "--repair", "--quiet")
    assert ran.code == 0, ran.out
    assert "Repaired. Lost: 1 image, known from 1 file." in ran.out
    assert f"visionquery index {pictures}\n" in ran.out
    assert vq("doctor").code == 0
    report = vq("index", pictures, "--json").document
    assert (report["added"], report["images"]) == (1, 12)
    assert sorted(results(vq)) == sorted(before)


def test_a_catalog_that_cannot_be_read_is_salvaged(vq, indexed, pictures):
    before = results(vq)
    with closing(sqlite3.connect(indexed / "catalog.sqlite")) as connection:
        page = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'words_data'")
        ((number,),) = page.fetchall()
    with (indexed / "catalog.sqlite").open("r+b") as file:
        file.seek((number - 1) * 4096)
        file.write(b"\xff" * 4096)
    ran = vq("search", "red")
    assert ran.code in (0, 4)
    ran = vq("doctor", "--json")
    assert (ran.code, ran.document["whole"]) == (4, False)
    assert "catalog" in ran.document["unreadable"]
    ran = vq("doctor", "--repair", "--json")
    repair = ran.document["repair"]
    assert (ran.code, ran.document["whole"]) == (0, True)
    assert (repair["lost"], repair["lost_without_name"], repair["images"]) == ([], 0, 12)
    assert Path(repair["damaged_catalog"]).name.startswith("catalog.damaged-")
    assert ran.document["roots"] == [str(pictures)]
    assert vq("index", pictures, "--json").document["added"] == 0
    assert sorted(results(vq)) == sorted(before)


def test_a_library_that_does_not_open_is_looked_at(vq, indexed, pictures):
    (indexed / "vectors-1" / "000000.f32").unlink()
    assert vq("status").code == 4
    ran = vq("doctor", "--json", "--quiet")
    assert ran.code == 4
    assert len(ran.document["damaged"]) == 12
    assert ran.document["damaged"][0]["why"] == "its vector is missing"
    shown = vq("doctor", "--quiet").out
    assert shown.count("its vector is missing") == 10
    assert "and 2 more; visionquery doctor --json lists them all" in shown
    assert vq("doctor", "--repair").code == 0
    assert vq("index", pictures, "--json").document["added"] == 12


def test_pictures_are_compared_with_what_was_indexed(vq, indexed, pictures):
    whole = vq("doctor", "--files", "--json").document["pictures"]
    assert whole == {"same": 12, "changed": [], "different": [], "away": 0}
    rotten, changed = pictures / "one" / "red.png", pictures / "two" / "blue.jpg"
    data, status = bytearray(rotten.read_bytes()), rotten.stat()
    data[-20] ^= 1
    rotten.write_bytes(data)
    os.utime(rotten, ns=(status.st_atime_ns, status.st_mtime_ns))
    changed.write_bytes(changed.read_bytes() + b"\0")
    (pictures / "one" / "green.png").unlink()
    assert vq("doctor").code == 0, "the library itself is whole"
    ran = vq("doctor", "--files", "--json")
    assert ran.code == 4
    assert ran.document["pictures"] == {
        "same": 9, "changed": [str(changed)], "different": [str(rotten)], "away": 1,
    }  # fmt: skip
    assert f"wrong: {rotten} has another content" in vq("doctor", "--files").out
    assert vq("index", pictures, "--json").document["unchanged"] == 10
    assert vq("doctor", "--files", "--repair").code == 0
    report = vq("index", pictures, "--json").document
    assert report["unchanged"] == 10, "the file is read again, not taken for what it was"


def test_a_file_that_was_indexed_by_itself_is_named_to_be_read_again(vq, own_settings, pictures):
    alone = pictures / "one" / "red.png"
    assert vq("index", alone).code == 0
    damage_first_vector(own_settings)
    ran = vq("doctor", "--repair")
    assert ran.out.endswith(f"Then bring it up to date: visionquery index {alone}\n")


def test_the_command_to_go_on_with_names_the_library(vq, indexed):
    damage_first_vector(indexed)
    ran = vq("doctor", "--library", indexed)
    assert ran.out.endswith(f"--repair --library {indexed}\n")


def test_where_there_is_no_library_nothing_is_made(vq, own_settings):
    for option in ([], ["--repair"], ["--files"]):
        ran = vq("doctor", *option)
        assert (ran.code, ran.out) == (4, "")
        assert "There is no library" in ran.err
    assert not own_settings.exists()


def test_a_backup_answers_as_the_library(vq, indexed, tmp_path):
    before = results(vq)
    ran = vq("backup", tmp_path / "copy")
    assert ran.code == 0
    assert f"The copy in {tmp_path / 'copy'} was made, checked, and holds 12 images" in ran.err
    again = vq("backup", tmp_path / "copy", "--json").document
    assert (again["images"], again["update"]) == (12, True)
    assert vq("doctor", "--library", tmp_path / "copy").code == 0
    found = vq("search", "red", "--all", "--json", "--library", tmp_path / "copy").document
    assert [(h["path"], h["score"], h["confidence"]) for h in found["results"]] == before


def test_a_backup_over_something_else_is_refused(vq, indexed, pictures):
    ran = vq("backup", pictures)
    assert (ran.code, ran.out) == (4, "")
    assert "holds something else" in ran.err
