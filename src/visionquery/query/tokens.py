"""Query text to tokens. Words are words unless a mark at their start makes them more.

A mark counts only where a term can start, so "t-shirt", "black - white", "12:30" and "note: dog"
are plain words.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

from visionquery.errors import QueryError
from visionquery.query.ast import Field

__all__ = ["FIELDS", "OPERATORS", "Kind", "Token", "join_words", "tokenize"]

Kind = Literal[
    "word", "quote", "weight", "field", "minus", "not", "and", "or", "open", "close", "end"
]

FIELDS: Final = ("image", "like", "more", "less", "concept", *get_args(Field))
OPERATORS: Final[dict[str, Kind]] = {"AND": "and", "OR": "or", "NOT": "not"}

# Names of files may hold bytes that are not text; everything else must be text.
_NAMES: Final = ("image", "path")
_CURLY = "“”„"
_QUOTES = '"' + _CURLY

_SPACE = re.compile(r"\s+")
_WORD = re.compile(rf"[^\s(){_QUOTES}]+")
_MINUS = re.compile(r"-(?=[^\s)-])")
_WEIGHT = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+):(?=[^\s0-9)])")
_FIELD = re.compile(r"([^\W\d_]+):(?=[^\s)])")
_BARE_FIELD = re.compile(rf"({'|'.join(FIELDS)}):(?=[\s)]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a query: `text` without its marks, `field` for `field:value`, and the 0-based
    character where it starts."""

    kind: Kind
    text: str
    position: int
    field: str = ""


def tokenize(text: str) -> list[Token]:
    """Return the tokens of a query, closed by one of kind "end".

    Raises QueryError for an open quote, an empty value and a field that does not exist.
    """
    tokens = []
    position = 0
    while position < len(text):
        if space := _SPACE.match(text, position):
            position = space.end()
            continue
        token, position = _next(text, position)
        tokens.append(token)
    tokens.append(Token("end", "", len(text)))
    return tokens


def join_words(tokens: Sequence[Token]) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return words and quotes as one text, and the (start, end) of each quote in it."""
    quotes = []
    end = -1
    for token in tokens:
        start = end + 1
        end = start + len(token.text)
        if token.kind == "quote":
            quotes.append((start, end))
    return " ".join(token.text for token in tokens), tuple(quotes)


def _next(text: str, start: int) -> tuple[Token, int]:
    """Return the token that starts at `start`, and where it ends."""
    mark = text[start]
    if mark in "()":
        return Token("open" if mark == "(" else "close", mark, start), start + 1
    if mark in _QUOTES:
        quoted, end = _quoted(text, start)
        _require_characters(quoted, start)
        return Token("quote", quoted, start), end
    if minus := _MINUS.match(text, start):
        return Token("minus", "-", start), minus.end()
    if weight := _WEIGHT.match(text, start):
        return Token("weight", weight[1], start), weight.end()
    if field := _FIELD.match(text, start):
        return _field(text, start, field)
    if bare := _BARE_FIELD.match(text, start):
        raise QueryError(
            f"{bare[1]}: at position {start + 1} has no value; write the value directly after the "
            f'colon, or put "{bare[1]}:" in quotes to search for the words.',
            position=bare.end(),
            expected="a value",
        )
    return _word(text, start)


def _word(text: str, start: int) -> tuple[Token, int]:
    match = _WORD.match(text, start)
    assert match is not None, "spaces, parentheses and quotes were taken before"
    word = match[0]
    _require_characters(word, start)
    return Token(OPERATORS.get(word, "word"), word, start), match.end()


def _field(text: str, start: int, match: re.Match[str]) -> tuple[Token, int]:
    name = match[1].lower()
    if name not in FIELDS:
        _refuse_field(text, start, match[1])
    if text[match.end()] in _QUOTES:
        value, end = _quoted(text, match.end())
    else:
        value, end = _bare_value(text, match.end())
    if name not in _NAMES:
        _require_characters(value, start)
    return Token("field", value, start, field=name), end


def _refuse_field(text: str, start: int, name: str) -> None:
    known = ", ".join(f"{field}:" for field in FIELDS)
    whole = text[start:].split()[0]
    raise QueryError(
        f"There is no field {name}: (position {start + 1}); the fields are {known}, and words with "
        f'a colon are searched for literally when quoted, as in "{whole.strip(_QUOTES)}".',
        position=start,
        expected=f"one of {known}",
    )


def _bare_value(text: str, start: int) -> tuple[str, int]:
    """Return an unquoted value: up to a space or a parenthesis that it did not open itself."""
    depth = 0
    end = start
    while end < len(text) and not text[end].isspace():
        depth += {"(": 1, ")": -1}.get(text[end], 0)
        if depth < 0:
            break
        if text[end] in _QUOTES:
            raise QueryError(
                f"A quote inside a value at position {end + 1}; quote the whole value, "
                'as in path:"my pictures".',
                position=end,
                expected="a value without quotes, or quotes around all of it",
            )
        end += 1
    return text[start:end], end


def _quoted(text: str, start: int) -> tuple[str, int]:
    """Return what stands in quotes and where it ends. A doubled straight quote is a quote."""
    straight = text[start] == '"'
    pattern = r'"((?:[^"]|"")*)"' if straight else rf"[{_CURLY}]([^{_QUOTES}]*)[{_QUOTES}]"
    match = re.compile(pattern).match(text, start)
    if match is None:
        raise QueryError(
            f"The quote that opens at position {start + 1} is never closed; close it, "
            "or leave it out.",
            position=start,
            expected="a closing quote",
        )
    inner = match[1].replace('""', '"') if straight else match[1]
    if not inner.strip():
        raise QueryError(
            f"The quotes at position {start + 1} are empty; write what to look for between them.",
            position=start,
            expected="text between the quotes",
        )
    return inner, match.end()


def _require_characters(words: str, start: int) -> None:
    if any("\ud800" <= character <= "\udfff" for character in words):
        raise QueryError(
            f"The words at position {start + 1} contain bytes that are not text; "
            "write the query in UTF-8.",
            position=start,
            expected="words in Unicode text",
        )
