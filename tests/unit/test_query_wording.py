"""Trees as text for people, as an outline and as data for programs."""

import json

import pytest

from visionquery.query.ast import Blend, Node, Not, Text
from visionquery.query.document import as_document
from visionquery.query.grammar import explain, parse, unparse


@pytest.mark.parametrize(
    "text",
    [
        "a dog -people date:2024",
        "red car OR blue car",
        "beach 2:golden retriever",
        'beach 2:"golden retriever"',
        "a street NOT parked cars -people",
        'a dog "no parking" -"wet floor"',
        "(a OR b) -c",
        "a AND b",
        'path:"my pictures"',
        "like:3f9a@10,20.5,30,40 2:like:3f9a",
        "dog -like:3f9a@0.25,0,99.75,100",
        "a dog is on the left side of the Red car. date:2024 -people",
        "NOT two dogs",
        "-(two dogs)",
        "a AND sky above",
        "camera:sony near:52.5,13.4,0.5 keyword:sunset,beach orientation:portrait",
    ],
)
def test_unparse_reads_well(text: str) -> None:
    assert unparse(parse(text)) == text


@pytest.mark.parametrize(
    ("node", "text"),
    [
        (Blend((Text("dress without sleeves"),)), '"dress without sleeves"'),
        (Blend((Text("a OR b", 2.0),)), '2:"a OR b"'),
        (Blend((Text("3 dogs", 2.0),)), '2:"3 dogs"'),
        (Blend((Text("a b c", 2.0, ((2, 3),)),)), '2:"a b c"'),
        (Not(Blend((Text("date:2024"),))), '-"date:2024"'),
    ],
)
def test_trees_made_by_hand_are_written_with_the_same_meaning(node: Node, text: str) -> None:
    assert unparse(node) == text
    parse(text)


def test_explain_outlines_the_tree() -> None:
    outline = explain(parse("2:dog without people image:a.jpg (date:>2024 OR ext:png,jpg)"))
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


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('a dog "no parking"', 'description "a dog no parking", literally "no parking"'),
        ('"red car"', 'literally "red car"'),
        ('"a\n\x1b[1m"', 'literally "a\\n\\x1b[1m"'),
        ("image:a\udcff.jpg", "picture a\\udcff.jpg"),
        ("like:ab12", "image ab12"),
        (
            "like:ab12@10,20.5,30,40",
            "30% × 40%, 10% from the left and 20.5% from the top, of image ab12",
        ),
        ("A dog to the left of a car", '"A dog" left of "a car"'),
        ("a boat at the bottom of the picture", '"a boat" at the bottom'),
        ("dog on the left", '"dog" on the left'),
        ("3 small dogs", '3 "small dogs"'),
        ("camera:sony", 'camera contains "sony"'),
        ("camera:sony*", 'camera matches "sony*"'),
        ("near:52.5,13.4,5km", "place within 5 km of 52.5, 13.4"),
        ("orientation:square,portrait", "orientation is square or portrait"),
        ("keyword:sunset", "keyword is sunset"),
        ("text:invoice", 'text in the picture contains "invoice"'),
        ("width:600..1200", "width from 600 to 1200"),
        ("width:<=600", "width up to 600"),
        ("date:2024", "date is 2024"),
    ],
)
def test_explain_says_each_leaf_in_one_line(text: str, line: str) -> None:
    assert explain(parse(text)) == line


@pytest.mark.parametrize(
    ("text", "document"),
    [
        (
            'a dog "no parking"',
            {"blend": [{"text": "a dog no parking", "weight": 1.0, "quotes": ["no parking"]}]},
        ),
        (
            "2:image:a.jpg like:ab",
            {"blend": [{"image": "a.jpg", "weight": 2.0}, {"like": "ab", "weight": 1.0}]},
        ),
        (
            "2:like:ab@10,20.5,30,40",
            {"blend": [{"like": "ab", "weight": 2.0, "box": [10.0, 20.5, 30.0, 40.0]}]},
        ),
        (
            "a dog left of a car",
            {
                "arranged": {
                    "text": "a dog left of a car",
                    "relation": "left of",
                    "things": ["a dog", "a car"],
                    "count": None,
                }
            },
        ),
        (
            "-path:x OR ext:jpg,png",
            {
                "any": [
                    {"not": {"filter": "path", "contains": "x"}},
                    {"filter": "ext", "one_of": ["jpg", "png"]},
                ]
            },
        ),
        (
            "date:>2023 near:1,-2,3",
            {
                "all": [
                    {"filter": "date", "low": "2024", "high": None},
                    {"filter": "near", "latitude": 1.0, "longitude": -2.0, "km": 3.0},
                ]
            },
        ),
    ],
)
def test_a_tree_is_data(text: str, document: dict[str, object]) -> None:
    assert as_document(parse(text)) == document
    assert json.loads(json.dumps(document)) == document
