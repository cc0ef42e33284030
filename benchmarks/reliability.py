"""Run the long forms of the tests that promise that nothing is lost and nothing breaks, and print
what they did. Half an hour on two cores, and the minutes of fuzzing that are asked for.

    python -m benchmarks.reliability [--fuzz-minutes N] [--keep]

The table of docs/explanation/reliability.md is made of `benchmarks/reliability.json`, which
`--keep` writes; a test compares the two.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["FIGURES", "rows", "table"]

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "benchmarks" / "reliability.json"
MINIMUM_KILLS = 200
"""What the project asks of itself for killed commands: the floor of the table."""

LONG = (
    "tests/hostile",
    "tests/durability",
    "tests/unit/test_store_durability.py",
    "tests/unit/test_store_versions.py",
    "tests/unit/test_store_compaction.py",
    "tests/unit/test_store_repair.py",
    "tests/unit/test_store_backup.py",
    "tests/unit/test_store_snapshots.py",
)

Figure = dict[str, Any]
_Row = tuple[str, str, Callable[[list[Figure]], str], Callable[[list[Figure]], str], str]


def _sum(name: str) -> Callable[[list[Figure]], int]:
    return lambda found: sum(figure.get(name, 0) for figure in found)


def _says(text: str) -> Callable[[list[Figure]], str]:
    """Return what fills the names in a text with the sums over figures."""

    def fill(found: list[Figure]) -> str:
        names = {name for figure in found for name, value in figure.items() if name != "kind"
                 and isinstance(value, int | float)}  # fmt: skip
        return text.format_map({name: _number(_sum(name)(found)) for name in names})

    return fill


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.0f}"


def _memory(found: list[Figure]) -> str:
    (figure,) = found[-1:]
    return (
        f"{figure['indexed']:,} indexed, {figure['skipped']:,} skipped with a reason, 0 lost; at "
        f"most {figure['peak_mib']:,} MiB more than before (bound {figure['bound_mib']:,})"
    )


_KILLED = "{images} images looked at: {lost} lost, {doubled} there twice"
_ROWS: tuple[_Row, ...] = (
    ("Fuzzed, truncated, lying and odd files in one run", "hostile files",
     _says("{tried} files"), _memory, "tests/hostile/test_hostile_library.py"),
    ("The same as query pictures", "hostile queries", _says("{tried} files"),
     _says("{taken} taken, {refused} refused in a sentence"),
     "tests/hostile/test_hostile_library.py"),
    ("Hostile folders: links, pipes, devices, names, times, permissions, full disk",
     "hostile folder", _says("{tried} entries"),
     _says("{indexed} indexed, {skipped} skipped, no traceback, no raw control character"),
     "tests/hostile/test_hostile_folders.py"),
    ("Commands killed: index, remove, re-encode, compact", "killed commands",
     _says("{kills} SIGKILLs"), _says(_KILLED + "; {looks} looks of a reader beside"),
     "tests/durability/test_kills.py"),
    ("Writers killed", "killed writers", _says("{kills} SIGKILLs"), _says(_KILLED),
     "tests/unit/test_store_durability.py"),
    ("Compactions killed", "killed compactions", _says("{kills} SIGKILLs"), _says(_KILLED),
     "tests/unit/test_store_compaction.py"),
    ("Upgrades of older libraries killed", "killed upgrades", _says("{kills} SIGKILLs"),
     _says("{lost} libraries lost"), "tests/unit/test_store_versions.py"),
    ("Repairs killed", "killed repairs", _says("{kills} SIGKILLs"),
     _says("{lost} libraries lost"), "tests/unit/test_store_repair.py"),
    ("Every write, sync, rename and removal cut short", "cut off in the middle of an operation",
     _says("{faults} operations"), _says(_KILLED), "tests/durability/test_faults.py"),
    ("Disk full", "disk full", _says("{faults} operations"),
     _says("{noticed} said so, the others did no harm; " + _KILLED),
     "tests/durability/test_faults.py"),
    ("Disk broken once", "disk broken", _says("{faults} operations"),
     _says("{noticed} said so, the others did no harm; " + _KILLED),
     "tests/durability/test_faults.py"),
    ("Disk broken for good", "disk dead", _says("{faults} operations"),
     _says("{noticed} said so, the others did no harm; " + _KILLED),
     "tests/durability/test_faults.py"),
    ("Power lost, what was not synced gone, torn or out of order", "power lost",
     _says("{states} states of a disk"), _says(_KILLED), "tests/durability/test_power_loss.py"),
    ("Files of a library damaged at random", "damaged files", _says("{tried} libraries"),
     _says("{repaired} equal to an undisturbed one after repair and index"),
     "tests/unit/test_store_repair.py"),
    ("Copies made beside a writer at full speed", "copies beside a writer",
     _says("{copies} copies"), _says("each whole, each a state that was; {lost} images lost"),
     "tests/unit/test_store_backup.py"),
    ("Readers beside a writer", "readers beside a writer", _says("{states} states seen"),
     _says("{wrong} of them mixed"), "tests/unit/test_store_snapshots.py"),
)  # fmt: skip


def rows(figures: list[Figure]) -> list[tuple[str, str, str, str]]:
    """Return what was promised, what was tried, what came of it, and the test, of figures."""
    found = []
    for promise, kind, tried, came, test in _ROWS:
        of_kind = [figure for figure in figures if figure["kind"] == kind]
        if of_kind:
            found.append((promise, tried(of_kind), came(of_kind), test))
    for target in dict.fromkeys(f["target"] for f in figures if f["kind"] == "fuzzing"):
        runs = [f for f in figures if f["kind"] == "fuzzing" and f["target"] == target]
        tried = f"{_sum('executions')(runs):,} inputs in {_sum('minutes')(runs):.0f} minutes"
        came = f"{_sum('findings')(runs)} findings"
        found.append((f"Fuzzing: {target}", tried, came, "tests/fuzz/targets.py"))
    return found


def table(figures: list[Figure]) -> str:
    """Return the table of docs/explanation/reliability.md."""
    lines = ["| promise | tried | what came of it | test |", "|---|---|---|---|"]
    for promise, tried, came, test in rows(figures):
        lines.append(f"| {promise} | {tried} | {came} | [{Path(test).name}](../../{test}) |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fuzz-minutes", type=float, default=0.0, help="for each target")
    parser.add_argument("--keep", action="store_true", help=f"write {FIGURES.relative_to(ROOT)}")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        lines = Path(place) / "figures.jsonl"
        environment = os.environ | {"VISIONQUERY_FIGURES": str(lines)}
        tests = [sys.executable, "-m", "pytest", "-m", "slow or not slow", "-k", "not short", *LONG]
        done = subprocess.run(tests, cwd=ROOT, env=environment, check=False)
        if options.fuzz_minutes:
            fuzzing = ["-m", "fuzzing", "all", "--minutes", str(options.fuzz_minutes)]
            subprocess.run([sys.executable, *fuzzing], cwd=ROOT, env=environment, check=False)
        figures = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    print(table(figures))
    kills = sum(figure["kills"] for figure in figures if figure["kind"] == "killed commands")
    print(f"commands killed {kills}, floor {MINIMUM_KILLS}; tests exit code {done.returncode}")
    if options.keep:
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
