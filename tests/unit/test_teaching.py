"""Concepts: learnt from folders, files and ids; kept, shared as a file, asked for in queries."""

import json
from pathlib import Path

import pytest

from visionquery import Library
from visionquery.copying import copy_library
from visionquery.errors import InputError


@pytest.fixture
def library(tmp_path: Path, tiny_model: Path, pictures: Path):
    with Library.open(tmp_path / "library", model=tiny_model, create=True) as opened:
        opened.add(pictures)
        yield opened


@pytest.fixture
def reds(tmp_path: Path, paint) -> Path:
    """A folder of red pictures that are not in the library, and of one that is none."""
    (tmp_path / "reds").mkdir()
    for seed in range(3):
        paint(tmp_path / "reds" / f"{seed}.png", "red", 70 + seed)
    (tmp_path / "reds" / "broken.png").write_bytes(b"no picture")
    return tmp_path / "reds"


def first(library: Library, query: str) -> str:
    hit = library.search(query, min_confidence=0, limit=1).hits[0]
    return Path(hit.path or "").stem


def test_a_folder_teaches_a_concept_that_any_query_can_use(library: Library, reds: Path) -> None:
    seen: list[tuple[int, int]] = []
    lesson = library.concepts.learn("our-red", like=reds, on_progress=lambda *at: seen.append(at))
    assert [Path(path).name for path, _ in lesson.skipped] == ["broken.png"]
    assert (lesson.concept.liked, lesson.concept.disliked, lesson.concept.text) == (3, 0, None)
    assert seen[-1] == (4, 4)
    assert first(library, "concept:our-red") == "red"
    assert first(library, "concept:our-red path:red OR concept:our-red") == "red"
    assert first(library, "blue -concept:our-red") != "red"
    assert first(library, "5:concept:our-red 0.1:sky") == "red"
    assert [concept.name for concept in library.concepts.all()] == ["our-red"]


def test_files_ids_and_words_teach_too(library: Library, pictures: Path) -> None:
    known = library.search("path:red", limit=1).hits[0].image_id
    lesson = library.concepts.learn(
        "red", like=[known[:12], pictures / "one" / "red.png"],
        unlike=pictures / "two" / "blue.jpg", text="red",
    )  # fmt: skip
    assert (lesson.concept.liked, lesson.concept.disliked, lesson.concept.text) == (2, 1, "red")
    assert first(library, "concept:red") == "red"


def test_a_concept_travels_as_a_file_without_pictures(
    library: Library, reds: Path, tmp_path: Path, tiny_model: Path
) -> None:
    library.concepts.learn("our-red", like=reds)
    file = tmp_path / "our-red.json"
    library.concepts.export("our-red", file)
    document = json.loads(file.read_text("utf-8"))
    assert document["format"] == "visionquery-concept"
    assert str(tmp_path) not in file.read_text("utf-8")
    with Library.open(tmp_path / "other", model=tiny_model, create=True) as other:
        taken = other.concepts.take_in(file)
        (mine,), (theirs,) = library.concepts.all(), other.concepts.all()
        assert (taken.name, theirs.made_at) == (mine.name, mine.made_at)
        assert theirs.vector == pytest.approx(mine.vector, abs=1e-6)
    document["fingerprint"] = "another"
    file.write_text(json.dumps(document))
    with pytest.raises(InputError, match="learn it again"):
        library.concepts.take_in(file)
    for broken in ("{}", "no JSON", json.dumps(document | {"vector": "AAAA"})):
        file.write_text(broken)
        with pytest.raises(InputError, match="is no concept"):
            library.concepts.take_in(file)
    file.write_text(json.dumps(document | {"version": 2}))
    with pytest.raises(InputError, match="version 2"):
        library.concepts.take_in(file)


def test_a_concept_goes_where_the_library_goes(
    library: Library, reds: Path, tmp_path: Path
) -> None:
    library.concepts.learn("our-red", like=reds)
    library.compact()
    library.backup(tmp_path / "backup")
    with Library.open(tmp_path / "backup") as backup:
        assert first(backup, "concept:our-red") == "red"
    library.concepts.remove("our-red")
    assert library.concepts.all() == []


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("concept:none", "no concept none in this library"),
        ("more:ffffffffff", "more:ffffffffff is not here"),
        ("less:{id}", "less: alone"),
    ],
)
def test_what_is_not_known_is_said(library: Library, query: str, says: str) -> None:
    known = library.search("path:red", limit=1).hits[0].image_id
    with pytest.raises(InputError, match=says):
        library.search(query.format(id=known))


def test_what_teaches_nothing_is_refused(library: Library, tmp_path: Path, reds: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="no picture to learn from"):
        library.concepts.learn("x", like=empty)
    with pytest.raises(InputError, match=r"No picture can be used.*broken.png"):
        library.concepts.learn("x", like=reds / "broken.png")
    with pytest.raises(InputError, match="cannot name a concept"):
        library.concepts.learn("our red", like=reds)
    with pytest.raises(InputError, match="no concept x"):
        library.concepts.remove("x")


def test_a_copy_has_the_concepts(library: Library, reds: Path, tmp_path: Path) -> None:
    library.concepts.learn("our-red", like=reds)
    copy_library(tmp_path / "library", tmp_path / "copy")
    with Library.open(tmp_path / "copy") as copied:
        assert first(copied, "concept:our-red") == "red"
