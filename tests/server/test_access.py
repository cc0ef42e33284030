"""Who may ask: the attacks on the token and on sessions of docs/explanation/security.md, tried."""

import time

import pytest

from visionquery import Library
from visionquery.errors import SettingsError
from visionquery.server import ServerSettings
from visionquery.server.access import COOKIE, Access

TOKEN = "a-token-that-nobody-guesses"
SEARCH, STATUS, JOBS = "/api/v1/search", "/api/v1/status", "/api/v1/jobs"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
PRIVATE = [STATUS, SEARCH, "/api/v1/facets", JOBS, "/metrics", "/api/v1/query", "/api/v1/nothing"]
PNG = {"Content-Type": "image/png"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "photos.example.org", ""])
def test_other_machines_are_served_with_a_token_only(host: str):
    with pytest.raises(SettingsError, match=r"secrets.token_urlsafe"):
        ServerSettings(host=host)
    chosen = ServerSettings(host=host, token=TOKEN)
    assert chosen.token == TOKEN
    assert TOKEN not in repr(chosen)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_needs_none(host: str):
    assert ServerSettings(host=host).token is None


def test_a_token_that_can_be_guessed_is_refused():
    with pytest.raises(SettingsError, match="guessed"):
        ServerSettings(token="hunter2")


@pytest.mark.parametrize("path", PRIVATE)
def test_nothing_is_told_without_the_token(serve, path: str):
    api = serve(token=TOKEN)
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}):
        answer = api.get(path, headers=headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert api.get(path, params={"token": TOKEN}).status_code == 401, "never in an address"
    assert api.get(path, headers=BEARER).status_code in (200, 404)


def test_pictures_too_need_the_token(serve, red_id: str):
    api = serve(token=TOKEN)
    for what in ("", "/thumbnail", "/original", "/similar", "/explanation?q=red"):
        assert api.get(f"/api/v1/images/{red_id}{what}").status_code == 401
        assert api.get(f"/api/v1/images/{red_id}{what}", headers=BEARER).status_code == 200
    assert api.post(JOBS, json={}).status_code == 401
    assert api.post(SEARCH, content=b"x", headers=PNG).status_code == 401


def test_what_is_open_says_nothing_of_the_library(serve, library: Library):
    api = serve(token=TOKEN)
    for path in ("/", "/health", "/static/base.css", "/api/v1/openapi.json"):
        answer = api.get(path)
        assert answer.status_code == 200
        assert library.status().location not in answer.text


def test_a_session_takes_the_tokens_place_in_a_browser(serve):
    api = serve(token=TOKEN)
    assert api.post("/api/v1/session", json={"token": "wrong"}).status_code == 401
    assert COOKIE not in api.cookies
    entered = api.post("/api/v1/session", json={"token": TOKEN})
    cookie = entered.headers["set-cookie"].lower()
    assert entered.status_code == 204
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    assert api.get(STATUS).status_code == 200
    api.delete("/api/v1/session")
    assert api.get(STATUS).status_code == 401


def test_a_session_cannot_be_made_up(monkeypatch: pytest.MonkeyPatch):
    access = Access(TOKEN)

    def holds(value: str) -> bool:
        return access.has_session({"cookie": f"{COOKIE}={value}"})

    good = access.session()
    word, made, signature = good.split(".")
    later = made[:-1] + ("B" if made.endswith("A") else "A")
    assert holds(good)
    assert not any(map(holds, [
        "", ".", "..", f"{word}.{later}.{signature}", f"{word}x.{made}.{signature}",
        f"{word}.{made}.{signature[::-1]}", f"{word}.{made}.{'é' * 43}", f"{word}.{made}.",
        f"{word}.{made}", "x.y.z", f"٣.{made}.{signature}",
    ]))  # fmt: skip
    assert not Access("another-token-altogether").has_session({"cookie": f"{COOKIE}={good}"})
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 31 * 24 * 3600)
    assert not holds(good), "it ends"


def test_guessing_a_token_ends_soon(serve):
    api = serve(token=TOKEN)
    api.post("/api/v1/session", json={"token": TOKEN})
    session = api.cookies[COOKIE]
    api.cookies.clear()
    tries = [
        api.get(STATUS, headers={"Authorization": f"Bearer guess-{n}"}).status_code
        for n in range(12)
    ]
    assert tries == [401] * 10 + [429] * 2
    assert api.get(STATUS, headers=BEARER).status_code == 429, "the right one as well, for a minute"
    assert api.post("/api/v1/session", json={"token": TOKEN}).status_code == 429
    api.cookies.set(COOKIE, session)
    assert api.get(STATUS).status_code == 200, "who is in stays in"
