"""Where things are and how many, read from plain words; and what only looks like it."""

import pytest

from visionquery.query.arrangement import as_arranged, other_counts
from visionquery.query.ast import And, Arranged, Blend, Filter, Not, Or, Relation, Text, terms_of
from visionquery.query.grammar import parse


@pytest.mark.parametrize(
    ("text", "relation", "things"),
    [
        ("a dog left of a bicycle", "left of", ["a dog", "a bicycle"]),
        ("dog to the left of Bicycle", "left of", ["dog", "Bicycle"]),
        ("a dog is on the left side of the red car", "left of", ["a dog", "the red car"]),
        ("two men standing just right of a car.", "right of", ["two men standing", "a car"]),
        ("a bird flying high above the sea", "above", ["a bird flying", "the sea"]),
        ("cat under table", "below", ["cat", "table"]),
        ("water beneath a bridge", "below", ["water", "a bridge"]),
        ("a dog on the left", "left", ["a dog"]),
        ("a dog on the right-hand side of the picture", "right", ["a dog"]),
        ("a sign at the top", "top", ["a sign"]),
        ("sky above", "top", ["sky"]),
        ("a boat at the bottom of the photo!", "bottom", ["a boat"]),
    ],
)
def test_plain_words_say_where_things_are(text: str, relation: Relation, things: list[str]) -> None:
    node = parse(text)
    assert node == Arranged(Text(text), relation, tuple(map(Text, things)))
    assert terms_of(node) == (Text(text),)


@pytest.mark.parametrize(
    ("text", "count", "things"),
    [
        ("two dogs", 2, "dogs"),
        ("3 small brown dogs", 3, "small brown dogs"),
        ("Six Children.", 6, "Children"),
        ("four sheep", 4, "sheep"),
    ],
)
def test_a_number_says_how_many(text: str, count: int, things: str) -> None:
    assert parse(text) == Arranged(Text(text), "count", (Text(things.lower()),), count)


@pytest.mark.parametrize(
    "text",
    [
        "left of centre", "above all", "a house under construction", "a top hat", "turn left",
        "right of way", "the right of way", "on top of the world", "background image",
        "what is left of the house", "all that is left of the town", "a car turning to the left",
        "a view from above", "10 degrees below zero", "a diver under water", "under the sea",
        "a plane above 10 km", "a dog left of it", "she left of a sudden", "left", "left of a tree",
        "a dog left of", "a dog, left of a car", "a man under a tree left of a car",
        "a very long line of words for a thing left of a car", "a dog and a cat left of a car",
        "dancing under the influence", "people in the background", "a hill above sea level",
        "two", "2", "two weeks", "one dog", "7 dogs", "2024 dogs", "two dogs running",
        "two dogs on a beach", "two feet", "two for tea", "two bus", "5 dogs, cats", "0 dogs",
        "٣ dogs", "İ left of a dog",
    ],
)  # fmt: skip
def test_what_is_in_doubt_is_a_description(text: str) -> None:
    assert parse(text) == Blend((Text(text),))


def test_quotes_and_weights_take_words_as_they_stand() -> None:
    for text in ('"a dog left of a car"', '"a dog" left of a car', "2:a dog left of a car"):
        assert isinstance(parse(text), Blend)
    assert isinstance(parse("a dog left of a car 2:snow"), Blend)
    assert as_arranged(Text("two dogs", quotes=((4, 8),))) is None


def test_it_stands_beside_other_parts() -> None:
    match parse("sky above date:2024 without people"):
        case And((Arranged(), Not(Blend()), Filter())):
            pass
        case other:
            pytest.fail(f"read as {other}")
    assert parse("two dogs OR sky above") == Or((parse("two dogs"), parse("sky above")))
    assert parse("-(two dogs)") == Not(parse("two dogs"))
    assert parse("NOT two dogs") == Not(Blend((Text("two dogs"),)))


@pytest.mark.parametrize(
    ("text", "others"),
    [
        ("two dogs", ["a dog", "three dogs", "four dogs"]),
        ("3 old women", ["an old woman", "two old women", "four old women"]),
        ("five boxes", ["a box", "two boxes", "three boxes", "four boxes"]),
        ("two horses", ["a horse", "three horses", "four horses"]),
        ("two puppies", ["a puppy", "three puppies", "four puppies"]),
        ("two sheep", ["a sheep", "three sheep", "four sheep"]),
    ],
)
def test_a_number_competes_with_others(text: str, others: list[str]) -> None:
    node = parse(text)
    assert isinstance(node, Arranged)
    assert other_counts(node) == tuple(map(Text, others))
