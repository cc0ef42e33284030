import os
import sys
from pathlib import Path

import pytest

from visionquery.images.scan import FoundFile, Unreachable, reason_of, scan

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files")


def make(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"picture")


def found(root: Path, below: str = "") -> list[str]:
    return [entry.relative for entry in scan(root, below=below)]


def test_pictures_come_in_the_order_of_their_paths(tmp_path: Path) -> None:
    make(tmp_path, "b.JPG", "a/z.png", "a.jpg", "a-b/c.heic", "a/b/c.webp", "ä.avif", "B.tiff")
    paths = found(tmp_path)
    assert paths == sorted(paths)
    assert set(paths) == {
        *("b.JPG", "a/z.png", "a.jpg", "a-b/c.heic", "a/b/c.webp", "ä.avif", "B.tiff")
    }


def test_a_found_file_has_its_facts(tmp_path: Path) -> None:
    make(tmp_path, "a/b.png")
    status = (tmp_path / "a/b.png").stat()
    assert list(scan(tmp_path)) == [
        FoundFile(str(tmp_path / "a/b.png"), "a/b.png", status.st_size, status.st_mtime_ns)
    ]


def test_hidden_system_and_other_files_are_passed_over(tmp_path: Path) -> None:
    make(tmp_path, "keep.jpg", "notes.txt", ".hidden.jpg", "._keep.jpg", "Thumbs.db", "noext")
    for folder in (".git", "@eaDir", "$RECYCLE.BIN", "System Volume Information", ".Trash-1000"):
        make(tmp_path, f"{folder}/x.jpg")
    make(tmp_path, "__MACOSX/x.jpg", "lost+found/x.jpg", "sub/@eadir/x.jpg")
    assert found(tmp_path) == ["keep.jpg"]


def test_a_hidden_root_is_still_scanned(tmp_path: Path) -> None:
    make(tmp_path, ".pictures/a.jpg")
    assert found(tmp_path / ".pictures") == ["a.jpg"]


def test_a_library_below_is_skipped(tmp_path: Path) -> None:
    make(tmp_path, "a.jpg", "photos.vq/catalog.sqlite", "photos.vq/thumb.jpg")
    assert found(tmp_path) == ["a.jpg"]


def test_ignore_files_follow_the_rules_of_gitignore(tmp_path: Path) -> None:
    make(tmp_path, "a.png", "a.jpg", "keep.png", "out/a.jpg", "x/out/a.jpg", "x/y/a.png", "x/b.jpg")
    (tmp_path / ".visionqueryignore").write_text("# no\n*.png\n!keep.png\n/out/\n")
    (tmp_path / "x/.visionqueryignore").write_text("!a.png\nb.jpg\n")
    assert found(tmp_path) == ["a.jpg", "keep.png", "x/out/a.jpg", "x/y/a.png"]


def test_nothing_in_an_ignored_folder_comes_back(tmp_path: Path) -> None:
    make(tmp_path, "out/a.jpg", "b.jpg")
    (tmp_path / ".visionqueryignore").write_text("out/\n!out/a.jpg\n!\n[\n")
    (tmp_path / "out/.visionqueryignore").write_text("!a.jpg\n")
    assert found(tmp_path) == ["b.jpg"]


def test_below_gives_what_the_whole_scan_gives_there(tmp_path: Path) -> None:
    make(tmp_path, "a/b/c.jpg", "a/b/no.png", "a/bc.jpg", "a/b/d/e.jpg", "a/.h/x.jpg", "z.jpg")
    (tmp_path / ".visionqueryignore").write_text("no.png\na/b/d\n")
    whole = found(tmp_path)
    for below in ("a", "a/b", "a/b/", "a/b/d", "a/b/d/e.jpg", "a/b/c.jpg", "z.jpg", "gone"):
        inside = [p for p in whole if f"{p}/".startswith(f"{below.rstrip('/')}/")]
        assert found(tmp_path, below) == inside, below


def test_what_is_hidden_is_found_when_it_is_named(tmp_path: Path) -> None:
    make(tmp_path, "a/.h/x.jpg", "a/.h/.no.jpg", "a/.h.jpg", "@eaDir/y.jpg")
    assert found(tmp_path) == []
    assert found(tmp_path, "a/.h") == ["a/.h/x.jpg"]
    assert found(tmp_path, "a/.h.jpg") == ["a/.h.jpg"]
    assert found(tmp_path, "@eaDir") == ["@eaDir/y.jpg"]


def test_folders_are_left_out(tmp_path: Path) -> None:
    make(tmp_path, "a/x.jpg", "b/x.jpg", "b/c/x.jpg", "b/cd/x.jpg")
    paths = [item.relative for item in scan(tmp_path, without=["a", "b/c"])]
    assert paths == ["b/cd/x.jpg", "b/x.jpg"]


@posix
def test_loops_of_links_end(tmp_path: Path) -> None:
    make(tmp_path, "a/b/c.jpg")
    (tmp_path / "a/b/up").symlink_to(tmp_path)
    (tmp_path / "a/b/self").symlink_to("self")
    (tmp_path / "first").symlink_to(tmp_path / "a/b")
    assert found(tmp_path) == ["a/b/c.jpg"]


@posix
def test_links_are_followed_out_of_the_root_once(tmp_path: Path) -> None:
    make(tmp_path, "root/a.jpg", "other/b.jpg", "root/.store/c.jpg")
    (tmp_path / "other/back").symlink_to(tmp_path / "root")
    (tmp_path / "root/link1").symlink_to(tmp_path / "other")
    (tmp_path / "root/link2").symlink_to(tmp_path / "other")
    (tmp_path / "root/out").symlink_to(tmp_path / "root/.store")
    (tmp_path / "root/file.jpg").symlink_to(tmp_path / "other/b.jpg")
    (tmp_path / "root/dangling.jpg").symlink_to(tmp_path / "gone.jpg")
    assert found(tmp_path / "root") == ["a.jpg", "file.jpg", "link1/b.jpg", "out/c.jpg"]


@posix
def test_pipes_and_folders_with_picture_names_are_no_files(tmp_path: Path) -> None:
    make(tmp_path, "folder.jpg/a.png")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert found(tmp_path) == ["folder.jpg/a.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file system that takes any bytes")
def test_names_that_are_no_utf8_are_kept(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"x")
    (entry,) = scan(tmp_path)
    assert isinstance(entry, FoundFile)
    assert os.fsencode(entry.relative) == b"caf\xe9.jpg"
    assert Path(entry.path).read_bytes() == b"x"


def test_a_root_that_is_not_there_is_reported(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    assert list(scan(gone)) == [Unreachable(str(gone), "", "it is not there any more")]


@posix
def test_a_folder_that_cannot_be_opened_is_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("the superuser may open everything")
    make(tmp_path, "a/x.jpg", "b/y.jpg")
    (tmp_path / "a").chmod(0)
    try:
        entries = list(scan(tmp_path))
    finally:
        (tmp_path / "a").chmod(0o755)
    assert entries[0] == Unreachable(str(tmp_path / "a"), "a", "permission denied")
    assert [entry.relative for entry in entries[1:]] == ["b/y.jpg"]


def test_a_name_too_deep_for_the_system_is_no_stop(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(40):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / "x.jpg").write_bytes(b"x")
    assert len(found(tmp_path)) == 1


def test_reasons_are_words() -> None:
    assert reason_of(PermissionError(13, "Permission denied")) == "permission denied"
    assert reason_of(OSError(5, "Input/output error")) == "input/output error"
