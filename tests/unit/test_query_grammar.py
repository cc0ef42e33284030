"""The grammar: every mark, every word that only looks like a mark, and the way back to text."""

import inspect
import sys
from collections.abc import Iterator

import pytest

from visionquery.errors import QueryError
from visionquery.query.ast import (
    And,
    Blend,
    Box,
    Filter,
    Like,
    Node,
    Not,
    Or,
    Picture,
    Range,
    Text,
    terms_of,
)
from visionquery.query.document import as_document
from visionquery.query.editing import edited, parts
from visionquery.query.grammar import MAX_DEPTH, explain, parse, unparse


def words(text: str, weight: float = 1.0) -> Blend:
    return Blend((Text(text, weight),))


def quoted(text: str, weight: float = 1.0) -> Blend:
    return Blend((Text(text, weight, ((0, len(text)),)),))


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
        "salt and pepper or sugar",
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
        ('"red" car', Blend((Text("red car", quotes=((0, 3),)),))),
        ('"-people OR (x) date:2024"', quoted("-people OR (x) date:2024")),
        ("“red car”", quoted("red car")),
        ("„red car“", quoted("red car")),
        ('"  red\n car "', quoted("  red\n car ")),
        ('a dog "no parking"', Blend((Text("a dog no parking", quotes=((6, 16),)),))),
        ('"a" b "c d"', Blend((Text("a b c d", quotes=((0, 1), (4, 7))),))),
        ('say "a ""b"" c"', Blend((Text('say a "b" c', quotes=((4, 11),)),))),
        ("2:golden retriever", words("golden retriever", 2.0)),
        ('0.5:"x y" z', Blend((Text("z"), Text("x y", 0.5, ((0, 3),))))),
        (".5:x", words("x", 0.5)),
        ("dog 2:red car", Blend((Text("dog"), Text("red car", 2.0)))),
        ("dog image:x.jpg at night", Blend((Text("dog at night"), Picture("x.jpg")))),
        ("image:x.jpg dog", Blend((Text("dog"), Picture("x.jpg")))),
        ("2:dog image:x cat", Blend((Text("cat"), Text("dog", 2.0), Picture("x")))),
        ('2:image:"my dog.jpg" like:ab12', Blend((Picture("my dog.jpg", 2.0), Like("ab12")))),
        ("image:“my dog.jpg”", Blend((Picture("my dog.jpg"),))),
        ("like:a@10,20.5,30,.5", Blend((Like("a", box=Box(10.0, 20.5, 30.0, 0.5)),))),
        ('2:like:"a@0, 0, 100, 100"', Blend((Like("a", 2.0, Box(0.0, 0.0, 100.0, 100.0)),))),
        ("like:a@66.6667,0,33.3333,1", Blend((Like("a", box=Box(66.6667, 0, 33.3333, 1)),))),
        ("like:a, in red", Blend((Text("in red"), Like("a")))),
        ("like:a like:b, at night", Blend((Text("at night"), Like("a"), Like("b")))),
        ("like:a@1,2,3,4, at night", Blend((Text("at night"), Like("a", box=Box(1, 2, 3, 4))))),
        (
            "like:a like:b without the person",
            And((Blend((Like("a"), Like("b"))), Not(Blend((Text("the person"),))))),
        ),
        ("x@y.org like:a", Blend((Text("x@y.org"), Like("a")))),
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
        ('-"red car"', Not(quoted("red car"))),
        ("-t-shirt", Not(words("t-shirt"))),
        ("-(a OR b)", Not(Or((words("a"), words("b"))))),
        ("-date:2024", Not(dated("2024", "2024"))),
        ("NOT image:x", Not(Blend((Picture("x"),)))),
        ("-like:ab", Not(Blend((Like("ab"),)))),
        ("-like:a@1,2,3,4", Not(Blend((Like("a", box=Box(1, 2, 3, 4)),)))),
        ("NOT NOT a", Not(Not(words("a")))),
        ("a AND NOT b", And((words("a"), Not(words("b"))))),
        ("(((a)))", words("a")),
    ],
)
def test_operators(text: str, node: Node) -> None:
    assert parse(text) == node


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
        ("without 2:dog", 8, "weight cannot be negative"),
        ("2:no dogs", 2, "weight cannot be negative"),
        ("a 2:no cats, 3 dogs", 4, "weight cannot be negative"),
        ("2:dog without", 13, "follows 'without'"),
        ("http://example.com", 0, "no field http:"),
        ("note:dog", 0, "no field note:"),
        ("date: 2024", 5, "has no value"),
        ("(dog date:)", 10, "has no value"),
        ('path:a"b"', 6, "quote inside a value"),
        ("camera:\udcff", 0, "not text"),
        ("dog \udcff", 4, "not text"),
        ("dog like:a@", 4, "LEFT,TOP,WIDTH,HEIGHT"),
        ("like:a@1,2,3", 0, "LEFT,TOP,WIDTH,HEIGHT"),
        ("like:a@1,2,3,4,5", 0, "LEFT,TOP,WIDTH,HEIGHT"),
        ("like:a@1,2,3,x", 0, "LEFT,TOP,WIDTH,HEIGHT"),
        ("like:a@1,2,3,nan", 0, "LEFT,TOP,WIDTH,HEIGHT"),
        ("like:a@b@1,2,3,4", 0, "LEFT,TOP,WIDTH,HEIGHT"),
        ("like:@1,2,3,4", 0, "LEFT,TOP,WIDTH,HEIGHT"),
        ("like:a@1, 2, 3, 4", 0, "without spaces"),
        ("a 2:like:a@-1,2,3,4", 4, "width runs from -1 to 2"),
        ("like:a@1,-2,3,4", 0, "height runs from -2 to 2"),
        ("like:a@1,2,0,4", 0, "more than 0"),
        ("like:a@1,2,3,0", 0, "more than 0"),
        ("-like:a@50,0,50.1,100", 1, "width runs from 50 to 100.1"),
        ("like:a@0,0,100,101", 0, "from 0 to 100"),
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


@pytest.mark.parametrize(
    "mark",
    ["(", "-", "- ", "NOT ", "-(", "NOT (", "without (", "a OR (", "a -(b OR ", "2:(", "-)"],
)
@pytest.mark.parametrize("end", ["", "dog"])
def test_a_line_of_marks_is_no_recursion(mark: str, end: str) -> None:
    text = (mark * 2000)[:2000] + end
    if mark in ("-", "- "):
        assert isinstance(parse(text), Blend)  # A dash before no word is a word.
        return
    for read in (parse, edited):
        with pytest.raises(QueryError) as caught:
            read(text)
        assert 0 <= caught.value.position <= len(text)


@pytest.fixture
def short_stack() -> Iterator[None]:
    """A stack on which 600 frames are left, of the 1,000 that Python gives."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 600)
    yield
    sys.setrecursionlimit(limit)


@pytest.mark.parametrize("mark", ["(", "NOT ", "-(", "a (b OR ", "a -(b OR c ", "a -(b "])
def test_the_deepest_tree_takes_a_part_of_the_stack(mark: str, short_stack: None) -> None:
    text = mark * MAX_DEPTH + "dog" + ")" * (mark.count("(") * MAX_DEPTH)
    node = parse(text)
    assert parse(unparse(node)) == node
    assert explain(node)
    assert as_document(node)
    assert terms_of(node)
    assert parts(node)
    assert edited(text, add="date:2024")


def test_long_queries_are_read_in_one_go() -> None:
    node = parse(" OR ".join(["dog"] * 5000))
    assert isinstance(node, Or)
    assert len(node.parts) == 5000
