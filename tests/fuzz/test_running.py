"""The program that fuzzes: what it finds, it keeps, even from a process that died of it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_TARGETS = """
import os

def breaks(data):
    if data == b"die":
        os.abort()
    if data.startswith(b"raise"):
        raise KeyError(data)

TARGETS = {"breaks": breaks}
PROMISED = ("breaks",)
"""
_SEEDS = 'SEEDS = {"breaks": lambda: [b"fine", b"raise and more", b"raise", b"die"]}'


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_an_error_and_a_death_are_findings_that_can_be_had_again(tmp_path):
    shutil.copytree(ROOT / "fuzzing", tmp_path / "fuzzing")
    tests = tmp_path / "tests" / "fuzz"
    tests.mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "fuzz" / "edits.py", tests)
    shutil.copy(ROOT / "tests" / "figures.py", tests.parent)
    (tests / "targets.py").write_text(_TARGETS)
    (tests / "seeds.py").write_text(_SEEDS)

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "fuzzing", *map(str, arguments)],
            cwd=tmp_path, capture_output=True, text=True, check=False,
            env=os.environ | {"VISIONQUERY_FIGURES": str(tmp_path / "figures.jsonl")},
        )  # fmt: skip

    ran = run("all", "--minutes", "0.01", "--folder", tmp_path / "kept")
    assert ran.returncode == 1, ran
    kept = tmp_path / "kept" / "breaks" / "findings"
    found = {path.name.rsplit("-", 1)[0]: path for path in kept.iterdir() if not path.suffix}
    assert {name: path.read_bytes() for name, path in found.items()} == {
        "KeyError": b"raise", "signal-6": b"die",
    }  # fmt: skip
    (figures,) = map(json.loads, (tmp_path / "figures.jsonl").read_text().splitlines())
    assert (figures["kind"], figures["findings"]) == ("fuzzing", 2)
    assert figures["executions"] >= 4
    again = run("breaks", "--reproduce", found["KeyError"])
    assert "KeyError: b'raise'" in again.stderr
