"""Query text to tree, by recursive descent.

    or       := and ("OR" and)*
    and      := sequence ("AND" sequence)*
    sequence := item+
    item     := word | "quoted" | [number ":"] term | ("-" | "NOT") item | example | filter
              | "(" or ")"

The terms of one sequence make one vector: words and quotes without a weight are one description,
in their order, and its first term; examples (`more:ID`, `less:ID`) are its last. Filters,
negations and groups are further parts that the image must satisfy. What a description excludes in
plain language (see `negation`) is read as if it stood behind a minus. A sequence of one plain
description that says where things are, or how many (see `arrangement`), is read as that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Final

from visionquery.errors import QueryError
from visionquery.query.arrangement import as_arranged
from visionquery.query.ast import (
    And,
    Blend,
    Example,
    Filter,
    Learned,
    Node,
    Not,
    Or,
    Picture,
    Term,
    Text,
)
from visionquery.query.negation import Division, divide, trigger_length
from visionquery.query.tokens import Token, join_words, tokenize
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
_WEIGHT_OF_NOTHING = "A term is either weighted or excluded, and a weight cannot be negative"
_UNMARKED_EXAMPLE = "more: and less: take no weight and no mark of negation"
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
    to act on, more than MAX_DEPTH levels, a field that does not exist, and a value without meaning.
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
    words: list[Token] = []
    terms: list[Term] = []
    examples: list[Term] = []
    others: list[Node] = []
    while (token := reader.peek()).kind not in _SEQUENCE_ENDS:
        if token.kind in _WORDS:
            words.append(reader.take())
        elif _take_trigger(reader, words):
            others.append(_excluded(reader))
        elif token.kind == "weight":
            term, exclusions = _weighted(reader)
            terms.append(term)
            others.extend(exclusions)
        elif _is_picture(token):
            terms.append(_picture(reader.take(), weight=1.0))
        elif _is_example(token):
            examples.append(Example(token.text, reader.take().field == "more"))
        else:
            others.append(_part(reader))
    description = divide(words)
    if description.kept:
        terms.insert(0, _text(description.kept))
    described = [_described([*terms, *examples])] if terms or examples else []
    parts = described + _exclusions(reader, description) + others
    if not parts:
        raise _unexpected(token, _missing_before(reader), _ANYTHING)
    return _conjunction(parts)


def _described(terms: Sequence[Term]) -> Node:
    arranged = as_arranged(terms[0]) if len(terms) == 1 and isinstance(terms[0], Text) else None
    return arranged or Blend(tuple(terms))


def _missing_before(reader: _Reader) -> str:
    if reader.index == 0:
        return "There is nothing before it"
    return f"Nothing follows '{reader.tokens[reader.index - 1].text}'"


def _text(tokens: Sequence[Token], weight: float = 1.0) -> Text:
    """Return words and quotes, in their order, as one description."""
    text, quotes = join_words(tokens)
    return Text(text, weight, quotes)


def _exclusions(reader: _Reader, description: Division) -> list[Node]:
    """Return what plain language excludes. It counts as nested, as it would behind a minus."""
    for excluded in description.excluded:
        _require_depth(reader.depth + 1, excluded[0])
    return [Not(Blend((_text(excluded),))) for excluded in description.excluded]


def _take_trigger(reader: _Reader, words: list[Token]) -> bool:
    """Tell whether a trigger, as in `without (a OR b)`, stands directly before what is no word,
    and take it out of `words`."""
    token = reader.peek()
    is_direct = words and reader.tokens[reader.index - 1] is words[-1]
    if not is_direct or token.kind not in ("open", "field", "weight"):
        return False
    run = len(words)
    while run > 0 and words[run - 1] is reader.tokens[reader.index - 1 - (len(words) - run)]:
        run -= 1
    length = trigger_length(words[run:])
    del words[len(words) - length :]
    return length > 0


def _weighted(reader: _Reader) -> tuple[Term, list[Node]]:
    """Read a term with a weight, and what its words exclude."""
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
        return _weighted_words(reader, weight)
    if following.kind == "quote":
        return _text([reader.take()], weight), []
    if _is_picture(following):
        return _picture(reader.take(), weight=weight), []
    _refuse_example(following)
    raise _unexpected(
        following,
        f"The weight {token.text}: needs a term",
        "words, a quote, image:, like: or concept: directly after the weight",
    )


def _weighted_words(reader: _Reader, weight: float) -> tuple[Term, list[Node]]:
    run = _run(reader)
    description = divide(run)
    if not description.kept or description.kept[0].position != run[0].position:
        raise _unexpected(run[0], _WEIGHT_OF_NOTHING, "first words that are not excluded")
    if description.open_trigger:
        problem = f"Nothing follows '{description.open_trigger.text}'"
        raise _unexpected(reader.peek(), problem, "what to exclude, in words")
    return _text(description.kept, weight), _exclusions(reader, description)


def _is_picture(token: Token) -> bool:
    return token.kind == "field" and token.field in ("image", "like", "concept")


def _is_example(token: Token) -> bool:
    return token.kind == "field" and token.field in ("more", "less")


def _refuse_example(token: Token) -> None:
    """Raise QueryError for an example where it cannot stand."""
    if _is_example(token):
        instead = "more" if token.field == "less" else "less"
        raise _unexpected(
            token,
            _UNMARKED_EXAMPLE,
            f"{token.field}:ID on its own, or for the opposite {instead}:ID",
        )


def _picture(token: Token, *, weight: float) -> Term:
    if token.field == "image":
        return Picture(token.text, weight)
    if token.field == "concept":
        return Learned(token.text, weight)
    # Few queries have fields, and a search should start fast: those that have read them here.
    from visionquery.query.values import read_like

    return read_like(token.text, weight=weight, position=token.position)


def _run(reader: _Reader) -> list[Token]:
    words = [reader.take()]
    while reader.peek().kind == "word":
        words.append(reader.take())
    return words


def _part(reader: _Reader) -> Node:
    """Read a filter, a negation or a group."""
    token = reader.peek()
    if token.kind == "field":
        return _filter(reader)
    reader.depth += 1
    _require_depth(reader.depth, token)
    node = _group(reader) if token.kind == "open" else _negation(reader)
    reader.depth -= 1
    return node


def _require_depth(depth: int, token: Token) -> None:
    if depth > MAX_DEPTH:
        raise _unexpected(token, f"More than {MAX_DEPTH} levels are nested", "a flatter query")


def _filter(reader: _Reader) -> Filter:
    from visionquery.query.values import read_filter

    token = reader.take()
    # Only for the error: the words after it show what `date:last summer` meant.
    after = reader.tokens[reader.index : reader.index + 2]
    words = [each.text for each in takewhile(lambda each: each.kind == "word", after)]
    return read_filter(token.field, token.text, position=token.position, following=words)


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
        run = [reader.take()] if operator.kind == "minus" else _run(reader)
        return Not(Blend((_text(run),)))
    if token.kind == "quote":
        return Not(Blend((_text([reader.take()]),)))
    if token.kind in _NEGATIONS:
        return Not(_part(reader))
    if token.kind in ("field", "open", "weight"):
        return _excluded_part(reader)
    raise _unexpected(token, f"Nothing follows '{operator.text}'", "what to exclude")


def _excluded(reader: _Reader) -> Node:
    """Read what a trigger excludes that is not words; it nests as deep as behind a minus."""
    reader.depth += 1
    _require_depth(reader.depth, reader.peek())
    node = _excluded_part(reader)
    reader.depth -= 1
    return node


def _excluded_part(reader: _Reader) -> Node:
    """Read a picture, a filter or a group behind a mark of negation."""
    token = reader.peek()
    if token.kind == "weight":
        raise _unexpected(token, _WEIGHT_OF_NOTHING, "what to exclude, without a weight")
    if _is_picture(token):
        return Not(Blend((_picture(reader.take(), weight=1.0),)))
    _refuse_example(token)
    # The parentheses of -( are not one more level: a query and its canonical text nest alike.
    return Not(_group(reader) if token.kind == "open" else _filter(reader))


def _unexpected(token: Token, problem: str, expected: str) -> QueryError:
    found = "where the query ends" if token.kind == "end" else f'at "{token.field or token.text}"'
    return QueryError(
        f"{problem} (position {token.position + 1}, {found}); expected {expected}. "
        "Words in quotes are searched for literally.",
        position=token.position,
        expected=expected,
    )
