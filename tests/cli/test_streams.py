"""What the process does when its streams are closed, full, or cannot show a name."""

import os
import shutil
import subprocess
import sys

import pytest

from visionquery.cli.app import run


@pytest.fixture
def indexed(own_settings, tiny_model, pictures, monkeypatch):
    monkeypatch.setenv("VISIONQUERY_MODEL", str(tiny_model))
    shutil.move(pictures / "one" / "red.png", pictures / "one" / "日本.png")
    assert run(["index", str(pictures), "--quiet"]) == 0
    return pictures


def visionquery(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "visionquery", *arguments], text=True, check=False,
        stderr=subprocess.PIPE, **options,
    )


def test_a_stream_that_cannot_show_a_name_gets_escapes(indexed):
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    ran = visionquery("search", "red ext:png", stdout=subprocess.PIPE, env=environment)
    assert ran.returncode == 0
    assert "\\u65e5\\u672c.png" in ran.stdout


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")  # noqa: PTH110
@pytest.mark.parametrize("flags", [[], ["--json"], ["-0"]])
def test_a_full_disk_is_told_and_not_taken_for_nothing_found(indexed, flags):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        ran = visionquery("search", "red", *flags, stdout=full)
    assert ran.returncode == 74
    assert "could not be written" in ran.stderr
    assert "Traceback" not in ran.stderr


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_a_closed_stdout_is_no_failure(indexed):
    command = f"{sys.executable} -m visionquery search red -q >&-"
    ran = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_a_defect_has_a_code_of_its_own(own_settings, monkeypatch, capsys):
    def broken(**_: object) -> None:
        raise ZeroDivisionError("one by nothing")

    monkeypatch.setattr("visionquery.cli.status.open_library", broken)
    monkeypatch.delenv("VISIONQUERY_TRACEBACK", raising=False)
    assert run(["status"]) == 70
    assert "ZeroDivisionError: one by nothing" in capsys.readouterr().err
    monkeypatch.setenv("VISIONQUERY_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        run(["status"])
