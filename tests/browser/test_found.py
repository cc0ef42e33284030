"""Where small things were found: outlined in the grid, and in the open picture, to search on by."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import FloatRect, Locator, Page, expect
from skimage import data
from tests.browser.conftest import Site

from visionquery import Library
from visionquery.cli.demo import PHOTOGRAPHS, photographs_folder
from visionquery.server import ServerSettings

WIDTHS = (390, 1280)
CAT = {"meadow.jpg": ((600, 420), (900, 700)), "strip.jpg": ((1480, 90), (2400, 400))}
"""Where the upper left corner of the cat is pasted, and the size of the picture."""
SIDES = (190, 140)


def save_scenes(folder: Path) -> None:
    """Save photographs, and enlarged textures, and more with a small photograph of a cat."""
    folder.mkdir()
    for name in PHOTOGRAPHS:
        if name != "chelsea.png":
            shutil.copy(photographs_folder() / name, folder / name)
    cat = Image.fromarray(data.chelsea()).resize(SIDES)
    for name in ("brick", "grass", "gravel"):
        texture = Image.fromarray(getattr(data, name)()).convert("RGB")
        texture.resize((900, 700)).save(folder / f"{name}.jpg")
    grass = Image.fromarray(data.grass()).convert("RGB")
    for name, (place, size) in {**CAT, "edge.jpg": EDGE}.items():
        scene = grass.resize(size)
        scene.paste(cat, place)
        scene.save(folder / name)


EDGE = ((2150, 90), (2400, 400))
"""A cat where a strip is cut off in the grid."""


@pytest.fixture(scope="module")
def served(running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A library whose pictures have regions."""
    folder = tmp_path_factory.mktemp("found")
    save_scenes(folder / "scenes")
    with Library.open(folder / "library", model="pocket", create=True) as library:
        library.add(folder / "scenes")
        library.add_regions()
        with running(library, ServerSettings(port=0, thumbnails=folder / "thumbnails")) as address:
            yield Site(address, library, folder)


def ask(page: Page, text: str) -> list[dict]:
    """Type a query and return the hits of its answer, on the page by then."""
    with page.expect_response(lambda r: "/api/v1/search" in r.url and r.ok) as answered:
        page.get_by_test_id("search-box").fill(text)
    document = answered.value.json()
    return [*document["results"], *document["closest"]]


def one(hits: list[dict], name: str) -> dict:
    """The hit of a picture by its name."""
    return next(hit for hit in hits if hit["path"].endswith(name))


def tile_of(page: Page, hit: dict) -> Locator:
    """The tile of a hit, painted."""
    tile = page.locator(f".tile[data-image-id='{hit['image_id']}']")
    expect(tile).to_have_class(re.compile("is-here"))
    return tile


def rect(locator: Locator) -> FloatRect:
    """Where an element is on the screen, once two frames were drawn: with little motion every
    change is a transition of a millisecond, which ends in the next frame."""
    expect(locator).to_be_visible()
    found: FloatRect = locator.evaluate(
        """async element => {
          await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
          return element.getBoundingClientRect().toJSON();
        }"""
    )
    return found


def expect_at(drawn: FloatRect, wanted: tuple[float, float, float, float]) -> None:
    """Expect an outline within a pixel of left, top, right, bottom."""
    left, top = drawn["x"], drawn["y"]
    sides = (left, top, left + drawn["width"], top + drawn["height"])
    assert sides == pytest.approx(wanted, abs=1.0)


def covered(room: FloatRect, hit: dict) -> tuple[float, float, float, float]:
    """Where a box is on the screen, of a picture whose middle covers a room."""
    scale = max(room["width"] / hit["width"], room["height"] / hit["height"])
    x = room["x"] + (room["width"] - hit["width"] * scale) / 2
    y = room["y"] + (room["height"] - hit["height"] * scale) / 2
    left, top, width, height = (side / 100 for side in hit["box"])
    sides = (
        (x + left * hit["width"] * scale, room["x"], room["width"]),
        (y + top * hit["height"] * scale, room["y"], room["height"]),
        (x + (left + width) * hit["width"] * scale, room["x"], room["width"]),
        (y + (top + height) * hit["height"] * scale, room["y"], room["height"]),
    )
    return tuple(min(start + length, max(start, at)) for at, start, length in sides)


