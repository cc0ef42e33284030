"""The reference says what the program does."""

import json
import re
import subprocess
import sys
from pathlib import Path

from visionquery.doctor import Diagnosis
from visionquery.present.documents import query_document
from visionquery.present.health import doctor_document
from visionquery.query.grammar import parse
from visionquery.store.checking import Checked

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_the_command_line_page_is_what_the_program_says():
    checked = subprocess.run(
        [sys.executable, ROOT / "scripts" / "make_reference.py", "--check"], check=False
    )
    assert checked.returncode == 0, "run: python scripts/make_reference.py"


def test_the_api_page_is_what_the_server_says():
    checked = subprocess.run(
        [sys.executable, ROOT / "scripts" / "make_api_reference.py", "--check"], check=False
    )
    assert checked.returncode == 0, "run: python scripts/make_api_reference.py"


def test_json_examples_are_json():
    blocks = re.findall(r"```json\n(.*?)```", (DOCS / "reference" / "json.md").read_text(), re.S)
    search, query, explanation, index, health = map(json.loads, blocks)
    assert {"results", "closest", "min_confidence", "total"} <= set(search)
    assert query == query_document(query["query"], parse(query["query"]))
    assert {"relevant", "left_out_by"} <= set(explanation)
    assert set(explanation["image"]) - {"parts"} == set(search["results"][0]) - {"rank", "folded"}
    assert "stages" in index
    looked = Diagnosis(health["location"], Checked())
    assert health.keys() == doctor_document(looked).keys()


def test_links_between_pages_lead_somewhere():
    pages = [ROOT / "README.md", *DOCS.rglob("*.md")]
    for page in pages:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
