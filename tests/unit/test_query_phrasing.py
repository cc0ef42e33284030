"""Which things a description names, and what they would be in each other's colours."""

import pytest

from visionquery.query.phrasing import exchanged, things_of


@pytest.mark.parametrize(
    ("text", "things"),
    [
        ("a red car and a blue house", ("a red car", "a blue house")),
        ("red car, blue house", ("red car", "blue house")),
        ("Two dogs run through a field.", ("two dogs", "a field")),
        ("a brown dog chases a ball", ("a brown dog", "a ball")),
        ("a tennis player hits a ball", ("a tennis player", "a ball")),
        ("a black and white dog in snow", ("a black and white dog", "snow")),
        ("a man with a red, white and blue shirt", ("a man", "a red , white and blue shirt")),
        ("a group of people sit on a bench", ("a group of people", "a bench")),
        ("a man in front of a garage", ("a man", "a garage")),
        ("a running dog beside a swimming pool", ("a running dog", "a swimming pool")),
        (
            "a blonde haired girl dressed in pink clothing",
            ("a blonde haired girl", "pink clothing"),
        ),
        ("a dog with its tongue out in the background", ("a dog", "its tongue")),
        (
            "a man in a yellow jacket holding a brown dog",
            ("a man", "a yellow jacket", "a brown dog"),
        ),
    ],
)
def test_things_keep_their_attributes(text, things):
    assert things_of(text) == things


@pytest.mark.parametrize(
    "text",
    [
        "", "dog", "a red car", "sunset over the sea", "running", "it is in front of them",
        "a dog and a dog", "invoice 2024", "ein rotes Auto",
        "a cat, a dog, a cow, a pig, a hen, a fox and an owl",
    ],
)  # fmt: skip
def test_where_the_rule_is_unsure_there_are_none(text):
    assert things_of(text) == ()


def test_colours_are_exchanged_between_different_things():
    assert exchanged(("a red car", "a blue house")) == (
        ("a red car", "a blue car"),
        ("a blue house", "a red house"),
    )
    assert exchanged(("an orange ball", "a white dog", "a man")) == (
        ("an orange ball", "a white ball"),
        ("a white dog", "an orange dog"),
    )
    assert exchanged(("a black and white dog", "red shoes")) == (
        ("a black and white dog", "a red dog"),
        ("red shoes", "black and white shoes"),
    )


@pytest.mark.parametrize(
    "things",
    [(), ("a man", "a dog"), ("a red car", "a house"), ("a red car", "a red house"),
     ("a black dog", "a white dog"), ("the blue", "a red car")],
)  # fmt: skip
def test_nothing_is_exchanged_without_two_colours_on_two_things(things):
    assert exchanged(things) == ()
