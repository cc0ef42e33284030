"""The attacks of docs/explanation/security.md by other sites, files and requests, tried."""

import io
import os
import socket
import time
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from visionquery import Library
from visionquery.server import ServerSettings, create_app

HERE = "http://127.0.0.1:8765"
TOKEN = "a-token-that-nobody-guesses"
SEARCH, STATUS, JOBS = "/api/v1/search", "/api/v1/status", "/api/v1/jobs"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PNG = {"Content-Type": "image/png"}


# -- other sites ---------------------------------------------------------------------------
@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.5", "", "[", "localhost.evil:80"]
)
def test_a_name_that_was_made_to_point_here_is_refused(api: TestClient, host: str):
    answer = api.get(STATUS, headers={"Host": host})
    assert (answer.status_code, answer.json()["type"]) == (421, "urn:visionquery:HostNotAllowed")
    assert api.get("/", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["127.0.0.1:8765", "localhost", "LOCALHOST:1", "[::1]:8765"])
def test_names_of_this_machine_are_allowed(api: TestClient, host: str):
    assert api.get(STATUS, headers={"Host": host}).status_code == 200


def test_with_a_token_addresses_and_named_hosts_are_allowed(serve):
    api = serve(token=TOKEN, host="0.0.0.0", allowed_hosts=("photos.example.org",))
    for host, status in (
        ("192.168.1.5:8765", 200), ("photos.example.org", 200), (socket.gethostname(), 200),
        ("evil.example", 421),
    ):  # fmt: skip
        assert api.get(STATUS, headers=BEARER | {"Host": host}).status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": ""},
        {"Origin": "http://127.0.0.1:3000"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
def test_what_another_sites_page_sends_is_refused(api: TestClient, pictures: Path, headers: dict):
    for answer in (
        api.post(JOBS, json={"paths": [str(pictures)]}, headers=headers),
        api.post(SEARCH, content=b"x", headers=headers | PNG),
        api.post("/api/v1/session", json={"token": "x"}, headers=headers),
        api.delete(f"{JOBS}/x", headers=headers),
        api.get(SEARCH, params={"q": "red"}, headers=headers),
        api.get(STATUS, headers=headers),
    ):
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:visionquery:OtherSite")
    assert api.get(JOBS).json() == {"jobs": []}


def test_the_pages_own_requests_and_links_to_it_are_allowed(api: TestClient):
    own = {"Origin": HERE, "Sec-Fetch-Site": "same-origin"}
    assert api.post(JOBS, json={}, headers=own).status_code == 202
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert api.get("/", headers=link).status_code == 200


def test_no_other_site_may_read_an_answer(api: TestClient):
    for headers in ({"Origin": HERE}, {}):
        answer = api.get(STATUS, headers=headers)
        assert not [name for name in answer.headers if name.startswith("access-control-")]
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    assert api.options(JOBS, headers=asked).status_code == 403


def test_a_form_cannot_write(api: TestClient):
    """A form sends no header that tells, in an old browser, but it cannot send JSON."""
    answer = api.post(JOBS, content='{"paths": []}', headers={"Content-Type": "text/plain"})
    assert answer.status_code == 422
    assert api.get(JOBS).json() == {"jobs": []}


# -- what is served ------------------------------------------------------------------------
def test_every_answer_tells_the_browser_to_be_strict(api: TestClient, red_id: str):
    for path in (
        "/", "/static/base.css", STATUS, "/nothing", f"{SEARCH}?limit=0",
        f"/api/v1/images/{red_id}/thumbnail", f"/api/v1/images/{red_id}/original",
    ):  # fmt: skip
        headers = api.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["referrer-policy"] == "no-referrer"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "*" not in policy
    assert "sandbox" in policy, "of a file of others"


@pytest.mark.parametrize(
    "image_id",
    ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e", "a" * 31, "A" * 32, "g" * 32, "%00"],
)
def test_an_id_is_an_id_and_no_path(api: TestClient, image_id: str):
    for what in ("/original", "/thumbnail", ""):
        assert api.get(f"/api/v1/images/{image_id}{what}").status_code in (404, 422)


@pytest.mark.parametrize("path", ["../settings.py", "%2e%2e/settings.py", "..%5csettings.py", "."])
def test_the_pages_folder_is_not_left(api: TestClient, path: str):
    assert api.get(f"/static/{path}").status_code in (404, 405)


def test_a_file_that_was_swapped_is_not_sent(api: TestClient, pictures: Path, red_id: str):
    secret = pictures.parent / "secret.png"
    Image.new("RGB", (64, 48), (1, 2, 3)).save(secret)
    shown = pictures / "one" / "red.png"
    for swap in (
        lambda: shown.symlink_to(secret),
        lambda: shown.symlink_to("/etc/passwd"),
        lambda: shown.write_bytes(secret.read_bytes()),
        lambda: os.mkfifo(shown),
        lambda: shown.mkdir(),
    ):
        shown.unlink()
        swap()
        for what in ("original", "thumbnail?size=1280"):
            answer = api.get(f"/api/v1/images/{red_id}/{what}")
            assert (answer.status_code, answer.headers["content-type"]) == (
                404, "application/problem+json",
            )
        if shown.is_dir():
            shown.rmdir()
            shown.touch()


def test_an_image_that_left_the_library_is_not_shown(
    api: TestClient, library: Library, pictures: Path, red_id: str
):
    assert api.get(f"/api/v1/images/{red_id}/thumbnail").status_code == 200
    library.remove(pictures / "one")
    for what in ("original", "thumbnail"):
        assert api.get(f"/api/v1/images/{red_id}/{what}").status_code == 404


def test_no_file_is_read_by_its_name(api: TestClient, tmp_path: Path):
    there = tmp_path / "there.png"
    Image.new("RGB", (64, 48)).save(there)
    refusals = {
        api.get(SEARCH, params={"q": f"image:{path}"}).json()["detail"]
        for path in (there, tmp_path / "not-there.png", "http://127.0.0.1:1/x.png", "/etc/passwd")
    }
    assert len(refusals) == 1, "what is there and what is not look the same"
    assert "no file" in refusals.pop()


def test_no_address_is_fetched(api: TestClient):
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0.3)
        address = f"http://127.0.0.1:{trap.getsockname()[1]}/x.png"
        api.get(SEARCH, params={"q": f"image:{address}"})
        api.get(SEARCH, params={"q": f"like:{address}"})
        api.post(SEARCH, content=address.encode(), headers=PNG)
        api.post(JOBS, json={"paths": [address]})
        with pytest.raises(TimeoutError):
            trap.accept()


