"""Why an image is, or is not, in an answer, in words."""

import re
from collections.abc import Mapping, Sequence
from itertools import groupby

from visionquery.present.text import count, percents, printable
from visionquery.query.ast import And, Arranged, Blend, Filter, Node, Not, Or
from visionquery.query.wording import unparse
from visionquery.search.result import Explanation, Part, Placing

__all__ = ["certainty", "left_out_by", "summary", "verdict"]

_EXCLUDED_SHOWN = 2

_PLACED: Mapping[Placing, str] = {
    "as asked": " Things lie as asked.",
    "otherwise": " Things lie otherwise than asked.",
    "unsure": " Where things are cannot be told in it.",
}


def verdict(explanation: Explanation, node: Node, *, name: str) -> str:
    """Return in a sentence whether an image, by the name that it is to have there, is in the
    answer, and why not; `node` is the tree of the query."""
    hit = explanation.hit
    if explanation.rank is None:
        culprits = [printable(text) for text in left_out_by(node, hit.parts)]
        return f"{name} is not in the answer: left out by {' and '.join(culprits)}."
    if all(part.kind == "filter" for part in hit.parts):
        return f"{name} is in the answer: it passes the filters."
    place = f"rank {explanation.rank:,} of {count(explanation.images, 'image')}"
    told = _PLACED[hit.placed] if hit.placed else ""
    if explanation.is_relevant:
        return f"{name} is in the answer: {place}, confidence {hit.confidence * 100:.0f} %.{told}"
    sure, least = percents(hit.confidence, explanation.min_confidence)
    return f"{name} is not in the answer: confidence {sure} is below {least}; {place}.{told}"


def left_out_by(node: Node, parts: Sequence[Part]) -> list[str]:
    """Return what of a query, as query text, leaves an image out whatever it shows; nothing where
    it may be in the answer. `parts` are those of the image."""
    passes = {part.text: part.confidence > 0 for part in parts if part.kind == "filter"}
    return list(dict.fromkeys(unparse(culprit) for culprit in _culprits(node, passes)))


def _culprits(node: Node, passes: Mapping[str, bool]) -> list[Node]:
    """Return the nodes that make a tree false by filters alone, none where nothing does."""
    match node:
        case Blend() | Arranged():
            return []
        case Filter():
            return [] if passes[unparse(node)] else [node]
        case Not(part):
            return [node] if _is_true(part, passes) else []
        case And(parts):
            return [culprit for part in parts for culprit in _culprits(part, passes)]
        case Or(parts):
            found = [_culprits(part, passes) for part in parts]
            return [culprit for some in found for culprit in some] if all(found) else []


def _is_true(node: Node, passes: Mapping[str, bool]) -> bool:
    """Tell whether filters alone make a tree true."""
    match node:
        case Blend() | Arranged():
            return False
        case Filter():
            return passes[unparse(node)]
        case Not(part):
            return bool(_culprits(part, passes))
        case And(parts):
            return all(_is_true(part, passes) for part in parts)
        case Or(parts):
            return any(_is_true(part, passes) for part in parts)


def summary(parts: Sequence[Part]) -> str:
    """Return the parts of a hit on one line: `a dog 92 %  -people 3 %  date:2024 yes
    words: beach`."""
    pieces: list[str] = []
    for is_long, group in groupby(parts, key=lambda part: part.excluded and part.kind != "filter"):
        run = list(group)
        pieces += _excluded(run) if is_long else [_in_short(part) for part in run]
    words = dict.fromkeys(word for part in parts if not part.excluded for word in part.words)
    if words:
        pieces.append(f"words: {', '.join(words)}")
    return "  ".join(map(printable, pieces))


def _excluded(run: list[Part]) -> list[str]:
    """Return the first of what is excluded in a row, which gives its kinds their name, and the
    one of the others that is most in evidence."""
    first, *others = run
    shown = [first, *sorted(others, key=lambda part: -part.confidence)[: _EXCLUDED_SHOWN - 1]]
    left = len(run) - len(shown)
    return [*map(_in_short, shown), *([f"(and {left} below)"] if left else [])]


def _in_short(part: Part) -> str:
    return f"{_excluding(part.text) if part.excluded else part.text} {certainty(part)}"


def _excluding(text: str) -> str:
    """Return how a query excludes a part; the parentheses keep its words together."""
    is_one = " " not in text or re.fullmatch('(\\w+:)?"[^"]*"', text)
    return f"-{text}" if is_one else f"-({text})"


def certainty(part: Part) -> str:
    """Return how much of a part is in an image: of a filter, whether it holds."""
    if part.kind == "filter":
        return "yes" if part.confidence > 0 else "no"
    return f"{part.confidence * 100:.0f} %"
