"""A burst and copies of real photographs, found by the model in the box, in every kind of store."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageEnhance, ImageOps
from tests.copies import KINDS, Places

from visionquery import Library
from visionquery.errors import InputError
from visionquery.search.result import Response

_OTHERS = 12
_FRAMES = 4


def save(picture: Image.Image, path: Path, *, second: int | None = None) -> None:
    """Save a JPEG, taken in a second of a minute of 2024, or nobody knows when."""
    exif = Image.Exif()
    if second is not None:
        exif.get_ifd(0x8769)[0x9003] = f"2024:07:14 18:22:{second:02}"
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, quality=92, exif=exif)


def window(picture: Image.Image, left: float, top: float) -> Image.Image:
    """Cut four fifths of a picture out, so far from the left and the top."""
    width, height = picture.size
    x, y = round(left * width), round(top * height)
    return picture.crop((x, y, x + round(0.8 * width), y + round(0.8 * height)))


@pytest.fixture(scope="module")
def folder(flickr: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve photographs; of the first a burst of four, of the second three copies."""
    made = tmp_path_factory.mktemp("folding")
    files = sorted((flickr / "images").iterdir())[: _OTHERS * 7 : 7]
    for number, file in enumerate(files):
        save(Image.open(file).convert("RGB"), made / f"other-{number}.jpg", second=None)
    burst = Image.open(files[0]).convert("RGB")
    for number in range(_FRAMES):
        shifted = window(burst, 0.05 * number, 0.2 - 0.05 * number)
        save(shifted, made / f"burst-{number}.jpg", second=2 * number)
    original = Image.open(files[1]).convert("RGB")
    for name, changed in {
        "mirrored": ImageOps.mirror(original),
        "darker": ImageEnhance.Brightness(original).enhance(0.8),
        "again": Image.open(jpeg(original)),
    }.items():
        save(changed, made / f"copy-{name}.jpg")
    return made


def jpeg(picture: Image.Image) -> io.BytesIO:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=60)
    return buffer


@pytest.fixture(params=KINDS)
def library(request: pytest.FixtureRequest, places: Places, folder: Path) -> Iterator[Library]:
    with Library.open(places.new(request.param), model="pocket", create=True) as opened:
        opened.add(folder)
        yield opened


def stems(response: Response, library: Library) -> list[set[str]]:
    """The names of every hit and of what stands behind it."""
    return [
        {
            Path(path).stem
            for image_id in (hit.image_id, *hit.folded)
            for path in library.image(image_id).paths
        }
        for hit in response
    ]


def test_one_picture_of_a_burst_and_of_copies_is_shown(library: Library) -> None:
    plain = library.search("a dog", limit=50, min_confidence=0.0)
    found = library.search("a dog", limit=50, min_confidence=0.0, fold=True)
    groups = stems(found, library)
    assert {f"burst-{number}" for number in range(_FRAMES)} in groups or any(
        {f"burst-{number}" for number in range(_FRAMES)} < group for group in groups
    )
    assert {"other-1", "copy-mirrored", "copy-darker", "copy-again"} in groups
    for group in groups:
        assert len({name for name in group if name.startswith("other-")}) <= 1
    assert (found.total, plain.folded_away) == (plain.total, 0)
    assert found.folded_away == plain.total - len(found.hits)
    pages = [
        library.search("a dog", limit=4, offset=at, min_confidence=0.0, fold=True)
        for at in range(0, 20, 4)
    ]
    assert [hit for page in pages for hit in page] == list(found.hits)


def test_what_looks_like_a_picture_is_folded_too(library: Library, folder: Path) -> None:
    found = library.similar(folder / "other-1.jpg", limit=3, fold=True)
    assert stems(found, library)[0] == {"copy-mirrored", "copy-darker", "copy-again"}


def test_filters_alone_are_folded_and_spread(library: Library) -> None:
    bursts = library.search("path:burst-", fold=True)
    assert [len(hit.folded) for hit in bursts] == [_FRAMES - 1]
    different = library.search("ext:jpg", limit=100, spread=True)
    plain = library.search("ext:jpg", limit=100)
    assert {hit.image_id for hit in different} == {hit.image_id for hit in plain}
    first = stems(library.search("ext:jpg", limit=6, spread=True), library)
    assert sum(any(name.startswith("burst-") for name in group) for group in first) <= 1


def test_an_answer_has_one_order(library: Library) -> None:
    with pytest.raises(InputError, match="one order: leave out spread, or the order by date"):
        library.search("a dog", spread=True, sort="date")
    assert library.search("a dog", spread=True, sort="relevance", min_confidence=0.0).hits
