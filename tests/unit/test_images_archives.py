import io
import os
import random
import struct
import zipfile
from pathlib import Path
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import pytest
from PIL import Image

from visionquery.errors import ImageTooLargeError, UnreadableImageError
from visionquery.images.archives import Member, read_member
from visionquery.images.archives import members as members_that
from visionquery.images.limits import Limits

MIB = 2**20


def members(path: Path) -> list[Member]:
    return members_that(path, is_picture=lambda name: name.lower().endswith((".jpg", ".png")))


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 6), "red").save(buffer, "PNG")
    return buffer.getvalue()


def packed(
    path: Path, *names: str, method: int = ZIP_DEFLATED, content: bytes = b"x" * 999
) -> Path:
    with ZipFile(path, "w", method) as archive:
        for name in names:
            archive.writestr(ZipInfo(name), content, compress_type=method)
    return path


def names_in(path: Path) -> list[str]:
    return [member.name for member in members(path)]


def replaced(path: Path, old: bytes, new: bytes, *, count: int = -1) -> Path:
    """Change the bytes of an archive; both have one length, so that every offset stays right."""
    assert len(old) == len(new)
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, count))
    return path


def test_pictures_come_in_natural_order_and_nothing_else_comes(tmp_path: Path) -> None:
    path = packed(
        tmp_path / "a.cbz", "10.jpg", "2.jpg", "b/1.png", "a/x10y.jpg", "a/x9y.jpg", "a/",
        "__MACOSX/a/._2.jpg", ".hidden/3.jpg", "a/.4.jpg", "notes.txt", "inner.zip", "B/02.PNG",
        "@eaDir/5.jpg",
    )  # fmt: skip
    assert names_in(path) == ["2.jpg", "10.jpg", "a/x9y.jpg", "a/x10y.jpg", "b/1.png", "B/02.PNG"]
    assert members(path)[0] == Member("2.jpg", 999)


