"""Thumbnails and originals of pictures that lie in a bucket, and jobs that index one."""

import time
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from visionquery import Library
from visionquery.server import ServerSettings, create_app

BASE = "/api/v1"


@pytest.fixture
def served(tmp_path: Path, tiny_model: Path, bucket, painted):
    pages = [Image.new("RGB", (64, 48), colour) for colour in ("red", "blue")]
    pages[0].save(tmp_path / "scan.tif", save_all=True, append_images=pages[1:])
    bucket.put("photos/b l%20ü.png", painted("green", 1))
    bucket.put("photos/scan.tif", (tmp_path / "scan.tif").read_bytes())
    settings = ServerSettings(thumbnails=tmp_path / "small")
    with Library.open(tmp_path / "library", model=tiny_model, create=True) as library:
        library.add(f"{bucket.address}/photos")
        with TestClient(create_app(library, settings), base_url="http://127.0.0.1:80") as client:
            yield client, library


def ids(library: Library) -> dict[tuple[str, str], str]:
    hits = library.search("width:>0", limit=50, min_confidence=0.0)
    return {(Path(hit.path).name, hit.fragment): hit.image_id for hit in hits}


def test_pictures_are_shown_and_sent(served, tmp_path, painted) -> None:
    client, library = served
    known = ids(library)
    for image_id in known.values():
        small = client.get(f"{BASE}/images/{image_id}/thumbnail")
        assert (small.status_code, small.headers["content-type"]) == (200, "image/webp")
    whole = client.get(f"{BASE}/images/{known['b l%20ü.png', '']}/original")
    assert whole.content == painted("green", 1)
    assert whole.headers["content-disposition"].endswith("''b%20l%2520%C3%BC.png")
    address = f"{BASE}/images/{known['scan.tif', 'page=2']}/original"
    assert client.get(address).content == (tmp_path / "scan.tif").read_bytes()
    part = client.get(address, headers={"Range": "bytes=10-19"})
    assert part.content == (tmp_path / "scan.tif").read_bytes()[10:20]


def test_what_has_changed_in_the_bucket_is_not_sent(served, bucket) -> None:
    client, library = served
    known = ids(library)
    bucket.put("photos/b l%20ü.png", b"something else")
    bucket.delete("photos/scan.tif")
    for image_id in known.values():
        assert client.get(f"{BASE}/images/{image_id}/original").status_code == 404


def test_a_job_indexes_a_bucket(served, bucket, painted) -> None:
    client, library = served
    bucket.put("more/red.png", painted("red", 5))
    job = client.post(f"{BASE}/jobs", json={"paths": [f"{bucket.address}/more"]})
    assert job.status_code == 202, job.text
    for _ in range(200):
        state = client.get(f"{BASE}/jobs/{job.json()['job_id']}").json()
        if state["state"] not in ("waiting", "running"):
            break
        time.sleep(0.05)
    assert state["state"] == "done"
    assert ("red.png", "") in ids(library)
