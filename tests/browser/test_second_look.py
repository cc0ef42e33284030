"""The fast answer is there at once, and gives way to the refined one without a stir."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from visionquery import Library
from visionquery.server import ServerSettings
from visionquery.testing.tiny_model import make_tiny_model

COLOURS = ("red", "green", "blue", "yellow")
EACH = 20


class Held:
    """Second looks that wait until they may go on, and are counted."""

    def __init__(self, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
        self.go_on = threading.Event()
        self.asked: list[str] = []
        self._search = library.search
        monkeypatch.setattr(library, "search", self.search)

    def search(self, query, **wanted):
        if wanted.get("rerank") is not None:
            self.asked.append(wanted["text"])
            assert self.go_on.wait(30)
        return self._search(query, **wanted)


@pytest.fixture
def held(
    running, context, tmp_path: Path, tiny_model: Path, paint, monkeypatch
) -> Iterator[tuple[Page, Held]]:
    """The page of a server that looks twice, and its second looks, held back."""
    for index, colour in enumerate(COLOURS):
        for number in range(EACH):
            name = tmp_path / "album" / f"{colour}-{number}.png"
            paint(name, colour, 100 * index + number)
    other = make_tiny_model(tmp_path / "other-model", seed=1)
    spec = other / "model.toml"  # it sees colours a little otherwise
    spec.write_text(spec.read_text().replace("mean = [0.5, 0.5, 0.5]", "mean = [0.6, 0.4, 0.5]"))
    settings = ServerSettings(port=0, thumbnails=tmp_path / "thumbnails", rerank=str(other))
    with Library.open(tmp_path / "library", model=tiny_model, create=True) as library:
        library.add(tmp_path / "album")
        looks = Held(library, monkeypatch)
        with running(library, settings) as address:
            page = context.new_page()
            page.goto(address)
            page.get_by_test_id("tile").first.wait_for()
            yield page, looks
            looks.go_on.set()


def ask(page: Page, text: str) -> None:
    with page.expect_response(lambda r: "/api/v1/search" in r.url and r.ok):
        page.get_by_test_id("search-box").fill(text)
        page.get_by_test_id("search-box").press("Enter")


def shown(page: Page) -> list[str]:
    """The names of the pictures in sight, in order."""
    links = page.get_by_test_id("tile").get_by_role("link")
    names: list[str] = links.evaluate_all(
        "links => links.map((link) => link.getAttribute('aria-label').split(',')[0])"
    )
    return names


def test_the_refined_answer_takes_the_place_of_the_fast_one(held) -> None:
    page, looks = held
    ask(page, "red -orange")
    expect(page.get_by_test_id("summary")).not_to_contain_text("refined")
    before = shown(page)
    assert before
    page.mouse.move(640, 600)
    page.mouse.wheel(0, 300)
    page.wait_for_timeout(500)
    place = page.evaluate("scrollY")
    assert place > 0
    looks.go_on.set()
    expect(page.get_by_test_id("refined")).to_have_text("refined by tiny-1")
    assert page.evaluate("scrollY") == place
    assert looks.asked == ["red -orange"]
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(500)
    assert shown(page) != before


def test_what_is_selected_stays_selected(held) -> None:
    page, looks = held
    ask(page, "red")
    page.get_by_test_id("tile").first.hover()
    page.get_by_test_id("tile").first.get_by_role("checkbox").click()
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(1)
    looks.go_on.set()
    expect(page.get_by_test_id("refined")).to_be_visible()
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(1)


def test_a_newer_query_drops_it(held) -> None:
    page, looks = held
    ask(page, "red")
    page.wait_for_timeout(200)
    ask(page, "ext:png")  # which has nothing to look at
    looks.go_on.set()
    page.wait_for_timeout(1500)
    expect(page.get_by_test_id("refined")).to_have_count(0)
    expect(page.get_by_test_id("summary")).to_contain_text("80 pictures")
