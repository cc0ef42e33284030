"""The words of a query that are worth looking for among the words of files.

A description is cut into units: what stands in quotes is one unit, word for word; each other word
that carries meaning is one, in the singular or the plural. How much of the query an image holds
is the share of its units, weighted by how rare each is in the library.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from visionquery.query.ast import Text
from visionquery.query.english import PLURALS
from visionquery.store.rows import distinct
from visionquery.store.words import words_of

__all__ = ["Held", "Phrases", "phrases_of", "share_held", "share_held_among"]

Phrases = tuple[tuple[str, ...], ...]
"""Units of a query; each is held by an image that has any of its alternatives."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """How much of the words of a query, more than 0 and up to 1, (h,), the images of some rows
    (h,), rising, hold."""

    rows: NDArray[np.intp]
    shares: NDArray[np.float64]

    def best(self, count: int) -> NDArray[np.intp]:
        """Return the rows of those that hold most, `count` at most."""
        return self.rows[np.argsort(-self.shares, kind="stable")[:count]]

    def among(self, rows: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Return the places among rows (n,), rising, of those that hold something, and their
        shares."""
        if not len(rows):
            return np.empty(0, dtype=np.intp), np.empty(0)
        first, end = np.searchsorted(self.rows, [rows[0], rows[-1] + 1])
        held, shares = self.rows[first:end], self.shares[first:end]
        places = np.searchsorted(rows, held)
        is_there = rows[places] == held
        return places[is_there], shares[is_there]


_EMPTY: Final = frozenset(
    re.findall(
        "[a-z]+",
        """a an the this that these those some any each every all both no not nor and or but if
        than then so as at by for from in into of off on onto out over to toward towards under up
        upon with without within about above across after against along among around before behind
        below beneath beside between beyond down during inside near outside through until is are
        was were be been being has have had having do does did doing will would can could may might
        must shall should it its he his him she her hers they them their we us our you your i me my
        who whom whose which what where when while there here very more most much many few one
        photo photos photograph photographs picture pictures image images showing shows""",
    )
)
"""Words that say nothing of what a picture shows."""

_OTHER_NUMBER: Final = PLURALS | {word: plural for plural, word in PLURALS.items()}

_COMMON: Final = 0.5
"""A unit that this share of the library holds, the name of the one indexed folder say, tells
nothing apart."""


def phrases_of(texts: Sequence[Text]) -> Phrases:
    """Return the units of descriptions, each once."""
    return tuple(dict.fromkeys(unit for text in texts for unit in _units(text)))


def _units(text: Text) -> list[tuple[str, ...]]:
    units: list[tuple[str, ...]] = [(words_of(text.text[a:b]),) for a, b in text.quotes]
    ends = [0, *(place for span in text.quotes for place in span), len(text.text)]
    outside = " ".join(text.text[a:b] for a, b in list(pairwise(ends))[::2])
    # A hyphenated word, or one of a script without spaces, is several words in a row.
    words = [words_of(re.sub("(?i)['’]s\\b", "", word)) for word in outside.split()]
    units += [_forms(word) for word in words if word not in _EMPTY]
    return [unit for unit in units if unit[0]]


def _forms(word: str) -> tuple[str, ...]:
    """Return an English noun in both numbers, as it stands first; other words as they are."""
    if word in _OTHER_NUMBER:
        return (word, _OTHER_NUMBER[word])
    if not re.fullmatch("[a-z]{3,}", word):
        return (word,)
    if word.endswith("ies"):
        return (word, word[:-3] + "y", word[:-1])
    if re.search("(s|x|z|ch|sh|o)es$", word):
        return (word, word[:-2], word[:-1])
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return (word, word[:-1])
    if re.search("[^aeiou]y$", word):
        return (word, word[:-1] + "ies")
    return (word, word + ("es" if re.search("(s|x|z|ch|sh)$", word) else "s"))


def share_held(
    phrases: Phrases, *, holding: Callable[[str], NDArray[np.bool_]], image_count: int
) -> Held | None:
    """Return how much of a query images hold, None where none holds anything that counts.

    `holding` is the store's. A unit weighs ln(images / images that hold it), so that one that all
    have weighs nothing.
    """
    if not image_count:
        return None
    units = [_holders([holding(form) for form in forms]) for forms in phrases]
    return _shares(units, [len(rows) for rows in units], image_count)


def share_held_among(
    rows: NDArray[np.intp],
    holds: NDArray[np.bool_],
    holders: NDArray[np.int64],
    *,
    image_count: int,
) -> Held | None:
    """Return how much of a query the images of some rows (n,), rising, hold, as `share_held` does:
    which of its units, (u, n), and how many images hold each, (u,), are known."""
    units = [rows[mask] for mask in holds]
    return _shares(units, holders.tolist(), image_count) if image_count else None


def _shares(
    units: Sequence[NDArray[np.intp]], holders: Sequence[int], image_count: int
) -> Held | None:
    weights = [_weight(count, image_count) for count in holders]
    found = [(w, rows) for w, rows in zip(weights, units, strict=True) if w > 0 and len(rows)]
    if not found:
        return None
    every = distinct(np.concatenate([rows for _, rows in found]))
    shares = np.zeros(len(every))
    for weight, rows in found:
        shares[np.searchsorted(every, rows)] += weight
    return Held(every, shares / sum(weights))


def _holders(masks: Sequence[NDArray[np.bool_]]) -> NDArray[np.intp]:
    return np.flatnonzero(masks[0] if len(masks) == 1 else np.logical_or.reduce(masks))


def _weight(count: int, image_count: int) -> float:
    if count > _COMMON * image_count:
        return 0.0
    return float(np.log(image_count / max(count, 1)))
