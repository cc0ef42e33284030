"""`visionquery status`"""

import shlex
import sys
from typing import Annotated

import typer

from visionquery.cli.options import JsonFlag, LibraryOption, QuietFlag
from visionquery.cli.output import on_terminal, print_document, print_lines, say
from visionquery.cli.session import open_library
from visionquery.indexing.status import LibraryStatus
from visionquery.present.text import count, escaped, size

__all__ = ["status"]


def status(
    library: LibraryOption = None,
    scan: Annotated[
        bool,
        typer.Option(
            "--scan/--no-scan",
            help="Look at the folders, by names, sizes and times, for what is new, changed, "
            "missing or broken (default), or tell only what is known of them.",
            show_default=False,
        ),
    ] = True,
    broken: Annotated[
        bool, typer.Option("--broken", help="Name the files that cannot be used, and why.")
    ] = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Tell what the library holds, by which model, and how its folders differ from it now."""
    with open_library(library=library, model="auto", create=False, quiet=quiet) as opened:
        found = opened.status(look=scan or broken)
    if json:
        from visionquery.present.documents import status_document

        print_document(status_document(found))
        return
    _show(found, broken=broken)
    if not quiet:
        _advise(found, library, broken=broken)


def _show(found: LibraryStatus, *, broken: bool) -> None:
    from visionquery.present.holdings import broken_lines, root_fields, root_lines

    print_lines(
        f"{escaped(found.location)}\n{count(found.images, 'image')}, {size(found.size_bytes)}, "
        f"model {found.model} ({found.embed_dim} dimensions)"
    )
    if found.regions:
        print_lines(f"looked at in parts: {found.regions:,} of {count(found.images, 'image')}")
    if found.reencoding is not None:
        move = found.reencoding
        print_lines(
            f"moving to the model {move.model}: {move.done:,} of {count(move.images, 'image')} "
            f"encoded; go on with: visionquery index --reencode --model {escaped(move.source)}"
        )
    if found.copying_from is not None:
        places = f"{escaped(found.copying_from)} {escaped(found.location)}"
        print_lines(
            f"an unfinished copy of {escaped(found.copying_from)}; go on with: "
            f"visionquery copy {places}"
        )
    for root in found.roots:
        print_lines(f"\n{root_lines(root)}" if on_terminal() else "\t".join(root_fields(root)))
    if broken and (lines := broken_lines(found)):
        print_lines("\n" + "\n".join(lines))


def _advise(found: LibraryStatus, library: str | None, *, broken: bool) -> None:
    from visionquery.present.holdings import broken_lines, next_step

    sys.stdout.flush()
    if not broken and broken_lines(found):
        say("What cannot be used, and why: visionquery status --broken")
    options = f" --library {shlex.quote(library)}" if library else ""
    if step := next_step(found, options):
        say(step)
