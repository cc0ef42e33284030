"""`visionquery search QUERY [PATH…]`"""

from collections.abc import Callable
from functools import partial
from typing import Annotated

import typer

from visionquery.cli.answers import answer, check_form, show_first, show_query
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
from visionquery.cli.output import on_terminal, say
from visionquery.cli.session import add_paths, looking, open_for
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
_RerankOption = Annotated[
    str | None,
    typer.Option(
        "--rerank",
        metavar="NAME|DIR",
        help="A larger model that looks at the best pictures once more; what it sees is kept.",
        show_default=False,
    ),
]
_CandidatesOption = Annotated[
    int | None,
    typer.Option(
        help="How many of the best --rerank looks at, 24 to 200 (default 100).",
        show_default=False,
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
    rerank: _RerankOption = None,
    candidates: _CandidatesOption = None,
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
    least, look = _least(min_confidence, everything=everything), _second_look(rerank, candidates)
    check_pictures(node)
    update = [] if no_index else paths or []
    with open_for(update, library=library, model=model, quiet=quiet) as opened:
        ask = partial(
            opened.search, node, text=query, limit=limit, offset=offset, explain=explain, fold=fold,
            sort=sort.value if sort else None, min_confidence=least, exact=exact, spread=spread,
        )  # fmt: skip
        places = _updated(opened, update, quiet=quiet) if update else paths or []
        response = _nothing(query, opened, least) if paths and not places else _answered(
            ask, places, look, is_plain=json or null, quiet=quiet
        )  # fmt: skip
    answer(response, json=json, null=null, quiet=quiet)


def _second_look(rerank: str | None, candidates: int | None) -> dict[str, str | int]:
    """Return what is wanted of a second look, nothing where none is."""
    if rerank is None:
        if candidates is not None:
            raise InputError(
                "--candidates are those that --rerank MODEL looks at; give a model too."
            )
        return {}
    return {"rerank": rerank} | ({} if candidates is None else {"candidates": candidates})


def _answered(
    ask: Callable[..., Response],
    places: list[str],
    look: dict[str, str | int],
    *,
    is_plain: bool,
    quiet: bool,
) -> Response:
    """Return the answer, after a second look where one is wanted. A person sees the first one until
    then, and keeps it where they do not wait."""
    if not look:
        return ask(within=places)
    first = ask(within=places) if on_terminal() and not is_plain else None
    if first is not None:
        show_first(first)
    try:
        with looking(quiet=quiet) as on_look:
            return ask(within=places, on_look=on_look, **look)
    except KeyboardInterrupt:
        if first is None:
            raise
        if not quiet:
            say("Stopped looking; what was seen is kept.")
        raise typer.Exit(0 if first else 1) from None


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
