"""`visionquery explain IMAGE QUERY`"""

import sys
from typing import Annotated

import typer

from visionquery.cli.options import (
    JsonFlag,
    LibraryOption,
    MinConfidenceOption,
    ModelOption,
    QueryArgument,
    QuietFlag,
)
from visionquery.cli.output import print_document, print_lines
from visionquery.cli.session import open_library
from visionquery.opening import check_pictures
from visionquery.query.grammar import parse

__all__ = ["explain"]


def explain(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="A picture file, or an image id.")],
    query: QueryArgument,
    library: LibraryOption = None,
    model: ModelOption = None,
    min_confidence: MinConfidenceOption = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Explain why a picture is, or is not, in the answer to a query.

    First whether it is; then each part of the query: whether it is wanted, how much of it is found
    in the picture (of a filter, whether it holds), the cosine, and its words that stand in the
    picture's names, caption, keywords or text. Exits with 0 when the picture is in the answer,
    with 1 when it is not, with 2 when it is not in the library.
    """
    node = parse(query)
    check_pictures(node)
    with open_library(library=library, model=model, create=False, quiet=quiet) as opened:
        found = opened.explain(image, node, text=query, min_confidence=min_confidence)
    if json:
        from visionquery.present.documents import explanation_document

        print_document(explanation_document(found, node))
    else:
        from visionquery.present.explanations import verdict
        from visionquery.present.tables import print_parts
        from visionquery.present.text import escaped

        name = escaped(found.hit.path or found.hit.image_id)
        print_lines(verdict(found, node, name=name))
        print_parts(found.hit.parts, sys.stdout)
    raise typer.Exit(0 if found.is_relevant else 1)
