"""The one writer's place: who has it is named, and a killed writer gives it up, with the locks of
the file system and without."""

import json
import os
import platform
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from visionquery.errors import LibraryBusyError
from visionquery.store.local import create_local, open_local
from visionquery.store.lock import OWNER_NAME, writer_lock
from visionquery.testing.store_examples import MODEL

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there is no flock, and no SIGKILL")

LOCKLESS = """
import errno, fcntl
def flock(fd, how):
    raise OSError(errno.CODE, "no locks here")
fcntl.flock = flock
"""
HOLDER = """
import sys
from pathlib import Path
from visionquery.store.lock import writer_lock
with writer_lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""
RIVAL = """
import sys
from pathlib import Path
from visionquery.errors import LibraryBusyError
from visionquery.store.lock import writer_lock
folder = Path(sys.argv[1])
taken = 0
while taken < 5:
    try:
        with writer_lock(folder):
            (folder / "inside").touch(exist_ok=False)
            (folder / "inside").unlink()
            taken += 1
    except LibraryBusyError:
        pass
"""
WAYS = pytest.mark.parametrize(
    "lockless", ["", LOCKLESS.replace("CODE", "ENOSYS"), LOCKLESS.replace("CODE", "ENOLCK")],
    ids=["locks", "ENOSYS", "ENOLCK"],
)  # fmt: skip


@WAYS
def test_a_busy_library_says_who_writes(tmp_path: Path, lockless: str) -> None:
    before = datetime.now().astimezone().replace(microsecond=0)
    with running(lockless + HOLDER, tmp_path) as holder:
        told = attempt(lockless, tmp_path)
        assert (told["pid"], told["host"]) == (holder.pid, platform.node())
        assert before <= datetime.fromisoformat(told["since"]) <= datetime.now().astimezone()
        assert f"Process {holder.pid} has been writing to the library {tmp_path}" in told["text"]
    assert attempt(lockless, tmp_path) == {}
    assert not (tmp_path / OWNER_NAME).exists()


@WAYS
def test_a_killed_writer_gives_its_place_up(tmp_path: Path, lockless: str) -> None:
    with running(lockless + HOLDER, tmp_path) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert (tmp_path / OWNER_NAME).exists()
        assert attempt(lockless, tmp_path) == {}


@WAYS
def test_rivals_after_a_killed_writer_never_meet(tmp_path: Path, lockless: str) -> None:
    with running(lockless + HOLDER, tmp_path) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    command = [sys.executable, "-c", lockless + RIVAL, str(tmp_path)]
    rivals = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    for rival in rivals:
        _, complaint = rival.communicate(timeout=60)
        assert rival.returncode == 0, complaint


def test_what_a_killed_writer_left_is_not_believed(tmp_path: Path) -> None:
    with writer_lock(tmp_path):
        gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"],
                              capture_output=True, text=True, check=True)  # fmt: skip
        leave(tmp_path, pid=int(gone.stdout))
        with pytest.raises(LibraryBusyError, match="Another process is writing") as raised:
            hold(tmp_path)
    assert (raised.value.pid, raised.value.host, raised.value.since) == (None, None, None)


def test_a_writer_on_another_machine_is_named(tmp_path: Path) -> None:
    with writer_lock(tmp_path):
        leave(tmp_path, host="elsewhere")
        with pytest.raises(LibraryBusyError, match=r"Process \d+ on elsewhere has been writing"):
            hold(tmp_path)


@pytest.mark.parametrize("content", [None, b"", b"torn", b"[]", b'{"pid": "x"}'])
def test_without_locks_only_the_own_machine_is_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    import fcntl

    def flock(*_: object) -> None:
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", flock)
    if content is None:
        leave(tmp_path, pid=2**22 + 1, host="elsewhere")
    else:
        (tmp_path / OWNER_NAME).write_bytes(content)
    marker = re.escape(str(tmp_path / OWNER_NAME))
    with pytest.raises(LibraryBusyError, match=f"If it has ended, remove {marker}"):
        hold(tmp_path)
    (tmp_path / OWNER_NAME).unlink()
    hold(tmp_path)


def test_a_clock_that_ran_back_does_not_matter(tmp_path: Path) -> None:
    folder = tmp_path / "library"
    create_local(folder, MODEL).close()
    leave(folder, since="2999-01-01T00:00:00+00:00")
    for path in [*folder.iterdir(), folder]:
        os.utime(path, (2**35, 2**35))
    store = open_local(folder)
    with store.writing():
        store.set_note("a", "b")
    assert store.note("a") == "b"
    store.close()


def hold(folder: Path) -> None:
    with writer_lock(folder):
        pass


def leave(
    folder: Path, *, pid: int = 1, host: str = "", since: str = "2026-01-01T00:00:00+00:00"
) -> None:
    """Write what an owner would have."""
    owner = {"pid": pid, "host": host or platform.node(), "since": since}
    (folder / OWNER_NAME).write_text(json.dumps(owner), encoding="ascii")


def attempt(lockless: str, folder: Path) -> dict[str, object]:
    """Try to take the place in another process; return what the refusal tells, {} without one."""
    program = lockless + (
        "import json, sys\n"
        "from pathlib import Path\n"
        "from visionquery.errors import LibraryBusyError\n"
        "from visionquery.store.lock import writer_lock\n"
        "told = {}\n"
        "try:\n"
        "    with writer_lock(Path(sys.argv[1])): pass\n"
        "except LibraryBusyError as error: told = vars(error) | {'text': str(error)}\n"
        "print(json.dumps(told))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@contextmanager
def running(program: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a program until the block ends; it holds the place by then."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    try:
        yield process
    finally:
        process.communicate()
