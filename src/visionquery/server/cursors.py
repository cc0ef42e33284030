"""Where a page of an answer ended, as text that only means something to this server.

A cursor holds the place and a digest of the request it belongs to, so that it cannot go on in
the answer to another one.
"""

import base64
import binascii
import hashlib
import json

from visionquery.errors import InputError
from visionquery.search.result import Response

__all__ = ["next_cursor", "offset_of"]


def next_cursor(response: Response, offset: int, *request: object) -> str | None:
    """Return the cursor of what comes after a page, of which `offset` hits came before, of the
    answer to a request; None when that is all."""
    after = offset + len(response.hits)
    if not response.hits or after >= response.total - response.folded_away:
        return None
    text = json.dumps([after, _digest(request)], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def offset_of(cursor: str, *request: object) -> int:
    """Return how many hits of an answer came before. Raises InputError for what is no cursor
    of this request."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        offset, digest = json.loads(base64.urlsafe_b64decode(padded.encode("ascii", "strict")))
    except (binascii.Error, ValueError, TypeError, RecursionError):
        offset, digest = None, None
    if type(offset) is not int or offset < 0 or digest != _digest(request):
        raise InputError(
            "This cursor is not of this request: send it with the same q, sort, min_confidence, "
            "within, fold and spread as the page it came with, or start again without it."
        )
    return offset


def _digest(request: tuple[object, ...]) -> str:
    return hashlib.blake2b(repr(request).encode("utf-8", "replace"), digest_size=8).hexdigest()
