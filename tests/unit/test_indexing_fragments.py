"""Files that hold several pictures, from the folder to the answer: taken in, changed, gone."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visionquery import Library
from visionquery.images import kinds
from visionquery.images.scan import FoundFile, scan
from visionquery.testing.tiny_model import make_tiny_model


def photo(seed: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


def png(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    photo(seed).save(path)
    return path


def album(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def png_bytes(tmp_path: Path, seed: int) -> bytes:
    return png(tmp_path / "scratch" / f"{seed}.png", seed).read_bytes()


def film(path: Path, seeds: list[int]) -> Path:
    av = pytest.importorskip("av")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.gop_size = 320, 240, 10
        for seed in seeds:
            pixels = np.asarray(photo(seed, (320, 240)))
            for _ in range(40):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    return folder


@pytest.fixture
def library(tmp_path: Path, tiny_model: Path):
    with Library.open(tmp_path / "library", model=tiny_model, create=True) as opened:
        yield opened


def held(library: Library) -> dict[str, set[str]]:
    """Return the fragments that are found of each file, by its name."""
    found: dict[str, set[str]] = {}
    for hit in library.search("width:>0", limit=500, min_confidence=0.0):
        for path in hit.paths:
            found.setdefault(Path(path).name, set()).add(hit.fragments.get(path, ""))
    return found


def test_an_archive_is_its_pictures(library: Library, pictures: Path, tmp_path: Path) -> None:
    alone = png(pictures / "alone.png", 1)
    album(pictures / "comic.cbz", {
        "b/10.png": png_bytes(tmp_path, 2), "b/2.png": png_bytes(tmp_path, 3),
        "again.png": alone.read_bytes(), "notes.txt": b"no picture", "bad.jpg": b"nor this",
    })  # fmt: skip
    report = library.add(pictures)
    assert (report.added, report.reused) == (3, 1)
    assert [(Path(s.path).name, s.fragment) for s in report.skipped] == [
        ("comic.cbz", "member=bad.jpg")
    ]
    assert held(library) == {
        "alone.png": {""}, "comic.cbz": {"member=b/10.png", "member=b/2.png", "member=again.png"}
    }  # fmt: skip
    again = library.add(pictures)
    assert (again.encoded, again.reused, again.unchanged) == (0, 0, 2)
    assert again.skipped == report.skipped, "what could not be used stays known"
    assert library.status(look=True).roots[0].changes.broken == report.skipped


def test_a_member_is_found_by_its_name_and_opened_as_itself(
    library: Library, pictures: Path, tmp_path: Path
) -> None:
    data = png_bytes(tmp_path, 4)
    album(pictures / "comic.zip", {"Summer/Lake Garda.png": data})
    library.add(pictures)
    (hit,) = library.search("path:*garda* ext:png").hits
    assert (Path(hit.path).name, hit.fragment) == ("comic.zip", "member=Summer/Lake Garda.png")
    path, content = library.original(hit.image_id)
    assert (path, content.data, content.path) == (hit.path, data, None)


def test_an_archive_that_changes_keeps_what_it_still_has(
    library: Library, pictures: Path, tmp_path: Path
) -> None:
    first, second, third = (png_bytes(tmp_path, seed) for seed in (5, 6, 7))
    album(pictures / "a.zip", {"1.png": first, "2.png": second})
    library.add(pictures)
    album(pictures / "a.zip", {"2.png": second, "sub/3.png": third})
    report = library.add(pictures)
    assert (report.updated, report.reused, report.removed, report.images) == (1, 1, 1, 2)
    assert held(library) == {"a.zip": {"member=2.png", "member=sub/3.png"}}
    (pictures / "a.zip").unlink()
    (pictures / "left.txt").write_text("so that the folder is not empty")
    assert library.add(pictures).removed == 2


def test_a_video_is_its_moments_and_a_copy_in_another_container_costs_nothing(
    library: Library, pictures: Path, tmp_path: Path
) -> None:
    av = pytest.importorskip("av")
    film(pictures / "film.mp4", [1, 2, 3])
    report = library.add(pictures)
    assert report.images >= 3
    moments = held(library)["film.mp4"]
    assert {"t=0", "t=4", "t=8"} <= moments
    with (
        av.open(str(pictures / "film.mp4")) as source,
        av.open(str(pictures / "copy.mkv"), "w") as target,
    ):
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    again = library.add(pictures)
    assert (again.encoded, again.images) == (0, report.images)
    assert held(library)["copy.mkv"] == moments


def test_pages_of_a_tiff_are_pictures_and_one_page_is_the_file(
    library: Library, pictures: Path
) -> None:
    photo(1).save(pictures / "scan.tif", save_all=True, append_images=[photo(2), photo(3)])
    photo(4).save(pictures / "one.tif")
    library.add(pictures)
    assert held(library) == {"scan.tif": {"page=1", "page=2", "page=3"}, "one.tif": {""}}
    (other,) = library.search(f"image:{pictures / 'one.tif'}", limit=1, min_confidence=0.0).hits
    assert Path(other.path).name == "one.tif"


def test_pages_of_a_pdf_are_pictures(library: Library, pictures: Path) -> None:
    pytest.importorskip("pypdfium2")
    photo(1).save(pictures / "book.pdf", save_all=True, append_images=[photo(2)])
    library.add(pictures)
    assert held(library) == {"book.pdf": {"page=1", "page=2"}}


def test_another_model_takes_them_up_once_more(
    library: Library, pictures: Path, tmp_path: Path
) -> None:
    album(pictures / "a.zip", {"1.png": png_bytes(tmp_path, 8)})
    photo(1).save(pictures / "scan.tif", save_all=True, append_images=[photo(2)])
    film(pictures / "film.mp4", [3, 4])
    images = library.add(pictures).images
    assert images >= 5
    before = held(library)
    make_tiny_model(tmp_path / "other", seed=5)
    report = library.reencode(tmp_path / "other")
    assert (report.reencoded, report.left, report.complete) == (images, 0, True)
    assert held(library) == before


def test_what_is_not_the_same_any_more_is_left_by_a_move(
    library: Library, pictures: Path, tmp_path: Path
) -> None:
    film(pictures / "film.mp4", [3, 4])
    photo(1).save(pictures / "scan.tif", save_all=True, append_images=[photo(2)])
    images = library.add(pictures).images
    film(pictures / "film.mp4", [5, 6])
    photo(7).save(pictures / "scan.tif", save_all=True, append_images=[photo(8)])
    make_tiny_model(tmp_path / "other", seed=5)
    report = library.reencode(tmp_path / "other")
    assert (report.reencoded, report.left) == (0, images)
    assert "visionquery index" in " ".join(report.notes)


# -- what a file is, by its content ---------------------------------------------------------------
def test_a_name_deceives_nobody(library: Library, pictures: Path, tmp_path: Path) -> None:
    png(tmp_path / "x.png", 1).rename(pictures / "a.mp4")
    shutil.move(album(tmp_path / "x.zip", {"1.png": png_bytes(tmp_path, 2)}), pictures / "b.jpg")
    (pictures / "c.pdf").write_bytes(png_bytes(tmp_path, 3))
    (pictures / "d.zip").write_bytes(png_bytes(tmp_path, 4))
    (pictures / "rescued0001").write_bytes(png_bytes(tmp_path, 5))
    (pictures / "notes").write_text("no picture")
    report = library.add(pictures)
    assert set(held(library)) == {"a.mp4", "c.pdf", "d.zip", "rescued0001"}
    assert [Path(skipped.path).name for skipped in report.skipped] == ["b.jpg"]
    names = {item.relative for item in scan(pictures) if isinstance(item, FoundFile)}
    assert "notes" not in names


def test_files_that_take_an_extra_are_counted_and_stay_known(
    library: Library, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    png(pictures / "a.png", 1)
    film(pictures / "film.mp4", [1, 2])
    images = library.add(pictures).images
    shutil.copy(pictures / "film.mp4", pictures / "new.mp4")
    monkeypatch.setattr(kinds, "_is_here", lambda module: module != "av")
    report = library.add(pictures)
    assert (report.images, report.removed, report.skipped) == (images, 0, ())
    assert report.notes == (
        "1 video is left out: to take it in, run pip install 'visionquery[video]' and then this "
        "command again.",
    )
    shutil.copy(pictures / "film.mp4", pictures / "newer.mp4")
    assert library.add(pictures).notes[0].startswith("2 videos are left out: to take them in, ")


# -- sidecars -----------------------------------------------------------------------------------
SIDECAR = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description
xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:subject><rdf:Bag><rdf:li>{}</rdf:li></rdf:Bag>
</dc:subject></rdf:Description></rdf:RDF></x:xmpmeta>"""


def test_a_sidecar_is_taken_in_and_followed(library: Library, pictures: Path) -> None:
    png(pictures / "lake.png", 1)
    png(pictures / "other.png", 2)
    sidecar = pictures / "lake.xmp"

    def found(keyword: str) -> list[str]:
        return [Path(hit.path).name for hit in library.search(f"keyword:{keyword}")]

    sidecar.write_text(SIDECAR.format("garda"))
    library.add(pictures)
    assert found("garda") == ["lake.png"]
    sidecar.write_text(SIDECAR.format("como lake"))
    report = library.add(pictures)
    assert (report.encoded, report.reused, report.unchanged) == (0, 1, 1)
    assert (found("garda"), found("como*")) == ([], ["lake.png"])
    sidecar.unlink()
    library.add(pictures)
    assert found("como*") == []
    assert library.add(pictures).unchanged == 2