def test_folders_outside_the_library_cannot_be_felt_for(api: TestClient, tmp_path: Path):
    answers = [
        api.get(SEARCH, params={"q": "red", "within": str(path)}).json()["detail"]
        for path in (tmp_path / "nowhere", Path("/etc"))
    ]
    assert [a.replace(str(tmp_path / "nowhere"), "/etc") for a in answers] == [answers[1]] * 2


def test_new_folders_need_permission(serve, pictures: Path, tmp_path: Path):
    api = serve(token=TOKEN)
    for path in (tmp_path / "nowhere", Path("/etc"), pictures.parent / "other"):
        answer = api.post(JOBS, json={"paths": [str(path)]}, headers=BEARER)
        assert (answer.status_code, answer.json()["type"]) == (403, "urn:visionquery:NotPermitted")
    assert api.post(JOBS, json={"paths": [str(pictures)]}, headers=BEARER).status_code == 202
    assert not api.get(STATUS, headers=BEARER).json()["may_index_new_folders"]


# -- what is sent --------------------------------------------------------------------------
def png(width: int, height: int) -> bytes:
    stream = io.BytesIO()
    Image.new("1", (width, height)).save(stream, "PNG")
    return stream.getvalue()


def test_a_large_upload_is_cut_off(serve):
    api = serve(max_upload_bytes=1000)
    stated = api.post(SEARCH, content=b"x" * 1001, headers=PNG)
    assert (stated.status_code, stated.json()["type"]) == (413, "urn:visionquery:TooLarge")

    def endless():
        for _ in range(10_000):
            yield b"x" * 100

    assert api.post(SEARCH, content=endless(), headers=PNG).status_code == 413


