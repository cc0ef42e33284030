"""What a search in a new process does not load: each of these was once a part of its time."""

import subprocess
import sys

import pytest

from visionquery.cli.app import run

FOREIGN = {
    "PIL",
    "concurrent.futures",
    "decimal",
    "filelock",
    "huggingface_hub",
    "logging",
    "numkong",
    "numpy.ma",
    "rich",
}
OURS = {
    f"visionquery.{name}"
    for name in (
        "filling",
        "images.decode",
        "indexing.pipeline",
        "models.hub",
        "present.tables",
        "query.values",
        "query.when",
        "search.explanation",
        "evaluation",
        "models.quantize",
        "server",
        "store.browsing",
        "store.earth",
        "store.filters",
        "store.matching",
        "store.settling",
    )
}
PROGRAM = """
import sys
from visionquery.cli.app import run
code = run(sys.argv[1:])
print(code, *sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize("form", [[], ["--json"], ["-0"]])
def test_a_search_loads_no_more_than_it_needs(own_settings, pictures, capsys, form):
    assert run(["index", str(pictures), "--model", "pocket", "-q"]) == 0
    capsys.readouterr()
    command = [sys.executable, "-c", PROGRAM, "search", "red", "--min-confidence", "0", "-q"]
    command += form
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    code, *loaded = ran.stderr.split()
    assert code == "0"
    assert ran.stdout
    assert "visionquery.search.executor" in loaded
    assert not (FOREIGN | OURS) & set(loaded)
    assert ("visionquery.present.documents" in loaded) == (form == ["--json"])
