"""The tables of the page on sizes are what was measured last."""

from benchmarks.engines.sizing import constants, needs_table, table
from benchmarks.reliability import ROOT

PAGE = ROOT / "docs" / "explanation" / "sizing.md"


def shown(name: str) -> str:
    start = f"<!-- table: {name} of benchmarks/engines/sizing.json -->\n"
    return PAGE.read_text("utf-8").split(start)[1].split("<!-- end of table -->")[0].strip()


def test_the_tables_are_those_of_the_figures() -> None:
    assert shown("constants") == table(constants())
    assert shown("needs") == needs_table(constants())
