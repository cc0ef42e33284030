"""Take the pictures of the page that docs/ shows, with a real browser on real photographs.

    python scripts/make_screenshots.py

The photographs are those that scikit-image carries. Needs Debian's chromium and the extra `test`.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from visionquery.cli.demo import PHOTOGRAPHS, photographs_folder
from visionquery.client import Client

FOLDER = Path(__file__).parents[1] / "docs" / "images"
FLAGS = ["--no-sandbox", "--headless", "--disable-gpu", "--no-first-run", "--disable-sync"]
WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


def main() -> None:
    """Serve the photographs, and look at them."""
    chromium = shutil.which("chromium")
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        pictures = Path(temporary) / "Pictures"
        pictures.mkdir()
        for name in PHOTOGRAPHS:
            shutil.copy(photographs_folder() / name, pictures / name)
        command = [sys.executable, "-m", "visionquery", "serve", "--port", "0", "--no-browser"]
        with subprocess.Popen(
            [*command, "--library", f"{temporary}/library", "--model", "pocket"],
            stderr=subprocess.PIPE, text=True,
        ) as server:  # fmt: skip
            address = next(line for line in server.stderr if "http://" in line).split()[3]
            with Client(address) as client:
                client.add(pictures)
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            try:
                take_all(browser, address)
            finally:
                browser.close()
                server.terminate()


def take_all(browser: Browser, address: str) -> None:
    """Take every picture."""
    search = f"{address}?q=a+motorcycle"
    take(browser, address, "page-start", WIDE, "dark")
    take(browser, search, "page-search", WIDE, "dark")
    take(browser, search, "page-light", WIDE, "light")
    take(browser, search, "page-picture", WIDE, "dark", opens="tile")
    smile = f"{address}?q=a+woman+smiling"
    take(browser, smile, "page-where", WIDE, "dark", opens="tile", then="where")
    take(browser, search, "page-phone", PHONE, "light")
    take(browser, search, "page-phone-picture", PHONE, "dark", opens="tile")
    take(browser, address, "page-library", WIDE, "light", opens="library-button")


def take(
    browser: Browser, address: str, name: str, size: dict, scheme: str, *,
    opens: str | None = None, then: str | None = None,
) -> None:  # fmt: skip
    """Save what a visitor sees at an address, after a click or two where they are named."""
    context = browser.new_context(
        viewport=size, color_scheme=scheme, has_touch=size is PHONE, is_mobile=size is PHONE
    )
    page: Page = context.new_page()
    page.goto(address)
    page.get_by_test_id("tile").first.wait_for()
    page.wait_for_load_state("networkidle")
    for clicked in filter(None, (opens, then)):
        page.get_by_test_id(clicked).first.click()
        page.wait_for_load_state("networkidle")
    page.wait_for_timeout(800)
    page.screenshot(path=FOLDER / f"{name}.jpg", type="jpeg", quality=82)
    context.close()


if __name__ == "__main__":
    main()
