"""Extras of the package: each can be imported, and what needs one that is missing says so."""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from visionquery.errors import InputError, UnreadableImageError
from visionquery.images.limits import Limits
from visionquery.images.pdf import decode_page, pages
from visionquery.images.raw import decode_raw
from visionquery.images.svg import decode_svg
from visionquery.images.video import decode_frame, key_frames
from visionquery.indexing.connecting import check_address
from visionquery.indexing.politeness import on_battery
from visionquery.indexing.watching import check_installed
from visionquery.store.engines import check_engine, open_engine

LIMITS = Limits()
BROUGHT = {
    "raw": ["rawpy"],
    "documents": ["pypdfium2", "resvg_py"],
    "video": ["av"],
    "watch": ["watchfiles", "psutil"],
    "ocr": ["rapidocr"],
    "quantize": ["onnx"],
    "server": ["fastapi", "uvicorn"],
    "client": ["httpx2"],
    "cloud": ["fsspec", "s3fs", "gcsfs"],
    "postgres": ["psycopg"],
    "qdrant": ["qdrant_client"],
    "ray": ["ray"],
}


@pytest.mark.parametrize("module", [name for names in BROUGHT.values() for name in names])
def test_what_an_extra_brings_can_be_imported(module: str) -> None:
    assert importlib.import_module(module)


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make a module as if it were not installed."""

    def hide(module: str) -> None:
        true_find = importlib.util.find_spec
        monkeypatch.setitem(sys.modules, module, None)
        monkeypatch.setattr(
            importlib.util, "find_spec",
            lambda name, package=None: None if name == module else true_find(name, package),
        )  # fmt: skip

    return hide


@pytest.mark.parametrize(
    ("extra", "module", "use"),
    [
        ("raw", "rawpy", lambda _: decode_raw(b"II*\0", limits=LIMITS)),
        ("documents", "pypdfium2", lambda _: pages(b"%PDF-1.7", LIMITS)),
        ("documents", "pypdfium2", lambda _: decode_page(b"%PDF-1.7", 1, limits=LIMITS)),
        ("documents", "resvg_py", lambda _: decode_svg(b"<svg/>", limits=LIMITS)),
        ("video", "av", lambda path: key_frames(path, LIMITS)),
        ("video", "av", lambda path: decode_frame(path, "t=0", limits=LIMITS)),
    ],
)
def test_a_file_that_takes_a_missing_extra_says_which(
    without: Callable[[str], None], tmp_path: Path, extra: str, module: str,
    use: Callable[[Path], object],
) -> None:  # fmt: skip
    path = tmp_path / "a"
    path.write_bytes(b"something")
    without(module)
    with pytest.raises(UnreadableImageError, match=rf"pip install 'visionquery\[{extra}\]'"):
        use(path)


@pytest.mark.parametrize("use", [open_engine, check_engine])
def test_a_library_in_postgres_says_that_the_extra_is_missing(
    without: Callable[[str], None], use: Callable[[str], object]
) -> None:
    without("psycopg")
    with pytest.raises(InputError, match=r"pip install 'visionquery\[postgres\]'"):
        use("postgresql://127.0.0.1:1/none")


@pytest.mark.parametrize(
    ("module", "use"), [("watchfiles", check_installed), ("psutil", on_battery)]
)
def test_watching_and_batteries_say_that_the_extra_watch_is_missing(
    without: Callable[[str], None], module: str, use: Callable[[], object]
) -> None:
    without(module)
    with pytest.raises(InputError, match=r"'visionquery\[watch\]'"):
        use()


def test_a_cluster_says_that_the_extra_ray_is_missing(without: Callable[[str], None]) -> None:
    without("ray.data")
    with pytest.raises(InputError, match=r"'visionquery\[ray\]'"):
        check_address("ray://head:10001")
