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
)
from visionquery.cli.output import print_document, print_lines
from visionquery.cli.session import open_library
from visionquery.query.grammar import parse

__all__ = ["explain"]


def explain(
    image: Annotated[str, typer.Argument(metavar="IMAGE", help="A picture file, or an image id.")],
    query: QueryArgument,
    library: LibraryOption = None,
    model: ModelOption = None,
    min_confidence: MinConfidenceOption = None,
    json: JsonFlag = False,
) -> None:
    """Explain why a picture is, or is not, in the answer to a query.

    Exits with 0 when it is in the answer, with 1 when it is not.
    """
    node = parse(query)
    with open_library(library=library, model=model, create=False, quiet=False) as opened:
        found = opened.explain(image, node, text=query, min_confidence=min_confidence)
    if json:
        from visionquery.present.documents import explanation_document

        print_document(explanation_document(found))
    else:
        from visionquery.present.explanations import part_rows, verdict
        from visionquery.present.tables import print_rows

        print_lines(verdict(found))
        names = ("part", "wanted", "confidence", "cosine", "words found")
        print_rows(names, part_rows(found.hit.parts), sys.stdout)
    raise typer.Exit(0 if found.is_relevant else 1)
