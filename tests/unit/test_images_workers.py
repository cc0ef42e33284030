"""Decoding in processes of their own: what a hostile file does there, it does to nobody else."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from visionquery import Library
from visionquery.errors import ImageTooLargeError, UnreadableImageError
from visionquery.images import child, decode, workers
from visionquery.images.content import load, of_bytes
from visionquery.images.limits import Limits

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals and limits are those of POSIX")

def _png_bytes() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), "red").save(stream, "PNG")
    return stream.getvalue()


PICTURE = _png_bytes()

# No decoder that breaks down can be had for sure, so that one is put into the process.
BREAKING = f"PICTURE = bytes.fromhex({PICTURE.hex()!r})" + """
import os, signal, time
from visionquery.images import parts
true_decode = parts.decode
def decode(data, **options):
    if data.startswith(b"CRASH"):
        os.kill(os.getpid(), signal.SIGSEGV)
    if data.startswith(b"ONCE") and not os.path.exists(data[4:].decode()):
        open(data[4:].decode(), "w").close()
        os.kill(os.getpid(), signal.SIGABRT)
    while data.startswith(b"HANG"):
        pass
    if data.startswith(b"SLEEP"):
        time.sleep(10 ** 6)
    if data.startswith(b"BLOAT"):
        blocks = [bytearray(1 << 24) for _ in range(1000)]
    if data.startswith(b"PRINT"):
        print("nonsense", flush=True)
        os.write(1, b"more nonsense")
    if data.startswith(b"LIE"):
        from visionquery.images import messages, worker
        true_send = worker.send
        lies = {b"LIE1": {"shape": [1, 1, 1], "facts": {}}, b"LIE2": {"shape": "no", "facts": 5},
                b"LIE3": {"error": "open", "message": "\\x1b[2J\\nred"}, b"LIE4": {},
                b"LIE5": {"claim": "all"}}
        worker.send = lambda pipe, head, body=b"", **o: true_send(pipe, lies[data], body, **o)
        return true_decode(PICTURE, **options)
    return true_decode(data, **options)
parts.decode = decode
"""


def png(path: Path, colour: str = "red", size: tuple[int, int] = (40, 30)) -> Path:
    Image.new("RGB", size, colour).save(path)
    return path


@pytest.fixture
def breaking(monkeypatch: pytest.MonkeyPatch):
    """Processes whose decoder breaks down when it is told to."""
    workers.close()
    program = child._PROGRAM.replace("serve(*", f"exec({BREAKING!r})\nserve(*")
    monkeypatch.setattr(child, "_PROGRAM", program)
    yield
    workers.close()


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the processes that were started."""
    numbers: list[int] = []
    true_init = child.Child.__init__

    def init(self: child.Child) -> None:
        true_init(self)
        numbers.append(self._process.pid)

    monkeypatch.setattr(child.Child, "__init__", init)
    return numbers


def test_it_gives_what_decoding_here_gives(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)
    exif = Image.Exif()
    exif[0x010F], exif[0x010E] = "Canon", "Sch\u00f6n \N{SNOWMAN}"
    for name in ("a.jpg", "a.png", "a.webp", "a.tif"):
        Image.fromarray(noise).save(tmp_path / name, exif=exif)
        content = load(tmp_path / name, limits=Limits())
        for min_side in (None, 100):
            found = workers.decode(content, min_side=min_side)
            here = decode.decode(content.data, min_side=min_side)
            assert found.facts == here.facts
            assert np.array_equal(found.pixels, here.pixels)


def test_refusals_come_back_as_they_were_said() -> None:
    with pytest.raises(UnreadableImageError, match="of no known picture format"):
        workers.decode(of_bytes(b"no picture"))
    with pytest.raises(ImageTooLargeError, match="40 × 30 pixels, more than the limit"):
        workers.decode(of_bytes(_png_bytes()), limits=Limits(max_pixels=100))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"CRASH", "the decoder of its format breaks down over it"),
        (b"HANG", "decoding it takes more than 1 s"),
        (b"SLEEP", "decoding it takes more than 1 s"),
        (b"BLOAT", "memory does not suffice"),
    ],
)
def test_a_file_that_breaks_its_decoder_twice_is_refused(
    breaking, started: list[int], data: bytes, says: str
) -> None:
    limits = Limits(seconds=1.0 if says.endswith("1 s") else 60.0)
    workers.decode(of_bytes(_png_bytes()))  # so that starting is not in the time
    with pytest.raises(UnreadableImageError, match=says):
        workers.decode(of_bytes(data), limits=limits)
    assert len(started) == 2
    assert workers.decode(of_bytes(_png_bytes())).facts.width == 40


@pytest.mark.parametrize("data", [b"LIE1", b"LIE2", b"LIE3", b"LIE4", b"LIE5"])
def test_what_a_decoder_that_was_taken_over_says_harms_nobody(breaking, data: bytes) -> None:
    with pytest.raises(UnreadableImageError) as refused:
        workers.decode(of_bytes(data))
    assert str(refused.value).isprintable()


