"""A library that is kept up to date: real files change, and it follows."""

import os
import queue
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from visionquery import Library
from visionquery.errors import InputError, StoreError
from visionquery.indexing import keeping
from visionquery.indexing.keeping import Pace, keep
from visionquery.indexing.report import IndexReport

QUICK = Pace(settle=0.2, longest=5.0, check=0.1, look=600, poll=0.2, retry=0.1)
WAIT_SECONDS = 20.0


class Kept:
    """What a watched library reports and says, and how it looks."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reports: queue.Queue[IndexReport] = queue.Queue()
        self.notes: list[str] = []
        self.failure: BaseException | None = None

    def next(self) -> IndexReport:
        return self.reports.get(timeout=WAIT_SECONDS)

    def until(self, holds: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not holds():
            assert time.monotonic() < deadline, f"{what}; said: {self.notes}"
            time.sleep(0.01)

    def until_said(self, words: str) -> None:
        self.until(lambda: any(words in note for note in self.notes), f"nobody says {words!r}")

    def until_holds(self, *names: str) -> None:
        """Wait until the library holds files of these names below its folders, no others."""

        def names_now() -> set[str]:
            with Library.open(self.folder) as library:
                hits = library.search("ext:png OR ext:jpg", limit=1000, min_confidence=0).hits
                return {Path(path).name for hit in hits for path in hit.paths}

        self.until(lambda: names_now() == set(names), f"it does not come to hold {names}")


@pytest.fixture
def watched(tmp_path: Path, tiny_model: Path):
    """Watch places with a library of their own, as a context, on a thread."""
    folder = tmp_path / "library"

    @contextmanager
    def watching(*places: Path, pace: Pace = QUICK, polling: bool = False) -> Iterator[Kept]:
        kept, stop = Kept(folder), threading.Event()

        def run() -> None:
            try:
                with Library.open(folder, model=tiny_model, create=True, threads=1) as library:
                    library.watch(
                        *places, pace=pace, polling=polling, stop=stop,
                        on_report=kept.reports.put, on_note=kept.notes.append,
                    )  # fmt: skip
            except BaseException as error:
                kept.failure = error

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield kept
        finally:
            stop.set()
            thread.join(WAIT_SECONDS)
            assert not thread.is_alive()

    return watching


@pytest.fixture
def folder(tmp_path: Path, paint) -> Path:
    """A folder of two pictures, one of them in a subfolder."""
    folder = tmp_path / "pictures"
    paint(folder / "red.png", "red", 1)
    paint(folder / "in" / "blue.png", "blue", 2)
    return folder


@pytest.mark.parametrize("polling", [False, True], ids=["told", "polling"])
def test_what_changes_is_followed(watched, folder, polling, paint):
    with watched(folder, polling=polling) as kept:
        assert kept.next().added == 2
        paint(folder / "green.png", "green", 3)
        assert kept.next().added == 1
        paint(folder / "green.png", "yellow", 4)
        assert kept.next().updated == 1
        (folder / "green.png").rename(folder / "in" / "yellow.png")
        report = kept.next()
        assert (report.encoded, report.reused, report.removed) == (0, 1, 0)
        (folder / "in").rename(folder / "out")
        report = kept.next()
        assert (report.encoded, report.reused, report.removed, report.images) == (0, 2, 0, 3)
        (folder / "out" / "blue.png").unlink()
        assert kept.next().removed == 1
        kept.until_holds("red.png", "yellow.png")


def test_a_burst_is_one_run(watched, folder):
    with watched(folder) as kept:
        kept.next()
        data = (folder / "red.png").read_bytes()
        for number in range(200):
            (folder / "in" / f"{number}.png").write_bytes(data + bytes([number]))
        assert kept.next().added == 200
        time.sleep(4 * QUICK.settle)
        assert kept.reports.empty()


def test_a_folder_that_is_moved_in_comes_whole(watched, folder, tmp_path, paint):
    for number in range(3):
        paint(tmp_path / "album" / "deep" / f"{number}.png", "green", 10 + number)
    with watched(folder) as kept:
        kept.next()
        (tmp_path / "album").rename(folder / "album")
        assert kept.next().added == 3
        paint(folder / "album" / "deep" / "late.png", "green", 20)
        assert kept.next().added == 1, "it is listened to as well"


def test_a_file_that_is_still_being_copied_is_whole_in_the_end(watched, folder):
    data = (folder / "red.png").read_bytes() + b"its own"
    with watched(folder, pace=Pace(settle=0.1, longest=0.2, check=0.1)) as kept:
        kept.next()
        with (folder / "copy.png").open("wb", buffering=0) as copy:
            copy.write(data[:20])
            assert kept.next().skipped, "it was taken for a broken file"
            copy.write(data[20:])
        assert kept.next().updated == 1
        assert kept.reports.empty()


@pytest.mark.parametrize("polling", [False, True], ids=["told", "polling"])
def test_roots_that_go_and_come(watched, folder, tmp_path, polling, paint):
    other = tmp_path / "disk"
    paint(other / "black.png", "black", 5)
    away = tmp_path / "unplugged"
    with watched(folder, other, polling=polling) as kept:
        assert kept.next().images == 3
        other.rename(away)
        kept.until_said(f"{other} is gone")
        paint(folder / "green.png", "green", 3)
        report = kept.next()
        assert (report.added, report.removed, report.images) == (1, 0, 4)
        paint(away / "white.png", "white", 6)
        away.rename(other)
        assert kept.next().added == 1
        assert f"{other} is there again." in kept.notes
        paint(other / "late.png", "white", 7)
        assert kept.next().images == 6


def test_a_root_that_is_not_there_at_the_start_is_waited_for(watched, folder, tmp_path, paint):
    with watched(folder) as kept:
        kept.next()
    away = folder.rename(tmp_path / "away")
    with watched(folder) as kept:
        kept.until_said(f"{folder} is not there now")
        paint(away / "green.png", "green", 3)
        away.rename(folder)
        assert (kept.next().images, kept.failure) == (3, None)


def test_a_place_that_was_never_there_is_refused(watched, tmp_path):
    with watched(tmp_path / "nowhere") as kept:
        kept.until(lambda: kept.failure is not None, "it is waited for")
    assert isinstance(kept.failure, InputError)
    assert "no file or folder" in str(kept.failure)


def test_a_root_without_pictures_stays_the_root(watched, tmp_path, paint):
    empty = tmp_path / "empty"
    (empty / "in").mkdir(parents=True)
    with watched(empty) as kept:
        kept.next()
        paint(empty / "in" / "red.png", "red", 1)
        assert kept.next().added == 1
    with Library.open(kept.folder) as library:
        assert [root.location for root in library.status().roots] == [str(empty)]


def test_a_single_file_is_watched_alone(watched, folder, paint):
    picture = folder / "red.png"
    with watched(picture) as kept:
        assert kept.next().added == 1
        paint(folder / "beside.png", "green", 3)
        paint(folder / "new version.png", "blue", 4).replace(picture)
        report = kept.next()
        assert (report.updated, report.images) == (1, 1)


def test_the_library_may_lie_among_the_pictures(tmp_path, tiny_model, paint):
    paint(tmp_path / "red.png", "red", 1)
    reports: queue.Queue[IndexReport] = queue.Queue()
    stop = threading.Event()
    with Library.open(tmp_path / "library", model=tiny_model, create=True) as library:
        thread = threading.Thread(
            target=lambda: library.watch(
                tmp_path, pace=QUICK, stop=stop, on_report=reports.put
            )
        )
        thread.start()
        assert reports.get(timeout=WAIT_SECONDS).added == 1
        time.sleep(4 * QUICK.settle)
        stop.set()
        thread.join(WAIT_SECONDS)
    assert reports.empty(), "its own writing is no change"


@pytest.mark.skipif(sys.platform != "linux", reason="needs names that are no Unicode")
def test_names_that_are_no_unicode_are_found(watched, folder, paint):
    with watched(folder) as kept:
        kept.next()
        shutil.copy(os.fsencode(folder / "red.png"), os.fsencode(folder) + b"/caf\xe9.png")
        assert kept.next().reused == 1
        paint(folder / "after.png", "green", 9)
        assert kept.next().added == 1


HOLDER = """
import sys
from visionquery.store.local import open_local
store = open_local(__import__("pathlib").Path(sys.argv[1]))
with store.writing():
    print("writing", flush=True)
    sys.stdin.readline()
