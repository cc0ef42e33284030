"""`visionquery similar IMAGE`"""

from typing import Annotated

import typer

from visionquery.cli.answers import answer, check_form
from visionquery.cli.options import (
    PLACE,
    ExactFlag,
    FoldFlag,
    JsonFlag,
    LibraryOption,
    LimitOption,
    ModelOption,
    NullFlag,
    OffsetOption,
    QuietFlag,
)
from visionquery.cli.session import open_library

__all__ = ["similar"]


def similar(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="A picture file, or an image id.")],
    library: LibraryOption = None,
    model: ModelOption = None,
    limit: LimitOption = 20,
    offset: OffsetOption = 0,
    within: Annotated[
        list[str] | None,
        typer.Option(
            "--in",
            metavar="PATH",
            help="Answer from this folder; may be repeated.",
            click_type=PLACE,
        ),
    ] = None,
    exact: ExactFlag = None,
    fold: FoldFlag = False,
    json: JsonFlag = False,
    null: NullFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Find pictures that look like one, which itself is left out."""
    check_form(json=json, null=null)
    with open_library(library=library, model=model, create=False, quiet=quiet) as opened:
        response = opened.similar(
            image, limit=limit, offset=offset, within=within or [], exact=exact, fold=fold
        )
    answer(response, json=json, null=null, quiet=quiet)
