"""The table of the reliability page is what the tests last said, and every promise has its test."""

import json
import re
from pathlib import Path

from benchmarks.reliability import FIGURES, MINIMUM_KILLS, ROOT, table

PAGE = ROOT / "docs" / "explanation" / "reliability.md"


def figures() -> list[dict[str, object]]:
    return json.loads(FIGURES.read_text("utf-8"))


def test_the_table_is_that_of_the_figures() -> None:
    shown = PAGE.read_text("utf-8").split("<!-- table: benchmarks/reliability.json -->\n")[1]
    assert shown.split("<!-- end of table -->")[0].strip() == table(figures()).strip()


def test_every_promise_has_its_test() -> None:
    links = re.findall(r"\]\(\.\./\.\./(tests/[^)]+)\)", PAGE.read_text("utf-8"))
    assert len(links) > 15
    assert all(Path(ROOT, link).is_file() for link in links)


def test_nothing_was_lost_and_enough_was_tried() -> None:
    found = figures()
    assert all(figure.get(name, 0) == 0 for figure in found
               for name in ("lost", "doubled", "wrong", "findings"))  # fmt: skip
    kills = sum(figure["kills"] for figure in found if figure["kind"] == "killed commands")
    assert kills >= MINIMUM_KILLS
