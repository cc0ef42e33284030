"""A function that runs a command as a process would, and what came of it."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from visionquery.cli.app import run


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict:
        return json.loads(self.out)

    @property
    def names(self) -> list[str]:
        """The file names of the results, in order."""
        return [Path(hit["path"]).name for hit in self.document["results"]]


@pytest.fixture
def vq(own_settings: Path, tiny_model: Path, capfdbinary, monkeypatch) -> Callable[..., Ran]:
    """Run a command with the colour model; nothing may ever end in a traceback."""
    monkeypatch.setenv("VISIONQUERY_MODEL", str(tiny_model))

    def call(*arguments: object) -> Ran:
        code = run([str(argument) for argument in arguments])
        sys.stdout.flush()
        captured = capfdbinary.readouterr()
        ran = Ran(code, os.fsdecode(captured.out), os.fsdecode(captured.err))
        assert "Traceback" not in ran.err
        return ran

    return call


@pytest.fixture
def refused(vq: Callable[..., Ran]) -> Callable[..., str]:
    """Run a command whose input is wrong; return its one sentence."""

    def call(*arguments: object) -> str:
        ran = vq(*arguments)
        assert (ran.code, ran.out) == (2, ""), ran
        (sentence,) = ran.err.splitlines()
        return sentence

    return call


@pytest.fixture
def on_a_terminal(monkeypatch) -> Callable[[int], None]:
    """Make a person look at stdout, in a window of some columns, without colours."""

    def look(columns: int) -> None:
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setenv("TERM", "dumb")
        monkeypatch.setenv("NO_COLOR", "1")

    return look
