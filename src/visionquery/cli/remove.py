"""`visionquery remove PATH…`"""

from typing import Annotated

import typer

from visionquery.cli.options import PLACE, JsonFlag, LibraryOption, QuietFlag
from visionquery.cli.output import print_document, say
from visionquery.cli.session import open_library
from visionquery.present.text import count

__all__ = ["remove"]


def remove(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH",
            help="Indexed folders or files.",
            show_default=False,
            click_type=PLACE,
        ),
    ],
    library: LibraryOption = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Forget folders or files. The library alone changes, never the pictures."""
    with open_library(library=library, model="auto", create=False, quiet=quiet) as opened:
        removed = opened.remove(*paths)
        images = opened.status().images
    if json:
        print_document({"removed": removed.images, "files": removed.files, "images": images})
    elif not quiet:
        went = count(removed.images, "image") if removed.images else "no image"
        say(
            f"Forgot {count(removed.files, 'file')} and with them {went}; "
            f"the library holds {count(images, 'image')}."
        )
