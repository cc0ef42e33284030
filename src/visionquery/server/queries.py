"""From the text of a request to a tree that is safe to answer: no file is read by its name."""

from visionquery.errors import InputError
from visionquery.query.ast import Filter, Node, Picture, Range, terms_of
from visionquery.query.grammar import parse

__all__ = ["EVERYTHING", "UPLOAD", "query_tree", "readable_tree", "uploaded"]

UPLOAD = "upload"
"""What a query calls the picture that came with it."""

EVERYTHING = Filter("width", Range(0, None))
"""What a blank query asks for."""

_MAX_TERMS = 32


def query_tree(text: str, *, has_upload: bool) -> Node | None:
    """Return the tree of a query; None for a blank one without a picture.

    Raises as `readable_tree` does, and InputError for a query that does not use the picture that
    came with it, or names one where none came.
    """
    if not text.strip():
        return parse(f"image:{UPLOAD}") if has_upload else None
    node = readable_tree(text)
    is_used = any(isinstance(term, Picture) for term in terms_of(node))
    if has_upload and not is_used:
        raise InputError(
            f"The query does not use the picture that came with it: name it image:{UPLOAD}."
        )
    if is_used and not has_upload:
        raise InputError(f"image:{UPLOAD} stands for a picture that comes with the request.")
    return node


def uploaded(picture: bytes | None) -> dict[str, bytes]:
    """Return the pictures of a request by the names that its query has for them."""
    return {} if picture is None else {UPLOAD: picture}


def readable_tree(text: str) -> Node:
    """Return the tree of a query, whether a picture comes with it or not.

    Raises QueryError for text that cannot be read, InputError for one that names a file, or has
    more descriptions than a server takes.
    """
    node = parse(text)
    if len(terms_of(node)) > _MAX_TERMS:
        raise InputError(f"The query has more than {_MAX_TERMS} descriptions; use fewer.")
    if any(isinstance(term, Picture) and term.path != UPLOAD for term in terms_of(node)):
        raise InputError(
            "A server reads no file by its name: drop the picture on the page, send it with the "
            "request, or name an image of the library with like:ID."
        )
    return node
