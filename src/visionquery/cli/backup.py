"""`visionquery backup TO`"""

import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from visionquery.cli.options import JsonFlag, LibraryOption, QuietFlag
from visionquery.cli.output import print_document, say
from visionquery.cli.session import open_library
from visionquery.present.health import backup_document, backup_line
from visionquery.present.progress import download_progress

__all__ = ["backup"]


def backup(
    to: Annotated[
        Path,
        typer.Argument(
            metavar="TO",
            help="A new or empty folder, or an older copy, which is brought up to date.",
            show_default=False,
        ),
    ],
    library: LibraryOption = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Copy the library to another folder, while others may read it and write to it.

    The copy is checked before it counts, and is a library of its own: --library TO.
    """
    start = time.monotonic()
    with (
        open_library(library=library, model="auto", create=False, quiet=quiet) as opened,
        download_progress(sys.stderr, quiet=quiet) as on_progress,
    ):
        made = opened.backup(to, on_progress=on_progress)
    seconds = time.monotonic() - start
    if json:
        print_document(backup_document(made, seconds))
    elif not quiet:
        say(backup_line(made, seconds))
