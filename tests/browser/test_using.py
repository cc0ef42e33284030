"""Filters, keys, selection, indexing, and what the page does when something is wrong."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from visionquery import Library
from visionquery.server import ServerSettings

MARKUP = "<img src=x onerror=document.title='run'>.png"
TOKEN = "a-token-that-nobody-guesses"
WHILE = 30_000
"""Milliseconds that a heatmap, which encodes dozens of views, may take on a busy machine."""


def link(page: Page, place: int = 0) -> Locator:
    """The link of a picture in the grid."""
    return page.get_by_test_id("tile").nth(place).get_by_role("link")


def ask(page: Page, text: str) -> None:
    """Type a query and wait for its answer."""
    with page.expect_response(lambda r: "/api/v1/search" in r.url and r.ok):
        page.get_by_test_id("search-box").fill(text)


# -- filters -------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("filter_name", "choice", "written", "total"),
    [
        ("camera", "SONY A7", 'camera:"SONY A7"', "2 pictures"),
        ("type", "png", "ext:png", None),
        ("folder", "made", "path:", "4 pictures"),
    ],
)
def test_a_filter_writes_the_grammar(
    page: Page, filter_name: str, choice: str, written: str, total: str | None
) -> None:
    page.get_by_test_id(f"filter-{filter_name}").click()
    listed = page.locator(f"#filter-{filter_name}-list")
    listed.locator("li button, label").filter(has_text=choice).first.click()
    expect(page.get_by_test_id("search-box")).to_have_value(re.compile(re.escape(written)))
    expect(page.get_by_test_id("chip")).to_have_count(1)
    if total:
        expect(page.get_by_test_id("summary")).to_contain_text(total)
    page.get_by_test_id("chip-remove").click()
    expect(page.get_by_test_id("search-box")).to_have_value("")
    expect(page.get_by_test_id("summary")).to_contain_text("22 pictures")


def test_a_range_of_dates(page: Page) -> None:
    ask(page, "camera:sony")
    page.get_by_test_id("filter-date").click()
    page.get_by_test_id("date-from").fill("2024-01-01")
    page.get_by_test_id("date-to").fill("2024-12-31")
    page.get_by_test_id("date-apply").click()
    expect(page.get_by_test_id("search-box")).to_have_value(re.compile("^camera:sony date:2024"))
    expect(page.get_by_test_id("summary")).to_contain_text("1 picture")
    expect(page.get_by_test_id("chip")).to_have_count(2)


def test_the_order_can_be_chosen(page: Page) -> None:
    ask(page, "path:made")
    page.get_by_role("radio", name="Path").check()
    expect(link(page, -1)).to_have_accessible_name(re.compile("lake"))
    assert "sort=path" in page.url


# -- keys ----------------------------------------------------------------------------------
def focused(page: Page) -> str:
    """What has the focus: the name of its picture, or its test id."""
    return page.evaluate(
        "document.activeElement.getAttribute('aria-label') || document.activeElement.dataset.testid"
    )


def test_a_walk_with_keys_alone(page: Page) -> None:
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    page.keyboard.type("a cat")
    expect(link(page)).to_have_accessible_name(re.compile("chelsea.png"))
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowDown")
    expect(link(page)).to_be_focused()
    assert "chelsea.png" in focused(page)
    page.keyboard.press("ArrowRight")
    second = focused(page)
    assert "chelsea.png" not in second
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    viewer = page.get_by_test_id("viewer")
    expect(viewer).to_be_visible()
    expect(viewer).to_contain_text("chelsea.png")
    assert "image=" in page.url
    page.keyboard.press("ArrowRight")
    expect(viewer).not_to_contain_text("chelsea.png")
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    assert "image=" not in page.url
    expect(link(page, 1)).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_test_id("shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("shortcuts")).to_be_hidden()


def test_keys_do_not_act_while_one_types(page: Page) -> None:
    page.get_by_test_id("search-box").press_sequentially("snx?")
    expect(page.get_by_test_id("search-box")).to_have_value("snx?")
    expect(page.get_by_test_id("selection-bar")).to_be_hidden()


def test_many_are_selected_and_exported(page: Page, served) -> None:
    ask(page, "path:made")
    tiles = page.get_by_test_id("tile")
    expect(tiles).to_have_count(4)
    link(page).focus()
    page.keyboard.press("x")
    tiles.last.click(modifiers=["Shift"])
    bar = page.get_by_test_id("selection-bar")
    expect(bar).to_contain_text("4 selected")
    with page.expect_download() as saved:
        bar.get_by_test_id("export-csv").click()
    rows = Path(saved.value.path()).read_text("utf-8").splitlines()
    assert len(rows) == 5
    assert any(MARKUP in row for row in rows)
    with page.expect_download() as saved:
        bar.get_by_test_id("export-json").click()
    assert {hit["width"] for hit in json.loads(Path(saved.value.path()).read_text())} >= {400, 500}
    bar.get_by_test_id("selection-clear").click()
    expect(bar).to_be_hidden()


def test_facts_places_and_reasons_are_shown(page: Page, served) -> None:
    ask(page, "camera:sony date:2024")
    page.get_by_test_id("tile").first.click()
    viewer = page.get_by_test_id("viewer")
    for text in ("lake.jpg", "SONY A7", "500 × 300", "48.8567° N, 2.3522° E"):
        expect(viewer).to_contain_text(text)
    expect(viewer.get_by_test_id("explanation")).to_contain_text("camera:sony")
    viewer.get_by_test_id("copy-path").click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == str(served.folder / "made" / "lake.jpg")
    with page.expect_download() as saved:
        viewer.get_by_test_id("download").click()
    assert saved.value.suggested_filename == "lake.jpg"
    assert Path(saved.value.path()).read_bytes() == Path(copied).read_bytes()
    viewer.get_by_test_id("find-near").click()
    expect(page.get_by_test_id("search-box")).to_have_value(re.compile("near:48.856"))


def test_where_in_a_picture_it_is(page: Page) -> None:
    ask(page, "a woman smiling")
    page.get_by_role("link", name=re.compile("astronaut.png")).click()
    viewer = page.get_by_test_id("viewer")
    heat, button = viewer.get_by_test_id("heatmap"), viewer.get_by_test_id("where")
    expect(button).to_have_attribute("aria-pressed", "false")
    button.click()
    expect(heat).to_be_visible(timeout=WHILE)
    expect(heat).to_have_css("opacity", "1")
    expect(button).to_have_attribute("aria-pressed", "true")
    note = viewer.get_by_test_id("heatmap-note")
    expect(note).to_contain_text(re.compile(r"Strongest in the frame: \d+ % from the left"))
    assert heat.bounding_box() == viewer.locator(".viewer-frame").bounding_box()
    page.keyboard.press("w")
    expect(heat).to_be_hidden()
    expect(button).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("w")
    expect(heat).to_be_visible(timeout=WHILE)
    page.keyboard.press("Escape")
    expect(heat).to_be_hidden()
    expect(viewer).to_be_visible()
    button.click()
    expect(heat).to_be_visible(timeout=WHILE)
    page.keyboard.press("ArrowRight")
    expect(heat).to_be_hidden()


def test_little_evidence_is_said_to_be_little(page: Page) -> None:
    ask(page, "an airplane")
    page.get_by_role("link", name=re.compile("coffee.png")).click()
    viewer = page.get_by_test_id("viewer")
    viewer.get_by_test_id("where").click()
    note = viewer.get_by_test_id("heatmap-note")
    expect(note).to_contain_text("Little evidence", timeout=WHILE)
    expect(viewer.get_by_test_id("heatmap")).to_be_visible()


def test_without_a_query_there_is_nothing_to_point_at(page: Page) -> None:
    page.get_by_test_id("tile").first.click()
    viewer = page.get_by_test_id("viewer")
    expect(viewer).to_be_visible()
    expect(viewer.get_by_test_id("where")).to_be_hidden()
    page.keyboard.press("w")
    expect(viewer.get_by_test_id("heatmap")).to_be_hidden()


def test_filters_alone_cannot_be_pointed_at(page: Page) -> None:
    ask(page, "camera:sony")
    page.get_by_test_id("tile").first.click()
    viewer = page.get_by_test_id("viewer")
    viewer.get_by_test_id("where").click()
    expect(viewer.get_by_test_id("heatmap-note")).to_contain_text(
        "a heatmap needs a description", timeout=WHILE
    )
    expect(viewer.get_by_test_id("where")).to_have_attribute("aria-pressed", "false")


# -- what is wrong -------------------------------------------------------------------------
def test_a_name_full_of_markup_stays_text(page: Page) -> None:
    ask(page, "camera:canon date:2021")
    page.get_by_test_id("tile").first.click()
    viewer = page.get_by_test_id("viewer")
    expect(viewer).to_contain_text(MARKUP)
    assert page.title() != "run"
    assert page.locator("img[onerror]").count() == 0
    page.keyboard.press("Escape")
    page.get_by_test_id("search-box").fill('path:"<img src=x onerror=alert(1)>"')
    expect(page.get_by_test_id("chip").filter(has_text="<img src=x")).to_be_visible()
    assert page.locator("img[onerror]").count() == 0


def test_a_faulty_query_is_marked_and_results_stay(page: Page) -> None:
    ask(page, "a cat")
    before = page.get_by_test_id("tile").count()
    page.get_by_test_id("search-box").fill('a cat "black')
    page.get_by_test_id("search-box").press("Enter")
    expect(page.get_by_test_id("error")).to_contain_text("quote")
    # What came near may still have been on its way when they were counted.
    assert page.get_by_test_id("tile").count() >= before > 0


def test_a_server_that_is_gone_is_told_and_comes_back(page: Page) -> None:
    page.route("**/api/v1/search*", lambda route: route.abort())
    page.get_by_test_id("search-box").fill("a cat")
    expect(page.get_by_test_id("error")).to_contain_text("does not answer")
    page.unroute("**/api/v1/search*")
    expect(link(page)).to_have_accessible_name(re.compile("chelsea.png"))
    expect(page.get_by_test_id("error")).to_be_hidden()


def test_the_token_is_asked_for_once(context, served, running, tmp_path: Path) -> None:
    settings = ServerSettings(port=0, token=TOKEN, thumbnails=tmp_path)
    with running(served.library, settings) as address:
        page = context.new_page()
        page.goto(address)
        dialog = page.get_by_test_id("token-dialog")
        expect(dialog).to_be_visible()
        assert page.get_by_test_id("tile").count() == 0
        page.get_by_test_id("token-input").fill("wrong")
        page.get_by_test_id("token-input").press("Enter")
        expect(dialog).to_contain_text("not the token")
        page.get_by_test_id("token-input").fill(TOKEN)
        page.get_by_test_id("token-input").press("Enter")
        expect(page.get_by_test_id("tile").first.locator("img")).to_be_visible()
        page.reload()
        expect(page.get_by_test_id("tile").first).to_be_visible()
        page.close()


def test_a_token_in_the_address_is_taken_out(context, served, running, tmp_path: Path) -> None:
    settings = ServerSettings(port=0, token=TOKEN, thumbnails=tmp_path)
    with running(served.library, settings) as address:
        page = context.new_page()
        page.goto(f"{address}/#token={TOKEN}")
        expect(page.get_by_test_id("tile").first).to_be_visible()
        assert TOKEN not in page.url
        page.close()


def test_an_empty_library_is_filled_from_the_page(context, running, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(30):
        Image.new("RGB", (64, 48), (number * 8, 90, 120)).save(folder / f"{number}.png")
    (folder / "broken.png").write_bytes(b"no picture")
    settings = ServerSettings(port=0, thumbnails=tmp_path / "thumbnails")
    with (
        Library.open(tmp_path / "library", model="pocket", create=True) as library,
        running(library, settings) as address,
    ):
        page = context.new_page()
        page.goto(address)
        expect(page.get_by_test_id("empty")).to_be_visible()
        page.get_by_test_id("library-button").click()
        panel = page.get_by_test_id("library-panel")
        expect(panel).to_contain_text("pocket")
        panel.get_by_test_id("index-path").fill(str(tmp_path / "nowhere"))
        panel.get_by_test_id("index-start").click()
        expect(panel).to_contain_text("no file or folder")
        panel.get_by_test_id("index-path").fill(str(folder))
        panel.get_by_test_id("index-start").click()
        progress = panel.get_by_test_id("job-progress")
        expect(progress).to_contain_text("30")
        expect(panel.get_by_test_id("job-skipped")).to_contain_text("broken.png")
        page.keyboard.press("Escape")
        expect(page.get_by_test_id("summary")).to_contain_text("30 pictures")
        page.close()
