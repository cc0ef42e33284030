"""Looking at the pictures of a library in parts: what is kept, what is left, and what it finds."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

from visionquery import Library
from visionquery.doctor import examine
from visionquery.errors import InputError
from visionquery.query.ast import Box

SCENES = ("brick", "grass", "gravel")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Textures, enlarged, and one of them with a small photograph of a cat in it."""
    folder = tmp_path_factory.mktemp("pictures")
    for name in SCENES:
        texture = Image.fromarray(getattr(data, name)()).convert("RGB").resize((900, 700))
        texture.save(folder / f"{name}.jpg")
    scene = Image.open(folder / "grass.jpg")
    scene.paste(Image.fromarray(data.chelsea()).resize((190, 140)), (600, 420))
    scene.save(folder / "with.jpg")
    return folder


@pytest.fixture
def library(tmp_path: Path, pictures: Path) -> Iterator[Library]:
    copy = shutil.copytree(pictures, tmp_path / "pictures")
    with Library.open(tmp_path / "library", model="pocket", create=True) as opened:
        opened.add(copy)
        yield opened


def test_a_small_thing_is_found_where_it_is(library: Library) -> None:
    before = library.search("a cat", min_confidence=0.0)
    assert {hit.box for hit in (*before.hits, *before.closest)} == {None}
    report = library.add_regions()
    assert (report.viewed, report.left, report.skipped) == (4, 0, ())
    assert report.regions >= 4
    first = next(iter(library.search("a cat", min_confidence=0.0)))
    assert Path(str(first.path)).name == "with.jpg"
    assert first.box is not None
    assert _covers(first.box, x=100 * 695 / 900, y=100 * 490 / 700)
    explained = library.explain(str(first.path), "a cat")
    assert explained.hit.parts[0].box == first.box


def test_a_second_run_has_nothing_to_do_and_a_new_picture_is_taken_in(
    library: Library, tmp_path: Path
) -> None:
    library.add_regions()
    assert library.add_regions().viewed == 0
    Image.fromarray(data.coffee()).save(tmp_path / "pictures" / "coffee.jpg")
    library.add(tmp_path / "pictures")
    report = library.add_regions(tmp_path / "pictures")
    assert (report.viewed, report.images) == (1, 5)


def test_pictures_that_are_gone_are_left(library: Library, tmp_path: Path) -> None:
    (tmp_path / "pictures" / "brick.jpg").unlink()
    report = library.add_regions()
    assert (report.viewed, report.left) == (3, 1)
    assert report.notes
    shutil.copy(tmp_path / "pictures" / "grass.jpg", tmp_path / "pictures" / "again.jpg")
    assert library.search("a cat", min_confidence=0.0).total == 4


def test_regions_are_forgotten_on_request(library: Library) -> None:
    library.add_regions()
    library.drop_regions()
    answer = library.search("a cat", min_confidence=0.0)
    assert {hit.box for hit in answer} == {None}
    assert library.add_regions().viewed == 4


def test_an_interrupted_run_goes_on(library: Library) -> None:
    def stop(progress: object) -> None:
        if getattr(progress, "done", 0):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        library.add_regions(on_progress=stop)
    assert library.add_regions().left == 0


def test_a_place_that_is_not_indexed_is_refused(library: Library, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        library.add_regions(tmp_path / "elsewhere")


def test_regions_are_part_of_a_backup_and_survive_compacting(
    library: Library, tmp_path: Path
) -> None:
    library.add_regions()
    wanted = [(hit.path, hit.box) for hit in library.search("a cat", min_confidence=0.0)]
    library.backup(tmp_path / "copy")
    (tmp_path / "pictures" / "brick.jpg").unlink()
    library.add(tmp_path / "pictures")
    library.compact()
    with Library.open(tmp_path / "copy") as copy:
        found = [(hit.path, hit.box) for hit in copy.search("a cat", min_confidence=0.0)]
    assert found == wanted
    first = next(iter(library.search("a cat", min_confidence=0.0)))
    assert first.box == wanted[0][1]


def test_damaged_regions_are_found_and_go(library: Library, tmp_path: Path) -> None:
    library.add_regions()
    (numbers,) = (tmp_path / "library" / "vectors-1").glob("*.region-number")
    content = bytearray(numbers.read_bytes())
    content[5] ^= 0x40
    numbers.write_bytes(content)
    library.close()
    found = examine(tmp_path / "library", mend=True, on_progress=lambda *_: None)
    assert [fault.part for fault in found.before.faults] == ["regions"]
    assert found.is_whole
    with Library.open(tmp_path / "library") as mended:
        assert {hit.box for hit in mended.search("a cat", min_confidence=0.0)} == {None}
        assert mended.add_regions().viewed == 4


def _covers(box: Box, *, x: float, y: float) -> bool:
    return box.left <= x <= box.left + box.width and box.top <= y <= box.top + box.height
