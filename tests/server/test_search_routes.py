"""Searching over HTTP: the library's answers, page after page, by words and by a picture."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from visionquery import Library
from visionquery.errors import InputError
from visionquery.server.cursors import next_cursor, offset_of

SEARCH = "/api/v1/search"


def names(answer: dict, key: str = "results") -> list[str]:
    return [Path(hit["path"]).name for hit in answer[key]]


def test_an_answer_is_that_of_the_library(api: TestClient, library: Library) -> None:
    answer = api.get(SEARCH, params={"q": "red -blue"}).json()
    found = library.search("red -blue", limit=100)
    assert [hit["image_id"] for hit in answer["results"]] == [hit.image_id for hit in found]
    assert [hit["confidence"] for hit in answer["results"]] == [hit.confidence for hit in found]
    assert [hit["score"] for hit in answer["closest"]] == [hit.score for hit in found.closest]
    assert (answer["total"], answer["exact"]) == (found.total, True)
    assert [part["text"] for part in answer["query_parts"]] == ["red", "blue"]
    assert [part["without"] for part in answer["query_parts"]] == ["-blue", "red"]


def test_images_may_be_passed_over_where_that_is_asked_for(
    api: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("visionquery.store.meaning.COMPARED_ALL", 0)
    asked = {"q": "red", "min_confidence": 0, "limit": 5}
    for exact, expected in ((None, True), (True, True), (False, False)):
        answer = api.get(SEARCH, params=asked if exact is None else asked | {"exact": exact}).json()
        assert answer["exact"] is expected
        assert len(answer["results"]) == 5
    cursor = api.get(SEARCH, params=asked).json()["next_cursor"]
    other = api.get(SEARCH, params=asked | {"exact": False, "cursor": cursor})
    assert other.status_code == 422


def test_a_blank_query_is_everything(api: TestClient) -> None:
    for asked in ({}, {"q": "  "}):
        answer = api.get(SEARCH, params=asked).json()
        assert (answer["total"], len(answer["results"]), answer["query_parts"]) == (12, 12, [])


def test_cursors_walk_through_the_whole_answer_once(api: TestClient) -> None:
    asked = {"q": "red", "min_confidence": 0, "limit": 5}
    whole = api.get(SEARCH, params=asked | {"limit": 100}).json()
    assert whole["next_cursor"] is None
    walked: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = api.get(SEARCH, params=asked | cursor).json()
        assert page["results"][0]["rank"] == len(walked) + 1
        walked += [hit["image_id"] for hit in page["results"]]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert walked == [hit["image_id"] for hit in whole["results"]]


def test_cursors_count_what_is_folded_once(api: TestClient) -> None:
    asked = {"q": "red", "min_confidence": 0, "fold": True}
    whole = api.get(SEARCH, params=asked).json()
    assert len(whole["results"]) == whole["total"] - whole["folded_away"] < whole["total"]
    first = api.get(SEARCH, params=asked | {"limit": 4}).json()
    rest = api.get(SEARCH, params=asked | {"cursor": first["next_cursor"]}).json()
    assert first["results"] + rest["results"] == whole["results"]
    assert rest["next_cursor"] is None
    both = api.get(SEARCH, params=asked | {"spread": True, "sort": "date"})
    assert both.status_code == 422


@pytest.mark.parametrize(
    "cursor", ["", "x", "é", "W10", "bnVsbA", "W10=", "[[[[", "WzEsImEiXQ", "A" * 200]
)
def test_what_is_no_cursor_is_refused(api: TestClient, cursor: str) -> None:
    answer = api.get(SEARCH, params={"q": "red", "cursor": cursor})
    assert answer.status_code == 422
    assert "cursor" in answer.json()["detail"]


def test_a_cursor_belongs_to_its_request(api: TestClient) -> None:
    asked = {"q": "red", "min_confidence": 0, "limit": 5}
    cursor = api.get(SEARCH, params=asked).json()["next_cursor"]
    for other in ({"q": "blue"}, {"min_confidence": 0.1}, {"sort": "path"}, {"fold": True},
                  {"spread": True}):
        assert api.get(SEARCH, params=asked | other | {"cursor": cursor}).status_code == 422
    beside = api.get(SEARCH, params=asked | {"cursor": cursor, "offset": 3})
    assert "not both" in beside.json()["detail"]


def test_cursors_say_where_to_go_on(library: Library) -> None:
    page = library.search("red", limit=3, offset=4, min_confidence=0)
    cursor = next_cursor(page, 4, "red", None)
    assert offset_of(cursor, "red", None) == 7
    with pytest.raises(InputError, match="not of this request"):
        offset_of(cursor, "blue", None)
    last = library.search("red", limit=3, offset=9, min_confidence=0)
    assert next_cursor(last, 9, "red", None) is None


def test_order_and_explanation_can_be_asked_for(api: TestClient) -> None:
    answer = api.get(SEARCH, params={"q": "red", "sort": "path", "explain": True}).json()
    paths = [hit["path"] for hit in answer["results"]]
    assert paths == sorted(paths)
    assert answer["results"][0]["parts"][0]["text"] == "red"


def test_a_picture_comes_with_the_request(api: TestClient, pictures: Path) -> None:
    content = (pictures / "one" / "green.png").read_bytes()
    headers = {"Content-Type": "image/png"}
    alone = api.post(SEARCH, content=content, headers=headers).json()
    assert alone["query_parts"][0]["text"] == "image:upload"
    assert set(names(alone)[:2]) == {"green.png", "green.jpg"}
    asked = {"q": "image:upload path:two"}
    narrowed = api.post(SEARCH, params=asked, content=content, headers=headers).json()
    assert names(narrowed)[0] == "green.jpg"
    assert "green.png" not in names(narrowed) + names(narrowed, "closest")


def test_a_picture_must_be_used(api: TestClient, pictures: Path) -> None:
    content = (pictures / "one" / "green.png").read_bytes()
    headers = {"Content-Type": "image/png"}
    unused = api.post(SEARCH, params={"q": "red"}, content=content, headers=headers)
    assert unused.status_code == 422
    assert "image:upload" in unused.json()["detail"]
    assert api.get(SEARCH, params={"q": "image:upload"}).status_code == 422


def test_a_faulty_query_says_where(api: TestClient) -> None:
    answer = api.get(SEARCH, params={"q": 'red "blue'})
    problem = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (
        422, "application/problem+json",
    )
    assert problem["type"] == "urn:visionquery:QueryError"
    assert (problem["status"], problem["position"]) == (422, 4)
    assert problem["detail"].endswith(".")
    assert problem["expected"]


def test_wrong_parameters_are_named(api: TestClient) -> None:
    for asked, named in (
        ({"limit": 0}, "limit"), ({"limit": "x"}, "limit"), ({"offset": -1}, "offset"),
        ({"sort": "size"}, "sort"), ({"min_confidence": 2}, "min_confidence"),
        ({"colour": "red"}, "colour"), ({"q": "x" * 2001}, "q"),
    ):  # fmt: skip
        answer = api.get(SEARCH, params=asked)
        assert answer.status_code == 422
        assert named in answer.json()["detail"]


def test_a_query_is_read_and_edited(api: TestClient) -> None:
    def edit(**asked: object) -> dict:
        return api.get("/api/v1/query", params=asked).json()

    added = edit(q="a dog without people", add="date:2024")
    assert added["query"] == "a dog without people date:2024"
    assert added["canonical"] == "a dog -people date:2024"
    assert edit(q=added["query"], drop="date", add="date:2023")["query"].endswith("date:2023")
    assert "date:2024" not in edit(q=added["query"], drop="date")["query"]
    assert edit(q="cat OR dog", add="ext:jpg")["query_parts"][0]["kind"] == "group"
    assert edit(q="image:upload", add="ext:jpg")["query"] == "image:upload ext:jpg"
    assert edit(q='"image:upload"')["query_parts"][0]["kind"] == "description"
    blank = edit()
    assert (blank["query"], blank["tree"], blank["query_parts"]) == ("", None, [])
    assert edit(add="ext:jpg")["query"] == "ext:jpg"


def test_within_narrows_the_answer(api: TestClient, pictures: Path) -> None:
    answer = api.get(SEARCH, params={"q": "red", "within": str(pictures / "two")}).json()
    assert names(answer)[0] == "red.jpg"
    assert {Path(hit["path"]).parent.name for hit in answer["results"]} == {"two"}
