"""Tree to words: query text that parses to the same tree, and an outline for people."""

from typing import Final

from visionquery.errors import QueryError
from visionquery.query.ast import (
    And,
    Arranged,
    Blend,
    Box,
    Contains,
    Example,
    Filter,
    Learned,
    Like,
    Near,
    Node,
    Not,
    OneOf,
    Or,
    Picture,
    Range,
    Term,
    Text,
)
from visionquery.query.negation import divide
from visionquery.query.tokens import Token, join_words, tokenize

__all__ = ["explain", "unparse"]

_DIGITS: Final = tuple("0123456789")

_FACTS: Final = {"near": "place", "text": "text in the picture"}
"""What an outline calls a field whose own name would not read well."""


def unparse(node: Node) -> str:
    """Return query text that `parse` reads as this tree.

    Holds for every tree that `parse` can return; one built by hand in a form that it never
    returns (an And directly in an And) gives text of the same meaning.
    """
    match node:
        case Blend():
            return _blend_text(node)
        case Arranged(text):
            return _words_text(text)
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
    one_sequence = not any(isinstance(part, Blend | Arranged) for part in node.parts[1:])
    return (" " if one_sequence else " AND ").join(texts)


def _negation_text(node: Not) -> str:
    match node.part:
        case Blend(terms=(Text(text, 1.0, ()),)) if _is_plain(text):
            return f"-{text}" if _is_one_word(text) else f"NOT {text}"
        case Blend(terms=(Text(text, 1.0, quotes),)) if quotes in ((), ((0, len(text)),)):
            return f"-{_quote(text)}"
        case Blend(terms=(Picture() | Like() | Learned() as term,)) if term.weight == 1:
            return f"-{_term_text(term)}"
        case Filter():
            return f"-{unparse(node.part)}"
        case Not():
            return f"NOT {unparse(node.part)}"
        case _:
            return f"-({unparse(node.part)})"


def _is_one_word(text: str) -> bool:
    """Tell whether a minus before `text` takes all of it."""
    return [token.kind for token in tokenize(f"-{text}")] == ["minus", "word", "end"]


def _blend_text(node: Blend) -> str:
    first, *others = node.terms
    # Words without a weight are read as the first term, so behind another they need theirs.
    bare = _weight(first) == 1
    texts = [_term_text(first) if bare else _weighted_text(first)]
    for term in others:
        is_words = isinstance(term, Text)
        texts.append(
            _term_text(term) if _weight(term) == 1 and not is_words else _weighted_text(term)
        )
    return " ".join(texts)


def _weight(term: Term) -> float:
    return 1.0 if isinstance(term, Example) else term.weight


def _weighted_text(term: Term) -> str:
    written = _term_text(term)
    # A weight takes a run of words or one quote, and a colon before a digit makes no weight.
    if isinstance(term, Text) and (term.quotes or term.text[:1] in _DIGITS):
        written = _quote(term.text)
    return f"{_number(_weight(term))}:{written}"


def _number(value: float) -> str:
    """Return a number in digits that are read as the same number."""
    from decimal import Decimal  # few queries hold a number, and a search should start fast

    return format(Decimal(repr(float(value))), "f").removesuffix(".0")


def _term_text(term: Term) -> str:
    match term:
        case Text():
            return _words_text(term)
        case Picture(path):
            return f"image:{_value(path)}"
        case Like(image_id, _, box):
            return f"like:{_value(image_id + _box_text(box))}"
        case Learned(name):
            return f"concept:{_value(name)}"
        case Example(image_id, wanted):
            return f"{'more' if wanted else 'less'}:{_value(image_id)}"


def _box_text(box: Box | None) -> str:
    if box is None:
        return ""
    return "@" + ",".join(_number(side) for side in (box.left, box.top, box.width, box.height))


