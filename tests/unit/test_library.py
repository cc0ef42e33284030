"""The façade: what it makes of its arguments, and of others at the same library."""

import errno
import shutil
import subprocess
import sys
from pathlib import Path

import filelock
import pytest
from PIL import Image

from visionquery import Library
from visionquery.cli.app import run
from visionquery.errors import InputError
from visionquery.query.ast import Blend, Text


@pytest.fixture
def library(tmp_path: Path, tiny_model: Path):
    with Library.open(tmp_path / "library", model=tiny_model, create=True) as opened:
        yield opened


def test_text_names_a_tree_only(library: Library, pictures: Path) -> None:
    library.add(pictures)
    assert library.search(Blend((Text("red"),)), text="the red one").query == "the red one"
    with pytest.raises(InputError, match="given as a tree"):
        library.search("red", text="the red one")


def test_within_may_be_one_place(library: Library, pictures: Path) -> None:
    library.add(pictures)
    for place in (pictures / "two", str(pictures / "two")):
        hits = library.search("red", within=place, min_confidence=0).hits
        assert {Path(hit.path or "").parent.name for hit in hits} == {"two"}


def test_a_picture_is_explained_as_a_file_and_as_an_id(
    library: Library, pictures: Path, tmp_path: Path
) -> None:
    library.add(pictures)
    everything = library.search("red", limit=100, min_confidence=0)
    by_file = library.explain(pictures / "one" / "red.png", "red")
    by_id = library.explain(by_file.hit.image_id[:12], "red")
    assert by_file == by_id
    assert everything.hits[(by_file.rank or 0) - 1].image_id == by_file.hit.image_id
    assert (by_file.query, by_file.images) == ("red", len(everything))
    assert [part.text for part in by_file.hit.parts] == ["red"]
    tree = library.explain(by_file.hit.image_id, Blend((Text("red"),)), text="the red one")
    assert (tree.query, tree.hit) == ("the red one", by_file.hit)
    other = tmp_path / "new.png"
    Image.new("RGB", (40, 30), (9, 99, 9)).save(other)
    with pytest.raises(InputError, match="not in the library"):
        library.explain(other, "red")


def test_a_search_explains_its_hits_where_asked(library: Library, pictures: Path) -> None:
    library.add(pictures)
    plain = library.search("red -blue", min_confidence=0)
    explained = library.search("red -blue", min_confidence=0, explain=True)
    assert not any(hit.parts for hit in plain)
    assert [hit.confidence for hit in plain] == [hit.confidence for hit in explained]
    for hit in explained:
        assert [(part.text, part.excluded) for part in hit.parts] == [
            ("red", False), ("blue", True),
        ]
        assert library.explain(hit.image_id, "red -blue").hit.parts == hit.parts


def test_an_answer_is_sorted_where_asked(library: Library, pictures: Path) -> None:
    library.add(pictures)
    answer = library.search("red", sort="path", limit=100, min_confidence=0)
    paths = [hit.path or "" for hit in answer]
    assert paths == sorted(paths)
    assert len(paths) == 12
    with pytest.raises(InputError, match="cannot be sorted"):
        library.search("red", sort="size")  # type: ignore[arg-type]


def test_a_folder_is_sorted_by_the_paths_in_it(
    library: Library, pictures: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "with copies"
    folder.mkdir()
    for number, source in enumerate(sorted(pictures.rglob("*.png"), reverse=True)):
        shutil.copy(source, folder / f"{number}.png")
    library.add(pictures, folder)
    for query in ("red", "width:>1"):
        hits = library.search(query, within=folder, sort="path", min_confidence=0).hits
        assert [Path(hit.path or "").name for hit in hits] == [f"{n}.png" for n in range(6)]


def test_text_in_pictures_must_have_been_read(library: Library, pictures: Path) -> None:
    library.add(pictures)
    with pytest.raises(InputError, match="index --ocr"):
        library.search("text:exit")
    with pytest.raises(InputError, match="index --ocr"):
        library.explain(pictures / "one" / "red.png", "red OR text:exit")


def test_numbers_are_whole(library: Library, tmp_path: Path) -> None:
    for wrong in ({"limit": 2.5}, {"offset": 0.5}, {"limit": "2"}):
        with pytest.raises(InputError, match="whole number"):
            library.search("red", **wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="threads is -1"):
        Library.open(tmp_path / "other", create=True, threads=-1)


def test_processes_may_make_one_library_at_once(tmp_path: Path, tiny_model: Path) -> None:
    program = (
        "import sys, visionquery\n"
        "sys.stdin.readline()\n"
        "visionquery.Library.open(sys.argv[1], model=sys.argv[2], create=True).close()"
    )
    for attempt in range(3):
        place = str(tmp_path / f"library-{attempt}")
        makers = [
            subprocess.Popen(
                [sys.executable, "-c", program, place, str(tiny_model)],
                stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for _ in range(4)
        ]
        for maker in makers:
            assert maker.stdin is not None
            maker.stdin.write("go\n")
            maker.stdin.flush()
        for maker in makers:
            _, err = maker.communicate(timeout=30)
            assert maker.returncode == 0, err


def test_a_library_being_made_elsewhere_is_waited_for(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from visionquery.models.catalog import resolve
    from visionquery.store import local

    folder, create = tmp_path / "library", local.create_local

    def late(place: Path, model: object) -> object:
        create(place, resolve(str(tiny_model)).identity).close()
        return create(place, resolve(str(tiny_model)).identity)

    monkeypatch.setattr(local, "create_local", late)
    with Library.open(folder, model=tiny_model, create=True) as library:
        assert library.status().images == 0


def test_a_library_that_may_only_be_read_answers(
    own_settings: Path, pictures: Path, tiny_model: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    assert run(["index", str(pictures), "--model", str(tiny_model), "-q"]) == 0
    # The edge where a read-only disk refuses a process that may do everything, as in a container.
    monkeypatch.setattr(filelock.FileLock, "acquire", refuse)
    capsys.readouterr()
    assert run(["search", "red", str(pictures)]) == 0
    captured = capsys.readouterr()
    assert "red.png" in captured.out
    assert "Read-only file system" in captured.err
    assert "Answering from what is indexed already" in captured.err
    assert run(["index", str(pictures)]) == 4
