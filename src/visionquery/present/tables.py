"""Answers for a terminal: aligned, coloured quietly, paths that can be clicked."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from visionquery.present.explanations import summary
from visionquery.present.text import escaped
from visionquery.search.result import Hit

__all__ = ["hits_table", "print_rows", "print_table"]


def print_table(table: Table, stream: TextIO) -> None:
    """Print a table to a terminal, as wide as it is."""
    Console(file=stream, highlight=False).print(table)


def hits_table(hits: Sequence[Hit]) -> Table:
    """Return hits as a table of rank, confidence, picture and what is known of it.

    A column that says nothing is left out: confidence where no vector was compared, the time
    where no picture has one. What explains a hit stands on a line below it.
    """
    compared = any(hit.score is not None for hit in hits)
    dated = any(hit.taken_at for hit in hits)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("#", justify="right", no_wrap=True)
    if compared:
        table.add_column("confidence", no_wrap=True)
    table.add_column("picture", overflow="fold")
    if dated:
        table.add_column("taken", style="dim", no_wrap=True)
    table.add_column("size", style="dim", no_wrap=True)
    for hit in hits:
        meter = [_meter(hit.confidence)] if compared else []
        date = [(hit.taken_at or "").replace("T", " ")[:16]] if dated else []
        place = _place(hit)
        if hit.parts:
            place = Text("\n").join([place, Text(f"  {summary(hit.parts)}", style="italic dim")])
        table.add_row(str(hit.rank), *meter, place, *date, f"{hit.width}×{hit.height}")
    return table


def _meter(confidence: float) -> Text:
    filled = round(confidence * 8)
    style = "green" if confidence >= 0.6 else "yellow" if confidence >= 0.3 else "dim"
    return Text.assemble(
        ("━" * filled, style), ("━" * (8 - filled), "dim"), f" {confidence * 100:3.0f} %"
    )


def _place(hit: Hit) -> Text:
    """The path, folder dim and name bright, linking to the file; others only counted."""
    if hit.path is None:
        return Text(hit.image_id)
    shown = Path(_shortened(hit.path))
    text = Text(overflow="fold")
    if str(shown.parent) != ".":
        text.append(escaped(f"{shown.parent}{os.sep}"), style="dim")
    text.append(escaped(shown.name), style="bold")
    text.stylize(f"link {Path(hit.path).as_uri()}" if _linkable(hit.path) else "")
    if len(hit.paths) > 1:
        text.append(f"  +{len(hit.paths) - 1}", style="dim")
    return text


def _linkable(path: str) -> bool:
    return Path(path).is_absolute() and not any(0xDC80 <= ord(c) <= 0xDCFF for c in path)


def _shortened(path: str) -> str:
    """Relative to the current folder or the home folder where that is shorter to read."""
    for base, prefix in ((Path.cwd(), ""), (Path.home(), f"~{os.sep}")):
        if Path(path).is_relative_to(base):
            return prefix + str(Path(path).relative_to(base))
    return path


def print_rows(names: Sequence[str], rows: Sequence[Sequence[str]], stream: TextIO) -> None:
    """Print rows under headings on a terminal, as lines with tabs elsewhere."""
    if not stream.isatty():
        stream.writelines("\t".join(row) + "\n" for row in rows)
        return
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in names[:-1]:
        table.add_column(name, no_wrap=True)
    table.add_column(names[-1], overflow="fold")
    for row in rows:
        table.add_row(*map(escape, row))
    print_table(table, stream)
