"""`visionquery copy FROM TO`"""

import sys
from typing import Annotated

import typer

from visionquery.cli.options import JsonFlag, QuietFlag
from visionquery.cli.output import print_document, say
from visionquery.cli.session import stopping_in_order
from visionquery.copying import copy_library
from visionquery.present.health import copied_document, copied_lines
from visionquery.present.progress import copy_progress

__all__ = ["copy"]


def copy(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FROM", help="A library: its folder or address.", show_default=False
        ),
    ],
    to: Annotated[
        str,
        typer.Argument(
            metavar="TO",
            help="A folder or address where nothing is, or a copy of FROM, unfinished or older.",
            show_default=False,
        ),
    ],
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Copy a library to another place: a folder, postgresql:// or qdrant://, in any direction.

    Others may search FROM and write to it meanwhile. What is there already is not copied again: run
    it again after whatever stopped it, or to bring an older copy up to date. At the end everything
    is compared, vectors bit for bit. No picture is read, and no model needed.
    """
    with stopping_in_order(), copy_progress(sys.stderr, quiet=quiet) as on_progress:
        made = copy_library(source, to, on_progress=on_progress)
    if json:
        print_document(copied_document(made))
    elif not quiet:
        say("\n".join(copied_lines(made)))
