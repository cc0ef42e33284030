"""Query text to tree, by recursive descent.

    or       := and ("OR" and)*
    and      := sequence ("AND" sequence)*
    sequence := item+
    item     := word | "quoted" | [number ":"] term | ("-" | "NOT") item | filter | "(" or ")"

The terms of one sequence make one vector: words and quotes without a weight are one description,
in their order. Filters, negations and groups are further parts that the image must satisfy.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from visionquery.errors import QueryError
from visionquery.query.ast import And, Blend, Filter, Like, Node, Not, Or, Picture, Term, Text
from visionquery.query.tokens import Token, tokenize
from visionquery.query.values import read_filter
from visionquery.query.wording import explain, unparse

__all__ = ["MAX_DEPTH", "MAX_WEIGHT", "MIN_WEIGHT", "explain", "parse", "unparse"]

MAX_DEPTH: Final = 50
"""Deepest nesting of parentheses and negations."""

MIN_WEIGHT: Final = 0.001
MAX_WEIGHT: Final = 1000.0
"""Ends of the range of weights: beyond them one part of a blend drowns the others."""

_WORDS = ("word", "quote")
_NEGATIONS = ("minus", "not")
_SEQUENCE_ENDS = ("and", "or", "close", "end")
_ANYTHING = "a description, a picture, a filter or a group in parentheses"


@dataclass(slots=True)
class _Reader:
    """A place in a list of tokens, and how deep in parentheses and negations it is."""

    tokens: list[Token]
    index: int = 0
    depth: int = 0

    def peek(self) -> Token:
        return self.tokens[self.index]

    def take(self) -> Token:
        token = self.tokens[self.index]
        self.index += 1
        return token


def parse(text: str) -> Node:
    """Return the tree of a query.

    `a dog -people date:2024` is And(Blend(Text), Not(Blend(Text)), Filter). A group of And in an
    And, or of Or in an Or, becomes part of it. Raises QueryError, with position and what was
    expected, for an empty query, open quotes or parentheses, an operator or weight with nothing
    to act on, a field that does not exist, and a filter value without meaning.
    """
    reader = _Reader(tokenize(text))
    if reader.peek().kind == "end":
        raise QueryError(
            "The query is empty; describe what to look for, as in: a dog on a beach.",
            position=0,
            expected=_ANYTHING,
        )
    node = _any_of(reader)
    if reader.peek().kind == "close":
        raise _unexpected(reader.peek(), "The parenthesis was never opened", "the end of the query")
    return node


def _any_of(reader: _Reader) -> Node:
    parts = _separated(reader, "or", _all_of)
    if len(parts) == 1:
        return parts[0]
    return Or(tuple(q for p in parts for q in (p.parts if isinstance(p, Or) else (p,))))


def _all_of(reader: _Reader) -> Node:
    return _conjunction(_separated(reader, "and", _sequence))


def _separated(reader: _Reader, kind: str, read: Callable[[_Reader], Node]) -> list[Node]:
    parts = [read(reader)]
    while reader.peek().kind == kind:
        reader.take()
        parts.append(read(reader))
    return parts


def _conjunction(parts: list[Node]) -> Node:
    if len(parts) == 1:
        return parts[0]
    return And(tuple(q for p in parts for q in (p.parts if isinstance(p, And) else (p,))))


def _sequence(reader: _Reader) -> Node:
    words: list[str] = []
    words_at = 0
    terms: list[Term] = []
    others: list[Node] = []
    while (token := reader.peek()).kind not in _SEQUENCE_ENDS:
        if token.kind in _WORDS:
            words_at = words_at if words else len(terms)
            words.append(reader.take().text)
        elif token.kind == "weight":
            terms.append(_weighted(reader))
        elif token.kind == "field" and token.field in ("image", "like"):
            terms.append(_picture(reader.take(), weight=1.0))
        else:
            others.append(_part(reader))
    if words:
        terms.insert(words_at, Text(" ".join(words)))
    blend: list[Node] = [Blend(tuple(terms))] if terms else []
    if not blend and not others:
        raise _unexpected(token, _missing_before(reader), _ANYTHING)
    return _conjunction(blend + others)


def _missing_before(reader: _Reader) -> str:
    if reader.index == 0:
        return "There is nothing before it"
    return f"Nothing follows '{reader.tokens[reader.index - 1].text}'"


def _weighted(reader: _Reader) -> Term:
    token = reader.take()
    weight = float(token.text)
    if not MIN_WEIGHT <= weight <= MAX_WEIGHT:
        allowed = f"{MIN_WEIGHT:g} to {MAX_WEIGHT:g}"
        shown = token.text if len(token.text) <= 12 else f"{token.text[:9]}..."
        raise QueryError(
            f"The weight {shown}: at position {token.position + 1} is outside {allowed}; "
            "leave a term out with - instead.",
            position=token.position,
            expected=f"a number from {allowed}",
        )
    following = reader.peek()
    if following.kind == "word":
        return Text(_run(reader), weight)
    if following.kind == "quote":
        return Text(reader.take().text, weight)
    if following.kind == "field" and following.field in ("image", "like"):
        return _picture(reader.take(), weight=weight)
    raise _unexpected(
        following,
        f"The weight {token.text}: needs a term",
        "words, a quote, image: or like: directly after the weight",
    )


def _picture(token: Token, *, weight: float) -> Term:
    if token.field == "image":
        return Picture(token.text, weight)
    return Like(token.text, weight)


def _run(reader: _Reader) -> str:
    words = [reader.take().text]
    while reader.peek().kind == "word":
        words.append(reader.take().text)
    return " ".join(words)


def _part(reader: _Reader) -> Node:
    """Read a filter, a negation or a group."""
    token = reader.peek()
    if token.kind == "field":
        return _filter(reader.take())
    reader.depth += 1
    if reader.depth > MAX_DEPTH:
        raise _unexpected(token, f"More than {MAX_DEPTH} levels are nested", "a flatter query")
    node = _group(reader) if token.kind == "open" else _negation(reader)
    reader.depth -= 1
    return node


def _filter(token: Token) -> Filter:
    return read_filter(token.field, token.text, position=token.position)


def _group(reader: _Reader) -> Node:
    opening = reader.take()
    node = _any_of(reader)
    if reader.peek().kind != "close":
        raise QueryError(
            f"The parenthesis that opens at position {opening.position + 1} is never closed; "
            "close it, or put it in quotes.",
            position=opening.position,
            expected="a closing parenthesis",
        )
    reader.take()
    return node


def _negation(reader: _Reader) -> Node:
    operator = reader.take()
    token = reader.peek()
    if token.kind == "word":
        # A minus is close to its word; NOT speaks of all the words that follow.
        text = reader.take().text if operator.kind == "minus" else _run(reader)
        return Not(Blend((Text(text),)))
    if token.kind == "quote":
        return Not(Blend((Text(reader.take().text),)))
    if token.kind == "field" and token.field in ("image", "like"):
        return Not(Blend((_picture(reader.take(), weight=1.0),)))
    if token.kind == "field" or token.kind == "open" or token.kind in _NEGATIONS:
        return Not(_part(reader))
    if token.kind == "weight":
        problem = "A term is either weighted or excluded, and a weight cannot be negative"
        raise _unexpected(token, problem, f"what to exclude after {operator.text}")
    raise _unexpected(token, f"Nothing follows '{operator.text}'", "what to exclude")


def _unexpected(token: Token, problem: str, expected: str) -> QueryError:
    found = "where the query ends" if token.kind == "end" else f'at "{token.field or token.text}"'
    return QueryError(
        f"{problem} (position {token.position + 1}, {found}); expected {expected}. "
        "Words in quotes are searched for literally.",
        position=token.position,
        expected=expected,
    )
