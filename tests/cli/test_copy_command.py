"""`copy`: a library is the same in its new place, for a person and for a program."""

from contextlib import closing
from pathlib import Path

import pytest
from tests.copies import PAIRS, Places, make_rich

from visionquery.copying import copy_library
from visionquery.store.local import create_local
from visionquery.testing.store_examples import MODEL

QUERIES = ("red", "a blue picture", "red OR green -blue", "2:red yellow", "ext:png", "like:")


@pytest.fixture
def library(tmp_path: Path) -> Path:
    with closing(create_local(tmp_path / "from", MODEL)) as store:
        make_rich(store)
    return tmp_path / "from"


def answers(vq, library: object) -> list[object]:
    """Return what searches say, without how long they took."""
    found = []
    some_id = None
    for query in QUERIES:
        asked = f"{query}{some_id}" if query == "like:" else query
        document = vq("search", asked, "--library", library, "--json", "--all").document
        document.pop("seconds")
        some_id = document["results"][0]["image_id"]
        found.append(document)
    return found


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_searches_answer_the_same_there_and_back(
    vq, places: Places, pictures: Path, source: str, target: str
) -> None:
    first = places.new(source)
    vq("index", pictures, "--library", first)
    before = answers(vq, first)
    assert all(document["results"] for document in before)
    there, back = places.new(target), places.new(source)
    assert vq("copy", first, there).code == 0
    assert answers(vq, there) == before
    assert vq("copy", there, back).code == 0
    assert answers(vq, back) == before
    # It goes on as the library did: nothing is read or encoded again.
    index = vq("index", pictures, "--library", there, "--json").document
    assert (index["added"], index["updated"], index["reused"]) == (0, 0, 0)


def test_what_is_said(vq, library: Path, tmp_path: Path) -> None:
    ran = vq("copy", library, tmp_path / "to")
    assert (ran.code, ran.out) == (0, "")
    (*progress, line) = ran.err.splitlines()
    assert progress[-1].startswith("Checking: 24 of 24 files")
    assert progress[0].startswith("Copying: 24 of 24 files, 23 images copied")
    assert line.startswith(f"{tmp_path / 'to'} holds all of {library}, compared: 23 images in 24 f")
    again = vq("copy", library, tmp_path / "to", "--quiet", "--json")
    assert again.err == ""
    document = again.document
    assert document.pop("seconds") >= 0
    assert document == {
        "from": str(library), "to": str(tmp_path / "to"), "images": 23, "files": 24, "copied": 0,
        "already_there": 23, "removed": 0, "verified": True, "notes": [],
    }  # fmt: skip


def test_status_says_that_a_copy_is_unfinished(vq, library: Path, tmp_path: Path) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    there = tmp_path / "to"
    with pytest.raises(KeyboardInterrupt):
        copy_library(library, there, on_progress=stop)
    command = f"visionquery copy {library} {there}"
    assert f"an unfinished copy of {library}; go on with: {command}" in (
        vq("status", "--library", there).out
    )
    asked = ("status", "--library", there, "--json")
    assert vq(*asked).document["copying_from"] == str(library)
    assert vq(*map(str, command.split()[1:])).code == 0
    assert vq(*asked).document["copying_from"] is None
    assert "unfinished" not in vq("status", "--library", there).out


def test_one_sentence_and_the_right_code(vq, library: Path, tmp_path: Path) -> None:
    def refused(*arguments: object) -> tuple[int, str]:
        ran = vq("copy", *arguments)
        assert ran.out == ""
        (sentence,) = ran.err.splitlines()
        return ran.code, sentence

    assert refused(library, library)[0] == 4
    assert refused(library, library / "inside")[0] == 4
    assert refused(tmp_path / "nowhere", tmp_path / "to")[0] == 4
    assert refused(library, "ftp://host/library")[0] == 2
    with closing(create_local(tmp_path / "busy", MODEL)) as store, store.writing():
        code, sentence = refused(library, tmp_path / "busy")
    assert (code, "writ" in sentence) == (4, True)


def test_passwords_are_not_shown(vq, library: Path) -> None:
    away = vq("copy", library, "postgresql://me:sesame@127.0.0.1:1/nowhere")
    assert (away.code, "sesame" in away.err) == (5, False)
    ran = vq("copy", "qdrant://me:sesame@host/x", "qdrant://me:sesame@host/x")
    assert (ran.code, "sesame" in ran.err) == (4, False)
