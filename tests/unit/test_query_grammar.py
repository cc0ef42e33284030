"""The grammar: every mark, every word that only looks like a mark, and the way back to text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    Text,
)
from visionquery.query.grammar import MAX_DEPTH, MAX_WEIGHT, MIN_WEIGHT, explain, parse, unparse


def words(text: str, weight: float = 1.0) -> Blend:
    return Blend((Text(text, weight),))


def dated(low: str | None, high: str | None) -> Filter:
    return Filter("date", Range(low, high))


@pytest.mark.parametrize(
    "text",
    [
        "a dog on a beach",
        "t-shirt",
        "black - white",
        "black – white",
        "at 12:30 in 16:9",
        "note: dog",
        "salt and pepper or sugar not spice",
        "2: dog",
        "chapter 2:",
        "--",
        "a -- b",
        "don't",
        "собака на пляже",
        "3d",
        "C-3PO",
        "5:",
    ],
)
def test_plain_words_stay_one_description(text: str) -> None:
    assert parse(text) == words(text)


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("  a   dog\n", words("a dog")),
        ('"red" car', words("red car")),
        ('"-people OR (x) date:2024"', words("-people OR (x) date:2024")),
        ("“red car”", words("red car")),
        ("„red car“", words("red car")),
        ('say "a ""b"" c"', words('say a "b" c')),
        ("2:golden retriever", words("golden retriever", 2.0)),
        ('0.5:"x y" z', Blend((Text("x y", 0.5), Text("z")))),
        (".5:x", words("x", 0.5)),
        ("dog 2:red car", Blend((Text("dog"), Text("red car", 2.0)))),
        ("dog image:x.jpg at night", Blend((Text("dog at night"), Picture("x.jpg")))),
        ("image:x.jpg dog", Blend((Picture("x.jpg"), Text("dog")))),
        ('2:image:"my dog.jpg" like:ab12', Blend((Picture("my dog.jpg", 2.0), Like("ab12")))),
        ("image:“my dog.jpg”", Blend((Picture("my dog.jpg"),))),
        ("path:img(1).jpg", Filter("path", Contains("img(1).jpg"))),
        ("PATH:x", Filter("path", Contains("x"))),
        ("ext:JPG,.png", Filter("ext", OneOf(("jpg", "png")))),
    ],
)
def test_terms(text: str, node: Node) -> None:
    assert parse(text) == node


@pytest.mark.parametrize(
    ("text", "node"),
    [
        (
            "a dog -people date:2024",
            And((words("a dog"), Not(words("people")), dated("2024", "2024"))),
        ),
        ("red car OR blue car", Or((words("red car"), words("blue car")))),
        ("a AND b OR c", Or((And((words("a"), words("b"))), words("c")))),
        ("a OR b c AND d", Or((words("a"), And((words("b c"), words("d")))))),
        ("a (b OR c)", And((words("a"), Or((words("b"), words("c")))))),
        ("(a b) c", And((words("c"), words("a b")))),
        ("a AND (b AND c)", And((words("a"), words("b"), words("c")))),
        ("a OR (b OR c)", Or((words("a"), words("b"), words("c")))),
        ("a NOT red car", And((words("a"), Not(words("red car"))))),
        ("a -red car", And((words("a car"), Not(words("red"))))),
        ('-"red car"', Not(words("red car"))),
        ("-t-shirt", Not(words("t-shirt"))),
        ("-(a OR b)", Not(Or((words("a"), words("b"))))),
        ("-date:2024", Not(dated("2024", "2024"))),
        ("NOT image:x", Not(Blend((Picture("x"),)))),
        ("-like:ab", Not(Blend((Like("ab"),)))),
        ("NOT NOT a", Not(Not(words("a")))),
        ("a AND NOT b", And((words("a"), Not(words("b"))))),
        ("(((a)))", words("a")),
    ],
)
def test_operators(text: str, node: Node) -> None:
    assert parse(text) == node


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        ("2024", "2024", "2024"),
        ("=2024", "2024", "2024"),
        ("2024-05", "2024-05", "2024-05"),
        ("2024-02-29", "2024-02-29", "2024-02-29"),
        ("2024-05..2024-08", "2024-05", "2024-08"),
        ("2024-05..2024", "2024-05", "2024"),
        ("2024..", "2024", None),
        ("..2024", None, "2024"),
        (">2024-05", "2024-06", None),
        (">2024-12", "2025-01", None),
        (">2024", "2025", None),
        (">2024-02-28", "2024-02-29", None),
        (">=2024-05", "2024-05", None),
        ("<2024-01", None, "2023-12"),
        ("<2024", None, "2023"),
        ("<2024-03-01", None, "2024-02-29"),
        ("<=2024-05", None, "2024-05"),
    ],
)
def test_dates(value: str, low: str | None, high: str | None) -> None:
    assert parse(f"date:{value}") == dated(low, high)


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        (">3000", 3001, None),
        (">=3000", 3000, None),
        ("<800", None, 799),
        ("<=800", None, 800),
        ("1000..2000", 1000, 2000),
        ("=1920", 1920, 1920),
        ("1920", 1920, 1920),
    ],
)
def test_sizes(value: str, low: int | None, high: int | None) -> None:
    assert parse(f"width:{value}") == Filter("width", Range(low, high))
    assert parse(f"height:{value}") == Filter("height", Range(low, high))


@pytest.mark.parametrize(
    ("text", "position", "says"),
    [
        ("", 0, "empty"),
        (" \n ", 0, "empty"),
        ("OR dog", 0, "nothing before"),
        ("dog OR", 6, "follows 'OR'"),
        ("dog AND OR cat", 8, "follows 'AND'"),
        ("dog NOT", 7, "follows 'NOT'"),
        ("-OR", 1, "follows '-'"),
        ("(dog", 0, "never closed"),
        ("dog)", 3, "never opened"),
        ("dog ()", 5, "follows '('"),
        ('a "red car', 2, "never closed"),
        ("a “red car", 2, "never closed"),
        ('""', 0, "empty"),
        ("0:dog", 0, "outside 0.001 to 1000"),
        ("a 0.0:dog", 2, "outside 0.001 to 1000"),
        ("1" + "0" * 46 + ":dog 1:cat", 0, "outside 0.001 to 1000"),
        ("9" * 400 + ":dog", 0, "outside 0.001 to 1000"),
        ("-2:dog", 1, "weight cannot be negative"),
        ("2:-dog", 2, "needs a term"),
        ("2:(a OR b)", 2, "needs a term"),
        ("2:date:2024", 2, "needs a term"),
        ("a camera:sony", 2, "not in this version"),
        ('text:"invoice"', 0, "not in this version"),
        ("http://example.com", 0, "no field http:"),
        ("note:dog", 0, "no field note:"),
        ("date: 2024", 5, "has no value"),
        ("(dog date:)", 10, "has no value"),
        ('path:a"b"', 6, "quote inside a value"),
        ("date:2024-13", 0, "cannot be understood"),
        ("date:2023-02-29", 0, "cannot be understood"),
        ("date:0000", 0, "cannot be understood"),
        ("date:yesterday", 0, "cannot be understood"),
        ("date:..", 0, "cannot be understood"),
        ("date:>9999", 0, "cannot be understood"),
        ("date:2024-05-06..2024-05-05", 0, "backwards"),
        ("date:2025..2024-05", 0, "backwards"),
        ("width:abc", 0, "cannot be understood"),
        ("width:-5", 0, "cannot be understood"),
        ("width:<0", 0, "cannot be understood"),
        ("width:99999999999", 0, "cannot be understood"),
        ("dog height:2000..1000", 4, "backwards"),
        ("ext:jpg,", 0, "cannot be understood"),
        ("dog \udcff", 4, "not text"),
    ],
)
def test_errors_teach(text: str, position: int, says: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert caught.value.position == position
    assert caught.value.expected
    assert says in str(caught.value)


@pytest.mark.parametrize("mark", ["(", "NOT ", "-("])
def test_nesting_is_bounded(mark: str) -> None:
    with pytest.raises(QueryError, match="nested"):
        parse(mark * 5000 + "dog")
    groups = MAX_DEPTH
    assert parse("(" * groups + "dog" + ")" * groups) == words("dog")


def test_long_queries_are_read_in_one_go() -> None:
    node = parse(" OR ".join(["dog"] * 5000))
    assert isinstance(node, Or)
    assert len(node.parts) == 5000


_prose = st.text(
    st.one_of(
        st.sampled_from(list('abAN:-–()"“”.0129 \n\t,*')),
        st.characters(exclude_categories=("Cs",)),
    ),
    min_size=1,
    max_size=12,
).filter(str.strip)
_weights = st.one_of(st.just(1.0), st.floats(min_value=MIN_WEIGHT, max_value=MAX_WEIGHT))
_terms = st.one_of(
    st.builds(Text, _prose, _weights),
    st.builds(Picture, _prose, _weights),
    st.builds(Like, _prose, _weights),
)
_sides = st.integers(0, 10**9)
_years = st.integers(1, 9999).map(lambda year: f"{year:04}")
_filters = st.one_of(
    st.builds(lambda t: Filter("path", Contains(t)), _prose),
    st.builds(
        lambda a: Filter("ext", OneOf(tuple(a))),
        st.lists(st.sampled_from(["jpg", "7z"]), min_size=1),
    ),
    st.builds(lambda a, b: Filter("width", Range(min(a, b), max(a, b))), _sides, _sides),
    st.builds(lambda a: Filter("height", Range(None, a)), _sides),
    st.builds(lambda a, b: Filter("date", Range(min(a, b), max(a, b))), _years, _years),
    st.builds(lambda a: Filter("date", Range(f"{a}-10-31", None)), _years),
)
_leaves: st.SearchStrategy[Node] = st.one_of(
    st.lists(_terms, min_size=1, max_size=3).map(lambda terms: Blend(tuple(terms))), _filters
)


def _flat(kind: type[And] | type[Or], parts: list[Node]) -> Node:
    return kind(tuple(q for p in parts for q in (p.parts if isinstance(p, kind) else (p,))))


def _larger(nodes: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(nodes, min_size=2, max_size=3)
    return st.one_of(
        nodes.map(Not),
        several.map(lambda parts: _flat(And, parts)),
        several.map(lambda parts: _flat(Or, parts)),
    )


@settings(max_examples=400, deadline=None)
@given(st.recursive(_leaves, _larger, max_leaves=8))
def test_unparse_goes_back(node: Node) -> None:
    assert parse(unparse(node)) == node


@settings(max_examples=400, deadline=None)
@given(st.text(st.sampled_from(list('ab-:()"“” ORANDT2.,<>=date'))))
def test_any_text_is_a_tree_or_a_query_error(text: str) -> None:
    try:
        node = parse(text)
    except QueryError as error:
        position = error.position
    else:
        position = 0
        assert parse(unparse(node)) == node
    assert 0 <= position <= len(text)


def test_unparse_reads_well() -> None:
    for text in (
        "a dog -people date:2024",
        "red car OR blue car",
        '2:"golden retriever" beach',
        "(a OR b) -c",
        "a AND b",
        'path:"my pictures"',
    ):
        assert unparse(parse(text)) == text


def test_explain_outlines_the_tree() -> None:
    outline = explain(parse("2:dog image:a.jpg -people (date:>2024 OR ext:png,jpg)"))
    assert outline.splitlines() == [
        "all of",
        "  one vector of",
        '    2 × description "dog"',
        "    1 × picture a.jpg",
        "  not",
        '    description "people"',
        "  any of",
        "    date from 2025",
        "    ext is png or jpg",
    ]