def open_viewer(page: Page, name: str = "meadow.jpg") -> dict:
    """Ask for the cat and open a picture with it; return its hit."""
    hit = one(ask(page, "a cat"), name)
    tile_of(page, hit).get_by_role("link").first.click()
    expect(page.get_by_test_id("viewer")).to_be_visible()
    return hit


def enlarge(page: Page) -> None:
    """Enlarge the open picture by its key, which a busy browser takes a moment to act on."""
    page.keyboard.press("z")
    expect(page.locator(".viewer-stage")).to_have_class(re.compile("is-zoomed"))


# -- in the grid ---------------------------------------------------------------------------
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", CAT)
def test_a_tile_outlines_the_place(page: Page, name: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    hit = one(ask(page, "a cat"), name)
    tile = tile_of(page, hit)
    tile.scroll_into_view_if_needed()
    drawn = rect(tile.get_by_test_id("tile-found"))
    expect_at(drawn, covered(rect(tile), hit))
    (x, y), (across, down) = CAT[name]
    left, top, wide, high = hit["box"]
    assert left <= 100 * (x + SIDES[0] / 2) / across <= left + wide
    assert top <= 100 * (y + SIDES[1] / 2) / down <= top + high


def test_an_outline_follows_the_window(page: Page) -> None:
    hit = one(ask(page, "a cat"), "meadow.jpg")
    tile = tile_of(page, hit)
    before = rect(tile)
    page.set_viewport_size({"width": 700, "height": 800})
    page.wait_for_function(
        "([id, was]) => document.querySelector(`.tile[data-image-id='${id}']`).offsetWidth !== was",
        arg=[hit["image_id"], before["width"]],
    )
    expect_at(rect(tile.get_by_test_id("tile-found")), covered(rect(tile), hit))


def test_a_place_that_the_tile_cuts_off_has_no_outline(page: Page) -> None:
    hit = one(ask(page, "a cat"), "edge.jpg")
    assert hit["box"][0] > 80
    expect(tile_of(page, hit).get_by_test_id("tile-found")).to_be_hidden()
    tile_of(page, hit).get_by_role("link").first.click()
    expect(page.get_by_test_id("found-box")).to_be_visible()


def test_what_was_found_as_a_whole_has_no_outline(page: Page) -> None:
    hit = one(ask(page, "ext:jpg"), "meadow.jpg")
    expect(tile_of(page, hit).get_by_test_id("tile-found")).to_be_hidden()
    tile_of(page, hit).get_by_role("link").first.click()
    expect(page.get_by_test_id("viewer")).to_be_visible()
    expect(page.get_by_test_id("found-box")).to_be_hidden()


def test_a_tile_says_where(page: Page) -> None:
    hit = one(ask(page, "a cat"), "meadow.jpg")
    link = tile_of(page, hit).get_by_role("link").first
    expect(link).to_have_accessible_name(re.compile("found at the bottom right"))


# -- in the open picture -------------------------------------------------------------------
def test_the_open_picture_shows_the_place_also_enlarged(page: Page) -> None:
    hit = open_viewer(page)
    box, frame = page.get_by_test_id("found-box"), page.locator(".viewer-frame")
    expect(box).to_be_visible()
    expect(page.get_by_test_id("found-label")).to_have_text("Found here")
    expect_at(rect(box), covered(rect(frame), hit))
    label = rect(page.get_by_test_id("found-label"))
    before = rect(frame)["width"]
    enlarge(page)
    assert rect(frame)["width"] > 2 * before
    expect_at(rect(box), covered(rect(frame), hit))
    enlarged = rect(page.get_by_test_id("found-label"))
    assert enlarged["height"] == pytest.approx(label["height"], rel=0.05)


def test_a_click_on_the_place_searches_it(page: Page) -> None:
    hit = open_viewer(page)
    expect(page.get_by_test_id("found-search")).to_be_hidden()
    page.get_by_test_id("found-box").click()
    page.get_by_test_id("found-search").click()
    left, top, width, height = (round(side, 1) for side in hit["box"])
    numbers = ",".join(f"{side:g}" for side in (left, top, width, height))
    expect(page.get_by_test_id("search-box")).to_have_value(f"like:{hit['image_id']}@{numbers}")
    expect(page.get_by_test_id("viewer")).to_be_hidden()
    expect(page.get_by_test_id("tile").first).to_have_attribute("data-image-id", hit["image_id"])


def test_the_place_is_searched_and_left_by_keys(page: Page) -> None:
    open_viewer(page)
    label, search = page.get_by_test_id("found-label"), page.get_by_test_id("found-search")
    expect(label).to_have_accessible_name("Found here, at the bottom right: search this part")
    label.focus()
    page.keyboard.press("Enter")
    expect(label).to_have_attribute("aria-expanded", "true")
    expect(search).to_be_visible()
    page.keyboard.press("Escape")
    expect(search).to_be_hidden()
    expect(page.get_by_test_id("viewer")).to_be_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(search).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("search-box")).to_have_value(re.compile("^like:[0-9a-f]{32}@"))


