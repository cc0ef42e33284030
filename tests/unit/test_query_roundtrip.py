"""Properties of reading and writing queries, on random trees and random text."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visionquery.errors import QueryError
from visionquery.query.arrangement import as_arranged
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
    Text,
)
from visionquery.query.document import as_document
from visionquery.query.grammar import MAX_DEPTH, MAX_WEIGHT, MIN_WEIGHT, explain, parse, unparse
from visionquery.query.negation import divide
from visionquery.query.tokens import Token, join_words, tokenize

FEW = settings(max_examples=300, deadline=None)

_NEGATION = re.findall(
    r"\S+",
    "without no not but and with or in on it its is any a the except for excluding w/o people, "
    "people parking sign wearing swimming pool do does show only dog background allowed doubt .",
)
_PLACES = re.findall(
    r"\S+",
    "left right of to the on side above below under is at top bottom picture a dog sky two 3 dogs "
    "cats children six way all center high turn me 5 . dog,",
)
_MARKS = (
    *("3 dogs", "2:no cats, ", "1:dog ", "5:"),
    *("AND", "OR", "NOT", "(", ")", "-", '"', "“", "”", "2:", ".5:", "0:", " ", " ", "\n", "\x1b"),
    *("date:", "2024", "..", "last summer", "near:", "1,2,3km", "keyword:a,b", "note:", "like:ab"),
    *("more:ab", "less:ab", "concept:x"),
    *("like:a@1,2,3,4", "like:a@", "@9,9,9,9"),
    *("image:x", "width:>3", "\udcff", "é", "собака", "\x00", "-x", "--", "t-shirt", ",", "’"),
)


def _is_word(text: str) -> bool:
    try:
        return [(token.kind, token.text) for token in tokenize(text)][:-1] == [("word", text)]
    except QueryError:
        return False


def _is_stable(tokens: list[Token]) -> bool:
    return divide(tokens).kept == tuple(tokens)


_prose = st.text(
    st.one_of(
        st.sampled_from(list('abAN:-–()"“”.0129 \n\t,*')),
        st.characters(exclude_categories=("Cs",)),
    ),
    min_size=1,
    max_size=12,
).filter(str.strip)
_names = st.one_of(_prose, st.just("bytes \udcff"))
_words = st.one_of(
    st.sampled_from(_NEGATION), st.text(max_size=4).filter(lambda text: _is_word(text))
).map(lambda text: Token("word", text, 0))
_quotes = st.one_of(_prose, st.sampled_from(["no parking", "without", "-a OR b"])).map(
    lambda text: Token("quote", text, 0)
)
_literal = st.lists(_words, min_size=1, max_size=5)
_plain = _literal.filter(_is_stable)
_weighable = _plain.filter(lambda tokens: not re.match("[0-9]", tokens[0].text))
_one_quote = _quotes.map(lambda token: [token])
_mixed = st.lists(st.one_of(_words, _quotes), min_size=1, max_size=6).filter(_is_stable)
_weights = st.one_of(st.just(1.0), st.floats(min_value=MIN_WEIGHT, max_value=MAX_WEIGHT))


_percents = st.decimals(0, 100, places=3).map(float)


def _box(left: float, top: float, right: float, bottom: float) -> Box | None:
    box = Box(min(left, right), min(top, bottom), abs(right - left), abs(bottom - top))
    width, height = round(box.width, 3), round(box.height, 3)
    return Box(box.left, box.top, width, height) if width and height else None


_boxes = st.one_of(st.none(), st.builds(_box, _percents, _percents, _percents, _percents))
_ids = _prose.filter(lambda text: "@" not in text)


def _text(tokens: list[Token], weight: float = 1.0) -> Text:
    text, quotes = join_words(tokens)
    return Text(text, weight, quotes)


_weighted = st.one_of(
    st.builds(_text, st.one_of(_weighable, _one_quote), _weights),
    st.builds(Picture, _names, _weights),
    st.builds(Like, _ids, _weights, _boxes),
    st.builds(Learned, _prose, _weights),
)
_placed = st.lists(st.sampled_from(_PLACES).map(lambda text: Token("word", text, 0)), min_size=1)


def _described(blend: Blend) -> Blend | Arranged:
    """Return a blend as it is read: one plain description may say where things are."""
    first, *others = blend.terms
    arranged = None if others or not isinstance(first, Text) else as_arranged(first)
    return arranged or blend


_examples = st.lists(st.builds(Example, _prose, st.booleans()), max_size=2)
_blends = st.builds(
    lambda first, others, examples: Blend((*first, *others, *examples)),
    st.lists(st.builds(_text, st.one_of(_mixed, _placed.filter(_is_stable))), max_size=1),
    st.lists(_weighted, max_size=3),
    _examples,
).filter(lambda blend: len(blend.terms) > 0)
_descriptions = _blends.map(_described)

_lists = st.lists(_prose.map(lambda text: text.replace(",", "").strip()).filter(bool), min_size=1)
_sides = st.integers(0, 10**9)
_years = st.integers(1, 9999).map(lambda year: f"{year:04}")
_filters = st.one_of(
    st.builds(lambda text: Filter("path", Contains(text)), _names),
    st.builds(lambda text: Filter("camera", Contains(text)), _prose),
    st.builds(lambda text: Filter("text", Contains(text)), _prose),
    st.builds(lambda values: Filter("keyword", OneOf(tuple(values))), _lists),
    st.builds(
        lambda values: Filter("ext", OneOf(tuple(values))),
        st.lists(st.sampled_from(["jpg", "7z"]), min_size=1),
    ),
    st.builds(
        lambda values: Filter("orientation", OneOf(tuple(values))),
        st.lists(st.sampled_from(["landscape", "portrait", "square"]), min_size=1),
    ),
    st.builds(
        lambda latitude, longitude, km: Filter("near", Near(latitude, longitude, km)),
        st.integers(-900, 900).map(lambda tenths: tenths / 10),
        st.floats(-180, 180).map(lambda number: round(number, 7)),
        st.integers(1, 20000).map(lambda tens: tens / 100),
    ),
    st.builds(lambda a, b: Filter("width", Range(min(a, b), max(a, b))), _sides, _sides),
    st.builds(lambda a: Filter("height", Range(None, a)), _sides),
    st.builds(lambda a, b: Filter("date", Range(min(a, b), max(a, b))), _years, _years),
    st.builds(lambda a: Filter("date", Range(f"{a}-10-31", None)), _years),
)
_exclusions = st.one_of(_literal, _mixed).map(lambda tokens: Not(Blend((_text(tokens),))))
_leaves: st.SearchStrategy[Node] = st.one_of(_descriptions, _filters, _exclusions)


def _flat(kind: type[And] | type[Or], parts: list[Node]) -> Node:
    return kind(tuple(q for p in parts for q in (p.parts if isinstance(p, kind) else (p,))))


def _larger(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(nodes, min_size=2, max_size=3)
    return st.one_of(
        nodes.map(Not),
        several.map(lambda parts: _flat(And, parts)),
        several.map(lambda parts: _flat(Or, parts)),
    )


_trees = st.recursive(_leaves, _larger, max_leaves=8)


def _read(text: str) -> Node | QueryError:
    try:
        return parse(text)
    except QueryError as error:
        return error


def nodes_of(node: Node) -> int:
    """Count the lines that an outline of a tree has."""
    match node:
        case Blend(terms):
            return 1 if len(terms) == 1 else 1 + len(terms)
        case Not(part):
            return 1 + nodes_of(part)
        case And(parts) | Or(parts):
            return 1 + sum(nodes_of(part) for part in parts)
        case Filter() | Arranged():
            return 1


@FEW
@given(_trees)
def test_a_tree_becomes_text_and_the_same_tree(node: Node) -> None:
    assert parse(unparse(node)) == node


@FEW
@given(_trees)
def test_an_outline_has_one_printable_line_for_each_node(node: Node) -> None:
    lines = explain(node).split("\n")
    assert len(lines) == nodes_of(node)
    assert all(line.isprintable() for line in lines)
    assert as_document(node)


@settings(max_examples=600, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.sampled_from([f" {word} " for word in _NEGATION + _PLACES]),
            st.sampled_from(_MARKS),
            st.text(max_size=3),
        ),
        max_size=14,
    ).map("".join)
)
def test_any_text_is_a_tree_or_a_query_error(text: str) -> None:
    read = _read(text)
    if isinstance(read, QueryError):
        assert 0 <= read.position <= len(text)
        assert read.expected
    else:
        assert parse(unparse(read)) == read


@FEW
@given(st.lists(st.one_of(_words, _quotes), min_size=1, max_size=16))
def test_dividing_finds_everything_at_once(tokens: list[Token]) -> None:
    division = divide(tokens)
    assert _is_stable(list(division.kept))
    assert all(part and _is_stable(list(part)) for part in division.excluded)


_FAULTS = [
    ("0:dog", 0),
    ("date:2024-13", 0),
    ("date:last summer", 0),
    ("near:1,2", 0),
    ("orientation:up", 0),
    ("note:dog", 0),
    ("camera:\udcff", 0),
    ("a\udcff", 0),
    ('path:a"b"', 6),
    ("width: 5", 6),
    ("()", 1),
    ("(a AND OR b)", 7),
    ("-2:dog", 1),
    ("-more:ab", 1),
    ("2:less:ab", 2),
    ("2:(a)", 2),
    ("NOT )", 4),
    ('""', 0),
]


@settings(max_examples=200, deadline=None)
@given(_trees, st.sampled_from(_FAULTS), _trees)
def test_an_error_names_where_the_fault_is(
    before: Node, fault: tuple[str, int], after: Node
) -> None:
    text, offset = fault
    start = f"({unparse(before)}) "
    with pytest.raises(QueryError) as caught:
        parse(f"{start}{text} ({unparse(after)})")
    assert caught.value.position == len(start) + offset


@pytest.mark.parametrize("mark", ["NOT ", "-(", "(without (", "(", "a ("])
def test_what_nests_as_deep_as_allowed_goes_back(mark: str) -> None:
    for depth in range(1, MAX_DEPTH + 2):
        text = mark * depth + 'dog without red "stop" signs' + ")" * (mark.count("(") * depth)
        read = _read(text)
        if isinstance(read, QueryError):
            assert "nested" in str(read)
        else:
            assert parse(unparse(read)) == read
