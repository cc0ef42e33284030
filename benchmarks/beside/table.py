"""The figures as one table of plain text."""

import math
import statistics
from collections.abc import Sequence

from benchmarks.beside.engine import OURS
from benchmarks.beside.measure import Figures

__all__ = ["print_table"]

_HEAD = (
    "engine", "best ms", "p50 ms", "p95 ms", "x ours", "recall@20", "build s", "add 100 ms",
    "open ms", "disk MiB", "resident MiB", "own MiB",
)  # fmt: skip
_MEANING = """
best: a tenth of the answers are faster; where p50 is far above it, an engine's threads wait for
each other on a busy machine. x ours: p50 to p50. *: adding writes the whole file anew. ~: it does
not wait for the disk. open: import, open or load, and a first answer in a new process, files in
the system's cache. resident: as the system counts it, with files that are mapped; own: without
them."""
_MIB = 2**20


def print_table(everything: Sequence[Figures], floors: dict[str, float]) -> None:
    """Print one line per engine, the fastest first, then those without figures, the floors of
    reading (milliseconds by name), and what the columns mean."""
    measured = sorted((each for each in everything if not each.reason), key=_median)
    ours = next((_median(each) for each in measured if each.choice.name == OURS), math.nan)
    lines = [_HEAD, *(_line(each, ours) for each in measured)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEAD))]
    name_width = max(widths[0], *(len(name) for name in floors), *map(_name_width, everything))
    for line in lines:
        right = (cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))
        print(line[0].ljust(name_width), *right, sep="  ")
    for name, milliseconds in floors.items():
        figure, ratio = f"{milliseconds:.2f}", _ratio(milliseconds / ours)
        cells = (figure.rjust(widths[1]), " " * widths[2], " " * widths[3], ratio.rjust(widths[4]))
        print(name.ljust(name_width), *cells, sep="  ")
    for each in everything:
        if each.reason:
            print(each.choice.name.ljust(name_width), each.reason, sep="  ")
    _print_notes(measured)


def _name_width(figures: Figures) -> int:
    return len(figures.choice.name)


def _line(figures: Figures, ours: float) -> tuple[str, ...]:
    mark = "*" if figures.choice.rewrites else " " if figures.choice.syncs else "~"
    opened = sum(figures.opened.values())
    return (
        figures.choice.name,
        f"{1e3 * statistics.quantiles(figures.searches, n=10)[0]:.2f}",
        f"{_median(figures):.2f}",
        f"{1e3 * statistics.quantiles(figures.searches, n=20)[-1]:.2f}",
        _ratio(_median(figures) / ours),
        f"{statistics.mean(figures.recalls):.4f}",
        f"{figures.build_seconds:.1f}",
        f"{1e3 * statistics.median(figures.add_seconds):.1f}{mark}",
        f"{1e3 * opened:.0f}",
        f"{figures.disk_bytes / _MIB:.0f}",
        f"{figures.memory['resident_bytes'] / _MIB:.0f}",
        f"{figures.memory['own_bytes'] / _MIB:.0f}",
    )


def _print_notes(measured: Sequence[Figures]) -> None:
    print(_MEANING)
    for each in measured:
        effort = "" if each.effort is None else f": {each.effort}"
        few = "" if len(each.searches) > 100 else f" ({len(each.searches)} searches)"
        print(f"  {each.choice.name}: {each.choice.settings}{effort}{few}")


def _median(figures: Figures) -> float:
    return 1e3 * statistics.median(figures.searches)


def _ratio(ratio: float) -> str:
    return "" if math.isnan(ratio) else f"{ratio:.2f}"
