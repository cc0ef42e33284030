"""Pictures that are much the same as one tile, and different ones first."""

import re

from playwright.sync_api import Locator, Page, expect

PAIR = re.compile("(alps|lake).jpg")


def ask(page: Page, text: str) -> None:
    """Type a query and wait for its answer."""
    with page.expect_response(lambda r: "/api/v1/search" in r.url and r.ok):
        page.get_by_test_id("search-box").fill(text)


def badges(page: Page) -> Locator:
    """What says how many stand behind a picture."""
    return page.locator("[data-testid=alike]:not([hidden])")


def fold(page: Page) -> None:
    """Ask for two pictures that are folded into one, and two others."""
    ask(page, "path:made")
    page.get_by_test_id("fold").click()
    expect(page.get_by_test_id("fold")).to_have_attribute("aria-pressed", "true")
    expect(badges(page)).to_have_text("+1")
    expect(page.get_by_test_id("summary")).to_contain_text("1 folded away")


def expect_both(page: Page) -> None:
    """Expect both pictures first, each by itself."""
    expect(page.get_by_test_id("search-box")).to_have_value(re.compile("^like:[0-9a-f]{32}$"))
    expect(page.get_by_test_id("fold")).to_have_attribute("aria-pressed", "false")
    for place in (0, 1):
        link = page.get_by_test_id("tile").nth(place).get_by_role("link").first
        expect(link).to_have_accessible_name(PAIR)


def test_a_picture_stands_for_those_like_it_and_shows_them(page: Page) -> None:
    fold(page)
    leader = page.get_by_test_id("tile").nth(1).get_by_role("link").first
    expect(leader).to_have_accessible_name(re.compile("lake.*1 alike"))
    assert "fold=true" in page.url
    badges(page).click()
    expect_both(page)
    assert "fold" not in page.url
    page.go_back()
    expect(badges(page)).to_have_text("+1")


def test_what_is_folded_is_a_key_away(page: Page) -> None:
    fold(page)
    page.get_by_test_id("search-box").press("Enter")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("a")
    expect_both(page)


def test_folding_is_in_the_address_and_stays_while_asking_on(page: Page) -> None:
    fold(page)
    other = page.context.new_page()
    other.goto(page.url)
    expect(badges(other)).to_have_text("+1")
    page.get_by_test_id("clear").click()
    expect(page.get_by_test_id("fold")).to_have_attribute("aria-pressed", "true")
    expect(badges(page).first).to_be_visible()
    page.get_by_test_id("fold").click()
    expect(badges(page)).to_have_count(0)


def test_different_pictures_first_is_an_order(page: Page) -> None:
    ask(page, "ext:png")
    with page.expect_response(lambda r: "spread=true" in r.url and r.ok) as answered:
        page.get_by_role("radio", name="Spread").check()
    assert "sort=" not in answered.value.url
    assert "sort=spread" in page.url
    with page.expect_response(lambda r: "sort=path" in r.url and r.ok) as answered:
        page.get_by_role("radio", name="Path").check()
    assert "spread" not in answered.value.url
