"""`visionquery similar IMAGE`"""

from pathlib import Path
from typing import Annotated

import typer

from visionquery.cli.answers import answer
from visionquery.cli.options import JsonFlag, LibraryOption, ModelOption, QuietFlag
from visionquery.cli.session import open_library

__all__ = ["similar"]


def similar(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="A picture file, or an image id.")],
    library: LibraryOption = None,
    model: ModelOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Results at most.")] = 20,
    offset: Annotated[int, typer.Option(min=0, help="Results to leave out first.")] = 0,
    within: Annotated[
        list[Path] | None,
        typer.Option("--in", metavar="PATH", help="Answer from this folder; may be repeated."),
    ] = None,
    json: JsonFlag = False,
    null: Annotated[
        bool, typer.Option("--print0", "-0", help="Raw paths, each ended by a NUL character.")
    ] = False,
    quiet: QuietFlag = False,
) -> None:
    """Find pictures that look like one, which itself is left out."""
    with open_library(library=library, model=model, create=False, quiet=quiet) as opened:
        response = opened.similar(image, limit=limit, offset=offset, within=within or [])
    answer(response, json=json, null=null, quiet=quiet)
