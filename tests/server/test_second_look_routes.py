"""A second look over HTTP: only by the model that the server was started with, never in the way of
a search, and the same through the client."""

import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from visionquery import Library
from visionquery.client import Client
from visionquery.errors import InputError
from visionquery.server import ServerSettings
from visionquery.testing.tiny_model import make_tiny_model

SEARCH = "/api/v1/search"


@pytest.fixture(scope="module")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(make_tiny_model(tmp_path_factory.mktemp("other-model"), seed=1))


@pytest.fixture
def twice(serve, other_model: str) -> TestClient:
    """A client of a server that may look twice."""
    return serve(rerank=other_model)


def test_the_refined_answer_is_that_of_the_library(twice, library: Library, other_model) -> None:
    asked = {"q": "red", "min_confidence": 0}
    first = twice.get(SEARCH, params=asked).json()
    assert (first["reranked_by"], first["second_look"]) == (None, True)
    refined = twice.get(SEARCH, params=asked | {"rerank": True, "candidates": 24}).json()
    found = library.search("red", limit=100, min_confidence=0, rerank=other_model, candidates=24)
    assert (refined["reranked_by"], refined["second_look"]) == ("tiny-1", False)
    assert [hit["image_id"] for hit in refined["results"]] == [hit.image_id for hit in found]
    assert [hit["confidence"] for hit in refined["results"]] == [hit.confidence for hit in found]


def test_pages_of_a_refined_answer_are_of_its_order(twice) -> None:
    asked = {"q": "red", "min_confidence": 0, "rerank": True, "limit": 5}
    whole = twice.get(SEARCH, params=asked | {"limit": 100}).json()["results"]
    page = twice.get(SEARCH, params=asked).json()
    second = twice.get(SEARCH, params=asked | {"cursor": page["next_cursor"]}).json()
    assert page["results"] + second["results"] == whole[:10]
    other = twice.get(SEARCH, params=asked | {"rerank": False, "cursor": page["next_cursor"]})
    assert other.status_code == 422


def test_what_compares_nothing_has_no_second_look(twice) -> None:
    for query in ("", "ext:png"):
        answer = twice.get(SEARCH, params={"q": query, "rerank": True}).json()
        assert (answer["reranked_by"], answer["second_look"]) == (None, False)


def test_a_server_without_a_second_model_says_how_to_have_one(api: TestClient) -> None:
    assert api.get(SEARCH, params={"q": "red"}).json()["second_look"] is False
    refused = api.get(SEARCH, params={"q": "red", "rerank": True})
    assert refused.status_code == 422
    assert "visionquery serve --rerank" in refused.json()["detail"]


def test_no_model_is_taken_from_a_request(twice, tmp_path: Path) -> None:
    for wrong in (str(tmp_path), "pocket"):
        assert twice.get(SEARCH, params={"q": "red", "rerank": wrong}).status_code == 422
    for number in (23, 201):
        asked = {"q": "red", "rerank": True, "candidates": number}
        assert twice.get(SEARCH, params=asked).status_code == 422


def test_a_second_look_holds_up_no_search(twice, library: Library, monkeypatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    search = library.search

    def slowly(*asked, **wanted):
        if wanted["rerank"] is not None:
            begun.set()
            assert go_on.wait(60)
        return search(*asked, **wanted)

    monkeypatch.setattr(library, "search", slowly)
    answers: list[dict] = []

    def look() -> None:
        answers.append(twice.get(SEARCH, params={"q": "red", "rerank": True}).json())

    looks = [threading.Thread(target=look) for _ in range(8)]  # more than there are threads
    for each in looks:
        each.start()
    assert begun.wait(60)
    assert twice.get(SEARCH, params={"q": "blue"}).json()["total"]
    assert answers == []
    go_on.set()
    for each in looks:
        each.join(60)
    assert [answer["reranked_by"] for answer in answers] == ["tiny-1"] * 8


@pytest.fixture
def client(running, library: Library, other_model: str, tmp_path: Path) -> Iterator[Client]:
    settings = ServerSettings(port=0, thumbnails=tmp_path / "thumbnails", rerank=other_model)
    with running(library, settings) as address, Client(address) as opened:
        yield opened


@pytest.mark.parametrize("query", ["red", "red -blue", "red OR green", "ext:jpg", "zebra"])
@pytest.mark.parametrize(
    "asked", [{}, {"limit": 3, "offset": 2}, {"sort": "path"}, {"candidates": 24}], ids=str
)
def test_the_client_gives_what_the_library_gives(
    client: Client, library: Library, other_model: str, query: str, asked: dict
) -> None:
    here = library.search(query, rerank=other_model, **asked)
    there = client.search(query, rerank=True, **asked)
    assert dataclasses.replace(there, seconds=0) == dataclasses.replace(here, seconds=0)


def test_the_client_is_told_where_there_is_no_second_model(address: str) -> None:
    with Client(address) as once, pytest.raises(InputError, match="--rerank"):
        once.search("red", rerank=True)
