"""The description of the API: whole, with examples, and true of what the server does."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import booleans
from pydantic import BaseModel
from schemathesis.checks import not_a_server_error
from starlette.testclient import TestClient

from visionquery import Library
from visionquery.server import ServerSettings, create_app, schemas


def operations(api: TestClient) -> Iterator[tuple[str, str, dict]]:
    for path, methods in api.get("/api/v1/openapi.json").json()["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_every_address_is_described(api: TestClient) -> None:
    described = {(method, path) for path, method, _ in operations(api)}
    assert described == {
        ("get", "/api/v1/search"), ("post", "/api/v1/search"), ("get", "/api/v1/query"),
        ("get", "/api/v1/images/{image_id}"), ("get", "/api/v1/images/{image_id}/explanation"),
        ("post", "/api/v1/images/{image_id}/explanation"),
        ("get", "/api/v1/images/{image_id}/heatmap"),
        ("post", "/api/v1/images/{image_id}/heatmap"),
        ("get", "/api/v1/images/{image_id}/similar"),
        ("get", "/api/v1/images/{image_id}/thumbnail"),
        ("get", "/api/v1/images/{image_id}/original"), ("get", "/api/v1/status"),
        ("get", "/api/v1/facets"), ("post", "/api/v1/jobs"), ("get", "/api/v1/jobs"),
        ("get", "/api/v1/jobs/{job_id}"), ("delete", "/api/v1/jobs/{job_id}"),
        ("get", "/api/v1/jobs/{job_id}/events"), ("post", "/api/v1/session"),
        ("delete", "/api/v1/session"), ("get", "/health"), ("get", "/metrics"),
    }  # fmt: skip
    for path, method, operation in operations(api):
        assert operation["description"].endswith("."), (method, path)
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], (path, parameter)


def test_examples_are_given(api: TestClient) -> None:
    description = api.get("/api/v1/openapi.json").json()
    (query,) = [
        parameter for parameter in description["paths"]["/api/v1/search"]["get"]["parameters"]
        if parameter["name"] == "q"
    ]  # fmt: skip
    for example in query["schema"]["examples"]:
        assert api.get("/api/v1/search", params={"q": example}).status_code == 200
    shapes = description["components"]["schemas"]
    for name in ("HitShape", "Answer", "ImageFacts", "JobShape", "IndexRequest", "ProblemShape"):
        assert any("examples" in each for each in shapes[name]["properties"].values()), name


@pytest.mark.parametrize(
    ("shape", "path", "asked"),
    [
        (schemas.Answer, "/search", {"q": "red -blue date:2020..", "explain": True}),
        (schemas.Answer, "/search", {"q": "red OR (green AND 2:white)", "explain": True}),
        (schemas.Answer, "/search", {}),
        (schemas.Answer, "/images/{id}/similar", {}),
        (schemas.ImageFacts, "/images/{id}", {}),
        (schemas.Explained, "/images/{id}/explanation", {"q": "red ext:jpg"}),
        (schemas.FacetsShape, "/facets", {}),
        (schemas.LibraryFacts, "/status", {}),
        (schemas.QueryReading, "/query", {"q": "red -blue", "add": "date:2024"}),
        (schemas.JobList, "/jobs", {}),
    ],
)
def test_answers_have_the_described_shape(
    api: TestClient, red_id: str, shape: type[BaseModel], path: str, asked: dict
) -> None:
    if shape is schemas.JobList:
        api.post("/api/v1/jobs", json={})
    answer = api.get("/api/v1" + path.replace("{id}", red_id), params=asked)
    assert answer.status_code == 200
    shape.model_validate_json(answer.content)


def test_nothing_that_is_sent_breaks_the_server(
    library: Library, red_id: str, tmp_path: Path
) -> None:
    """Requests made from the description, right and wrong ones: none ends in a server error."""
    app = create_app(library, ServerSettings(thumbnails=tmp_path / "thumbnails"))
    with TestClient(app):  # for its lifespan
        described = schemathesis.openapi.from_asgi(
            "/api/v1/openapi.json", app, headers={"Host": "localhost"}
        )
        every = described.exclude(path_regex="/events$").get_all_operations()
        tried = [_status_codes(found.ok(), red_id) for found in every]
    assert len(tried) == 21
    assert sum(200 in codes for codes in tried) >= 13, "many get as far as the library"


def _status_codes(operation: schemathesis.APIOperation, image_id: str) -> set[int]:
    """Try an operation in many ways; return the status codes that came of it."""
    codes = set()

    @given(operation.as_strategy(), booleans())
    @settings(
        max_examples=25, deadline=None, database=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def check(case: schemathesis.Case, is_there: bool) -> None:
        if is_there and "image_id" in (case.path_parameters or {}):
            case.path_parameters["image_id"] = image_id
        response = case.call(headers={"Host": "localhost"})
        case.validate_response(response, checks=(not_a_server_error,))
        codes.add(response.status_code)

    check()
    return codes
