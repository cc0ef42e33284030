"""`visionquery search QUERY [PATH…]`"""

from typing import Annotated

import typer

from visionquery.cli.answers import answer, check_form, show_query
from visionquery.cli.options import (
    PLACE,
    ExactFlag,
    FoldFlag,
    JsonFlag,
    LibraryOption,
    LimitOption,
    MinConfidenceOption,
    ModelOption,
    NullFlag,
    OffsetOption,
    Order,
    QueryArgument,
    QuietFlag,
)
from visionquery.cli.output import say
from visionquery.cli.session import add_paths, open_for
from visionquery.errors import InputError, LibraryBusyError, LibraryReadOnlyError
from visionquery.library import Library
from visionquery.opening import check_pictures
from visionquery.present.text import count
from visionquery.query.grammar import parse
from visionquery.search.result import DEFAULT_MIN_CONFIDENCE, Response

__all__ = ["search"]


_PathsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="PATH",
        help="Answer from these folders alone.",
        show_default=False,
        click_type=PLACE,
    ),
]
_SortOption = Annotated[
    Order | None,
    typer.Option(
        "--sort",
        metavar="relevance|date|path",
        help="Order of the answer; date (newest first) and path order only what is relevant. "
        "[default: relevance; date for a query of filters alone]",
        show_default=False,
    ),
]
_AllFlag = Annotated[
    bool,
    typer.Option(
        "--all", help="Do not end where relevance ends: everything, in order (--min-confidence 0)."
    ),
]
_SpreadFlag = Annotated[
    bool,
    typer.Option(
        "--spread",
        help="Show different pictures first: the best sixty in an order in which what comes "
        "together is not alike.",
    ),
]
_NoIndexFlag = Annotated[
    bool, typer.Option("--no-index", help="Answer from what is indexed already.")
]
_ExplainFlag = Annotated[
    bool,
    typer.Option(
        "--explain",
        help="Show what each part of the query has to do with each picture: in the table of a "
        "terminal, and with --json.",
    ),
]
_ExplainQueryFlag = Annotated[
    bool,
    typer.Option(
        "--explain-query", help="Show how the query is read; nothing is indexed or searched."
    ),
]


def search(
    query: QueryArgument,
    paths: _PathsArgument = None,
    library: LibraryOption = None,
    model: ModelOption = None,
    limit: LimitOption = 20,
    offset: OffsetOption = 0,
    sort: _SortOption = None,
    min_confidence: MinConfidenceOption = None,
    everything: _AllFlag = False,
    explain: _ExplainFlag = False,
    explain_query: _ExplainQueryFlag = False,
    no_index: _NoIndexFlag = False,
    exact: ExactFlag = None,
    fold: FoldFlag = False,
    spread: _SpreadFlag = False,
    json: JsonFlag = False,
    null: NullFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Find pictures by what they show.

    With PATH the folders are brought up to date first, then searched; without, the whole
    library is. QUERY: plain words, with "without" and "no" as they are meant; "quoted words";
    -word; OR, AND, NOT and parentheses; 2:word for weight; image:FILE, like:ID,
    concept:NAME; more:ID and less:ID say what is meant; path:, ext:, date:, width:, height:,
    orientation:, camera:, near:, keyword:, text:.
    """
    node = parse(query)
    if explain_query:
        show_query(query, node, json=json)
        return
    check_form(json=json, null=null, explain=explain)
    least = _least(min_confidence, everything=everything)
    check_pictures(node)
    update = [] if no_index else paths or []
    with open_for(update, library=library, model=model, quiet=quiet) as opened:
        places = _updated(opened, update, quiet=quiet) if update else paths or []
        if paths and not places:
            response = _nothing(query, opened, least)
        else:
            response = opened.search(
                node, text=query, limit=limit, offset=offset, within=places, explain=explain,
                sort=sort.value if sort else None, min_confidence=least, exact=exact,
                fold=fold, spread=spread,
            )  # fmt: skip
    answer(response, json=json, null=null, quiet=quiet)


def _least(min_confidence: float | None, *, everything: bool) -> float:
    if not everything:
        return DEFAULT_MIN_CONFIDENCE if min_confidence is None else min_confidence
    if min_confidence is not None:
        raise InputError("--all is --min-confidence 0; give one of them.")
    return 0.0


def _updated(library: Library, paths: list[str], *, quiet: bool) -> list[str]:
    """Bring paths up to date; return those that are in the library now, as a folder without
    pictures is not."""
    _update(library, paths, quiet=quiet)
    return [path for path in paths if library.covers(path)]


def _nothing(query: str, library: Library, least: float) -> Response:
    return Response(query, library.status().model, True, 0.0, (), (), 0, least)


def _update(library: Library, paths: list[str], *, quiet: bool) -> None:
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
