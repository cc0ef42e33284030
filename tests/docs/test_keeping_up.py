"""The page about keeping up holds commands and files that work."""

import plistlib
import re
import shlex
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest
import typer

from visionquery.cli.app import build

PAGE = (Path(__file__).parents[2] / "docs" / "how-to" / "keeping-up.md").read_text("utf-8")
UNITS = dict(
    zip(
        ("visionquery.service", "visionquery-index.service", "visionquery-index.timer"),
        re.findall(r"```ini\n(.*?)```", PAGE, re.S),
        strict=True,
    )
)
(PLIST,) = re.findall(r"```xml\n(.*?)```", PAGE, re.S)


def options_of(command: str) -> set[str]:
    group = typer.main.get_command(build())
    return {name for p in group.commands[command].params for name in (*p.opts, *p.secondary_opts)}


def commands() -> list[list[str]]:
    """Everything after `visionquery` in lines that run it."""
    lines = re.findall(r"visionquery ((?:watch|index) [^\n\"`]*)", PAGE)
    return [shlex.split(line.replace("\\", "/")) for line in lines]


def test_every_option_is_one_of_the_program():
    assert len(commands()) >= 5
    for command, *rest in commands():
        named = {word for word in rest if word.startswith("--")}
        assert named <= options_of(command), (command, rest)
    for name in re.findall(r"`(--[a-z-]+)", PAGE):
        assert name in options_of("watch"), name


def test_units_say_what_systemd_reads():
    for name, text in UNITS.items():
        unit = ConfigParser(interpolation=None)
        unit.optionxform = str
        unit.read_string(text)
        assert {"Unit", name.rpartition(".")[2].capitalize()} <= set(unit.sections())


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
def test_systemd_takes_the_units(tmp_path):
    home = tmp_path / "home"
    program = home / ".local" / "bin" / "visionquery"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for name, text in UNITS.items():
        (tmp_path / name).write_text(text.replace("%h", str(home)))
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--user", *(tmp_path / name for name in UNITS)],
        env={"PATH": "/usr/bin:/bin", "HOME": str(home), "XDG_RUNTIME_DIR": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "Failed to initialize manager" in ran.stderr:
        pytest.skip("systemd is not running here")
    assert ran.returncode == 0, ran.stderr
    assert not any(name in ran.stderr for name in UNITS), ran.stderr


def test_launchd_takes_the_plist():
    job = plistlib.loads(PLIST.encode())
    program, command, *rest = job["ProgramArguments"]
    assert Path(program).name == "visionquery"
    assert {word for word in rest if word.startswith("--")} <= options_of(command)
    assert f"{job['Label']}.plist" in PAGE
