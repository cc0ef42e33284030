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
