"""`visionquery status`"""

import sys

from visionquery.cli.options import JsonFlag, LibraryOption, QuietFlag
from visionquery.cli.output import print_document, print_lines
from visionquery.cli.session import open_library
from visionquery.indexing.status import LibraryStatus
from visionquery.present.text import count, escaped, size

__all__ = ["status"]


def status(library: LibraryOption = None, json: JsonFlag = False, quiet: QuietFlag = False) -> None:
    """Tell what the library holds, by which model, and which folders are there now."""
    with open_library(library=library, model="auto", create=False, quiet=quiet) as opened:
        found = opened.status()
    if json:
        from visionquery.present.documents import status_document

        print_document(status_document(found))
    else:
        _show(found)


def _show(found: LibraryStatus) -> None:
    from visionquery.present.tables import print_rows

    print_lines(
        f"{escaped(found.location)}\n{count(found.images, 'image')}, {size(found.size_bytes)}, "
        f"model {found.model} ({found.embed_dim} dimensions)"
    )
    if found.reencoding is not None:
        move = found.reencoding
        print_lines(
            f"moving to the model {move.model}: {move.done:,} of {count(move.images, 'image')} "
            f"encoded; go on with: visionquery index --reencode --model {escaped(move.source)}"
        )
    rows = [
        (
            escaped(root.location),
            f"{root.files:,}",
            f"{root.skipped:,}",
            "yes" if root.present else "no (its images are kept)",
        )
        for root in found.roots
    ]
    if rows:
        print_lines("")
        print_rows(("folder", "pictures", "skipped", "there now"), rows, sys.stdout)
