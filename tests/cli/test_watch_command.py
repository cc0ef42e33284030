"""`visionquery watch` as a process: what it prints, and how it ends."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
WAIT_SECONDS = 30.0


FEW_WATCHES = ("unshare", "-Ur", "sh", "-c")
FOUR = 'echo 4 > /proc/sys/user/max_inotify_watches && exec "$@"'
"""Source: namespaces(7) on /proc/sys/user: the limits of a user namespace."""


class Process:
    """A command that runs until it is told to end, with `before` in front of it."""

    def __init__(self, *arguments: object, before: Sequence[str] = ()) -> None:
        command = [*before, sys.executable, "-m", "visionquery", *map(str, arguments)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.timer = threading.Timer(WAIT_SECONDS, self.process.kill)
        self.timer.start()

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
        self.timer.cancel()

    def line(self, *, err: bool = False) -> str:
        stream = self.process.stderr if err else self.process.stdout
        assert stream is not None
        return stream.readline().rstrip("\n")

    def end(self, kind: int) -> tuple[int, str]:
        self.process.send_signal(kind)
        err = self.process.communicate()[1]
        return self.process.returncode, err


@pytest.fixture
def ready(own_settings, tiny_model, monkeypatch) -> None:
    monkeypatch.setenv("VISIONQUERY_MODEL", str(tiny_model))
    monkeypatch.setenv("VISIONQUERY_THREADS", "1")


@posix
@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_it_follows_until_a_signal_ends_it(ready, vq, pictures, paint, kind):
    with Process("watch", pictures, "--json", "--settle", 0.2) as watch:
        first = json.loads(watch.line())
        assert (first["added"], first["images"]) == (12, 12)
        paint(pictures / "new.png", "red", 50)
        assert json.loads(watch.line())["added"] == 1
        code, err = watch.end(kind)
    assert code == 130
    said = err.splitlines()
    assert said[0] == f"Watching {pictures}; Ctrl-C ends it."
    assert [line.split(" ", 1)[1] for line in said[1:3]] == [
        "added 12; the library holds 12 images",
        "added 1; the library holds 13 images",
    ]
    assert said[3].startswith("Interrupted. Everything finished so far is kept")
    assert vq("status", "--json").document["images"] == 13


@posix
def test_quiet_says_nothing_and_a_name_can_move_no_cursor(ready, pictures, paint):
    evil = pictures / "evil\x1b[2J\nroot"
    paint(evil / "red.png", "red", 60)
    with Process("watch", pictures / "one", "--poll", "--every", 0.2, "--json", "-q") as watch:
        watch.line()
        assert watch.end(signal.SIGINT)[1].startswith("Interrupted.")
    with Process("watch", evil, "--poll", "--settle", 0.2) as watch:
        assert watch.line(err=True) == f"Watching {pictures}/evil\\x1b[2J"
        assert watch.line(err=True) == "root; Ctrl-C ends it."
        evil.rename(pictures / "elsewhere")
        assert watch.end(signal.SIGINT)[0] == 130


@posix
def test_it_ends_where_no_model_is(ready, monkeypatch, pictures, paint, tmp_path, tiny_model):
    """What waiting does not mend ends it with the code that is documented."""
    with Process("index", pictures) as index:
        assert index.process.wait(WAIT_SECONDS) == 0
    paint(pictures / "new.png", "red", 50)
    hidden = tiny_model.rename(tiny_model.with_name("hidden"))
    try:
        monkeypatch.delenv("VISIONQUERY_MODEL")
        with Process("watch", pictures, "--settle", 0.2) as watch:
            assert watch.process.wait(WAIT_SECONDS) == 3
            assert watch.process.stderr is not None
            assert str(tiny_model) in watch.process.stderr.read()
    finally:
        hidden.rename(tiny_model)


@posix
def test_outside_its_hours_it_waits(ready, pictures):
    """A minute that is not now is always outside; Ctrl-C ends the waiting."""
    from datetime import datetime, timedelta

    later = datetime.now() + timedelta(hours=6)
    hours = f"{later:%H:%M}-{later + timedelta(minutes=1):%H:%M}"
    for command in ("index", "watch"):
        with Process(command, pictures, "--between", hours, "--nice") as process:
            while "--between says" not in (line := process.line(err=True)):
                assert line
            assert process.end(signal.SIGINT)[0] == 130
    assert Path(os.environ["VISIONQUERY_LIBRARY"]).is_dir()


@pytest.mark.skipif(shutil.which("unshare") is None, reason="needs user namespaces")
def test_where_the_system_has_no_watches_left_it_polls(ready, pictures, paint):
    before = [*FEW_WATCHES, FOUR, "sh"]
    if subprocess.run([*before, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("user namespaces are not allowed here")
    for name in "abcd":
        (pictures / name).mkdir()
    with Process("watch", pictures, "--json", "--every", 0.2, before=before) as watch:
        assert json.loads(watch.line())["added"] == 12
        paint(pictures / "d" / "new.png", "red", 50)
        assert json.loads(watch.line())["added"] == 1
        said = watch.end(signal.SIGINT)[1]
    assert f"{pictures} cannot be listened to, so it is looked at every 0.2 seconds" in said
    assert "sudo sysctl fs.inotify.max_user_watches=" in said


def test_what_cannot_be_is_refused_in_a_sentence(refused, tmp_path, pictures, monkeypatch):
    assert "no file or folder" in refused("watch", tmp_path / "nowhere")
    assert "22:00-07:00" in refused("index", pictures, "--between", "nights")
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    assert "pip install 'visionquery[watch]'" in refused("watch", pictures, "-q")
