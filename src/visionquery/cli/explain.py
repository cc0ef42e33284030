"""`visionquery explain IMAGE QUERY`"""

import sys
from typing import Annotated

import typer

from visionquery.cli.heatmap_file import HeatmapOption, Target
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
    heatmap: HeatmapOption = None,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Explain why a picture is, or is not, in the answer to a query.

    First whether it is; then each part of the query: whether it is wanted, how much of it is found
    in the picture (of a filter, whether it holds), the cosine, and its words that stand in the
    picture's names, caption, keywords or text. Exits with 0 when the picture is in the answer,
    with 1 when it is not, with 2 when it is not in the library.

    --heatmap writes the picture with the place marked where the query is seen, and says where that
    is, in percent from the left and from the top, and whether there is little evidence of it.
    """
    node = parse(query)
    check_pictures(node)
    with open_library(library=library, model=model, create=False, quiet=quiet) as opened:
        target = None if heatmap is None else Target.of(heatmap, image, opened)
        found = opened.explain(image, node, text=query, min_confidence=min_confidence)
        seen = None if target is None else target.write(opened.heatmap(image, node))
    if json:
        from visionquery.present.documents import explanation_document

        extra = {} if target is None or seen is None else {"heatmap": target.document(seen)}
        print_document(explanation_document(found, node) | extra)
    else:
        from visionquery.present.explanations import verdict
        from visionquery.present.tables import print_parts
        from visionquery.present.text import escaped

        name = escaped(found.hit.path or found.hit.image_id)
        print_lines(verdict(found, node, name=name))
        print_parts(found.hit.parts, sys.stdout)
        if target is not None and seen is not None:
            print_lines(target.sentence(seen))
    raise typer.Exit(0 if found.is_relevant else 1)
