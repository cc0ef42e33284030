"""Disks that are unplugged, folders that move, and what a person names inside of others."""

import shutil
from pathlib import Path

import pytest

from visionquery import Library
from visionquery.errors import InputError


@pytest.fixture
def library(tmp_path, tiny_model):
    with Library.open(tmp_path / "library", model=tiny_model, create=True) as opened:
        yield opened


@pytest.fixture
def disk(pictures: Path) -> Path:
    """Twelve pictures in `mnt/usb`, another beside it."""
    mnt = pictures.parent / "mnt"
    mnt.mkdir()
    shutil.copy(pictures / "one" / "red.png", mnt / "ONE.jpg")
    (mnt / "ONE.jpg").write_bytes((mnt / "ONE.jpg").read_bytes() + b"its own")
    return pictures.rename(mnt / "usb")


def unplug(disk: Path, *, leaving: str) -> Path:
    away = disk.rename(disk.parents[1] / "away")
    if leaving != "nothing":
        disk.mkdir()
    if leaving == "hidden":
        (disk / ".DS_Store").touch()
    return away


def locations(library: Library) -> list[str]:
    return [root.location for root in library.status().roots]


@pytest.mark.parametrize("leaving", ["nothing", "folder", "hidden"])
@pytest.mark.parametrize("named", ["file", "folder", "file first"])
def test_a_disk_below_another_root_keeps_its_images(library, disk, named, leaving):
    mnt = disk.parent
    other = mnt if named == "folder" else mnt / "ONE.jpg"
    for place in (other, disk) if named == "file first" else (disk, other):
        library.add(place)
    assert library.status().images == 13
    away = unplug(disk, leaving=leaving)
    for place in (disk, mnt):
        report = library.add(place)
        assert (report.removed, report.images) == (0, 13)
        assert any(str(disk) in note for note in report.notes)
    present = {root.location: root.present for root in library.status().roots}
    assert present == {str(mnt): True, str(disk): False}
    shutil.rmtree(disk, ignore_errors=True)
    away.rename(disk)
    report = library.add(mnt)
    assert (report.encoded, report.unchanged, report.notes) == (0, 13, ())


def test_an_ordinary_folder_that_is_deleted_is_forgotten(library, pictures):
    library.add(pictures / "one" / "red.png")
    library.add(pictures)
    assert locations(library) == [str(pictures)]
    shutil.rmtree(pictures / "one")
    assert library.add(pictures).removed == 6


def test_a_root_of_hidden_entries_only_counts_as_empty(library, pictures):
    library.add(pictures)
    shutil.rmtree(pictures / "one")
    (pictures / "two").rename(pictures / ".two")
    report = library.add(pictures)
    assert (report.removed, report.images) == (0, 12)
    assert not library.status().roots[0].present


def test_one_missing_place_stops_no_other(library, pictures):
    one, two = pictures / "one", pictures / "two"
    library.add(one)
    away = unplug(one, leaving="nothing")
    report = library.add(one, two)
    assert (report.added, report.images) == (6, 12)
    assert str(one) in report.notes[0]
    away.rename(one)
    with pytest.raises(InputError, match=r"no file or folder .*nowhere"):
        library.add(pictures / "nowhere", pictures)
    assert locations(library) == [str(one), str(two)]


def test_a_file_that_is_no_picture_changes_nothing(library, pictures):
    library.add(pictures / "one")
    notes = pictures / "notes.txt"
    notes.write_text("hello")
    for places in ([notes], [pictures, notes]):
        with pytest.raises(InputError, match=r"notes\.txt is no picture file"):
            library.add(*places)
    assert locations(library) == [str(pictures / "one")]


def test_hidden_places_that_are_named_stay(library, pictures):
    shutil.copytree(pictures / "one", pictures / ".hid")
    for path in (pictures / ".hid").iterdir():
        path.write_bytes(path.read_bytes() + b"its own")
    library.add(pictures)
    assert library.add(pictures / ".hid").added == 6
    report = library.add(pictures)
    assert (report.removed, report.images) == (0, 18)
    (pictures / ".hid" / "red.png").unlink()
    assert library.add(pictures).removed == 1


def test_a_folder_of_a_root_moves(library, pictures):
    library.add(pictures)
    new = (pictures / "one").rename(pictures.with_name("new"))
    library.move_root(pictures / "one", new)
    assert locations(library) == [str(new), str(pictures)]
    report = library.add(new, pictures)
    assert (report.encoded, report.reused, report.unchanged, report.removed) == (0, 0, 12, 0)


def test_roots_below_move_along_unless_they_stayed(library, disk):
    mnt = disk.parent
    library.add(disk)
    library.add(mnt)
    new = mnt.rename(mnt.with_name("new"))
    library.move_root(mnt, new)
    assert locations(library) == [str(new), str(new / "usb")]
    assert library.add(new).unchanged == 13
    back = mnt
    back.mkdir()
    (new / "ONE.jpg").rename(back / "ONE.jpg")
    library.move_root(new, back)
    assert locations(library) == [str(back), str(new / "usb")]
    assert library.add(back).unchanged == 1


def test_what_cannot_move_is_said(library, pictures):
    library.add(pictures)
    with pytest.raises(InputError, match=f"Indexed are: {pictures}"):
        library.move_root(pictures.parent / "nowhere", pictures)
    with pytest.raises(InputError, match="There is no folder"):
        library.move_root(pictures, pictures.parent / "nowhere")
    with pytest.raises(InputError, match="is a file"):
        library.move_root(pictures / "one" / "red.png", pictures)


def test_remove_takes_each_file_once(library, pictures):
    library.add(pictures)
    removal = library.remove(pictures / "one", pictures, pictures / "one" / "red.png", pictures)
    assert (removal.files, removal.images, library.status().images) == (12, 12, 0)


def test_remove_changes_nothing_when_one_path_is_wrong(library, pictures):
    library.add(pictures)
    with pytest.raises(InputError, match=f"Nothing of {pictures / 'three'} is in"):
        library.remove(pictures / "one", pictures / "three")
    assert library.status().images == 12


def test_remove_of_a_folder_takes_the_roots_below(library, disk):
    library.add(disk)
    library.add(disk.parent)
    assert library.remove(disk.parent).images == 13
    assert locations(library) == []


def test_a_copy_that_goes_takes_no_image(library, pictures):
    shutil.copy(pictures / "one" / "red.png", pictures / "copy.png")
    library.add(pictures)
    removal = library.remove(pictures / "copy.png")
    assert (removal.files, removal.images) == (1, 0)


def test_names_that_begin_with_a_tilde(library, pictures, monkeypatch):
    monkeypatch.chdir(pictures)
    (pictures / "one" / "red.png").rename(pictures / "~tilde.png")
    (pictures / "~").mkdir()
    (pictures / "two" / "red.jpg").rename(pictures / "~" / "x.jpg")
    assert library.add("~tilde.png", "~").added == 2
    monkeypatch.setenv("HOME", str(pictures / "two"))
    assert library.add("~/blue.jpg").added == 1
    assert {Path(hit.path).name for hit in library.similar("~tilde.png")} == {"x.jpg", "blue.jpg"}
    with pytest.raises(InputError, match=r"no file or folder .*~nouser/x"):
        library.add("~nouser/x")
    for call in (library.add, library.similar, library.remove):
        with pytest.raises(InputError, match="NUL"):
            call("a\0b.jpg")
