"""Fuzz what reads foreign bytes, guided by coverage where atheris is installed.

    python -m fuzzing TARGET... [--minutes N] [--folder DIR]
    python -m fuzzing all --minutes 10
    python -m fuzzing TARGET --reproduce FILE
"""

import argparse
import os
import tempfile
from pathlib import Path

from fuzzing.running import Outcome, fuzz, reproduce
from tests.figures import record
from tests.fuzz.targets import PROMISED, TARGETS

_MEMORY = Path("/dev/shm")


def main() -> int:
    """Fuzz as the command line says; return 1 when something was found."""
    options = _options()
    if options.reproduce:
        for target in options.targets:
            reproduce(target, options.reproduce)
            print(f"{target}: holds for {options.reproduce}")
        return 0
    folder = options.folder or Path(tempfile.mkdtemp(prefix="fuzzing-"))
    if _MEMORY.is_dir():
        os.environ.setdefault("TMPDIR", str(_MEMORY))
    print(f"Corpora and findings: {folder}", flush=True)
    outcomes = []
    for target in options.targets:
        outcomes.append(fuzz(target, options.minutes, folder / target, seed=options.seed))
        _show(outcomes[-1])
    return 1 if any(outcome.findings for outcome in outcomes) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fuzzing", description=__doc__.splitlines()[0])
    parser.add_argument(
        "targets", nargs="+", metavar="TARGET", help=f"all, or some of: {', '.join(TARGETS)}"
    )
    parser.add_argument("--minutes", type=float, default=5.0, help="for each target [5]")
    parser.add_argument(
        "--folder", type=Path, help="where corpora and findings are kept [a new temporary one]"
    )
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn by chance [1]")
    parser.add_argument("--reproduce", type=Path, metavar="FILE", help="try one input, and end")
    options = parser.parse_args()
    if options.targets == ["all"]:
        options.targets = list(PROMISED)
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    return options


def _show(outcome: Outcome) -> None:
    count = len(outcome.findings)
    print(
        f"{outcome.target}: {outcome.executions:,} executions in {outcome.minutes:.1f} minutes, "
        f"{count} {'finding' if count == 1 else 'findings'}",
        flush=True,
    )
    for file in outcome.findings:
        print(f"  python -m fuzzing {outcome.target} --reproduce {file}", flush=True)
    record(
        "fuzzing",
        target=outcome.target,
        executions=outcome.executions,
        minutes=round(outcome.minutes, 2),
        findings=count,
    )


if __name__ == "__main__":
    raise SystemExit(main())