"""


def test_a_busy_library_is_waited_for(watched, folder, paint):
    with watched(folder) as kept:
        kept.next()
        with subprocess.Popen(
            [sys.executable, "-c", HOLDER, kept.folder],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as holder:
            assert holder.stdout is not None
            assert holder.stdin is not None
            assert holder.stdout.readline() == "writing\n"
            paint(folder / "green.png", "green", 3)
            kept.until_said("Another process is writing")
            time.sleep(3 * QUICK.retry)
            assert kept.reports.empty()
            holder.stdin.write("\n")
        assert kept.next().added == 1
    assert len([note for note in kept.notes if "Another process" in note]) == 1


def test_an_error_that_stays_ends_it(folder, tmp_path, tiny_model):
    def full(places: object) -> IndexReport:
        raise StoreError("There is no room left.")

    with (
        Library.open(tmp_path / "library", model=tiny_model, create=True) as library,
        pytest.raises(StoreError, match="no room left"),
    ):
        keep(
            library._store, full, [str(folder)], pace=QUICK, polling=True, stop=threading.Event(),
            on_report=lambda _: None, on_note=lambda _: None,
        )  # fmt: skip


def test_after_a_sleep_everything_is_looked_at(folder, tmp_path, tiny_model, monkeypatch, paint):
    """Changes of which nobody told are found when the machine wakes."""
    slept = 0.0
    stop = threading.Event()
    reports: queue.Queue[IndexReport] = queue.Queue()

    class Deaf:
        def __init__(self, place, said):
            said.put(keeping.Heard(place, ready=True))

        def close(self):
            pass

    monkeypatch.setattr(keeping, "Listener", Deaf)
    with Library.open(tmp_path / "library", model=tiny_model, create=True) as library:

        def watch() -> None:
            keep(
                library._store, lambda places: library.add(*places), [str(folder)], pace=QUICK,
                polling=False, stop=stop, on_report=reports.put, on_note=lambda _: None,
                clocks=lambda: (time.monotonic(), time.monotonic() + slept),
            )  # fmt: skip

        thread = threading.Thread(target=watch)
        thread.start()
        assert reports.get(timeout=WAIT_SECONDS).added == 2
        paint(folder / "green.png", "green", 3)
        time.sleep(4 * QUICK.check)
        assert reports.empty()
        slept = 3600.0
        assert reports.get(timeout=WAIT_SECONDS).added == 1
        stop.set()
        thread.join(WAIT_SECONDS)


@pytest.mark.parametrize("begins", [False, True])
def test_a_system_that_does_not_listen_is_done_without(
    watched, folder, monkeypatch, paint, begins
):
    """One that never begins is not asked again, one that breaks off is."""
    asked: list[object] = []

    def refuse(*places: object, **options: Any) -> Iterator[set[object]]:
        asked.append(places)
        if begins and len(asked) > 1:
            while not options["stop_event"].wait(0.05):
                yield set()
            return
        if begins:
            yield set()
        raise RuntimeError("Error creating recommended watcher: Too many files (os error 24)")

    monkeypatch.setattr("watchfiles.watch", refuse)
    with watched(folder) as kept:
        assert kept.next().added == 2
        if begins:
            kept.until(lambda: len(asked) == 2, "it is not asked again")
            assert not any("sysctl" in note for note in kept.notes)
            return
        kept.until_said("sysctl fs.inotify.max_user_watches")
        paint(folder / "green.png", "green", 3)
        assert kept.next().added == 1
        assert len(asked) == 1
