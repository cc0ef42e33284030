"""Queries taken apart and changed: nothing is lost, nothing is added that was not asked for."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from visionquery.errors import QueryError
from visionquery.query.ast import And, Blend, Filter, Like, Node, Not, Or, Picture, Text, terms_of
from visionquery.query.editing import QueryPart, edited, parts
from visionquery.query.grammar import MAX_DEPTH, parse, unparse

FEW = settings(max_examples=300, deadline=None)

_PIECES = (
    "a dog", "a dog left of a car", "two dogs", "red car without people", "no dogs", '"a OR b"',
    "2:snow", "image:a.jpg at night", "concept:x",
    "like:ab", "like:ab@1,2,3,4", "date:2024", "-date:2023", "camera:sony", "-people",
    "NOT parked cars", "(a OR b)", "-(a OR camera:x)", "NOT NOT a", "a OR date:2024", "a AND b",
    "AND", "OR", "NOT", "without",
)  # fmt: skip


def _read(text: str) -> Node | None:
    try:
        return parse(text)
    except QueryError:
        return None


_texts = st.lists(st.sampled_from(_PIECES), min_size=1, max_size=5).map(" ".join).filter(_read)
_blank = st.sampled_from(["", " ", "\n"])


def _nodes(text: str) -> list[Node]:
    if not text.strip():
        return []
    node = parse(text)
    return list(node.parts) if isinstance(node, And) else [node]


def _field(node: Node) -> str | None:
    inner = node.part if isinstance(node, Not) else node
    return inner.field if isinstance(inner, Filter) else None


# -- parts ---------------------------------------------------------------------------------------
def test_the_parts_are_those_of_the_conjunction_at_the_top() -> None:
    found = parts(parse("image:a.jpg at night -date:2024 (like:ab OR -like:cd@1,2,3,4) -people"))
    shown = [(part.text, part.kind, part.field, part.excluded, part.image_ids) for part in found]
    assert shown == [
        ("at night image:a.jpg", "picture", None, False, ()),
        ("date:2024", "filter", "date", True, ()),
        ("like:ab OR -like:cd@1,2,3,4", "group", None, False, ("ab", "cd")),
        ("people", "description", None, True, ()),
    ]


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("a dog", QueryPart("a dog", "description", None, False, (), "")),
        ("sky above", QueryPart("sky above", "description", None, False, (), "")),
        ("a OR date:2024", QueryPart("a OR date:2024", "group", None, False, (), "")),
        ("-ext:jpg", QueryPart("ext:jpg", "filter", "ext", True, (), "")),
        ("-(a OR b)", QueryPart("a OR b", "group", None, True, (), "")),
        ("NOT -ext:jpg", QueryPart("-ext:jpg", "group", None, True, (), "")),
        ("2:like:ab like:ab", QueryPart("2:like:ab like:ab", "picture", None, False, ("ab",), "")),
    ],
)
def test_any_other_query_is_one_part(text: str, part: QueryPart) -> None:
    assert parts(parse(text)) == (part,)


def test_what_is_left_without_a_part_is_text() -> None:
    found = parts(parse("a dog AND a cat (b OR c) date:2024"))
    assert [part.without for part in found] == [
        "a cat (b OR c) date:2024",
        "a dog (b OR c) date:2024",
        "a dog AND a cat AND date:2024",
        "a dog AND a cat AND (b OR c)",
    ]
    assert [part.without for part in parts(parse("(b OR c) -x"))] == ["-x", "b OR c"]


@FEW
@given(_texts)
def test_without_a_part_is_the_conjunction_of_the_others(text: str) -> None:
    nodes = _nodes(text)
    found = parts(parse(text))
    assert len(found) == len(nodes)
    for place, part in enumerate(found):
        assert _nodes(part.without) == nodes[:place] + nodes[place + 1 :]
        assert part.excluded == isinstance(nodes[place], Not)
        assert part.field == _field(nodes[place])
        assert _read(part.text)


# -- edited --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "add", "drop", "expected"),
    [
        (" a  dog without people ", "date:2024", (), "a  dog without people date:2024"),
        ("a dog", " -like:ab ", (), "a dog -like:ab"),
        ("a dog", "a cat", (), "a dog AND a cat"),
        ("a dog", "like:ab", (), "a dog AND like:ab"),
        ("dog OR cat", "date:2024", (), "(dog OR cat) date:2024"),
        ("date:2024", "dog OR cat", (), "date:2024 (dog OR cat)"),
        ("a dog without", "date:2024", (), "a dog date:2024"),
        ("a dog without", "2:cat", (), "a dog AND 2:cat"),
        ("", "dog OR cat", (), "dog OR cat"),
        ("dog OR cat ", "", (), "dog OR cat"),
        ("", " ", ("date",), ""),
        ("a dog without people date:2024", "", ("date",), "a dog -people"),
        ("a dog -date:2024 date:2023 ext:jpg", "date:2020", ("date",), "a dog ext:jpg date:2020"),
        ("date:2024", "", ("date",), ""),
        ("date:2024 ", "date:2023", ("date",), "date:2023"),
        ("a (date:2024 OR date:2020)", "", ("date",), "a (date:2024 OR date:2020)"),
        ("a  dog date:2024", "", ("ext",), "a  dog date:2024"),
        ("a dog -people", "-people date:2024", (), "a dog -people date:2024"),
        ("a  dog -people", "NOT people", (), "a  dog -people"),
        ("a", "-b -b", (), "a -b"),
        ("date:2024", "date:2024", ("date",), "date:2024"),
    ],
)
def test_a_query_is_edited(text: str, add: str, drop: tuple[str, ...], expected: str) -> None:
    assert edited(text, add=add, drop=drop) == expected


@FEW
@given(
    st.one_of(_texts, _blank),
    st.one_of(_texts, _blank),
    st.sets(st.sampled_from(["date", "camera"])),
)
def test_edited_text_is_the_conjunction_of_both(text: str, add: str, drop: set[str]) -> None:
    kept = [node for node in _nodes(text) if _field(node) not in drop]
    new = [node for node in dict.fromkeys(_nodes(add)) if node not in kept]
    found = edited(text, add=add, drop=drop)
    assert _nodes(found) == kept + new
    assert edited(found, add=add) == found


@FEW
@given(_texts, _texts)
def test_words_stay_as_they_were_typed_where_they_can(text: str, add: str) -> None:
    added = _nodes(add)
    assume(not any(node in _nodes(text) or added.count(node) > 1 for node in added))
    joined, both = f"{text} {add}", And((*_nodes(text), *added))
    assert edited(text, add=add) == (joined if _read(joined) == both else unparse(both))


@pytest.mark.parametrize(("text", "add"), [("(a", ""), ("a", "date:x"), ("OR", "a")])
def test_a_text_that_cannot_be_read_is_refused(text: str, add: str) -> None:
    with pytest.raises(QueryError):
        edited(text, add=add)


def test_what_would_nest_too_deeply_is_refused() -> None:
    deepest = "a OR -(" * MAX_DEPTH + "b" + ")" * MAX_DEPTH
    assert edited(deepest) == deepest
    with pytest.raises(QueryError, match="nested"):
        edited(deepest, add="date:2024")


# -- terms ---------------------------------------------------------------------------------------
def test_the_terms_of_a_query_are_its_descriptions_and_pictures() -> None:
    node = parse("a dog image:a.jpg 2:snow -(like:ab OR date:2024) ext:jpg")
    assert terms_of(node) == (Text("a dog"), Picture("a.jpg"), Text("snow", 2.0), Like("ab"))
    assert terms_of(parse("date:2024")) == ()
    assert terms_of(Or((Blend((Text("a"),)), Blend((Text("a"),))))) == (Text("a"), Text("a"))


# -- examples ------------------------------------------------------------------------------------
def test_examples_are_parts_that_go_one_by_one() -> None:
    found = parts(parse("a dog more:ab less:cd date:2024"))
    shown = [(part.text, part.kind, part.excluded, part.image_ids, part.without) for part in found]
    assert shown == [
        ("a dog", "description", False, (), "date:2024"),
        ("more:ab", "example", False, ("ab",), "a dog less:cd date:2024"),
        ("less:cd", "example", True, ("cd",), "a dog more:ab date:2024"),
        ("date:2024", "filter", False, (), "a dog more:ab less:cd"),
    ]
    assert [part.without for part in parts(parse("more:ab"))] == [""]


@pytest.mark.parametrize(
    ("text", "add", "expected"),
    [
        ("a dog", "more:ab", "a dog more:ab"),
        ("a dog more:ab", "less:cd", "a dog more:ab less:cd"),
        ("a dog more:ab", "less:ab", "a dog less:ab"),
        ("a dog more:ab", "more:ab", "a dog more:ab"),
        ("a dog without people", "more:ab", "a dog without people more:ab"),
        ("a dog AND a cat", "more:ab", "a dog more:ab AND a cat"),
        ("date:2024", "more:ab", "more:ab date:2024"),
        ("", "more:ab", "more:ab"),
        ("a dog", "less:ab date:2024", "a dog less:ab date:2024"),
    ],
)
def test_an_added_example_teaches_what_is_asked_for(text: str, add: str, expected: str) -> None:
    assert edited(text, add=add) == expected
