"""How a response leaves the process, the same for every command that searches."""

import sys

import typer

from visionquery.cli.output import on_terminal, print_document, print_lines, print_paths, say
from visionquery.errors import InputError
from visionquery.present.text import count, printable
from visionquery.query.ast import Node
from visionquery.search.result import Hit, Response

__all__ = ["answer", "check_form", "show_first", "show_query"]

_CLOSEST_SHOWN = 3


def check_form(*, json: bool, null: bool, explain: bool = False) -> None:
    """Raise InputError where no form of output has all that is asked for."""
    if json and null:
        raise InputError("--json and --print0 are two forms of one answer; give one of them.")
    if explain and not json and (null or not on_terminal()):
        raise InputError("A list of paths has no room for --explain; add --json to it.")


def show_query(query: str, node: Node, *, json: bool) -> None:
    """Write how a query is read."""
    from visionquery.query.wording import explain, unparse

    if json:
        from visionquery.present.documents import query_document

        print_document(query_document(query, node))
    else:
        print_lines(f"{printable(unparse(node))}\n\n{explain(node)}")


def show_first(response: Response) -> None:
    """Write what is found so far, where a better answer is on its way."""
    if response:
        _show(response.hits)


def answer(response: Response, *, json: bool, null: bool, quiet: bool) -> None:
    """Write a response and exit: 0 with hits, 1 without."""
    if json:
        from visionquery.present.documents import search_document

        print_document(search_document(response))
    elif null or not on_terminal():
        # A file that holds several of the pictures found comes once.
        paths = dict.fromkeys(hit.path for hit in response if hit.path is not None)
        print_paths(list(paths), null=null)
    elif response:
        if response.reranked_by and not quiet:
            say(f"Refined by {response.reranked_by}:")
        _show(response.hits)
    if response.not_reranked and not json and not quiet:
        say(
            f"{count(response.not_reranked, 'picture')} could not be looked at again: gone or "
            "changed since indexed."
        )
    if not response.exact and not json and not quiet:
        say("Not every picture was compared, to save time; --exact compares them all.")
    if response and not json and not quiet and all(hit.placed == "unsure" for hit in response):
        say(
            "Where things are cannot be told in these pictures: they lie too close together, or "
            "have no regions yet (visionquery index PATH --regions)."
        )
    if not response and not json and not quiet:
        _say_nothing_found(response, as_table=on_terminal() and not null)
    raise typer.Exit(0 if response else 1)


def _show(hits: tuple[Hit, ...]) -> None:
    from visionquery.present.tables import hits_table, print_table

    print_table(hits_table(hits), sys.stdout)


def _say_nothing_found(response: Response, *, as_table: bool) -> None:
    if response.total:
        say(f"The answer ends before --offset: {count(response.total, 'image')} in all.")
        return
    if not response.closest:
        say("Nothing was found.")
        return
    say("Nothing here matches well enough. The closest, probably not what you meant:")
    if as_table:
        _show(response.closest[:_CLOSEST_SHOWN])
    else:
        for hit in response.closest[:_CLOSEST_SHOWN]:
            say(f"  {hit.confidence * 100:3.0f} %  {hit.path}")
