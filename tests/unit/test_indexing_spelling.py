"""One folder, typed in another case or Unicode form.

The file systems on which two spellings are one are not at hand here: links stand in for what such
a system does, so that it is the system itself that says whether two names are one folder.
"""

import unicodedata
from pathlib import Path

import pytest

from visionquery import Library
from visionquery.errors import InputError

NAME = "Café"
NFC, NFD = (unicodedata.normalize(form, NAME) for form in ("NFC", "NFD"))


@pytest.fixture
def library(tmp_path, tiny_model):
    with Library.open(tmp_path / "library", model=tiny_model, create=True) as opened:
        yield opened


def locations(library: Library) -> list[str]:
    return [root.location for root in library.status().roots]


def make_insensitive(folder: Path, *spellings: str) -> None:
    """Let other spellings of a folder lead to it too."""
    for spelling in spellings:
        folder.with_name(spelling).symlink_to(folder, target_is_directory=True)


@pytest.mark.parametrize("typed", [NFC.lower(), NFC.upper(), NFD, NFD.upper()])
def test_another_spelling_is_the_same_root(library, paint, tmp_path, typed):
    folder = tmp_path / NFC
    paint(folder / "in" / "red.png", "red", 1)
    make_insensitive(folder, typed)
    library.add(folder)
    other = tmp_path / typed
    assert library.add(other).unchanged == 1
    assert library.add(other / "in").unchanged == 1
    assert locations(library) == [str(folder)]
    assert library.covers(other / "in")
    (hit,) = library.search("ext:png", within=other / "in").hits
    assert hit.path == str(folder / "in" / "red.png")
    assert library.remove(other).files == 1


def test_the_names_that_a_folder_has_are_taken(library, paint, tmp_path, monkeypatch):
    """A system that ignores case: every spelling leads to the one name that is listed."""
    folder = tmp_path / "Pictures" / "Trip"
    paint(folder / "Red.png", "red", 1)
    library.add(tmp_path / "Pictures")
    ignore_case(monkeypatch)
    (hit,) = library.search("ext:png", within=tmp_path / "pictures" / "TRIP").hits
    assert hit.path == str(folder / "Red.png")
    assert library.add(tmp_path / "PICTURES" / "trip" / "red.PNG").unchanged == 1
    assert locations(library) == [str(tmp_path / "Pictures")]
    assert library.remove(tmp_path / "pictures" / "trip").files == 1


def ignore_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `lexists` and `samefile` answer as a system would that ignores case: a path is there
    when one is that differs in case alone."""

    def real(path: Path) -> Path | None:
        here = Path(path.anchor)
        for name in path.parts[1:]:
            found = [e for e in here.iterdir() if e.name.casefold() == name.casefold()]
            if not found:
                return None
            here = found[0]
        return here

    def samefile(one: Path, other: Path) -> bool:
        both = real(one), real(other)
        if None in both:
            raise FileNotFoundError(str(one))
        return both[0] == both[1]

    monkeypatch.setattr(Path, "samefile", samefile)
    monkeypatch.setattr("os.path.lexists", lambda path: real(Path(path)) is not None)


def test_two_folders_stay_two(library, paint, tmp_path):
    """On this system names that differ in case, or form, are two."""
    folders = [tmp_path / name for name in ("Pictures", "pictures", NFC, NFD)]
    for number, folder in enumerate(folders):
        paint(folder / "red.png", "red", number)
    if len({folder.stat().st_ino for folder in folders}) < len(folders):
        pytest.skip("this file system takes some of these names for one")
    for folder in folders:
        assert library.add(folder).added == 1
    assert set(locations(library)) == set(map(str, folders))
    for folder in folders:
        (hit,) = library.search("ext:png", within=folder).hits
        assert hit.path == str(folder / "red.png")
    library.remove(folders[1])
    with pytest.raises(InputError, match="not in the library"):
        library.search("red", within=folders[1])


def test_what_is_gone_is_known_by_any_spelling(library, paint, tmp_path):
    """Where nothing is at either name nobody can say whether they are one: they are taken so."""
    paint(tmp_path / NFD / "In" / "red.png", "red", 1)
    paint(tmp_path / "Beside" / "blue.png", "blue", 2)
    library.add(tmp_path / NFD, tmp_path / "Beside")
    moved = (tmp_path / NFD).rename(tmp_path / "new")
    library.move_root(tmp_path / NFC.lower(), moved)
    assert locations(library) == [str(tmp_path / "Beside"), str(moved)]
    (moved / "In" / "red.png").unlink()
    (moved / "In").rmdir()
    assert library.remove(moved / "IN").files == 1
    with pytest.raises(InputError, match="Nothing of"):
        library.remove(tmp_path / "beside")  # Beside is there, and beside is not: they are two.
