"""What callers give to a library, as the rooms below take it."""

import os
from collections.abc import Iterable
from pathlib import Path

from visionquery.errors import InputError
from visionquery.query.ast import Node
from visionquery.query.grammar import parse
from visionquery.search.result import DEFAULT_MIN_CONFIDENCE
from visionquery.store.base import Store
from visionquery.store.places import spelled
from visionquery.types import is_address

__all__ = ["Place", "least", "place", "places", "tree"]

Place = str | Path


def tree(query: str | Node, text: str | None) -> tuple[Node, str]:
    """Return the tree of a query, and what names it in an answer. Raises QueryError, and InputError
    for a name of a query that is text."""
    if isinstance(query, str):
        if text is not None:
            raise InputError("text names a query that is given as a tree; leave it out.")
        return parse(query), query
    return query, text or ""


def least(min_confidence: float | None) -> float:
    """Return where relevance ends, 0..1."""
    return DEFAULT_MIN_CONFIDENCE if min_confidence is None else min_confidence


def place(name: Place) -> str:
    """Return a place absolute and without "..", but symbolic links as they are, which pathlib
    cannot do; an address in its one spelling. Raises InputError for one that means nothing."""
    named = spelled(name)
    return named if is_address(named) else os.path.abspath(named)  # noqa: PTH100


def places(store: Store, names: Place | Iterable[Place]) -> list[str]:
    """Return one or several places, absolute and in the spelling that a store knows."""
    named = [names] if isinstance(names, str | Path) else list(names)
    if not named:
        return []
    from visionquery.indexing.spelling import as_known  # most searches name no place

    return [as_known(store, place(name)) for name in named]
