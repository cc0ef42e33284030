"""The printed tables: time, stages, memory and disk by size, and how steep each curve is."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.growth.stages import STAGES
from benchmarks.quality.verdicts import target

__all__ = ["exponents", "judge", "print_tables"]

_STEEPEST = {
    "index": 0.1,
    "add one": 0.1,
    "remove one": 0.1,
    "open": 0.1,
    "search": 1.0,
    "search, camera": 1.0,
    "search, date": 1.0,
    "search, path": 1.0,
    "command": 1.0,
}
_NOISE = 0.1
"""How far a slope may be from what it should be: a fourth more time for ten times the images."""

_OPEN_SECONDS = 0.1
_COMMAND_SECONDS = 1.2
_LARGE = 1_000_000

Size = Mapping[str, Any]


def exponents(sizes: Sequence[Size]) -> dict[str, float]:
    """Return the slopes of log time against log size, between the two largest that have it."""
    found = {}
    for name in _STEEPEST:
        known = [size for size in sizes if name in size["operations"]][-2:]
        if len(known) == 2:
            few, many = (size["operations"][name]["median"] for size in known)
            found[name] = math.log(many / few) / math.log(known[1]["rows"] / known[0]["rows"])
    return found


def print_tables(sizes: Sequence[Size], dim: int) -> None:
    """Print all figures."""
    heads = [f"{size['rows']:,}" for size in sizes]
    names = list(dict.fromkeys(name for size in sizes for name in size["operations"]))
    _table(f"time, {dim} numbers each", heads, {
        name: [_time(size["operations"].get(name)) for size in sizes] for name in names
    })  # fmt: skip
    _table("of one search", heads, {
        name: [f"{_share(size, name):.0%}" for size in sizes] for name in STAGES
    })  # fmt: skip
    _table("memory, own + mapped files, MiB", heads, {
        name: [_mebibytes(size["memory"][name]) for size in sizes] for name in sizes[0]["memory"]
    })  # fmt: skip
    _table("disk, MiB", heads, {
        name: [f"{size['disk'][name] / 2**20:,.1f}" for size in sizes] for name in sizes[0]["disk"]
    })  # fmt: skip


def judge(sizes: Sequence[Size], slopes: Mapping[str, float]) -> None:
    """Print what was wanted beside what is."""
    print("slope between the two largest sizes")
    for name, slope in slopes.items():
        most = _STEEPEST[name]
        target(name, slope, _at_most(most + _NOISE), f"<= {most:g}, with noise {_NOISE:g}")
    for size in sizes:
        if size["rows"] == _LARGE:
            _judge_seconds(size["operations"])


def _judge_seconds(operations: Mapping[str, Any]) -> None:
    for name, most in (("open", _OPEN_SECONDS), ("command", _COMMAND_SECONDS)):
        if name in operations:
            seconds = operations[name]["median"]
            target(f"{name}, a million, seconds", seconds, _at_most(most), f"<= {most}")


def _at_most(most: float) -> Callable[[float], bool]:
    return lambda value: value <= most


def _table(title: str, heads: Sequence[str], lines: Mapping[str, Sequence[str]]) -> None:
    print(f"{title:32}" + "".join(f"{head:>16}" for head in heads))
    for name, cells in lines.items():
        print(f"  {name:30}" + "".join(f"{cell:>16}" for cell in cells))
    print()


def _share(size: Size, stage: str) -> float:
    return float(size["stages"][stage] / sum(size["stages"].values()))


def _mebibytes(held: Mapping[str, int]) -> str:
    return f"{held['own'] / 2**20:,.0f} + {held['mapped'] / 2**20:,.0f}"


def _time(runs: Mapping[str, float] | None) -> str:
    if runs is None:
        return ""
    milliseconds = 1e3 * runs["median"]
    return f"{milliseconds:,.{2 if milliseconds < 100 else 0}f} ms"
