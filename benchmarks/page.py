"""How heavy and how fluent is the page? A real browser over 100,000 images.

    python -m benchmarks.page [MODEL] [--library DIR]

Bytes of the page, the time from an answer to its first pictures painted, and that between frames
while the wheel scrolls and the scrollbar jumps through everything. The images are made and have
no files, so every thumbnail is the placeholder of a missing one. Without a GPU the browser paints
in software, on the cores that the server uses too. Targets: below 300 kB, within 300 ms, and 95 of
100 frames within 50 ms.
"""

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

from benchmarks.quality.photos import LIT_TINY
from benchmarks.quality.verdicts import finish, target
from benchmarks.serving import made_library, serving
from playwright.sync_api import Page, sync_playwright

_FLAGS = [
    "--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip
_QUERIES = ("a dog", "a red car", "children playing", "snow", "two women", "a river")
_FRAMES = """() => {
  window.frames_ = []; let last = performance.now();
  const tick = (now) => {
    window.frames_.push(now - last); last = now; requestAnimationFrame(tick);
  };
  requestAnimationFrame(tick);
}"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default=LIT_TINY)
    parser.add_argument("--library", type=Path, help="one of these images that was made before")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        library = options.library or made_library(Path(folder) / "library", options.model)
        with serving(library, options.model, Path(folder)) as (port, _), sync_playwright() as play:
            browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=_FLAGS)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(f"http://127.0.0.1:{port}/")
            page.get_by_test_id("tile").first.wait_for()
            _measure(page)
            browser.close()
    finish()


def _measure(page: Page) -> None:
    size, sent = page.evaluate(
        """() => performance.getEntriesByType('resource').concat(
          performance.getEntriesByType('navigation')).filter(e => !e.name.includes('/api/'))
          .reduce(([all, sent], e) =>
            [all + e.decodedBodySize, sent + e.encodedBodySize], [0, 0])"""
    )
    waits = [_first_paint(page, query) for query in _QUERIES]
    page.get_by_test_id("search-box").fill("")
    page.wait_for_timeout(1500)
    print(f"page {size / 1000:.0f} kB, sent as {sent / 1000:.0f} kB")
    print(f"from answer to paint {statistics.median(waits):.0f} ms, {max(waits):.0f} ms at worst")
    wheel = _scrolled(page, lambda: [_wheel(page) for _ in range(200)])
    jumps = _scrolled(page, lambda: [_jump(page, share / 20) for share in range(20)])
    nodes = page.evaluate("document.querySelectorAll('*').length")
    _print("scrolling by wheel", wheel)
    _print("jumps of the scrollbar", jumps)
    print(f"  elements in the page at the end: {nodes:,}")
    target("kB of the page", size / 1000, lambda kilobytes: kilobytes < 300, "< 300")
    target("ms from answer to paint, worst", max(waits), lambda ms: ms < 300, "< 300")
    target("ms between frames, p95, wheel", _p95(wheel), lambda ms: ms < 50, "< 50")


def _first_paint(page: Page, query: str) -> float:
    page.evaluate("performance.clearMarks()")
    page.get_by_test_id("search-box").fill(query)
    page.wait_for_timeout(1500)
    return page.evaluate(
        """() => performance.getEntriesByName('visionquery-first-results').at(-1).startTime
          - performance.getEntriesByName('visionquery-answer').at(-1).startTime"""
    )


def _scrolled(page: Page, scroll) -> list[float]:
    page.evaluate(_FRAMES)
    scroll()
    return page.evaluate("window.frames_")[1:]


def _wheel(page: Page) -> None:
    page.mouse.move(700, 500)
    page.mouse.wheel(0, 120)
    page.wait_for_timeout(16)


def _jump(page: Page, share: float) -> None:
    page.evaluate("share => scrollTo(0, document.documentElement.scrollHeight * share)", share)
    page.wait_for_timeout(300)


def _p95(frames: list[float]) -> float:
    return statistics.quantiles(frames, n=20)[-1]


def _print(name: str, frames: list[float]) -> None:
    print(
        f"  {name:24} frames {len(frames):4}, p50 {statistics.median(frames):5.1f} ms, "
        f"p95 {_p95(frames):5.1f} ms, worst {max(frames):5.1f} ms"
    )


if __name__ == "__main__":
    main()
