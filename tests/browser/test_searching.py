"""Type and find, by words and by pictures; what the page shows of an answer."""

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator, Page, expect

from visionquery.cli.demo import photographs_folder


def query(page: Page) -> str:
    """The query in the page's address."""
    return parse_qs(urlsplit(page.url).query).get("q", [""])[0]


def link(page: Page, place: int = 0) -> Locator:
    """The link of a picture in the grid."""
    return page.get_by_test_id("tile").nth(place).get_by_role("link")


def ask(page: Page, text: str) -> None:
    """Type a query and wait for its answer."""
    with page.expect_response(lambda r: "/api/v1/search" in r.url and r.ok):
        page.get_by_test_id("search-box").fill(text)


def first_name(page: Page) -> str:
    """The accessible name of the first picture."""
    return link(page).get_attribute("aria-label") or ""


def test_everything_is_there_before_a_question(page: Page) -> None:
    expect(page.get_by_test_id("summary")).to_contain_text("22 pictures")
    assert page.get_by_test_id("tile").count() > 5


def test_results_come_while_typing(page: Page) -> None:
    page.get_by_test_id("search-box").press_sequentially("a motorcycle", delay=30)
    expect(link(page)).to_have_accessible_name(re.compile("motorcycle_left.png"))
    page.wait_for_url(re.compile(r"q=a(\+|%20)motorcycle"))
    assert query(page) == "a motorcycle"


def test_an_address_is_a_view(page: Page) -> None:
    ask(page, "a cat")
    page.get_by_test_id("search-box").press("Enter")
    address = page.url
    other = page.context.new_page()
    other.goto(address)
    expect(other.get_by_test_id("search-box")).to_have_value("a cat")
    expect(link(other)).to_have_accessible_name(re.compile("chelsea.png"))


def test_back_goes_back(page: Page) -> None:
    for text in ("a cat", "a motorcycle"):
        ask(page, text)
        page.get_by_test_id("search-box").press("Enter")
    page.go_back()
    expect(page.get_by_test_id("search-box")).to_have_value("a cat")
    expect(link(page)).to_have_accessible_name(re.compile("chelsea.png"))


def test_a_late_answer_is_never_shown(page: Page) -> None:
    """The answer to what was typed first comes last."""
    held = []
    page.route(
        re.compile(r"search\?.*q=a(\+|%20)cat(&|$)"),
        lambda route: held.append(route),
    )
    page.get_by_test_id("search-box").fill("a cat")
    page.wait_for_timeout(400)
    assert held, "the first question was asked"
    ask(page, "a motorcycle")
    for route in held:
        try:
            route.continue_()
        except Exception:  # the page has given it up
            continue
    page.wait_for_timeout(500)
    assert "motorcycle" in first_name(page)
    assert query(page) == "a motorcycle"


def test_what_only_came_near_is_set_apart(page: Page) -> None:
    ask(page, "a cat")
    expect(link(page)).to_have_accessible_name(re.compile("chelsea.png"))
    heading = page.get_by_test_id("closest-heading")
    expect(heading).to_be_visible()
    expect(heading).to_contain_text("probably not what you meant")
    places = page.evaluate(
        """() => [...document.querySelectorAll('[data-testid=tile], [data-testid=closest-heading]')]
          .map(each => each.getBoundingClientRect().top)"""
    )
    assert len(places) > 5
    assert places == sorted(places), "in the order of the document, the heading after the cat"
    assert places[1] == heading.bounding_box()["y"]


def test_nothing_is_an_answer(page: Page) -> None:
    ask(page, "a submarine under ice")
    expect(page.get_by_test_id("summary")).to_contain_text("0 pictures")
    expect(page.get_by_test_id("empty")).to_be_visible()
    expect(page.get_by_test_id("closest-heading")).to_be_visible()


def test_an_exclusion_is_a_chip_that_can_be_taken_off(page: Page) -> None:
    ask(page, "a picture without a cat")
    chip = page.get_by_test_id("chip")
    expect(chip).to_contain_text("a cat")
    page.get_by_test_id("chip-remove").click()
    expect(page.get_by_test_id("search-box")).to_have_value("a picture")


def test_more_like_this_and_not_this(page: Page) -> None:
    ask(page, "a motorcycle")
    page.get_by_test_id("tile").first.click()
    viewer = page.get_by_test_id("viewer")
    expect(viewer).to_be_visible()
    viewer.get_by_test_id("more-like-this").click()
    expect(page.get_by_test_id("search-box")).to_have_value(re.compile("like:[0-9a-f]{32}"))
    ask(page, "a cat")
    page.get_by_test_id("tile").first.click()
    page.get_by_test_id("viewer").get_by_test_id("not-this").click()
    expect(page.get_by_test_id("search-box")).to_have_value(
        re.compile(r"^a cat -like:[0-9a-f]{32}$")
    )
    expect(page.get_by_test_id("chip").locator("img")).to_be_visible()


