"""Originals of images that are a part of a larger file: a member as itself, else the file."""

import zipfile
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from visionquery import Library
from visionquery.server import ServerSettings, create_app

BASE = "/api/v1/images"


@pytest.fixture
def api(tmp_path: Path, tiny_model: Path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    red, blue = (Image.new("RGB", (60, 40), colour) for colour in ("red", "blue"))
    red.save(folder / "scan.tif", save_all=True, append_images=[blue])
    red.save(folder / "book.pdf", save_all=True, append_images=[blue])
    blue.save(tmp_path / "blue.png")
    with zipfile.ZipFile(folder / "album.zip", "w") as archive:
        archive.write(tmp_path / "blue.png", "inside/bl\u00fce.png")
    settings = ServerSettings(thumbnails=tmp_path / "small")
    with Library.open(tmp_path / "library", model=tiny_model, create=True) as library:
        library.add(folder)
        with TestClient(
            create_app(library, settings), base_url="http://127.0.0.1:8000"
        ) as client:
            yield client, library, folder


def hit_in(library: Library, name: str, fragment: str) -> str:
    hits = library.search("width:>0", limit=50, min_confidence=0.0)
    return next(hit.image_id for hit in hits
                if Path(hit.path).name == name and hit.fragment == fragment)  # fmt: skip


def test_a_member_comes_as_itself(api) -> None:
    client, library, folder = api
    found = client.get(f"{BASE}/{hit_in(library, 'album.zip', 'member=inside/blüe.png')}/original")
    with zipfile.ZipFile(folder / "album.zip") as archive:
        assert found.content == archive.read("inside/blüe.png")
    assert found.headers["content-type"] == "image/png"
    assert found.headers["content-disposition"].endswith("''bl%C3%BCe.png")


@pytest.mark.parametrize(
    ("name", "kind"), [("scan.tif", "image/tiff"), ("book.pdf", "application/pdf")]
)
def test_a_page_comes_with_its_file_in_any_range(api, name: str, kind: str) -> None:
    client, library, folder = api
    address = f"{BASE}/{hit_in(library, name, 'page=2')}/original"
    whole = client.get(address)
    assert whole.content == (folder / name).read_bytes()
    assert whole.headers["content-type"] == kind
    assert "default-src 'none'" in whole.headers["content-security-policy"]
    part = client.get(address, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])


def test_a_page_has_its_own_thumbnail_and_facts(api) -> None:
    client, library, _ = api
    for name in ("scan.tif", "book.pdf"):
        image_id = hit_in(library, name, "page=2")
        facts = client.get(f"{BASE}/{image_id}").json()
        assert list(facts["fragments"].values()) == ["page=2"]
        small = client.get(f"{BASE}/{image_id}/thumbnail?size=320")
        assert (small.status_code, small.headers["content-type"]) == (200, "image/webp")


def test_a_file_that_is_gone_is_said(api) -> None:
    client, library, folder = api
    image_id = hit_in(library, "scan.tif", "page=2")
    (folder / "scan.tif").unlink()
    assert client.get(f"{BASE}/{image_id}/original").status_code == 404
    assert client.get(f"{BASE}/{image_id}/thumbnail").status_code == 404
