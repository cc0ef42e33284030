"""One image over HTTP: facts, explanation, likeness, thumbnail and file."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from visionquery import Library
from visionquery.server.thumbnails import ThumbnailCache


def at(image_id: str, what: str = "") -> str:
    return f"/api/v1/images/{image_id}{what}"


def test_facts_name_all_places(api: TestClient, library: Library, pictures: Path, red_id: str):
    copy = pictures / "copy.png"
    copy.write_bytes((pictures / "one" / "red.png").read_bytes())
    library.add(pictures)
    facts = api.get(at(red_id)).json()
    assert facts["paths"] == sorted([str(copy), str(pictures / "one" / "red.png")])
    assert (facts["width"], facts["height"], facts["format"]) == (64, 48, "PNG")
    assert facts["image_id"] == red_id


def test_an_explanation_says_why(api: TestClient, red_id: str):
    why = api.get(at(red_id, "/explanation"), params={"q": "red"}).json()
    assert why["relevant"]
    assert why["rank"] in (1, 2)
    assert why["hit"]["parts"][0]["text"] == "red"
    assert why["verdict"].startswith("This picture is in the answer")
    blank = api.get(at(red_id, "/explanation")).json()
    assert blank["relevant"]
    left_out = api.get(at(red_id, "/explanation"), params={"q": "red ext:jpg"}).json()
    assert (left_out["rank"], left_out["left_out_by"]) == (None, ["ext:jpg"])
    assert left_out["verdict"].endswith(".")


def test_similar_leaves_the_image_out(api: TestClient, red_id: str):
    answer = api.get(at(red_id, "/similar"), params={"limit": 3}).json()
    assert red_id not in [hit["image_id"] for hit in answer["results"]]
    assert Path(answer["results"][0]["path"]).name == "red.jpg"
    following = api.get(
        at(red_id, "/similar"), params={"limit": 3, "cursor": answer["next_cursor"]}
    ).json()
    assert following["results"][0]["rank"] == 4


def test_a_part_of_an_image_is_a_query(api: TestClient, library: Library, tmp_path: Path):
    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[:, :150], pixels[:, 150:] = (200, 30, 30), (30, 50, 200)
    halves = tmp_path / "halves" / "halves.png"
    halves.parent.mkdir()
    Image.fromarray(pixels).save(halves)
    library.add(halves)
    (image_id,) = [h.image_id for h in library.search("path:halves")]
    for box, colour in (("0,0,45,100", "red"), ("55.5,0,44.5,100", "blue")):
        answer = api.get("/api/v1/search", params={"q": f"like:{image_id}@{box}"}).json()
        hits = answer["results"] + answer["closest"]
        others = [Path(hit["path"]).stem for hit in hits if hit["image_id"] != image_id]
        assert set(others[:2]) == {colour}


def test_a_heatmap_is_colours_for_an_image(api: TestClient, library: Library, tmp_path: Path):
    pixels = np.full((300, 600, 3), 245, np.uint8)
    pixels[:, 400:] = (200, 30, 30)
    scene = tmp_path / "scene" / "scene.png"
    scene.parent.mkdir()
    Image.fromarray(pixels).save(scene)
    library.add(scene)
    (image_id,) = [h.image_id for h in library.search("path:scene")]
    answer = api.get(at(image_id, "/heatmap"), params={"q": "red -green"})
    shown = Image.open(io.BytesIO(answer.content))
    assert (answer.headers["content-type"], shown.format) == ("image/webp", "WEBP")
    assert (shown.size, shown.mode) == ((960, 480), "RGBA")
    left, top, width, height = map(float, answer.headers["heatmap-box"].split(","))
    assert 50 < left < left + width <= 100
    assert 0 <= top < top + height <= 100
    assert answer.headers["heatmap-weak"] == "false"
    assert answer.headers["cache-control"] == "private, max-age=300"
    weak = api.get(at(image_id, "/heatmap"), params={"q": "blue"})
    assert weak.headers["heatmap-weak"] == "true"
    blue = io.BytesIO()
    Image.new("RGB", (90, 90), (200, 30, 30)).save(blue, "PNG")
    by_picture = api.post(
        at(image_id, "/heatmap"), params={"q": "image:upload"}, content=blue.getvalue(),
        headers={"Content-Type": "image/png"},
    )  # fmt: skip
    assert float(by_picture.headers["heatmap-box"].split(",")[0]) > 50
    assert by_picture.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("q", ["", "ext:png", "-red", "red OR", "image:upload", "image:/etc/x.png"])
def test_a_heatmap_of_nothing_to_see_is_refused(api: TestClient, red_id: str, q: str):
    answer = api.get(at(red_id, "/heatmap"), params={"q": q})
    assert answer.status_code == 422
    assert answer.json()["detail"].endswith(".")


@pytest.mark.parametrize("what", ["", "/thumbnail", "/original", "/similar", "/heatmap?q=red"])
def test_an_image_that_is_not_there_is_a_404(api: TestClient, what: str):
    answer = api.get(at("0" * 32, what))
    assert (answer.status_code, answer.json()["type"]) == (
        404, "urn:visionquery:ImageNotFoundError",
    )


def test_a_thumbnail_is_upright_small_and_says_nothing(
    api: TestClient, library: Library, tmp_path: Path
):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    exif[0x010F] = "SECRET"
    picture = tmp_path / "turned" / "turned.jpg"
    picture.parent.mkdir()
    Image.new("RGB", (1200, 800), (10, 200, 10)).save(picture, exif=exif)
    library.add(picture)
    (image_id,) = [h.image_id for h in library.search("path:turned")]
    answer = api.get(at(image_id, "/thumbnail"), params={"size": 640})
    shown = Image.open(io.BytesIO(answer.content))
    assert (answer.headers["content-type"], shown.format) == ("image/webp", "WEBP")
    assert shown.size == (427, 640)
    assert not shown.getexif()
    assert b"SECRET" not in answer.content
    kept = api.get(at(image_id, "/thumbnail"), params={"size": 1280})
    assert Image.open(io.BytesIO(kept.content)).size == (800, 1200), "never enlarged"
    assert api.get(at(image_id, "/thumbnail"), params={"size": 1000}).status_code == 422


def test_a_thumbnail_that_is_known_is_not_sent_again(api: TestClient, red_id: str):
    first = api.get(at(red_id, "/thumbnail"))
    assert "immutable" in first.headers["cache-control"]
    assert "private" in first.headers["cache-control"]
    again = api.get(at(red_id, "/thumbnail"), headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = api.get(at(red_id, "/thumbnail"), headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


def test_thumbnails_are_kept(api: TestClient, red_id: str, pictures: Path):
    first = api.get(at(red_id, "/thumbnail")).content
    (pictures / "one" / "red.png").unlink()
    assert api.get(at(red_id, "/thumbnail")).content == first
    assert api.get(at(red_id, "/thumbnail"), params={"size": 640}).status_code == 404


def test_the_original_is_the_file(api: TestClient, red_id: str, pictures: Path):
    content = (pictures / "one" / "red.png").read_bytes()
    shown = api.get(at(red_id, "/original"))
    assert (shown.content, shown.headers["content-type"]) == (content, "image/png")
    assert shown.headers["content-disposition"].startswith("inline")
    saved = api.get(at(red_id, "/original"), params={"download": True})
    assert saved.headers["content-disposition"] == "attachment; filename*=UTF-8''red.png"


def whole(data: bytes) -> bytes:
    return b"RIFF" + len(data).to_bytes(4, "little") + data


def test_the_cache_stays_below_its_size(tmp_path: Path):
    cache = ThumbnailCache(tmp_path, 10_000)
    for number in range(40):
        cache.get(f"{number:032x}", 320, lambda: whole(b"x" * 992))
    kept = sum(path.stat().st_size for path in tmp_path.rglob("*.webp"))
    assert 5_000 < kept <= 10_000


def test_the_cache_makes_anew_what_is_not_whole(tmp_path: Path):
    cache = ThumbnailCache(tmp_path, 10_000)
    cache.get("a" * 32, 320, lambda: whole(b"first"))
    (path,) = tmp_path.rglob("*.webp")
    for broken in (b"", whole(b"first")[:-1], b"JUNK"):
        path.write_bytes(broken)
        assert cache.get("a" * 32, 320, lambda: whole(b"again")) == whole(b"again")
        assert path.read_bytes() == whole(b"again")


def test_without_a_place_to_keep_them_thumbnails_are_still_made(tmp_path: Path):
    (tmp_path / "file").touch()
    cache = ThumbnailCache(tmp_path / "file" / "below", 10_000)
    assert cache.get("a" * 32, 320, lambda: whole(b"made")) == whole(b"made")


def test_requests_are_counted_by_route(api: TestClient, red_id: str):
    for path in (at(red_id), at(red_id, "/thumbnail"), at("0" * 32), "/made/up", "/static/main.js"):
        api.get(path)
    lines = api.get("/metrics").text.splitlines()
    counted = {line for line in lines if line.startswith("visionquery_http_requests_total")}
    labels = 'method="GET",route="/api/v1/images/{image_id}'
    assert f'visionquery_http_requests_total{{{labels}",status="200"}} 1.0' in counted
    assert f'visionquery_http_requests_total{{{labels}",status="404"}} 1.0' in counted
    assert f'visionquery_http_requests_total{{{labels}/thumbnail",status="200"}} 1.0' in counted
    assert not any(red_id in line or "made" in line or "static" in line for line in counted)
    assert "visionquery_thumbnails_made_total 1.0" in lines
    assert "visionquery_images 12.0" in lines
