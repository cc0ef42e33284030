"""Answers for a terminal: aligned, coloured quietly, paths that can be clicked."""

import os
from collections.abc import Sequence
from itertools import compress
from pathlib import Path
from typing import TextIO

from rich.console import Console, Group
from rich.markup import escape
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

from visionquery.present.explanations import certainty, summary
from visionquery.present.text import escaped, fragment_text, printable
from visionquery.query.ast import Box
from visionquery.search.result import Hit, Part
from visionquery.types import is_address

__all__ = ["hits_table", "print_parts", "print_rows", "print_table"]


def print_table(table: Table, stream: TextIO) -> None:
    """Print a table to a terminal, as wide as it is."""
    Console(file=stream, highlight=False).print(table)


def hits_table(hits: Sequence[Hit]) -> Table:
    """Return hits as a table of rank, confidence, picture and what is known of it.

    A column that says nothing is left out: confidence where no vector was compared, the time
    where no picture has one, where in them it was found where no part of one was. What explains
    a hit stands on a line below it, and how many alike ones are folded into it in a column of its
    own.
    """
    compared = any(hit.score is not None for hit in hits)
    dated = any(hit.taken_at for hit in hits)
    found = any(hit.box for hit in hits)
    folds = any(hit.folded for hit in hits)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("#", justify="right", no_wrap=True)
    if compared:
        table.add_column("confidence", no_wrap=True)
    table.add_column("picture", overflow="fold")
    if found:
        table.add_column("found", style="dim", no_wrap=True)
    if dated:
        table.add_column("taken", style="dim", no_wrap=True)
    table.add_column("size", style="dim", no_wrap=True)
    if folds:
        table.add_column("alike", no_wrap=True)
    for hit in hits:
        meter = [_meter(hit.confidence)] if compared else []
        date = [(hit.taken_at or "").replace("T", " ")[:16]] if dated else []
        where = [_place_in(hit.box) if hit.box else ""] if found else []
        alike = [f"+{len(hit.folded)}" if hit.folded else ""] if folds else []
        place = Group(_place(hit), *_explained(hit))
        size = f"{hit.width}×{hit.height}"
        table.add_row(str(hit.rank), *meter, place, *where, *date, size, *alike)
    return table


def _explained(hit: Hit) -> list[Padding]:
    """The parts of a hit in lines of their own, if they are known, set off to the right."""
    line = Text(summary(hit.parts), style="italic dim")
    return [Padding(line, (0, 0, 0, 2), expand=False)] if hit.parts else []


def _meter(confidence: float) -> Text:
    """A bar that can be read without colours, and the percent."""
    filled = round(confidence * 8)
    style = "green" if confidence >= 0.6 else "yellow" if confidence >= 0.3 else "dim"
    return Text.assemble(
        ("━" * filled, style), ("─" * (8 - filled), "dim"), f" {confidence * 100:3.0f} %"
    )


def _place_in(box: Box) -> str:
    """Where in a picture a part of it lies, by thirds: "bottom right", "left", "middle"."""
    down = ("top", "", "bottom")[_third(box.top + box.height / 2)]
    across = ("left", "", "right")[_third(box.left + box.width / 2)]
    return f"{down} {across}".strip() or "middle"


def _third(share: float) -> int:
    return min(2, max(0, int(3 * share / 100)))


def _place(hit: Hit) -> Text:
    """The path, folder dim and name bright, linking to the file; others only counted."""
    if hit.path is None:
        return Text(hit.image_id)
    text = Text(overflow="fold")
    folder, name = _apart(hit.path)
    text.append(escaped(folder), style="dim")
    text.append(escaped(name), style="bold")
    if hit.fragment:
        text.append(f"  {fragment_text(hit.fragment)}")
    text.stylize(f"link {Path(hit.path).as_uri()}" if _linkable(hit.path) else "")
    if len(hit.paths) > 1:
        text.append(f"  +{len(hit.paths) - 1}", style="dim")
    return text


def _apart(place: str) -> tuple[str, str]:
    """Return the folder of a file as it is shown, with its last separator, and the name."""
    if is_address(place):
        folder, mark, name = place.rpartition("/")
        return folder + mark, name
    shown = Path(_shortened(place))
    return "" if str(shown.parent) == "." else f"{shown.parent}{os.sep}", shown.name


def _linkable(path: str) -> bool:
    return Path(path).is_absolute() and not any(0xDC80 <= ord(c) <= 0xDCFF for c in path)


def _shortened(path: str) -> str:
    """Relative to the current folder or the home folder where that is shorter to read."""
    for base, prefix in ((Path.cwd(), ""), (Path.home(), f"~{os.sep}")):
        if Path(path).is_relative_to(base):
            return prefix + str(Path(path).relative_to(base))
    return path


def print_parts(parts: Sequence[Part], stream: TextIO) -> None:
    """Print the parts of a query, and what is found of each in an image: lines with tabs (part,
    whether it is wanted, how much is found, cosine, words) and on a terminal a table, in which
    a column that says nothing is left out."""
    if not stream.isatty():
        rows = [(*_wish(part), certainty(part), *_facts(part)) for part in parts]
        stream.writelines("\t".join(row) + "\n" for row in rows)
        return
    columns = (
        Column("part of the query", overflow="fold"),
        Column("wanted", no_wrap=True),
        Column("found", no_wrap=True),
        Column("cosine", style="dim", justify="right", no_wrap=True),
        Column("words found", overflow="fold"),
    )
    cells = [
        (*map(Text, _wish(part)), _certainty(part), *map(Text, _facts(part))) for part in parts
    ]
    said = [any(column) for column in zip(*cells, strict=True)]
    table = Table(*compress(columns, said), box=None, pad_edge=False, header_style="dim")
    for row in cells:
        table.add_row(*compress(row, said))
    print_table(table, stream)


def _wish(part: Part) -> tuple[str, str]:
    return printable(part.text), "no" if part.excluded else "yes"


def _certainty(part: Part) -> Text:
    return Text(certainty(part)) if part.kind == "filter" else _meter(part.confidence)


def _facts(part: Part) -> tuple[str, str]:
    """The cosine and the words found, each empty where there is none."""
    cosine = "" if part.score is None else f"{part.score:.3f}"
    return cosine, ", ".join(map(printable, part.words))


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
