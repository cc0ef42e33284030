"""The picture of hit rates against training time."""

import csv
import shutil
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from .evaluate import CUTS

_COLOURS = {1: "#9ecae1", 5: "#4292c6", 10: "#08519c"}
_TEACHER = {1: 29.0, 5: 58.6, 10: 71.9}
"""Percent, of the teacher with both its own towers."""


def plot_curve(source: Path, table: Path, picture: Path) -> None:
    """Copy the curve in `source` to `table` and draw it into `picture`."""
    shutil.copy(source, table)
    with source.open(newline="") as file:
        rows = list(csv.DictReader(file))
    minutes = [float(row["minutes"]) for row in rows]
    figure, axes = plt.subplots(figsize=(8, 4.6), dpi=144, layout="constrained")
    for k in CUTS:
        hits = [float(row[f"hit_rate@{k}_percent"]) for row in rows]
        axes.plot(minutes, hits, color=_COLOURS[k], marker="o", markersize=3.5, linewidth=2)
        axes.annotate(
            f"hit_rate@{k}  {hits[-1]:.1f} %",
            (minutes[-1], hits[-1]),
            xytext=(8, 0),
            textcoords="offset points",
            color=_COLOURS[k],
            va="center",
            fontweight="bold",
        )
    _mark_sides(axes, minutes, [row["side_px"] for row in rows])
    _dress(axes, minutes[-1], max(hits))
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture)


def _mark_sides(axes: Axes, minutes: list[float], sides: list[str]) -> None:
    """Mark where the pictures got larger."""
    starts = [0.0]
    starts += [
        (minutes[i - 1] + minutes[i]) / 2 for i in range(1, len(sides)) if sides[i] != sides[i - 1]
    ]
    named = list(dict.fromkeys(sides))
    for start, side in zip(starts, named, strict=True):
        if start:
            axes.axvline(start, color="#bbbbbb", linewidth=0.8, linestyle=":")
        axes.annotate(
            f"{side} px",
            (start, 1),
            xycoords=("data", "axes fraction"),
            xytext=(4, -12),
            textcoords="offset points",
            color="#888888",
            fontsize=8,
        )


def _dress(axes: Axes, last: float, top: float) -> None:
    axes.set_title("pocket: text finds its picture among 1,000 (flickr8k-dev)", loc="left")
    axes.set_xlabel("minutes of training the image tower (two shared CPU cores)")
    axes.set_ylabel("queries answered within k, %")
    axes.set_xlim(0, last * 1.28)
    axes.set_ylim(0, top * 1.15)
    axes.grid(axis="y", color="#e8e8e8")
    axes.spines[["top", "right"]].set_visible(False)
    note = " / ".join(f"{_TEACHER[k]:.1f}" for k in CUTS)
    axes.text(
        0.99, 0.02, f"teacher {note} %", transform=axes.transAxes, ha="right", color="#888888"
    )
