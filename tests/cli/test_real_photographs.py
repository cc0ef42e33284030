"""The whole program with a real encoder on real photographs, where they are at hand."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from visionquery import Library


def test_eval_reaches_the_reference_figures(lit_tiny, flickr, tmp_path):
    ran = subprocess.run(
        [sys.executable, "-m", "visionquery", "eval", str(flickr / "captions.jsonl"),
         "--model", str(lit_tiny), "--json"],
        capture_output=True, text=True, check=True,
        env=os.environ | {"VISIONQUERY_LIBRARY": str(tmp_path / "library")},
    )
    document = json.loads(ran.stdout)
    assert (document["images"], document["captions"]) == (1000, 5000)
    reference = {"1": 0.290, "5": 0.586, "10": 0.719}
    for k, rate in reference.items():
        assert document["hit_rate"][k] == pytest.approx(rate, abs=0.005)
    assert document["mrr"] == pytest.approx(0.429, abs=0.005)


@pytest.fixture(scope="module")
def some_photographs(flickr, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("photographs")
    for photograph in sorted((flickr / "images").iterdir())[:120]:
        shutil.copy(photograph, folder)
    return folder


def captions_of(flickr: Path) -> dict[str, list[str]]:
    lines = (flickr / "captions.jsonl").read_text("utf-8").splitlines()
    return {Path(e["file"]).name: e["captions"] for e in map(json.loads, lines)}


def first_captions(captions: dict[str, list[str]], folder: Path) -> list[tuple[str, str]]:
    return [(path.name, captions[path.name][0]) for path in sorted(folder.iterdir())]


def test_captions_find_their_photograph(lit_tiny, flickr, some_photographs, tmp_path):
    captions = captions_of(flickr)
    with Library.open(tmp_path / "library", model=lit_tiny, create=True) as library:
        assert library.add(some_photographs).added == 120
        found = [
            name in {Path(h.path).name for h in library.search(f'"{caption}"', min_confidence=0)}
            for name, caption in first_captions(captions, some_photographs)
        ]
    assert sum(found) / len(found) > 0.9


def test_an_answer_ends_where_relevance_ends(lit_tiny, some_photographs, tmp_path):
    with Library.open(tmp_path / "library", model=lit_tiny, create=True) as library:
        library.add(some_photographs)
        present = [library.search(q) for q in ("a dog", "a child playing", "people in water")]
        absent = [library.search(q) for q in ("a quarterly sales chart", "a giraffe eating leaves")]
    assert all(0 < response.total < 60 for response in present)
    assert not any(absent)
    assert all(len(response.closest) == 20 for response in absent)


def test_not_excludes(lit_tiny, flickr, some_photographs, tmp_path):
    captions = captions_of(flickr)
    with Library.open(tmp_path / "library", model=lit_tiny, create=True) as library:
        library.add(some_photographs)
        plain = library.search("a dog", limit=20, min_confidence=0)
        without = library.search("people -dog", limit=20, min_confidence=0)

    def dogs(response) -> int:
        return sum("dog" in " ".join(captions[Path(hit.path).name]) for hit in response)

    assert dogs(plain) >= 12
    assert dogs(without) <= 1


@pytest.fixture(scope="module")
def three_hundred(lit_tiny, flickr, tmp_path_factory):
    folder = tmp_path_factory.mktemp("three-hundred")
    for photograph in sorted((flickr / "images").iterdir())[:300]:
        shutil.copy(photograph, folder)
    place = tmp_path_factory.mktemp("library-of-300") / "library"
    with Library.open(place, model=lit_tiny, create=True) as library:
        assert library.add(folder).added == 300
        yield library


def named(flickr: Path, response, *words: str) -> list[bool]:
    """Tell for each hit whether a caption of it has one of the words."""
    captions = captions_of(flickr)
    said = [set(" ".join(captions[Path(hit.path).name]).lower().split()) for hit in response]
    return [bool(said_of & set(words)) for said_of in said]


@pytest.mark.parametrize("query", ["dog", "a dog"])
def test_one_word_finds_what_is_common(three_hundred, flickr, query):
    right = named(flickr, three_hundred.search(query, limit=300), "dog", "dogs", "puppy")
    assert sum(right) >= 20
    assert sum(right) / len(right) >= 0.7


@pytest.mark.parametrize(
    ("query", "excluded", "words"),
    [
        ("grass", '"a dog"', ("dog", "dogs", "puppy")),
        ("a ball", '"a dog"', ("dog", "dogs", "puppy")),
        ("water", "dog", ("dog", "dogs", "puppy")),
    ],
)
def test_not_removes_what_it_names(three_hundred, flickr, query, excluded, words):
    plain = named(flickr, three_hundred.search(query, min_confidence=0), *words)
    without = named(
        flickr, three_hundred.search(f"{query} -{excluded}", min_confidence=0), *words
    )
    assert sum(plain) >= 4
    assert sum(without) <= sum(plain) / 2


def test_not_alone_leaves_few(three_hundred, flickr):
    everything = three_hundred.search("a dog", limit=300, min_confidence=0)
    dogs = named(flickr, everything, "dog", "dogs")
    left = named(flickr, three_hundred.search('-"a dog"', limit=300), "dog", "dogs")
    assert sum(left) <= sum(dogs) / 3


def test_and_answers(three_hundred, flickr):
    found = three_hundred.search("a dog AND water", limit=300)
    assert len(found) >= 1
    right = named(flickr, found, "dog", "dogs")
    assert sum(right) / len(right) >= 0.7


def test_what_is_absent_is_mostly_not_found(three_hundred):
    absent = ("a giraffe", "a zebra", "a passport", "a spreadsheet", "a microscope", "a hedgehog",
              "a cactus", "a typewriter", "a pizza", "a kangaroo")
    assert sum(not three_hundred.search(query) for query in absent) >= 7