def _words_text(term: Text) -> str:
    """Return a description with its quotes, or all in quotes if it would be read as another."""
    pieces = []
    position = 0
    for start, end in term.quotes:
        pieces += [term.text[position:start], _quote(term.text[start:end])]
        position = end
    written = "".join([*pieces, term.text[position:]])
    tokens = _words(written)
    is_read_back = join_words(tokens) == (term.text, term.quotes)
    # Words that exclude something, or that look like operators, were in quotes.
    return written if is_read_back and divide(tokens).kept == tuple(tokens) else _quote(term.text)


def _is_plain(text: str) -> bool:
    """Tell whether `text`, unquoted, is read as the same words."""
    return join_words(_words(text)) == (text, ())


def _words(text: str) -> list[Token]:
    """Return the words and quotes that `text` consists of, none if there is anything else."""
    try:
        tokens = tokenize(text)[:-1]
    except QueryError:
        return []
    return tokens if all(token.kind in ("word", "quote") for token in tokens) else []


def _value_text(test: Contains | Range | OneOf | Near) -> str:
    match test:
        case Contains(text):
            return _value(text)
        case OneOf(values):
            return _value(",".join(values))
        case Near(latitude, longitude, km):
            return ",".join(_number(number) for number in (latitude, longitude, km))
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
            return [f"{indent}one vector of", *(deeper + _weighted_line(term) for term in terms)]
        case Arranged():
            return [indent + _arranged_line(node)]
        case Filter():
            return [f"{indent}{_FACTS.get(node.field, node.field)} {_test_words(node)}"]
        case Not(part):
            return [f"{indent}not", *_outline(part, deeper)]
        case And(parts) | Or(parts):
            title = "all of" if isinstance(node, And) else "any of"
            return [indent + title, *(line for part in parts for line in _outline(part, deeper))]


def _arranged_line(node: Arranged) -> str:
    subject, *others = (_shown(thing.text) for thing in node.things)
    match node.relation:
        case "count":
            return f"{node.count} {subject}"
        case "left" | "right":
            return f"{subject} on the {node.relation}"
        case "top" | "bottom":
            return f"{subject} at the {node.relation}"
        case _:
            return " ".join([subject, node.relation, *others])


def _weighted_line(term: Term) -> str:
    line = _term_line(term)
    return line if isinstance(term, Example) else f"{term.weight:g} × {line}"


def _term_line(term: Term) -> str:
    match term:
        case Text(text, _, ()):
            return f"description {_shown(text)}"
        case Text(text, _, quotes):
            literal = ", ".join(_shown(text[start:end]) for start, end in quotes)
            is_all = quotes == ((0, len(text)),)
            return (
                f"literally {literal}"
                if is_all
                else (f"description {_shown(text)}, literally {literal}")
            )
        case Picture(path):
            return f"picture {_printable(path)}"
        case Like(image_id, _, box):
            return f"{_box_words(box)}image {_printable(image_id)}"
        case Learned(name):
            return f"concept {_printable(name)}"
        case Example(image_id, wanted):
            return f"{'more' if wanted else 'less'} like image {_printable(image_id)}"


def _box_words(box: Box | None) -> str:
    if box is None:
        return ""
    return (
        f"{box.width:g}% × {box.height:g}%, {box.left:g}% from the left and {box.top:g}% from the "
        "top, of "
    )


def _test_words(node: Filter) -> str:
    match node.test:
        case Contains(text):
            is_pattern = node.field != "text" and ("*" in text or "?" in text)
            return f"{'matches' if is_pattern else 'contains'} {_shown(text)}"
        case OneOf(values):
            return f"is {' or '.join(_printable(value) for value in values)}"
        case Near(latitude, longitude, km):
            return f"within {km:g} km of {latitude:g}, {longitude:g}"
        case Range(low, None):
            return f"from {low}"
        case Range(None, high):
            return f"up to {high}"
        case Range(low, high):
            return f"is {low}" if low == high else f"from {low} to {high}"


def _shown(text: str) -> str:
    return f'"{_printable(text)}"'


def _printable(text: str) -> str:
    """Return `text` on one line, with what a terminal would act on in escapes."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
