"""Folders as an enemy, or a long life, would leave them, and the program as a process on them."""

import contextlib
import ctypes
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

__all__ = [
    "BAD_NAMES", "HUGE_BYTES", "Program", "Ran", "in_background", "obeying_permissions", "paint",
    "put_links", "put_odd_files", "put_times", "without_more_than",
]  # fmt: skip

HUGE_BYTES = 5 * 2**30
_SECONDS = 120.0

BAD_NAMES = tuple(
    name if isinstance(name, bytes) else name.encode()
    for name in (
        b"caf\xe9 \xff\xfe.jpg", "new\nline.jpg", "tab\there.jpg", "\x1b[31mred\x1b]0;x\x07.jpg",
        "right\u202eto left.jpg", "bell\x07\x08\x7f.jpg", "c1\x9b31m\x85.jpg", "no\u200bwidth.jpg",
        "😀 家族.jpg", "-rf.jpg", "--help.jpg", "  spaces  .jpg", "~.jpg", "$(touch gone).jpg",
        "`id`;ls|&.jpg", "%s%n%00.jpg", "back\\slash\\.jpg", "'quote\".jpg", "[0-9]*?.jpg",
        "line\u2028separator.jpg", "e\u0301.jpg", "é.jpg", "CON.jpg", "l" * 251 + ".jpg",
        "#hash.jpg", "!bang.jpg", "image:x.jpg", "a OR b.jpg",
    )
)  # fmt: skip
"""Names, none hidden, that end in .jpg and are hard to print, to quote or to keep."""

_DRIVER = """
import json, os, sys
from visionquery.cli.app import run
for number, arguments in enumerate(json.loads(sys.argv[1])):
    for stream, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(f"{sys.argv[2]}/{number}.{name}", os.O_CREAT | os.O_WRONLY), stream)
    code = run(arguments)
    sys.stdout.flush()
    with open(f"{sys.argv[2]}/{number}.code", "w") as file:
        file.write(str(code))
"""
"""Runs commands one after the other: a process for each would take most of the time."""


@dataclass(frozen=True)
class Ran:
    """What came of a command."""

    code: int
    out: bytes
    err: bytes

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.out)

    @property
    def skipped(self) -> dict[str, str]:
        """Why files were skipped, by their paths."""
        return {item["path"]: item["reason"] for item in self.document["skipped"]}


class Program:
    """The program as processes, with a library and settings of its own."""

    def __init__(self, folder: Path) -> None:
        self.library = folder / "library"
        self._work = folder / "ran"
        self._work.mkdir()
        (folder / "config.toml").touch()
        kept = {k: v for k, v in os.environ.items() if not k.startswith("VISIONQUERY_")}
        self._environment = kept | {
            "VISIONQUERY_LIBRARY": str(self.library),
            "VISIONQUERY_CONFIG": str(folder / "config.toml"),
            "VISIONQUERY_MODEL": "pocket",
            "VISIONQUERY_TRACEBACK": "",
            "HF_HUB_OFFLINE": "1",
        }

    def __call__(self, *arguments: object, before: Callable[[], None] | None = None) -> Ran:
        """Run one command, `before` in its process first."""
        ran = subprocess.run(
            [sys.executable, "-m", "visionquery", *map(os.fsencode, map(str, arguments))],
            env=self._environment, capture_output=True, check=False, timeout=_SECONDS,
            preexec_fn=before, stdin=subprocess.DEVNULL, cwd=self._work,
        )  # fmt: skip
        return _checked(Ran(ran.returncode, ran.stdout, ran.stderr))

    def every(
        self, commands: Sequence[Sequence[object]], *, before: Callable[[], None] | None = None
    ) -> list[Ran]:
        """Run commands, one after the other, in one process, `before` in it first."""
        place = self._work / str(time.monotonic_ns())
        place.mkdir()
        texts = json.dumps([[str(each) for each in command] for command in commands])
        process = subprocess.run(
            [sys.executable, "-c", _DRIVER, texts, str(place)], env=self._environment,
            check=False, timeout=_SECONDS, stdin=subprocess.DEVNULL, cwd=self._work,
            preexec_fn=before,
        )  # fmt: skip
        assert process.returncode == 0
        return [
            _checked(
                Ran(
                    int((place / f"{number}.code").read_text()),
                    (place / f"{number}.out").read_bytes(),
                    (place / f"{number}.err").read_bytes(),
                )
            )
            for number in range(len(commands))
        ]