def test_one_breakdown_is_forgiven(breaking, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with pytest.raises(UnreadableImageError, match="no known picture format"):
        workers.decode(of_bytes(b"ONCE" + os.fsencode(mark)))
    assert mark.exists()


def test_what_a_decoder_prints_disturbs_nothing(breaking, capfd: pytest.CaptureFixture) -> None:
    for _ in range(2):
        with pytest.raises(UnreadableImageError, match="no known picture format"):
            workers.decode(of_bytes(b"PRINT"))
    assert capfd.readouterr() == ("", "")


def test_room_is_asked_for_before_pixels_and_waiting_takes_no_time_away(tmp_path: Path) -> None:
    claims: list[int] = []

    def wait(size_bytes: int) -> None:
        claims.append(size_bytes)
        time.sleep(1.2)

    content = load(png(tmp_path / "a.png", size=(3000, 1000)), limits=Limits())
    workers.decode(content)
    found = workers.decode(content, limits=Limits(seconds=1.0), before_pixels=wait)
    assert found.pixels.shape == (1000, 3000, 3)
    assert claims == [24_000_000]


def test_waiting_for_room_ends_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own end, meant for one whose parent is gone, is put off while the parent waits."""
    workers.close()
    at_once = "import visionquery.images.worker as worker\nworker._ORPHAN_SECONDS = 0\nserve(*"
    monkeypatch.setattr(child, "_PROGRAM", child._PROGRAM.replace("serve(*", at_once))
    content = load(png(tmp_path / "a.png", size=(3000, 1000)), limits=Limits())
    claims: list[int] = []

    def wait(size_bytes: int) -> None:
        claims.append(size_bytes)
        time.sleep(1.5)

    workers.decode(content, limits=Limits(seconds=1.0), before_pixels=wait)
    workers.close()
    assert len(claims) == 1


def test_a_failure_while_waiting_for_room_leaves_no_process_in_the_middle(tmp_path: Path) -> None:
    content = load(png(tmp_path / "a.png", size=(3000, 1000)), limits=Limits())

    def fail(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        workers.decode(content, before_pixels=fail)
    assert workers.decode(content).facts.width == 3000


def test_memory_beyond_the_bound_is_refused_by_the_system(breaking) -> None:
    """The process of BLOAT wants 16 GB and gets 256 MiB."""
    peak, done = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.005):
            for process in psutil.Process().children():
                try:
                    peak = max(peak, process.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with pytest.raises(UnreadableImageError, match="memory does not suffice"):
            workers.decode(of_bytes(b"BLOAT"))
    finally:
        done.set()
        watcher.join()
    assert 100 * 2**20 < peak < 512 * 2**20


def test_a_large_picture_takes_nothing_from_the_next(tmp_path: Path, started: list[int]) -> None:
    workers.close()
    noise = np.random.default_rng(0).integers(0, 255, (6000, 5000, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "large.png", compress_level=1)
    large = load(tmp_path / "large.png", limits=Limits())
    small = [load(png(tmp_path / f"{side}.png", size=(side, side)), limits=Limits())
             for side in (40, 900, 1400)]  # fmt: skip
    for _ in range(4):
        assert workers.decode(large).pixels.shape == (6000, 5000, 3)
        for content in small:
            assert workers.decode(content).facts.format == "PNG"


def test_threads_have_a_process_each_and_share_them_afterwards(
    tmp_path: Path, started: list[int]
) -> None:
    workers.close()
    contents = [load(png(tmp_path / f"{i}.png", size=(i + 1, 7)), limits=Limits())
                for i in range(40)]  # fmt: skip
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(workers.decode, contents))
    assert [picture.facts.width for picture in found] == list(range(1, 41))
    assert 1 <= len(started) <= 4


def test_processes_end_with_their_parent(tmp_path: Path) -> None:
    path = png(tmp_path / "a.png")
    program = (
        "import sys, os, psutil; from pathlib import Path\n"
        "from visionquery.images import workers; from visionquery.images.content import load\n"
        "from visionquery.images.limits import Limits\n"
        f"workers.decode(load(Path({str(path)!r}), limits=Limits()))\n"
        "print(*[child.pid for child in psutil.Process().children()], flush=True)\n"
        "if len(sys.argv) > 1: os.kill(os.getpid(), 9)\n"
    )
    for how in ([], ["killed"]):
        ended = subprocess.run(
            [sys.executable, "-W", "error", "-c", program, *how],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == (-signal.SIGKILL if how else 0), ended.stderr
        assert ended.stderr == ""
        (number,) = map(int, ended.stdout.split())
        end = time.monotonic() + 10
        while psutil.pid_exists(number) and time.monotonic() < end:
            time.sleep(0.02)
        assert not psutil.pid_exists(number)


def test_a_process_that_ended_while_idle_is_replaced_unnoticed(
    tmp_path: Path, started: list[int]
) -> None:
    workers.close()
    content = load(png(tmp_path / "a.png"), limits=Limits())
    workers.decode(content)
    for number in started:
        os.kill(number, signal.SIGKILL)
    assert workers.decode(content).facts.width == 40


def test_a_forked_process_starts_its_own(tmp_path: Path) -> None:
    path = png(tmp_path / "a.png")
    program = (
        "import os, sys; from pathlib import Path\n"
        "from visionquery.images import workers; from visionquery.images.content import load\n"
        "from visionquery.images.limits import Limits\n"
        f"content = load(Path({str(path)!r}), limits=Limits())\n"
        "workers.decode(content)\n"
        "if (child := os.fork()) == 0:\n"
        "    workers.decode(content); workers.close(); os._exit(7)\n"
        "for _ in range(20): workers.decode(content)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_an_index_goes_past_such_files_and_does_not_try_them_again(
    breaking, started: list[int], tmp_path: Path, tiny_model: Path
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(6):
        png(folder / f"{number}.png", size=(40 + number, 30))
    (folder / "2b.png").write_bytes(b"CRASH")
    with Library.open(tmp_path / "library", model=tiny_model, create=True) as library:
        report = library.add(folder)
        assert (report.added, len(report.skipped)) == (6, 1)
        assert "breaks down" in report.skipped[0].reason
        workers.close()
        started.clear()
        again = library.add(folder)
        assert (again.unchanged, again.skipped) == (6, report.skipped)
        assert started == []
        (folder / "2b.png").write_bytes(b"CRASH, changed")
        assert len(library.add(folder).skipped) == 1
        assert len(started) == 2
