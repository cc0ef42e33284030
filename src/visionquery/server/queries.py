"""From the text of a request to a tree that is safe to answer: no file is read by its name."""

from visionquery.errors import InputError
from visionquery.query.ast import Filter, Node, Picture, Range
from visionquery.query.editing import count_terms, terms_of
from visionquery.query.grammar import parse

__all__ = ["EVERYTHING", "UPLOAD", "query_tree"]

UPLOAD = "upload"
"""What a query calls the picture that came with it."""

EVERYTHING = Filter("width", Range(0, None))
"""What a blank query asks for."""

_MAX_TERMS = 32


def query_tree(text: str, *, has_upload: bool) -> Node | None:
    """Return the tree of a query; None for a blank one without a picture.

    Raises QueryError for text that cannot be read, InputError for one that names a file, does not
    use the picture that came with it, or has more descriptions than a server takes.
    """
    if not text.strip():
        return parse(f"image:{UPLOAD}") if has_upload else None
    node = parse(text)
    if count_terms(node) > _MAX_TERMS:
        raise InputError(f"The query has more than {_MAX_TERMS} descriptions; use fewer.")
    named = {term.path for term in terms_of(node) if isinstance(term, Picture)}
    if named - {UPLOAD}:
        raise InputError(
            "A server reads no file by its name: drop the picture on the page, send it with the "
            "request, or name an image of the library with like:ID."
        )
    if has_upload and not named:
        raise InputError(
            f"The query does not use the picture that came with it: name it image:{UPLOAD}."
        )
    if named and not has_upload:
        raise InputError(f"image:{UPLOAD} stands for a picture that comes with the request.")
    return node