def _checked(ran: Ran) -> Ran:
    """Nothing ends in a defect, and no line can do more to a terminal than be read."""
    assert ran.code in (0, 1, 2, 4), ran
    for stream in (ran.out, ran.err):
        text = stream.decode("utf-8")
        assert "Traceback" not in text, text
        assert "defect" not in text, text
        assert all(line.isprintable() for line in text.split("\n")), text
    return ran


def paint(path: Path, shade: int) -> Path:
    """Save a small picture, another for each shade (0..4095)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    corner = Image.new("RGB", (8, 8), (shade % 16 * 16, shade // 16 % 16 * 16, shade // 256 * 16))
    picture = Image.new("RGB", (32, 24), "white")
    picture.paste(corner)
    picture.save(path, "JPEG")
    return path


def put_links(folder: Path) -> None:
    """Make links that lead to themselves, up, to each other, nowhere and to devices."""
    for name in ("one", "two"):
        (folder / name).mkdir()
    for link, target in {
        "itself.jpg": "itself.jpg", "itself": "itself", "up": "..", "here": ".",
        "one/two": "../two", "two/one": "../one", "ring1.jpg": "ring2.jpg",
        "ring2.jpg": "ring1.jpg", "dangling.jpg": "nowhere.jpg",
        "zero.jpg": "/dev/zero", "full.jpg": "/dev/full", "null.png": "/dev/null",
        "through.jpg": "good.jpg/x.jpg", "fd.jpg": "/proc/self/fd/0",
    }.items():  # fmt: skip
        (folder / link).symlink_to(target)


def put_odd_files(folder: Path) -> None:
    """Make what is no regular file, and files that are empty, huge or something else."""
    os.mkfifo(folder / "pipe.jpg")
    here = os.open(folder, os.O_RDONLY)  # the address of a socket has to be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"/proc/self/fd/{here}/socket.jpg")
    os.close(here)
    (folder / "folder.jpg").mkdir()
    (folder / "empty.jpg").touch()
    (folder / "text.png").write_text("no picture")
    with (folder / "sparse.jpg").open("wb") as file:
        file.truncate(HUGE_BYTES)
    with (folder / "sparse.tga").open("wb") as file:
        file.truncate(400 * 2**20)


def put_times(folder: Path) -> list[Path]:
    """Make pictures whose times lie long ago or far ahead, where the file system can keep them."""
    seconds = {"future": 2**31 + 10**8, "start": 0, "before": -(10**9)}
    made = []
    for number, (name, when) in enumerate(seconds.items()):
        made.append(paint(folder / f"{name}.jpg", 2_000 + number))
        with contextlib.suppress(OSError, OverflowError):
            os.utime(made[-1], (when, when))
    return made


def obeying_permissions() -> None:
    """Give up the superuser's right to read and change what its modes forbid; for `before`."""
    drop_from_bounding_set, read_and_write, search = 24, 1, 2  # Source: prctl(2), capabilities(7)
    if os.geteuid() == 0:
        for capability in (read_and_write, search):
            if ctypes.CDLL(None).prctl(drop_from_bounding_set, capability, 0, 0, 0):
                raise OSError("this superuser cannot give up its rights")


def without_more_than(size_bytes: int) -> Callable[[], None]:
    """Return what lets a process write no file beyond a size; for `before`."""
    import resource

    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))


@contextlib.contextmanager
def in_background(script: str, *arguments: object) -> Iterator[None]:
    """Run a Python script beside the block, and end it with it."""
    process = subprocess.Popen([sys.executable, "-c", script, *map(str, arguments)])
    try:
        yield
        if process.poll() is not None:
            pytest.fail("what works against the program ended by itself")
    finally:
        process.kill()
        process.wait()
