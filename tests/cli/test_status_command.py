"""`visionquery status`: what is new, changed, missing, broken and away, and what to do."""

import os
import shutil
from pathlib import Path

import pytest


@pytest.fixture
def lived(vq, pictures) -> Path:
    """An indexed folder with a broken file, and since then one new file, one changed, one gone."""
    (pictures / "broken.png").write_bytes(b"no picture")
    vq("index", pictures)
    (pictures / "one" / "red.png").rename(pictures / "one" / "rot.png")
    os.utime(pictures / "two" / "blue.jpg", ns=(5, 5))
    return pictures


def changes(ran) -> list[tuple[int, ...]]:
    return [
        (each["new"], each["changed"], each["missing"], len(each["broken"]))
        for each in (root["changes"] for root in ran.document["roots"])
    ]


def test_changes_are_counted_without_reading(vq, lived):
    for path in lived.rglob("*.jpg"):
        path.chmod(0)
    assert changes(vq("status", "--json")) == [(1, 1, 1, 1)]
    assert vq("status").out.splitlines()[2] == f"{lived}\t12\t1\tyes\t1\t1\t1\t1"


def test_without_a_scan_it_tells_what_is_known(vq, lived):
    (root,) = vq("status", "--json", "--no-scan").document["roots"]
    assert (root["changes"], root["files"], root["skipped"]) == (None, 12, 1)
    ran = vq("status", "--no-scan")
    assert ran.out.splitlines()[2] == f"{lived}\t12\t1\tyes"
    assert ran.err == ""


def test_it_ends_with_the_next_step(vq, lived):
    library = lived.parent / "its library"
    vq("index", lived, "--library", library)
    (lived / "one" / "rot.png").unlink()
    err = vq("status", "--library", library).err
    step = f"To bring it up to date: visionquery index --library '{library}' {lived}"
    assert err.splitlines() == ["What cannot be used, and why: visionquery status --broken", step]
    assert vq("status", "-q").err == ""
    vq("index", lived)
    assert "To bring it" not in vq("status").err
    assert changes(vq("status", "--json")) == [(0, 0, 0, 1)]


def test_the_step_names_the_home_folder_as_a_person_does(vq, lived, monkeypatch):
    monkeypatch.setenv("HOME", str(lived.parent))
    assert vq("status").err.splitlines()[-1].endswith(f" ~/{lived.name}")


def test_broken_files_are_named_with_their_reasons(vq, lived):
    last = vq("status", "--broken").out.splitlines()[-1]
    assert last.startswith(f"{lived / 'broken.png'}: not a picture")


def test_a_folder_that_is_away_is_no_change(vq, lived):
    lived.rename(lived.with_name("unplugged"))
    (root,) = vq("status", "--json").document["roots"]
    assert (root["present"], root["changes"], root["files"]) == (False, None, 12)
    ran = vq("status")
    assert "no (its images are kept)" in ran.out
    assert ran.err == ""


def test_files_named_one_by_one_are_looked_at_alone(vq, pictures):
    vq("index", pictures / "one" / "red.png", pictures / "one" / "blue.png")
    shutil.copy(pictures / "two" / "red.jpg", pictures / "one" / "red.png")
    ran = vq("status", "--json")
    assert changes(ran) == [(0, 1, 0, 0)]
    assert not ran.document["roots"][0]["whole"]
    assert "index" not in vq("status").err, "to index the folder would bring all the others too"


def test_a_person_sees_long_places_whole(vq, lived, on_a_terminal):
    deep = lived / "a long name of a folder" / "and another one that makes it too wide for a line"
    shutil.copytree(lived / "one", deep)
    for command, place in (("remove", lived), ("index", deep), ("index", lived)):
        assert vq(command, place).code == 0
    (deep / "rot.png").unlink()
    on_a_terminal(80)
    lines = vq("status").out.splitlines()
    place = lines.index(str(deep))
    assert lines[place + 1] == "  6 pictures, 1 missing"
    assert lines[lines.index(str(lived)) + 1] == "  12 pictures, 1 broken"
