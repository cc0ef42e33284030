"""Files behind addresses of any kind, here of a file system in memory."""

import contextlib
import itertools
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from visionquery import Library
from visionquery.errors import (
    EngineError,
    ImageTooLargeError,
    ImageUnavailableError,
    InputError,
    StoreError,
)
from visionquery.images import addresses, copies
from visionquery.images.addresses import look, read, reason_of
from visionquery.images.copies import copied
from visionquery.images.limits import Limits
from visionquery.images.scan import FoundFile, Unreachable, scan
from visionquery.store.places import absolute, below, normal, spelled
from visionquery.types import is_address

_numbers = itertools.count()


@pytest.fixture
def files() -> Iterator[Any]:
    """A file system in memory, empty at the start and the end."""
    opened = fsspec.filesystem("memory")
    opened.store.clear()
    yield opened
    opened.store.clear()


def put(files: Any, key: str, content: bytes = b"x") -> str:
    files.pipe_file(f"/{key}", content)
    return f"memory://{key}"


def found(root: str, **narrowed: Any) -> list[str]:
    return [item.relative for item in scan(root, **narrowed) if isinstance(item, FoundFile)]


def test_what_is_an_address() -> None:
    assert is_address("s3://bucket/a")
    for path in ("/a/b", "C:/a", "c://a", "a b://c", "~/x", "://x", "s3:/x", ""):
        assert not is_address(path), path


def test_an_address_has_one_spelling() -> None:
    assert spelled("S3A://Bucket/A b/") == "s3://Bucket/A b"
    assert spelled("gcs://bucket//".rstrip("/") + "/") == "gs://bucket"
    assert spelled("file:///a%20b") == "/a b"
    assert normal("s3://bucket/a/") == "s3://bucket/a"
    for wrong in ("s3://", "s3://b//c", "s3://b/./c", "s3://b/..", "s3://b/a\0", "ftp://u:p@h/x"):
        with pytest.raises(InputError):
            spelled(wrong)
    with pytest.raises(StoreError):
        normal("s3:/bucket")


def test_places_behind_an_address_are_told_by_whole_names() -> None:
    assert below("s3://b/photos/in/a.jpg", "s3://b/photos") == "in/a.jpg"
    assert below("s3://b/photos", "s3://b/photos") == ""
    assert below("s3://b/photos2/a.jpg", "s3://b/photos") is None
    assert below("/b/photos/a.jpg", "s3://b/photos") is None
    assert below("s3://b/photos/a.jpg", "/") is None
    assert absolute("s3://b/photos", "in/a.jpg") == "s3://b/photos/in/a.jpg"


def test_a_folder_by_folder_scan_comes_in_the_order_of_paths(files) -> None:
    names = ["b/x.jpg", "a.jpg", "a/z.jpg", "a-b/y.jpg", "b/c/d/e.png", "notes.txt"]
    for name in names:
        put(files, f"home/{name}")
    assert found("memory://home") == ["a-b/y.jpg", "a.jpg", "a/z.jpg", "b/c/d/e.png", "b/x.jpg"]
    assert found("memory://home", below="b") == ["b/c/d/e.png", "b/x.jpg"]
    assert found("memory://home", below="b/x.jpg") == ["b/x.jpg"]
    assert found("memory://home", without=["b/c", "a"]) == ["a-b/y.jpg", "a.jpg", "b/x.jpg"]
    assert found("memory://home/none") == []


def test_no_key_leads_out_of_its_folder(files) -> None:
    for key in ("home/../x.jpg", "home//x.jpg", "home/a/../../x.jpg", "home2/x.jpg", "x.jpg"):
        files.store[f"/{key}"] = files.store.get("/ok") or _file(files)
    put(files, "home/a.jpg")
    items = list(scan("memory://home"))
    assert [i.relative for i in items if isinstance(i, FoundFile)] == ["a.jpg"]
    assert all("no path" in i.reason for i in items if isinstance(i, Unreachable))
    assert all(i.relative for i in items), "the root itself is within reach"


def _file(files: Any) -> Any:
    put(files, "ok")
    return files.store.pop("/ok")


def test_a_size_above_the_limit_is_refused_before_it_is_read(files, monkeypatch) -> None:
    address = put(files, "home/a.jpg", bytes(3000))
    monkeypatch.setattr(addresses, "_AT_ONCE_BYTES", 1000)
    asked: list[int] = []
    true = type(files).cat_file
    monkeypatch.setattr(
        type(files), "cat_file",
        lambda self, path, start, end: asked.append(end - start) or true(self, path, start, end),
    )  # fmt: skip
    assert len(read(address)) == 3000
    assert asked == [1000, 2000]
    asked.clear()
    with pytest.raises(ImageTooLargeError):
        read(address, limits=Limits(max_bytes=2999))
    assert asked == [1000]
    assert read(put(files, "home/empty.jpg", b"")) == b""


def test_what_cannot_be_read_may_pass(files) -> None:
    with pytest.raises(ImageUnavailableError, match="it is not there any more"):
        read("memory://home/none.jpg")
    assert look("memory://home/none.jpg") is None


