"""The words of a query: what is looked for among the words of files, and what it weighs."""

import numpy as np
import pytest

from visionquery.query.ast import Blend, Text
from visionquery.query.grammar import parse
from visionquery.search.phrases import Held, phrases_of, share_held


def units(query: str) -> set[tuple[str, ...]]:
    node = parse(query)
    assert isinstance(node, Blend)
    return set(phrases_of([term for term in node.terms if isinstance(term, Text)]))


# -- units ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("word", "other"),
    [
        ("dog", "dogs"), ("dogs", "dog"), ("beach", "beaches"), ("beaches", "beach"),
        ("box", "boxes"), ("boxes", "box"), ("city", "cities"), ("cities", "city"),
        ("boy", "boys"), ("boys", "boy"), ("horse", "horses"), ("horses", "horse"),
        ("bus", "buses"), ("buses", "bus"), ("glass", "glasses"), ("glasses", "glass"),
        ("movies", "movie"), ("cookies", "cookie"), ("potatoes", "potato"), ("shoes", "shoe"),
        ("house", "houses"), ("houses", "house"), ("dishes", "dish"),
    ],
)  # fmt: skip
def test_a_noun_is_looked_for_in_both_numbers(word, other):
    ((first, *others),) = units(word)
    assert first == word
    assert other in others


@pytest.mark.parametrize("word", ["42", "go", "café's", "glass", "bus", "犬"])
def test_no_form_is_empty_or_cuts_what_is_no_plural(word):
    ((first, *others),) = units(word)
    assert all(len(form) >= len(first) for form in others)


def test_a_word_in_another_script_or_with_digits_is_as_it_is():
    assert units("Straße") == {("strasse", "strasses")}
    assert units("собака") == {("собака",)}
    assert units("2019") == {("2019",)}
    assert units("img2034") == {("img 2034",)}


def test_what_stands_in_quotes_is_one_unit_word_for_word():
    assert units('"Red Cars"') == {("red cars",)}
    assert units('old "Red Cars" parked') == {("red cars",), ("old", "olds"), ("parked", "parkeds")}
    assert units('"the"') == {("the",)}
    assert units('"a-b" "c"') == {("a b",), ("c",)}
    assert units('dogs "!!"') == {("dogs", "dog")}


def test_words_that_say_nothing_are_not_looked_for():
    assert units("a photo of the dog that is in the snow") == {("dog", "dogs"), ("snow", "snows")}
    assert units("The Pictures") == set()


@pytest.mark.parametrize("apostrophe", ["'", "’"])
def test_a_possessive_is_the_possessor(apostrophe):
    assert units(f"the dog{apostrophe}s ball") == {("dog", "dogs"), ("ball", "balls")}
    assert units(f"DOG{apostrophe}S") == {("dog", "dogs")}
    assert units(f"it{apostrophe}s snow") == {("snow", "snows")}


def test_a_hyphenated_word_is_its_words_in_a_row():
    assert units("wire-haired dog") == {("wire haired",), ("dog", "dogs")}
    assert units("IMG_2034") == {("img 2034",)}


def test_a_word_of_a_script_without_spaces_is_its_characters_in_a_row():
    assert units("东京塔") == {("东 京 塔",)}
    assert units("夏の海 dog") == {("夏 の 海",), ("dog", "dogs")}


def test_a_unit_counts_once_and_punctuation_is_none():
    assert phrases_of([Text("dog, dog!"), Text("dog")]) == (("dog", "dogs"),)
    assert phrases_of([Text("... !?")]) == ()
    assert phrases_of([]) == ()


# -- shares --------------------------------------------------------------------------------------
def shares(phrases, held: dict[str, list[int]], count: int):
    """The shares of `count` images, the words of which are in the files of those numbers."""

    def holding(phrase):
        mask = np.zeros(count, bool)
        mask[held.get(phrase, [])] = True
        return mask

    held = share_held(phrases, holding=holding, image_count=count)
    if held is None:
        return None
    assert (np.diff(held.rows) > 0).all()
    assert (held.shares > 0).all()
    every = np.zeros(count)
    places, found = held.among(np.arange(count))
    every[places] = found
    return every


def test_a_share_is_weighed_by_how_rare_a_word_is():
    phrases = (("rare",), ("common",))
    share = shares(phrases, {"rare": [0], "common": [1, 2, 3, 4, 5]}, 20)
    rare, common = np.log(20), np.log(4)
    assert share[0] == pytest.approx(rare / (rare + common))
    assert share[1] == pytest.approx(common / (rare + common))
    assert share[6] == 0


def test_an_image_that_holds_every_word_holds_all_of_it():
    share = shares((("a",), ("b",), ("c",)), {"a": [0, 1], "b": [0, 2], "c": [0]}, 9)
    assert share[0] == pytest.approx(1.0)
    assert max(share[1:]) < 0.6


def test_a_word_that_nobody_has_counts_as_missing():
    share = shares((("here",), ("nowhere",)), {"here": [0]}, 10)
    assert share[0] == pytest.approx(0.5)


def test_any_form_of_a_word_will_do():
    share = shares((("dogs", "dog"),), {"dog": [1], "dogs": [2]}, 10)
    assert np.flatnonzero(share).tolist() == [1, 2]
    assert share[1] == share[2] == pytest.approx(1.0)


def test_a_word_that_most_of_the_library_has_weighs_nothing():
    assert shares((("pile",),), {"pile": list(range(10))}, 10) is None
    assert shares((("pile",),), {"pile": list(range(6))}, 10) is None
    share = shares((("pile",), ("dog",)), {"pile": list(range(10)), "dog": [3]}, 10)
    assert share[3] == pytest.approx(1.0)
    assert share[4] == 0


def test_there_is_no_share_where_nothing_is_held():
    assert shares((("dog",), ("cat",)), {}, 10) is None
    assert shares((), {"dog": [0]}, 10) is None
    assert shares((("dog",),), {}, 0) is None
    assert shares((("dog",),), {"dog": [0]}, 1) is None  # One image cannot be told apart.


def test_shares_are_found_among_any_rows():
    held = Held(np.array([2, 5, 9]), np.array([0.2, 0.5, 0.9]))
    for rows in ([5], [0, 1], [2, 3, 9], [9, 12], list(range(20)), []):
        places, found = held.among(np.array(rows, dtype=np.intp))
        assert [rows[place] for place in places] == [row for row in rows if row in (2, 5, 9)]
        assert (found == np.array([rows[place] / 10 for place in places])).all()
