"""Names as they come: from another system, too deep, too long, and made to mislead."""

import os
import shutil
import sys
import unicodedata
from pathlib import Path

import pytest

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs names of any bytes")
STRANGE = [
    b"new\nline.png", b"right\xe2\x80\xaeto left.png", b"caf\xe9.png", b"\x1b[31mred.png",
    "ä".encode() * 125 + b".png", b" .png", b"tab\t.png",
]  # fmt: skip


@linux
def test_a_library_from_a_mac_encodes_nothing_again(vq, pictures):
    """A Mac keeps names decomposed, a copy on another system has them composed."""
    before = pictures / unicodedata.normalize("NFD", "Été à Malmö")
    after = pictures / unicodedata.normalize("NFC", "Été à Malmö")
    (pictures / "one").rename(before)
    picture = unicodedata.normalize("NFD", "Zoë.png")
    (before / "red.png").rename(before / picture)
    assert vq("index", pictures, "--json").document["added"] == 12
    before.rename(after)
    (after / picture).rename(after / unicodedata.normalize("NFC", picture))
    report = vq("index", pictures, "--json").document
    assert (report["added"], report["reused"], report["removed"]) == (0, 6, 0)
    found = vq("search", "path:zoë", "--json", "--no-index").document["results"]
    assert [hit["path"] for hit in found] == [str(after / unicodedata.normalize("NFC", picture))]


@linux
def test_a_moved_library_from_a_mac_encodes_nothing_again(vq, pictures):
    old = pictures.with_name(unicodedata.normalize("NFD", "Fotos é"))
    pictures.rename(old)
    vq("index", old)
    new = old.rename(old.with_name(unicodedata.normalize("NFC", "Fotos é")))
    report = vq("index", new, "--moved-from", old, "--json").document
    assert (report["added"], report["reused"], report["unchanged"]) == (0, 0, 12)


@pytest.fixture
def deep(pictures: Path):
    """A tree that goes deeper than a path may be long, with a picture at its end."""
    name = "a" * 200
    data = (pictures / "one" / "red.png").read_bytes() + b"deep"
    folder = os.open(pictures, os.O_RDONLY)
    for _ in range(25):
        os.mkdir(name, dir_fd=folder)
        below = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    with open(os.open("deep.png", os.O_WRONLY | os.O_CREAT, dir_fd=folder), "wb") as file:  # noqa: PTH123
        file.write(data)
    os.close(folder)
    yield pictures
    shutil.rmtree(pictures)


@linux
def test_a_tree_deeper_than_a_path_may_be_stops_nothing(vq, deep):
    ran = vq("index", deep, "--json")
    assert (ran.code, ran.document["added"]) == (0, 12)
    (skipped,) = ran.document["skipped"]
    assert skipped["path"].startswith(str(deep / "aaa"))
    assert skipped["reason"] == "its path is too long for the system"
    assert vq("index", deep, "--json").document["unchanged"] == 12
    root = vq("status", "--json").document["roots"][0]
    assert [each["reason"] for each in root["changes"]["unreachable"]] == [skipped["reason"]]


@linux
def test_no_name_breaks_the_output(vq, pictures, on_a_terminal):
    root = pictures / "evil\n\x1b[2J\u202eroot"
    root.mkdir()
    for number, name in enumerate(STRANGE):
        (root / os.fsdecode(name)).write_bytes(b"no picture" + bytes([number]))
    assert len(vq("index", root, "--json").document["skipped"]) == len(STRANGE)
    (root / "x\n.png").touch()
    for columns in (None, 80):
        if columns is not None:
            on_a_terminal(columns)
        ran = vq("status", "--broken")
        assert len([line for line in ran.out.splitlines() if ".png:" in line]) == len(STRANGE)
        for text in (ran.out, ran.err):
            assert all(c.isprintable() or c in "\n\t" for c in text)
