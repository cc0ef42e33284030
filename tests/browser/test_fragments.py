"""Pictures that are a part of a larger file, on the page: moments of a video, archives."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from visionquery import Library
from visionquery.cli.demo import photographs_folder
from visionquery.server import ServerSettings

SHOTS = ("chelsea.png", "motorcycle_left.png", "rocket.jpg")
SECONDS = 4


def film(place: Path, shots: list[Image.Image]) -> None:
    """Make a video that shows each picture for some seconds."""
    with av.open(str(place), "w") as container:
        stream = container.add_stream("libvpx", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        stream.gop_size = 10
        for shot in shots:
            pixels = np.asarray(shot.convert("RGB").resize((320, 240)))
            for _ in range(10 * SECONDS):
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.fixture
def album(context, running, tmp_path: Path) -> Iterator[tuple[Page, Path]]:
    """The page over a video and an archive, with every fault that it meets remembered."""
    source, folder = photographs_folder(), tmp_path / "album"
    folder.mkdir()
    shots = [Image.open(source / name) for name in SHOTS]
    film(folder / "film.webm", shots)
    with zipfile.ZipFile(folder / "comic.cbz", "w") as archive:
        archive.write(source / "coffee.png", "inside/coffee.png")
    page, faults = context.new_page(), []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda m: faults.append(m.text) if m.type == "error" else None)
    with Library.open(tmp_path / "library", model="pocket", create=True) as library:
        report = library.add(folder)
        assert report.added + report.reused == 7
        with running(library, ServerSettings(port=0, thumbnails=tmp_path / "small")) as address:
            page.goto(address)
            page.get_by_test_id("tile").first.wait_for()
            yield page, folder
    # The browser reports every answer of 4xx, which a query that is being typed may well get.
    assert [fault for fault in faults if "Failed to load resource" not in fault] == []


def test_a_moment_of_a_video_plays_from_there(album: tuple[Page, Path]) -> None:
    page, _ = album
    page.get_by_test_id("search-box").fill("a motorcycle")
    tile = page.get_by_test_id("tile").filter(has_text="film.webm at 0:04")
    tile.get_by_role("link").click()
    viewer = page.get_by_test_id("viewer")
    expect(viewer).to_contain_text("at 0:04")
    assert viewer.get_by_test_id("open-original").get_attribute("href").endswith("#t=4")
    expect(viewer.get_by_test_id("viewer-video")).to_have_count(0)
    page.keyboard.press("p")
    video = viewer.get_by_test_id("viewer-video")
    expect(video).to_be_visible()
    page.wait_for_function(
        "() => { const video = document.querySelector('[data-testid=viewer-video]');"
        " return video.readyState >= 2 && video.currentTime >= 4 && video.currentTime < 8 }"
    )
    page.keyboard.press("ArrowRight")
    expect(video).to_have_count(0)


def test_a_member_of_an_archive_is_shown_and_downloaded_as_itself(
    album: tuple[Page, Path]
) -> None:
    page, folder = album
    page.get_by_test_id("search-box").fill("ext:png")
    page.get_by_test_id("tile").filter(has_text="comic.cbz inside/coffee.png").get_by_role(
        "link"
    ).click()
    viewer = page.get_by_test_id("viewer")
    expect(viewer).to_contain_text("inside/coffee.png")
    expect(viewer.get_by_test_id("play")).to_be_hidden()
    with page.expect_download() as saved:
        viewer.get_by_test_id("download").click()
    assert saved.value.suggested_filename == "coffee.png"
    with zipfile.ZipFile(folder / "comic.cbz") as archive:
        assert Path(saved.value.path()).read_bytes() == archive.read("inside/coffee.png")