class NoCredentialsError(Exception):
    pass


class EndpointConnectionError(Exception):
    pass


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (NoCredentialsError("Unable to locate credentials"), "no credentials were found"),
        (EndpointConnectionError("Could not connect."), "its server does not answer"),
        (TimeoutError(), "its server does not answer"),
        (FileNotFoundError("The specified bucket does not exist"), "there is no such bucket"),
        (FileNotFoundError("home/a"), "it is not there any more"),
        (PermissionError("Access Denied"), "permission denied (Access Denied)"),
        (OSError(28, "No space left on device"), "there is no room on this machine"),
        (RuntimeError("it\nbroke."), "it broke"),
    ],
)
def test_reasons_are_one_sentence(files, monkeypatch, error: Exception, said: str) -> None:
    put(files, "home/a.jpg")
    assert said in reason_of(error)

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(type(files), "ls", fail)
    if not isinstance(error, FileNotFoundError) or "bucket" in str(error):
        (item,) = scan("memory://home")
        assert isinstance(item, Unreachable)
        assert (item.path, item.relative) == ("memory://home", "")
        assert said in item.reason
    monkeypatch.setattr(type(files), "info", fail)
    if not isinstance(error, FileNotFoundError):
        with pytest.raises(EngineError, match=r"memory://home/a\.jpg cannot be reached: "):
            look("memory://home/a.jpg")


def test_nothing_is_forgotten_when_a_listing_breaks_off(
    files, tmp_path, tiny_model, painted, monkeypatch
) -> None:
    put(files, "home/red.png", painted("red", 1))
    put(files, "home/in/blue.png", painted("blue", 2))
    true = type(files).ls

    def ls(self: Any, path: str, **options: Any) -> Any:
        if path.endswith("/in"):
            raise EndpointConnectionError("Could not connect.")
        return true(self, path, **options)

    with Library.open(tmp_path / "library", model=tiny_model, create=True) as library:
        assert library.add("memory://home").added == 2
        monkeypatch.setattr(type(files), "ls", ls)
        report = library.add("memory://home")
        assert (report.removed, report.images) == (0, 2)
        monkeypatch.undo()
        monkeypatch.setattr(type(files), "cat_file", _broken)
        put(files, "home/green.png", painted("green", 3))
        report = library.add("memory://home")
        assert (report.added, report.images, len(report.skipped)) == (0, 2, 1)
        monkeypatch.undo()
        assert library.add("memory://home").added == 1, "what could not be read is tried again"


def _broken(*_: object, **__: object) -> bytes:
    raise EndpointConnectionError("Could not connect.")


def test_a_copy_is_made_once_and_anew_when_the_file_changes(files) -> None:
    address = put(files, "home/a.mp4", b"one")
    with copied(address) as place, copied(address) as other:
        assert place == other
        assert (Path(place).suffix, Path(place).read_bytes()) == (".mp4", b"one")
    with copied(address) as place:
        assert Path(place).read_bytes() == b"one"
    put(files, "home/a.mp4", b"other")
    with copied(address) as now:
        assert now != place
        assert Path(now).read_bytes() == b"other"


def test_many_share_the_making_of_a_copy(files, monkeypatch) -> None:
    address = put(files, f"home/{next(_numbers)}.mp4", b"one")
    saved: list[str] = []
    true = copies.save
    monkeypatch.setattr(copies, "save", lambda at, to: (saved.append(to), true(at, to)))
    threads = [threading.Thread(target=lambda: _read(address)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(saved) == 1


def _read(address: str) -> bytes:
    with copied(address) as place:
        return Path(place).read_bytes()


def test_idle_copies_go_when_there_are_too_many(files, monkeypatch) -> None:
    monkeypatch.setattr(copies, "_MOST_IDLE_BYTES", 100)
    kept = []
    for number in range(3):
        address = put(files, f"home/{next(_numbers)}{number}.mp4", bytes(60))
        with copied(address) as place:
            kept.append(Path(place))
    assert [each.exists() for each in kept] == [False, False, True]
    with contextlib.ExitStack() as used:
        used.enter_context(copied(address))
        with copied(put(files, "home/more.mp4", bytes(90))):
            pass
        assert kept[-1].exists(), "what is used stays"


def test_a_copy_for_which_there_is_no_room(files, monkeypatch) -> None:
    monkeypatch.setattr(copies, "_LEFT_FREE_BYTES", 2**62)
    with pytest.raises(ImageUnavailableError, match="there is no room on this machine"):
        _read(put(files, "home/large.mp4", bytes(10)))


def test_a_forked_process_reads_too(bucket) -> None:
    """As the workers of other programs do."""
    address = bucket.put("a.jpg", b"content")
    assert read(address) == b"content"
    program = (
        "import os; from visionquery.images.addresses import read\n"
        f"assert read({address!r}) == b'content'\n"
        "child = os.fork()\n"
        f"if child == 0: os._exit(read({address!r}) != b'content')\n"
        "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)
