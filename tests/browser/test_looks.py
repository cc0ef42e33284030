"""What every visitor has: dark and light, phone and wide, names for screen readers, few bytes."""

import pytest
from playwright.sync_api import Page, expect

PAGE_BYTES = 300_000
PAINT_MS = 300


def brightness(page: Page) -> float:
    """How bright the page's ground is, 0..255."""
    page.wait_for_timeout(400)  # for the change to be drawn
    colour = page.evaluate(
        """() => {
          const canvas = new OffscreenCanvas(1, 1).getContext('2d');
          canvas.fillStyle = getComputedStyle(document.body).backgroundColor;
          canvas.fillRect(0, 0, 1, 1);
          return [...canvas.getImageData(0, 0, 1, 1).data];
        }"""
    )
    return sum(colour[:3]) / 3


def test_it_is_dark_at_night_and_light_by_day(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    assert brightness(page) < 60
    page.emulate_media(color_scheme="light")
    assert brightness(page) > 200


def test_a_chosen_theme_stays(page: Page) -> None:
    page.emulate_media(color_scheme="light")
    toggle = page.get_by_test_id("theme-toggle")
    for _ in range(3):
        if brightness(page) < 60:
            break
        toggle.click()
    assert brightness(page) < 60
    page.reload()
    assert brightness(page) < 60


@pytest.mark.parametrize("width", [360, 390, 768, 1280, 2560])
def test_nothing_is_wider_than_the_screen(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.get_by_test_id("search-box").fill("a cat without people ext:png path:photographs")
    page.get_by_test_id("closest-heading").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_test_id("tile").first.click()
    expect(page.get_by_test_id("viewer")).to_be_visible()
    page.wait_for_timeout(200)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["dark", "light"])
@pytest.mark.parametrize("view", ["grid", "viewer", "library", "help", "filter", "keys"])
def test_a_checker_of_accessibility_finds_nothing(page: Page, scheme: str, view: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page.emulate_media(color_scheme=scheme)
    page.get_by_test_id("search-box").fill("a cat -people")
    page.get_by_test_id("closest-heading").wait_for()
    opened = {
        "viewer": "tile", "library": "library-button", "help": "help", "filter": "filter-camera",
        "keys": "keys-button",
    }  # fmt: skip
    if view in opened:
        page.get_by_test_id(opened[view]).first.click()
        page.wait_for_timeout(500)
    found = axe.Axe().run(page)
    faults = [
        f"{fault['id']}: {fault['help']} {[node['html'][:200] for node in fault['nodes']]}"
        for fault in found.response["violations"]
        if fault["impact"] in ("serious", "critical")
    ]
    assert faults == []


def test_every_picture_has_a_name_and_a_place(page: Page) -> None:
    page.get_by_test_id("search-box").fill("a cat")
    page.get_by_test_id("closest-heading").wait_for()
    tile = page.get_by_test_id("tile").first.get_by_role("link")
    assert "chelsea.png" in tile.get_attribute("aria-label")
    assert "%" in tile.get_attribute("aria-label") or "percent" in tile.get_attribute("aria-label")


def test_the_page_is_small(page: Page) -> None:
    sizes = page.evaluate(
        """() => performance.getEntriesByType('resource')
          .concat(performance.getEntriesByType('navigation'))
          .filter(entry => !entry.name.includes('/api/'))
          .map(entry => [entry.name, entry.decodedBodySize])"""
    )
    assert sum(size for _, size in sizes) < PAGE_BYTES, sizes
    assert len(sizes) > 5


def marks(page: Page) -> tuple[float, float]:
    """When an answer came and when its first pictures were painted, in milliseconds."""
    for _ in range(100):
        found = page.evaluate(
            """() => ['answer', 'first-results'].map(
              name => performance.getEntriesByName(`visionquery-${name}`).at(-1)?.startTime)"""
        )
        if None not in found:
            return tuple(found)
        page.wait_for_timeout(50)
    pytest.fail("nothing was painted")


def test_the_first_results_are_painted_soon(page: Page) -> None:
    for text in ("a cat", "a motorcycle", "a rocket"):
        page.evaluate("performance.clearMarks()")
        page.get_by_test_id("search-box").fill(text)
        answered, painted = marks(page)
        assert 0 <= painted - answered < PAINT_MS