def test_moving_an_enlarged_picture_is_no_click(page: Page) -> None:
    open_viewer(page)
    enlarge(page)
    middle = rect(page.locator(".viewer-stage"))
    page.mouse.move(middle["x"] + middle["width"] / 2, middle["y"] + middle["height"] / 2)
    page.mouse.down()
    page.mouse.move(middle["x"] + 20, middle["y"] + 90, steps=4)
    page.mouse.up()
    box = rect(page.get_by_test_id("found-box"))
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 40, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()
    assert rect(page.get_by_test_id("found-box"))["x"] != box["x"]
    expect(page.get_by_test_id("found-search")).to_be_hidden()


def test_it_can_be_hidden_and_a_heatmap_takes_its_place(page: Page) -> None:
    open_viewer(page)
    box = page.get_by_test_id("found-box")
    box.click()
    page.get_by_test_id("found-hide").click()
    expect(box).to_be_hidden()
    page.keyboard.press("w")
    expect(page.get_by_test_id("heatmap")).to_be_visible(timeout=60_000)
    expect(box).to_be_hidden()
    page.keyboard.press("w")
    expect(box).to_be_visible()
    page.keyboard.press("b")
    expect(box).to_be_hidden()
    page.keyboard.press("Escape")
    expect(box).to_be_visible()


def test_an_address_opens_the_place_too(page: Page) -> None:
    hit = open_viewer(page, "strip.jpg")
    other = page.context.new_page()
    other.goto(page.url)
    box = other.get_by_test_id("found-box")
    expect(other.get_by_test_id("viewer")).to_contain_text("2,400 × 400")
    expect_at(rect(box), covered(rect(other.locator(".viewer-frame")), hit))


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_a_checker_of_accessibility_finds_nothing(page: Page, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page.emulate_media(color_scheme=scheme)
    open_viewer(page)
    page.get_by_test_id("found-label").click()
    found = axe.Axe().run(page)
    assert [f["id"] for f in found.response["violations"] if f["impact"] == "serious"] == []


@pytest.mark.parametrize("width", [*WIDTHS, 900])
def test_nothing_of_the_panel_is_cut_off(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    open_viewer(page)
    panel = page.locator(".viewer-panel")
    expect(panel).to_be_visible()
    assert panel.evaluate("one => one.scrollWidth <= one.clientWidth")
