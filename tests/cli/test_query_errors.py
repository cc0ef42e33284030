"""Queries that cannot be read: exit code 2, one sentence, and the right character in it."""

import re

import pytest

QUERIES = (
    ('a dog "red', "a dog ", "never closed"),
    ("a (dog OR cat", "a ", "parenthesis that opens"),
    ("a dog)", "a dog", "never opened"),
    ("a dog OR", "a dog OR", "Nothing follows 'OR'"),
    ("OR a dog", "", "nothing before it"),
    ("dog AND OR cat", "dog AND ", "Nothing follows 'AND'"),
    ("a dog NOT", "a dog NOT", "what to exclude"),
    ("without", "without", "Nothing follows 'without'"),
    ('a dog ""', "a dog ", "empty"),
    ("a cat note:dog", "a cat ", "no field note:"),
    ("a cat date:2024-13", "a cat ", "write a date such as"),
    ("a cat date:last summer", "a cat ", "for last summer write date:"),
    ("a cat date:2025..2024", "a cat ", "runs backwards"),
    ("a cat width:big", "a cat ", "whole pixels"),
    ("a cat orientation:upright", "a cat ", "landscape,portrait,square"),
    ("a cat ext:j*g", "a cat ", "file extensions"),
    ("a cat near:52.5,13.4", "a cat ", "latitude,longitude,kilometres"),
    ("a cat near:95,13,5km", "a cat ", "-90 to 90 degrees"),
    ("a cat keyword:,", "a cat ", "keywords such as"),
    ("a cat camera:", "a cat ", "has no value"),
    ('a cat path:my"pictures"', "a cat path:my", "quote the whole value"),
    ("a cat 0:dog", "a cat ", "outside 0.001 to 1000"),
    ("a cat 2:-dog", "a cat 2:", "needs a term"),
)


@pytest.fixture
def indexed(vq, pictures) -> None:
    assert vq("index", pictures, "-q").code == 0


@pytest.mark.parametrize(("query", "before", "words"), QUERIES)
def test_the_error_tells_the_place_counted_from_1(refused, indexed, query, before, words):
    for flags in ([], ["--json"], ["--explain-query"]):
        sentence = refused("search", query, *flags)
        assert words in sentence
        (position,) = re.findall(r"position (\d+)", sentence)
        assert int(position) == len(before) + 1


@pytest.mark.parametrize("query", ["", "   "])
def test_an_empty_query_is_told_as_that(refused, indexed, query):
    assert "The query is empty" in refused("search", query)


def test_a_query_is_read_before_anything_is_indexed(refused, pictures, own_settings):
    refused("search", "red OR", pictures)
    assert not own_settings.exists()


@pytest.mark.parametrize("query", ["like:0123456789", "red like:"])
def test_an_image_that_is_not_there(refused, indexed, query):
    assert "like:" in refused("search", query)


def test_text_that_was_never_read_is_no_empty_answer(refused, indexed):
    assert "visionquery index --ocr" in refused("search", "text:invoice")