def test_examples_teach_the_query_and_are_chips(page: Page) -> None:
    ask(page, "an animal")
    page.get_by_test_id("tile").first.click()
    page.get_by_test_id("viewer").get_by_test_id("teach-more").click()
    box = page.get_by_test_id("search-box")
    expect(box).to_have_value(re.compile(r"^an animal more:[0-9a-f]{32}$"))
    page.get_by_test_id("tile").nth(1).click()
    page.get_by_test_id("viewer").get_by_test_id("teach-less").click()
    expect(box).to_have_value(re.compile(r"^an animal more:[0-9a-f]{32} less:[0-9a-f]{32}$"))
    chips = page.get_by_test_id("chip")
    expect(chips).to_have_text(["more like this", "less like this"])
    for picture in chips.locator("img").all():
        expect(picture).to_be_visible()
    page.get_by_test_id("chip-remove").first.click()
    expect(box).to_have_value(re.compile(r"^an animal less:[0-9a-f]{32}$"))


def test_a_picture_is_chosen(page: Page) -> None:
    page.get_by_test_id("upload-input").set_input_files(photographs_folder() / "chelsea.png")
    found_the_cat(page)
    page.reload()
    found_the_cat(page)


def test_a_picture_is_dropped(page: Page) -> None:
    data = list((photographs_folder() / "chelsea.png").read_bytes())
    transfer = page.evaluate_handle(
        """bytes => {
          const transfer = new DataTransfer();
          const file = new File([new Uint8Array(bytes)], 'dropped.png', { type: 'image/png' });
          transfer.items.add(file);
          return transfer;
        }""",
        data,
    )
    page.dispatch_event("body", "dragenter", {"dataTransfer": transfer})
    expect(page.get_by_test_id("drop-overlay")).to_be_visible()
    page.dispatch_event("body", "dragover", {"dataTransfer": transfer})
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    found_the_cat(page)
    expect(page.get_by_test_id("drop-overlay")).to_be_hidden()


def test_a_picture_is_pasted(page: Page) -> None:
    page.evaluate(
        """async (bytes) => {
          const data = new DataTransfer();
          const type = 'image/png';
          data.items.add(new File([new Uint8Array(bytes)], 'pasted.png', { type }));
          const paste = { clipboardData: data, bubbles: true, cancelable: true };
          document.activeElement.dispatchEvent(new ClipboardEvent('paste', paste));
        }""",
        list((photographs_folder() / "chelsea.png").read_bytes()),
    )
    found_the_cat(page)


def test_it_says_why_a_picture_is_like_another(page: Page) -> None:
    page.get_by_test_id("upload-input").set_input_files(photographs_folder() / "chelsea.png")
    found_the_cat(page)
    page.get_by_test_id("tile").first.click()
    why = page.get_by_test_id("viewer").get_by_test_id("explanation")
    expect(why).to_contain_text("This picture is in the answer")


def found_the_cat(page: Page) -> None:
    expect(link(page)).to_have_accessible_name(re.compile("chelsea.png"))
    assert "image:upload" in query(page)
    expect(page.get_by_test_id("chip").locator("img")).to_be_visible()


def test_words_go_with_a_picture(page: Page) -> None:
    page.get_by_test_id("upload-input").set_input_files(photographs_folder() / "chelsea.png")
    found_the_cat(page)
    ask(page, "image:upload path:made")
    expect(link(page)).not_to_have_accessible_name(re.compile("chelsea.png"))


def test_what_is_no_picture_is_refused_kindly(page: Page, tmp_path: Path) -> None:
    notes = tmp_path / "notes.png"
    notes.write_text("not a picture")
    page.get_by_test_id("upload-input").set_input_files(notes)
    expect(page.get_by_test_id("error")).to_contain_text("cannot be used as a query")


def test_a_part_of_a_picture_is_marked(page: Page) -> None:
    ask(page, "a motorcycle")
    page.get_by_test_id("tile").first.click()
    viewer = page.get_by_test_id("viewer")
    viewer.get_by_test_id("draw-box").click()
    stage = viewer.locator("img").first.bounding_box()
    x, y = stage["x"] + stage["width"] * 0.1, stage["y"] + stage["height"] * 0.1
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + stage["width"] * 0.3, y + stage["height"] * 0.3, steps=6)
    page.mouse.up()
    with page.expect_response(lambda r: "/api/v1/search" in r.url) as answered:
        viewer.get_by_test_id("draw-box-search").click()
    assert answered.value.ok
    box = page.get_by_test_id("search-box").input_value()
    numbers = re.fullmatch(r"like:[0-9a-f]{32}@([\d.]+),([\d.]+),([\d.]+),([\d.]+)", box)
    assert numbers, box
    left, top, width, height = map(float, numbers.groups())
    assert abs(left - 10) < 4
    assert abs(top - 10) < 4
    assert abs(width - 30) < 4
    assert abs(height - 30) < 4


def test_history_and_saved_searches(page: Page) -> None:
    for text in ("a cat", "a motorcycle"):
        ask(page, text)
        page.get_by_test_id("search-box").press("Enter")
    page.get_by_test_id("save-search").click()
    page.reload()
    page.get_by_test_id("search-box").fill("")
    page.get_by_test_id("search-box").press("ArrowDown")
    listed = page.get_by_test_id("suggestions")
    expect(listed).to_contain_text("a motorcycle")
    expect(listed).to_contain_text("a cat")
    listed.get_by_text("a cat").click()
    expect(page.get_by_test_id("search-box")).to_have_value("a cat")