def test_which_names_are_pictures_is_for_the_caller_to_say(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", "b/a.txt", "a.jpg")
    asked: list[str] = []
    assert members_that(path, is_picture=lambda name: asked.append(name) is not None) == []
    assert asked == ["a.txt", "a.jpg"]


@pytest.mark.parametrize("method", [ZIP_STORED, ZIP_DEFLATED])
def test_a_member_comes_as_it_was_packed(tmp_path: Path, method: int) -> None:
    content = picture() + random.Random(1).randbytes(3 * MIB)
    path = packed(tmp_path / "a.zip", "b/c.png", method=method, content=content)
    assert read_member(path, "b/c.png") == content
    with pytest.raises(UnreadableImageError, match="no such member"):
        read_member(path, "c.png")


@pytest.mark.parametrize("name", ["a\0.jpg", "\ud800.jpg", "", "/", "a.jpg/"])
def test_names_that_no_member_has(tmp_path: Path, name: str) -> None:
    with pytest.raises(UnreadableImageError, match="no such member"):
        read_member(packed(tmp_path / "a.zip", "a.jpg"), name)


@pytest.mark.parametrize("name", ["../a.jpg", "b/../../a.jpg", "/a.jpg", "..\\a.jpg", "C:\\a.jpg"])
def test_a_name_that_leads_out_is_listed_and_refused(tmp_path: Path, name: str) -> None:
    path = packed(tmp_path / "a.zip", name, "ok.jpg")
    assert set(names_in(path)) == {name, "ok.jpg"}
    with pytest.raises(UnreadableImageError, match="no proper name"):
        read_member(path, name)
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.zip"]


def test_a_name_with_a_nul_is_refused(tmp_path: Path) -> None:
    path = replaced(packed(tmp_path / "a.zip", "a.jpg!.exe"), b"a.jpg!.exe", b"a.jpg\0.exe")
    assert names_in(path) == ["a.jpg"]
    with pytest.raises(UnreadableImageError, match="no proper name"):
        read_member(path, "a.jpg")


def test_backslashes_separate_folders(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", "b\\10.jpg", "b\\9.jpg", "__MACOSX\\c.jpg", "b\\")
    assert names_in(path) == ["b\\9.jpg", "b\\10.jpg"]
    assert read_member(path, "b\\9.jpg") == b"x" * 999


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_members_with_one_name_the_last_counts(tmp_path: Path) -> None:
    with ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.jpg", b"first")
        archive.writestr("a.jpg", b"second!")
    assert members(tmp_path / "a.zip") == [Member("a.jpg", 7)]
    assert read_member(tmp_path / "a.zip", "a.jpg") == b"second!"


@pytest.mark.parametrize(("raw", "name"), [("é.jpg".encode(), "é.jpg"), (b"\x82!.jpg", "é!.jpg")])
def test_names_without_a_mark_are_utf8_if_they_can_be(
    tmp_path: Path, raw: bytes, name: str
) -> None:
    path = replaced(packed(tmp_path / "a.zip", "#" * len(raw)), b"#" * len(raw), raw)
    assert names_in(path) == [name]
    assert read_member(path, name) == b"x" * 999


def test_an_encrypted_member_is_listed_and_says_so(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", "a.jpg", "b.jpg")
    content = bytearray(path.read_bytes())
    content[6] |= 1  # the flags of the first member, and then those of its entry in the list
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert names_in(path) == ["a.jpg", "b.jpg"]
    with pytest.raises(UnreadableImageError, match="encrypted"):
        read_member(path, "a.jpg")
    assert read_member(path, "b.jpg") == b"x" * 999


@pytest.mark.parametrize(("method", "said"), [(ZIP_BZIP2, "bzip2"), (77, "method 77")])
def test_other_compressions_are_refused_by_name(tmp_path: Path, method: int, said: str) -> None:
    """Those that Python knows inflate without a bound."""
    path = packed(tmp_path / "a.zip", "a.jpg", method=ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[8] = content[content.index(b"PK\x01\x02") + 10] = method
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError, match=said):
        read_member(path, "a.jpg")


def test_a_bomb_is_inflated_no_further_than_the_limit(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", "a.jpg", content=bytes(8 * MIB))
    with pytest.raises(ImageTooLargeError, match="has 8"):
        read_member(path, "a.jpg", limits=Limits(max_bytes=2 * MIB))
    assert len(read_member(path, "a.jpg", limits=Limits(max_bytes=8 * MIB))) == 8 * MIB


def test_a_member_that_lies_about_its_size_is_no_larger_than_it_says(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", "a.jpg", content=bytes(8 * MIB))
    replaced(path, struct.pack("<I", 8 * MIB), struct.pack("<I", 1000))
    assert members(path) == [Member("a.jpg", 1000)]
    with pytest.raises(UnreadableImageError, match="damaged"):
        read_member(path, "a.jpg", limits=Limits(max_bytes=MIB))


def test_members_that_share_bytes_are_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", "a.jpg", method=ZIP_STORED, content=os.urandom(9999))
    content = path.read_bytes()
    start, end = content.index(b"PK\x01\x02"), content.index(b"PK\x05\x06")
    entry = content[start:end]
    twice = entry + entry.replace(b"a.jpg", b"b.jpg")
    ending = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 2, 2, len(twice), start, 0)
    path.write_bytes(content[:start] + twice + ending)
    with pytest.raises(UnreadableImageError, match="overlap"):
        members(path)


def test_too_many_pictures_are_refused_and_too_many_other_members_are_not(tmp_path: Path) -> None:
    texts = (f"{number}.txt" for number in range(10_001))
    assert names_in(packed(tmp_path / "a.zip", *texts, "a.jpg", content=b"")) == ["a.jpg"]
    pictures = (f"{number}.jpg" for number in range(10_001))
    with pytest.raises(UnreadableImageError, match="10,001 pictures"):
        members(packed(tmp_path / "b.zip", *pictures, content=b""))


def test_a_list_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", *(f"{n:05}{'x' * 9999}.jpg" for n in range(450)), content=b"")
    with pytest.raises(UnreadableImageError, match="too long"):
        members(path)


def test_zip64_is_read(tmp_path: Path) -> None:
    with (
        ZipFile(tmp_path / "a.zip", "w") as archive,
        archive.open(ZipInfo("a.jpg"), "w", force_zip64=True) as stream,
    ):
        stream.write(b"content")
    assert read_member(tmp_path / "a.zip", "a.jpg") == b"content"


@pytest.mark.parametrize("kept", [slice(0, -30), slice(40, None), slice(0, 2), slice(0, 0)])
def test_what_is_cut_off_says_so(tmp_path: Path, kept: slice) -> None:
    path = packed(tmp_path / "a.zip", "a.jpg", content=os.urandom(500))
    path.write_bytes(path.read_bytes()[kept])
    with pytest.raises(UnreadableImageError, match="damaged"):
        read_member(path, "a.jpg")


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnreadableImageError, match="cannot be read"):
        members(tmp_path / "none.zip")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_no_change_of_a_byte_raises_anything_else(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", "a.jpg", "b/2.png", content=b"content" * 9)
    whole = path.read_bytes()
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            for member in members(path):
                read_member(path, member.name)
        except (UnreadableImageError, ImageTooLargeError):
            continue


def test_the_archive_is_closed_whatever_happens(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", "a.jpg")
    with pytest.raises(UnreadableImageError):
        read_member(path, "none")
    members(path)
    assert zipfile.is_zipfile(path)
    path.rename(tmp_path / "b.zip")
