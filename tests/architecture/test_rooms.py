"""The floors of the house, what each module offers, and who may import which third party."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import visionquery

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "visionquery"
MODULES = sorted(
    info.name
    for info in pkgutil.walk_packages(visionquery.__path__, "visionquery.")
    if info.name != "visionquery.__main__"
)
IMPORTERS = {
    "PIL": {"images", "models/preprocess.py"},
    "pillow_heif": {"images/formats.py"},
    "pathspec": {"images"},
    "onnxruntime": {"models/session.py", "models/int8_graph.py"},
    "tokenizers": {"models/tokenizer.py", "testing"},
    "huggingface_hub": {"models/weights.py", "models/hub.py"},
    "sqlite3": {"store"},
    "numkong": {"store/kernels.py"},
    "filelock": {"store"},
    "typer": {"cli"},
    "rich": {"cli", "present"},
    "platformdirs": {"settings.py"},
    "onnx": {"models/int8_graph.py", "testing"},
    "skimage": set(),
    "rapidocr": {"images/ocr.py"},
    "cv2": {"images/ocr.py"},
    "fastapi": {"server"},
    "pydantic": {"server"},
    "starlette": {"server"},
    "uvicorn": {"server/running.py"},
    "limits": {"server/rates.py"},
    "itsdangerous": {"server/access.py"},
    "prometheus_client": {"server/metrics.py"},
    "httpx2": {"client"},
    "av": {"images/video.py"},
    "rawpy": {"images/raw.py"},
    "pypdfium2": {"images/pdf.py"},
    "resvg_py": {"images/svg.py"},
    "fsspec": {"images/addresses.py"},
    "s3fs": set(),
    "gcsfs": set(),
    "watchfiles": {"indexing/watching.py"},
    "qdrant_client": {"store/qd/engine.py"},
    "psutil": {"indexing/politeness.py"},
    "psycopg": {"store/pg"},
    "ray": {"indexing/connecting.py", "indexing/conductor.py"},
}


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )


def test_no_floor_imports_the_one_above() -> None:
    lint = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )
    assert lint.returncode == 0, lint.stdout + lint.stderr


def test_ruff_finds_nothing() -> None:
    checked = run("ruff", "check", "--no-cache", ".")
    assert checked.returncode == 0, checked.stdout


def test_types_hold_strictly(tmp_path: Path) -> None:
    checked = run("mypy", "--cache-dir", str(tmp_path))
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("name", MODULES)
def test_all_names_what_is_there(name: str) -> None:
    module = importlib.import_module(name)
    if hasattr(module, "__path__") and not hasattr(module, "__all__"):
        assert module.__doc__, "a room says what it is for"
        return
    assert module.__doc__
    assert all(hasattr(module, public) for public in module.__all__)
    assert len(set(module.__all__)) == len(module.__all__)


@pytest.mark.parametrize("library", IMPORTERS)
def test_a_third_party_has_one_door(library: str) -> None:
    importers = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            )
            if any(name.split(".")[0] == library for name in names):
                importers.add(path.relative_to(SOURCE).as_posix())
    allowed = IMPORTERS[library]
    doors = tuple(f"{place}/" for place in allowed)
    assert {i for i in importers if i not in allowed and not i.startswith(doors)} == set()


def loaded_after(statement: str) -> set[str]:
    listing = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"],
        capture_output=True, text=True, check=True,
    )
    return set(listing.stdout.split())


def test_the_package_imports_nothing_heavy() -> None:
    heavy = {"numpy", "PIL", "onnxruntime", "tokenizers", "huggingface_hub", "rich", "typer"}
    assert not heavy & loaded_after("import visionquery")


def test_the_facade_imports_no_picture_or_hub_code() -> None:
    loaded = loaded_after("from visionquery import Library")
    assert "visionquery.library" in loaded
    assert not {"PIL", "onnxruntime", "huggingface_hub", "torch"} & loaded
