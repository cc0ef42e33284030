"""Draw how cost grows, docs/images/growth-time.png and growth-memory.png, from what
`python -m benchmarks.growth --json FILE` wrote.

    python scripts/make_plots.py FILE

Needs matplotlib, which is no dependency of the package.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

try:
    import matplotlib as mpl
    from matplotlib import pyplot
except ImportError:
    sys.exit("make_plots.py needs matplotlib: pip install 'matplotlib>=3.9'")

FOLDER = Path(__file__).parents[1] / "docs" / "images"
COLOURS = ("#0b6bcb", "#c2410c", "#15803d", "#7c3aed", "#0e7490", "#be185d", "#57534e")
INK, GRID = "#292524", "#e7e5e4"
TIMES = {
    "command": "search command, whole",
    "remove one": "remove one image",
    "add one": "add one image",
    "search, camera": "search, new filter",
    "search": "search",
    "open": "open",
    "index": "index, each image",
}
SPACE = 0.042
"""Least distance of two labels, as a part of the axis."""

Point = tuple[int, float]
Curves = Mapping[str, Sequence[Point]]


def main() -> None:
    """Read the figures, and draw both plots."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("figures", type=Path, metavar="FILE")
    document = json.loads(parser.parse_args().figures.read_text("utf-8"))
    machine = document["machine"]
    about = f"{machine['processor']}, {machine['cores']} cores, vectors of {document['dim']}"
    mpl.rcParams.update({"font.family": "DejaVu Sans", "font.size": 13, "text.color": INK})
    mpl.rcParams.update({"lines.linewidth": 2.2, "lines.markersize": 5})
    draw("growth-time", "Time", times(document["sizes"]), about, as_time)
    draw("growth-memory", "Memory and disk", rooms(document["sizes"]), about, as_room)


def times(sizes: Sequence[Any]) -> Curves:
    """Return the seconds of each operation by number of images."""
    return {
        label: [
            (size["rows"], size["operations"][name]["median"])
            for size in sizes
            if name in size["operations"]
        ]
        for name, label in TIMES.items()
    }


def rooms(sizes: Sequence[Any]) -> Curves:
    """Return the bytes in memory and on disk by number of images."""
    curves: dict[str, Callable[[Any], float]] = {
        "disk: vectors": lambda size: size["disk"]["vectors"],
        "disk: codes": lambda size: size["disk"]["codes"],
        "disk: catalog": lambda size: size["disk"]["catalog"],
        "memory: mapped, ten searches": lambda size: size["memory"]["searched"]["mapped"],
        "memory: own, ten searches": lambda size: size["memory"]["searched"]["own"],
        "memory: own, opened": lambda size: size["memory"]["opened"]["own"],
    }
    return {
        label: [(size["rows"], value(size)) for size in sizes if value(size)]
        for label, value in curves.items()
    }


def draw(name: str, title: str, curves: Curves, about: str, tick: Callable[[float], str]) -> None:
    """Draw curves with their labels at their ends, and save the picture, 1,200 pixels wide."""
    drawn = {label: points for label, points in curves.items() if points}
    figure, axes = pyplot.subplots(figsize=(12, 7.2), dpi=100)
    figure.subplots_adjust(left=0.08, right=0.655, top=0.86, bottom=0.09)
    axes.set(xscale="log", yscale="log")
    for points, colour in zip(drawn.values(), COLOURS, strict=False):
        axes.plot(*zip(*points, strict=True), color=colour, marker="o", clip_on=False)
    _scale(axes, [point for points in drawn.values() for point in points], tick)
    _label(axes, drawn, tick)
    figure.text(0.012, 0.945, f"{title} by number of images", fontsize=19, weight="bold")
    figure.text(0.012, 0.905, about, fontsize=12, color="#78716c")
    figure.savefig(FOLDER / f"{name}.png", facecolor="white")
    pyplot.close(figure)


def as_time(seconds: float) -> str:
    """Return seconds to two digits, with a unit that fits."""
    return _in_words(seconds, {"s": 1.0, "ms": 1e-3, "µs": 1e-6})


def as_room(size_bytes: float) -> str:
    """Return bytes to two digits, with a unit that fits."""
    return _in_words(size_bytes, {"GB": 1e9, "MB": 1e6, "kB": 1e3, "B": 1.0})


def _in_words(value: float, units: Mapping[str, float]) -> str:
    fitting = [(unit, size) for unit, size in units.items() if value >= 0.999 * size]
    unit, size = fitting[0] if fitting else list(units.items())[-1]
    count = float(f"{value / size:.2g}")
    return f"{count:,.{1 if count < 10 and count % 1 else 0}f} {unit}"


def _scale(axes: Any, points: Sequence[Point], tick: Callable[[float], str]) -> None:
    rows, values = sorted({x for x, _ in points}), [y for _, y in points]
    low, high = math.floor(math.log10(0.9 * min(values))), math.ceil(math.log10(1.1 * max(values)))
    axes.set(xlim=(rows[0] / 1.25, rows[-1] * 1.12), ylim=(10.0**low, 10.0**high))
    axes.set_xticks(rows, [f"{x:,}" for x in rows])
    levels = [10.0**power for power in range(low, high + 1)]
    axes.set_yticks(levels, [tick(level) for level in levels])
    axes.minorticks_off()
    axes.grid(axis="y", color=GRID, linewidth=1)
    axes.tick_params(length=0, pad=8, labelcolor=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color("#a8a29e")
    axes.set_axisbelow(True)


def _label(axes: Any, drawn: Curves, in_words: Callable[[float], str]) -> None:
    """Write each curve's name and last value beside its end, apart from one another."""
    low, high = (math.log10(end) for end in axes.get_ylim())
    colours = dict(zip(drawn, COLOURS, strict=False))
    ends = sorted(drawn.items(), key=lambda curve: curve[1][-1][1])
    heights = [(math.log10(points[-1][1]) - low) / (high - low) for _, points in ends]
    for (name, points), place in zip(ends, _apart(heights), strict=True):
        axes.annotate(
            f"{name}, {in_words(points[-1][1])}", xy=points[-1], xytext=(1.04, place),
            textcoords="axes fraction", va="center", color=colours[name], annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colours[name], "linewidth": 1, "alpha": 0.6,
                        "shrinkA": 1, "shrinkB": 5},
        )  # fmt: skip


def _apart(places: Sequence[float]) -> list[float]:
    """Return rising places moved as little as is simple, so that none is too near the next."""
    moved = list(places)
    for _ in range(200):
        for i in range(1, len(moved)):
            lacking = SPACE - (moved[i] - moved[i - 1])
            if lacking > 0:
                moved[i - 1] -= lacking / 2
                moved[i] += lacking / 2
    return moved


if __name__ == "__main__":
    main()
