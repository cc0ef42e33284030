"""`visionquery compact`: what it says, and that answers stay what they were."""

import json

import pytest

from visionquery import Library
from visionquery.search.background import kept_background


@pytest.fixture
def library(vq, pictures, own_settings):
    """A library of twelve pictures that has forgotten four of them."""
    assert vq("index", pictures, "--quiet").code == 0
    gone = sorted(path for path in pictures.rglob("*") if path.is_file())[2:6]
    assert vq("remove", *gone, "--quiet").code == 0
    return vq


def test_it_says_in_one_line_what_was_done(library):
    before = library("search", "red", "--json").document["results"]
    ran = library("compact")
    assert (ran.code, ran.out) == (0, "")
    (line,) = ran.err.splitlines()
    assert line.startswith("Compacted ")
    assert ": 8 images, 4 holes gone, " in line
    assert " -> " in line
    assert line.endswith(" s.")
    assert library("search", "red", "--json").document["results"] == before


def test_the_document_has_the_documented_shape(library):
    ran = library("compact", "--json")
    assert (ran.code, ran.err) == (0, "")
    document = json.loads(ran.out)
    assert set(document) == {"images", "holes", "bytes_before", "bytes_after", "seconds"}
    assert (document["images"], document["holes"]) == (8, 4)


def test_without_holes_it_says_so(library):
    assert library("compact", "--quiet").err == ""
    ran = library("compact")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.startswith("Nothing to compact in ")
    assert ran.err.endswith(": 8 images, no holes.\n")


def test_a_library_is_indexed_into_as_before(library, pictures):
    library("compact", "--quiet")
    ran = library("index", pictures, "--json")
    assert ran.document["added"] == 4
    assert library("status", "--json").document["images"] == 12
    again = library("search", "red", "--json").document
    assert len(again["results"] + again["closest"]) == 12


def test_every_image_added_afterwards_is_measured(library, pictures, tiny_model, tmp_path):
    place = library("status", "--json").document["location"]
    with Library.open(place, model=tiny_model) as opened:
        opened.compact()
        known = kept_background(opened._store)
        assert known is not None
        assert known.measured_rows == 8
        opened.add(pictures)
        assert not (opened._store.measures() != opened._store.measures()).any()
