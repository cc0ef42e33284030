"""`visionquery index PATH…`"""

from pathlib import Path
from typing import Annotated

import typer

from visionquery.cli.options import JsonFlag, LibraryOption, ModelOption, QuietFlag
from visionquery.cli.output import print_document, say
from visionquery.cli.session import add_paths, open_library
from visionquery.indexing.report import IndexReport
from visionquery.present.text import count, duration, escaped

__all__ = ["index"]


def index(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Folders or pictures.", show_default=False)
    ],
    library: LibraryOption = None,
    model: ModelOption = None,
    moved_from: Annotated[
        Path | None,
        typer.Option(
            "--moved-from",
            metavar="OLD",
            help="PATH is the indexed folder OLD at its new place; nothing is encoded again.",
            show_default=False,
        ),
    ] = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Bring the library up to date with folders: only what is new or changed is encoded.

    Pictures stay where they are. Files that are gone leave the library; a folder that is not
    there now (an unplugged disk) keeps its images.
    """
    with open_library(library=library, model=model, create=True, quiet=quiet) as opened:
        if moved_from is not None:
            opened.move_root(moved_from, paths[0])
        report = add_paths(opened, paths, quiet=quiet)
    if json:
        from visionquery.present.documents import index_document

        print_document(index_document(report))
    elif not quiet:
        say(summary(report))


def summary(report: IndexReport) -> str:
    """Return what a run did, in a few lines for a person."""
    lines = [f"skipped {escaped(item.path)}: {item.reason}" for item in report.skipped]
    lines += report.notes
    if report.encoded:
        lines.append(
            f"Encoded {count(report.encoded, 'image')} in {duration(report.seconds)} "
            f"({report.images_per_second:.1f} images/s)."
        )
    else:
        lines.append("Nothing to encode: everything here is known already.")
    changes = [
        f"{number:,} {word}"
        for number, word in (
            (report.updated, "changed"),
            (report.reused, "recognised by content"),
            (report.removed, "gone"),
            (len(report.skipped), "skipped"),
        )
        if number
    ]
    total = f"The library holds {count(report.images, 'image')}"
    lines.append(f"{total} ({', '.join(changes)})." if changes else f"{total}.")
    return "\n".join(lines)