def test_a_picture_of_many_pixels_is_refused(serve):
    api = serve(max_upload_pixels=10_000)
    content = png(101, 100)
    assert len(content) < 1000
    answer = api.post(SEARCH, content=content, headers=PNG)
    assert answer.status_code == 422
    assert "pixels" in answer.json()["detail"]
    assert api.post(SEARCH, content=png(100, 100), headers=PNG).status_code == 200


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"<svg onload=a()>", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused(api: TestClient, content: bytes):
    assert api.post(SEARCH, content=content, headers=PNG).status_code == 422
    html = {"Content-Type": "text/html"}
    assert api.post(SEARCH, content=content, headers=html).status_code == 415


def test_a_slow_upload_is_cut_off(running, library: Library, tmp_path: Path):
    settings = ServerSettings(port=0, upload_seconds=0.5, thumbnails=tmp_path)
    with running(library, settings) as address:
        port = int(address.rsplit(":", 1)[1])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as slow:
            slow.sendall(
                b"POST /api/v1/search HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: image/png\r\n"
                b"Content-Length: 1000\r\n\r\nx"
            )
            started = time.monotonic()
            assert slow.recv(1000).startswith(b"HTTP/1.1 408")
            assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    "query",
    [
        "(" * 1999, "-" * 1999, "NOT " * 499, '"' * 1999, "a OR " * 399 + "a", "a AND " * 300 + "a",
        "9" * 1000 + ":a", "near:1e999,1,1", "width:" + "9" * 1900, "path:" + "*a" * 900,
        "like:" + "0" * 1900, "a\0b", "like:0@0,0,1e309,1", "\ud800", "date:" + "1" * 1900,
    ],
)  # fmt: skip
def test_a_query_cannot_break_or_hold_up_the_server(api: TestClient, query: str):
    started = time.monotonic()
    for path in (SEARCH, "/api/v1/query"):
        text = query.encode("utf-8", "surrogatepass")
        assert api.get(path, params={"q": text}).status_code in (200, 422)
    assert time.monotonic() - started < 5


def test_one_address_cannot_ask_without_end(serve):
    api = serve(token=TOKEN, requests_per_minute=5)
    searches = [api.get(SEARCH, headers=BEARER).status_code for _ in range(7)]
    assert searches == [200] * 5 + [429] * 2
    refused = api.get(SEARCH, headers=BEARER)
    assert refused.headers["retry-after"] == "60"
    assert api.get(STATUS, headers=BEARER).status_code == 200, "others have ten times as many"
    light = [api.get(STATUS, headers=BEARER).status_code for _ in range(60)]
    assert light.count(429) == 60 - 49


def test_a_limit_holds_with_a_token_by_default():
    assert ServerSettings(token=TOKEN).limit_per_minute == 1200
    assert ServerSettings().limit_per_minute == 0


def test_markup_stays_text(api: TestClient, library: Library, tmp_path: Path):
    name = "<img src=x onerror=alert(1)>.png"
    picture = tmp_path / "odd" / name
    picture.parent.mkdir()
    Image.new("RGB", (64, 48), (200, 30, 30)).save(picture)
    library.add(picture)
    answer = api.get(SEARCH, params={"q": "path:odd"})
    assert answer.headers["content-type"] == "application/json"
    image_id = answer.json()["results"][0]["image_id"]
    assert Path(answer.json()["results"][0]["path"]).name == name
    sent = api.get(f"/api/v1/images/{image_id}/original").headers["content-disposition"]
    assert "<" not in sent
    assert '"' not in sent
    problem = api.get(SEARCH, params={"q": "date:<script>"})
    assert problem.headers["content-type"] == "application/problem+json"


def test_a_defect_tells_nothing_of_the_inside(
    library: Library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog
):
    app = create_app(library, ServerSettings(thumbnails=tmp_path))
    monkeypatch.setattr(Library, "facets", lambda _: 1 / 0)
    with TestClient(app, base_url=HERE) as api:
        answer = api.get("/api/v1/facets")
        figures = api.get("/metrics").text
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:visionquery:Defect")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert 'route="/api/v1/facets",status="500"' in figures
    assert "ZeroDivision" not in answer.text
    assert "ZeroDivision" in caplog.text
