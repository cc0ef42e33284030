"""The page about models says what the catalog has and what the reader of descriptions knows."""

import re
from pathlib import Path

import pytest

from visionquery.errors import ModelError
from visionquery.models.catalog import catalog, resolve
from visionquery.models.description import read_spec
from visionquery.models.hub import CONNECT_SECONDS, PARTIAL
from visionquery.models.spec import ModelSpec, artifacts
from visionquery.models.weights import size_bytes

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "models.md").read_text("utf-8")
(EXAMPLE,) = re.findall(r"```toml\n(.+?)```", PAGE, re.DOTALL)
(CALIBRATION,) = re.findall(r"```\n(\[calibration\].+?)```", PAGE, re.DOTALL)
CATALOG_KEYS = f'repo = "a/b"\nrevision = "{"1" * 40}"\npath = "x"\nsize_bytes = 1'


def row(spec: ModelSpec) -> str:
    source = spec.image.artifact
    place = "in the program" if spec.folder else f"{source.repo} @ {source.revision}"
    cells = (
        f"`{spec.name}`", f"{size_bytes(spec) / 1e6:.0f} MB", str(spec.embed_dim),
        ", ".join(spec.languages), spec.license, place,
    )
    return f"| {' | '.join(cells)} |"


def documented_keys() -> set[str]:
    rows = re.findall(r"^\| (`.+?) \|", PAGE.partition("## The form of")[2], re.MULTILINE)
    return {key for cell in rows for key in re.findall(r"`\[?(\w+)\]?`", cell)}


def test_the_table_is_the_catalog() -> None:
    table = PAGE.partition("## The catalog\n")[2].partition("\n\nA megabyte")[0]
    assert table.strip().splitlines()[2:] == [row(spec) for spec in catalog()]


def test_all_files_of_an_entry_are_of_one_commit() -> None:
    """The table names one source for each model."""
    for spec in catalog():
        assert len({(file.repo, file.revision) for file in artifacts(spec)}) == 1


def test_the_example_is_read(tmp_path: Path) -> None:
    file = tmp_path / "model.toml"
    file.write_text(EXAMPLE)
    assert read_spec(file, source="example").name == "our-encoder"


@pytest.mark.parametrize("table", ["", "image", "text", "preprocess", "tokenizer"])
def test_every_key_that_is_read_is_documented(tmp_path: Path, table: str) -> None:
    file = tmp_path / "model.toml"
    before, mark, after = EXAMPLE.partition(f"[{table}]\n") if table else ("", "", EXAMPLE)
    file.write_text(f"{before}{mark}zzz = 1\n{after}")
    with pytest.raises(ModelError) as caught:
        read_spec(file, source="example")
    read = re.search(r"should be one of (.+), but", str(caught.value))
    assert read is not None, caught.value
    assert set(read[1].split(", ")) <= documented_keys()


def test_every_key_that_is_documented_is_read(tmp_path: Path) -> None:
    text = re.sub(r"(?m)^file = .+$", rf"\g<0>\n{CATALOG_KEYS}", EXAMPLE)
    text = 'aliases = ["other"]\nlogit_bias = 0.5\n' + text
    text = re.sub(r"(?m)^normalized = .+$", r"\g<0>\nmax_batch = 1", text)
    text += 'lowercase = true\ntemplate = "a {}"\npad_token = "<pad>"\n'
    file = tmp_path / "model.toml"
    file.write_text(text + CALIBRATION)
    assert read_spec(file, source="example").calibration is not None
    used = set(re.findall(r"(?m)^\[?(\w+)", text))
    used |= set(re.findall(r"([a-z]+)(?:\]| =|\.)", CALIBRATION))
    assert documented_keys() == used


def test_the_calibration_that_is_shown_is_that_of_the_model_in_the_box(tmp_path: Path) -> None:
    file = tmp_path / "model.toml"
    file.write_text(EXAMPLE + CALIBRATION)
    assert read_spec(file, source="example").calibration == resolve("pocket").calibration


def test_what_the_page_says_of_downloads_is_so() -> None:
    assert f"has {CONNECT_SECONDS} seconds to answer" in PAGE
    assert f"HASH{PARTIAL} " in PAGE
