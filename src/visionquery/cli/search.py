"""`visionquery search QUERY [PATH…]`"""

from pathlib import Path
from typing import Annotated

import typer

from visionquery.cli.answers import answer
from visionquery.cli.options import (
    JsonFlag,
    LibraryOption,
    LimitOption,
    ModelOption,
    NullFlag,
    OffsetOption,
    QuietFlag,
)
from visionquery.cli.output import say
from visionquery.cli.session import add_paths, open_for
from visionquery.errors import LibraryBusyError, LibraryReadOnlyError
from visionquery.library import Library
from visionquery.opening import check_pictures
from visionquery.present.text import count
from visionquery.query.grammar import parse
from visionquery.search.result import Response

__all__ = ["search"]


def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for.")],
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH", help="Answer from these folders alone.", show_default=False
        ),
    ] = None,
    library: LibraryOption = None,
    model: ModelOption = None,
    limit: LimitOption = 20,
    offset: OffsetOption = 0,
    min_confidence: Annotated[
        float | None,
        typer.Option(
            min=0, max=1, help="Where relevance ends, 0..1; 0 shows all.", show_default=False
        ),
    ] = None,
    no_index: Annotated[
        bool, typer.Option("--no-index", help="Answer from what is indexed already.")
    ] = False,
    json: JsonFlag = False,
    null: NullFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Find pictures by what they show.

    With PATH the folders are brought up to date first, then searched; without, the whole
    library is. QUERY: plain words; "quoted words"; -word; OR, AND, NOT and parentheses;
    2:word for weight; image:FILE, like:ID; path:, date:, ext:, width:, height:.
    """
    node = parse(query)
    check_pictures(node)
    update = [] if no_index else paths or []
    with open_for(update, library=library, model=model, quiet=quiet) as opened:
        places = _updated(opened, update, quiet=quiet) if update else paths or []
        if paths and not places:
            response = _nothing(query, opened)
        else:
            response = opened.search(
                node, text=query, limit=limit, offset=offset, within=places,
                min_confidence=min_confidence,
            )  # fmt: skip
    answer(response, json=json, null=null, quiet=quiet)


def _updated(library: Library, paths: list[Path], *, quiet: bool) -> list[Path]:
    """Bring paths up to date; return those that are in the library now, as a folder without
    pictures is not."""
    _update(library, paths, quiet=quiet)
    return [path for path in paths if library.covers(path)]


def _nothing(query: str, library: Library) -> Response:
    return Response(query, library.status().model, True, 0.0, (), (), 0)


def _update(library: Library, paths: list[Path], *, quiet: bool) -> None:
    try:
        report = add_paths(library, paths, quiet=quiet)
    except (LibraryBusyError, LibraryReadOnlyError) as error:
        if not quiet:
            say(f"{error} Answering from what is indexed already.")
        return
    if not quiet:
        for sentence in report.notes:
            say(sentence)
        if report.encoded:
            say(f"Encoded {count(report.encoded, 'new image')}.")
        if report.skipped:
            say(f"Skipped {count(len(report.skipped), 'file')}; visionquery index says why.")
