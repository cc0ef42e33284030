"""Tree to words: query text that parses to the same tree, and an outline for people."""

from collections import Counter
from decimal import Decimal

from visionquery.errors import QueryError
from visionquery.query.ast import (
    And,
    Blend,
    Contains,
    Filter,
    Like,
    Node,
    Not,
    OneOf,
    Or,
    Picture,
    Range,
    Term,
    Text,
)
from visionquery.query.tokens import tokenize

__all__ = ["explain", "unparse"]


def unparse(node: Node) -> str:
    """Return query text that `parse` reads as this tree.

    Holds for every tree that `parse` can return; one built by hand in a form that it never
    returns (an And directly in an And) gives text of the same meaning.
    """
    match node:
        case Blend():
            return _blend_text(node)
        case Filter():
            return f"{node.field}:{_value_text(node.test)}"
        case Not():
            return _negation_text(node)
        case And():
            return _conjunction_text(node)
        case Or():
            return " OR ".join(
                f"({unparse(part)})" if isinstance(part, Or) else unparse(part)
                for part in node.parts
            )


def explain(node: Node) -> str:
    """Return an outline of a tree, one line for each node, parts indented by two spaces."""
    return "\n".join(_outline(node, ""))


def _conjunction_text(node: And) -> str:
    texts = [
        f"({unparse(part)})" if isinstance(part, And | Or) else unparse(part) for part in node.parts
    ]
    # Terms that stand in one sequence make one vector, so a second blend needs its AND.
    one_sequence = not any(isinstance(part, Blend) for part in node.parts[1:])
    return (" " if one_sequence else " AND ").join(texts)


def _negation_text(node: Not) -> str:
    match node.part:
        case Blend(terms=(Text(text, 1.0),)):
            return f"-{text}" if _is_plain(text) and len(text.split()) == 1 else f"-{_quote(text)}"
        case Blend(terms=(Picture() | Like() as term,)) if term.weight == 1:
            return f"-{_term_text(term)}"
        case Filter():
            return f"-{unparse(node.part)}"
        case _:
            return f"-({unparse(node.part)})"


def _blend_text(node: Blend) -> str:
    kinds = Counter(isinstance(term, Text) and term.weight == 1 for term in node.terms)
    # Two descriptions without a weight would run together into one.
    if kinds[True] > 1:
        return " ".join(_weighted_text(term) for term in node.terms)
    return " ".join(
        _term_text(term) if term.weight == 1 else _weighted_text(term) for term in node.terms
    )


def _weighted_text(term: Term) -> str:
    text = _quote(term.text) if isinstance(term, Text) else _term_text(term)
    number = format(Decimal(repr(float(term.weight))), "f").removesuffix(".0")
    return f"{number}:{text}"


def _term_text(term: Term) -> str:
    match term:
        case Text(text):
            return text if _is_plain(text) else _quote(text)
        case Picture(path):
            return f"image:{_value(path)}"
        case Like(image_id):
            return f"like:{_value(image_id)}"


def _is_plain(text: str) -> bool:
    """Tell whether `text`, unquoted, is read as the same words."""
    try:
        tokens = tokenize(text)[:-1]
    except QueryError:
        return False
    return all(token.kind == "word" for token in tokens) and text == " ".join(
        token.text for token in tokens
    )


def _value_text(test: Contains | Range | OneOf) -> str:
    match test:
        case Contains(text):
            return _value(text)
        case OneOf(values):
            return ",".join(values)
        case Range(low, high) if low == high:
            return f"{low}"
        case Range(low, high):
            return f"{'' if low is None else low}..{'' if high is None else high}"


def _value(text: str) -> str:
    return _quote(text) if any(c.isspace() or c in '()"“”„' for c in text) else text


def _quote(text: str) -> str:
    doubled = text.replace('"', '""')
    return f'"{doubled}"'


def _outline(node: Node, indent: str) -> list[str]:
    deeper = indent + "  "
    match node:
        case Blend(terms=(term,)):
            return [indent + _term_line(term)]
        case Blend(terms):
            lines = [f"{deeper}{term.weight:g} × {_term_line(term)}" for term in terms]
            return [f"{indent}one vector of", *lines]
        case Filter():
            return [f"{indent}{node.field} {_test_words(node.test)}"]
        case Not(part):
            return [f"{indent}not", *_outline(part, deeper)]
        case And(parts) | Or(parts):
            title = "all of" if isinstance(node, And) else "any of"
            return [indent + title, *(line for part in parts for line in _outline(part, deeper))]


def _term_line(term: Term) -> str:
    match term:
        case Text(text):
            return f"description {_quote(text)}"
        case Picture(path):
            return f"picture {path}"
        case Like(image_id):
            return f"image {image_id}"


def _test_words(test: Contains | Range | OneOf) -> str:
    match test:
        case Contains(text):
            return f"contains {_quote(text)}"
        case OneOf(values):
            return f"is {' or '.join(values)}"
        case Range(low, None):
            return f"from {low}"
        case Range(None, high):
            return f"up to {high}"
        case Range(low, high):
            return f"is {low}" if low == high else f"from {low} to {high}"
