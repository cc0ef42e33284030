"""Plain-language negation: what is excluded, what goes back, and what only looks like it."""

import re
from pathlib import Path

import pytest

from visionquery.query.ast import And, Blend, Not, Picture, Text
from visionquery.query.grammar import parse, unparse


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("beach without people", "beach -people"),
        ("red car but no truck", "red car -truck"),
        ("red car, no truck.", "red car -truck"),
        ("a street w/o cars", "a street -cars"),
        ("a street W/O cars", "a street -cars"),
        ("food excluding meat and fish", "food -meat -fish"),
        ("kitchen but not white", "kitchen -white"),
        ("photos not blurry", "photos -blurry"),
        ("portrait with no background", "portrait -background"),
        ("cats and no dogs", "cats -dogs"),
        ("the kids except for Tom", "the kids -Tom"),
        ("landscape without any people", "landscape -people"),
        ("chairs that are not red", "chairs -red"),
        ("a car that isn’t red", "a car -red"),
        ("photos that do not show people", "photos -people"),
        ("pictures that don't contain text", "pictures -text"),
        ("a man wearing no shirt", "a man -shirt"),
        ("shoes no laces", "shoes -laces"),
    ],
)
def test_triggers(text: str, canonical: str) -> None:
    assert unparse(parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("no people", "-people"),
        ("without people", "-people"),
        ("not blurry", "-blurry"),
        ("There are no people", "-people"),
        ("no cars, no people", "-cars -people"),
        ("without people or dogs", "-people -dogs"),
        ("without a ball in its mouth", "NOT a ball in its mouth"),
    ],
)
def test_a_query_may_only_exclude(text: str, canonical: str) -> None:
    assert unparse(parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("a beach without people at sunset", "a beach at sunset -people"),
        ("a beach without people, sunset", "a beach sunset -people"),
        ("a street except at night", "a street NOT at night"),
        ("a street except at night in summer", "a street in summer NOT at night"),
        ("a street except at night or in winter", "a street NOT at night NOT in winter"),
        ("a dog without a ball in its mouth", "a dog NOT a ball in its mouth"),
        ("a photo without people in the background", "a photo NOT people in the background"),
        ("a car without people in it", "a car -people"),
        ("a bridge without people standing on it", "a bridge -people"),
        ("a cake with no candles on top", "a cake -candles"),
        ("a road with no cars in sight", "a road -cars"),
        ("a man with no shirt on", "a man -shirt"),
        ("a man with no shirt on in a park", "a man in a park -shirt"),
        ("a man with no shirt on is climbing", "a man is climbing -shirt"),
        ("a man without a shirt climbing a rock", "a man climbing a rock NOT a shirt"),
        ("a man without a shirt plays drums", "a man plays drums NOT a shirt"),
        ("a person not looking at the camera", "a person NOT looking at the camera"),
        ("a landmark not seen from above", "a landmark NOT seen from above"),
        ("a house not next to the sea", "a house NOT next to the sea"),
        ("people not wearing a hat at night", "people at night NOT wearing a hat"),
        ("a hotel with no indoor swimming pool", "a hotel NOT indoor swimming pool"),
        ("a street without a building", "a street NOT a building"),
        ("a room with no bed in winter", "a room in winter -bed"),
        ("no people but dogs", "dogs -people"),
        ("a tree with no leaves while it rains", "a tree while it rains -leaves"),
    ],
)
def test_what_follows_the_excluded_goes_back(text: str, canonical: str) -> None:
    assert unparse(parse(text)) == canonical


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("a beach without people and cars", "a beach -people -cars"),
        ("a beach without people, dogs or cars", "a beach -people -dogs -cars"),
        ("a beach w/o people, dogs, and cars at noon", "a beach at noon -people -dogs -cars"),
        ("a room without a sofa and a lamp", "a room NOT a sofa NOT a lamp"),
        ("a man with no shirt and a hat", "a man and a hat -shirt"),
        ("a man with no shirt and wearing a hat", "a man wearing a hat -shirt"),
        ("a flat without beds and with big windows", "a flat with big windows -beds"),
        ("a dress without sleeves but with buttons", "a dress with buttons -sleeves"),
    ],
)
def test_lists(text: str, canonical: str) -> None:
    assert unparse(parse(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "a no parking sign",
        "no smoking",
        "no skiing signs",
        "no entry",
        "no trespassing",
        "no dogs allowed",
        "no dogs or cats allowed",
        "a no truck sign",
        "no left turn",
        "nobody on a bench",
        "a kitchen with no one in it",
        "nothing but sky",
        "do not enter",
        "a do not disturb sign",
        "forget me not flowers",
        "whether or not it rains",
        "shirt or no shirt",
        "no 7 bus",
        "No. 5 perfume",
        "not only dogs",
        "it isn't just a dog",
        "not far from home",
        "no man's land",
        "without a doubt the best dog",
        "doctors without borders",
        "plates with and without food",
        "a not-so-crowded pool",
        "knot",
        "exceptional",
        "no, thanks",
    ],
)
def test_idioms_are_words(text: str) -> None:
    assert parse(text) == Blend((Text(text),))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("dogs OR cats without owners", "dogs OR cats -owners"),
        ("a AND (b without c)", "a AND b AND -c"),
        ("(beach without people) OR snow", "beach -people OR snow"),
        ("2:beach without people image:a.jpg", "2:beach image:a.jpg -people"),
        ("beach without people date:2024", "beach -people date:2024"),
        ("beach without date:2024 people", "beach people -date:2024"),
        ("beach without (people OR dogs) at night", "beach at night -(people OR dogs)"),
        ("beach like:ab without image:a.jpg", "beach like:ab -image:a.jpg"),
        ("NOT a man without a hat", "NOT a man without a hat"),
        ("-without", "-without"),
        ('dress "without sleeves"', 'dress "without sleeves"'),
        ('a dog without "a leash" in snow', 'a dog in snow -"a leash"'),
        ('a road without red "stop" signs', 'a road -(red "stop" signs)'),
        ("beach without", "beach"),
        ("beach without AND dogs", "beach AND dogs"),
        ("beach without -people", "beach -people"),
        ("OR, without people", "OR, -people"),
    ],
)
def test_with_the_marks_of_the_grammar(text: str, canonical: str) -> None:
    assert unparse(parse(text)) == canonical


def test_a_trigger_excludes_a_picture() -> None:
    picture = Not(Blend((Picture("a.jpg"),)))
    assert parse("beach without image:a.jpg") == And((Blend((Text("beach"),)), picture))


def test_the_examples_of_the_reference_hold() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "query-language.md"
    section = page.read_text("utf-8").split("## Plain negation")[1].split("## ")[0]
    rows = [re.findall("`([^`]+)`", row) for row in section.splitlines() if row.startswith("| `")]
    assert len(rows) > 5
    for *queries, canonical in rows:
        assert [unparse(parse(query)) for query in queries] == [canonical] * len(queries)
