"""Real photographs behind a real server, looked at with a real browser.

The photographs are those that scikit-image carries, found by the model in the box; beside them lie
a few made pictures with the facts that filters need, and one whose name is markup.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

from visionquery import Library
from visionquery.cli.demo import PHOTOGRAPHS, photographs_folder
from visionquery.server import ServerSettings

MARKUP = "<img src=x onerror=document.title='run'>.png"
TOKEN = "a-token-that-nobody-guesses"
FLAGS = [
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip


@dataclass
class Site:
    """A served library that a test may change."""

    address: str
    library: Library
    folder: Path


@pytest.fixture(scope="session")
def browser() -> Iterator:
    """Debian's Chromium."""
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield opened
        opened.close()


def save_made(folder: Path) -> None:
    """Save pictures with a camera, a date and a place, and one with an odd name."""
    folder.mkdir(parents=True)
    for number, (name, camera, taken) in enumerate([
        ("alps.jpg", "SONY A7", "2023:07:14 10:00:00"),
        ("lake.jpg", "SONY A7", "2024:02:03 11:00:00"),
        ("city.png", "Canon R5", "2024:08:05 12:00:00"),
        (MARKUP, "Canon R5", "2021:01:01 09:00:00"),
    ]):
        exif = Image.Exif()
        exif[0x0110] = camera
        exif.get_ifd(0x8769)[0x9003] = taken
        exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 24.0), 3: "E", 4: (2.0, 21.0, 8.0)})
        noise = np.random.default_rng(number).integers(0, 60, (300, 400 + 100 * number, 3))
        ground = np.array([40 * number, 90, 160 - 30 * number])
        pixels = (noise + ground).astype(np.uint8)
        Image.fromarray(pixels).save(folder / name, exif=exif)


@pytest.fixture(scope="session")
def served(running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The library of photographs, which no test changes."""
    folder = tmp_path_factory.mktemp("page")
    save_made(folder / "made")
    source = photographs_folder()
    (folder / "photographs").mkdir()
    for name in PHOTOGRAPHS:
        shutil.copy(source / name, folder / "photographs" / name)
    with Library.open(folder / "library", model="pocket", create=True) as library:
        library.add(folder / "photographs", folder / "made")
        with running(library, ServerSettings(port=0, thumbnails=folder / "thumbnails")) as address:
            yield Site(address, library, folder)


@pytest.fixture
def context(browser) -> Iterator:
    """A browser as on a first visit, on a wide screen."""
    opened = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    opened.set_default_timeout(10_000)
    opened.grant_permissions(["clipboard-read", "clipboard-write"])
    yield opened
    opened.close()


@pytest.fixture
def page(context, served: Site) -> Iterator:
    """The page, opened, with every fault that it meets remembered: there must be none."""
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on(
        "console",
        lambda message: faults.append(message.text) if message.type == "error" else None,
    )
    opened.on(
        "request",
        lambda request: None
        if request.url.startswith((served.address, "blob:", "data:"))
        else faults.append(f"a request leaves the server: {request.url}"),
    )
    opened.goto(served.address)
    opened.get_by_test_id("tile").first.wait_for()
    yield opened
    # The browser itself reports every answer of 4xx, which a page may well ask for.
    assert [fault for fault in faults if "Failed to load resource" not in fault] == []
